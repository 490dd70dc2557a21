#pragma once
#include <cstdint>
namespace maillon::MAILLON_ISA {
template <class T> struct Resample {
    const T* x;
    const int64_t* row_starts;
    const int64_t* row_places;
    const T* row_weights;
    const int64_t* column_starts;
    const int64_t* column_places;
    const T* column_weights;
    T* y;
    int64_t planes, height, width, out_height, out_width, run_begin, run_end, run_from;
    double fill;
};
template <class T> struct PixelShuffle {
    const T* x;
    T* y;
    int64_t blocks, factor, height, width;
};
template <class T> struct PixelUnshuffle {
    const T* x;
    T* y;
    int64_t blocks, factor, height, width;
};
} // namespace maillon::MAILLON_ISA
