// Layers of a few numbers, one at a time: for a network such as 2–4–1, trained sample by sample, what a vector costs to
// fill is more than what it saves. The arithmetic is that of the products: in the order of k, fused.
#pragma once

#include "operations.hpp"

namespace maillon::MAILLON_ISA {

inline constexpr int64_t tiny_product = 64; // multiplications, up to which this pays
inline constexpr int64_t tiny_update = 8;   // numbers

template <class T> bool linear_tiny(const Operation& op, const Team&) {
    const int64_t rows = op.sizes[0], inputs = op.sizes[1], outputs = op.sizes[2];
    const T *x = real<T>(op, 0), *weight = real<T>(op, 1), *bias = real<T>(op, 2);
    T* y = real<T>(op, 3);
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < outputs; ++j) {
            T sum = bias ? bias[j] : T(0);
#pragma GCC unroll 1
            for (int64_t k = 0; k < inputs; ++k) sum = fma(x[i * inputs + k], weight[j * inputs + k], sum);
            y[i * outputs + j] = sum;
        }
    if (const auto kind = Activation(op.sizes[3]); kind != Activation::none)
        activate<T>(kind, T(op.numbers[0]), y, y, rows * outputs);
    return true;
}

template <class T> bool linear_grad_input_tiny(const Operation& op, const Team&) {
    const int64_t rows = op.sizes[0], inputs = op.sizes[1], outputs = op.sizes[2];
    const T *dy = real<T>(op, 0), *weight = real<T>(op, 1);
    T* dx = real<T>(op, 3);
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < inputs; ++j) {
            T sum = 0;
#pragma GCC unroll 1
            for (int64_t k = 0; k < outputs; ++k) sum = fma(dy[i * outputs + k], weight[k * inputs + j], sum);
            dx[i * inputs + j] = sum;
        }
    if (const auto kind = Activation(op.sizes[3]); kind != Activation::none)
        activate_grad<T>(kind, T(op.numbers[0]), dx, real<T>(op, 2), dx, rows * inputs);
    return true;
}

// One sample, nothing to add to.
template <class T>
MAILLON_INLINE void outer_product(const T* dy, const T* x, T* dweight, T* dbias, int64_t inputs, int64_t outputs) {
#pragma GCC unroll 1
    for (int64_t i = 0; i < outputs; ++i, dweight += inputs) {
        const T d = dy[i];
#pragma GCC unroll 1
        for (int64_t j = 0; j < inputs; ++j) dweight[j] = d * x[j];
        if (dbias != nullptr) dbias[i] = d;
    }
}

template <class T> bool linear_grad_weight_tiny(const Operation& op, const Team&) {
    const int64_t rows = op.sizes[0], inputs = op.sizes[1], outputs = op.sizes[2];
    const bool keep = op.sizes[3] != 0;
    const T *dy = real<T>(op, 0), *x = real<T>(op, 1);
    T *dweight = real<T>(op, 2), *dbias = real<T>(op, 3);
    if (rows == 1 && !keep) {
        outer_product(dy, x, dweight, dbias, inputs, outputs);
        return true;
    }
    for (int64_t i = 0; i < outputs; ++i) {
        for (int64_t j = 0; j < inputs; ++j) {
            T sum = keep ? dweight[i * inputs + j] : T(0);
#pragma GCC unroll 1
            for (int64_t k = 0; k < rows; ++k) sum = fma(dy[k * outputs + i], x[k * inputs + j], sum);
            dweight[i * inputs + j] = sum;
        }
        if (dbias == nullptr) continue;
        T sum = keep ? dbias[i] : T(0);
#pragma GCC unroll 1
        for (int64_t k = 0; k < rows; ++k) sum += dy[k * outputs + i];
        dbias[i] = sum;
    }
    return true;
}

// Squared errors without weights, of a few numbers. gathers: of one mini-batch among several.
template <class T, bool gathers> bool squared_error_tiny(const Operation& op, const Team&) {
    const int64_t n = op.sizes[0] * op.sizes[1];
    const T half = ElementLoss(op.sizes[2]) == ElementLoss::half_mse ? T(0.5) : T(1);
    const bool mean = Reduction(op.sizes[3]) == Reduction::mean;
    const T *prediction = real<T>(op, 0), *target = real<T>(op, 1);
    const T slope = 2 * half * (mean && !gathers ? T(1) / T(n) : T(1));
    T* grad = real<T>(op, 5);
    double total = 0;
#pragma GCC unroll 1
    for (int64_t i = 0; i < n; ++i) {
        const T error = prediction[i] - target[i];
        total += double(half * (error * error));
        if (grad != nullptr) grad[i] = slope * error;
    }
    const T value = T(mean ? total / double(n) : total);
    doubles(op, 7)[0] = double(value);
    doubles(op, 7)[1] = mean ? double(n) : 1;
    if constexpr (gathers) add_denominator(doubles(op, 8), double(n));
    return __builtin_isfinite(value);
}

// Plain gradient descent of one parameter after the other; with momentum or decay `sgd_update` does it.
template <class T> bool sgd_tiny(const Operation& op, const Team& team) {
    for (const Operation* one = &op; one <= &op + op.followers; ++one) {
        const double* option = doubles(*one, 3);
        if (option[3] != 0 || one->sizes[2] != 0) {
            sgd_update<T>(*one, team);
            continue;
        }
        T* parameter = real<T>(*one, 0);
        const T *grad = real<T>(*one, 1), rate = T(-option[0]);
#pragma GCC unroll 1
        for (int64_t i = 0; i < one->sizes[0]; ++i) parameter[i] = fma(rate, grad[i], parameter[i]);
    }
    return true;
}

} // namespace maillon::MAILLON_ISA
