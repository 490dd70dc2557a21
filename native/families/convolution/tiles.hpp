// The register tiles of a convolution. What they sum up stays in registers while they run over channels and taps.
#pragma once

#include "../../gemm_small.hpp"
#include "../../math.hpp"
#include "axis.hpp"

namespace maillon::MAILLON_ISA::convolution {

struct TapOffsets {
    int64_t x, weight;
};

// ── Values: R channels of outputs by V registers of a line ──────────────────────────────────────────────────────────

// Every output is begin + w₀x₀ + w₁x₁ + …, one multiply-add after the other in the order of channels and taps.
template <class T> struct LineTile {
    const T* x;
    const T* weight;
    int64_t x_channel, weight_channel, weight_row;
    const TapOffsets* taps;
    int64_t tap_count, channels;
    T* c;
    int64_t c_row;
    int last;      // lanes that count in the last register
    const T* bias; // one number for each row
    Begin begin;
    bool relu;
};

#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int line_rows = 8;
inline constexpr int line_vectors(int rows) { return rows > 4 ? 3 : rows > 2 ? 6 : 8; }
#else
inline constexpr int line_rows = 4;
inline constexpr int line_vectors(int rows) { return rows > 2 ? 3 : rows > 1 ? 6 : 8; }
#endif
inline constexpr int line_registers = 24; // rows · vectors at most

template <class T, int R, int V> __attribute__((noinline)) void line_tile(const LineTile<T>& t) {
    Vec<T> sum[R][V];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
        const Vec<T> start = t.begin == Begin::bias ? broadcast(t.bias[r]) : Vec<T>{};
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            const T* from = t.c + r * t.c_row + v * lanes<T>;
            if (t.begin == Begin::keep) sum[r][v] = v == V - 1 ? load_up_to(from, t.last) : load(from);
            else sum[r][v] = start;
        }
    }
    const T *x = t.x, *weight = t.weight;
    const TapOffsets* const end = t.taps + t.tap_count;
    const int64_t weight_row = t.weight_row;
    for (int64_t channel = 0; channel < t.channels; ++channel, x += t.x_channel, weight += t.weight_channel)
        for (const TapOffsets* tap = t.taps; tap < end; ++tap) {
            const T *from = x + tap->x, *w = weight + tap->weight;
            if constexpr (R >= V) {
                Vec<T> line[V];
#pragma GCC unroll 8
                for (int v = 0; v < V; ++v) line[v] = load(from + v * lanes<T>);
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) {
                    const Vec<T> factor = broadcast<T>(w[r * weight_row]);
#pragma GCC unroll 8
                    for (int v = 0; v < V; ++v) accumulate<T>(sum[r][v], factor, line[v]);
                }
            } else {
                Vec<T> factor[R];
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) factor[r] = broadcast<T>(w[r * weight_row]);
#pragma GCC unroll 8
                for (int v = 0; v < V; ++v) {
                    const Vec<T> line = load(from + v * lanes<T>);
#pragma GCC unroll 8
                    for (int r = 0; r < R; ++r) accumulate<T>(sum[r][v], factor[r], line);
                }
            }
        }
    const Vec<T> zero{};
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            T* to = t.c + r * t.c_row + v * lanes<T>;
            const Vec<T> value = t.relu ? max(zero, sum[r][v]) : sum[r][v];
            if (v == V - 1) store_up_to(to, value, t.last);
            else store(to, value);
        }
}

// n outputs by tiles of V registers, the rest by narrower ones; four registers by 2 and 2, not by 3 and 1.
template <class T, int R, int V> void line_of_tiles(LineTile<T>& t, int64_t n) {
    for (; n > (V - 1) * lanes<T>; n -= V * lanes<T>, t.x += V * lanes<T>, t.c += V * lanes<T>) {
        if constexpr (V == 3) {
            if (n > 3 * lanes<T> && n <= 4 * lanes<T>) return line_of_tiles<T, R, 2>(t, n);
        }
        t.last = int(smaller(n - (V - 1) * lanes<T>, lanes<T>));
        line_tile<T, R, V>(t);
    }
    if constexpr (V > 1) {
        if (n > 0) line_of_tiles<T, R, V == 3 ? 2 : V / 2>(t, n);
    }
}

