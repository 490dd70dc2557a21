// Embedding: rows of a table, and their gradients.
#pragma once

#include "operations/linear_mine.hpp"
#include "team.hpp"
#include "vector_norm.hpp"

namespace maillon::MAILLON_ISA {

template <class T> MAILLON_INLINE void copy_scaled(const T* from, T* to, int64_t n, T scale) {
    each_register<T>(n, [=](int64_t i, int64_t m) { store_up_to(to + i, load_up_to(from + i, m) * scale, m); });
}

// As NumPy has it, where the norm of a row is not divided by its largest number.
template <class T> MAILLON_INLINE T row_norm(const T* row, int64_t n, double p) {
    const auto at = [=](int64_t i, int64_t m) { return load_up_to(row + i, m); };
    if (p == 0 || infinite(p)) return vector_norm<T>(n, p, at);
    Runs<T, 1> runs;
    runs.add(n, [=](int64_t i, int64_t m) { return Terms<T, 1>{{power<T>(absolute<T>(at(i, m)), p)}}; });
    return T(power_of_one<double>(double(runs.total(0)), 1 / p));
}

// y = W[x]. With `scale` rows longer than max_norm come out shortened, though the table stays, and `scale` tells by how
// much. False where an index is out of range.
template <class T> bool embedding(const Embedding<T>& op, const Team& team) {
    bool outside = false;
    for (int64_t i = 0; i < op.count; ++i) outside |= uint64_t(op.x[i]) >= uint64_t(op.rows);
    if (outside) return false;
    const T most = T(op.max_norm);
    const Span own = share(op.count, 4, team);
    for (int64_t i = own.begin; i < own.end; ++i) {
        const T* row = op.weight + op.x[i] * op.columns;
        T scale = 1;
        if (op.scale != nullptr) {
            const T norm = row_norm(row, op.columns, op.norm_type);
            if (norm > most) scale = most / (norm + T(1e-7));
            op.scale[i] = scale;
        }
        copy_scaled(row, op.y + i * op.columns, op.columns, scale);
    }
    return true;
}

// What NumPy does before it takes the rows: each that was too long is shortened, once. To be done when the loss is known
// to be finite.
template <class T> bool embedding_shorten(const EmbeddingShorten<T>& op, const Team&) {
    for (int64_t i = 0; i < op.count; ++i) op.seen[op.x[i]] = 0;
    for (int64_t i = 0; i < op.count; ++i) {
        if (op.seen[op.x[i]]++ != 0 || op.scale[i] == 1) continue;
        T* row = op.weight + op.x[i] * op.columns;
        copy_scaled(row, row, op.columns, op.scale[i]);
    }
    return true;
}

// dW[k] (+)= Σ dy over the places where x = k, with `uses` their mean. A row `padding` has no gradient.
template <class T> bool embedding_grad(const EmbeddingGrad<T>& op, const Team& team) {
    const Span own = share(op.rows, 1, team);
    if (!op.keep)
        std::memset(op.dweight + own.begin * op.columns, 0, size_t((own.end - own.begin) * op.columns) * sizeof(T));
    const auto each_own = [=, &op](auto step) __attribute__((always_inline)) {
        for (int64_t i = 0; i < op.count; ++i)
            if (op.x[i] >= own.begin && op.x[i] < own.end && op.x[i] != op.padding) step(i, op.x[i]);
    };
    if (op.uses != nullptr) {
        each_own([&op](int64_t, int64_t row) { op.uses[row] = 0; });
        each_own([&op](int64_t, int64_t row) { ++op.uses[row]; });
    }
    each_own([&op](int64_t i, int64_t row) {
        const T* dy = op.dy + i * op.columns;
        T* dw = op.dweight + row * op.columns;
        const T uses = op.uses ? T(op.uses[row]) : T(1);
        each_register<T>(op.columns, [=](int64_t j, int64_t m) {
            const Vec<T> d = load_up_to(dy + j, m);
            store_up_to(dw + j, load_up_to(dw + j, m) + (uses == 1 ? d : d / uses), m);
        });
    });
    return true;
}

} // namespace maillon::MAILLON_ISA
