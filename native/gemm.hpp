// The matrix product of a Linear link: forward (A and B along k), gradient of the input, gradient of the weight.
//
// Bits: every element of C is begin + a₀b₀ + a₁b₁ + …, one fused multiply-add after the other in the order of k,
// whatever the path, the tile, the instruction set or the number of threads. The one exception is decided by the shape
// alone (`uses_dots`): few rows or columns, both operands along k, where each element is a dot product over the lanes
// of a 256-bit vector.
#pragma once

#include "epilogue.hpp"
#include "gemm_small.hpp"

namespace maillon::MAILLON_ISA {

template <class T> MAILLON_INLINE bool uses_dots(const Product<T>& g) {
    return g.a_k == 1 && g.b_k == 1 && g.k >= 8 && (g.m <= 8 || g.n <= 4);
}

MAILLON_INLINE bool is_small(int64_t m, int64_t n, int64_t k) { return m <= 12 || m * n * k <= int64_t(1) << 18; }

// ── Large products: a slice of k at a time, B (and mostly A) packed ─────────────────────────────────────────────────

// Rows of A that stay in L2.
template <class T> inline constexpr int64_t block_rows = 576 / int64_t(sizeof(T)) / tile_rows * tile_rows;

template <class T> struct Blocked {
    const Product<T>& g;
    T *a, *b;      // the packed slices, shared by the team
    bool packs_a, packs_b; // otherwise the factor is read where it lies
    bool by_rows;          // what the team shares among its threads
    Span rows, columns;
    Epilogue<T> epilogue;
};

template <class T> void pack_a_rows(const Blocked<T>& w, int64_t p, int64_t k, Span rows) {
    for (int64_t i = rows.begin; i < rows.end; i += tile_rows) {
        const int n = w.g.m - i < tile_rows ? int(w.g.m - i) : tile_rows;
        pack_a(w.g, p, k, i, n, w.a + i * k);
    }
}

template <class T> void pack_b_columns(const Blocked<T>& w, int64_t p, int64_t k, Span columns) {
    for (int64_t j = columns.begin; j < columns.end; j += tile_columns<T>) {
        const int n = w.g.n - j < tile_columns<T> ? int(w.g.n - j) : tile_columns<T>;
        pack_b(w.g, p, k, j, n, w.b + j * k);
    }
}

// For each whole tile of the rows, the k of this slice that count.
template <class T> void list_rows(const Blocked<T>& w, int64_t p, int64_t k, Span rows, Steps* steps) {
    for (int64_t i = rows.begin; i + tile_rows <= rows.end; i += tile_rows)
        steps_along_rows(w.g.a + i * w.g.a_row + p, w.g.a_row, k, *steps++);
}

// This thread's part of one slice: a block of rows that stays in L2 against one panel of B after the other.
template <class T> void multiply_slice(const Blocked<T>& w, int64_t p, int64_t k, const Team& team) {
    const Product<T>& g = w.g;
    const Begin begin = p == 0 ? g.begin : Begin::keep;
    const bool last = p + k == g.k;
    Steps steps[block_rows<T> / tile_rows];
    for (int64_t i = w.rows.begin; i < w.rows.end && !team.leaving(); i += block_rows<T>) {
        const int64_t end = i + block_rows<T> < w.rows.end ? i + block_rows<T> : w.rows.end;
        if (w.packs_a && w.by_rows) pack_a_rows(w, p, k, {i, end});
        if (g.zeros == Zeros::many_in_a) list_rows(w, p, k, {i, end}, steps);
        for (int64_t j = w.columns.begin; j < w.columns.end; j += tile_columns<T>) {
            const int n = w.columns.end - j < tile_columns<T> ? int(w.columns.end - j) : tile_columns<T>;
            const T* b = w.packs_b ? w.b + j * k : g.b + p * g.b_k + j;
            const int64_t b_stride = w.packs_b ? tile_columns<T> : g.b_k;
            Tile<T> t{k, w.a + i * k, tile_rows, b, b_stride, g.c + i * g.c_row + j, g.c_row, 0,
                      begin == Begin::bias ? g.bias + j : nullptr, begin};
            const bool along_k = !w.packs_a && g.a_k == 1;
            const int64_t a_step = tile_rows * (w.packs_a ? k : g.a_row);
            if (!w.packs_a) {
                t.a = g.a + i * g.a_row + p * g.a_k;
                t.a_stride = along_k ? g.a_row : g.a_k;
            }
            const bool listed = g.zeros != Zeros::few && n == tile_columns<T>;
            if (listed && g.zeros == Zeros::many_in_b) steps_of_panel(b, b_stride, k, *steps);
            const bool one_for_all = g.zeros == Zeros::many_in_b;
            if (listed && !along_k) listed_column<T, false>(t, end - i, a_step, steps, one_for_all);
            else if (listed) listed_column<T, true>(t, end - i, a_step, steps, one_for_all);
            else if (!along_k) tile_column<T, tile_vectors, false>(t, end - i, a_step, n, true);
            else tile_column<T, tile_vectors, true>(t, end - i, a_step, n, true);
            if (last) apply_epilogue(w.epilogue, g.c, i * g.c_row + j, g.c_row, end - i, n);
        }
    }
}

template <class T>
void product_blocked(const Product<T>& g, T* workspace, const Team& team, const Epilogue<T>& epilogue) {
    const auto worst = [&](int64_t size, int64_t grain) { // the largest share, relative to an even one
        const int64_t grains = (size + grain - 1) / grain;
        return double((grains + team.size - 1) / team.size * grain) / double(size);
    };
    // By rows, if a little less evenly: as other operations share, so that what a thread reads is in its own cache.
    const bool by_rows = worst(g.m, tile_rows) <= 1.1 * worst(g.n, tile_columns<T>);
    const int64_t slices = (g.k + slice - 1) / slice, depth = (g.k + slices - 1) / slices;
    const int64_t padded = (g.n + tile_columns<T> - 1) / tile_columns<T> * tile_columns<T>;
    // In place where a panel's rows fall into different sets of the cache (A across k: into few pages), and few tiles
    // read each.
    const bool packs_a = g.n > 128 || (g.a_k == 1 ? g.a_row * sizeof(T) % 512 == 0 : g.a_k * sizeof(T) > 2048);
    const bool packs_b = g.b_col != 1 || g.n % tile_columns<T> != 0 || g.m > 128 || g.b_k * sizeof(T) % 512 == 0;
    const bool shares_panels = packs_b || (packs_a && !by_rows);
    const Span my_rows = share(g.m, tile_rows, team), my_columns = share(g.n, tile_columns<T>, team);
    const Blocked<T> w{g,       workspace + padded * depth,            workspace,
                       packs_a, packs_b, by_rows, by_rows ? my_rows : Span{0, g.m}, by_rows ? Span{0, g.n} : my_columns,
                       epilogue};
    for (int64_t p = 0; p < g.k; p += depth) {
        const int64_t k = g.k - p < depth ? g.k - p : depth;
        if (p > 0 && shares_panels) team.wait(); // the last slice's panels are no longer in use
        if (packs_b) pack_b_columns(w, p, k, my_columns);
        if (packs_a && !by_rows) pack_a_rows(w, p, k, my_rows);
        if (shares_panels) team.wait();
        multiply_slice(w, p, k, team);
    }
}

// The paths without packing; the epilogue comes afterwards.
template <class T> void product_plain(const Product<T>& g, const Team& team) {
    if (uses_dots(g)) return product_dots(g, team);
    if (g.m * g.n * g.k > 32) return product_unpacked(g, team);
    if (team.rank == 0) product_scalar(g);
}

// Called by every thread of the team with the same arguments. workspace: as many elements as `product_workspace` in
// engine/operations.py says, one slice of k of A and of B, each padded to whole tiles.
template <class T>
void product(const Product<T>& g, T* workspace, const Team& team, const Epilogue<T>& epilogue = {Activation::none, T(0), nullptr}) {
    if (g.m == 0 || g.n == 0) return;
    if (!uses_dots(g) && !is_small(g.m, g.n, g.k)) return product_blocked(g, workspace, team, epilogue);
    product_plain(g, team);
    if (epilogue.kind == Activation::none) return;
    team.wait(); // threads may have shared otherwise; C is dense here
    const Span own = share(g.m, 1, team);
    apply_epilogue(epilogue, g.c, own.begin * g.c_row, g.c_row, own.end - own.begin, g.n);
}

// c (rows × n) = bias + A · one packed panel, which has n columns; A lies along k. bias null: 0.
template <class T>
void times_panel(const T* a, int64_t a_row, int64_t rows, const T* panel, int64_t k, int n, const T* bias, T* c,
                 int64_t c_row) {
    const Begin begin = bias ? Begin::bias : Begin::zero;
    Tile<T> t{k, a, a_row, panel, tile_columns<T>, c, c_row, 0, bias, begin};
    tile_column<T, tile_vectors, true>(t, rows, tile_rows * a_row, n, true);
}

// out[j] (+)= Σ over the rows of x[·][j], in their order.
template <class T>
void column_sums(const T* x, int64_t rows, int64_t columns, T* out, bool keep, const Team& team) {
    const Span own = share(columns, tile_columns<T>, team);
    int64_t j = own.begin;
    for (; j + 4 * lanes<T> <= own.end; j += 4 * lanes<T>) {
        Vec<T> sum[4];
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) sum[v] = keep ? load(out + j + v * lanes<T>) : Vec<T>{};
        for (int64_t i = 0; i < rows; ++i)
#pragma GCC unroll 4
            for (int v = 0; v < 4; ++v) sum[v] += load(x + i * columns + j + v * lanes<T>);
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) store(out + j + v * lanes<T>, sum[v]);
    }
    for (; j < own.end; j += lanes<T>) {
        const int n = own.end - j < lanes<T> ? int(own.end - j) : lanes<T>;
        Vec<T> sum = keep ? load_up_to(out + j, n) : Vec<T>{};
        for (int64_t i = 0; i < rows; ++i) sum += load_up_to(x + i * columns + j, n);
        store_up_to(out + j, sum, n);
    }
}

// Compiled once, in gemm.cpp, and not in every family that multiplies.
#define MAILLON_PRODUCTS(prefix, T)                                                                                    \
    prefix template void product<T>(const Product<T>&, T*, const Team&, const Epilogue<T>&);                           \
    prefix template void product_plain<T>(const Product<T>&, const Team&);                                             \
    prefix template void times_panel<T>(const T*, int64_t, int64_t, const T*, int64_t, int, const T*, T*, int64_t);    \
    prefix template void column_sums<T>(const T*, int64_t, int64_t, T*, bool, const Team&);
MAILLON_PRODUCTS(extern, float)
MAILLON_PRODUCTS(extern, double)

} // namespace maillon::MAILLON_ISA
