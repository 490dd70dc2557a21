// Embedding: rows of a table, and their gradients.
#include "../operations/embedding.hpp"

#include "../entry.hpp"
#include "../vector_norm.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> MAILLON_INLINE void copy_scaled(const T* from, T* to, int64_t n, T scale) {
    each_register<T>(n, [=](int64_t i, int64_t m) { store_up_to(to + i, load_up_to(from + i, m) * scale, m); });
}

// What a row is multiplied by before it is taken. As NumPy has it: the norm is not divided by the largest number first.
template <class T, class Op> T scale_of(const Op& op, const T* row) {
    const auto at = [=](int64_t i, int64_t m) { return load_up_to(row + i, m); };
    T norm;
    if (op.norm == choice::VectorNorm::power && op.p != 0) {
        Runs<T, 1> runs;
        runs.add(op.columns, [=, &op](int64_t i, int64_t m) {
            return Terms<T, 1>{{power<T>(absolute<T>(at(i, m)), op.p)}};
        });
        norm = T(power_of_one<double>(double(runs.total(0)), 1 / op.p));
    } else {
        norm = vector_norm<T>(op.norm, op.columns, op.p, at);
    }
    return norm > T(op.max_norm) ? T(op.max_norm) / (norm + T(1e-7)) : T(1);
}

// False where an index is out of range.
template <class T> bool embedding(const op::Embedding<T>& op, const Team& team) {
    bool outside = false;
    for (int64_t i = 0; i < op.count; ++i) outside |= uint64_t(op.x[i]) >= uint64_t(op.rows);
    if (outside) return false;
    const Span own = share(op.count, 4, team);
    for (int64_t i = own.begin; i < own.end; ++i) {
        const T* row = op.weight + op.x[i] * op.columns;
        copy_scaled(row, op.y + i * op.columns, op.columns, op.shorten ? scale_of(op, row) : T(1));
    }
    return true;
}

// An index out of range is none of its own: `embedding` has ended the step before.
template <class T> bool embedding_shorten(const op::EmbeddingShorten<T>& op, const Team&) {
    uint8_t* seen = op.workspace;
    const auto outside = [&op](int64_t i) { return uint64_t(op.x[i]) >= uint64_t(op.rows); };
    for (int64_t i = 0; i < op.count; ++i)
        if (!outside(i)) seen[op.x[i]] = 0;
    for (int64_t i = 0; i < op.count; ++i) {
        if (outside(i) || seen[op.x[i]]) continue;
        seen[op.x[i]] = 1;
        T* row = op.weight + op.x[i] * op.columns;
        if (const T scale = scale_of(op, row); scale != 1) copy_scaled(row, row, op.columns, scale);
    }
    return true;
}

// Each thread adds up the rows of the table that are its own.
template <class T> bool embedding_grad(const op::EmbeddingGrad<T>& op, const Team& team) {
    const Span own = share(op.rows, 1, team);
    const auto each_own = [=, &op](auto step) __attribute__((always_inline)) {
        for (int64_t i = 0; i < op.count; ++i)
            if (op.x[i] >= own.begin && op.x[i] < own.end && op.x[i] != op.padding) step(i, op.x[i]);
    };
    if (!op.keep)
        std::memset(op.dweight + own.begin * op.columns, 0, size_t((own.end - own.begin) * op.columns) * sizeof(T));
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

const Entry entries[] = {ENTRY(Embedding, embedding), ENTRY(EmbeddingShorten, embedding_shorten),
                         ENTRY(EmbeddingGrad, embedding_grad)};

} // namespace

FAMILY(embedding)

} // namespace maillon::MAILLON_ISA
