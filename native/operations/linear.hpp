// Written by `make operations` from src/maillon/engine/families/linear.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// y = f(x Wᵀ + b)
template <class T> struct Linear {
    const T* x; // r rows * inputs
    const T* weight; // r outputs * inputs
    const T* bias; // may be null; r outputs
    T* y; // w rows * outputs
    T* workspace; // w product_workspace(rows, outputs, inputs)
    int64_t rows, inputs, outputs;
    choice::Epilogue activation;
    int64_t zeros;
    double slope;
};

// dx = (dy W) f'(reference)
template <class T> struct LinearGradInput {
    const T* dy; // r rows * outputs
    const T* weight; // r outputs * inputs
    const T* reference; // may be null; r rows * inputs
    T* dx; // w rows * inputs
    T* workspace; // w product_workspace(rows, inputs, outputs)
    int64_t rows, inputs, outputs;
    choice::Epilogue activation;
    double slope;
};

// dW (+)= dyᵀ x, db (+)= Σ dy; passes: dW goes to the rule after it, part by part, and nowhere else
template <class T> struct LinearGradWeight {
    const T* dy; // r rows * outputs
    const T* x; // r rows * inputs
    T* dweight; // rw (1 - passes) * outputs * inputs
    T* dbias; // may be null; rw outputs
    T* workspace; // w product_workspace(outputs, inputs, rows)
    int64_t rows, inputs, outputs, keep, zeros, passes;
};

// y_k = x₁ᵀ W_k x₂ + b_k; half = x₁ᵀ W_k
template <class T> struct Bilinear {
    const T* x1; // r rows * inputs1
    const T* x2; // r rows * inputs2
    const T* weight; // r outputs * inputs1 * inputs2
    const T* bias; // may be null; r outputs
    T* y; // w rows * outputs
    T* half; // w rows * outputs * inputs2
    T* workspace; // w product_workspace(rows, inputs2, inputs1)
    int64_t rows, inputs1, inputs2, outputs;
};

// dx₁ = Σ_k W_k (dy_k x₂), dx₂ = Σ_k dy_k W_kᵀ x₁, dW_k (+)= Σ x₁ (dy_k x₂)ᵀ, db (+)= Σ dy
template <class T> struct BilinearGrad {
    const T* dy; // r rows * outputs
    const T* x1; // r rows * inputs1
    const T* x2; // r rows * inputs2
    const T* weight; // r outputs * inputs1 * inputs2
    const T* half; // r rows * outputs * inputs2
    T* dx1; // may be null; w rows * inputs1
    T* dx2; // may be null; w rows * inputs2
    T* dweight; // may be null; rw outputs * inputs1 * inputs2
    T* dbias; // may be null; rw outputs
    T* products; // w rows * outputs * inputs2
    T* workspace; // w max(product_workspace(rows, inputs1, inputs2), product_workspace(inputs1, inputs2, rows))
    int64_t rows, inputs1, inputs2, outputs, keep_weight, keep_bias;
};

} // namespace maillon::op
