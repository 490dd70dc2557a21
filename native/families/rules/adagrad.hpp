// The rules of optim/rules/adagrad.py, which divide the gradient by the root of its squares so far.
#pragma once

#include "../../operations/rules.hpp"
#include "rule.hpp"

namespace maillon::MAILLON_ISA {

struct AdagradOptions {
    double lr, lr_decay, weight_decay, eps;
};

template <class T> bool adagrad_rates(const op::AdagradRates<T>& op, const Team&) {
    const auto o = read<AdagradOptions>(op.options);
    *op.rates = o.lr / (1 + double(*op.count - 1) * o.lr_decay);
    return true;
}

template <class T> bool adagrad(const op::Adagrad<T>& op, const Team& team) {
    const auto o = read<AdagradOptions>(op.options);
    const Descended<T> descended(op.maximize, o.weight_decay);
    const Vec<T> rate = broadcast(T(*op.rates)), eps = broadcast(T(o.eps));
    T *p = op.parameter, *sums = op.sum;
    const T* g = op.grad;
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        const Vec<T> parameter = load_up_to(p + i, count), grad = descended(load_up_to(g + i, count), parameter);
        const Vec<T> total = load_up_to(sums + i, count) + grad * grad;
        store_up_to(sums + i, total, count);
        store_up_to(p + i, parameter - rate * grad / (sqrt(total) + eps), count);
    });
    return true;
}

struct RmspropOptions {
    double lr, alpha, eps, weight_decay, momentum;
};

// `mean` is null unless the rule is centered, `velocity` without momentum.
template <class T> bool rmsprop(const op::Rmsprop<T>& op, const Team& team) {
    const auto o = read<RmspropOptions>(op.options);
    const Descended<T> descended(op.maximize, o.weight_decay);
    const Vec<T> rate = broadcast(T(o.lr)), alpha = broadcast(T(o.alpha)), rest = broadcast(T(1 - o.alpha)),
                 eps = broadcast(T(o.eps)), momentum = broadcast(T(o.momentum));
    T *p = op.parameter, *squares = op.square, *means = op.mean, *velocity = op.velocity;
    const T* g = op.grad;
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        const Vec<T> parameter = load_up_to(p + i, count), grad = descended(load_up_to(g + i, count), parameter);
        Vec<T> square = load_up_to(squares + i, count) * alpha + rest * (grad * grad);
        store_up_to(squares + i, square, count);
        if (means != nullptr) {
            Vec<T> mean = load_up_to(means + i, count);
            mean += rest * (grad - mean);
            store_up_to(means + i, mean, count);
            square -= mean * mean;
        }
        Vec<T> move = grad / (sqrt(square) + eps);
        if (velocity != nullptr) {
            move += load_up_to(velocity + i, count) * momentum;
            store_up_to(velocity + i, move, count);
        }
        store_up_to(p + i, parameter - rate * move, count);
    });
    return true;
}

struct AdadeltaOptions {
    double lr, rho, eps, weight_decay;
};

template <class T> bool adadelta(const op::Adadelta<T>& op, const Team& team) {
    const auto o = read<AdadeltaOptions>(op.options);
    const Descended<T> descended(op.maximize, o.weight_decay);
    const Vec<T> rate = broadcast(T(o.lr)), rho = broadcast(T(o.rho)), rest = broadcast(T(1 - o.rho)),
                 eps = broadcast(T(o.eps));
    T *p = op.parameter, *squares = op.square, *moves = op.moved;
    const T* g = op.grad;
    each_element<T>(op.n, team, [=](int64_t i, int count) __attribute__((always_inline)) {
        const Vec<T> parameter = load_up_to(p + i, count), grad = descended(load_up_to(g + i, count), parameter);
        const Vec<T> square = load_up_to(squares + i, count) * rho + rest * (grad * grad),
                     moved = load_up_to(moves + i, count);
        const Vec<T> move = sqrt(moved + eps) / sqrt(square + eps) * grad;
        store_up_to(squares + i, square, count);
        store_up_to(moves + i, moved * rho + rest * (move * move), count);
        store_up_to(p + i, parameter - rate * move, count);
    });
    return true;
}

} // namespace maillon::MAILLON_ISA
