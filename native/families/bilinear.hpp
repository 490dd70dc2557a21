// Bilinear: y_k = x₁ᵀ W_k x₂ + b_k. For each output one product; `half` holds x₁ᵀ W_k.
#pragma once

#include "gemm.hpp"
#include "operations/linear_mine.hpp"

namespace maillon::MAILLON_ISA {

template <class T> bool bilinear(const Bilinear<T>& op, const Team& team) {
    const int64_t n1 = op.inputs1, n2 = op.inputs2, width = op.outputs * n2;
    for (int64_t k = 0; k < op.outputs; ++k) {
        product<T>({op.rows, n2, n1, op.x1, n1, 1, op.weight + k * n1 * n2, n2, 1, op.half + k * n2, width, nullptr,
                    Begin::zero}, op.workspace, team);
        team.wait(); // the workspace serves the next one
    }
    const Span own = share(op.rows, 4, team);
    for (int64_t i = own.begin; i < own.end; ++i)
        for (int64_t k = 0; k < op.outputs; ++k) {
            const T y = dot(op.half + i * width + k * n2, op.x2 + i * n2, n2);
            op.y[i * op.outputs + k] = op.bias ? y + op.bias[k] : y;
        }
    return true;
}

// dx₂ = Σ dy_k W_kᵀ x₁; with dy_k x₂, the products: dx₁ = Σ W_k (dy_k x₂), dW_k = Σ x₁ (dy_k x₂)ᵀ over the rows.
template <class T> bool bilinear_grad(const BilinearGrad<T>& op, const Team& team) {
    const int64_t n1 = op.inputs1, n2 = op.inputs2, width = op.outputs * n2;
    const Span own = share(op.rows, 4, team);
    for (int64_t i = own.begin; i < own.end; ++i) {
        const T *dy = op.dy + i * op.outputs, *x2 = op.x2 + i * n2, *half = op.half + i * width;
        T* products = op.products + i * width;
        each_register<T>(n2, [=, &op](int64_t j, int64_t m) {
            const Vec<T> x = load_up_to(x2 + j, m);
            Vec<T> sum{};
            for (int64_t k = 0; k < op.outputs; ++k) {
                store_up_to(products + k * n2 + j, x * dy[k], m);
                sum = fma(load_up_to(half + k * n2 + j, m), broadcast(dy[k]), sum);
            }
            if (op.dx2 != nullptr) store_up_to(op.dx2 + i * n2 + j, sum, m);
        });
    }
    team.wait();
    for (int64_t k = 0; k < op.outputs; ++k) {
        const T *weight = op.weight + k * n1 * n2, *products = op.products + k * n2;
        if (op.dx1 != nullptr) {
            product<T>({op.rows, n1, n2, products, width, 1, weight, 1, n2, op.dx1, n1, nullptr,
                        k == 0 ? Begin::zero : Begin::keep}, op.workspace, team);
            team.wait();
        }
        if (op.dweight != nullptr) {
            product<T>({n1, n2, op.rows, op.x1, 1, n1, products, width, 1, op.dweight + k * n1 * n2, n2, nullptr,
                        op.keep ? Begin::keep : Begin::zero}, op.workspace, team);
            team.wait();
        }
    }
    if (op.dbias != nullptr) column_sums<T>(op.dy, op.rows, op.outputs, op.dbias, op.keep != 0, team);
    return true;
}

} // namespace maillon::MAILLON_ISA
