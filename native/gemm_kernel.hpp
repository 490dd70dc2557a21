// The register tile of the matrix product, and the packing that feeds it. A tile is R rows of C by V registers; it
// holds its accumulators in registers while it runs over k, one multiply-add for each k, in order: blocking,
// packing and tile shape therefore change no bit of C.
#pragma once

#include "lanes.hpp"
#include "simd.hpp"
#include "team.hpp"

namespace maillon::MAILLON_ISA {

enum class Begin : int { zero, bias, keep }; // the accumulators start at 0, at bias[j], or at what C holds

// Data are often mostly zeros (images, one-hot columns). Steps at which a whole panel of that factor is zero are left out:
// that changes no bit of a finite sum.
enum class Zeros : int { few, many_in_a, many_in_b };

// C (m × n, row-major, row stride c_row) = begin + A·B. Element (i, p) of A lies at a[i·a_row + p·a_k], element (p, j)
// of B at b[p·b_k + j·b_col]; of each pair of strides one is 1.
template <class T> struct Product {
    int64_t m, n, k;
    const T* a;
    int64_t a_row, a_k;
    const T* b;
    int64_t b_k, b_col;
    T* c;
    int64_t c_row;
    const T* bias;
    Begin begin;
    Zeros zeros = Zeros::few;
};

#if defined(__AVX512F__)
inline constexpr int tile_rows = 12, tile_vectors = 2;
#elif defined(__AVX2__)
inline constexpr int tile_rows = 6, tile_vectors = 2;
#elif defined(__aarch64__)
inline constexpr int tile_rows = 8, tile_vectors = 3;
#else
inline constexpr int tile_rows = 4, tile_vectors = 2;
#endif
template <class T> inline constexpr int tile_columns = tile_vectors * lanes<T>;

inline constexpr int64_t slice = 384; // elements of k that one pass over the tiles takes

struct Steps {
    int count;
    uint16_t k[slice];
};

// The operands of a column of tiles: A read along k (stride: from row to row) or along its rows (stride: from k to k).
template <class T> struct Tile {
    int64_t k;
    const T* a;
    int64_t a_stride;
    const T* b;
    int64_t b_stride; // from k to k; the columns lie side by side
    T* c;
    int64_t c_row;
    int last; // lanes that count in the last register of columns
    const T* bias;
    Begin begin;
    const Steps* steps = nullptr; // the k that count; null: all
};

// sum = a · b + sum. Where registers are few, the instruction is written out: GCC 12 prefers its other forms, which put
// the sum into another register, runs out of registers and spills.
template <class T> MAILLON_INLINE void accumulate(Vec<T>& sum, Vec<T> a, Vec<T> b) {
#if defined(__AVX2__) && !defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) asm("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    else asm("vfmadd231pd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
#else
    sum = fma(a, b, sum);
#endif
}

template <class T, int R, int V> MAILLON_INLINE void begin_tile(const Tile<T>& t, Vec<T> (&sum)[R][V]) {
    if (t.begin == Begin::keep) {
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) {
                const T* from = t.c + r * t.c_row + v * lanes<T>;
                sum[r][v] = v == V - 1 ? load_up_to(from, t.last) : load(from);
            }
        return;
    }
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
        Vec<T> start{};
        if (t.begin == Begin::bias) {
            const T* from = t.bias + v * lanes<T>;
            start = v == V - 1 ? load_up_to(from, t.last) : load(from);
        }
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) sum[r][v] = start;
    }
}

