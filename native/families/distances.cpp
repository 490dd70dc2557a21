// CosineSimilarity and PairwiseDistance, of two arrays of one shape.
#include "../operations/distances.hpp"

#include "../entry.hpp"
#include "../vector_norm.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// Of each vector of both arrays: 1 / max(norm, ε) and 1 / norm (1 where that is 0).
template <class T> struct Scales {
    Vec<T> inverse1, inverse2, direction1, direction2;
};
template <class T> MAILLON_INLINE Vec<T> inverse_above(Vec<T> square, T eps) {
    const Vec<T> norm = sqrt(square);
    return T(1) / (norm < broadcast(eps) ? broadcast(eps) : norm);
}
template <class T> MAILLON_INLINE Vec<T> inverse_unless_0(Vec<T> square) {
    return square == Vec<T>{} ? broadcast(T(1)) : T(1) / sqrt(square);
}
template <class T> MAILLON_INLINE Scales<T> scales_of(Vec<T> square1, Vec<T> square2, T eps) {
    return {inverse_above<T>(square1, eps), inverse_above<T>(square2, eps), inverse_unless_0<T>(square1),
            inverse_unless_0<T>(square2)};
}
template <class T> MAILLON_INLINE void store_scales(T* to, int64_t vectors, int64_t i, const Scales<T>& s, int64_t m) {
    store_up_to(to + i, s.inverse1, m);
    store_up_to(to + vectors + i, s.inverse2, m);
    store_up_to(to + 2 * vectors + i, s.direction1, m);
    store_up_to(to + 3 * vectors + i, s.direction2, m);
}

// Vectors along a row: outer of them.
template <class T> void cosine_rows(const op::CosineSimilarity<T>& op, Span own) {
    for (int64_t i = own.begin; i < own.end; ++i) {
        const T *a = op.x1 + i * op.size, *b = op.x2 + i * op.size;
        Runs<T, 2> squares;
        squares.add(op.size, [=](int64_t k, int64_t m) {
            const Vec<T> v = load_up_to(a + k, m), w = load_up_to(b + k, m);
            return Terms<T, 2>{{v * v, w * w}};
        });
        const Scales<T> s = scales_of<T>(broadcast(squares.total(0)), broadcast(squares.total(1)), T(op.eps));
        Runs<T, 1> cosine;
        cosine.add(op.size, [=](int64_t k, int64_t m) {
            return Terms<T, 1>{{(load_up_to(a + k, m) * s.inverse1) * (load_up_to(b + k, m) * s.inverse2)}};
        });
        store_scales<T>(op.scales, op.outer, i, s, 1);
        op.y[i] = cosine.total(0);
    }
}

// step(outer, inner, count) for this thread's registers of vectors that lie side by side.
template <class T, class Step>
MAILLON_INLINE void each_side_by_side(int64_t inner, Span own, Step step) {
    for (int64_t i = own.begin; i < own.end; ++i)
        each_register<T>(inner, [=](int64_t j, int64_t m) { step(i, j, m); });
}

// y = Σ u₁ u₂, u = x / max(‖x‖, ε), along the middle dimension.
template <class T> bool cosine_similarity(const op::CosineSimilarity<T>& op, const Team& team) {
    const Span own = share(op.outer, op.inner == 1 ? 16 : 1, team);
    if (op.inner == 1) {
        cosine_rows(op, own);
        return true;
    }
    each_side_by_side<T>(op.inner, own, [&op](int64_t o, int64_t j, int64_t m) {
        const int64_t at = o * op.size * op.inner + j;
        const T *a = op.x1 + at, *b = op.x2 + at;
        Vec<T> square1{}, square2{}, cosine{};
        for (int64_t k = 0; k < op.size; ++k) {
            const Vec<T> v = load_up_to(a + k * op.inner, m), w = load_up_to(b + k * op.inner, m);
            square1 += v * v;
            square2 += w * w;
        }
        const Scales<T> s = scales_of<T>(square1, square2, T(op.eps));
        for (int64_t k = 0; k < op.size; ++k) {
            const Vec<T> v = load_up_to(a + k * op.inner, m), w = load_up_to(b + k * op.inner, m);
            cosine += (v * s.inverse1) * (w * s.inverse2);
        }
        store_scales<T>(op.scales, op.outer * op.inner, o * op.inner + j, s, m);
        store_up_to(op.y + o * op.inner + j, cosine, m);
    });
    return true;
}

// What the gradients of a register of vectors need: dx₁ = (u₂ - x₁ / ‖x₁‖ · y) dy / max(‖x₁‖, ε).
template <class T> struct CosineSlope {
    Scales<T> s;
    Vec<T> y, dy;

    MAILLON_INLINE Vec<T> one(Vec<T> a, Vec<T> b) const { return (b * s.inverse2 - a * s.direction1 * y) * dy * s.inverse1; }
    MAILLON_INLINE Vec<T> two(Vec<T> a, Vec<T> b) const { return (a * s.inverse1 - b * s.direction2 * y) * dy * s.inverse2; }
};

