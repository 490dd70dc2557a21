// Written by `make operations` from src/maillon/engine/families/tabular.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// y = (x, V cos(2π w x + p) + c) for each feature
template <class T> struct PeriodicEmbedding {
    const T* x; // r rows * features
    const T* frequency; // r features * hidden
    const T* phase; // r features * hidden
    const T* weight; // r features * (out - 1) * hidden
    const T* bias; // r features * (out - 1)
    T* y; // w rows * features * out
    T* workspace; // w features * out * min((rows + 31) // 32 * 32, 128)
    int64_t rows, features, hidden, out;
};

// with da = -sin(2π w x + p) Vᵀ dv: dx = dy₀ + 2π Σ w da, dw (+)= 2π Σ x da, dp (+)= Σ da, dV (+)= Σ dv cosᵀ, dc (+)= Σ dv
template <class T> struct PeriodicEmbeddingGrad {
    const T* dy; // r rows * features * out
    const T* x; // r rows * features
    const T* frequency; // r features * hidden
    const T* phase; // r features * hidden
    const T* weight; // r features * (out - 1) * hidden
    T* dx; // may be null; w rows * features
    T* dfrequency; // may be null; rw features * hidden
    T* dphase; // may be null; rw features * hidden
    T* dweight; // may be null; rw features * (out - 1) * hidden
    T* dbias; // may be null; rw features * (out - 1)
    T* workspace; // w features * (out + 2) * min((rows + 31) // 32 * 32, 128)
    int64_t rows, features, hidden, out, keep_frequency, keep_phase, keep_weight, keep_bias;
};

} // namespace maillon::op
