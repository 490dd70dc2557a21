// The products that are too small, or have too few rows, for packing to pay; none of them needs a workspace.
#pragma once

#include "gemm_kernel.hpp"

namespace maillon::MAILLON_ISA {

// The value that element (i, j) begins with.
template <class T> MAILLON_INLINE T begin_value(const Product<T>& g, int64_t i, int64_t j) {
    return g.begin == Begin::keep ? g.c[i * g.c_row + j] : g.begin == Begin::bias ? g.bias[j] : T(0);
}

// One element after the other: a handful of them, or none (k = 0).
template <class T> void product_scalar(const Product<T>& g) {
    for (int64_t i = 0; i < g.m; ++i)
        for (int64_t j = 0; j < g.n; ++j) {
            T sum = begin_value(g, i, j);
            const T *a = g.a + i * g.a_row, *b = g.b + j * g.b_col;
            for (int64_t p = 0; p < g.k; ++p) sum = fma(a[p * g.a_k], b[p * g.b_k], sum);
            g.c[i * g.c_row + j] = sum;
        }
}

// k = 1, columns [from, to): the rank-1 update.
template <class T> void product_outer(const Product<T>& g, int64_t from, int64_t to) {
    for (int64_t i = 0; i < g.m; ++i) {
        const Vec<T> factor = broadcast<T>(g.a[i * g.a_row]);
        T* c = g.c + i * g.c_row;
        const T* start = g.begin == Begin::keep ? c : g.bias;
        for (int64_t j = from; j < to; j += lanes<T>) {
            const int n = to - j < lanes<T> ? int(to - j) : lanes<T>;
            const Vec<T> sum = g.begin == Begin::zero ? Vec<T>{} : load_up_to(start + j, n);
            store_up_to(c + j, fma(factor, load_up_to(g.b + j, n), sum), n);
        }
    }
}

// ── Dot products, where A and B both lie along k and there are few rows or columns ──────────────────────────────────

// The logical vector of 256 bits over which a dot product runs, whatever the register.
#if defined(__AVX2__)
template <class T> struct WideOf;
template <> struct WideOf<float> {
    typedef float Vec __attribute__((vector_size(32)));
};
template <> struct WideOf<double> {
    typedef double Vec __attribute__((vector_size(32)));
};
template <class T> using Wide = typename WideOf<T>::Vec;
MAILLON_INLINE Wide<float> fma_wide(Wide<float> a, Wide<float> b, Wide<float> c) { return _mm256_fmadd_ps(a, b, c); }
MAILLON_INLINE Wide<double> fma_wide(Wide<double> a, Wide<double> b, Wide<double> c) {
    return _mm256_fmadd_pd(a, b, c);
}
template <class T> MAILLON_INLINE Wide<T> add_wide(Wide<T> a, Wide<T> b) { return a + b; }
template <class T> MAILLON_INLINE Wide<T> load_wide(const T* from) {
    Wide<T> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}
MAILLON_INLINE Wide<float> load_wide(const float* from, int n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane));
}
MAILLON_INLINE Wide<double> load_wide(const double* from, int n) {
    return _mm256_maskload_pd(from, _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3)));
}
// The sums of four vectors: ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)), for doubles (0 + 1) + (2 + 3).
MAILLON_INLINE void sum_wide(const Wide<float> (&x)[4], float (&sum)[4]) {
    const __m256 four = _mm256_hadd_ps(_mm256_hadd_ps(x[0], x[1]), _mm256_hadd_ps(x[2], x[3]));
    _mm_storeu_ps(sum, _mm_add_ps(_mm256_castps256_ps128(four), _mm256_extractf128_ps(four, 1)));
}
MAILLON_INLINE void sum_wide(const Wide<double> (&x)[4], double (&sum)[4]) {
    const __m256d ab = _mm256_hadd_pd(x[0], x[1]), cd = _mm256_hadd_pd(x[2], x[3]);
    _mm256_storeu_pd(sum, _mm256_add_pd(_mm256_permute2f128_pd(ab, cd, 0x20), _mm256_permute2f128_pd(ab, cd, 0x31)));
}
#else
template <class T> struct Wide {
    Vec<T> half[2]{};
};
template <class T> MAILLON_INLINE Wide<T> fma_wide(Wide<T> a, Wide<T> b, Wide<T> c) {
    return {{fma(a.half[0], b.half[0], c.half[0]), fma(a.half[1], b.half[1], c.half[1])}};
}
template <class T> MAILLON_INLINE Wide<T> add_wide(Wide<T> a, Wide<T> b) {
    return {{a.half[0] + b.half[0], a.half[1] + b.half[1]}};
}
template <class T> MAILLON_INLINE Wide<T> load_wide(const T* from) { return {{load(from), load(from + lanes<T>)}}; }
template <class T> MAILLON_INLINE Wide<T> load_wide(const T* from, int n) {
    if (n <= lanes<T>) return {{load_up_to(from, n), Vec<T>{}}};
    return {{load(from), load_partial(from + lanes<T>, n - lanes<T>)}};
}
template <class T> MAILLON_INLINE T sum_lanes(Vec<T> x) {
    if constexpr (lanes<T> == 2) return x[0] + x[1];
    else return (x[0] + x[1]) + (x[2] + x[3]);
}
template <class T> MAILLON_INLINE void sum_wide(const Wide<T> (&x)[4], T (&sum)[4]) {
    for (int i = 0; i < 4; ++i) sum[i] = sum_lanes<T>(x[i].half[0]) + sum_lanes<T>(x[i].half[1]);
}
#endif
template <class T> inline constexpr int wide = 32 / int(sizeof(T));

