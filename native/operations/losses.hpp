// Written by `make operations` from src/maillon/engine/families/losses.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// the loss between numbers one by one, and its gradient
template <class T> struct ElementLoss {
    const T* prediction; // r rows * columns
    const T* target; // r rows * columns
    const T* weight; // may be null; r rows * columns
    const T* pos_weight; // may be null; r rows * columns
    const T* sample_weight; // may be null; r rows
    T* grad; // may be null; w rows * columns
    double* row_totals; // w max(1, rows)
    double* result; // w 2
    double* divisor; // may be null; rw 1
    int64_t rows, columns;
    choice::ElementLoss loss;
    choice::Reduction reduction;
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

} // namespace maillon::op
