// Losses between a prediction and a target of the same shape: the value of every row and the gradient of the
// prediction in one pass. The formulas are those of nn/losses/elements.py, regression.py and margins.py.
#pragma once

#include "loss_result.hpp"
#include "../lanes.hpp"
#include "../math.hpp"
#include "../operations/losses.hpp"
#include "../simd.hpp"
#include "../team.hpp"
#include "../wide.hpp"

namespace maillon::MAILLON_ISA {

// Where the logarithm of a probability is cut off: log 0 would be infinite.
inline constexpr double lowest_log = -100;

template <class T> MAILLON_INLINE Bits<T> no_probability(Vec<T> p) {
    return (p < broadcast(T(0))) | (p > broadcast(T(1)));
}
template <class T> MAILLON_INLINE Bits<T> no_sign(Vec<T> y) {
    const Vec<T> one = broadcast(T(1));
    return (y != one) & (y != -one);
}
template <class T> MAILLON_INLINE Vec<T> nan_where(Bits<T> mask, Vec<T> v) {
    return select(mask, broadcast(T(__builtin_nanf(""))), v);
}

template <class T> struct Element { // what a formula is given, register by register
    Vec<T> x, y, positive;
    T option;
    bool with_slope;
};

template <class T> struct Slope { // an element's value, NaN where what it was given is out of range; its derivative by x
    Vec<T> value, slope;
};

// The formulas. Of a pair of predictions (MarginRanking) x is the difference.

struct SquaredError {
    static constexpr choice::ElementLoss kind = choice::ElementLoss::mse;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> error = e.x - e.y;
        return {error * error, error + error};
    }
};

struct HalfSquaredError {
    static constexpr choice::ElementLoss kind = choice::ElementLoss::half_mse;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> error = e.x - e.y;
        return {broadcast(T(0.5)) * (error * error), error};
    }
};

struct AbsoluteError { // the sign of 0 is 0, that of NaN is NaN
    static constexpr choice::ElementLoss kind = choice::ElementLoss::l1;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> error = e.x - e.y, one = broadcast(T(1)), zero = broadcast(T(0));
        return {absolute<T>(error), select(error > zero, one, select(error < zero, -one, error))};
    }
};

struct BinaryEntropy {
    static constexpr choice::ElementLoss kind = choice::ElementLoss::bce;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> one = broadcast(T(1)), p = e.x, y = e.y;
        const Vec<T> log_p = at_least(T(lowest_log), log(p)), log_q = at_least(T(lowest_log), log1p(-p));
        const Vec<T> value = nan_where<T>(no_probability<T>(p) | no_probability<T>(y), -(y * log_p + (one - y) * log_q));
        if (!e.with_slope) return {value, value};
        return {value, (p - y) / at_least(T(1e-12f), p * (one - p))};
    }
};

// What the logistic losses need of x, from one exponential, e^−|x|: nothing overflows.
template <class T> struct Logistic {
    Vec<T> small, softplus; // e^−|x|, log(1 + e⁻ˣ)

    MAILLON_INLINE explicit Logistic(Vec<T> x) : small(exp(-absolute<T>(x))) {
        softplus = log1p(small) + at_least(T(0), -x);
    }
};
template <class T> struct Sigmoids { // of x and −x
    Vec<T> p, q;

    MAILLON_INLINE Sigmoids(Vec<T> x, const Logistic<T>& l) {
        const Vec<T> one = broadcast(T(1)), large = one / (one + l.small), small = l.small * large;
        const Bits<T> below = x < broadcast(T(0));
        p = select(below, small, large), q = select(below, large, small);
    }
};

struct BinaryLogits {
    static constexpr choice::ElementLoss kind = choice::ElementLoss::bce_logits;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> one = broadcast(T(1)), y = e.y;
        const Logistic<T> l(e.x);
        const Vec<T> value = (one - y) * e.x + fma(e.positive - one, y, one) * l.softplus;
        if (!e.with_slope) return {value, value};
        const Sigmoids<T> s(e.x, l);
        return {value, (one - y) * s.p - e.positive * y * s.q};
    }
};

struct MultiLabelSoftMargin { // option: the number of labels
    static constexpr choice::ElementLoss kind = choice::ElementLoss::multi_label_soft_margin;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> labels = broadcast(e.option);
        const Logistic<T> l(-e.x);
        const Vec<T> value = (l.softplus - e.y * e.x) / labels;
        if (!e.with_slope) return {value, value};
        return {value, (Sigmoids<T>(e.x, l).p - e.y) / labels};
    }
};

struct Huber { // option: the bound
    static constexpr choice::ElementLoss kind = choice::ElementLoss::huber;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> error = e.x - e.y, size = absolute<T>(error), inner = at_most(e.option, size);
        return {inner * (size - inner * T(0.5)), at_least(-e.option, at_most(e.option, error))};
    }
};

