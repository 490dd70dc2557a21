// Written by `make operations` from src/maillon/engine/families/losses.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// the loss between numbers one by one, or of pairs of them (prediction − other), and its gradients
template <class T> struct ElementLoss {
    const T* prediction; // r rows * columns
    const T* other; // may be null; r rows * columns
    const T* target; // r rows * columns
    const T* weight; // may be null; r rows * columns
    const T* pos_weight; // may be null; r rows * columns
    const T* sample_weight; // may be null; r rows
    T* grad; // may be null; w rows * columns
    T* grad_other; // may be null; w rows * columns
    double* row_totals; // w max(1, rows)
    double* result; // w 2
    double* divisor; // may be null; rw 1
    int64_t rows, columns;
    choice::ElementLoss loss;
    choice::Reduction reduction;
    double option, denominator;
};

// ½ (log v + (μ − y)² / v) and its gradients; y and v may lack a dimension `size` of (outer, size, inner)
template <class T> struct GaussianLoss {
    const T* prediction; // r rows * columns
    const T* target; // r rows * columns // target_size
    const T* var; // r rows * columns // var_size
    const T* sample_weight; // may be null; r rows
    T* grad; // may be null; w rows * columns
    T* grad_var; // may be null; w rows * columns // var_size
    T* workspace; // w rows * columns if var_size > 1 else 0
    double* row_totals; // w max(1, rows)
    double* result; // w 2
    double* divisor; // may be null; rw 1
    int64_t rows, columns, target_size, target_inner, var_size, var_inner, full;
    choice::Reduction reduction;
    double eps;
};

// the loss between scores of classes and labels or distributions, and its gradient
template <class T> struct ClassLoss {
    const T* scores; // r outer * classes * inner
    const int64_t* labels; // may be null; r outer * inner
    const T* distribution; // may be null; r outer * classes * inner
    const T* class_weight; // may be null; r classes
    const T* sample_weight; // may be null; r outer
    T* grad; // may be null; w outer * classes * inner
    double* row_totals; // w max(1, outer * inner)
    double* result; // w 2
    double* divisor; // may be null; rw 1
    int64_t outer, classes, inner;
    choice::Reduction reduction;
    int64_t flags, ignore_index;
    double smoothing;
};

// w / C Σ_j max(0, Δ − x_t + x_j), j ≠ t, or of squares, and its gradient
template <class T> struct MultiMarginLoss {
    const T* scores; // r rows * classes
    const int64_t* labels; // r rows
    const T* class_weight; // may be null; r classes
    const T* sample_weight; // may be null; r rows
    T* grad; // may be null; w rows * classes
    double* row_totals; // w max(1, rows)
    double* result; // w 2
    double* divisor; // may be null; rw 1
    int64_t rows, classes, squares;
    choice::Reduction reduction;
    double margin;
};

// 1 / C Σ_t Σ_i max(0, 1 − x_t + x_i), the labels t up to the first −1, all classes i but those; its gradient
template <class T> struct MultiLabelMarginLoss {
    const T* scores; // r rows * classes
    const int64_t* labels; // r rows * classes
    const T* sample_weight; // may be null; r rows
    T* grad; // may be null; w rows * classes
    T* workspace; // w rows * classes
    double* row_totals; // w max(1, rows)
    double* result; // w 2
    double* divisor; // may be null; rw 1
    int64_t rows, classes;
    choice::Reduction reduction;
};

// 1 − cos(x₁, x₂) where y = 1, max(0, cos(x₁, x₂) − Δ) where y = −1, and the gradients of x₁ and x₂
template <class T> struct CosineLoss {
    const T* input1; // r rows * columns
    const T* input2; // r rows * columns
    const T* target; // r rows
    const T* sample_weight; // may be null; r rows
    T* grad1; // may be null; w rows * columns
    T* grad2; // may be null; w rows * columns
    double* row_totals; // w max(1, rows)
    double* result; // w 2
    double* divisor; // may be null; rw 1
    int64_t rows, columns;
    choice::Reduction reduction;
    double margin;
};

// max(0, Δ + d(a, p) − d(a, n)), d(x, y) = ‖x − y + ε‖_p, and its gradients; `each` triplets share a weight
template <class T> struct TripletLoss {
    const T* anchor; // r samples * each * columns
    const T* positive; // r samples * each * columns
    const T* negative; // r samples * each * columns
    const T* sample_weight; // may be null; r samples
    T* grad_anchor; // may be null; w samples * each * columns
    T* grad_positive; // may be null; w samples * each * columns
    T* grad_negative; // may be null; w samples * each * columns
    double* row_totals; // w max(1, samples * each)
    double* result; // w 2
    double* divisor; // may be null; rw 1
    int64_t samples, each, columns;
    choice::VectorNorm norm;
    int64_t swap;
    choice::Reduction reduction;
    double margin, p, eps;
};

// −log Σ over all paths that read as the target, and its gradient; joined: targets one after the other
template <class T> struct CtcLoss {
    const T* log_probs; // r time * samples * classes
    const int64_t* targets; // r labels if joined else samples * labels
    const int64_t* input_lengths; // r samples
    const int64_t* target_lengths; // r samples
    const T* sample_weight; // may be null; r samples
    T* grad; // may be null; w time * samples * classes
    double* workspace; // w samples * ((time + 3) * (2 * labels + 5) + 2 * time + classes)
    double* row_totals; // w max(1, samples)
    double* result; // w 2
    double* divisor; // may be null; rw 1
    int64_t time, samples, classes, labels, joined, blank, zero_infinity;
    choice::Reduction reduction;
};

} // namespace maillon::op