// rows ≤ R
template <class T, int R = line_rows> void line_tiles(LineTile<T> t, int64_t rows, int64_t n) {
    if constexpr (R > 1) {
        if (rows < R) return line_tiles<T, R - 1>(t, rows, n);
    }
    line_of_tiles<T, R, line_vectors(R)>(t, n);
}

// ── Values of outputs that see one channel each: R rows of an image by V registers ──────────────────────────────────

template <class T> struct PlaneTile {
    const T* x;
    int64_t x_row;
    const T* weight;
    const TapOffsets* taps;
    int64_t tap_count;
    T* c;
    int64_t c_row;
    int last; // lanes that count in the last register
    T begin;
    bool relu;
};

template <class T, int R, int V> __attribute__((noinline)) void plane_tile(const PlaneTile<T>& t) {
    Vec<T> sum[R][V];
    const Vec<T> begin = broadcast(t.begin), zero{};
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) sum[r][v] = begin;
    const TapOffsets* const end = t.taps + t.tap_count;
    const int64_t x_row = t.x_row;
    for (const TapOffsets* tap = t.taps; tap < end; ++tap) {
        const T* from = t.x + tap->x;
        const Vec<T> factor = broadcast<T>(t.weight[tap->weight]);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) sum[r][v] = fma(factor, load(from + r * x_row + v * lanes<T>), sum[r][v]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            T* to = t.c + r * t.c_row + v * lanes<T>;
            const Vec<T> value = t.relu ? max(zero, sum[r][v]) : sum[r][v];
            if (v == V - 1) store_up_to(to, value, t.last);
            else store(to, value);
        }
}

template <class T, int R> void plane_rows(PlaneTile<T> t, int64_t columns) {
    for (; columns > lanes<T>; columns -= 2 * lanes<T>, t.x += 2 * lanes<T>, t.c += 2 * lanes<T>) {
        t.last = int(smaller(columns - lanes<T>, lanes<T>));
        plane_tile<T, R, 2>(t);
    }
    if (columns <= 0) return;
    t.last = int(columns);
    plane_tile<T, R, 1>(t);
}

template <class T> void plane_tiles(PlaneTile<T> t, int64_t rows, int64_t columns) {
    for (; rows >= 4; rows -= 4, t.x += 4 * t.x_row, t.c += 4 * t.c_row) plane_rows<T, 4>(t, columns);
    for (; rows > 0; --rows, t.x += t.x_row, t.c += t.c_row) plane_rows<T, 1>(t, columns);
}

// ── Gradients of weights: dot products of R lines of dy by Q lines of x ─────────────────────────────────────────────

// A logical vector of 64 bytes collects a dot product, be it one register, two or four: the term i goes to the lane
// i mod long_lanes. Its parts are added in one fixed tree.
template <class T> inline constexpr int long_lanes = 64 / int(sizeof(T));
inline constexpr int long_parts = 64 / register_bytes;

// The totals of N logical vectors that lie one after the other. Not inlined: GCC would keep the vectors in memory.
template <class T, int N> __attribute__((noinline)) void totals(const T* sum, T (&total)[(N + 3) / 4 * 4]) {
#pragma GCC unroll 8
    for (int i = 0; i < N; i += 4) {
        Wide<T> four[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
            const T* from = sum + (i + k < N ? i + k : N - 1) * long_lanes<T>;
            four[k] = add_wide<T>(load_wide(from), load_wide(from + wide<T>));
        }
        T of_four[4];
        sum_wide(four, of_four);
        std::memcpy(total + i, of_four, sizeof of_four);
    }
}

template <class T> struct DotTile {
    const T* dy;
    int64_t dy_row, dy_region;
    const T* x;
    int64_t x_region, regions, line; // lines consist of regions of equal length
    const TapOffsets* taps;          // weight: where the tap's sum is
    T* sum;                          // what the dot products are added to
    int64_t sum_row;
};

