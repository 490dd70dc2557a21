// What every loss leaves: its value, what its mean was divided by, and what gathered gradients are to be divided by. All
// operations of this family have the fields `row_totals` (the weighted values), `result`, `divisor` and `reduction`.
#pragma once

#include "../operations/losses.hpp"
#include "../simd.hpp"
#include "../team.hpp"

namespace maillon::MAILLON_ISA {

template <template <class> class Loss, class T> MAILLON_INLINE bool averages(const Loss<T>& op) {
    return op.reduction == choice::Reduction::mean;
}

// The sum of the rows' totals. Every thread computes it, because it decides whether the step goes on.
inline double sum_of_totals(const double* row_totals, int64_t rows) {
    double total = 0;
    for (int64_t i = 0; i < rows; ++i) total += row_totals[i];
    return total;
}

// A divisor of NaN is none: no mean has been added up.
MAILLON_INLINE void add_denominator(double* divisor, double denominator) {
    *divisor = *divisor == *divisor ? *divisor + denominator : denominator;
}

// Where gradients are gathered, a mini-batch without anything to average counts as none, with a loss of 0.
template <template <class> class Loss, class T>
bool loss_result(const Loss<T>& op, int64_t rows, double denominator, const Team& team) {
    team.wait();
    double value = sum_of_totals(op.row_totals, rows);
    const bool nothing = op.divisor != nullptr && denominator == 0 && __builtin_isfinite(value);
    if (averages(op)) value = nothing ? 0 : value / denominator;
    if (team.rank == 0) {
        op.result[0] = double(T(value));
        op.result[1] = averages(op) ? denominator : 1;
        if (op.divisor != nullptr) add_denominator(op.divisor, denominator);
    }
    return __builtin_isfinite(T(value));
}

// ∂value/∂sum: a mean's gradient stays undivided where those of several mini-batches are added up.
template <template <class> class Loss, class T> MAILLON_INLINE T loss_scale(const Loss<T>& op, double denominator) {
    return averages(op) && op.divisor == nullptr ? T(1) / T(denominator) : T(1);
}

// Makes the loss NaN for every thread: what it was given is out of range.
template <template <class> class Loss, class T> MAILLON_INLINE void refuse(const Loss<T>& op, int64_t row) {
    op.row_totals[row] = __builtin_nan("");
}

// max(0, v); NaN stays.
template <class T> MAILLON_INLINE T cut_off(T v) { return v < T(0) ? T(0) : v; }

} // namespace maillon::MAILLON_ISA
