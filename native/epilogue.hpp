// What is applied to a product's result while it is still in the cache: an activation, or a multiplication by an
// activation's derivative.
#pragma once

#include "activations.hpp"

namespace maillon::MAILLON_ISA {

template <class T> struct Epilogue {
    Activation kind;
    T slope;
    const T* reference; // laid out like the result; null: c = f(c), else c = f'(reference) c
};

// The block of `columns` columns and `rows` rows that begins at `offset` of the result c.
template <class T>
void apply_epilogue(const Epilogue<T>& epilogue, T* c, int64_t offset, int64_t stride, int64_t rows, int64_t columns) {
    if (epilogue.kind == Activation::none) return;
    const Curve<T>& it = curve<T>(epilogue.kind);
    const Numbers numbers{epilogue.slope};
    const Block block{rows, columns, stride};
    c += offset;
    if (epilogue.reference == nullptr) it.value(numbers, c, c, block);
    else it.gradient(numbers, c, epilogue.reference + offset, c, block);
}

} // namespace maillon::MAILLON_ISA
