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

template <Activation kind, class T>
void apply_to_rows(const Epilogue<T>& epilogue, T* c, const T* reference, int64_t stride, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; ++i, c += stride) {
        if (reference == nullptr) {
            activate_all<kind>(epilogue.slope, c, c, columns);
        } else {
            activate_grad_all<kind>(epilogue.slope, c, reference, c, columns);
            reference += stride;
        }
    }
}

// The block of `columns` columns and `rows` rows that begins at `offset` of the result c.
template <class T>
void apply_epilogue(const Epilogue<T>& epilogue, T* c, int64_t offset, int64_t stride, int64_t rows, int64_t columns) {
    const T* reference = epilogue.reference ? epilogue.reference + offset : nullptr;
    c += offset;
    switch (epilogue.kind) {
    case Activation::none: return;
    case Activation::tanh: return apply_to_rows<Activation::tanh>(epilogue, c, reference, stride, rows, columns);
    case Activation::sigmoid: return apply_to_rows<Activation::sigmoid>(epilogue, c, reference, stride, rows, columns);
    case Activation::relu: return apply_to_rows<Activation::relu>(epilogue, c, reference, stride, rows, columns);
    case Activation::leaky_relu:
        return apply_to_rows<Activation::leaky_relu>(epilogue, c, reference, stride, rows, columns);
    }
}

} // namespace maillon::MAILLON_ISA
