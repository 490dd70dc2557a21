// Written by `make operations` from src/maillon/engine/families/dropout.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// y = x factor + shift: the factor is 0 with probability p, else 1 / (1 - p); with alpha mean and variance stay. One word for each factor, in order
template <class T> struct Dropout {
    const T* x; // r count * places
    T* y; // w count * places
    T* factor; // w count
    int64_t count, places, alpha;
    double p;
    WordStream* words;
};

// dx = dy factor
template <class T> struct DropoutGrad {
    const T* dy; // r count * places
    const T* factor; // r count
    T* dx; // w count * places
    int64_t count, places;
};

} // namespace maillon::op
