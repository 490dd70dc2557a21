// The rules of optim/rules/descent.py: along the gradient itself, or along its signs.
#pragma once

#include "../../operations/rules.hpp"
#include "rule.hpp"

namespace maillon::MAILLON_ISA {

struct SgdOptions {
    double lr, momentum, dampening, weight_decay;
};

// `velocity` is null without momentum; in the first step it holds nothing yet and becomes the gradient itself.
template <class T> bool sgd(const op::Sgd<T>& op, const Team& team) {
    const auto o = read<SgdOptions>(op.options);
    const bool maximize = op.maximize != 0, decays = o.weight_decay != 0;
    T *p = op.parameter, *velocity = op.velocity;
    const T* g = op.grad;
    if (velocity == nullptr && !decays) { // the plain step, worth a loop of its own
        const Span part = share(op.n, grain, team);
        const Vec<T> rate = broadcast(T(maximize ? o.lr : -o.lr));
        int64_t i = part.begin;
        for (; i + lanes<T> <= part.end; i += lanes<T>) store(p + i, fma(rate, load(g + i), load(p + i)));
        // One by one: the next step reads what this one writes, and a part of a register makes it wait.
        for (; i < part.end; ++i) p[i] = fma(rate[0], g[i], p[i]);
        return true;
    }
    const bool nesterov = op.nesterov != 0, first = velocity != nullptr && *op.count == 1;
    const Vec<T> decay = broadcast(T(o.weight_decay)), momentum = broadcast(T(o.momentum)),
                 rest = broadcast(T(1 - o.dampening)), rate = broadcast(T(-o.lr));
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        Vec<T> grad = load_up_to(g + i, count);
        const Vec<T> parameter = load_up_to(p + i, count);
        if (maximize) grad = -grad;
        if (decays) grad = fma(decay, parameter, grad);
        if (velocity != nullptr) {
            Vec<T> v = grad;
            if (!first) v = fma(rest, grad, load_up_to(velocity + i, count) * momentum);
            store_up_to(velocity + i, v, count);
            grad = nesterov ? fma(momentum, v, grad) : v;
        }
        store_up_to(p + i, fma(rate, grad, parameter), count);
    });
    return true;
}

// Plain gradient descent of a few numbers, one parameter after the other; with decay `sgd` does it.
inline constexpr int64_t few = 8;

template <class T> bool sgd_few(const Operation& first, const Team& team) {
    const Operation* const end = first.after(first.skip);
    for (const Operation* each = &first; each != end; each = each->after(each->stride)) {
        const auto& op = each->as<op::Sgd<T>>();
        const auto o = read<SgdOptions>(op.options);
        if (o.weight_decay != 0 || op.maximize != 0) {
            sgd<T>(op, team);
            continue;
        }
        const T rate = T(-o.lr);
#pragma GCC unroll 1
        for (int64_t i = 0; i < op.n; ++i) op.parameter[i] = fma(rate, op.grad[i], op.parameter[i]);
    }
    return true;
}

template <class T> Carry if_few(const void* fields) {
    const auto& op = *static_cast<const op::Sgd<T>*>(fields);
    return op.velocity == nullptr && op.n <= few ? sgd_few<T> : nullptr;
}

// wide: η and μ are numbers of 64 bits (the default dtype), else of 32.
struct AsgdOptions {
    double lr, lambd, alpha, t0, weight_decay, wide;
};
struct AsgdRates {
    double eta, mu;
};

// This step's η and μ, and the next one's.
template <class T> bool asgd_rates(const op::AsgdRates<T>& op, const Team&) {
    const auto o = read<AsgdOptions>(op.options);
    std::memcpy(op.rates, op.next, sizeof(AsgdRates));
    const double step = double(*op.count), averaged = step - o.t0;
    const double eta = o.lr / power(1 + o.lambd * o.lr * step, o.alpha), mu = 1 / (averaged > 1 ? averaged : 1);
    write(op.next, AsgdRates{rounded(eta, o.wide != 0), rounded(mu, o.wide != 0)});
    return true;
}

template <class T> bool asgd(const op::Asgd<T>& op, const Team& team) {
    const auto o = read<AsgdOptions>(op.options);
    const auto rates = read<AsgdRates>(op.rates);
    const Descended<T> descended(op.maximize, o.weight_decay);
    const Vec<T> shrink = broadcast(T(1 - o.lambd * rates.eta)), eta = broadcast(T(rates.eta)),
                 mu = broadcast(T(rates.mu));
    const bool follows = rates.mu == 1;
    T *p = op.parameter, *average = op.average;
    const T* g = op.grad;
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        const Vec<T> before = load_up_to(p + i, count), grad = descended(load_up_to(g + i, count), before);
        const Vec<T> parameter = before * shrink - eta * grad;
        store_up_to(p + i, parameter, count);
        if (follows) return store_up_to(average + i, parameter, count);
        const Vec<T> mean = load_up_to(average + i, count);
        store_up_to(average + i, mean + mu * (parameter - mean), count);
    });
    return true;
}

struct RpropOptions {
    double shrink, grow, least, most;
};

template <class T> bool rprop(const op::Rprop<T>& op, const Team& team) {
    const auto o = read<RpropOptions>(op.options);
    const Vec<T> zero{}, one = broadcast(T(1)), shrink = broadcast(T(o.shrink)), grow = broadcast(T(o.grow)),
                 least = broadcast(T(o.least)), most = broadcast(T(o.most));
    const bool maximize = op.maximize != 0;
    T *p = op.parameter, *previous = op.previous, *sizes = op.step_size;
    const T* g = op.grad;
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        Vec<T> grad = load_up_to(g + i, count);
        if (maximize) grad = -grad;
        const Vec<T> agreement = grad * load_up_to(previous + i, count);
        Vec<T> size = load_up_to(sizes + i, count);
        size *= select(agreement > zero, grow, select(agreement < zero, shrink, one));
        size = select(size < least, least, size); // NaN stays
        size = select(size > most, most, size);
        grad = select(agreement < zero, zero, grad);
        store_up_to(sizes + i, size, count);
        store_up_to(previous + i, grad, count);
        store_up_to(p + i, load_up_to(p + i, count) - sign<T>(grad) * size, count);
    });
    return true;
}

struct LionOptions {
    double lr, beta1, beta2, weight_decay;
};

template <class T> bool lion(const op::Lion<T>& op, const Team& team) {
    const auto o = read<LionOptions>(op.options);
    const Vec<T> beta1 = broadcast(T(o.beta1)), rest1 = broadcast(T(1 - o.beta1)), beta2 = broadcast(T(o.beta2)),
                 rest2 = broadcast(T(1 - o.beta2)), decay = broadcast(T(o.weight_decay)), rate = broadcast(T(o.lr));
    const bool maximize = op.maximize != 0, decays = o.weight_decay != 0;
    T *p = op.parameter, *means = op.mean;
    const T* g = op.grad;
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        Vec<T> grad = load_up_to(g + i, count);
        if (maximize) grad = -grad;
        const Vec<T> parameter = load_up_to(p + i, count), mean = load_up_to(means + i, count);
        Vec<T> step = sign<T>(beta1 * mean + rest1 * grad);
        if (decays) step = step + decay * parameter;
        store_up_to(p + i, parameter - rate * step, count);
        store_up_to(means + i, mean * beta2 + rest2 * grad, count);
    });
    return true;
}

} // namespace maillon::MAILLON_ISA
