// H g of LBFGS (optim/rules/lbfgs.py), which is defined by two loops over pairs of gradient changes y and steps s. In
// each loop's step a scalar product waits for what the step before has left of q. Here these products are worked out
// from those of the pairs with one another, which are kept from call to call, and with g: then all pairs are read twice,
// each time by all threads, and nothing waits.
#pragma once

#include "lanes.hpp"
#include "simd.hpp"
#include "team.hpp"

namespace maillon::MAILLON_ISA {

// The scalar products of n numbers of the first two with each of `others`: term i is added to lane i mod 16 (8 for
// doubles), whatever the register and whatever else is asked for.
template <class T, int count>
void products(const T* one, const T* two, const T* const (&others)[count], int64_t n, double (&found)[2][count]) {
    constexpr int line = 64 / sizeof(T), registers = line / lanes<T>;
    Vec<T> sums[2][count][registers]{};
    int64_t i = 0;
    for (; i + line <= n; i += line)
#pragma GCC unroll 4
        for (int r = 0; r < registers; ++r) {
            const int64_t at = i + r * lanes<T>;
            const Vec<T> a = load(one + at), b = load(two + at);
#pragma GCC unroll 2
            for (int c = 0; c < count; ++c) {
                const Vec<T> v = load(others[c] + at);
                sums[0][c][r] = fma(a, v, sums[0][c][r]);
                sums[1][c][r] = fma(b, v, sums[1][c][r]);
            }
        }
    const T* const both[2] = {one, two};
    for (int k = 0; k < 2; ++k)
        for (int c = 0; c < count; ++c) {
            Sum<T> sum;
            for (int r = 0; r < registers; ++r) sum.add(sums[k][c][r]);
            found[k][c] = double(sum.total() + dot(both[k] + i, others[c] + i, n - i));
        }
}

// y ← y + a x, of n doubles; returns x · z, where there is a z.
MAILLON_INLINE double add_multiple(double* y, double a, const double* x, int64_t n, const double* z = nullptr) {
    const Vec<double> factor = broadcast(a);
    return sum_terms<double>(n, [=](int64_t i, int64_t count) __attribute__((always_inline)) {
        const Vec<double> v = load_up_to(x + i, count);
        store_up_to(y + i, fma(factor, v, load_up_to(y + i, count)), count);
        return z == nullptr ? Vec<double>{} : v * load_up_to(z + i, count);
    });
}

// From the products with g to the factors of all y and s. In the first loop, from the last pair to the first, each
// share α takes α y from q; in the second one each s comes to it, α - β times.
template <class T> void weigh(const TwoLoops<T>& it) {
    double *shares = it.by_step, *left = it.by_change;
    for (int64_t i = it.pairs - 1; i >= 0; --i) {
        shares[i] *= it.weights[i];
        add_multiple(shares, -shares[i], it.between[i], i);
    }
    for (int64_t i = 0; i < it.pairs; ++i) {
        const double* row = it.among[i];
        left[i] -= add_multiple(left, -shares[i], row, i, shares) + row[i] * shares[i];
    }
    for (int64_t i = 0; i < it.pairs; ++i) {
        const double product = it.scale * left[i] + dot<double>(it.between[i], shares, i); // y · q
        left[i] = -it.scale * shares[i];
        shares[i] -= it.weights[i] * product;
    }
}

template <class T> void two_loops(const TwoLoops<T>& it, const Team& team) {
    const int64_t last = it.pairs - 1;
    const Span pairs = share(it.pairs, 1, team);
    for (int64_t k = pairs.begin; k < pairs.end; ++k) {
        const T *s = it.steps[k], *y = it.changes[k];
        double found[2][2];
        products<T, 2>(s, y, {it.q, it.changes[last]}, it.n, found);
        it.by_step[k] = found[0][0], it.between[last][k] = found[0][1];
        it.by_change[k] = found[1][0], it.among[last][k] = found[1][1];
        for (int64_t i = k < it.known ? it.known : k; i < last; ++i) { // where others are new as well
            double more[2][1];
            products<T, 1>(s, y, {it.changes[i]}, it.n, more);
            it.between[i][k] = more[0][0], it.among[i][k] = more[1][0];
        }
    }
    team.wait();
    if (team.rank == 0) weigh(it);
    team.wait();
    constexpr int64_t block = 8192 / sizeof(T); // stays in the nearest cache
    const Span own = share(it.n, 64, team);
    const Vec<T> scale = broadcast(T(it.scale));
    for (int64_t from = own.begin; from < own.end; from += block) {
        const int64_t size = own.end - from < block ? own.end - from : block;
        T* q = it.q + from;
        each_register<T>(size, [=](int64_t i, int count) __attribute__((always_inline)) {
            store_up_to(q + i, scale * load_up_to(q + i, count), count);
        });
        for (int64_t k = 0; k < it.pairs; ++k) {
            const T *y = it.changes[k] + from, *s = it.steps[k] + from;
            const Vec<T> a = broadcast(T(it.by_change[k])), b = broadcast(T(it.by_step[k]));
            each_register<T>(size, [=](int64_t i, int count) __attribute__((always_inline)) {
                const Vec<T> sum = fma(a, load_up_to(y + i, count), load_up_to(q + i, count));
                store_up_to(q + i, fma(b, load_up_to(s + i, count), sum), count);
            });
        }
    }
}

} // namespace maillon::MAILLON_ISA
