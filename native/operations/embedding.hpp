// Written by `make operations` from src/maillon/engine/families/embedding.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// y = W[x]; with shorten the rows longer than max_norm come out shortened, and W stays
template <class T> struct Embedding {
    const int64_t* x; // r count
    const T* weight; // r rows * columns
    T* y; // w count * columns
    int64_t count, rows, columns, shorten;
    choice::VectorNorm norm;
    double max_norm, p;
};

// the rows W[x] longer than max_norm are shortened, each once
template <class T> struct EmbeddingShorten {
    const int64_t* x; // r count
    T* weight; // rw rows * columns
    uint8_t* workspace; // w rows
    int64_t count, rows, columns;
    choice::VectorNorm norm;
    double max_norm, p;
};

// dW[k] (+)= Σ dy over the places where x = k, with uses divided by how many these are; none for row padding
template <class T> struct EmbeddingGrad {
    const T* dy; // r count * columns
    const int64_t* x; // r count
    T* dweight; // rw rows * columns
    int64_t* uses; // may be null; w rows
    int64_t count, rows, columns, padding, keep;
};

} // namespace maillon::op
