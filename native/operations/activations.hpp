// Written by `make operations` from src/maillon/engine/families/activations.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// y = f(x), value by value
template <class T> struct Activation {
    const T* x; // r n
    T* y; // w n
    int64_t n;
    choice::Activation activation;
    double slope;
};

// dx = f'(reference) dy, where the reference is y, or x for a leaky ReLU whose y does not tell
template <class T> struct ActivationGrad {
    const T* dy; // r n
    const T* reference; // r n
    T* dx; // w n
    int64_t n;
    choice::Activation activation;
    double slope;
};

// y = eˣ / Σ eˣ along size, or its logarithm
template <class T> struct Softmax {
    const T* x; // r outer * size * inner
    T* y; // w outer * size * inner
    int64_t outer, size, inner, log;
};

// dx = y (dy - Σ dy y), or of the logarithm dy - eʸ Σ dy
template <class T> struct SoftmaxGrad {
    const T* dy; // r outer * size * inner
    const T* y; // r outer * size * inner
    T* dx; // w outer * size * inner
    int64_t outer, size, inner, log;
};

} // namespace maillon::op
