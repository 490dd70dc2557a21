// Many words of a stream at a time. Where it is known how NumPy keeps its Mersenne Twister (WordStream::key), the words are
// made here, in registers; the stream is left as NumPy would have left it.
#pragma once

#include "program.hpp"
#include "simd.hpp"

namespace maillon::MAILLON_ISA {

inline constexpr int twister_shift = 397;

// Matsumoto and Nishimura's MT19937: the next 624 words of the state.
inline void twist(uint32_t* key) {
    const auto next = [](uint32_t word, uint32_t following, uint32_t shifted) __attribute__((always_inline)) {
        const uint32_t joined = (word & 0x80000000u) | (following & 0x7fffffffu);
        return shifted ^ (joined >> 1) ^ (-(joined & 1u) & 0x9908b0dfu);
    };
    constexpr int rest = twister_words - twister_shift; // no step reads what one nearer than so many has written
    for (int i = 0; i < rest; ++i) key[i] = next(key[i], key[i + 1], key[i + twister_shift]);
    for (int i = rest; i < twister_words - 1; ++i) key[i] = next(key[i], key[i + 1], key[i - rest]);
    key[twister_words - 1] = next(key[twister_words - 1], key[0], key[twister_shift - 1]);
}

// The next n words. The stream is locked.
inline void draw_words(WordStream& words, uint32_t* to, int64_t n) {
    if (words.key == nullptr) {
        for (int64_t i = 0; i < n; ++i) to[i] = words.next();
        return;
    }
    words.drawn += uint64_t(n);
    while (n > 0) {
        if (*words.position == twister_words) {
            twist(words.key);
            *words.position = 0;
        }
        const int64_t left = twister_words - *words.position, count = n < left ? n : left;
        const uint32_t* key = words.key + *words.position;
        for (int64_t i = 0; i < count; ++i) {
            uint32_t word = key[i];
            word ^= word >> 11;
            word ^= (word << 7) & 0x9d2c5680u;
            word ^= (word << 15) & 0xefc60000u;
            to[i] = word ^ (word >> 18);
        }
        *words.position += int(count);
        to += count;
        n -= count;
    }
}

// take(i, words, count) for the words i … i + count - 1 of n, in order, some at a time; between blocks others may draw.
template <class Take> MAILLON_INLINE void each_words(WordStream& words, int64_t n, Take take) {
    constexpr int64_t some = 1024;
    uint32_t drawn[some];
    for (int64_t begin = 0; begin < n; begin += block_words) {
        const int64_t end = n - begin < block_words ? n : begin + block_words;
        words.begin();
        for (int64_t i = begin; i < end; i += some) {
            const int64_t count = end - i < some ? end - i : some;
            draw_words(words, drawn, count);
            take(i, drawn, count);
        }
        words.end();
    }
}

} // namespace maillon::MAILLON_ISA
