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

template <class T> bool linear_grad_weight_tiny(const Operation& op, const Team&) {
    const int64_t rows = op.sizes[0], inputs = op.sizes[1], outputs = op.sizes[2];
    const bool keep = op.sizes[3] != 0;
    const T *dy = real<T>(op, 0), *x = real<T>(op, 1);
    T *dweight = real<T>(op, 2), *dbias = real<T>(op, 3);
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

// Plain gradient descent; with momentum or decay `sgd_update` does it.
template <class T> bool sgd_tiny(const Operation& op, const Team& team) {
    const double* option = doubles(op, 3);
    if (option[3] != 0 || op.sizes[2] != 0) return sgd_update<T>(op, team);
    T* parameter = real<T>(op, 0);
    const T *grad = real<T>(op, 1), rate = T(-option[0]);
#pragma GCC unroll 1
    for (int64_t i = 0; i < op.sizes[0]; ++i) parameter[i] = fma(rate, grad[i], parameter[i]);
    return true;
}

} // namespace maillon::MAILLON_ISA
