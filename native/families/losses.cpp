// The losses: value and gradient in one pass.
#include "../operations/losses.hpp"

#include "../class_losses.hpp"
#include "../element_losses.hpp"
#include "../entry.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// The sum of the rows' totals. Every thread computes it, because it decides whether the step goes on.
double sum_of_totals(const double* row_totals, int64_t rows) {
    double total = 0;
    for (int64_t i = 0; i < rows; ++i) total += row_totals[i];
    return total;
}

// A divisor of NaN is none: no mean has been added up.
MAILLON_INLINE void add_denominator(double* divisor, double denominator) {
    *divisor = *divisor == *divisor ? *divisor + denominator : denominator;
}

// Where gradients are gathered, a mini-batch without anything to average counts as none, with a loss of 0.
template <class T, class Fields>
bool loss_result(const Fields& op, int64_t rows, double denominator, const Team& team) {
    team.wait();
    double value = sum_of_totals(op.row_totals, rows);
    const bool mean = op.reduction == choice::Reduction::mean;
    const bool nothing = op.divisor != nullptr && denominator == 0 && __builtin_isfinite(value);
    if (mean) value = nothing ? 0 : value / denominator;
    if (team.rank == 0) {
        op.result[0] = double(T(value));
        op.result[1] = mean ? denominator : 1;
        if (op.divisor != nullptr) add_denominator(op.divisor, denominator);
    }
    return __builtin_isfinite(T(value));
}

// ∂value/∂sum: a mean's gradient stays undivided where those of several mini-batches are added up.
template <class T, class Fields> T loss_scale(const Fields& op, double denominator) {
    const bool mean = op.reduction == choice::Reduction::mean;
    return mean && op.divisor == nullptr ? T(1) / T(denominator) : T(1);
}

template <class T> bool element_loss(const op::ElementLoss<T>& op, const Team& team) {
    const double denominator = double(op.rows * op.columns);
    const Span own = share(op.rows, 8, team);
    const bool valid = MAILLON_ISA::element_loss<T>(op.loss, op.prediction, op.target, op.weight, op.pos_weight, op.sample_weight,
                                       loss_scale<T>(op, denominator), op.grad, op.row_totals, op.columns, own);
    if (!valid) op.row_totals[own.begin] = __builtin_nan(""); // so that the sum is NaN for every thread
    return loss_result<T>(op, op.rows, denominator, team);
}

constexpr int64_t from_logits_flag = 1, likelihood_flag = 2;

template <class T> bool class_loss(const op::ClassLoss<T>& op, const Team& team) {
    const int64_t samples = op.outer * op.inner;
    const Classes<T> classes{op.scores, op.labels, op.distribution, op.class_weight, op.sample_weight, op.smoothing,
                             op.ignore_index, (op.flags & from_logits_flag) != 0, (op.flags & likelihood_flag) != 0,
                             op.classes, op.inner};
    const bool mean = op.reduction == choice::Reduction::mean;
    const double denominator = mean ? class_count<T>(classes, Span{0, samples}) : 1;
    const Span own = share(samples, 8, team);
    const bool valid = MAILLON_ISA::class_loss<T>(classes, loss_scale<T>(op, denominator), op.grad, op.row_totals, own);
    if (!valid) op.row_totals[own.begin] = __builtin_nan("");
    return loss_result<T>(op, samples, denominator, team);
}

// Squared errors without weights, of a few numbers.
constexpr int64_t few = 8;

template <class T, bool gathers> bool squared_error_few(const op::ElementLoss<T>& op, const Team&) {
    const int64_t n = op.rows * op.columns;
    const T half = op.loss == choice::ElementLoss::half_mse ? T(0.5) : T(1);
    const bool mean = op.reduction == choice::Reduction::mean;
    const T slope = 2 * half * (mean && !gathers ? T(1) / T(n) : T(1));
    double total = 0;
#pragma GCC unroll 1
    for (int64_t i = 0; i < n; ++i) {
        const T error = op.prediction[i] - op.target[i];
        total += double(half * (error * error));
        if (op.grad != nullptr) op.grad[i] = slope * error;
    }
    const T value = T(mean ? total / double(n) : total);
    op.result[0] = double(value);
    op.result[1] = mean ? double(n) : 1;
    if constexpr (gathers) add_denominator(op.divisor, double(n));
    return __builtin_isfinite(value);
}

template <class T> Carry if_few(const void* fields) {
    using Fields = op::ElementLoss<T>;
    const Fields& op = *static_cast<const Fields*>(fields);
    const bool squared = op.loss <= choice::ElementLoss::half_mse && op.weight == nullptr && op.sample_weight == nullptr;
    if (!squared || op.rows * op.columns > few) return nullptr;
    return op.divisor ? carried<Fields, squared_error_few<T, true>> : carried<Fields, squared_error_few<T, false>>;
}

const Entry entries[] = {ENTRY(ElementLoss, element_loss, .pick = {if_few<float>, if_few<double>}),
                         ENTRY(ClassLoss, class_loss)};

} // namespace

FAMILY(losses)

} // namespace maillon::MAILLON_ISA
