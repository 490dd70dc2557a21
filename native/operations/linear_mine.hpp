#pragma once
#include <cstdint>
namespace maillon {
template <class T> struct Embedding { const int64_t* x; const T* weight; T* y; T* scale; int64_t count, rows, columns; double max_norm, norm_type; };
template <class T> struct EmbeddingShorten { const int64_t* x; const T* scale; T* weight; uint8_t* seen; int64_t count, rows, columns; };
template <class T> struct EmbeddingGrad { const T* dy; const int64_t* x; T* dweight; int64_t* uses; int64_t count, rows, columns, padding, keep; };
template <class T> struct Bilinear { const T* x1; const T* x2; const T* weight; const T* bias; T* y; T* half; T* workspace; int64_t rows, inputs1, inputs2, outputs; };
template <class T> struct BilinearGrad { const T* dy; const T* x1; const T* x2; const T* weight; const T* half; T* dx1; T* dx2; T* dweight; T* dbias; T* products; T* workspace; int64_t rows, inputs1, inputs2, outputs, keep; };
template <class T> struct CosineSimilarity { const T* x1; const T* x2; T* y; T* scales; int64_t outer, size, inner; double eps; };
template <class T> struct CosineSimilarityGrad { const T* dy; const T* x1; const T* x2; const T* y; const T* scales; T* dx1; T* dx2; int64_t outer, size, inner; };
template <class T> struct PairwiseDistance { const T* x1; const T* x2; T* y; int64_t rows, columns; double p, eps; };
template <class T> struct PairwiseDistanceGrad { const T* dy; const T* x1; const T* x2; const T* y; T* dx1; T* dx2; int64_t rows, columns; double p, eps; };
}
