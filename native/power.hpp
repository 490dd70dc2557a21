// x^p of non-negative numbers, with short ways for the usual exponents.
#pragma once

#include "math.hpp"

namespace maillon::MAILLON_ISA {

// Out of line: it is long, and used in many places.
template <class T> __attribute__((noinline)) Vec<T> any_power(Vec<T> x, double p) { return pow(x, broadcast(T(p))); }

// x^0 is 1, of NaN too.
template <class T> MAILLON_INLINE Vec<T> power(Vec<T> x, double p) {
    if (p == 0) return broadcast(T(1));
    if (p == 1) return x;
    if (p == 2) return x * x;
    if (p == 0.5) return sqrt(x);
    return any_power<T>(x, p);
}

} // namespace maillon::MAILLON_ISA
