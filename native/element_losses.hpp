// Losses between a prediction and a target of the same shape: the value of every row and the gradient of the
// prediction in one pass. The formulas are those of nn/losses/elements.py.
#pragma once

#include "lanes.hpp"
#include "math.hpp"
#include "operations/choices.hpp"
#include "simd.hpp"
#include "team.hpp"
#include "wide.hpp"

namespace maillon::MAILLON_ISA {

using choice::ElementLoss;

// Where the logarithm of a probability is cut off: log 0 would be infinite.
inline constexpr double lowest_log = -100;

template <class T> MAILLON_INLINE Vec<T> absolute(Vec<T> v) { return select(v < broadcast(T(0)), -v, v); }

template <class T> struct Elements { // what `element_loss` is given
    const T *prediction, *target, *weight, *pos_weight, *sample_weight;
    T scale;
    T* grad;
    double* row_totals;
    int64_t columns;
};

template <class T> struct Slope { // an element's value, and its derivative by the prediction
    Vec<T> value, slope;
};

template <class T> MAILLON_INLINE Slope<T> binary_entropy(Vec<T> p, Vec<T> y, bool with_slope) {
    const Vec<T> one = broadcast(T(1));
    const Vec<T> log_p = at_least(T(lowest_log), log(p)), log_q = at_least(T(lowest_log), log1p(-p));
    const Vec<T> value = -(y * log_p + (one - y) * log_q);
    if (!with_slope) return {value, value};
    return {value, (p - y) / at_least(T(1e-12f), p * (one - p))};
}

// log(1 + e⁻ˣ) and both sigmoids from one exponential, e^−|x|: nothing overflows.
template <class T> MAILLON_INLINE Slope<T> binary_logits(Vec<T> x, Vec<T> y, Vec<T> positive, bool with_slope) {
    const Vec<T> one = broadcast(T(1)), zero = broadcast(T(0));
    const Vec<T> e = exp(-absolute<T>(x));
    const Vec<T> softplus = log1p(e) + at_least(T(0), -x);
    const Vec<T> value = (one - y) * x + fma(positive - one, y, one) * softplus;
    if (!with_slope) return {value, value};
    const Vec<T> large = one / (one + e), small = e * large;
    const Bits<T> below = x < zero;
    const Vec<T> p = select(below, small, large), q = select(below, large, small);
    return {value, (one - y) * p - positive * y * q};
}

template <ElementLoss kind, class T>
MAILLON_INLINE Slope<T> element(Vec<T> x, Vec<T> y, Vec<T> positive, bool with_slope) {
    if constexpr (kind == ElementLoss::bce) return binary_entropy<T>(x, y, with_slope);
    if constexpr (kind == ElementLoss::bce_logits) return binary_logits<T>(x, y, positive, with_slope);
    const Vec<T> error = x - y, one = broadcast(T(1));
    if constexpr (kind == ElementLoss::mse) return {error * error, error + error};
    if constexpr (kind == ElementLoss::half_mse) return {broadcast(T(0.5)) * (error * error), error};
    const Vec<T> zero = broadcast(T(0)); // l1; the sign of 0 is 0, that of NaN is NaN
    return {absolute<T>(error), select(error > zero, one, select(error < zero, -one, error))};
}

// n elements that begin at `at`, all lanes' values weighted; lanes from n on hold zeros.
template <ElementLoss kind, class T>
MAILLON_INLINE Vec<T> element_values(const Elements<T>& a, int64_t at, int n, Vec<T> sample_weight, Bits<T>& outside) {
    const Vec<T> x = load_up_to(a.prediction + at, n), one = broadcast(T(1));
    Vec<T> positive = one;
    if constexpr (kind == ElementLoss::bce) outside |= (x < broadcast(T(0))) | (x > one);
    if constexpr (kind == ElementLoss::bce_logits)
        if (a.pos_weight) positive = load_up_to(a.pos_weight + at, n);
    Slope<T> l = element<kind, T>(x, load_up_to(a.target + at, n), positive, a.grad != nullptr);
    if (a.weight) {
        const Vec<T> weight = load_up_to(a.weight + at, n);
        l.value = weight * l.value;
        l.slope = weight * l.slope;
    }
    if (a.grad) {
        const Vec<T> grad = l.slope * (broadcast(a.scale) * sample_weight);
        if (n == 1) a.grad[at] = grad[0]; // the smallest networks read it at once and would wait for a masked store
        else store_up_to(a.grad + at, grad, n);
    }
    return keep<T>(first<T>(n), l.value * sample_weight);
}

// One column: every vector holds rows.
template <ElementLoss kind, class T>
MAILLON_INLINE void element_column(const Elements<T>& a, Span rows, Bits<T>& outside) {
    for (int64_t i = rows.begin; i < rows.end; i += lanes<T>) {
        const int n = rows.end - i < lanes<T> ? int(rows.end - i) : lanes<T>;
        const Vec<T> weight = a.sample_weight ? load_up_to(a.sample_weight + i, n) : broadcast(T(1));
        const Vec<T> value = element_values<kind, T>(a, i, n, weight, outside);
        for (int k = 0; k < n; ++k) a.row_totals[i + k] = double(value[k]);
    }
}

template <ElementLoss kind, class T> bool element_rows(const Elements<T>& a, Span rows) {
    Bits<T> outside{};
    if (a.columns == 1) {
        element_column<kind, T>(a, rows, outside);
        return !any_lane<T>(outside);
    }
    for (int64_t row = rows.begin; row < rows.end; ++row) {
        const Vec<T> weight = broadcast(a.sample_weight ? a.sample_weight[row] : T(1));
        const int64_t begin = row * a.columns;
        Sum<double> total;
        each_register<T>(a.columns, [&](int64_t i, int n) __attribute__((always_inline)) {
            add<T>(total, element_values<kind, T>(a, begin + i, n, weight, outside));
        });
        a.row_totals[row] = total.total();
    }
    return !any_lane<T>(outside);
}

// rows × columns elements; `weight` and `pos_weight` have the prediction's size, `sample_weight` one number a row, all
// three may be null. `scale` is ∂value/∂element; `grad` null asks for values only. `row_totals` holds the sums of
// weighted elements, unscaled. False when a probability lies outside [0, 1].
template <class T>
bool element_loss(ElementLoss kind, const T* prediction, const T* target, const T* weight, const T* pos_weight,
                  const T* sample_weight, T scale, T* grad, double* row_totals, int64_t columns, Span rows) {
    const Elements<T> a{prediction, target, weight, pos_weight, sample_weight, scale, grad, row_totals, columns};
    switch (kind) {
    case ElementLoss::mse: return element_rows<ElementLoss::mse, T>(a, rows);
    case ElementLoss::half_mse: return element_rows<ElementLoss::half_mse, T>(a, rows);
    case ElementLoss::l1: return element_rows<ElementLoss::l1, T>(a, rows);
    case ElementLoss::bce: return element_rows<ElementLoss::bce, T>(a, rows);
    case ElementLoss::bce_logits: return element_rows<ElementLoss::bce_logits, T>(a, rows);
    }
    return false;
}

} // namespace maillon::MAILLON_ISA
