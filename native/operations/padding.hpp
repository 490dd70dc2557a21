// Written by `make operations` from src/maillon/engine/families/padding.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// y[i, j] = Σ row weight · column weight · x[row place, column place] in each plane; fill where there are none
template <class T> struct Resample {
    const T* x; // r planes * height * width
    const int64_t* row_starts; // r out_height + 1
    const int64_t* row_places; // r row_taps
    const T* row_weights; // r row_taps
    const int64_t* column_starts; // r out_width + 1
    const int64_t* column_places; // r column_taps
    const T* column_weights; // r column_taps
    const T* fill; // may be null; r 1
    T* y; // w planes * out_height * out_width
    int64_t planes, height, width, out_height, out_width, row_taps, column_taps, run_begin, run_end, run_from;
};

// y[b, r h + i, r w + j] = x[b, i, j, h, w], r = factor
template <class T> struct PixelShuffle {
    const T* x; // r blocks * factor * factor * height * width
    T* y; // w blocks * factor * factor * height * width
    int64_t blocks, factor, height, width;
};

// y[b, i, j, h, w] = x[b, r h + i, r w + j], r = factor
template <class T> struct PixelUnshuffle {
    const T* x; // r blocks * factor * factor * height * width
    T* y; // w blocks * factor * factor * height * width
    int64_t blocks, factor, height, width;
};

} // namespace maillon::op
