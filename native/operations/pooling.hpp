// Written by `make operations` from src/maillon/engine/families/pooling.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// y = the greatest x of each window, places = where it was. A kernel of 0: windows of about one size
template <class T> struct MaxPool {
    const T* x; // r planes * height * width
    T* y; // w planes * out_height * out_width
    T* places; // may be null; w planes * out_height * out_width
    int64_t* indices; // may be null; w planes * out_height * out_width
    int64_t planes, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
};

// dx = Σ dy over the windows whose greatest was there
template <class T> struct MaxPoolGrad {
    const T* dy; // r planes * out_height * out_width
    const T* places; // r planes * out_height * out_width
    T* dx; // w planes * height * width
    int64_t planes, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
};

// y[indices] = x, 0 elsewhere, in each plane
template <class T> struct MaxUnpool {
    const T* x; // r planes * values
    const int64_t* indices; // r planes * values
    T* y; // w planes * places
    int64_t planes, values, places;
};

// dx = dy[indices] in each plane
template <class T> struct MaxUnpoolGrad {
    const T* dy; // r planes * places
    const int64_t* indices; // r planes * values
    T* dx; // w planes * values
    int64_t planes, values, places;
};

} // namespace maillon::op
