// Written by `make operations` from src/maillon/engine/families/dropout.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// mask = 0 with probability p, else 1 / (1 - p); y = mask x. One word for each element, in order
template <class T> struct Dropout {
    const T* x; // r n
    T* y; // w n
    T* mask; // w n
    int64_t n;
    double p;
    WordStream* words;
};

} // namespace maillon::op
