// exp, expm1, log, log1p, tanh, sigmoid, softplus, sin, cos, the normal law and powers of a register, within 2 units in
// the last place (what stands otherwise at a function aside), denormal numbers and infinities included; NaN stays NaN. No
// tables, no branches: each lane's bits depend on that lane alone.
//
// The coefficients are minimax fits over the range named beside them, one coefficient rounded after the other and the
// rest fitted anew. Polynomials are evaluated in pairs (Estrin): a short chain counts where one register is all there
// is.
#pragma once

#include "simd.hpp"

namespace maillon::MAILLON_ISA {

#if defined(__FMA__) || defined(__aarch64__)
inline constexpr bool fused = true; // fma rounds once
#else
inline constexpr bool fused = false;
#endif

template <class T> struct Number;
template <> struct Number<float> {
    typedef uint32_t Words __attribute__((vector_size(register_bytes)));
    using Word = uint32_t;
    static constexpr int mantissa_bits = 23;
    static constexpr Word bias = 127, root_half = 0x3f3504f3, infinity = 0x7f800000, nan = 0x7fc00000;
    static constexpr float smallest_normal = 0x1p-126f;
    static constexpr float log2_e = 0x1.715476p+0f;
    static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f; // high · k is exact
    static constexpr float exp_least = -104.0f, exp_most = 89.0f;              // e^x is 0, or infinite, beyond
    static constexpr float sigmoid_most = 20.0f, tanh_most = 10.0f;             // 1 beyond
    static constexpr float normal_most = 14.5f;                                 // 0 below its negative
    static constexpr Word high_half = 0xfffff000;                               // bits whose square is exact

    // e^r = 1 + r + r² Σ c r^i, |r| ≤ 0.35, relative error 2^-28.1
    static constexpr float exp[] = {0x1.fffffcp-2f, 0x1.555482p-3f, 0x1.555824p-5f, 0x1.124564p-7f, 0x1.6b14b4p-10f};
    // tanh r = r + r³ Σ c r^2i, |r| ≤ 0.175, relative error 2^-32.4
    static constexpr float tanh[] = {-0x1.55554ep-2f, 0x1.110582p-3f, -0x1.afcb96p-5f};
    // log((1 + s) / (1 - s)) = 2s + s³ Σ c s^2i, |s| ≤ 0.1716, relative error 2^-30.2
    static constexpr float log[] = {0x1.55557ap-1f, 0x1.995ed4p-2f, 0x1.31e0d2p-2f};
    // the same, |s| ≤ 1/3, relative error 2^-33.0
    static constexpr float log_far[] = {0x1.555558p-1f, 0x1.9996dcp-2f, 0x1.25046ap-2f, 0x1.b73c84p-3f, 0x1.f045d6p-3f};
    // sin r = r + r³ Σ c r^2i, cos r = 1 - r²/2 + r⁴ Σ d r^2i, |r| ≤ 0.787, relative errors 2^-27.8 and 2^-33.0
    static constexpr float sin[] = {-0x1.555544p-3f, 0x1.1106c6p-7f, -0x1.991c26p-13f};
    static constexpr float cos[] = {0x1.55554ap-5f, -0x1.6c0c26p-10f, 0x1.99e714p-16f};
    static constexpr float two_over_pi = 0x1.45f306p-1f, two_pi = 0x1.921fb6p+2f;
    // Φ(-t) e^(t²/2) = Σ c t^i / Σ d t^i, 0 ≤ t ≤ 14.5, relative error 2^-25.7
    static constexpr float normal_above[] = {0x1p-1f,          0x1.03b78ep-1f, 0x1.00549ep-2f,
                                             0x1.23a4bcp-4f, 0x1.7cbab6p-7f, 0x1.d10394p-11f};
    static constexpr float normal_below[] = {0x1p+0f,        0x1.cff9b8p+0f, 0x1.725d38p+0f, 0x1.501f7ep-1f,
                                             0x1.7215f6p-3f, 0x1.dd2b9p-6f,  0x1.23679ep-9f};
};
template <> struct Number<double> {
    typedef uint64_t Words __attribute__((vector_size(register_bytes)));
    using Word = uint64_t;
    static constexpr int mantissa_bits = 52;
    static constexpr Word bias = 1023, root_half = 0x3fe6a09e667f3bcd, infinity = 0x7ff0000000000000,
                          nan = 0x7ff8000000000000;
    static constexpr double smallest_normal = 0x1p-1022;
    static constexpr double log2_e = 0x1.71547652b82fep+0;
    static constexpr double ln2_high = 0x1.62e42fefa4p-1, ln2_low = -0x1.8432a1b0e2634p-43;
    static constexpr double exp_least = -746.0, exp_most = 710.0;
    static constexpr double sigmoid_most = 40.0, tanh_most = 20.0, normal_most = 39.0;
    static constexpr Word high_half = 0xfffffffff8000000;

    // as above; exp, |r| ≤ 0.3467: 2^-57.9; tanh, |r| ≤ 0.17334: 2^-57.8; log: 2^-59.5; log_far: 2^-59.4; sin: 2^-57.9;
    // cos: 2^-63.8; normal, t ≤ 39: 2^-54.8
    static constexpr double exp[] = {0x1.000000000000ap-1,  0x1.5555555555502p-3,  0x1.5555555550600p-5,
                                     0x1.11111111251a1p-7,  0x1.6c16c184b7453p-10, 0x1.a01a013bb5a01p-13,
                                     0x1.a0199886fcf47p-16, 0x1.71def7e711179p-19, 0x1.28aee09711b4cp-22,
                                     0x1.add17ca438eb6p-26};
    static constexpr double tanh[] = {-0x1.55555555554bcp-2, 0x1.11111110e094dp-3,  -0x1.ba1ba116add5fp-5,
                                      0x1.664ec9c55202ap-6,  -0x1.223c6e53c7222p-7, 0x1.c3829ad631a13p-9};
    static constexpr double log[] = {0x1.5555555555592p-1, 0x1.999999997ff06p-2, 0x1.24924941e313cp-2,
                                     0x1.c71c521277bdep-3, 0x1.74663d6188630p-3, 0x1.39a1db6821dc3p-3,
                                     0x1.2f045021fd4dap-3};
    static constexpr double log_far[] = {0x1.5555555555535p-1, 0x1.99999999a0730p-2, 0x1.249249208d898p-2,
                                         0x1.c71c741bd3e85p-3, 0x1.745cb417db465p-3, 0x1.3b1dd947a8ebfp-3,
                                         0x1.1067e455c8c44p-3, 0x1.efd62dfd59d09p-4, 0x1.55bb215604ac3p-4,
                                         0x1.5c6ecb7622cbdp-3};
    static constexpr double sin[] = {-0x1.5555555555548p-3,  0x1.111111110f730p-7,  -0x1.a01a019be9216p-13,
                                     0x1.71de35552b535p-19, -0x1.ae5e4b8401283p-26, 0x1.5d8b55a77f155p-33};
    static constexpr double cos[] = {0x1.555555555554ap-5,   -0x1.6c16c16c14e00p-10, 0x1.a01a019c5c396p-16,
                                     -0x1.27e4f7cd31f9ap-22, 0x1.1ee9c335efd75p-29,  -0x1.8f99cbd52bd06p-37};
    static constexpr double two_over_pi = 0x1.45f306dc9c883p-1, two_pi = 0x1.921fb54442d18p+2;
    static constexpr double normal_above[] = {0x1p-1,                0x1.a7e7e4d5aaa91p-1,  0x1.5bf8f3639b349p-1,
                                              0x1.6df0a9b03dd74p-2,  0x1.0e72d0528c4e1p-3,  0x1.2436c09e2ed0ap-5,
                                              0x1.d2d8d51c14778p-8,  0x1.1094e764ab9c4p-10, 0x1.bf0abd0953ac3p-14,
                                              0x1.d430d66c11279p-18, 0x1.e175c4f826d1fp-23};
    static constexpr double normal_below[] = {0x1p+0,                0x1.3a15073a262ddp+1,  0x1.689667effe88ap+1,
                                              0x1.0031b9f853fc4p+1,  0x1.f5d685f10ec3ap-1,  0x1.64b33800ce223p-2,
                                              0x1.78c4bad653082p-4,  0x1.28e96a3c0982ep-6,  0x1.57ec2ef7b8510p-9,
                                              0x1.18bb34c6abe84p-12, 0x1.2565226ea287dp-16, 0x1.2db5d888ff368p-21};
};
template <class T> using Words = typename Number<T>::Words;

// π/2 in parts, of which n times each is subtracted; that of the first is exact for n < 2^13. A fused multiply-add takes
// all bits of the product; without it the parts are so short that the product is exact.
template <class T, bool fused_or_not> struct HalfPi;
template <> struct HalfPi<float, true> {
    static constexpr float parts[] = {0x1.921fb6p+0f, -0x1.777a5cp-25f, -0x1.ee59dap-50f};
};
template <> struct HalfPi<float, false> {
    static constexpr float parts[] = {0x1.92p+0f, 0x1.fb4p-12f, 0x1.444p-24f, 0x1.68cp-39f, 0x1.1a6264p-54f};
};
template <> struct HalfPi<double, true> {
    static constexpr double parts[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110};
};
template <> struct HalfPi<double, false> {
    static constexpr double parts[] = {0x1.921fb54442p+0, 0x1.a308d3131ap-41, -0x1.d747f23e32p-83,
                                       -0x1.dadfb63eeeb3p-124};
};

// The smaller, the larger of two; the second where one is NaN. (AVX-512's unmasked ones make GCC 12 warn of a value
// not initialised, in its own header.)
#if defined(__AVX512F__)
MAILLON_INLINE Vec<float> min(Vec<float> a, Vec<float> b) {
    return (Vec<float>)_mm512_maskz_min_ps(__mmask16(-1), (__m512)a, (__m512)b);
}
MAILLON_INLINE Vec<double> min(Vec<double> a, Vec<double> b) {
    return (Vec<double>)_mm512_maskz_min_pd(__mmask8(-1), (__m512d)a, (__m512d)b);
}
MAILLON_INLINE Vec<float> max(Vec<float> a, Vec<float> b) {
    return (Vec<float>)_mm512_maskz_max_ps(__mmask16(-1), (__m512)a, (__m512)b);
}
MAILLON_INLINE Vec<double> max(Vec<double> a, Vec<double> b) {
    return (Vec<double>)_mm512_maskz_max_pd(__mmask8(-1), (__m512d)a, (__m512d)b);
}
#elif defined(__AVX2__)
MAILLON_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return (Vec<float>)_mm256_min_ps((__m256)a, (__m256)b); }
MAILLON_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return (Vec<float>)_mm256_max_ps((__m256)a, (__m256)b); }
MAILLON_INLINE Vec<double> min(Vec<double> a, Vec<double> b) {
    return (Vec<double>)_mm256_min_pd((__m256d)a, (__m256d)b);
}
MAILLON_INLINE Vec<double> max(Vec<double> a, Vec<double> b) {
    return (Vec<double>)_mm256_max_pd((__m256d)a, (__m256d)b);
}
#elif defined(__aarch64__)
MAILLON_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return a < b ? a : b; }
MAILLON_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return a > b ? a : b; }
MAILLON_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return a < b ? a : b; }
MAILLON_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return a > b ? a : b; }
#else
MAILLON_INLINE Vec<float> min(Vec<float> a, Vec<float> b) { return (Vec<float>)_mm_min_ps((__m128)a, (__m128)b); }
MAILLON_INLINE Vec<float> max(Vec<float> a, Vec<float> b) { return (Vec<float>)_mm_max_ps((__m128)a, (__m128)b); }
MAILLON_INLINE Vec<double> min(Vec<double> a, Vec<double> b) { return (Vec<double>)_mm_min_pd((__m128d)a, (__m128d)b); }
MAILLON_INLINE Vec<double> max(Vec<double> a, Vec<double> b) { return (Vec<double>)_mm_max_pd((__m128d)a, (__m128d)b); }
#endif

