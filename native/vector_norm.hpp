// ‖d‖_p of a row of numbers, and its derivative.
#pragma once

#include "operations/choices.hpp"
#include "power.hpp"
#include "runs.hpp"

namespace maillon::MAILLON_ISA {

template <class T> MAILLON_INLINE T power_of_one(T x, double p) { return power<T>(broadcast(x), p)[0]; }

using choice::VectorNorm;

// The largest or the smallest of n ≥ 1 numbers; NaN where one of them is. size(i, count) gives a register of them.
template <class T, class Size> MAILLON_INLINE T extreme_of(int64_t n, bool largest, Size size) {
    Vec<T> best = broadcast(size(0, int64_t(1))[0]);
    each_register<T>(n, [&](int64_t i, int64_t m) {
        const Vec<T> v = size(i, m);
        const Bits<T> better = (largest ? v > best : v < best) | (v != v);
        best = better & first<T>(m) ? v : best;
    });
    T one = best[0];
    for (int k = 1; k < lanes<T>; ++k) one = best[k] != best[k] || (largest ? best[k] > one : best[k] < one) ? best[k] : one;
    return one;
}

// (Σ |d|^p)^(1/p) of n numbers, or the largest or smallest |d|; d(i, count) gives a register of them. Divided by the
// largest (for p < 0 the smallest) first, no power overflows. p = 0 counts those that are not 0.
template <class T, class D> MAILLON_INLINE T vector_norm(VectorNorm norm, int64_t n, double p, D d) {
    const auto size = [=](int64_t i, int64_t m) { return absolute<T>(d(i, m)); };
    Runs<T, 1> runs;
    if (norm == VectorNorm::power && p == 0) {
        runs.add(n, [=](int64_t i, int64_t m) {
            return Terms<T, 1>{{keep<T>(size(i, m) != Vec<T>{}, broadcast(T(1)))}};
        });
        return runs.total(0);
    }
    if (n == 0) return T(0);
    const bool largest = norm == VectorNorm::power ? p > 0 : norm == VectorNorm::largest;
    const T extreme = extreme_of<T>(n, largest, size);
    if (norm != VectorNorm::power) return extreme;
    runs.add(n, [=](int64_t i, int64_t m) {
        return Terms<T, 1>{{power<T>(extreme == 0 ? broadcast(T(1)) : size(i, m) / extreme, p)}};
    });
    return T(double(extreme) * power_of_one<double>(double(runs.total(0)), 1 / p));
}

// How many of the numbers reach the largest or smallest, at least 1.
template <class T, class D> MAILLON_INLINE T reaching(int64_t n, T norm, D d) {
    Runs<T, 1> runs;
    runs.add(n, [=](int64_t i, int64_t m) {
        return Terms<T, 1>{{keep<T>(absolute<T>(d(i, m)) == broadcast(norm), broadcast(T(1)))}};
    });
    const T count = runs.total(0);
    return count > 1 ? count : T(1);
}

// ∂‖d‖/∂d = sign(d) (|d| / ‖d‖)^(p-1), 0 where d is 0. Those that reach the largest or smallest share it.
template <class T> MAILLON_INLINE Vec<T> norm_slope(VectorNorm kind, Vec<T> d, T norm, double p, T reaching) {
    const Vec<T> zero{}, one = broadcast(T(1)), size = absolute<T>(d);
    if (kind == VectorNorm::power && p == 0) return zero;
    const Vec<T> sign = d > zero ? one : d < zero ? -one : d;
    if (kind != VectorNorm::power) return sign * (keep<T>(size == broadcast(norm), one) / reaching);
    const Bits<T> counts = (size != zero) & (broadcast(norm) != zero);
    return sign * keep<T>(counts, power<T>(counts ? size / norm : one, p - 1));
}

} // namespace maillon::MAILLON_ISA
