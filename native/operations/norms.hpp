// Written by `make operations` from src/maillon/engine/families/norms.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// y = f(w x̂ + b), the mean and variance of a channel over samples and places, or running ones
template <class T> struct BatchNorm {
    const T* x; // r samples * channels * places
    const T* running_mean; // may be null; r channels
    const T* running_var; // may be null; r channels
    const T* weight; // may be null; r channels
    const T* bias; // may be null; r channels
    T* y; // w samples * channels * places
    T* statistics; // w 4 * channels
    T* workspace; // w 2 * channels * (places == 1) + 5 * channels * places * (1 < places < 16)
    int64_t samples, channels, places;
    choice::Epilogue activation;
    double eps, slope;
};

// dx = w r (dy - mean dy - x̂ mean(dy x̂)), without means where the statistics do not move; dw (+)= Σ dy x̂, db (+)= Σ dy
template <class T> struct BatchNormGrad {
    const T* dy; // r samples * channels * places
    const T* x; // r samples * channels * places
    const T* statistics; // r 4 * channels
    const T* weight; // may be null; r channels
    T* dx; // may be null; w samples * channels * places
    T* dweight; // may be null; rw channels
    T* dbias; // may be null; rw channels
    T* workspace; // w 2 * channels + 6 * channels * places * (1 < places < 16)
    int64_t samples, channels, places, moving, keep_weight, keep_bias;
};

// y = f(w x̂ + b), the mean and variance of each slice; centred=0: without the mean
template <class T> struct SliceNorm {
    const T* x; // r slices * channels * places
    const T* weight; // may be null; r parts * channels
    const T* bias; // may be null; r parts * channels
    T* y; // w slices * channels * places
    T* statistics; // w 4 * slices
    T* workspace; // w 2 * parts * channels * places * (1 < places < 16 and channels > 1)
    int64_t slices, parts, channels, places, centred;
    choice::Epilogue activation;
    double eps, slope;
};

// dx = r (w dy - mean(w dy) - x̂ mean(w dy x̂)); dw (+)= Σ dy x̂, db (+)= Σ dy over the samples
template <class T> struct SliceNormGrad {
    const T* dy; // r slices * channels * places
    const T* x; // r slices * channels * places
    const T* statistics; // r 4 * slices
    const T* weight; // may be null; r parts * channels
    T* dx; // may be null; w slices * channels * places
    T* dweight; // may be null; rw parts * channels
    T* dbias; // may be null; rw parts * channels
    T* workspace; // w 2 * parts * channels + 3 * parts * channels * places * (1 < places < 16 and channels > 1)
    int64_t slices, parts, channels, places, centred, keep_weight, keep_bias;
};

// running ← (1 - m) running + m (mean over the samples), m = momentum or 1 / batches
template <class T> struct TrackStatistics {
    const T* statistics; // r 4 * samples * channels
    T* running_mean; // rw channels
    T* running_var; // rw channels
    int64_t* batches; // may be null; rw 1
    int64_t samples, channels, count, cumulative;
    double momentum;
};

// y = x d^-β, d = k + α / size Σ x² over the channels around each one
template <class T> struct ResponseNorm {
    const T* x; // r samples * channels * places
    T* y; // w samples * channels * places
    T* d; // w samples * channels * places
    int64_t samples, channels, places, size;
    double alpha, beta, k;
};

// dx = dy d^-β - (2 α β / size) x Σ dy x d^(-β - 1) over the channels whose window holds this one
template <class T> struct ResponseNormGrad {
    const T* dy; // r samples * channels * places
    const T* x; // r samples * channels * places
    const T* d; // r samples * channels * places
    T* dx; // w samples * channels * places
    T* workspace; // w samples * channels * places
    int64_t samples, channels, places, size;
    double alpha, beta;
};

} // namespace maillon::op
