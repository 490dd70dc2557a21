// H g of LBFGS (optim/rules/lbfgs.py), by two loops over pairs of gradient changes y and steps s. A loop's step needs
// the scalar product of what the one before has left, so that both are one pass over memory.
#pragma once

#include "lanes.hpp"
#include "simd.hpp"

namespace maillon::MAILLON_ISA {

// Σ term(i, count), which may have effects, of n elements: in four sums in turn, whose additions need not wait for each
// other.
template <class T, class Term> MAILLON_INLINE double sum_in_turn(int64_t n, Term term) {
    constexpr int turn = 64 / sizeof(T);
    Sum<T> sums[4], rest;
    int64_t i = 0;
    for (; i + 4 * turn <= n; i += 4 * turn)
#pragma GCC unroll 4
        for (int s = 0; s < 4; ++s)
#pragma GCC unroll 4
            for (int j = 0; j < turn; j += lanes<T>) sums[s].add(term(i + s * turn + j, int(lanes<T>)));
    each_register<T>(n - i, [&](int64_t j, int count) __attribute__((always_inline)) {
        rest.add(keep<T>(first<T>(count), term(i + j, count)));
    });
    return double(((sums[0].total() + sums[1].total()) + (sums[2].total() + sums[3].total())) + rest.total());
}

// q ← (q + factor · v) · scale; returns q · next, 0 without one.
template <class T> double add_and_multiply(T* q, double factor, const T* v, double scale, const T* next, int64_t n) {
    const Vec<T> a = broadcast(T(factor)), c = broadcast(T(scale));
    const bool scales = scale != 1;
    return sum_in_turn<T>(n, [=](int64_t i, int count) __attribute__((always_inline)) {
        Vec<T> value = load_up_to(q + i, count) + a * load_up_to(v + i, count);
        if (scales) value *= c;
        store_up_to(q + i, value, count);
        return next == nullptr ? Vec<T>{} : value * load_up_to(next + i, count);
    });
}

// q holds -g and becomes -H g. pairs > 0; weights: 1 / (s · y); shares: room for as many numbers; scale: of the H in
// the middle.
template <class T>
void two_loops(const T* const* changes, const T* const* steps, const double* weights, double* shares, int64_t pairs,
               double scale, T* q, int64_t n) {
    const T* last = steps[pairs - 1];
    double product = sum_in_turn<T>(n, [=](int64_t i, int count) __attribute__((always_inline)) {
        return load_up_to(q + i, count) * load_up_to(last + i, count);
    });
    for (int64_t k = pairs - 1; k > 0; --k) {
        shares[k] = product * weights[k];
        product = add_and_multiply<T>(q, -shares[k], changes[k], 1, steps[k - 1], n);
    }
    shares[0] = product * weights[0];
    product = add_and_multiply<T>(q, -shares[0], changes[0], scale, changes[0], n);
    for (int64_t k = 0; k < pairs; ++k)
        product = add_and_multiply<T>(q, shares[k] - product * weights[k], steps[k], 1,
                                      k + 1 < pairs ? changes[k + 1] : nullptr, n);
}

} // namespace maillon::MAILLON_ISA
