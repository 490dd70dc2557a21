// Several sums over runs of numbers that lie side by side, with enough registers to keep the adders busy. As in lanes.hpp
// the bits do not depend on the register: a logical vector of 128 bytes collects each sum. Term i of a run goes to lane
// i mod (128 / sizeof(T)), each lane adds in order, run after run, and the lanes are added in a fixed tree.
#pragma once

#include "lanes.hpp"

namespace maillon::MAILLON_ISA {

template <class T, int sums> struct Terms {
    Vec<T> of[sums];
};

// The sum of all lanes of a register: i with i + half, then half of that, down to one.
template <class T> MAILLON_INLINE T sum_of_lanes(Vec<T> v) {
    using HalfVec = typename Half<T>::Vec;
    if constexpr (register_bytes == 16) {
        return Half<T>::sum(v);
    } else if constexpr (register_bytes == 32) {
        return Half<T>::sum(part<HalfVec, 0>(v) + part<HalfVec, 1>(v));
    } else {
        using Lane = typename Logical<T>::Vec;
        const Lane folded = part<Lane, 0>(v) + part<Lane, 1>(v);
        return Half<T>::sum(part<HalfVec, 0>(folded) + part<HalfVec, 1>(folded));
    }
}

template <class T, int sums> MAILLON_INLINE Terms<T, sums> kept(Bits<T> mask, Terms<T, sums> terms) {
#pragma GCC unroll 4
    for (int s = 0; s < sums; ++s) terms.of[s] = keep<T>(mask, terms.of[s]);
    return terms;
}

template <class T, int sums> class Runs {
    static constexpr int registers = 128 / register_bytes;
    Vec<T> lane[sums][registers]{};

    MAILLON_INLINE void add_terms(int register_, const Terms<T, sums>& terms) {
#pragma GCC unroll 4
        for (int s = 0; s < sums; ++s) lane[s][register_] += terms.of[s];
    }

    // Register k of the n that are left when the upper half has been added to the lower one, again and again.
    template <int n, int k> MAILLON_INLINE Vec<T> folded(int which) const {
        if constexpr (n == registers) return lane[which][k];
        else return folded<2 * n, k>(which) + folded<2 * n, k + n>(which);
    }

  public:
    // A run of n terms: term(i, count) gives those of i … i + count - 1, count ≤ lanes; lanes beyond do not count.
    template <class Term> MAILLON_INLINE void add(int64_t n, Term term) {
        int64_t i = 0;
        for (; i + registers * lanes<T> <= n; i += registers * lanes<T>)
#pragma GCC unroll 8
            for (int k = 0; k < registers; ++k) add_terms(k, term(i + k * lanes<T>, int64_t(lanes<T>)));
        if (i == n) return;
#pragma GCC unroll 8
        for (int k = 0; k < registers; ++k) {
            const int64_t rest = n - i - k * lanes<T>;
            if (rest > 0) add_terms(k, kept(first<T>(rest), term(i + k * lanes<T>, rest < lanes<T> ? rest : lanes<T>)));
        }
    }

    MAILLON_INLINE T total(int which) const {
        return sum_of_lanes<T>(folded<1, 0>(which));
    }
};

template <class T, int sums, int registers, class Term, class Put>
MAILLON_INLINE void totals_of_columns(int64_t rows, int64_t j, int64_t count, Term term, Put put) {
    Vec<T> total[registers][sums]{};
    for (int64_t i = 0; i < rows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < registers; ++v) {
            const Terms<T, sums> terms = term(i, j + v * lanes<T>, count);
#pragma GCC unroll 4
            for (int s = 0; s < sums; ++s) total[v][s] += terms.of[s];
        }
#pragma GCC unroll 4
    for (int v = 0; v < registers; ++v) {
        Terms<T, sums> terms;
#pragma GCC unroll 4
        for (int s = 0; s < sums; ++s) terms.of[s] = total[v][s];
        put(j + v * lanes<T>, count, terms);
    }
}

// Sums down columns that lie side by side, each in the order of the rows: term(row, j, count) gives the terms of the
// columns j … j + count - 1, put(j, count, totals) takes their totals.
template <class T, int sums, class Term, class Put>
MAILLON_INLINE void column_totals(int64_t rows, int64_t begin, int64_t end, Term term, Put put) {
    int64_t j = begin;
    for (; j + 4 * lanes<T> <= end; j += 4 * lanes<T>) totals_of_columns<T, sums, 4>(rows, j, int64_t(lanes<T>), term, put);
    for (; j + lanes<T> <= end; j += lanes<T>) totals_of_columns<T, sums, 1>(rows, j, int64_t(lanes<T>), term, put);
    if (j < end) totals_of_columns<T, sums, 1>(rows, j, end - j, term, put);
}

} // namespace maillon::MAILLON_ISA
