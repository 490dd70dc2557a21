// What is done to all gradients together. They lie side by side, with zeros between them.
#include "../operations/gradients.hpp"

#include "../entry.hpp"
#include "../wide.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// Σ g², in doubles: sixteen elements at a time go to four sums in turn, whose additions need not wait for each other.
template <class T> double square_sum(const T* g, int64_t n) {
    constexpr int turn = 16;
    Sum<double> sums[4], rest;
    int64_t i = 0;
    for (; i + 4 * turn <= n; i += 4 * turn)
        for (int s = 0; s < 4; ++s)
            for (int j = 0; j < turn; j += lanes<T>) {
                const Vec<T> v = load(g + i + s * turn + j);
                add_product<T>(sums[s], v, v);
            }
    each_register<T>(n - i, [&](int64_t j, int count) __attribute__((always_inline)) {
        const Vec<T> v = load_up_to(g + i + j, count);
        add_product<T>(rest, v, v);
    });
    return ((sums[0].total() + sums[1].total()) + (sums[2].total() + sums[3].total())) + rest.total();
}

template <class T> bool clip_norm(const op::ClipNorm<T>& op, const Team&) {
    T* g = op.gradients;
    const double norm = __builtin_sqrt(square_sum<T>(g, op.n));
    const double wanted = op.options[0] / (norm + 1e-6);
    const T factor = T(wanted > 1 ? 1 : wanted); // a norm of NaN makes all gradients NaN, as in NumPy
    each_register<T>(op.n, [=](int64_t i, int count) __attribute__((always_inline)) {
        store_up_to(g + i, load_up_to(g + i, count) * factor, count);
    });
    return true;
}

// NaN stays NaN.
template <class T> bool clip_value(const op::ClipValue<T>& op, const Team&) {
    T* g = op.gradients;
    const Vec<T> high = broadcast(T(op.options[0])), low = -high;
    each_register<T>(op.n, [=](int64_t i, int count) __attribute__((always_inline)) {
        const Vec<T> v = load_up_to(g + i, count);
        store_up_to(g + i, select(v > high, high, select(v < low, low, v)), count);
    });
    return true;
}

template <class T> bool clear(const op::Clear<T>& op, const Team& team) {
    const Span part = share(op.n, grain, team);
    std::memset(op.gradients + part.begin, 0, size_t(part.end - part.begin) * sizeof(T));
    return true;
}

// The divisor is used once: the next mini-batches begin a sum of their own.
template <class T> bool divide(const op::Divide<T>& op, const Team& team) {
    const double divisor = *op.divisor;
    if (divisor == divisor) {
        const Span part = share(op.n, grain, team);
        T* g = op.gradients + part.begin;
        each_register<T>(part.end - part.begin, [=](int64_t i, int count) __attribute__((always_inline)) {
            store_up_to(g + i, load_up_to(g + i, count) / broadcast(T(divisor)), count);
        });
    }
    team.wait();
    if (team.rank == 0) *op.divisor = __builtin_nan("");
    return true;
}

const Entry entries[] = {ENTRY(ClipNorm, clip_norm), ENTRY(ClipValue, clip_value), ENTRY(Clear, clear),
                         ENTRY(Divide, divide)};

} // namespace

FAMILY(gradients)

} // namespace maillon::MAILLON_ISA
