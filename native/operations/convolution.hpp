// Written by `make operations` from src/maillon/engine/families/convolution.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// y[v, n] = x[n, v]; n to a multiple of 16, with zeros
template <class T> struct SamplesLast {
    const T* x; // r samples * values
    T* y; // w (samples + 15) // 16 * 16 * values
    int64_t samples, values;
};

// y = f(W ⋆ x + b)
template <class T> struct Conv {
    const T* x; // may be null; r samples * channels * height * width
    const T* x_last; // may be null; r (samples + 15) // 16 * 16 * channels * height * width
    const T* weight; // r channels * outputs // groups * kernel_h * kernel_w
    const T* bias; // may be null; r outputs
    T* y; // w samples * outputs * out_height * out_width
    int64_t samples, channels, outputs, groups, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
    choice::Epilogue activation;
    double slope;
};

// dx = (W ⋆ᵀ dy) f'(reference)
template <class T> struct ConvGradInput {
    const T* dy; // may be null; r samples * channels * height * width
    const T* dy_last; // may be null; r (samples + 15) // 16 * 16 * channels * height * width
    const T* weight; // r channels * outputs // groups * kernel_h * kernel_w
    const T* reference; // may be null; r samples * outputs * out_height * out_width
    T* dx; // w samples * outputs * out_height * out_width
    int64_t samples, channels, outputs, groups, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
    choice::Epilogue activation;
    double slope;
};

// y = f(W ⋆ᵀ x + b)
template <class T> struct ConvTransposed {
    const T* x; // may be null; r samples * channels * height * width
    const T* x_last; // may be null; r (samples + 15) // 16 * 16 * channels * height * width
    const T* weight; // r channels * outputs // groups * kernel_h * kernel_w
    const T* bias; // may be null; r outputs
    T* y; // w samples * outputs * out_height * out_width
    int64_t samples, channels, outputs, groups, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
    choice::Epilogue activation;
    double slope;
};

// dx = (W ⋆ dy) f'(reference)
template <class T> struct ConvTransposedGradInput {
    const T* dy; // may be null; r samples * channels * height * width
    const T* dy_last; // may be null; r (samples + 15) // 16 * 16 * channels * height * width
    const T* weight; // r channels * outputs // groups * kernel_h * kernel_w
    const T* reference; // may be null; r samples * outputs * out_height * out_width
    T* dx; // w samples * outputs * out_height * out_width
    int64_t samples, channels, outputs, groups, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
    choice::Epilogue activation;
    double slope;
};

// dW[o, c, k] (+)= Σ dy[n, o, place] x[n, c, place of k]
template <class T> struct ConvGradWeight {
    const T* x; // may be null; r samples * channels * height * width
    const T* x_last; // may be null; r (samples + 15) // 16 * 16 * channels * height * width
    const T* dy; // may be null; r samples * outputs * out_height * out_width
    const T* dy_last; // may be null; r (samples + 15) // 16 * 16 * outputs * out_height * out_width
    T* dweight; // rw channels * outputs // groups * kernel_h * kernel_w
    int64_t samples, channels, outputs, groups, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w, keep;
};

// sums[c] (+)= Σ x[n, c, place]
template <class T> struct ChannelSums {
    const T* x; // r samples * channels * places
    T* sums; // rw channels
    int64_t samples, channels, places, keep;
};

// y[plane, (i, j), l] = x[plane, the place of (i, j) in the window l]
template <class T> struct Unfold {
    const T* x; // r planes * height * width
    T* y; // w planes * kernel_h * kernel_w * out_height * out_width
    int64_t planes, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
};

// y[plane, place] = Σ x[plane, (i, j), l] over the windows l that have it at (i, j)
template <class T> struct Fold {
    const T* x; // r planes * kernel_h * kernel_w * out_height * out_width
    T* y; // w planes * height * width
    int64_t planes, height, width, out_height, out_width, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
};

} // namespace maillon::op
