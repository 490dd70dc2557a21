// x^p of non-negative numbers, by exp(p log x) in doubles: within 1 unit in the last place of a float, and of a double
// within 1e-13 of the result for results up to e^±100.
#pragma once

#include "math.hpp"
#include "wide.hpp"

namespace maillon::MAILLON_ISA {

// Out of line: it is long, and used in many places.
__attribute__((noinline)) inline Vec<double> power_of(Vec<double> x, double p) {
    return exp(log(x) * p);
}

// As Python has it: x^0 is 1 for any x, NaN too; 0^p is infinite for p < 0.
template <class T> MAILLON_INLINE Vec<T> power(Vec<T> x, double p) {
    if (p == 0) return broadcast(T(1));
    if (p == 1) return x;
    if (p == 2) return x * x;
    if (p == 0.5) return sqrt(x);
    if constexpr (sizeof(T) == 8) {
        return power_of(x, p);
    } else {
        typedef T Few __attribute__((vector_size(register_bytes / 2)));
        const Few low = __builtin_convertvector(power_of(widen<T>(x, 0), p), Few);
        const Few high = __builtin_convertvector(power_of(widen<T>(x, 1), p), Few);
        Vec<T> both;
        std::memcpy(&both, &low, sizeof low);
        std::memcpy((char*)&both + sizeof low, &high, sizeof high);
        return both;
    }
}

} // namespace maillon::MAILLON_ISA
