// Losses that ask for a margin between the right classes and all others: the value of every sample and the gradient of
// its scores in one pass. The formulas are those of nn/losses/margins.py.
#pragma once

#include "loss_result.hpp"
#include "../lanes.hpp"
#include "../math.hpp"
#include "../operations/losses.hpp"
#include "../simd.hpp"
#include "../team.hpp"
#include "../wide.hpp"

namespace maillon::MAILLON_ISA {

// The lane of number `at` where that is among the n from `from` on.
template <class T> MAILLON_INLINE Bits<T> lane_of(int64_t at, int64_t from) {
    Bits<T> number{};
    for (int i = 0; i < lanes<T>; ++i) number[i] = i;
    return number == Bits<T>{} + typename Native<T>::Int(at - from);
}

// w / C Σ_{j≠t} max(0, Δ − x_t + x_j)^p; false for a label that is no class.
template <class T> bool multi_margin_rows(const op::MultiMarginLoss<T> op, T scale, Span rows) {
    const Vec<T> zero = broadcast(T(0)), one = broadcast(T(1));
    for (int64_t row = rows.begin; row < rows.end; ++row) {
        const int64_t right = op.labels[row];
        if (right < 0 || right >= op.classes) return false;
        const T *scores = op.scores + row * op.classes, weight = op.class_weight ? op.class_weight[right] : T(1);
        const T counts = op.sample_weight ? op.sample_weight[row] : T(1);
        const Vec<T> ahead = broadcast(T(T(op.margin) - scores[right]));
        const Vec<T> slope = broadcast(T(weight / T(op.classes) * (scale * counts)));
        T* grad = op.grad ? op.grad + row * op.classes : nullptr;
        Sum<double> total, slopes;
        each_register<T>(op.classes, [&](int64_t c, int n) __attribute__((always_inline)) {
            const Bits<T> others = first<T>(n) & ~lane_of<T>(right, c);
            const Vec<T> lacking = keep<T>(others, at_least(T(0), ahead + load_up_to(scores + c, n)));
            add<T>(total, op.squares ? lacking * lacking : lacking);
            if (grad == nullptr) return;
            const Vec<T> grads = (op.squares ? lacking + lacking : keep<T>(lacking > zero, one)) * slope;
            add<T>(slopes, grads);
            store_up_to(grad + c, grads, n);
        });
        if (grad != nullptr) grad[right] = T(-slopes.total());
        op.row_totals[row] = double(weight) * total.total() / double(op.classes) * double(counts);
    }
    return true;
}

template <class T> bool multi_margin_loss(const op::MultiMarginLoss<T>& op, const Team& team) {
    const Span own = share(op.rows, 8, team);
    if (!multi_margin_rows(op, loss_scale(op, double(op.rows)), own)) refuse(op, own.begin);
    return loss_result(op, op.rows, double(op.rows), team);
}

// How many labels come before the first −1, of which each is marked with 0 among ones; −1 if any label is no class.
template <class T> int64_t read_list(const int64_t* labels, T* others, int64_t classes) {
    int64_t listed = -1;
    for (int64_t c = 0; c < classes; ++c) others[c] = T(1);
    for (int64_t k = 0; k < classes; ++k) {
        if (labels[k] < -1 || labels[k] >= classes) return -1;
        if (labels[k] < 0 && listed < 0) listed = k;
        if (listed < 0) others[labels[k]] = T(0);
    }
    return listed < 0 ? classes : listed;
}

// 1 / C Σ_t Σ_i max(0, 1 − x_t + x_i), over the labels t of the list and the classes i outside it.
template <class T> bool multi_label_margin_rows(const op::MultiLabelMarginLoss<T> op, T scale, Span rows) {
    const Vec<T> zero = broadcast(T(0)), one = broadcast(T(1));
    for (int64_t row = rows.begin; row < rows.end; ++row) {
        const int64_t *labels = op.labels + row * op.classes, begin = row * op.classes;
        const T *scores = op.scores + begin, counts = op.sample_weight ? op.sample_weight[row] : T(1);
        T *others = op.workspace + begin, *grad = op.grad ? op.grad + begin : nullptr;
        const int64_t listed = read_list(labels, others, op.classes);
        if (listed < 0) return false;
        if (grad != nullptr)
            for (int64_t c = 0; c < op.classes; ++c) grad[c] = T(0);
        const Vec<T> slope = broadcast(T(scale * counts / T(op.classes)));
        Sum<double> total;
        for (int64_t k = 0; k < listed; ++k) {
            const Vec<T> ahead = broadcast(T(T(1) - scores[labels[k]]));
            Sum<T> hits;
            each_register<T>(op.classes, [&](int64_t c, int n) __attribute__((always_inline)) {
                const Bits<T> counted = load_up_to(others + c, n) > zero;
                const Vec<T> lacking = keep<T>(counted, at_least(T(0), ahead + load_up_to(scores + c, n)));
                add<T>(total, lacking);
                if (grad == nullptr) return;
                const Vec<T> hit = keep<T>(lacking > zero, one);
                hits.add(hit);
                store_up_to(grad + c, load_up_to(grad + c, n) + hit, n);
            });
            if (grad != nullptr) grad[labels[k]] -= hits.total();
        }
        if (grad != nullptr)
            each_register<T>(op.classes, [&](int64_t c, int n) __attribute__((always_inline)) {
                store_up_to(grad + c, load_up_to(grad + c, n) * slope, n);
            });
        op.row_totals[row] = total.total() / double(op.classes) * double(counts);
    }
    return true;
}

template <class T> bool multi_label_margin_loss(const op::MultiLabelMarginLoss<T>& op, const Team& team) {
    const Span own = share(op.rows, 8, team);
    if (!multi_label_margin_rows(op, loss_scale(op, double(op.rows)), own)) refuse(op, own.begin);
    return loss_result(op, op.rows, double(op.rows), team);
}

} // namespace maillon::MAILLON_ISA
