// ‖x − y + ε‖_p and its derivative, for any p. The formulas are those of nn/linear/distance.py.
#pragma once

#include "../lanes.hpp"
#include "../math.hpp"
#include "../operations/losses.hpp"
#include "../simd.hpp"
#include "../wide.hpp"

namespace maillon::MAILLON_ISA {

// x^p for x ≥ 0.
template <class T> MAILLON_INLINE Vec<T> power(Vec<T> x, T p) {
    if (p == T(1)) return x;
    if (p == T(2)) return x * x;
    if (p == T(0.5)) return sqrt(x);
    if (p == T(0)) return broadcast(T(1));
    return exp(broadcast(p) * log(x));
}

template <class T> struct Distance {
    T value, reached; // how many differences are as large as the value (for the largest and the smallest)
};

template <class T> struct PNorm {
    choice::Norm norm;
    T p, inverse, eps;
    int64_t columns;

    PNorm(choice::Norm norm, T p, T eps, int64_t columns)
        : norm(norm), p(p), inverse(T(1) / p), eps(eps), columns(columns) {}

    MAILLON_INLINE Vec<T> difference(const T* x, const T* y, int64_t i, int n) const {
        return load_up_to(x + i, n) - load_up_to(y + i, n) + eps;
    }

    Distance<T> distance(const T* x, const T* y) const {
        const Vec<T> zero = broadcast(T(0));
        if (norm == choice::Norm::count) return {count(x, y, [=](Vec<T> size) { return size != zero; }), T(0)};
        const T most = extreme(x, y);
        const Vec<T> mosts = broadcast(most);
        if (norm != choice::Norm::power) return {most, count(x, y, [=](Vec<T> size) { return size == mosts; })};
        if (most == T(0)) return {T(0), T(0)};
        Sum<double> total;
        each_register<T>(columns, [&](int64_t i, int n) __attribute__((always_inline)) {
            const Vec<T> relative = size(x, y, i, n) / mosts;
            add<T>(total, keep<T>(first<T>(n), power<T>(relative, p)));
        });
        return {most * power<T>(broadcast(T(total.total())), inverse)[0], T(0)};
    }

    // The derivative by the difference e.
    MAILLON_INLINE Vec<T> slope(Vec<T> e, const Distance<T>& distance) const {
        const Vec<T> zero = broadcast(T(0)), one = broadcast(T(1)), value = broadcast(distance.value);
        const Vec<T> size = select(e < zero, -e, e), sign = select(e < zero, -one, one);
        if (norm == choice::Norm::count) return zero;
        if (norm != choice::Norm::power)
            return keep<T>((size == value) & (size != zero), sign / (distance.reached > T(1) ? distance.reached : T(1)));
        return keep<T>((size != zero) & (value != zero), sign * power<T>(size / value, p - T(1)));
    }

  private:
    MAILLON_INLINE Vec<T> size(const T* x, const T* y, int64_t i, int n) const {
        const Vec<T> e = difference(x, y, i, n);
        return select(e < broadcast(T(0)), -e, e);
    }

    template <class Which> MAILLON_INLINE T count(const T* x, const T* y, Which which) const {
        return sum_terms<T>(columns, [=, this](int64_t i, int64_t n) __attribute__((always_inline)) {
            return keep<T>(which(size(x, y, i, int(n))), broadcast(T(1)));
        });
    }

    // The largest difference, or with p < 0 the smallest; NaN if one is.
    MAILLON_INLINE T extreme(const T* x, const T* y) const {
        const bool largest = norm == choice::Norm::largest || (norm == choice::Norm::power && p > T(0));
        const Vec<T> none = broadcast(largest ? T(0) : T(__builtin_inff()));
        Vec<T> best = none;
        Bits<T> nan{};
        each_register<T>(columns, [&](int64_t i, int n) __attribute__((always_inline)) {
            const Vec<T> v = select(first<T>(n), size(x, y, i, n), none);
            best = largest ? max(v, best) : min(v, best);
            nan |= v != v;
        });
        if (any_lane<T>(nan)) return T(__builtin_nanf(""));
        T found = best[0];
        for (int k = 1; k < lanes<T>; ++k) found = (best[k] > found) == largest ? best[k] : found;
        return found;
    }
};

} // namespace maillon::MAILLON_ISA
