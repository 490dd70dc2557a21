// Sums of floats or doubles that are kept in doubles, in the one order of lanes.hpp.
#pragma once

#include "lanes.hpp"
#include "simd.hpp"

namespace maillon::MAILLON_ISA {

template <class T> inline constexpr int wides = int(sizeof(double) / sizeof(T)); // registers of doubles for one of T

template <class T> MAILLON_INLINE Vec<double> widen(Vec<T> v, int index) {
    if constexpr (sizeof(T) == 8) {
        return v;
    } else {
        typedef T Few __attribute__((vector_size(register_bytes / 2)));
        return __builtin_convertvector(part<Few>(v, index), Vec<double>);
    }
}

template <class T> MAILLON_INLINE void add(Sum<double>& sum, Vec<T> v) {
    for (int k = 0; k < wides<T>; ++k) sum.add(widen<T>(v, k));
}
// Products are rounded to doubles, not to T.
template <class T> MAILLON_INLINE void add_product(Sum<double>& sum, Vec<T> a, Vec<T> b) {
    for (int k = 0; k < wides<T>; ++k) sum.add(widen<T>(a, k) * widen<T>(b, k));
}

} // namespace maillon::MAILLON_ISA
