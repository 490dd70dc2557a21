// The rules of optim/rules/adam.py. What depends on the number of steps alone is worked out once a step, by `…_rates`,
// for all parameters of a group.
#pragma once

#include "../../operations/rules.hpp"
#include "rule.hpp"

namespace maillon::MAILLON_ISA {

struct AdamOptions { // Adamax's and RAdam's as well
    double lr, beta1, beta2, eps, weight_decay;
};

// p, or (1 - lr λ) p where the decay is decoupled, and the gradient that the rule then sees.
template <class T> struct Decayed {
    bool decoupled;
    Vec<T> shrink;
    Descended<T> descended;

    Decayed(bool maximize, bool decoupled, double lr, double weight_decay)
        : decoupled(decoupled), shrink(broadcast(T(1 - lr * weight_decay))),
          descended(maximize, decoupled ? 0 : weight_decay) {}

    MAILLON_INLINE Vec<T> parameter(Vec<T> p) const { return decoupled ? p * shrink : p; }
};

template <class T> struct Moments { // m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g²
    Vec<T> beta1, rest1, beta2, rest2;

    explicit Moments(const AdamOptions& o)
        : beta1(broadcast(T(o.beta1))), rest1(broadcast(T(1 - o.beta1))), beta2(broadcast(T(o.beta2))),
          rest2(broadcast(T(1 - o.beta2))) {}

    MAILLON_INLINE Vec<T> mean(Vec<T> m, Vec<T> g) const { return m * beta1 + rest1 * g; }
    MAILLON_INLINE Vec<T> square(Vec<T> v, Vec<T> g) const { return v * beta2 + rest2 * (g * g); }
};

struct AdamRates {
    double rate, unbias; // lr / (1 - β₁ᵗ), 1 / √(1 - β₂ᵗ)
};

template <class T> bool adam_rates(const op::AdamRates<T>& op, const Team&) {
    const auto o = read<AdamOptions>(op.options);
    const int64_t step = *op.count;
    write(op.rates, AdamRates{o.lr / (1 - power(o.beta1, step)), 1 / root(1 - power(o.beta2, step))});
    return true;
}

// `largest` is null but for amsgrad.
template <class T> bool adam(const op::Adam<T>& op, const Team& team) {
    const auto o = read<AdamOptions>(op.options);
    const auto rates = read<AdamRates>(op.rates);
    const Moments<T> moments(o);
    const Vec<T> rate = broadcast(T(rates.rate)), unbias = broadcast(T(rates.unbias)), eps = broadcast(T(o.eps)),
                 decay = broadcast(T(o.weight_decay)), shrink = broadcast(T(1 - o.lr * o.weight_decay));
    const bool maximize = op.maximize != 0, decoupled = op.decoupled != 0, decays = !decoupled && o.weight_decay != 0;
    T *p = op.parameter, *means = op.mean, *squares = op.square, *largest = op.largest;
    const T* g = op.grad;
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        Vec<T> grad = load_up_to(g + i, count), parameter = load_up_to(p + i, count);
        if (maximize) grad = -grad;
        if (decoupled) parameter *= shrink;
        if (decays) grad = fma(decay, parameter, grad);
        const Vec<T> m = fma(moments.rest1, grad, load_up_to(means + i, count) * moments.beta1);
        Vec<T> v = fma(moments.rest2, grad * grad, load_up_to(squares + i, count) * moments.beta2);
        store_up_to(means + i, m, count);
        store_up_to(squares + i, v, count);
        if (largest != nullptr) {
            v = larger<T>(load_up_to(largest + i, count), v);
            store_up_to(largest + i, v, count);
        }
        const Vec<T> size = fma(sqrt(v), unbias, eps);
        store_up_to(p + i, parameter - (rate * m) / size, count);
    });
    return true;
}

struct NadamOptions {
    double lr, beta1, beta2, eps, weight_decay, momentum_decay;
};
struct NadamRates {
    double of_grad, of_mean, unbias; // what g and m are multiplied by, and v
};

// wide: the product of the μ is a number of 64 bits, else of 32.
template <class T> bool nadam_rates(const op::NadamRates<T>& op, const Team&) {
    const auto o = read<NadamOptions>(op.options);
    const int64_t step = *op.count;
    const auto mu = [&](int64_t t) { return o.beta1 * (1 - 0.5 * power(0.96, double(t) * o.momentum_decay)); };
    const double here = mu(step), next = mu(step + 1);
    const double product = rounded(*op.product * rounded(here, op.wide), op.wide);
    *op.product = product;
    write(op.rates, NadamRates{o.lr * (1 - here) / (1 - product), o.lr * next / (1 - product * next),
                                1 / (1 - power(o.beta2, step))});
    return true;
}