template <class T> MAILLON_INLINE Vec<T> absolute(Vec<T> x) {
    return (Vec<T>)((Words<T>)x & ~(Words<T>)broadcast(T(-0.0)));
}

// x no larger, no smaller than a limit; NaN stays.
template <class T> MAILLON_INLINE Vec<T> at_most(T limit, Vec<T> x) { return min(broadcast(limit), x); }
template <class T> MAILLON_INLINE Vec<T> at_least(T limit, Vec<T> x) { return max(broadcast(limit), x); }

template <class T, int n> struct Polynomial {
    Vec<T> c[n];

    MAILLON_INLINE Vec<T> operator()(Vec<T> x) const {
        if constexpr (n == 1) {
            return c[0];
        } else {
            Polynomial<T, (n + 1) / 2> pairs;
#pragma GCC unroll 8
            for (int i = 0; i < n / 2; ++i) pairs.c[i] = fma(c[2 * i + 1], x, c[2 * i]);
            if constexpr (n % 2 == 1) pairs.c[n / 2] = c[n - 1];
            return pairs(x * x);
        }
    }
};
// Σ c[i] x^i
template <class T, int n> MAILLON_INLINE Vec<T> polynomial(const T (&c)[n], Vec<T> x) {
    Polynomial<T, n> p;
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) p.c[i] = broadcast(c[i]);
    return p(x);
}