// PARTIAL: the last register of B is read by its lanes that count only (packed B is padded and needs none of this).
// LISTED: only the k of `steps`.
template <class T, int R, int V, bool ALONG_K, bool PARTIAL, bool LISTED = false>
__attribute__((noinline)) void tile(const Tile<T>& t) {
    Vec<T> sum[R][V];
    begin_tile<T, R, V>(t, sum);
    const T* a[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) a[r] = ALONG_K ? t.a + r * t.a_stride : t.a + r;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) { // the C of the next tile down: fetched meanwhile
        __builtin_prefetch(t.c + (R + r) * t.c_row, 1);
        if (V * sizeof(Vec<T>) >= 64) __builtin_prefetch(t.c + (R + r) * t.c_row + V * lanes<T> - 1, 1);
    }
    const T* b = t.b;
    const int64_t a_stride = t.a_stride, b_stride = t.b_stride;
    const int last = t.last;
    const auto step = [&](int64_t p, int64_t ahead) __attribute__((always_inline)) {
        Vec<T> column[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            const T* from = b + v * lanes<T>;
            column[v] = PARTIAL && v == V - 1 ? load_partial(from, last) : load(from);
        }
        b += b_stride;
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const Vec<T> factor = broadcast<T>(ALONG_K ? a[r][p + ahead] : a[0][r]);
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) accumulate<T>(sum[r][v], factor, column[v]);
        }
        if (!ALONG_K) a[0] += a_stride;
    };
    if constexpr (LISTED) {
        const T *first = t.b, *row = t.a;
        for (int q = 0; q < t.steps->count; ++q) {
            const int64_t k = t.steps->k[q];
            b = first + k * b_stride;
            if (!ALONG_K) a[0] = row + k * a_stride;
            step(k, 0);
        }
    } else {
        int64_t p = 0;
        for (; p + 4 <= t.k; p += 4) {
            if (!ALONG_K) { // packed: 64 bytes of A at least every other step
                __builtin_prefetch(a[0] + 32 * a_stride);
                __builtin_prefetch(a[0] + 34 * a_stride);
            }
            step(p, 0);
            step(p, 1);
            step(p, 2);
            step(p, 3);
        }
        for (; p < t.k; ++p) step(p, 0);
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            T* to = t.c + r * t.c_row + v * lanes<T>;
            if (v == V - 1) store_up_to(to, sum[r][v], last);
            else store(to, sum[r][v]);
        }
}

// A tile of `rows` ≤ R rows.
template <class T, int R, int V, bool ALONG_K, bool PARTIAL> void some_rows(const Tile<T>& t, int64_t rows) {
    if constexpr (R > 1) {
        if (rows < R) return some_rows<T, R - 1, V, ALONG_K, PARTIAL>(t, rows);
    }
    tile<T, R, V, ALONG_K, PARTIAL>(t);
}

// A column of tiles m rows long; a_step leads from one tile's A to the next, as t then stands.
template <class T, int V, bool ALONG_K, bool PARTIAL> void tile_column(Tile<T>& t, int64_t m, int64_t a_step) {
    for (; m >= tile_rows; m -= tile_rows) {
        tile<T, tile_rows, V, ALONG_K, PARTIAL>(t);
        t.a += a_step;
        t.c += tile_rows * t.c_row;
    }
    if (m > 0) some_rows<T, tile_rows, V, ALONG_K, PARTIAL>(t, m);
}

// Whole tiles, of which the i-th leaves out all but the k of steps[i]; or all of them those of `steps`. What is left of
// the rows and columns leaves out nothing.
template <class T, bool ALONG_K>
void listed_column(Tile<T> t, int64_t m, int64_t a_step, const Steps* steps, bool one_for_all) {
    t.last = lanes<T>;
    for (int64_t i = 0; m >= tile_rows; m -= tile_rows, ++i) {
        t.steps = one_for_all ? steps : steps + i;
        if (t.steps->count < t.k) tile<T, tile_rows, tile_vectors, ALONG_K, false, true>(t);
        else tile<T, tile_rows, tile_vectors, ALONG_K, false>(t);
        t.a += a_step;
        t.c += tile_rows * t.c_row;
    }
    if (m > 0) some_rows<T, tile_rows, tile_vectors, ALONG_K, false>(t, m);
}

// The same for `columns` ≤ V registers of columns.
template <class T, int V, bool ALONG_K>
void tile_column(Tile<T>& t, int64_t m, int64_t a_step, int columns, bool padded) {
    if constexpr (V > 1) {
        if (columns <= (V - 1) * lanes<T>) return tile_column<T, V - 1, ALONG_K>(t, m, a_step, columns, padded);
    }
    t.last = columns - (V - 1) * lanes<T>;
    if (t.last == lanes<T> || padded) tile_column<T, V, ALONG_K, false>(t, m, a_step);
    else tile_column<T, V, ALONG_K, true>(t, m, a_step);
}

// ── Packing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

template <class T> inline constexpr int quad = 16 / int(sizeof(T)); // elements of 16 bytes
typedef float Quad __attribute__((vector_size(16)));
typedef double Pair __attribute__((vector_size(16)));