struct SmoothL1 { // option: the bound, not 0
    static constexpr choice::ElementLoss kind = choice::ElementLoss::smooth_l1;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Slope<T> huber = Huber::at(e);
        return {huber.value / e.option, huber.slope / e.option};
    }
};

template <class T> MAILLON_INLINE Slope<T> divergence(Vec<T> x, Vec<T> share, Vec<T> log_share) {
    return {share * log_share - share * x, -share};
}

struct Divergence {
    static constexpr choice::ElementLoss kind = choice::ElementLoss::kl_div;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        return divergence<T>(e.x, e.y, log(select(e.y == broadcast(T(0)), broadcast(T(1)), e.y)));
    }
};

struct DivergenceOfLog {
    static constexpr choice::ElementLoss kind = choice::ElementLoss::kl_div_log;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        return divergence<T>(e.x, exp(e.y), e.y);
    }
};

// Stirling's formula where y > 1, else 0.
template <class T> MAILLON_INLINE Vec<T> log_factorial(Vec<T> y) {
    const Vec<T> one = broadcast(T(1)), large = select(y > one, y, one);
    const Vec<T> value = large * log(large) - large + T(0.5) * log(T(6.283185307179586) * large);
    return keep<T>(y > one, value);
}

template <bool full> struct Poisson { // option: what is added to the rate
    static constexpr choice::ElementLoss kind = full ? choice::ElementLoss::poisson_full : choice::ElementLoss::poisson;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> rate = e.x + e.option, value = e.x - e.y * log(rate);
        return {full ? value + log_factorial<T>(e.y) : value, broadcast(T(1)) - e.y / rate};
    }
};

template <bool full> struct PoissonOfLog {
    static constexpr choice::ElementLoss kind =
        full ? choice::ElementLoss::poisson_log_full : choice::ElementLoss::poisson_log;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> rate = exp(e.x), value = rate - e.y * e.x;
        return {full ? value + log_factorial<T>(e.y) : value, rate - e.y};
    }
};

struct HingeEmbedding { // option: the margin
    static constexpr choice::ElementLoss kind = choice::ElementLoss::hinge_embedding;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> zero = broadcast(T(0)), one = broadcast(T(1)), gap = e.option - e.x;
        const Bits<T> alike = e.y > zero;
        return {nan_where<T>(no_sign<T>(e.y), select(alike, e.x, at_least(T(0), gap))),
                select(alike, one, keep<T>(gap >= zero, -one))};
    }
};

struct SoftMargin {
    static constexpr choice::ElementLoss kind = choice::ElementLoss::soft_margin;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> agreement = e.y * e.x;
        const Logistic<T> l(agreement);
        if (!e.with_slope) return {l.softplus, l.softplus};
        return {l.softplus, -e.y * Sigmoids<T>(agreement, l).q};
    }
};

struct MarginRanking { // option: the margin
    static constexpr choice::ElementLoss kind = choice::ElementLoss::margin_ranking;
    template <class T> static MAILLON_INLINE Slope<T> at(const Element<T>& e) {
        const Vec<T> lacking = e.option - e.y * e.x;
        return {at_least(T(0), lacking), keep<T>(lacking >= broadcast(T(0)), -e.y)};
    }
};

// n elements that begin at `at`, all lanes' values weighted; lanes from n on hold zeros.
template <class Loss, class T>
MAILLON_INLINE Vec<T> element_values(const op::ElementLoss<T>& op, T scale, int64_t at, int n, Vec<T> sample_weight) {
    constexpr bool pair = Loss::kind == choice::ElementLoss::margin_ranking;
    const bool with_slope = op.grad != nullptr || (pair && op.grad_other != nullptr);
    Element<T> e{load_up_to(op.prediction + at, n), load_up_to(op.target + at, n), broadcast(T(1)), T(op.option),
                 with_slope};
    if constexpr (pair) e.x = e.x - load_up_to(op.other + at, n);
    if constexpr (Loss::kind == choice::ElementLoss::bce_logits)
        if (op.pos_weight) e.positive = load_up_to(op.pos_weight + at, n);
    Slope<T> l = Loss::at(e);
    if (op.weight) {
        const Vec<T> weight = load_up_to(op.weight + at, n);
        l.value = weight * l.value;
        l.slope = weight * l.slope;
    }
    if (with_slope) {
        const Vec<T> grad = l.slope * (broadcast(scale) * sample_weight);
        if constexpr (pair) {
            if (op.grad) store_up_to(op.grad + at, grad, n);
            if (op.grad_other) store_up_to(op.grad_other + at, -grad, n);
        } else {
            if (n == 1) op.grad[at] = grad[0]; // the smallest networks read it at once and would wait for a masked store
            else store_up_to(op.grad + at, grad, n);
        }
    }
    return keep<T>(first<T>(n), l.value * sample_weight);
}

