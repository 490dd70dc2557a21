// How a gradient moves a parameter: the rules of optim/rules/, and the clipping of gradients. Options are
// rounded to T after the double arithmetic on them, as NumPy does with Python's numbers.
#pragma once

#include "lanes.hpp"
#include "simd.hpp"
#include "wide.hpp"

namespace maillon::MAILLON_ISA {

struct Descent {
    double lr, momentum, dampening, weight_decay;
    bool nesterov, maximize, first;
};

template <class T> MAILLON_INLINE void sgd_vector(T* p, const T* g, T* velocity, const Descent& o, int64_t n) {
    Vec<T> grad = load_up_to(g, n);
    const Vec<T> parameter = load_up_to(p, n);
    if (o.maximize) grad = -grad;
    if (o.weight_decay != 0) grad = fma(broadcast(T(o.weight_decay)), parameter, grad);
    if (velocity != nullptr) {
        const Vec<T> momentum = broadcast(T(o.momentum));
        Vec<T> v = grad;
        if (!o.first) v = fma(broadcast(T(1 - o.dampening)), grad, load_up_to(velocity, n) * momentum);
        store_up_to(velocity, v, n);
        grad = o.nesterov ? fma(momentum, v, grad) : v;
    }
    store_up_to(p, fma(broadcast(T(-o.lr)), grad, parameter), n);
}

// `velocity` is null without momentum; `first`: it holds nothing yet and becomes the gradient itself.
template <class T>
void sgd(T* p, const T* g, T* velocity, bool first, double lr, double momentum, double dampening, double weight_decay,
         bool nesterov, bool maximize, int64_t n) {
    if (velocity == nullptr && weight_decay == 0) { // the plain step, worth a loop of its own
        const Vec<T> rate = broadcast(T(maximize ? lr : -lr));
        int64_t i = 0;
        for (; i + lanes<T> <= n; i += lanes<T>) store(p + i, fma(rate, load(g + i), load(p + i)));
        // One by one: the next step reads what this one writes, and a part of a register makes it wait.
        for (; i < n; ++i) p[i] = fma(rate[0], g[i], p[i]);
        return;
    }
    const Descent options{lr, momentum, dampening, weight_decay, nesterov, maximize, first};
    for (int64_t i = 0; i < n; i += lanes<T>)
        sgd_vector<T>(p + i, g + i, velocity ? velocity + i : nullptr, options, n - i);
}

// base to a whole power ≥ 0, by squaring: its bits depend on nothing but its arguments.
inline double power(double base, int64_t exponent) {
    double result = 1;
    for (; exponent > 0; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

template <class T> struct Moments { // Adam's options at one step
    Vec<T> beta1, rest1, beta2, rest2, rate, unbias, eps, decay;
    bool decays, maximize;
};

template <class T>
MAILLON_INLINE void adam_vector(T* p, const T* g, T* mean, T* square, T* largest, const Moments<T>& o, int64_t n) {
    Vec<T> grad = load_up_to(g, n);
    const Vec<T> parameter = load_up_to(p, n);
    if (o.maximize) grad = -grad;
    if (o.decays) grad = fma(o.decay, parameter, grad);
    const Vec<T> m = fma(o.rest1, grad, load_up_to(mean, n) * o.beta1);
    Vec<T> v = fma(o.rest2, grad * grad, load_up_to(square, n) * o.beta2);
    store_up_to(mean, m, n);
    store_up_to(square, v, n);
    if (largest != nullptr) { // NaN wins, in either
        const Vec<T> before = load_up_to(largest, n);
        v = select((before > v) | (before != before), before, v);
        store_up_to(largest, v, n);
    }
    const Vec<T> root = fma(sqrt(v), o.unbias, o.eps);
    store_up_to(p, parameter - (o.rate * m) / root, n);
}

// `step` counts from 1 and includes this one; `largest` is null but for amsgrad.
template <class T>
void adam(T* p, const T* g, T* mean, T* square, T* largest, int64_t step, double lr, double beta1, double beta2,
          double eps, double weight_decay, bool maximize, int64_t n) {
    const double left = sqrt(broadcast(1 - power(beta2, step)))[0];
    const Moments<T> options{broadcast(T(beta1)),
                             broadcast(T(1 - beta1)),
                             broadcast(T(beta2)),
                             broadcast(T(1 - beta2)),
                             broadcast(T(lr / (1 - power(beta1, step)))),
                             broadcast(T(1 / left)),
                             broadcast(T(eps)),
                             broadcast(T(weight_decay)),
                             weight_decay != 0,
                             maximize};
    for (int64_t i = 0; i < n; i += lanes<T>)
        adam_vector<T>(p + i, g + i, mean + i, square + i, largest ? largest + i : nullptr, options, n - i);
}

// Σ g², in doubles: sixteen elements at a time go to four sums in turn, whose additions need not wait for each other.
template <class T> double square_sum(const T* g, int64_t n) {
    constexpr int turn = 16;
    Sum<double> sums[4], rest;
    int64_t i = 0;
    for (; i + 4 * turn <= n; i += 4 * turn)
        for (int s = 0; s < 4; ++s)
            for (int j = 0; j < turn; j += lanes<T>) {
                const Vec<T> v = load(g + i + s * turn + j);
                add_product<T>(sums[s], v, v);
            }
    each_register<T>(n - i, [&](int64_t j, int count) __attribute__((always_inline)) {
        const Vec<T> v = load_up_to(g + i + j, count);
        add_product<T>(rest, v, v);
    });
    return ((sums[0].total() + sums[1].total()) + (sums[2].total() + sums[3].total())) + rest.total();
}

template <class T> void scale(T* g, T factor, int64_t n) {
    each_register<T>(n, [=](int64_t i, int count) __attribute__((always_inline)) {
        store_up_to(g + i, load_up_to(g + i, count) * factor, count);
    });
}

template <class T> void divide(T* g, T divisor, int64_t n) {
    each_register<T>(n, [=](int64_t i, int count) __attribute__((always_inline)) {
        store_up_to(g + i, load_up_to(g + i, count) / broadcast(divisor), count);
    });
}

// Into [-limit, limit]; NaN stays NaN.
template <class T> void clip(T* g, T limit, int64_t n) {
    const Vec<T> high = broadcast(limit), low = -high;
    each_register<T>(n, [=](int64_t i, int count) __attribute__((always_inline)) {
        const Vec<T> v = load_up_to(g + i, count);
        store_up_to(g + i, select(v > high, high, select(v < low, low, v)), count);
    });
}

} // namespace maillon::MAILLON_ISA
