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

// dW (+)= dyᵀ x, db (+)= Σ dy
template <class T> struct LinearGradWeight {
    const T* dy; // r rows * outputs
    const T* x; // r rows * inputs
    T* dweight; // rw outputs * inputs
    T* dbias; // may be null; rw outputs
    T* workspace; // w product_workspace(outputs, inputs, rows)
    int64_t rows, inputs, outputs, keep, zeros;
};

} // namespace maillon::op