// to[p·to_row + j] = x[j·row + p] for j < 4, p < 4; for doubles j < 2, p < 2.
MAILLON_INLINE void transpose_quad(const float* x, int64_t row, float* to, int64_t to_row) {
    Quad in[4];
    for (int j = 0; j < 4; ++j) std::memcpy(&in[j], x + j * row, 16);
    const Quad a = __builtin_shufflevector(in[0], in[1], 0, 4, 1, 5);
    const Quad b = __builtin_shufflevector(in[2], in[3], 0, 4, 1, 5);
    const Quad c = __builtin_shufflevector(in[0], in[1], 2, 6, 3, 7);
    const Quad d = __builtin_shufflevector(in[2], in[3], 2, 6, 3, 7);
    const Quad out[4] = {__builtin_shufflevector(a, b, 0, 1, 4, 5), __builtin_shufflevector(a, b, 2, 3, 6, 7),
                         __builtin_shufflevector(c, d, 0, 1, 4, 5), __builtin_shufflevector(c, d, 2, 3, 6, 7)};
    for (int p = 0; p < 4; ++p) std::memcpy(to + p * to_row, &out[p], 16);
}
MAILLON_INLINE void transpose_quad(const double* x, int64_t row, double* to, int64_t to_row) {
    Pair a, b;
    std::memcpy(&a, x, 16);
    std::memcpy(&b, x + row, 16);
    const Pair out[2] = {__builtin_shufflevector(a, b, 0, 2), __builtin_shufflevector(a, b, 1, 3)};
    for (int p = 0; p < 2; ++p) std::memcpy(to + p * to_row, &out[p], 16);
}

#if defined(__AVX2__)
// The same for twice as many rows of x, side by side in registers of 32 bytes.
MAILLON_INLINE __m256 load_rows(const float* x, int64_t row) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(x)), _mm_loadu_ps(x + 4 * row), 1);
}
MAILLON_INLINE __m256d load_rows(const double* x, int64_t row) {
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(x)), _mm_loadu_pd(x + 2 * row), 1);
}
MAILLON_INLINE void transpose_quads(const float* x, int64_t row, float* to, int64_t to_row) {
    const __m256 a = load_rows(x, row), b = load_rows(x + row, row);
    const __m256 c = load_rows(x + 2 * row, row), d = load_rows(x + 3 * row, row);
    const __m256 ab = _mm256_unpacklo_ps(a, b), AB = _mm256_unpackhi_ps(a, b);
    const __m256 cd = _mm256_unpacklo_ps(c, d), CD = _mm256_unpackhi_ps(c, d);
    _mm256_storeu_ps(to, _mm256_shuffle_ps(ab, cd, 0x44));
    _mm256_storeu_ps(to + to_row, _mm256_shuffle_ps(ab, cd, 0xEE));
    _mm256_storeu_ps(to + 2 * to_row, _mm256_shuffle_ps(AB, CD, 0x44));
    _mm256_storeu_ps(to + 3 * to_row, _mm256_shuffle_ps(AB, CD, 0xEE));
}
MAILLON_INLINE void transpose_quads(const double* x, int64_t row, double* to, int64_t to_row) {
    const __m256d a = load_rows(x, row), b = load_rows(x + row, row);
    _mm256_storeu_pd(to, _mm256_unpacklo_pd(a, b));
    _mm256_storeu_pd(to + to_row, _mm256_unpackhi_pd(a, b));
}
#endif

// n in whole registers: as far as a tile reads a panel of B.
template <class T> MAILLON_INLINE int in_registers(int n) { return (n + lanes<T> - 1) / lanes<T> * lanes<T>; }