// x = n ln 2 + r, |r| ≤ ln 2 / 2. 2^n comes as low · high: it may be denormal or infinite where e^r · 2^n is not.
template <class T> struct Reduced {
    Vec<T> n, low, high;
};
template <class T> MAILLON_INLINE Reduced<T> reduce(Vec<T> x) {
    using N = Number<T>;
    // Added to a number this large, n + 2 bias stands, rounded, in the lowest bits.
    const T round = T(uint64_t(3) << (N::mantissa_bits - 1)) + T(2 * N::bias);
    const Vec<T> shifted = fma(x, broadcast(N::log2_e), broadcast(round));
    const Words<T> exponent = (Words<T>)shifted, half = exponent >> 1;
    return {shifted - round, (Vec<T>)(half << N::mantissa_bits), (Vec<T>)((exponent - half) << N::mantissa_bits)};
}

// e^x = (1 + p) · low · high
template <class T> struct Exponential {
    Vec<T> p, low, high;
};
template <class T> MAILLON_INLINE Exponential<T> exponential(Vec<T> x) {
    using N = Number<T>;
    x = at_least<T>(N::exp_least, at_most<T>(N::exp_most, x));
    const Reduced<T> e = reduce<T>(x);
    const Vec<T> r = fma(e.n, broadcast(-N::ln2_low), fma(e.n, broadcast(-N::ln2_high), x));
    return {fma(r * r, polynomial(N::exp, r), r), e.low, e.high};
}
// e^(x + lost), |lost| small
template <class T> MAILLON_INLINE Exponential<T> exponential(Vec<T> x, Vec<T> lost) {
    using N = Number<T>;
    x = at_least<T>(N::exp_least, at_most<T>(N::exp_most, x));
    const Reduced<T> e = reduce<T>(x + lost);
    const Vec<T> r = fma(e.n, broadcast(-N::ln2_low), fma(e.n, broadcast(-N::ln2_high), x) + lost);
    return {fma(r * r, polynomial(N::exp, r), r), e.low, e.high};
}