// R rows by Q columns at (i, j).
template <class T, int R, int Q> __attribute__((noinline)) void dots(const Product<T>& g, int64_t i, int64_t j) {
    Wide<T> sum[(R * Q + 3) / 4 * 4]{};
    const T *a = g.a + i * g.a_row, *b = g.b + j * g.b_col;
    const auto step = [&](auto read) __attribute__((always_inline)) {
        Wide<T> x[R];
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) x[r] = read(a + r * g.a_row);
#pragma GCC unroll 4
        for (int q = 0; q < Q; ++q) {
            const Wide<T> y = read(b + q * g.b_col);
#pragma GCC unroll 4
            for (int r = 0; r < R; ++r) sum[r * Q + q] = fma_wide(x[r], y, sum[r * Q + q]);
        }
        a += wide<T>;
        b += wide<T>;
    };
    int64_t p = 0;
    for (; p + wide<T> <= g.k; p += wide<T>) step([](const T* from) { return load_wide(from); });
    const int rest = int(g.k - p);
    if (rest) step([rest](const T* from) { return load_wide(from, rest); });
    T total[(R * Q + 3) / 4 * 4];
#pragma GCC unroll 4
    for (int group = 0; group < R * Q; group += 4) {
        const Wide<T> four[4] = {sum[group], sum[group + 1], sum[group + 2], sum[group + 3]};
        T of_four[4];
        sum_wide(four, of_four);
        std::memcpy(total + group, of_four, sizeof of_four);
    }
    for (int r = 0; r < R; ++r)
        for (int q = 0; q < Q; ++q) {
            T* c = g.c + (i + r) * g.c_row + j + q;
            *c = g.begin == Begin::zero ? total[r * Q + q] : total[r * Q + q] + begin_value(g, i + r, j + q);
        }
}

// Rows [i, m) of Q columns at j, R rows at a time.
template <class T, int R, int Q> void dot_rows(const Product<T>& g, int64_t i, int64_t m, int64_t j) {
    for (; i + R <= m; i += R) dots<T, R, Q>(g, i, j);
    if constexpr (R > 1) {
        if (i < m) dot_rows<T, R - 1, Q>(g, i, m, j);
    }
}

// Few rows or few columns along k: C = Σ over p in the 8 (float) or 4 (double) lanes p mod 8 of a 256-bit vector.
template <class T> void product_dots(const Product<T>& g, const Team& team) {
    const bool by_columns = g.n >= g.m;
    const Span rows = by_columns ? Span{0, g.m} : share(g.m, 4, team);
    const Span columns = by_columns ? share(g.n, 4, team) : Span{0, g.n};
    int64_t j = columns.begin;
    for (; j + 4 <= columns.end; j += 4) dot_rows<T, 3, 4>(g, rows.begin, rows.end, j);
    switch (columns.end - j) {
    case 3: return dot_rows<T, 4, 3>(g, rows.begin, rows.end, j);
    case 2: return dot_rows<T, 4, 2>(g, rows.begin, rows.end, j);
    case 1: return dot_rows<T, 4, 1>(g, rows.begin, rows.end, j);
    default: return;
    }
}