// to[p·width + j] = x[j·row + p] for j < n, p < k; zeros for n ≤ j < padded.
template <class T> void pack_transposed(const T* x, int64_t row, int n, int64_t k, T* to, int width, int padded) {
    const int64_t whole = k / quad<T> * quad<T>;
    int j = 0;
#if defined(__AVX2__)
    for (; j + 2 * quad<T> <= n; j += 2 * quad<T>)
        for (int64_t p = 0; p < whole; p += quad<T>) transpose_quads(x + j * row + p, row, to + p * width + j, width);
#endif
    for (; j + quad<T> <= n; j += quad<T>)
        for (int64_t p = 0; p < whole; p += quad<T>) transpose_quad(x + j * row + p, row, to + p * width + j, width);
    if (j < n && n >= quad<T>) { // the last rows, some of them a second time
        for (int64_t p = 0; p < whole; p += quad<T>)
            transpose_quad(x + (n - quad<T>) * row + p, row, to + p * width + n - quad<T>, width);
        j = n;
    }
    for (int64_t p = whole; p < k; ++p)
        for (int i = 0; i < j; ++i) to[p * width + i] = x[i * row + p];
    for (; j < padded; ++j)
        for (int64_t p = 0; p < k; ++p) to[p * width + j] = j < n ? x[j * row + p] : T(0);
}

// to[p·width + j] = x[p·row + j] for j < n, p < k.
template <class T> MAILLON_INLINE void pack_rows(const T* x, int64_t row, int n, int64_t k, T* to, int width) {
    for (int64_t p = 0; p < k; ++p, x += row, to += width)
        for (int j = 0; j < n; ++j) to[j] = x[j];
}

// A panel of B: `columns` columns from j on, k elements from p on, as k rows of tile_columns.
template <class T> void pack_b(const Product<T>& g, int64_t p, int64_t k, int64_t j, int columns, T* to) {
    constexpr int width = tile_columns<T>;
    const T* from = g.b + p * g.b_k + j * g.b_col;
    if (g.b_col != 1) return pack_transposed(from, g.b_col, columns, k, to, width, in_registers<T>(columns));
    if (columns == width) return pack_rows(from, g.b_k, width, k, to, width); // a width the compiler knows
    for (int64_t i = 0; i < k; ++i, from += g.b_k, to += width)
        for (int at = 0; at < columns; at += lanes<T>)
            store(to + at, load_up_to(from + at, columns - at < lanes<T> ? columns - at : lanes<T>));
}

// A panel of A: `rows` rows from i on, k elements from p on, as k columns of tile_rows.
template <class T> void pack_a(const Product<T>& g, int64_t p, int64_t k, int64_t i, int rows, T* to) {
    const T* from = g.a + i * g.a_row + p * g.a_k;
    if (g.a_row != 1) return pack_transposed(from, g.a_row, rows, k, to, tile_rows, rows);
    if (rows == tile_rows) return pack_rows(from, g.a_k, tile_rows, k, to, tile_rows);
    pack_rows(from, g.a_k, rows, k, to, tile_rows);
}

// ── Zeros ───────────────────────────────────────────────────────────────────────────────────────────────────────────

MAILLON_INLINE void append(Steps& steps, int64_t k, bool counts) {
    steps.k[steps.count] = uint16_t(k);
    steps.count += counts;
}

// The k for which not all of n rows of x, `row` apart and k along them, are zero; too many to be worth a list: all.
template <class T> void steps_along_rows(const T* x, int64_t row, int64_t k, Steps& steps) {
    steps.count = 0;
    int64_t p = 0;
    for (; p + lanes<T> <= k; p += lanes<T>) {
        Bits<T> any{};
#pragma GCC unroll 16
        for (int r = 0; r < tile_rows; ++r) any |= load(x + r * row + p) != Vec<T>{};
#pragma GCC unroll 16
        for (int i = 0; i < lanes<T>; ++i) append(steps, p + i, any[i] != 0);
    }
    for (; p < k; ++p) {
        bool any = false;
        for (int r = 0; r < tile_rows; ++r) any |= x[r * row + p] != 0;
        append(steps, p, any);
    }
    if (steps.count * 8 > k * 7) steps.count = int(k);
}

// The same for a panel of whole registers, one row for each k.
template <class T> void steps_of_panel(const T* x, int64_t row, int64_t k, Steps& steps) {
    steps.count = 0;
    for (int64_t p = 0; p < k; ++p, x += row) {
        Bits<T> any{};
#pragma GCC unroll 8
        for (int v = 0; v < tile_vectors; ++v) any |= load(x + v * lanes<T>) != Vec<T>{};
        append(steps, p, any_lane<T>(any));
    }
    if (steps.count * 8 > k * 7) steps.count = int(k);
}

} // namespace maillon::MAILLON_ISA