template <class T> MAILLON_INLINE Vec<T> exp_of(Vec<T> x) {
    const Exponential<T> e = exponential<T>(x);
    return (e.p + T(1)) * e.low * e.high;
}

// With 2^n = low · high: (p low + low - 1 / high) high, which is exact but for p where n = 0, and cancels nowhere.
template <class T> MAILLON_INLINE Vec<T> expm1_of(Vec<T> x) {
    using N = Number<T>;
    const Exponential<T> e = exponential<T>(x);
    const Vec<T> down = (Vec<T>)((2 * N::bias << N::mantissa_bits) - (Words<T>)e.high);
    const Vec<T> y = fma(e.low, e.p, e.low - down) * e.high;
    return (Vec<T>)((Words<T>)y | ((Words<T>)x & (Words<T>)broadcast(T(-0.0)))); // of -0 it is -0
}

template <class T> MAILLON_INLINE Vec<T> tanh_near_0(Vec<T> r) {
    const Vec<T> z = r * r;
    return fma(r * z, polynomial(Number<T>::tanh, z), r);
}

// 1 / (1 + e^-x) = s (1 + t) / (s (1 + t) + 1 - t), s = 2^n, t = tanh(r / 2), written as m + m · a quotient below 1/2
// with the power of two m = min(s, 1): the quotient's rounding counts half, and the result is at most 1.
template <class T> MAILLON_INLINE Vec<T> sigmoid_of(Vec<T> x) {
    using N = Number<T>;
    x = at_least<T>(N::exp_least, at_most<T>(N::sigmoid_most, x));
    const Reduced<T> e = reduce<T>(x);
    const Vec<T> half = fma(e.n, broadcast(N::ln2_high * T(-0.5)), x * T(0.5));
    const Vec<T> t = tanh_near_0<T>(fma(e.n, broadcast(N::ln2_low * T(-0.5)), half));
    const Vec<T> s = e.low * e.high, m = at_most<T>(T(1), s);
    return fma(m, fma(T(2) - m, t, -m) / fma(s - T(1), t, s + T(1)), m);
}

