#pragma once
#include <cstdint>
namespace maillon {
template <class T> struct BatchNorm { const T* x; const T* running_mean; const T* running_var; const T* weight; const T* bias; T* y; T* statistics; T* workspace; int64_t samples, channels, places; double eps; };
template <class T> struct BatchNormGrad { const T* dy; const T* x; const T* statistics; const T* weight; T* dx; T* dweight; T* dbias; T* workspace; int64_t samples, channels, places, moving, keep; };
template <class T> struct SliceNorm { const T* x; const T* weight; const T* bias; T* y; T* statistics; T* workspace; int64_t slices, parts, channels, places, centred; double eps; };
template <class T> struct SliceNormGrad { const T* dy; const T* x; const T* statistics; const T* weight; T* dx; T* dweight; T* dbias; T* workspace; int64_t slices, parts, channels, places, centred, keep; };
template <class T> struct TrackStatistics { const T* statistics; T* running_mean; T* running_var; int64_t* batches; int64_t samples, channels, count, cumulative; double momentum; };
template <class T> struct ResponseNorm { const T* x; T* y; T* d; int64_t samples, channels, places, size; double alpha, beta, k; };
template <class T> struct ResponseNormGrad { const T* dy; const T* x; const T* d; T* dx; T* workspace; int64_t samples, channels, places, size; double alpha, beta; };
}