// ── Tiles over B in place (its columns side by side), or over one panel of it at a time on the stack ────────────────

// A few rows by many registers, where the tile's own shape would wait for its few sums.
template <class T, int R, int V, bool ALONG_K> int64_t wide_tiles(Tile<T> t, int64_t n) {
    int64_t j = 0;
    t.last = lanes<T>;
    for (; j + V * lanes<T> <= n; j += V * lanes<T>) {
        tile<T, R, V, ALONG_K, false>(t);
        t.b += V * lanes<T>;
        t.c += V * lanes<T>;
        t.bias += t.begin == Begin::bias ? V * lanes<T> : 0;
    }
    return j;
}

template <class T, bool ALONG_K> void direct(const Product<T>& g, Span rows, Span columns) {
    const int64_t m = rows.end - rows.begin;
    const int64_t a_stride = ALONG_K ? g.a_row : g.a_k;
    const int64_t depth = columns.end - columns.begin > 256 ? 32 : slice; // few long rows of B at a time: few pages
    for (int64_t p = 0; p < g.k; p += depth) {
        const int64_t k = g.k - p < depth ? g.k - p : depth;
        const Begin begin = p == 0 ? g.begin : Begin::keep;
        const T* a = g.a + rows.begin * g.a_row + p * g.a_k;
        int64_t j = columns.begin;
        const auto tile_at = [&](int64_t column) {
            const T* bias = begin == Begin::bias ? g.bias + column : nullptr;
            return Tile<T>{k,     a,    a_stride, g.b + p * g.b_k + column, g.b_k, g.c + rows.begin * g.c_row + column,
                           g.c_row, 0, bias,     begin};
        };
        if (m == 1) j += wide_tiles<T, 1, 8, ALONG_K>(tile_at(j), columns.end - j);
        if (m == 2) j += wide_tiles<T, 2, 4, ALONG_K>(tile_at(j), columns.end - j);
        if (m == 3) j += wide_tiles<T, 3, 4, ALONG_K>(tile_at(j), columns.end - j);
        for (; j < columns.end; j += tile_columns<T>) {
            const int n = columns.end - j < tile_columns<T> ? int(columns.end - j) : tile_columns<T>;
            Tile<T> t = tile_at(j);
            tile_column<T, tile_vectors, ALONG_K>(t, m, tile_rows * g.a_row, n, false);
        }
    }
}

template <class T, bool ALONG_K> void on_the_stack(const Product<T>& g, Span rows, Span columns) {
    T panel[slice * tile_columns<T>];
    const int64_t m = rows.end - rows.begin;
    for (int64_t j = columns.begin; j < columns.end; j += tile_columns<T>) {
        const int n = columns.end - j < tile_columns<T> ? int(columns.end - j) : tile_columns<T>;
        for (int64_t p = 0; p < g.k; p += slice) {
            const int64_t k = g.k - p < slice ? g.k - p : slice;
            pack_b(g, p, k, j, n, panel);
            const Begin begin = p == 0 ? g.begin : Begin::keep;
            const T* bias = begin == Begin::bias ? g.bias + j : nullptr;
            Tile<T> t{k,       g.a + rows.begin * g.a_row + p * g.a_k, ALONG_K ? g.a_row : g.a_k, panel,
                            tile_columns<T>, g.c + rows.begin * g.c_row + j, g.c_row, 0, bias, begin};
            tile_column<T, tile_vectors, ALONG_K>(t, m, tile_rows * g.a_row, n, true);
        }
    }
}

template <class T> void product_unpacked(const Product<T>& g, const Team& team) {
    const bool by_columns = g.n >= g.m;
    const Span rows = by_columns ? Span{0, g.m} : share(g.m, tile_rows, team);
    const Span columns = by_columns ? share(g.n, tile_columns<T>, team) : Span{0, g.n};
    if (rows.begin >= rows.end || columns.begin >= columns.end) return;
    if (g.k == 1 && g.b_col == 1 && by_columns) return product_outer(g, columns.begin, columns.end);
    if (g.b_col == 1) return g.a_k == 1 ? direct<T, true>(g, rows, columns) : direct<T, false>(g, rows, columns);
    return g.a_k == 1 ? on_the_stack<T, true>(g, rows, columns) : on_the_stack<T, false>(g, rows, columns);
}

} // namespace maillon::MAILLON_ISA
