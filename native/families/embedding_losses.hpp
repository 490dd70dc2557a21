// Losses of embeddings: the value of every pair or triplet and the gradients of all its vectors in one pass. The formulas
// are those of nn/losses/embedding.py and nn/linear/distance.py.
#pragma once

#include "loss_result.hpp"
#include "../lanes.hpp"
#include "../math.hpp"
#include "../operations/losses.hpp"
#include "../simd.hpp"
#include "../team.hpp"
#include "../vector_norm.hpp"
#include "../wide.hpp"

namespace maillon::MAILLON_ISA {

inline constexpr float least_square = 1e-12f; // added to the squared lengths: the cosine of a zero vector is 0

// 1 − cos(x₁, x₂) where y = 1, max(0, cos(x₁, x₂) − Δ) where y = −1; false for another y.
template <class T> bool cosine_rows(const op::CosineLoss<T> op, T scale, Span rows) {
    for (int64_t row = rows.begin; row < rows.end; ++row) {
        const int64_t begin = row * op.columns;
        const T *x1 = op.input1 + begin, *x2 = op.input2 + begin, y = op.target[row];
        if (!(y == T(1) || y == T(-1))) return false;
        Sum<double> sum1, sum2, product;
        each_register<T>(op.columns, [&](int64_t i, int n) __attribute__((always_inline)) {
            const Vec<T> a = load_up_to(x1 + i, n), b = load_up_to(x2 + i, n);
            add_product<T>(sum1, a, a);
            add_product<T>(sum2, b, b);
            add_product<T>(product, a, b);
        });
        const T square1 = T(sum1.total()) + T(least_square), square2 = T(sum2.total()) + T(least_square);
        const T length = sqrt(broadcast(T(square1 * square2)))[0], cosine = T(product.total()) / length;
        const T counts = op.sample_weight ? op.sample_weight[row] : T(1), excess = cosine - T(op.margin);
        op.row_totals[row] = double(y > T(0) ? T(1) - cosine : cut_off(excess)) * double(counts);
        const T slope = (y > T(0) ? T(-1) : excess >= T(0) ? T(1) : T(0)) * (scale * counts);
        const Vec<T> across = broadcast(T(1) / length), c = broadcast(cosine), slopes = broadcast(slope);
        each_register<T>(op.columns, [&](int64_t i, int n) __attribute__((always_inline)) {
            const Vec<T> a = load_up_to(x1 + i, n), b = load_up_to(x2 + i, n);
            if (op.grad1 != nullptr) store_up_to(op.grad1 + begin + i, slopes * (b * across - c * a / square1), n);
            if (op.grad2 != nullptr) store_up_to(op.grad2 + begin + i, slopes * (a * across - c * b / square2), n);
        });
    }
    return true;
}

template <class T> bool cosine_loss(const op::CosineLoss<T>& op, const Team& team) {
    const Span own = share(op.rows, 8, team);
    if (!cosine_rows(op, loss_scale(op, double(op.rows)), own)) refuse(op, own.begin);
    return loss_result(op, op.rows, double(op.rows), team);
}

// ‖x − y + ε‖ of two vectors, and its derivative by x.
template <class T> struct Distance {
    struct Difference {
        const T *x, *y;
        T eps;
        MAILLON_INLINE Vec<T> operator()(int64_t i, int64_t n) const {
            return load_up_to(x + i, n) - load_up_to(y + i, n) + eps;
        }
    };
    choice::VectorNorm norm;
    double p;
    Difference difference;
    T value, sharing;

    Distance(const op::TripletLoss<T>& op, const T* x, const T* y)
        : norm(op.norm), p(op.p), difference{x, y, T(op.eps)}, value(vector_norm<T>(norm, op.columns, p, difference)),
          sharing(norm == choice::VectorNorm::power ? T(1) : reaching<T>(op.columns, value, difference)) {}

    MAILLON_INLINE Vec<T> slope(int64_t i, int64_t n) const {
        return norm_slope<T>(norm, difference(i, n), value, p, sharing);
    }
};

// max(0, Δ + d(a, p) − d(a, n)), with `swap` the smaller of d(a, n) and d(p, n), of equal ones a half each.
template <class T> void triplet_rows(const op::TripletLoss<T> op, T scale, Span rows) {
    for (int64_t row = rows.begin; row < rows.end; ++row) {
        const int64_t begin = row * op.columns;
        const T *a = op.anchor + begin, *p = op.positive + begin, *n = op.negative + begin;
        const Distance<T> near(op, a, p), far(op, a, n), swapped(op, op.swap ? p : a, n);
        T other = far.value, own = T(1); // the share of d(a, n)
        if (op.swap) {
            own = far.value < swapped.value ? T(1) : far.value == swapped.value ? T(0.5) : T(0);
            if (!(swapped.value >= far.value)) other = swapped.value; // NaN too
        }
        const T lacking = T(op.margin) + near.value - other;
        const T counts = op.sample_weight ? op.sample_weight[row / op.each] : T(1);
        op.row_totals[row] = double(cut_off(lacking)) * double(counts);
        const T slope = lacking >= T(0) ? T(scale * counts) : T(0);
        const Vec<T> to_near = broadcast(slope), to_far = broadcast(T(slope * own)),
                     to_swapped = broadcast(T(slope * (T(1) - own)));
        each_register<T>(op.columns, [&](int64_t i, int64_t count) {
            const Vec<T> d_near = near.slope(i, count) * to_near, d_far = far.slope(i, count) * to_far;
            const Vec<T> d_swapped = op.swap ? swapped.slope(i, count) * to_swapped : broadcast(T(0));
            if (op.grad_anchor != nullptr) store_up_to(op.grad_anchor + begin + i, d_near - d_far, count);
            if (op.grad_positive != nullptr) store_up_to(op.grad_positive + begin + i, -(d_near + d_swapped), count);
            if (op.grad_negative != nullptr) store_up_to(op.grad_negative + begin + i, d_far + d_swapped, count);
        });
    }
}

template <class T> bool triplet_loss(const op::TripletLoss<T>& op, const Team& team) {
    const int64_t rows = op.samples * op.each;
    triplet_rows(op, loss_scale(op, double(rows)), share(rows, 8, team));
    return loss_result(op, rows, double(rows), team);
}

} // namespace maillon::MAILLON_ISA
