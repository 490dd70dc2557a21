// The function of each kind of operation (tiny.hpp has second ones for very small sizes): it reads the buffers, sizes and
// numbers that Python has laid out and calls the kernels. Their order is that of OPERATIONS in engine/operations.py.
#pragma once

#include "activations.hpp"
#include "gemm.hpp"
#include "losses.hpp"
#include "program.hpp"
#include "rules.hpp"
#include "simd.hpp"

namespace maillon::MAILLON_ISA {

template <class T> MAILLON_INLINE T* real(const Operation& op, int i) { return static_cast<T*>(op.buffers[i]); }
MAILLON_INLINE double* doubles(const Operation& op, int i) { return static_cast<double*>(op.buffers[i]); }

inline constexpr int64_t grain = 64; // elements: no two threads write to one cache line

// buffers: x, weight, bias?, y, workspace; sizes: rows, inputs, outputs, activation, zeros; numbers: slope
template <class T> bool linear(const Operation& op, const Team& team) {
    const int64_t rows = op.sizes[0], inputs = op.sizes[1], outputs = op.sizes[2];
    const T* bias = real<T>(op, 2);
    product<T>({rows, outputs, inputs, real<T>(op, 0), inputs, 1, real<T>(op, 1), 1, inputs, real<T>(op, 3), outputs,
                bias, bias ? Begin::bias : Begin::zero, op.sizes[4] ? Zeros::many_in_a : Zeros::few},
               real<T>(op, 4), team, {Activation(op.sizes[3]), T(op.numbers[0]), nullptr});
    return true;
}

// buffers: dy, weight, reference?, dx, workspace; sizes: rows, inputs, outputs, activation; numbers: slope
template <class T> bool linear_grad_input(const Operation& op, const Team& team) {
    const int64_t rows = op.sizes[0], inputs = op.sizes[1], outputs = op.sizes[2];
    product<T>({rows, inputs, outputs, real<T>(op, 0), outputs, 1, real<T>(op, 1), inputs, 1, real<T>(op, 3), inputs,
                nullptr, Begin::zero},
               real<T>(op, 4), team, {Activation(op.sizes[3]), T(op.numbers[0]), real<T>(op, 2)});
    return true;
}

// buffers: dy, x, dweight, dbias?, workspace; sizes: rows, inputs, outputs, keep, zeros
template <class T> bool linear_grad_weight(const Operation& op, const Team& team) {
    const int64_t rows = op.sizes[0], inputs = op.sizes[1], outputs = op.sizes[2];
    const bool keep = op.sizes[3] != 0;
    const T* dy = real<T>(op, 0);
    product<T>({outputs, inputs, rows, dy, 1, outputs, real<T>(op, 1), inputs, 1, real<T>(op, 2), inputs, nullptr,
                keep ? Begin::keep : Begin::zero, op.sizes[4] ? Zeros::many_in_b : Zeros::few},
               real<T>(op, 4), team);
    if (T* dbias = real<T>(op, 3)) column_sums<T>(dy, rows, outputs, dbias, keep, team);
    return true;
}

// buffers: x, y; sizes: n, activation; numbers: slope
template <class T> bool activation(const Operation& op, const Team& team) {
    const Span part = share(op.sizes[0], grain, team);
    activate<T>(Activation(op.sizes[1]), T(op.numbers[0]), real<T>(op, 0) + part.begin, real<T>(op, 1) + part.begin,
                part.end - part.begin);
    return true;
}

// buffers: dy, reference, dx; sizes: n, activation; numbers: slope
template <class T> bool activation_grad(const Operation& op, const Team& team) {
    const Span part = share(op.sizes[0], grain, team);
    activate_grad<T>(Activation(op.sizes[1]), T(op.numbers[0]), real<T>(op, 0) + part.begin,
                     real<T>(op, 1) + part.begin, real<T>(op, 2) + part.begin, part.end - part.begin);
    return true;
}

// buffers: x, y; sizes: outer, size, inner, log
template <class T> bool softmax_values(const Operation& op, const Team& team) {
    softmax<T>(real<T>(op, 0), real<T>(op, 1), op.sizes[1], op.sizes[2], share(op.sizes[0] * op.sizes[2], grain, team),
               op.sizes[3] != 0);
    return true;
}

// buffers: dy, y, dx; sizes: outer, size, inner, log
template <class T> bool softmax_values_grad(const Operation& op, const Team& team) {
    softmax_grad<T>(real<T>(op, 0), real<T>(op, 1), real<T>(op, 2), op.sizes[1], op.sizes[2],
                    share(op.sizes[0] * op.sizes[2], grain, team), op.sizes[3] != 0);
    return true;
}

// draw(i) for i = 0 … n - 1, each of which takes one word: in blocks, between which others may draw.
template <class Draw> MAILLON_INLINE void each_block(WordStream& words, int64_t n, Draw draw) {
    for (int64_t begin = 0; begin < n; begin += block_words) {
        const int64_t end = n - begin < block_words ? n : begin + block_words;
        words.begin();
        for (int64_t i = begin; i < end; ++i) draw(i);
        words.end();
    }
}

// One word of the generator an element, in order: this cannot be shared.
// buffers: x, y, mask; sizes: n; numbers: p
template <class T> bool dropout(const Operation& op, const Team&) {
    const T* x = real<T>(op, 0);
    T *y = real<T>(op, 1), *mask = real<T>(op, 2);
    const double p = op.numbers[0];
    const T limit = T(float(p)), kept = p < 1 ? T(1) / T(1 - p) : T(1);
    each_block(*op.words, op.sizes[0], [=, &op](int64_t i) __attribute__((always_inline)) {
        const float unit = float(op.words->next() & 0xffffffu) * 0x1p-24f;
        mask[i] = T(unit) >= limit ? kept : T(0);
        y[i] = x[i] * mask[i];
    });
    return true;
}

// buffers: a, b, out; sizes: n
template <class T> bool multiplication(const Operation& op, const Team& team) {
    const Span part = share(op.sizes[0], grain, team);
    multiply<T>(real<T>(op, 0) + part.begin, real<T>(op, 1) + part.begin, real<T>(op, 2) + part.begin,
                part.end - part.begin);
    return true;
}

enum class Reduction : int64_t { mean, sum };

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
template <class T> bool loss_result(const Operation& op, int64_t rows, double denominator, const Team& team) {
    team.wait();
    double value = sum_of_totals(doubles(op, 6), rows);
    const bool mean = Reduction(op.sizes[3]) == Reduction::mean;
    double* divisor = doubles(op, 8);
    const bool nothing = divisor != nullptr && denominator == 0 && __builtin_isfinite(value);
    if (mean) value = nothing ? 0 : value / denominator;
    if (team.rank == 0) {
        doubles(op, 7)[0] = double(T(value));
        doubles(op, 7)[1] = mean ? denominator : 1;
        if (divisor != nullptr) add_denominator(divisor, denominator);
    }
    return __builtin_isfinite(T(value));
}

// ∂value/∂sum: a mean's gradient stays undivided where those of several mini-batches are added up.
template <class T> T loss_scale(const Operation& op, double denominator) {
    const bool mean = Reduction(op.sizes[3]) == Reduction::mean;
    return mean && op.buffers[8] == nullptr ? T(1) / T(denominator) : T(1);
}

// buffers: prediction, target, weight?, pos_weight?, sample_weight?, grad?, row_totals, result, divisor?
// sizes: rows, columns, kind, reduction
template <class T> bool element_loss_value(const Operation& op, const Team& team) {
    const int64_t rows = op.sizes[0], columns = op.sizes[1];
    const double denominator = double(rows * columns);
    const Span own = share(rows, 8, team);
    const bool valid = element_loss<T>(ElementLoss(op.sizes[2]), real<T>(op, 0), real<T>(op, 1), real<T>(op, 2),
                                       real<T>(op, 3), real<T>(op, 4), loss_scale<T>(op, denominator), real<T>(op, 5), doubles(op, 6),
                                       columns, own);
    if (!valid) doubles(op, 6)[own.begin] = __builtin_nan(""); // so that the sum is NaN for every thread
    return loss_result<T>(op, rows, denominator, team);
}

inline constexpr int64_t from_logits_flag = 1, likelihood_flag = 2;

// buffers: scores, labels?, distribution?, class_weight?, sample_weight?, grad?, row_totals, result, divisor?
// sizes: outer, classes, inner, reduction, flags, ignore_index; numbers: smoothing
template <class T> bool class_loss_value(const Operation& op, const Team& team) {
    const int64_t samples = op.sizes[0] * op.sizes[2], flags = op.sizes[4];
    const Classes<T> classes{real<T>(op, 0), static_cast<const int64_t*>(op.buffers[1]), real<T>(op, 2),
                             real<T>(op, 3), real<T>(op, 4), op.numbers[0], op.sizes[5],
                             (flags & from_logits_flag) != 0, (flags & likelihood_flag) != 0, op.sizes[1],
                             op.sizes[2]};
    const bool mean = Reduction(op.sizes[3]) == Reduction::mean;
    const double denominator = mean ? class_count<T>(classes, Span{0, samples}) : 1;
    const Span own = share(samples, 8, team);
    const bool valid =
        class_loss<T>(classes, loss_scale<T>(op, denominator), real<T>(op, 5), doubles(op, 6), own);
    if (!valid) doubles(op, 6)[own.begin] = __builtin_nan("");
    return loss_result<T>(op, samples, denominator, team);
}

// buffers: parameter, grad, velocity?, options (lr, momentum, dampening, weight_decay), count
// sizes: n, nesterov, maximize
template <class T> bool sgd_update(const Operation& op, const Team& team) {
    const Span part = share(op.sizes[0], grain, team);
    const double* option = doubles(op, 3);
    T* velocity = real<T>(op, 2);
    auto* count = static_cast<int64_t*>(op.buffers[4]);
    const bool first = *count == 0;
    sgd<T>(real<T>(op, 0) + part.begin, real<T>(op, 1) + part.begin, velocity ? velocity + part.begin : nullptr, first,
           option[0], option[1], option[2], option[3], op.sizes[1] != 0, op.sizes[2] != 0, part.end - part.begin);
    if (velocity) {
        team.wait();
        if (team.rank == 0) ++*count;
    }
    return true;
}

// buffers: parameter, grad, mean, square, largest?, options (lr, beta1, beta2, eps, weight_decay), count
// sizes: n, maximize
template <class T> bool adam_update(const Operation& op, const Team& team) {
    const Span part = share(op.sizes[0], grain, team);
    const double* option = doubles(op, 5);
    T* largest = real<T>(op, 4);
    auto* count = static_cast<int64_t*>(op.buffers[6]);
    const int64_t step = *count + 1;
    adam<T>(real<T>(op, 0) + part.begin, real<T>(op, 1) + part.begin, real<T>(op, 2) + part.begin,
            real<T>(op, 3) + part.begin, largest ? largest + part.begin : nullptr, step, option[0], option[1],
            option[2], option[3], option[4], op.sizes[1] != 0, part.end - part.begin);
    team.wait();
    if (team.rank == 0) *count = step;
    return true;
}

// All gradients lie side by side, with zeros between them.
// buffers: gradients, options (limit); sizes: n
template <class T> bool clip_norm(const Operation& op, const Team&) {
    T* gradients = real<T>(op, 0);
    const int64_t n = op.sizes[0];
    const double norm = __builtin_sqrt(square_sum<T>(gradients, n));
    const double factor = *doubles(op, 1) / (norm + 1e-6);
    scale<T>(gradients, T(factor > 1 ? 1 : factor), n); // a norm of NaN makes all gradients NaN, as in NumPy
    return true;
}

// buffers: gradients, options (limit); sizes: n
template <class T> bool clip_value(const Operation& op, const Team&) {
    clip<T>(real<T>(op, 0), T(*doubles(op, 1)), op.sizes[0]);
    return true;
}

// buffers: gradients; sizes: n
template <class T> bool clear_gradients(const Operation& op, const Team& team) {
    const Span part = share(op.sizes[0], grain, team);
    std::memset(real<T>(op, 0) + part.begin, 0, size_t(part.end - part.begin) * sizeof(T));
    return true;
}

// The divisor is used once: the next mini-batches begin a sum of their own.
// buffers: gradients, divisor; sizes: n
template <class T> bool divide_gradients(const Operation& op, const Team& team) {
    const Span part = share(op.sizes[0], grain, team);
    double* divisor = doubles(op, 1);
    if (*divisor == *divisor) divide<T>(real<T>(op, 0) + part.begin, T(*divisor), part.end - part.begin);
    team.wait();
    if (team.rank == 0) *divisor = __builtin_nan("");
    return true;
}

} // namespace maillon::MAILLON_ISA
