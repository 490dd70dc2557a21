// Written by `make operations` from src/maillon/engine/families/distances.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// y = Σ u₁ u₂ along size, u = x / max(‖x‖, ε)
template <class T> struct CosineSimilarity {
    const T* x1; // r outer * size * inner
    const T* x2; // r outer * size * inner
    T* y; // w outer * inner
    T* scales; // w 4 * outer * inner
    int64_t outer, size, inner;
    double eps;
};

// dx₁ = (u₂ - x₁ / ‖x₁‖ y) dy / max(‖x₁‖, ε), and dx₂ alike
template <class T> struct CosineSimilarityGrad {
    const T* dy; // r outer * inner
    const T* x1; // r outer * size * inner
    const T* x2; // r outer * size * inner
    const T* y; // r outer * inner
    const T* scales; // r 4 * outer * inner
    T* dx1; // may be null; w outer * size * inner
    T* dx2; // may be null; w outer * size * inner
    int64_t outer, size, inner;
};

// y = ‖x₁ - x₂ + ε‖ of each row
template <class T> struct PairwiseDistance {
    const T* x1; // r rows * columns
    const T* x2; // r rows * columns
    T* y; // w rows
    int64_t rows, columns;
    choice::VectorNorm norm;
    double p, eps;
};

// dx₁ = dy sign(d) (|d| / y)^(p - 1), d = x₁ - x₂ + ε, and dx₂ = -dx₁
template <class T> struct PairwiseDistanceGrad {
    const T* dy; // r rows
    const T* x1; // r rows * columns
    const T* x2; // r rows * columns
    const T* y; // r rows
    T* dx1; // may be null; w rows * columns
    T* dx2; // may be null; w rows * columns
    int64_t rows, columns;
    choice::VectorNorm norm;
    double p, eps;
};

// y[i, k, j] = x[i, j], k = 0 … times - 1
template <class T> struct Repeat {
    const T* x; // r outer * inner
    T* y; // w outer * times * inner
    int64_t outer, times, inner;
};

// dx[i, j] = Σ dy[i, k, j] over k
template <class T> struct RepeatGrad {
    const T* dy; // r outer * times * inner
    T* dx; // w outer * inner
    int64_t outer, times, inner;
};

} // namespace maillon::op
