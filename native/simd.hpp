// Vectors of one processor register. Whatever includes this header is compiled once for each instruction set, in a
// namespace of its own (MAILLON_ISA is its name): two sets may stand side by side in one library.
//
// The bits of a result must not depend on the width of a register. Hence: no reduction over the lanes of a Vec except
// through a logical vector of fixed width, multiply-adds only where `fma` says so (the compiler contracts nothing,
// -ffp-contract=off), and nothing from libm. Hence also: no templates of the standard library in here, whose code the
// linker could share between instruction sets.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef MAILLON_ISA
#error "compile with -DMAILLON_ISA=baseline|avx2|avx512|neon"
#endif

#define MAILLON_INLINE inline __attribute__((always_inline))

namespace maillon::MAILLON_ISA {

#if defined(__AVX512F__)
inline constexpr int register_bytes = 64;
#elif defined(__AVX2__)
inline constexpr int register_bytes = 32;
#elif defined(__aarch64__)
inline constexpr int register_bytes = 16;
#else
inline constexpr int register_bytes = 16;
#endif

template <class T> struct Native;
template <> struct Native<float> {
    using Int = int32_t;
    typedef float Vec __attribute__((vector_size(register_bytes)));
    typedef int32_t Bits __attribute__((vector_size(register_bytes)));
};
template <> struct Native<double> {
    using Int = int64_t;
    typedef double Vec __attribute__((vector_size(register_bytes)));
    typedef int64_t Bits __attribute__((vector_size(register_bytes)));
};
template <class T> using Vec = typename Native<T>::Vec;
template <class T> using Bits = typename Native<T>::Bits; // a comparison's result: all bits of a lane, or none
template <class T> inline constexpr int lanes = register_bytes / int(sizeof(T));

template <class T> MAILLON_INLINE Vec<T> load(const T* from) {
    Vec<T> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}
template <class T> MAILLON_INLINE void store(T* to, Vec<T> v) { std::memcpy(to, &v, sizeof v); }
template <class T> MAILLON_INLINE Vec<T> broadcast(T value) { return value - Vec<T>{}; }

// The first n lanes (0 ≤ n ≤ lanes), the others zero, and nothing beyond them is read or written.
template <class T> MAILLON_INLINE Vec<T> load_partial(const T* from, int n) {
    Vec<T> v{};
    for (int i = 0; i < n; ++i) v[i] = from[i];
    return v;
}
template <class T> MAILLON_INLINE void store_partial(T* to, Vec<T> v, int n) {
    for (int i = 0; i < n; ++i) to[i] = v[i];
}

#if defined(__AVX512F__)
template <> MAILLON_INLINE Vec<float> load_partial(const float* from, int n) {
    return (Vec<float>)_mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), from);
}
template <> MAILLON_INLINE Vec<double> load_partial(const double* from, int n) {
    return (Vec<double>)_mm512_maskz_loadu_pd(__mmask8((1u << n) - 1), from);
}
template <> MAILLON_INLINE void store_partial(float* to, Vec<float> v, int n) {
    _mm512_mask_storeu_ps(to, __mmask16((1u << n) - 1), (__m512)v);
}
template <> MAILLON_INLINE void store_partial(double* to, Vec<double> v, int n) {
    _mm512_mask_storeu_pd(to, __mmask8((1u << n) - 1), (__m512d)v);
}
#elif defined(__AVX2__)
MAILLON_INLINE __m256i first32(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
MAILLON_INLINE __m256i first64(int n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
template <> MAILLON_INLINE Vec<float> load_partial(const float* from, int n) {
    return (Vec<float>)_mm256_maskload_ps(from, first32(n));
}
template <> MAILLON_INLINE Vec<double> load_partial(const double* from, int n) {
    return (Vec<double>)_mm256_maskload_pd(from, first64(n));
}
// Not by masked stores: AMD's processors take some 20 steps for one, and what it wrote cannot be read back at once.
template <> MAILLON_INLINE void store_partial(float* to, Vec<float> v, int n) {
    if (n == 8) return store(to, v);
    __m128 part = _mm256_castps256_ps128((__m256)v);
    if (n & 4) {
        _mm_storeu_ps(to, part);
        part = _mm256_extractf128_ps((__m256)v, 1);
        to += 4;
    }
    if (n & 2) {
        _mm_storel_pi(reinterpret_cast<__m64*>(to), part);
        part = _mm_movehl_ps(part, part);
        to += 2;
    }
    if (n & 1) _mm_store_ss(to, part);
}
template <> MAILLON_INLINE void store_partial(double* to, Vec<double> v, int n) {
    if (n == 4) return store(to, v);
    __m128d part = _mm256_castpd256_pd128((__m256d)v);
    if (n & 2) {
        _mm_storeu_pd(to, part);
        part = _mm256_extractf128_pd((__m256d)v, 1);
        to += 2;
    }
    if (n & 1) _mm_store_sd(to, part);
}
#endif

// a · b + c, rounded once; the baseline, which has no such instruction, rounds twice.
#if defined(__AVX512F__)
MAILLON_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
    return (Vec<float>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
MAILLON_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
    return (Vec<double>)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
#elif defined(__AVX2__)
MAILLON_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
    return (Vec<float>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
MAILLON_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
    return (Vec<double>)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
#elif defined(__aarch64__)
MAILLON_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
    return (Vec<float>)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
MAILLON_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
    return (Vec<double>)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
#else
MAILLON_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return a * b + c; }
MAILLON_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return a * b + c; }
#endif

#if defined(__FMA__) || defined(__aarch64__)
MAILLON_INLINE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
MAILLON_INLINE double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else
MAILLON_INLINE float fma(float a, float b, float c) { return a * b + c; }
MAILLON_INLINE double fma(double a, double b, double c) { return a * b + c; }
#endif

#if defined(__AVX512F__)
MAILLON_INLINE Vec<float> sqrt(Vec<float> a) { return (Vec<float>)_mm512_maskz_sqrt_ps(0xffff, (__m512)a); }
MAILLON_INLINE Vec<double> sqrt(Vec<double> a) { return (Vec<double>)_mm512_maskz_sqrt_pd(0xff, (__m512d)a); }
#elif defined(__AVX2__)
MAILLON_INLINE Vec<float> sqrt(Vec<float> a) { return (Vec<float>)_mm256_sqrt_ps((__m256)a); }
MAILLON_INLINE Vec<double> sqrt(Vec<double> a) { return (Vec<double>)_mm256_sqrt_pd((__m256d)a); }
#elif defined(__aarch64__)
MAILLON_INLINE Vec<float> sqrt(Vec<float> a) { return (Vec<float>)vsqrtq_f32((float32x4_t)a); }
MAILLON_INLINE Vec<double> sqrt(Vec<double> a) { return (Vec<double>)vsqrtq_f64((float64x2_t)a); }
#else
MAILLON_INLINE Vec<float> sqrt(Vec<float> a) { return (Vec<float>)_mm_sqrt_ps((__m128)a); }
MAILLON_INLINE Vec<double> sqrt(Vec<double> a) { return (Vec<double>)_mm_sqrt_pd((__m128d)a); }
#endif

// Lane by lane: a where the mask is set, b elsewhere.
MAILLON_INLINE Vec<float> select(Bits<float> mask, Vec<float> a, Vec<float> b) { return mask ? a : b; }
MAILLON_INLINE Vec<double> select(Bits<double> mask, Vec<double> a, Vec<double> b) { return mask ? a : b; }

// Whether any lane of a comparison is set.
template <class T> MAILLON_INLINE bool any_lane(Bits<T> bits) {
#if defined(__AVX512F__)
    return _mm512_test_epi64_mask((__m512i)bits, (__m512i)bits) != 0;
#elif defined(__AVX2__)
    return !_mm256_testz_si256((__m256i)bits, (__m256i)bits);
#else
    uint64_t halves[register_bytes / 8], any = 0;
    std::memcpy(halves, &bits, sizeof halves);
    for (uint64_t half : halves) any |= half;
    return any != 0;
#endif
}

} // namespace maillon::MAILLON_ISA
