// Written by `make operations` from src/maillon/engine/families/rules.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// gradient descent; options: lr, momentum, dampening, weight decay
template <class T> struct Sgd {
    T* parameter; // rw n
    const T* grad; // r n
    T* velocity; // may be null; rw n
    const double* options; // r 4
    int64_t* count; // rw 1
    int64_t n, nesterov, maximize;
};

// Adam; options: lr, β₁, β₂, ε, weight decay
template <class T> struct Adam {
    T* parameter; // rw n
    const T* grad; // r n
    T* mean; // rw n
    T* square; // rw n
    T* largest; // may be null; rw n
    const double* options; // r 5
    int64_t* count; // rw 1
    int64_t n, maximize;
};

} // namespace maillon::op
