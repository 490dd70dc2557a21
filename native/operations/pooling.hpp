#pragma once
#include <cstdint>
namespace maillon::MAILLON_ISA {
template <class T> struct MaxPool {
    const T* x;
    T* y;
    T* places;
    int64_t* indices;
    int64_t planes, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w,
        dilation_h, dilation_w;
};
template <class T> struct MaxPoolGrad {
    const T* dy;
    const T* places;
    T* dx;
    int64_t planes, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w,
        dilation_h, dilation_w;
};
template <class T> struct MaxUnpool {
    const T* x;
    const int64_t* indices;
    T* y;
    int64_t planes, values, size;
};
template <class T> struct MaxUnpoolGrad {
    const T* dy;
    const int64_t* indices;
    T* dx;
    int64_t planes, values, size;
};
} // namespace maillon::MAILLON_ISA