// (s (1 + t) - (1 - t)) / (s (1 + t) + 1 - t), s = 2^n, for |x| = n ln 2 / 2 + r and t = tanh r, written as c + a
// quotient that is small but where n = 0, with c = (1 - 1 / s)². Tiny x come out as they went in.
template <class T> MAILLON_INLINE Vec<T> tanh_of(Vec<T> x) {
    using N = Number<T>;
    const Words<T> sign = (Words<T>)x & (Words<T>)broadcast(T(-0.0));
    const Vec<T> a = at_most<T>(N::tanh_most, (Vec<T>)((Words<T>)x ^ sign));
    const T round = T(uint64_t(3) << (N::mantissa_bits - 1)) + T(N::bias);
    const Vec<T> shifted = fma(a, broadcast(2 * N::log2_e), broadcast(round)), n = shifted - round;
    const Words<T> exponent = (Words<T>)shifted << N::mantissa_bits;
    const Vec<T> s = (Vec<T>)exponent, w = (Vec<T>)((2 * N::bias << N::mantissa_bits) - exponent);
    // n is small, and ln 2 rounded to a float is right to 29 bits: one product, rounded once, is exact enough.
    Vec<T> r = a;
    if constexpr (fused && sizeof(T) == 4) r = fma(n, broadcast(T(-0x1.62e43p-2)), a);
    else r = fma(n, broadcast(N::ln2_low * T(-0.5)), fma(n, broadcast(N::ln2_high * T(-0.5)), a));
    const Vec<T> t = tanh_near_0<T>(r), e = T(1) - w, c = fma(w, w - T(2), broadcast(T(1)));
    const Vec<T> y = c + fma(e + T(2) + c, t, w * e) / fma(s - T(1), t, s + T(1));
    return (Vec<T>)((Words<T>)y | sign);
}

