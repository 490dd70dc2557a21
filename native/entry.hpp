// How a family's file offers its kernels: `const Entry entries[] = {ENTRY(Linear, linear), …}` for the struct op::Linear
// and the function template linear. Other fields of an Entry may follow: ENTRY(Sgd, sgd, .pick = {…}).
#pragma once

#include "program.hpp"
#include "simd.hpp"

namespace maillon::MAILLON_ISA {

template <class Fields, bool (*kernel)(const Fields&, const Team&)> bool carried(const Operation& op, const Team& team) {
    return kernel(op.as<Fields>(), team);
}

#define ENTRY(Struct, kernel, ...)                                                                                     \
    Entry {                                                                                                            \
        .name = #kernel, .words = int64_t(sizeof(op::Struct<float>) / 8),                                              \
        .carry = {carried<op::Struct<float>, kernel<float>>, carried<op::Struct<double>, kernel<double>>}              \
            __VA_OPT__(, ) __VA_ARGS__                                                                                 \
    }

// The end of a family's file: what core.cpp lists.
#define FAMILY(name)                                                                                                   \
    extern const Family name##_family;                                                                                 \
    const Family name##_family{entries, int64_t(sizeof entries / sizeof entries[0])};

inline constexpr int64_t grain = 64; // elements: no two threads write to one cache line

// draw(i) for i = 0 … n - 1, each of which takes one word: in blocks, between which others may draw.
template <class Draw> MAILLON_INLINE void each_block(WordStream& words, int64_t n, Draw draw) {
    for (int64_t begin = 0; begin < n; begin += block_words) {
        const int64_t end = n - begin < block_words ? n : begin + block_words;
        words.begin();
        for (int64_t i = begin; i < end; ++i) draw(i);
        words.end();
    }
}

} // namespace maillon::MAILLON_ISA
