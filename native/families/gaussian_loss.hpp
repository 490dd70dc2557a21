// GaussianNLLLoss: l = ½ (log v + (μ − y)² / v), with the gradients of μ and v. The formulas are those of
// nn/losses/regression.py.
#pragma once

#include "loss_result.hpp"
#include "../lanes.hpp"
#include "../math.hpp"
#include "../operations/losses.hpp"
#include "../simd.hpp"
#include "../team.hpp"
#include "../wide.hpp"

namespace maillon::MAILLON_ISA {

// What has 1 in place of the dimension `size` of an array seen as (outer, size, inner): with size 1 it is that array.
template <class T> struct Stretched {
    const T* values;
    int64_t size, inner;

    MAILLON_INLINE Vec<T> at(int64_t i, int n) const {
        if (size == 1) return load_up_to(values + i, n);
        int64_t place = i % inner, line = i / inner % size, from = i / (inner * size) * inner;
        Vec<T> v{};
        for (int k = 0; k < n; ++k) {
            v[k] = values[from + place];
            if (++place < inner) continue;
            place = 0;
            if (++line < size) continue;
            line = 0, from += inner;
        }
        return v;
    }
};

template <class T> void gaussian_rows(const op::GaussianLoss<T> op, T scale, T* grad_var, Span rows) {
    const Stretched<T> target{op.target, op.target_size, op.target_inner}, var{op.var, op.var_size, op.var_inner};
    const Vec<T> zero = broadcast(T(0)), half = broadcast(T(0.5)), one = broadcast(T(1));
    const Vec<T> constant = broadcast(op.full ? T(0.9189385332046727) : T(0)); // ½ log 2π
    for (int64_t row = rows.begin; row < rows.end; ++row) {
        const T weight = op.sample_weight ? op.sample_weight[row] : T(1);
        const Vec<T> weights = broadcast(weight), scales = broadcast(T(scale * weight));
        const int64_t begin = row * op.columns;
        Sum<double> total;
        each_register<T>(op.columns, [&](int64_t i, int n) __attribute__((always_inline)) {
            const int64_t at = begin + i;
            const Vec<T> given = var.at(at, n), v = at_least(T(op.eps), given);
            const Vec<T> error = load_up_to(op.prediction + at, n) - target.at(at, n), scaled = error / v;
            const Vec<T> value = half * (log(v) + error * error / v) + constant;
            const Vec<T> valid = select(given < zero, broadcast(T(__builtin_nanf(""))), value);
            add<T>(total, keep<T>(first<T>(n), valid * weights));
            if (op.grad != nullptr) store_up_to(op.grad + at, scaled * scales, n);
            if (grad_var != nullptr) store_up_to(grad_var + at, half * (one / v - scaled * scaled) * scales, n);
        });
        op.row_totals[row] = total.total();
    }
}

// The gradient of the variances `part`, each the sum of those along the dimension it was stretched over.
template <class T> void gather_stretched(const T* grads, int64_t size, int64_t inner, T* sums, Span part) {
    for (int64_t i = part.begin; i < part.end; ++i) {
        const T* from = grads + i / inner * size * inner + i % inner;
        if (inner == 1) {
            sums[i] = sum(from, size);
            continue;
        }
        T total = 0;
        for (int64_t k = 0; k < size; ++k) total += from[k * inner];
        sums[i] = total;
    }
}

template <class T> bool gaussian_loss(const op::GaussianLoss<T>& op, const Team& team) {
    const int64_t n = op.rows * op.columns;
    const bool stretched = op.grad_var != nullptr && op.var_size != 1;
    gaussian_rows(op, loss_scale(op, double(n)), stretched ? op.workspace : op.grad_var, share(op.rows, 8, team));
    if (stretched) {
        team.wait();
        const Span part = share(n / op.var_size, 64, team);
        gather_stretched<T>(op.workspace, op.var_size, op.var_inner, op.grad_var, part);
    }
    return loss_result(op, op.rows, double(n), team);
}

} // namespace maillon::MAILLON_ISA
