// What the rules have in common. They round as NumPy does, operation by operation, but for SGD and Adam, whose
// multiply-adds are fused. Options are doubles; arithmetic on options alone is done in doubles and then rounded to T,
// as NumPy does with Python's numbers.
#pragma once

#include "../../entry.hpp"
#include "../../lanes.hpp"
#include "../../math.hpp"
#include "../../simd.hpp"

namespace maillon::MAILLON_ISA {

// Options, or the numbers of a step, by name; their order is that of the row in engine/families/rules.py.
template <class Numbers> MAILLON_INLINE Numbers read(const double* from) {
    Numbers numbers;
    std::memcpy(&numbers, from, sizeof numbers);
    return numbers;
}
template <class Numbers> MAILLON_INLINE void write(double* to, const Numbers& numbers) {
    std::memcpy(to, &numbers, sizeof numbers);
}

// step(i, count) for this thread's share of n elements, register after register: i … i + count - 1.
template <class T, class Step> MAILLON_INLINE void each_element(int64_t n, const Team& team, Step step) {
    const Span part = share(n, grain, team);
    each_register<T>(part.end - part.begin, [=](int64_t i, int count) __attribute__((always_inline)) {
        step(part.begin + i, count);
    });
}

// The gradient to descend: g, or -g where the rule climbs, plus λ p.
template <class T> struct Descended {
    bool climbs, decays;
    Vec<T> decay;

    Descended(bool maximize, double weight_decay)
        : climbs(maximize), decays(weight_decay != 0), decay(broadcast(T(weight_decay))) {}

    MAILLON_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> parameter) const {
        if (climbs) grad = -grad;
        return decays ? grad + decay * parameter : grad;
    }
};

// The larger of two; NaN where either is.
template <class T> MAILLON_INLINE Vec<T> larger(Vec<T> a, Vec<T> b) { return select((a >= b) | (a != a), a, b); }

// -1, 0 or 1; NaN stays.
template <class T> MAILLON_INLINE Vec<T> sign(Vec<T> v) {
    const Vec<T> zero{}, one = broadcast(T(1));
    return select(v > zero, one, select(v < zero, -one, v));
}

// base to a whole power ≥ 0, by squaring: its bits depend on nothing but its arguments.
inline double power(double base, int64_t exponent) {
    double result = 1;
    for (; exponent > 0; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

// base > 0 to any power.
inline double power(double base, double exponent) { return exp(log(broadcast(base)) * exponent)[0]; }

// To 64 bits, or to 32. (In line GCC 12 vectorises two of them under one condition, and forgets to round.)
__attribute__((noinline)) inline double rounded(double x, bool wide) { return wide ? x : double(float(x)); }

inline double root(double x) { return sqrt(broadcast(x))[0]; }

} // namespace maillon::MAILLON_ISA
