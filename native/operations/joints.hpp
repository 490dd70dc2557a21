// Written by `make operations` from src/maillon/engine/families/joints.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// out = a + b
template <class T> struct Add {
    const T* a; // r n
    const T* b; // r n
    T* out; // w n
    int64_t n;
};

// out = a b
template <class T> struct Multiply {
    const T* a; // r n
    const T* b; // r n
    T* out; // w n
    int64_t n;
};

} // namespace maillon::op