// k ln 2 + log(1 + f), √½ ≤ 1 + f < √2, by s = f / (2 + f): log(1 + f) = f - f²/2 + s (f²/2 + s² Σ c s^2i)
template <class T> MAILLON_INLINE Vec<T> log_of_parts(Vec<T> k, Vec<T> f) {
    using N = Number<T>;
    const Vec<T> s = f / (f + T(2)), z = s * s, half = f * f * T(0.5);
    const Vec<T> rest = fma(s, fma(z, polynomial(N::log, z), half), k * N::ln2_low);
    return fma(k, broadcast(N::ln2_high), f - (half - rest));
}

// u = m · 2^k, √½ ≤ m < √2, for normal u > 0
template <class T> struct Parts {
    Vec<T> m, k;
    Words<T> biased; // k + bias
};
template <class T> MAILLON_INLINE Parts<T> parts(Vec<T> u) {
    using N = Number<T>;
    using Word = typename N::Word;
    constexpr Word one = Word(1) << N::mantissa_bits;
    const Words<T> from_root = (Words<T>)u - N::root_half;
    const Words<T> biased = (from_root + N::bias * one) >> N::mantissa_bits;
    const Words<T> m = (from_root & (one - 1)) + N::root_half;
    const T large = T(one); // its lowest mantissa bit counts ones
    const Vec<T> k = (Vec<T>)(biased | (Words<T>)broadcast(large)) - (large + T(N::bias));
    return {(Vec<T>)m, k, biased};
}

// The logarithm of u where that is a matter of arithmetic, else -inf at 0, NaN below, and x: +inf, NaN, log1p's ±0.
template <class T> MAILLON_INLINE Vec<T> log_or_special(Bits<T> usual, Vec<T> log, Vec<T> u, Vec<T> x) {
    using N = Number<T>;
    const Vec<T> infinity = (Vec<T>)(Words<T>{} + N::infinity), nan = (Vec<T>)(Words<T>{} + N::nan), zero{};
    const Vec<T> below = u < zero ? nan : x;
    const Vec<T> special = u == zero ? -infinity : below;
    return usual ? log : special;
}

template <class T> MAILLON_INLINE Vec<T> log_of(Vec<T> x) {
    using N = Number<T>;
    const Vec<T> infinity = (Vec<T>)(Words<T>{} + N::infinity), zero{};
    const Bits<T> denormal = x < broadcast(N::smallest_normal);
    const T up = T(uint64_t(1) << N::mantissa_bits);
    const Parts<T> p = parts<T>(denormal ? x * up : x);
    const Vec<T> shift = denormal ? broadcast(T(N::mantissa_bits)) : zero;
    return log_or_special<T>((x > zero) & (x < infinity), log_of_parts<T>(p.k - shift, p.m - T(1)), x, x);
}

// With u = 1 + x, rounded, and c what rounding took: log(u + c) = k ln 2 + log(m + c / 2^k).
template <class T> MAILLON_INLINE Vec<T> log1p_of(Vec<T> x) {
    using N = Number<T>;
    const Vec<T> infinity = (Vec<T>)(Words<T>{} + N::infinity), zero{};
    const Vec<T> u = x + T(1), most = u - T(1);
    const Vec<T> c = (T(1) - (u - most)) + (x - most);
    const Parts<T> p = parts<T>(u);
    const T large = T(uint64_t(1) << (N::mantissa_bits + 3)); // from here on c has no effect
    const Words<T> down = (2 * N::bias - p.biased) << N::mantissa_bits;
    const Vec<T> lost = c * (Vec<T>)((Words<T>)(u < broadcast(large)) & down);
    const Vec<T> y = log_of_parts<T>(p.k, (p.m - T(1)) + lost);
    return log_or_special<T>((u > zero) & (u < infinity) & (x != zero), y, u, x);
}

