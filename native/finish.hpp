// What a product's result becomes while it is still in the cache: an activation of it, or its product with one's
// derivative.
#pragma once

#include "activations.hpp"

namespace maillon::MAILLON_ISA {

template <class T> struct Finish {
    Activation kind;
    T slope;
    const T* reference; // laid out like the result; null: c = f(c), else c = f'(reference) c
};

template <Activation kind, class T>
void finish_all(const Finish<T>& finish, T* c, const T* reference, int64_t stride, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; ++i, c += stride) {
        if (reference == nullptr) {
            activate_all<kind>(finish.slope, c, c, columns);
        } else {
            activate_grad_all<kind>(finish.slope, c, reference, c, columns);
            reference += stride;
        }
    }
}

// The block of `columns` columns and `rows` rows that begins at `offset` of the result c.
template <class T>
void finish_block(const Finish<T>& finish, T* c, int64_t offset, int64_t stride, int64_t rows, int64_t columns) {
    const T* reference = finish.reference ? finish.reference + offset : nullptr;
    c += offset;
    switch (finish.kind) {
    case Activation::none: return;
    case Activation::tanh: return finish_all<Activation::tanh>(finish, c, reference, stride, rows, columns);
    case Activation::sigmoid: return finish_all<Activation::sigmoid>(finish, c, reference, stride, rows, columns);
    case Activation::relu: return finish_all<Activation::relu>(finish, c, reference, stride, rows, columns);
    case Activation::leaky_relu:
        return finish_all<Activation::leaky_relu>(finish, c, reference, stride, rows, columns);
    }
}

} // namespace maillon::MAILLON_ISA
