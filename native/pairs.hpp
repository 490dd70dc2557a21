// Elements that lie in pairs: of two registers side by side the first and the second of each pair, and back.
#pragma once

#include "simd.hpp"

namespace maillon::MAILLON_ISA {

template <class T> struct Pairs {
    Vec<T> first, second;
};

template <class T> MAILLON_INLINE Pairs<T> split_pairs(Vec<T> a, Vec<T> b) {
    if constexpr (lanes<T> == 16)
        return {__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
                __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)};
    else if constexpr (lanes<T> == 8)
        return {__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14),
                __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)};
    else if constexpr (lanes<T> == 4)
        return {__builtin_shufflevector(a, b, 0, 2, 4, 6), __builtin_shufflevector(a, b, 1, 3, 5, 7)};
    else return {__builtin_shufflevector(a, b, 0, 2), __builtin_shufflevector(a, b, 1, 3)};
}

// The inverse: `first` and `second` of the result are the registers side by side.
template <class T> MAILLON_INLINE Pairs<T> join_pairs(Vec<T> first, Vec<T> second) {
    if constexpr (lanes<T> == 16)
        return {__builtin_shufflevector(first, second, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
                __builtin_shufflevector(first, second, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)};
    else if constexpr (lanes<T> == 8)
        return {__builtin_shufflevector(first, second, 0, 8, 1, 9, 2, 10, 3, 11),
                __builtin_shufflevector(first, second, 4, 12, 5, 13, 6, 14, 7, 15)};
    else if constexpr (lanes<T> == 4)
        return {__builtin_shufflevector(first, second, 0, 4, 1, 5), __builtin_shufflevector(first, second, 2, 6, 3, 7)};
    else return {__builtin_shufflevector(first, second, 0, 2), __builtin_shufflevector(first, second, 1, 3)};
}

} // namespace maillon::MAILLON_ISA