template <class T> bool nadam(const op::Nadam<T>& op, const Team& team) {
    const auto o = read<NadamOptions>(op.options);
    const auto rates = read<NadamRates>(op.rates);
    const Decayed<T> decayed(op.maximize, op.decoupled, o.lr, o.weight_decay);
    const Moments<T> moments({o.lr, o.beta1, o.beta2, o.eps, o.weight_decay});
    const Vec<T> of_grad = broadcast(T(rates.of_grad)), of_mean = broadcast(T(rates.of_mean)),
                 unbias = broadcast(T(rates.unbias)), eps = broadcast(T(o.eps));
    T *p = op.parameter, *means = op.mean, *squares = op.square;
    const T* g = op.grad;
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        const Vec<T> parameter = decayed.parameter(load_up_to(p + i, count)),
                     grad = decayed.descended(load_up_to(g + i, count), parameter);
        const Vec<T> m = moments.mean(load_up_to(means + i, count), grad),
                     v = moments.square(load_up_to(squares + i, count), grad);
        store_up_to(means + i, m, count);
        store_up_to(squares + i, v, count);
        const Vec<T> size = sqrt(v * unbias) + eps;
        store_up_to(p + i, parameter - (of_grad * grad + of_mean * m) / size, count); // one division in the place of two
    });
    return true;
}

struct RadamRates {
    double rate, rectified; // lr / (1 - β₁ᵗ), r √(1 - β₂ᵗ): 0 while ρ ≤ 5
};

template <class T> bool radam_rates(const op::RadamRates<T>& op, const Team&) {
    const auto o = read<AdamOptions>(op.options);
    const int64_t step = *op.count;
    const double decayed = power(o.beta2, step), corrected = 1 - decayed, most = 2 / (1 - o.beta2) - 1;
    const double rho = most - 2 * double(step) * decayed / corrected;
    const double square = (rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho);
    write(op.rates, RadamRates{o.lr / (1 - power(o.beta1, step)), rho > 5 ? root(square * corrected) : 0});
    return true;
}

template <class T> bool radam(const op::Radam<T>& op, const Team& team) {
    const auto o = read<AdamOptions>(op.options);
    const auto rates = read<RadamRates>(op.rates);
    const Decayed<T> decayed(op.maximize, op.decoupled, o.lr, o.weight_decay);
    const Moments<T> moments(o);
    const Vec<T> rate = broadcast(T(rates.rate)), rectified = broadcast(T(rates.rectified)), eps = broadcast(T(o.eps));
    const bool rectifies = rates.rectified != 0;
    T *p = op.parameter, *means = op.mean, *squares = op.square;
    const T* g = op.grad;
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        const Vec<T> parameter = decayed.parameter(load_up_to(p + i, count)),
                     grad = decayed.descended(load_up_to(g + i, count), parameter);
        const Vec<T> m = moments.mean(load_up_to(means + i, count), grad),
                     v = moments.square(load_up_to(squares + i, count), grad);
        store_up_to(means + i, m, count);
        store_up_to(squares + i, v, count);
        Vec<T> move = rate * m;
        if (rectifies) move = move * rectified / (sqrt(v) + eps);
        store_up_to(p + i, parameter - move, count);
    });
    return true;
}

template <class T> bool adamax_rates(const op::AdamaxRates<T>& op, const Team&) {
    const auto o = read<AdamOptions>(op.options);
    *op.rates = o.lr / (1 - power(o.beta1, *op.count));
    return true;
}

template <class T> bool adamax(const op::Adamax<T>& op, const Team& team) {
    const auto o = read<AdamOptions>(op.options);
    const Descended<T> descended(op.maximize, o.weight_decay);
    const Moments<T> moments(o);
    const Vec<T> rate = broadcast(T(*op.rates)), eps = broadcast(T(o.eps));
    T *p = op.parameter, *means = op.mean, *largest = op.largest;
    const T* g = op.grad;
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        const Vec<T> parameter = load_up_to(p + i, count), grad = descended(load_up_to(g + i, count), parameter);
        const Vec<T> m = moments.mean(load_up_to(means + i, count), grad);
        const Vec<T> size = larger<T>(load_up_to(largest + i, count) * moments.beta2, absolute<T>(grad) + eps);
        store_up_to(means + i, m, count);
        store_up_to(largest + i, size, count);
        store_up_to(p + i, parameter - rate * m / size, count);
    });
    return true;
}

} // namespace maillon::MAILLON_ISA
