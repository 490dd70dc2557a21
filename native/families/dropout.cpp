// The dropouts.
#include "../operations/dropout.hpp"

#include "../entry.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// One word of the generator an element, in order: this cannot be shared.
template <class T> bool dropout(const op::Dropout<T>& op, const Team&) {
    const T* x = op.x;
    T *y = op.y, *mask = op.mask;
    const T limit = T(float(op.p)), kept = op.p < 1 ? T(1) / T(1 - op.p) : T(1);
    each_block(*op.words, op.n, [=, &op](int64_t i) __attribute__((always_inline)) {
        const float unit = float(op.words->next() & 0xffffffu) * 0x1p-24f;
        mask[i] = T(unit) >= limit ? kept : T(0);
        y[i] = x[i] * mask[i];
    });
    return true;
}

const Entry entries[] = {ENTRY(Dropout, dropout)};

} // namespace

FAMILY(dropout)

} // namespace maillon::MAILLON_ISA
