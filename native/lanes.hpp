// Sums and maxima whose bits do not depend on the register: one logical vector of 256 bits (8 floats, 4 doubles)
// collects them, be it one register, two, or half of one. Term i goes to lane i mod (32 / sizeof(T)), each lane adds
// in the order of i, and the lanes are added in a fixed tree: i with i + half, then half of that, down to one.
#pragma once

#include <utility>

#include "simd.hpp"

namespace maillon::MAILLON_ISA {

// The lowest n lanes set (n ≤ 0: none, n ≥ lanes: all).
template <class T> MAILLON_INLINE Bits<T> first(int64_t n) {
    using Int = typename Native<T>::Int;
    Bits<T> index{};
    for (int i = 0; i < lanes<T>; ++i) index[i] = i;
    return index < (Bits<T>{} + Int(n < lanes<T> ? n : lanes<T>));
}

// Lane by lane: v where the mask is set, +0 elsewhere, which changes no sum.
template <class T> MAILLON_INLINE Vec<T> keep(Bits<T> mask, Vec<T> v) { return (Vec<T>)(mask & (Bits<T>)v); }

// The first n ≥ 1 elements; a whole register where there are as many.
template <class T> MAILLON_INLINE Vec<T> load_up_to(const T* from, int64_t n) {
    return n >= lanes<T> ? load(from) : load_partial(from, int(n));
}
template <class T> MAILLON_INLINE void store_up_to(T* to, Vec<T> v, int64_t n) {
    if (n >= lanes<T>) store(to, v);
    else store_partial(to, v, int(n));
}

// step(i, count) for the elements i … i + count - 1, register after register of n: count = lanes but in the last one.
template <class T, class Step> MAILLON_INLINE void each_register(int64_t n, Step step) {
    int64_t i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) step(i, lanes<T>);
    if (i < n) step(i, int(n - i));
}

template <class T> struct Half; // 128 bits, where the fixed tree begins
template <> struct Half<float> {
    typedef float Vec __attribute__((vector_size(16)));
    static MAILLON_INLINE float sum(Vec h) { return (h[0] + h[2]) + (h[1] + h[3]); }
    static MAILLON_INLINE float max(Vec h) {
        const float a = h[0] > h[2] ? h[0] : h[2], b = h[1] > h[3] ? h[1] : h[3];
        return a > b ? a : b;
    }
};
template <> struct Half<double> {
    typedef double Vec __attribute__((vector_size(16)));
    static MAILLON_INLINE double sum(Vec h) { return h[0] + h[1]; }
    static MAILLON_INLINE double max(Vec h) { return h[0] > h[1] ? h[0] : h[1]; }
};

// The part of that number of a vector: one instruction or none. Copied out, GCC takes it through memory.
template <class Part, int from, class Whole, int... k>
MAILLON_INLINE Part elements(Whole v, std::integer_sequence<int, k...>) {
    return __builtin_shufflevector(v, v, (from + k)...);
}
template <class Part, int index, class Whole> MAILLON_INLINE Part part(Whole v) {
    constexpr int count = int(sizeof(Part) / sizeof(v[0]));
    return elements<Part, index * count>(v, std::make_integer_sequence<int, count>{});
}

template <class T> struct Logical { // 256 bits in one register
    typedef T Vec __attribute__((vector_size(register_bytes > 16 ? 32 : 16)));
};

// The sum of terms that come register by register, in order; in the last register absent terms are zero (`keep`).
template <class T> class Sum {
    using Lane = typename Logical<T>::Vec;
    using HalfVec = typename Half<T>::Vec;
    Lane even{}, odd{}; // `odd` serves 16-byte registers only, whose turns alternate
    bool turned = false;

  public:
    MAILLON_INLINE void add(Vec<T> v) {
        if constexpr (register_bytes == 64) {
            even += part<Lane, 0>(v);
            even += part<Lane, 1>(v);
        } else if constexpr (register_bytes == 32) {
            even += v;
        } else {
            const Lane next = even + v;
            even = odd, odd = next, turned = !turned;
        }
    }

    MAILLON_INLINE T total() const {
        if constexpr (register_bytes == 16) return Half<T>::sum(turned ? odd + even : even + odd);
        else return Half<T>::sum(part<HalfVec, 0>(even) + part<HalfVec, 1>(even));
    }
};

// The sum of n terms: term(i, count) is the register of terms i … i + count - 1, count ≤ lanes; what it holds in lanes
// beyond count is not looked at.
template <class T, class Term> MAILLON_INLINE T sum_terms(int64_t n, Term term) {
    Sum<T> sum;
    int64_t i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) sum.add(term(i, int64_t(lanes<T>)));
    if (i < n) sum.add(keep<T>(first<T>(n - i), term(i, n - i)));
    return sum.total();
}

template <class T> MAILLON_INLINE T sum(const T* x, int64_t n) {
    return sum_terms<T>(n, [=](int64_t i, int64_t count) { return load_up_to(x + i, count); });
}
template <class T> MAILLON_INLINE T dot(const T* x, const T* y, int64_t n) {
    return sum_terms<T>(n, [=](int64_t i, int64_t count) {
        return load_up_to(x + i, count) * load_up_to(y + i, count);
    });
}

// The largest of n numbers, -inf of none; NaN is skipped.
template <class T> MAILLON_INLINE T maximum(const T* x, int64_t n) {
    Vec<T> best = broadcast(-T(__builtin_inff()));
    const Vec<T> none = best;
    for (int64_t i = 0; i < n; i += lanes<T>) {
        const Vec<T> v = n - i >= lanes<T> ? load(x + i) : select(first<T>(n - i), load_up_to(x + i, n - i), none);
        best = v > best ? v : best;
    }
    using HalfVec = typename Half<T>::Vec;
    HalfVec half = part<HalfVec, 0>(best);
    const auto larger = [&half](HalfVec other) { half = other > half ? other : half; };
    if constexpr (register_bytes >= 32) larger(part<HalfVec, 1>(best));
    if constexpr (register_bytes == 64) larger(part<HalfVec, 2>(best)), larger(part<HalfVec, 3>(best));
    return Half<T>::max(half);
}

} // namespace maillon::MAILLON_ISA
