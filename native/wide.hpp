// Sums of floats or doubles that are kept in doubles, in the one order of lanes.hpp.
#pragma once

#include "lanes.hpp"
#include "simd.hpp"

namespace maillon::MAILLON_ISA {

// One half of a register of floats.
template <int half> MAILLON_INLINE Vec<double> widen(Vec<float> v) {
    typedef float Few __attribute__((vector_size(register_bytes / 2)));
    return __builtin_convertvector(part<Few, half>(v), Vec<double>);
}

template <class T> MAILLON_INLINE void add(Sum<double>& sum, Vec<T> v) {
    if constexpr (sizeof(T) == 8) {
        sum.add(v);
    } else {
        sum.add(widen<0>(v));
        sum.add(widen<1>(v));
    }
}
// Products are rounded to doubles, not to T.
template <class T> MAILLON_INLINE void add_product(Sum<double>& sum, Vec<T> a, Vec<T> b) {
    if constexpr (sizeof(T) == 8) {
        sum.add(a * b);
    } else {
        sum.add(widen<0>(a) * widen<0>(b));
        sum.add(widen<1>(a) * widen<1>(b));
    }
}

} // namespace maillon::MAILLON_ISA