template <class T> bool cosine_similarity_grad(const op::CosineSimilarityGrad<T>& op, const Team& team) {
    const int64_t vectors = op.outer * op.inner;
    const Span own = share(op.outer, op.inner == 1 ? 16 : 1, team);
    const auto slope_at = [=, &op](int64_t i, auto read) __attribute__((always_inline)) {
        const T* s = op.scales + i;
        return CosineSlope<T>{{read(s), read(s + vectors), read(s + 2 * vectors), read(s + 3 * vectors)},
                              read(op.y + i), read(op.dy + i)};
    };
    const auto give = [&op](const CosineSlope<T>& slope, int64_t at, int64_t m) __attribute__((always_inline)) {
        const Vec<T> a = load_up_to(op.x1 + at, m), b = load_up_to(op.x2 + at, m);
        if (op.dx1 != nullptr) store_up_to(op.dx1 + at, slope.one(a, b), m);
        if (op.dx2 != nullptr) store_up_to(op.dx2 + at, slope.two(a, b), m);
    };
    if (op.inner == 1) {
        for (int64_t i = own.begin; i < own.end; ++i) {
            const CosineSlope<T> slope = slope_at(i, [](const T* from) { return broadcast(*from); });
            each_register<T>(op.size, [=, &op](int64_t k, int64_t m) { give(slope, i * op.size + k, m); });
        }
        return true;
    }
    each_side_by_side<T>(op.inner, own, [=, &op](int64_t o, int64_t j, int64_t m) {
        const CosineSlope<T> slope = slope_at(o * op.inner + j, [=](const T* from) { return load_up_to(from, m); });
        for (int64_t k = 0; k < op.size; ++k) give(slope, (o * op.size + k) * op.inner + j, m);
    });
    return true;
}

// x₁ - x₂ + ε of a row.
template <class T, class Op> MAILLON_INLINE auto difference(const Op& op, int64_t row) {
    return [a = op.x1 + row * op.columns, b = op.x2 + row * op.columns, eps = T(op.eps)](int64_t i, int64_t m) {
        return load_up_to(a + i, m) - load_up_to(b + i, m) + eps;
    };
}

// y = ‖x₁ - x₂ + ε‖_p of each row.
template <class T> bool pairwise_distance(const op::PairwiseDistance<T>& op, const Team& team) {
    const Span own = share(op.rows, 16, team);
    for (int64_t i = own.begin; i < own.end; ++i) op.y[i] = vector_norm<T>(op.norm, op.columns, op.p, difference<T>(op, i));
    return true;
}

template <class T> bool pairwise_distance_grad(const op::PairwiseDistanceGrad<T>& op, const Team& team) {
    const Span own = share(op.rows, 1, team);
    for (int64_t i = own.begin; i < own.end; ++i) {
        const auto d = difference<T>(op, i);
        const T norm = op.y[i], dy = op.dy[i], sharing = op.norm != choice::VectorNorm::power ? reaching<T>(op.columns, norm, d) : T(1);
        each_register<T>(op.columns, [=, &op](int64_t k, int64_t m) {
            const int64_t at = i * op.columns + k;
            const Vec<T> slope = norm_slope<T>(op.norm, d(k, m), norm, op.p, sharing) * dy;
            if (op.dx1 != nullptr) store_up_to(op.dx1 + at, slope, m);
            if (op.dx2 != nullptr) store_up_to(op.dx2 + at, -slope, m);
        });
    }
    return true;
}

// ── One value as often as it is wanted ──────────────────────────────────────────────────────────────────────────────

template <class T> bool repeat(const op::Repeat<T>& op, const Team& team) {
    const Span own = share(op.outer * op.times, 1, team);
    for (int64_t i = own.begin; i < own.end; ++i) {
        const T* from = op.x + i / op.times * op.inner;
        T* to = op.y + i * op.inner;
        each_register<T>(op.inner, [=](int64_t j, int64_t m) { store_up_to(to + j, load_up_to(from + j, m), m); });
    }
    return true;
}

template <class T> bool repeat_grad(const op::RepeatGrad<T>& op, const Team& team) {
    const Span own = share(op.outer, 1, team);
    for (int64_t i = own.begin; i < own.end; ++i) {
        const T* from = op.dy + i * op.times * op.inner;
        T* to = op.dx + i * op.inner;
        if (op.inner == 1) {
            to[0] = sum(from, op.times);
            continue;
        }
        column_totals<T, 1>(
            op.times, 0, op.inner,
            [=, &op](int64_t k, int64_t j, int64_t m) { return Terms<T, 1>{{load_up_to(from + k * op.inner + j, m)}}; },
            [=](int64_t j, int64_t m, const Terms<T, 1>& t) { store_up_to(to + j, t.of[0], m); });
    }
    return true;
}

const Entry entries[] = {ENTRY(CosineSimilarity, cosine_similarity),
                         ENTRY(CosineSimilarityGrad, cosine_similarity_grad),
                         ENTRY(PairwiseDistance, pairwise_distance),
                         ENTRY(PairwiseDistanceGrad, pairwise_distance_grad),
                         ENTRY(Repeat, repeat),
                         ENTRY(RepeatGrad, repeat_grad)};

} // namespace

FAMILY(distances)

} // namespace maillon::MAILLON_ISA
