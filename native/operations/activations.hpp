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
    double a, b, c, d;
};

// dx = f'(reference) dy, where the reference is x, or y of those that tell by it
template <class T> struct ActivationGrad {
    const T* dy; // r n
    const T* reference; // r n
    T* dx; // w n
    int64_t n;
    choice::Activation activation;
    double a, b, c, d;
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

// y = x where x > 0, else weight[channel] x
template <class T> struct Prelu {
    const T* x; // r outer * channels * inner
    const T* weight; // r channels
    T* y; // w outer * channels * inner
    int64_t outer, channels, inner;
};

// dx = dy where x > 0, else weight dy; dweight (+)= Σ x dy over the x ≤ 0
template <class T> struct PreluGrad {
    const T* dy; // r outer * channels * inner
    const T* x; // r outer * channels * inner
    const T* weight; // r channels
    T* dx; // may be null; w outer * channels * inner
    T* dweight; // may be null; rw channels
    double* workspace; // w 0 if inner == 1 else outer * channels * ((inner + 1023) // 1024)
    int64_t outer, channels, inner, keep;
};

// y = slope x, slope = 1 where x > 0, else drawn from U(lower, upper): two words each, in order
template <class T> struct Rrelu {
    const T* x; // r n
    T* y; // w n
    T* slopes; // w n
    int64_t n;
    double lower, upper;
    WordStream* words;
};

// y = a σ(b), a and b the halves of x, seen as (outer, 2, size)
template <class T> struct Glu {
    const T* x; // r 2 * outer * size
    T* y; // w outer * size
    int64_t outer, size;
};

// da = σ(b) dy, db = a σ(b) (1 - σ(b)) dy
template <class T> struct GluGrad {
    const T* dy; // r outer * size
    const T* x; // r 2 * outer * size
    T* dx; // w 2 * outer * size
    int64_t outer, size;
};

} // namespace maillon::op
