// The activations: functions of each element, and what a gradient is multiplied by. They are listed once, as functors in
// families/activations.cpp, and found here by their kind: for an operation, for a product's result while it is still in
// the cache, and for gradients alike.
#pragma once

#include <cstdint>

#include "operations/choices.hpp"

namespace maillon::MAILLON_ISA {

using choice::Activation;

struct Numbers { // what they mean is each functor's matter
    double a = 0, b = 0, c = 0, d = 0;
};

struct Block { // rows of so many elements, `stride` apart
    int64_t rows, columns, stride;
};

template <class T> struct Curve {
    // y = f(x); y may be x.
    void (*value)(const Numbers&, const T* x, T* y, const Block&);
    // dx = f'(x) dy; dx may be dy. `reference` is x, or the output of those that tell their derivative by it.
    void (*gradient)(const Numbers&, const T* dy, const T* reference, T* dx, const Block&);
};

template <class T> struct Curves {
    static const Curve<T>* const all; // in the order of the enum
};
template <> const Curve<float>* const Curves<float>::all;
template <> const Curve<double>* const Curves<double>::all;

template <class T> const Curve<T>& curve(Activation kind) { return Curves<T>::all[int64_t(kind)]; }

// Of those that need one number at most.
template <class T> void activate(Activation kind, T slope, const T* x, T* y, int64_t n) {
    curve<T>(kind).value({slope}, x, y, {1, n, n});
}
template <class T> void activate_grad(Activation kind, T slope, const T* dy, const T* reference, T* dx, int64_t n) {
    curve<T>(kind).gradient({slope}, dy, reference, dx, {1, n, n});
}

} // namespace maillon::MAILLON_ISA
