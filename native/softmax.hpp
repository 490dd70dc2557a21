// The softmaxes and their logarithms, line by line. The last, incomplete register of an array is computed like any
// other.
#pragma once

#include "lanes.hpp"
#include "math.hpp"
#include "team.hpp"

namespace maillon::MAILLON_ISA {

// One line in a row: e^(x - max) / Σ, or x - max - log Σ.
template <class T, bool log_of_it> MAILLON_INLINE void softmax_line(const T* x, T* y, int64_t size) {
    const Vec<T> most = broadcast(maximum(x, size));
    const Vec<T> total = broadcast(sum_terms<T>(size, [=](int64_t i, int64_t count) {
        const Vec<T> e = exp(load_up_to(x + i, count) - most);
        if constexpr (!log_of_it) store_up_to(y + i, e, count);
        return e;
    }));
    if constexpr (log_of_it) {
        const Vec<T> log_total = log(total);
        each_register<T>(size, [=](int64_t i, int64_t count) {
            store_up_to(y + i, load_up_to(x + i, count) - most - log_total, count);
        });
    } else {
        each_register<T>(size, [=](int64_t i, int64_t count) {
            store_up_to(y + i, load_up_to(y + i, count) / total, count);
        });
    }
}

// `count` lines side by side, their elements `stride` apart.
template <class T, bool log_of_it>
MAILLON_INLINE void softmax_lines(const T* x, T* y, int64_t size, int64_t stride, int64_t count) {
    Vec<T> most = broadcast(-T(__builtin_inff())), total{};
    for (int64_t k = 0; k < size; ++k) most = max(load_up_to(x + k * stride, count), most);
    for (int64_t k = 0; k < size; ++k) {
        const Vec<T> e = exp(load_up_to(x + k * stride, count) - most);
        if constexpr (!log_of_it) store_up_to(y + k * stride, e, count);
        total += e;
    }
    const Vec<T> log_total = log(total);
    for (int64_t k = 0; k < size; ++k) {
        if constexpr (log_of_it) {
            store_up_to(y + k * stride, load_up_to(x + k * stride, count) - most - log_total, count);
        } else {
            store_up_to(y + k * stride, load_up_to(y + k * stride, count) / total, count);
        }
    }
}

// y (dy - Σ dy y), or of a log-softmax dy - e^y Σ dy
template <class T, bool log_of_it> MAILLON_INLINE Vec<T> softmax_derivative(Vec<T> dy, Vec<T> y, Vec<T> total) {
    if constexpr (log_of_it) return fma(-exp(y), total, dy);
    else return y * (dy - total);
}

template <class T, bool log_of_it>
MAILLON_INLINE void softmax_grad_line(const T* dy, const T* y, T* dx, int64_t size) {
    const Vec<T> total = broadcast(log_of_it ? sum(dy, size) : dot(dy, y, size));
    each_register<T>(size, [=](int64_t i, int64_t count) {
        const Vec<T> d = load_up_to(dy + i, count), v = load_up_to(y + i, count);
        store_up_to(dx + i, softmax_derivative<T, log_of_it>(d, v, total), count);
    });
}

template <class T, bool log_of_it>
MAILLON_INLINE void softmax_grad_lines(const T* dy, const T* y, T* dx, int64_t size, int64_t stride, int64_t count) {
    Vec<T> total{};
    for (int64_t k = 0; k < size * stride; k += stride) {
        const Vec<T> d = load_up_to(dy + k, count);
        total = log_of_it ? total + d : fma(d, load_up_to(y + k, count), total);
    }
    for (int64_t k = 0; k < size * stride; k += stride) {
        const Vec<T> d = load_up_to(dy + k, count), v = load_up_to(y + k, count);
        store_up_to(dx + k, softmax_derivative<T, log_of_it>(d, v, total), count);
    }
}

// step(offset of the first element, count) for every group of lines that lie side by side and fill a register.
template <class T, class Step> MAILLON_INLINE void side_by_side(int64_t size, int64_t inner, Span lines, Step step) {
    for (int64_t line = lines.begin; line < lines.end;) {
        const int64_t column = line % inner;
        int64_t count = inner - column < lines.end - line ? inner - column : lines.end - line;
        if (count > lanes<T>) count = lanes<T>;
        step(line / inner * size * inner + column, count);
        line += count;
    }
}

template <class T, bool log_of_it>
void softmax_span(const T* x, T* y, int64_t size, int64_t inner, Span lines) {
    if (inner == 1) {
        for (int64_t line = lines.begin; line < lines.end; ++line) {
            softmax_line<T, log_of_it>(x + line * size, y + line * size, size);
        }
    } else {
        side_by_side<T>(size, inner, lines, [=](int64_t at, int64_t count) {
            softmax_lines<T, log_of_it>(x + at, y + at, size, inner, count);
        });
    }
}

template <class T, bool log_of_it>
void softmax_grad_span(const T* dy, const T* y, T* dx, int64_t size, int64_t inner, Span lines) {
    if (inner == 1) {
        for (int64_t line = lines.begin; line < lines.end; ++line) {
            softmax_grad_line<T, log_of_it>(dy + line * size, y + line * size, dx + line * size, size);
        }
    } else {
        side_by_side<T>(size, inner, lines, [=](int64_t at, int64_t count) {
            softmax_grad_lines<T, log_of_it>(dy + at, y + at, dx + at, size, inner, count);
        });
    }
}

// The softmax, or its logarithm, of x seen as (outer, size, inner) in C order, along `size`. Line number l is the pair
// (l / inner, l % inner). y may be x. Sums run in the order of lanes.hpp where inner = 1, else one by one.
template <class T> void softmax(const T* x, T* y, int64_t size, int64_t inner, Span lines, bool log) {
    if (log) softmax_span<T, true>(x, y, size, inner, lines);
    else softmax_span<T, false>(x, y, size, inner, lines);
}

// dx from dy and the output y; dx may be dy.
template <class T>
void softmax_grad(const T* dy, const T* y, T* dx, int64_t size, int64_t inner, Span lines, bool log) {
    if (log) softmax_grad_span<T, true>(dy, y, dx, size, inner, lines);
    else softmax_grad_span<T, false>(dy, y, dx, size, inner, lines);
}

} // namespace maillon::MAILLON_ISA
