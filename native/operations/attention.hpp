// Written by `make operations` from src/maillon/engine/families/attention.py: change that, and run it again.
#pragma once

#include "../program.hpp"
#include "choices.hpp"

namespace maillon::op {

// weights = softmax(scale Q Kᵀ + masks), context = (weights kept / (1 - p)) V, head by head
template <class T> struct Attention {
    const T* q; // r batch * queries * q_row
    const T* k; // may be null; r batch * keys * k_row
    const T* v; // may be null; r batch * keys * v_row
    const T* bias_k; // may be null; r heads * width
    const T* bias_v; // may be null; r heads * width
    const T* mask; // may be null; r (batch * heads if mask_each else 1) * queries * keys
    const T* padding; // may be null; r batch * keys
    const uint8_t* kept; // may be null; r batch * heads * queries * (keys + learnt + zero)
    T* weights; // w batch * heads * queries * (keys + learnt + zero)
    T* context; // w batch * queries * heads * width
    T* shown; // may be null; w batch * (1 if averaged else heads) * queries * (keys + learnt + zero)
    T* workspace; // w dropping * batch * heads * queries * (keys + learnt + zero)
    int64_t batch, heads, width, queries, keys, learnt, zero, by_sample, averaged, q_row, q_at, k_row, k_at, v_row, v_at, mask_each, causal, empty_is_nan, dropping;
    double scale, p;
};

// the gradients of q, k, v (in dq, where absent), of the learnt key and value, and of the masks
template <class T> struct AttentionGrad {
    const T* dcontext; // may be null; r batch * queries * heads * width
    const T* dshown; // may be null; r batch * (1 if averaged else heads) * queries * (keys + learnt + zero)
    const T* q; // r batch * queries * q_row
    const T* k; // may be null; r batch * keys * k_row
    const T* v; // may be null; r batch * keys * v_row
    const T* bias_k; // may be null; r heads * width
    const T* bias_v; // may be null; r heads * width
    const T* weights; // r batch * heads * queries * (keys + learnt + zero)
    const uint8_t* kept; // may be null; r batch * heads * queries * (keys + learnt + zero)
    T* dscores; // w batch * heads * queries * (keys + learnt + zero)
    T* dq; // w batch * queries * q_row
    T* dk; // may be null; w batch * keys * k_row
    T* dv; // may be null; w batch * keys * v_row
    T* dbias_k; // may be null; rw heads * width
    T* dbias_v; // may be null; rw heads * width
    T* dmask; // may be null; w (batch * heads if mask_each else 1) * queries * keys
    T* dpadding; // may be null; w batch * keys
    T* workspace; // w 2 * learnt * batch * heads * width
    int64_t batch, heads, width, queries, keys, learnt, zero, by_sample, averaged, q_row, q_at, k_row, k_at, v_row, v_at, mask_each, keep_k, keep_v;
    double scale, p;
};

// kept = whether a random number is at least p. One word for each element, in order
template <class T> struct KeepMask {
    uint8_t* kept; // w n
    int64_t n;
    double p;
    WordStream* words;
};

// y = -∞ where x, else 0
template <class T> struct Additive {
    const uint8_t* x; // r n
    T* y; // w n
    int64_t n;
};

} // namespace maillon::op
