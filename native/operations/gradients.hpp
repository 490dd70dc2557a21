// Written by `make operations` from src/maillon/engine/families/gradients.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// all gradients, scaled down to the norm options[0] where theirs is larger
template <class T> struct ClipNorm {
    T* gradients; // rw n
    const double* options; // r 1
    int64_t n;
};

// each gradient, into ±options[0]
template <class T> struct ClipValue {
    T* gradients; // rw n
    const double* options; // r 1
    int64_t n;
};

// gradients = 0
template <class T> struct Clear {
    T* gradients; // w n
    int64_t n;
};

// gradients / divisor, which is then forgotten
template <class T> struct Divide {
    T* gradients; // rw n
    double* divisor; // rw 1
    int64_t n;
};

} // namespace maillon::op