// log(1 + e^x) = max(x, 0) + log(1 + f) with f = e^-|x| ≤ 1, which is as in log_of_parts
template <class T> MAILLON_INLINE Vec<T> softplus_of(Vec<T> x) {
    const Vec<T> f = exp_of<T>((Vec<T>)((Words<T>)x | (Words<T>)broadcast(T(-0.0))));
    const Vec<T> s = f / (f + T(2)), z = s * s, half = f * f * T(0.5);
    return at_least<T>(T(0), x) + (f - (half - s * fma(z, polynomial(Number<T>::log_far, z), half)));
}

// The normal law: its distribution function Φ, within 6 units, and its density φ. With t = |x|, Φ(-t) is e^(-t²/2) times
// a quotient of polynomials without cancellation. t²/2 is split into its high half, which is exact, and a small rest.
template <class T> struct Normal {
    Vec<T> distribution, density;
};
template <class T> MAILLON_INLINE Normal<T> normal(Vec<T> x) {
    using N = Number<T>;
    const Vec<T> t = at_most<T>(N::normal_most, (Vec<T>)((Words<T>)x & ~(Words<T>)broadcast(T(-0.0))));
    const Vec<T> head = (Vec<T>)((Words<T>)t & (Words<T>{} + N::high_half));
    const Exponential<T> e = exponential<T>(head * head * T(-0.5), (head - t) * (head + t) * T(0.5));
    const Vec<T> q = polynomial(N::normal_above, t) / polynomial(N::normal_below, t);
    const Vec<T> tail = fma(q, e.p, q) * e.low * e.high, zero{};
    return {x < zero ? tail : T(1) - tail, (e.p + T(1)) * T(0.39894228040143267794) * e.low * e.high};
}

// sin x and cos x for |x| ≤ 10⁴, within 2.5 units where multiply-adds are not fused; further out ever fewer digits are
// right. x = n π/2 + r, |r| ≤ π/4 and a little.
template <class T> struct SinCos {
    Vec<T> sin, cos;
};
template <class T> MAILLON_INLINE SinCos<T> sin_cos(Vec<T> x) {
    using N = Number<T>;
    // Added to a number this large, n stands, rounded, in the lowest bits.
    const T round = T(uint64_t(3) << (N::mantissa_bits - 1));
    const Vec<T> shifted = fma(x, broadcast(N::two_over_pi), broadcast(round)), n = shifted - round;
    Vec<T> r = x;
#pragma GCC unroll 5
    for (T part : HalfPi<T, fused>::parts) r = fma(n, broadcast(-part), r);
    const Vec<T> z = r * r, s = fma(r * z, polynomial(N::sin, z), r);
    const Vec<T> c = fma(z * z, polynomial(N::cos, z), fma(z, broadcast(T(-0.5)), broadcast(T(1))));
    constexpr int second = 8 * int(sizeof(T)) - 2; // from the second lowest bit to the sign
    const Words<T> quarter = (Words<T>)shifted, sign = (Words<T>)broadcast(T(-0.0));
    const Bits<T> odd = (Bits<T>)(quarter & 1) != 0;
    return {(Vec<T>)((Words<T>)(odd ? c : s) ^ (quarter << second & sign)),
            (Vec<T>)((Words<T>)(odd ? s : c) ^ (quarter + 1 << second & sign))};
}

// What rounding took from the product of a and b.
template <class T> MAILLON_INLINE Vec<T> product_error(Vec<T> a, Vec<T> b, Vec<T> rounded) {
    if constexpr (fused) return fma(a, b, -rounded);
    const Words<T> mask = Words<T>{} + Number<T>::high_half;
    const Vec<T> a_high = (Vec<T>)((Words<T>)a & mask), b_high = (Vec<T>)((Words<T>)b & mask);
    const Vec<T> a_low = a - a_high, b_low = b - b_high;
    return ((a_high * b_high - rounded) + a_high * b_low + a_low * b_high) + a_low * b_low;
}

