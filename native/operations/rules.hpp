// Written by `make operations` from src/maillon/engine/families/rules.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// steps + 1
template <class T> struct CountStep {
    int64_t* steps; // rw 1
};

// gradient descent; options: lr, momentum, dampening, weight decay
template <class T> struct Sgd {
    T* parameter; // rw n
    const T* grad; // r n
    T* velocity; // may be null; rw n
    const double* options; // r 4
    const int64_t* count; // may be null; r 1
    int64_t n, maximize, nesterov;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Sgd part(int64_t begin, int64_t elements, const T* from) const {
        Sgd some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        if (some.velocity != nullptr) some.velocity += begin;
        return some;
    }
};

// η and μ of this step, and those of the next
template <class T> struct AsgdRates {
    const double* options; // r 6
    const int64_t* count; // r 1
    double* next; // rw 2
    double* rates; // w 2
};

// averaged gradient descent; options: lr, λ, α, t0, weight decay, whether numbers are of 64 bits; rates: η, μ
template <class T> struct Asgd {
    T* parameter; // rw n
    const T* grad; // r n
    T* average; // rw n
    const double* options; // r 6
    const double* rates; // r 2
    int64_t n, maximize;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Asgd part(int64_t begin, int64_t elements, const T* from) const {
        Asgd some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        some.average += begin;
        return some;
    }
};

// resilient propagation; options: η⁻, η⁺, least, most
template <class T> struct Rprop {
    T* parameter; // rw n
    const T* grad; // r n
    T* previous; // rw n
    T* step_size; // rw n
    const double* options; // r 4
    int64_t n, maximize;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Rprop part(int64_t begin, int64_t elements, const T* from) const {
        Rprop some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        some.previous += begin;
        some.step_size += begin;
        return some;
    }
};

// Lion; options: lr, β₁, β₂, weight decay
template <class T> struct Lion {
    T* parameter; // rw n
    const T* grad; // r n
    T* mean; // rw n
    const double* options; // r 4
    int64_t n, maximize;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Lion part(int64_t begin, int64_t elements, const T* from) const {
        Lion some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        some.mean += begin;
        return some;
    }
};

// lr / (1 - β₁ᵗ) and 1 / √(1 - β₂ᵗ)
template <class T> struct AdamRates {
    const double* options; // r 5
    const int64_t* count; // r 1
    double* rates; // w 2
};

// Adam; options: lr, β₁, β₂, ε, weight decay
template <class T> struct Adam {
    T* parameter; // rw n
    const T* grad; // r n
    T* mean; // rw n
    T* square; // rw n
    T* largest; // may be null; rw n
    const double* options; // r 5
    const double* rates; // r 2
    int64_t n, maximize, decoupled;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Adam part(int64_t begin, int64_t elements, const T* from) const {
        Adam some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        some.mean += begin;
        some.square += begin;
        if (some.largest != nullptr) some.largest += begin;
        return some;
    }
};

// the factors of g and m, and 1 / (1 - β₂ᵗ); product: of the μ, of 64 bits or 32
template <class T> struct NadamRates {
    const double* options; // r 6
    const int64_t* count; // r 1
    double* product; // rw 1
    double* rates; // w 3
    int64_t wide;
};

// NAdam; options: lr, β₁, β₂, ε, weight decay, momentum decay
template <class T> struct Nadam {
    T* parameter; // rw n
    const T* grad; // r n
    T* mean; // rw n
    T* square; // rw n
    const double* options; // r 6
    const double* rates; // r 3
    int64_t n, maximize, decoupled;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Nadam part(int64_t begin, int64_t elements, const T* from) const {
        Nadam some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        some.mean += begin;
        some.square += begin;
        return some;
    }
};

// lr / (1 - β₁ᵗ) and r √(1 - β₂ᵗ), 0 while ρ ≤ 5
template <class T> struct RadamRates {
    const double* options; // r 5
    const int64_t* count; // r 1
    double* rates; // w 2
};

// RAdam; options: lr, β₁, β₂, ε, weight decay
template <class T> struct Radam {
    T* parameter; // rw n
    const T* grad; // r n
    T* mean; // rw n
    T* square; // rw n
    const double* options; // r 5
    const double* rates; // r 2
    int64_t n, maximize, decoupled;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Radam part(int64_t begin, int64_t elements, const T* from) const {
        Radam some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        some.mean += begin;
        some.square += begin;
        return some;
    }
};

// lr / (1 - β₁ᵗ)
template <class T> struct AdamaxRates {
    const double* options; // r 5
    const int64_t* count; // r 1
    double* rates; // w 1
};

// Adamax; options: lr, β₁, β₂, ε, weight decay
template <class T> struct Adamax {
    T* parameter; // rw n
    const T* grad; // r n
    T* mean; // rw n
    T* largest; // rw n
    const double* options; // r 5
    const double* rates; // r 1
    int64_t n, maximize;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Adamax part(int64_t begin, int64_t elements, const T* from) const {
        Adamax some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        some.mean += begin;
        some.largest += begin;
        return some;
    }
};

// lr / (1 + (t - 1) η)
template <class T> struct AdagradRates {
    const double* options; // r 4
    const int64_t* count; // r 1
    double* rates; // w 1
};

// Adagrad; options: lr, η, weight decay, ε
template <class T> struct Adagrad {
    T* parameter; // rw n
    const T* grad; // r n
    T* sum; // rw n
    const double* options; // r 4
    const double* rates; // r 1
    int64_t n, maximize;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Adagrad part(int64_t begin, int64_t elements, const T* from) const {
        Adagrad some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        some.sum += begin;
        return some;
    }
};

// RMSprop; options: lr, α, ε, weight decay, momentum
template <class T> struct Rmsprop {
    T* parameter; // rw n
    const T* grad; // r n
    T* square; // rw n
    T* mean; // may be null; rw n
    T* velocity; // may be null; rw n
    const double* options; // r 5
    int64_t n, maximize;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Rmsprop part(int64_t begin, int64_t elements, const T* from) const {
        Rmsprop some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        some.square += begin;
        if (some.mean != nullptr) some.mean += begin;
        if (some.velocity != nullptr) some.velocity += begin;
        return some;
    }
};

// Adadelta; options: lr, ρ, ε, weight decay
template <class T> struct Adadelta {
    T* parameter; // rw n
    const T* grad; // r n
    T* square; // rw n
    T* moved; // rw n
    const double* options; // r 4
    int64_t n, maximize;

    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.
    Adadelta part(int64_t begin, int64_t elements, const T* from) const {
        Adadelta some = *this;
        some.n = elements;
        some.grad = from;
        some.parameter += begin;
        some.square += begin;
        some.moved += begin;
        return some;
    }
};

} // namespace maillon::op