#if defined(__AVX512F__)
inline constexpr int dot_lines = 4, dot_taps = 6;
#elif defined(__AVX2__) || defined(__aarch64__)
inline constexpr int dot_lines = 2, dot_taps = 3;
#else
inline constexpr int dot_lines = 1, dot_taps = 3;
#endif

template <class T, int R, int Q> __attribute__((noinline)) void dot_tile(const DotTile<T>& t) {
    Vec<T> sum[R * Q * long_parts];
#pragma GCC unroll 32
    for (int i = 0; i < R * Q * long_parts; ++i) sum[i] = Vec<T>{};
    const T* x[Q];
    const T *dy = t.dy, *region = t.x;
    for (int64_t g = 0; g < t.regions; ++g, dy += t.dy_region, region += t.x_region) {
#pragma GCC unroll 8
        for (int q = 0; q < Q; ++q) x[q] = region + t.taps[q].x;
        const auto step = [&](int64_t i, auto read) __attribute__((always_inline)) {
#pragma GCC unroll 4
            for (int k = 0; k < long_parts; ++k) {
                Vec<T> rows[R];
#pragma GCC unroll 4
                for (int r = 0; r < R; ++r) rows[r] = read(dy + r * t.dy_row + i, k);
#pragma GCC unroll 8
                for (int q = 0; q < Q; ++q) {
                    const Vec<T> column = read(x[q] + i, k);
#pragma GCC unroll 4
                    for (int r = 0; r < R; ++r) accumulate<T>(sum[(r * Q + q) * long_parts + k], rows[r], column);
                }
            }
        };
        int64_t i = 0;
        for (; i + long_lanes<T> <= t.line; i += long_lanes<T>)
            step(i, [](const T* from, int k) { return load(from + k * lanes<T>); });
        if (i < t.line)
            step(i, [rest = int(t.line - i)](const T* from, int k) {
                const int n = rest - k * lanes<T>;
                return n <= 0 ? Vec<T>{} : load_up_to(from + k * lanes<T>, n);
            });
    }
    T total[(R * Q + 3) / 4 * 4];
    alignas(64) T whole[R * Q * long_lanes<T>];
#pragma GCC unroll 32
    for (int i = 0; i < R * Q * long_parts; ++i) store(whole + i * lanes<T>, sum[i]);
    totals<T, R * Q>(whole, total);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
        for (int q = 0; q < Q; ++q) t.sum[r * t.sum_row + t.taps[q].weight] += total[r * Q + q];
}

// rows ≤ R, taps ≤ Q
template <class T, int R, int Q = dot_taps> void dots_of_taps(const DotTile<T>& t, int64_t taps) {
    if constexpr (Q > 1) {
        if (taps < Q) return dots_of_taps<T, R, Q - 1>(t, taps);
    }
    dot_tile<T, R, Q>(t);
}
template <class T, int R = dot_lines> void dots_of_rows(const DotTile<T>& t, int64_t rows, int64_t taps) {
    if constexpr (R > 1) {
        if (rows < R) return dots_of_rows<T, R - 1>(t, rows, taps);
    }
    dots_of_taps<T, R>(t, taps);
}

template <class T> void dot_tiles(const DotTile<T>& all, int64_t rows, int64_t taps) {
    const int64_t row_tiles = divided_up(rows, dot_lines), tap_tiles = divided_up(taps, dot_taps);
    for (int64_t i = 0; i < row_tiles; ++i) {
        const int64_t row = rows * i / row_tiles, count = rows * (i + 1) / row_tiles - row;
        for (int64_t j = 0; j < tap_tiles; ++j) {
            const int64_t tap = taps * j / tap_tiles;
            DotTile<T> t = all;
            t.dy += row * t.dy_row;
            t.sum += row * t.sum_row;
            t.taps += tap;
            dots_of_rows<T>(t, count, taps * (j + 1) / tap_tiles - tap);
        }
    }
}

} // namespace maillon::MAILLON_ISA::convolution