// x^y for x ≥ 0 (NaN below), within 2 units where |y log x| ≤ 8, and beyond it in proportion.
template <class T> MAILLON_INLINE Vec<T> pow_of(Vec<T> x, Vec<T> y) {
    using N = Number<T>;
    const Vec<T> infinity = (Vec<T>)(Words<T>{} + N::infinity), zero{}, one = broadcast(T(1));
    const Bits<T> denormal = x < broadcast(N::smallest_normal);
    const T up = T(uint64_t(1) << N::mantissa_bits);
    const Parts<T> u = parts<T>(denormal ? x * up : x);
    const Vec<T> k = u.k - (denormal ? broadcast(T(N::mantissa_bits)) : zero), f = u.m - one;
    // log x = high + low: f - f²/2 exactly, the rest as in log_of_parts
    const Vec<T> s = f / (f + T(2)), z = s * s, square = f * f, half = square * T(0.5);
    const Vec<T> half_low = product_error<T>(f, f, square) * T(0.5);
    const Vec<T> near = f - half, near_low = (f - near) - half - half_low;
    const Vec<T> rest = s * fma(z, polynomial(N::log, z), half);
    const Vec<T> whole = k * N::ln2_high, sum = whole + near, part = sum - whole;
    const Vec<T> sum_low = (whole - (sum - part)) + (near - part);
    const Vec<T> low = fma(k, broadcast(N::ln2_low), sum_low + near_low) + rest;
    const Vec<T> high = sum + low, lost = (sum - high) + low;
    const Vec<T> power = y * high, power_low = fma(y, lost, product_error<T>(y, high, power));
    const Exponential<T> e = exponential<T>(power, power - power == zero ? power_low : zero);
    const Vec<T> usual = (e.p + T(1)) * e.low * e.high;
    const Vec<T> at_0 = y > zero ? zero : y < zero ? infinity : one;
    const Vec<T> at_infinity = y > zero ? infinity : y < zero ? zero : one;
    const Vec<T> beyond = x == zero ? at_0 : x == infinity ? at_infinity : (Vec<T>)(Words<T>{} + N::nan);
    return (x > zero) & (x < infinity) ? usual : beyond;
}

MAILLON_INLINE Vec<float> exp(Vec<float> x) { return exp_of<float>(x); }
MAILLON_INLINE Vec<double> exp(Vec<double> x) { return exp_of<double>(x); }
MAILLON_INLINE Vec<float> log(Vec<float> x) { return log_of<float>(x); }
MAILLON_INLINE Vec<double> log(Vec<double> x) { return log_of<double>(x); }
MAILLON_INLINE Vec<float> log1p(Vec<float> x) { return log1p_of<float>(x); }
MAILLON_INLINE Vec<double> log1p(Vec<double> x) { return log1p_of<double>(x); }
MAILLON_INLINE Vec<float> tanh(Vec<float> x) { return tanh_of<float>(x); }
MAILLON_INLINE Vec<double> tanh(Vec<double> x) { return tanh_of<double>(x); }
MAILLON_INLINE Vec<float> sigmoid(Vec<float> x) { return sigmoid_of<float>(x); }
MAILLON_INLINE Vec<double> sigmoid(Vec<double> x) { return sigmoid_of<double>(x); }
MAILLON_INLINE Vec<float> expm1(Vec<float> x) { return expm1_of<float>(x); }
MAILLON_INLINE Vec<double> expm1(Vec<double> x) { return expm1_of<double>(x); }
MAILLON_INLINE Vec<float> softplus(Vec<float> x) { return softplus_of<float>(x); }
MAILLON_INLINE Vec<double> softplus(Vec<double> x) { return softplus_of<double>(x); }
MAILLON_INLINE Vec<float> pow(Vec<float> x, Vec<float> y) { return pow_of<float>(x, y); }
MAILLON_INLINE Vec<double> pow(Vec<double> x, Vec<double> y) { return pow_of<double>(x, y); }

} // namespace maillon::MAILLON_ISA