// Each row's sum, in the order of lanes.hpp.
template <class T> void sum_rows(const T* values, int64_t rows, int64_t columns, double* totals) {
    if (columns == 1) {
        for (int64_t row = 0; row < rows; ++row) totals[row] = double(values[row]);
        return;
    }
    for (int64_t row = 0; row < rows; ++row, values += columns) {
        double lane[4]{};
        int64_t c = 0;
        for (; c + 4 <= columns; c += 4)
            for (int k = 0; k < 4; ++k) lane[k] += double(values[c + k]);
        if (c < columns) lane[0] += double(values[c]);
        if (c + 1 < columns) lane[1] += double(values[c + 1]);
        if (c + 2 < columns) lane[2] += double(values[c + 2]);
        totals[row] = (lane[0] + lane[2]) + (lane[1] + lane[3]);
    }
}

inline constexpr int64_t few_columns = 16;

// Rows of few columns: a register may hold several of them.
template <class Loss, class T> MAILLON_INLINE void narrow_rows(const op::ElementLoss<T>& op, T scale, Span rows) {
    constexpr int64_t room = 256;
    T values[room + lanes<T>], weights[room];
    const int64_t columns = op.columns, at_once = columns == 1 ? room : room / columns; // a division takes 4 ns
    for (int64_t row = rows.begin; row < rows.end; row += at_once) {
        const int64_t count = rows.end - row < at_once ? rows.end - row : at_once, n = count * columns;
        for (int64_t i = 0; op.sample_weight != nullptr && i < count; ++i)
            for (int64_t c = 0; c < columns; ++c) weights[i * columns + c] = op.sample_weight[row + i];
        for (int64_t i = 0; i < n; i += lanes<T>) {
            const int left = n - i < lanes<T> ? int(n - i) : lanes<T>;
            const Vec<T> weight = op.sample_weight ? load_up_to(weights + i, left) : broadcast(T(1));
            store(values + i, element_values<Loss, T>(op, scale, row * columns + i, left, weight));
        }
        sum_rows(values, count, columns, op.row_totals + row);
    }
}

// By value: what is stored may then change no field of the operation, for all that the compiler knows.
template <class Loss, class T> void element_rows(const op::ElementLoss<T> op, T scale, Span rows) {
    if (op.columns >= 1 && op.columns <= few_columns) return narrow_rows<Loss, T>(op, scale, rows);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
        const Vec<T> weight = broadcast(op.sample_weight ? op.sample_weight[row] : T(1));
        const int64_t begin = row * op.columns;
        Sum<double> total;
        each_register<T>(op.columns, [&](int64_t i, int n) __attribute__((always_inline)) {
            add<T>(total, element_values<Loss, T>(op, scale, begin + i, n, weight));
        });
        op.row_totals[row] = total.total();
    }
}

// Every formula once, in the order of their kinds.
template <class T, class... Losses> struct ElementRows {
    static constexpr void (*of[])(const op::ElementLoss<T>, T, Span) = {element_rows<Losses, T>...};
    static constexpr choice::ElementLoss kinds[] = {Losses::kind...};
    static constexpr bool in_order() {
        int64_t place = 0;
        for (choice::ElementLoss kind : kinds)
            if (int64_t(kind) != place++) return false;
        return true;
    }
};
template <class T>
using AllElementRows = ElementRows<T, SquaredError, HalfSquaredError, AbsoluteError, BinaryEntropy, BinaryLogits,
                                   MultiLabelSoftMargin, Huber, SmoothL1, Divergence, DivergenceOfLog, Poisson<false>,
                                   Poisson<true>, PoissonOfLog<false>, PoissonOfLog<true>, HingeEmbedding, SoftMargin,
                                   MarginRanking>;
static_assert(AllElementRows<float>::in_order());

inline constexpr int64_t few_elements = 8;

// Squared errors without weights, of a few numbers, one at a time: a vector costs more to fill than it saves.
template <class T> bool squared_error_few(const op::ElementLoss<T>& op, const Team&) {
    const int64_t n = op.rows * op.columns;
    const T half = op.loss == choice::ElementLoss::half_mse ? T(0.5) : T(1);
    const T slope = 2 * half * loss_scale(op, double(n));
    double total = 0;
#pragma GCC unroll 1
    for (int64_t i = 0; i < n; ++i) {
        const T error = op.prediction[i] - op.target[i];
        total += double(half * (error * error));
        if (op.grad != nullptr) op.grad[i] = slope * error;
    }
    const T value = T(averages(op) ? total / double(n) : total);
    op.result[0] = double(value);
    op.result[1] = averages(op) ? double(n) : 1;
    if (op.divisor != nullptr) add_denominator(op.divisor, double(n));
    return __builtin_isfinite(value);
}

template <class T> bool element_loss(const op::ElementLoss<T>& op, const Team& team) {
    AllElementRows<T>::of[int64_t(op.loss)](op, loss_scale(op, op.denominator), share(op.rows, 8, team));
    return loss_result(op, op.rows, op.denominator, team);
}

} // namespace maillon::MAILLON_ISA
