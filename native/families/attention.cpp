// The core of attention, between the projections: scores, softmax and weighted means of every sample's every head.
// The heads are columns of q, k and v where these lie; their products are small ones.
#include "../operations/attention.hpp"

#include "../entry.hpp"
#include "../gemm.hpp"
#include "../math.hpp"
#include "../words.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// ── Where the numbers of a head lie ─────────────────────────────────────────────────────────────────────────────────

// The rows of one head, one a position, `step` apart.
template <class T> struct Rows {
    T* first;
    int64_t step;
};

template <class Op> struct Layout {
    const Op& op;

    int64_t all() const { return op.keys + op.learnt + op.zero; } // keys, those that stand after the given ones included
    int64_t square(int64_t head) const { return head * op.queries * all(); } // of sample · heads + head

    // Of `positions` positions with `row` numbers each, the head's columns from `at` on.
    template <class T> Rows<T> rows(T* x, int64_t head, int64_t positions, int64_t row, int64_t at) const {
        const int64_t sample = head / op.heads, column = at + head % op.heads * op.width;
        return op.by_sample ? Rows<T>{x + sample * positions * row + column, row}
                            : Rows<T>{x + sample * row + column, op.batch * row};
    }
    template <class T> Rows<T> q(T* x, int64_t head) const { return rows(x, head, op.queries, op.q_row, op.q_at); }
    template <class T> Rows<T> k(T* x, int64_t head) const { return rows(x, head, op.keys, op.k_row, op.k_at); }
    template <class T> Rows<T> v(T* x, int64_t head) const { return rows(x, head, op.keys, op.v_row, op.v_at); }
    template <class T> Rows<T> context(T* x, int64_t head) const {
        return rows(x, head, op.queries, op.heads * op.width, 0);
    }
    int64_t learnt(int64_t head) const { return head % op.heads * op.width; }
};

// c (m × n) (+)= a bᵀ, a b and aᵀ b, of rows.
template <class T>
void times_transposed(Rows<const T> a, Rows<const T> b, Rows<T> c, int64_t m, int64_t n, int64_t k) {
    product_plain<T>({m, n, k, a.first, a.step, 1, b.first, 1, b.step, c.first, c.step, nullptr, Begin::zero}, {});
}
template <class T>
void times(Rows<const T> a, Rows<const T> b, Rows<T> c, int64_t m, int64_t n, int64_t k, Begin begin = Begin::zero) {
    product_plain<T>({m, n, k, a.first, a.step, 1, b.first, b.step, 1, c.first, c.step, nullptr, begin}, {});
}
template <class T>
void transposed_times(Rows<const T> a, Rows<const T> b, Rows<T> c, int64_t m, int64_t n, int64_t k) {
    product_plain<T>({m, n, k, a.first, 1, a.step, b.first, b.step, 1, c.first, c.step, nullptr, Begin::zero}, {});
}

template <class T> void fill(Rows<T> x, int64_t rows, T value) {
    for (int64_t i = 0; i < rows; ++i) x.first[i * x.step] = value;
}

// ── Forward ─────────────────────────────────────────────────────────────────────────────────────────────────────────

// What is added to the scores of one query.
template <class T> struct Masks {
    const T *mask, *padding; // for the given keys; may be null
    int64_t keys, all, seen; // of all keys, those from `seen` on are left out
    T scale;
};

template <class T> MAILLON_INLINE void masked(const Masks<T>& m, T* scores) {
    const Vec<T> scale = broadcast(m.scale);
    each_register<T>(m.all, [&](int64_t i, int64_t count) {
        store_up_to(scores + i, load_up_to(scores + i, count) * scale, count);
    });
    for (const T* added : {m.mask, m.padding}) {
        if (added == nullptr) continue;
        each_register<T>(m.keys, [=](int64_t i, int64_t count) {
            store_up_to(scores + i, load_up_to(scores + i, count) + load_up_to(added + i, count), count);
        });
    }
    for (int64_t j = m.seen; j < m.all; ++j) scores[j] += -T(__builtin_inff());
}

// The softmax of n scores, in place; `empty` where all of them are -∞.
template <class T> MAILLON_INLINE void softmax_or_empty(T* x, int64_t n, T empty) {
    const T most = maximum(x, n), none = -T(__builtin_inff());
    const Vec<T> base = broadcast(most == none ? T(0) : most);
    const T total = sum_terms<T>(n, [=](int64_t i, int64_t count) {
        const Vec<T> e = exp(load_up_to(x + i, count) - base);
        store_up_to(x + i, e, count);
        return e;
    });
    const bool nothing = most == none && total == 0; // not so where there is a NaN
    const Vec<T> divisor = broadcast(total), instead = broadcast(empty);
    each_register<T>(n, [=](int64_t i, int64_t count) {
        store_up_to(x + i, nothing ? instead : load_up_to(x + i, count) / divisor, count);
    });
}

template <class T> T kept_factor(double p) { return p < 1 ? T(1) / T(1 - p) : T(1); }

// y = x kept factor
template <class T> void dropped(const T* x, const uint8_t* kept, T factor, T* y, int64_t n) {
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] * (kept[i] ? factor : T(0));
}

// out[i] (+)= x[i] factor
template <class T> void add_scaled(const T* x, T factor, T* out, int64_t n, bool keep) {
    const Vec<T> factors = broadcast(factor);
    each_register<T>(n, [=](int64_t i, int64_t count) {
        const Vec<T> before = keep ? load_up_to(out + i, count) : Vec<T>{};
        store_up_to(out + i, fma(load_up_to(x + i, count), factors, before), count);
    });
}

template <class T> void attend(const op::Attention<T>& op, int64_t head) {
    const Layout<op::Attention<T>> at{op};
    const int64_t all = at.all();
    const T *k_from = op.k ? op.k : op.q, *v_from = op.v ? op.v : k_from;
    const Rows<const T> q = at.q(op.q, head), k = at.k(k_from, head), v = at.v(v_from, head);
    const Rows<T> scores{op.weights + at.square(head), all};
    times_transposed<T>(q, k, scores, op.queries, op.keys, op.width);
    if (op.learnt)
        times_transposed<T>(q, {op.bias_k + at.learnt(head), op.width}, {scores.first + op.keys, all}, op.queries, 1,
                            op.width);
    if (op.zero) fill<T>({scores.first + all - 1, all}, op.queries, T(0));
    for (int64_t i = 0; i < op.queries; ++i) {
        const int64_t row = (op.mask_each ? head * op.queries + i : i) * op.keys;
        masked<T>({op.mask ? op.mask + row : nullptr, op.padding ? op.padding + head / op.heads * op.keys : nullptr,
                   op.keys, all, op.causal && i + 1 < all ? i + 1 : all, T(op.scale)},
                  scores.first + i * all);
        softmax_or_empty(scores.first + i * all, all, op.empty_is_nan ? T(__builtin_nanf("")) : T(0));
    }
    Rows<const T> weights{scores.first, all};
    if (op.kept) {
        T* room = op.workspace + at.square(head);
        dropped(scores.first, op.kept + at.square(head), kept_factor<T>(op.p), room, op.queries * all);
        weights.first = room;
    }
    const Rows<T> context = at.context(op.context, head);
    times<T>(weights, v, context, op.queries, op.width, op.keys);
    if (op.learnt)
        times<T>({weights.first + op.keys, all}, {op.bias_v + at.learnt(head), op.width}, context, op.queries, op.width,
                 1, Begin::keep);
}

// The weights that the caller sees: of each head, or their mean.
template <class T> void show(const op::Attention<T>& op, const Team& team) {
    const Layout<op::Attention<T>> at{op};
    const T* weights = op.kept ? op.workspace : op.weights;
    const int64_t square = at.square(1), together = op.averaged ? op.heads : 1;
    const Span own = share(op.batch * op.heads / together, 1, team);
    for (int64_t place = own.begin; place < own.end; ++place)
        for (int64_t head = 0; head < together; ++head)
            add_scaled(weights + (place * together + head) * square, T(1) / T(together), op.shown + place * square,
                       square, head > 0);
}

template <class T> bool attention(const op::Attention<T>& op, const Team& team) {
    const Span own = share(op.batch * op.heads, 1, team);
    for (int64_t head = own.begin; head < own.end && !team.leaving(); ++head) attend(op, head);
    if (op.shown == nullptr) return true;
    team.wait();
    show(op, team);
    return true;
}

// ── Backward ────────────────────────────────────────────────────────────────────────────────────────────────────────

// dweights → scale · dscores, in place: W (dW - Σ dW W)
template <class T>
MAILLON_INLINE void softmax_grad_row(const T* weights, const uint8_t* kept, T factor, T scale, T* d, int64_t n) {
    if (kept) dropped(d, kept, factor, d, n);
    const Vec<T> total = broadcast(dot(d, weights, n)), scales = broadcast(scale);
    each_register<T>(n, [=](int64_t i, int64_t count) {
        const Vec<T> w = load_up_to(weights + i, count);
        store_up_to(d + i, fma(-w, total, w * load_up_to(d + i, count)) * scales, count);
    });
}

template <class T> void attend_back(const op::AttentionGrad<T>& op, int64_t head) {
    const Layout<op::AttentionGrad<T>> at{op};
    const int64_t all = at.all(), queries = op.queries, keys = op.keys, width = op.width, learnt = at.learnt(head);
    const T *k_from = op.k ? op.k : op.q, *v_from = op.v ? op.v : k_from;
    T *dk_to = op.dk ? op.dk : op.dq, *dv_to = op.dv ? op.dv : dk_to;
    const Rows<const T> q = at.q(op.q, head), k = at.k(k_from, head), v = at.v(v_from, head);
    const Rows<T> dq = at.q(op.dq, head), dk = at.k(dk_to, head), dv = at.v(dv_to, head);
    const T* weights = op.weights + at.square(head);
    const uint8_t* kept = op.kept ? op.kept + at.square(head) : nullptr;
    const T factor = kept_factor<T>(op.p);
    const Rows<T> d{op.dscores + at.square(head), all};
    // Of the learnt key and value, for the sample that this head belongs to; a sum over the samples makes the gradient.
    T *dbias_v = op.workspace + head * width, *dbias_k = dbias_v + op.batch * op.heads * width;

    if (op.dcontext) {
        const Rows<const T> dcontext = at.context(op.dcontext, head);
        Rows<const T> applied{weights, all};
        if (kept) {
            dropped(weights, kept, factor, d.first, queries * all);
            applied.first = d.first;
        }
        transposed_times<T>(applied, dcontext, dv, keys, width, queries);
        if (op.learnt)
            transposed_times<T>({applied.first + keys, all}, dcontext, {dbias_v, width}, 1, width, queries);
        times_transposed<T>(dcontext, v, d, queries, keys, width);
        if (op.learnt)
            times_transposed<T>(dcontext, {op.bias_v + learnt, width}, {d.first + keys, all}, queries, 1, width);
        if (op.zero) fill<T>({d.first + all - 1, all}, queries, T(0));
    } else {
        for (int64_t j = 0; j < keys; ++j) std::memset(dv.first + j * dv.step, 0, size_t(width) * sizeof(T));
        if (op.learnt) std::memset(dbias_v, 0, size_t(width) * sizeof(T));
    }
    if (op.dshown) {
        const int64_t shown = op.averaged ? head / op.heads : head;
        add_scaled(op.dshown + at.square(shown), op.averaged ? T(1) / T(op.heads) : T(1), d.first, queries * all,
                   op.dcontext != nullptr);
    }
    for (int64_t i = 0; i < queries; ++i)
        softmax_grad_row(weights + i * all, kept ? kept + i * all : nullptr, factor, T(op.scale), d.first + i * all,
                         all);
    const Rows<const T> dscores{d.first, all};
    times<T>(dscores, k, dq, queries, width, keys);
    if (op.learnt) {
        times<T>({d.first + keys, all}, {op.bias_k + learnt, width}, dq, queries, width, 1, Begin::keep);
        transposed_times<T>({d.first + keys, all}, q, {dbias_k, width}, 1, width, queries);
    }
    transposed_times<T>(dscores, q, dk, keys, width, queries);
}

// out[j] = Σ factor x[row][j] over `rows` rows that are `step` apart.
template <class T> void scaled_sums(const T* x, int64_t step, int64_t rows, T factor, T* out, int64_t n) {
    std::memset(out, 0, size_t(n) * sizeof(T));
    for (int64_t row = 0; row < rows; ++row) add_scaled(x + row * step, factor, out, n, true);
}

// The masks' gradients are the scores', from which the scale is taken again, summed over what a mask is spread over.
template <class T> void grad_masks(const op::AttentionGrad<T>& op, const Team& team) {
    const Layout<op::AttentionGrad<T>> at{op};
    const int64_t all = at.all(), heads = op.batch * op.heads;
    const T factor = T(1 / op.scale);
    if (op.dmask) {
        const Span own = share(op.mask_each ? heads * op.queries : op.queries, 1, team);
        for (int64_t row = own.begin; row < own.end; ++row)
            scaled_sums(op.dscores + row * all, at.square(1), op.mask_each ? 1 : heads, factor,
                        op.dmask + row * op.keys, op.keys);
    }
    if (op.dpadding) {
        const Span own = share(op.batch, 1, team);
        for (int64_t sample = own.begin; sample < own.end; ++sample)
            scaled_sums(op.dscores + at.square(sample * op.heads), all, op.heads * op.queries, factor,
                        op.dpadding + sample * op.keys, op.keys);
    }
}

template <class T> bool attention_grad(const op::AttentionGrad<T>& op, const Team& team) {
    const Span own = share(op.batch * op.heads, 1, team);
    for (int64_t head = own.begin; head < own.end && !team.leaving(); ++head) attend_back(op, head);
    if (!op.dmask && !op.dpadding && !op.learnt) return true;
    team.wait();
    grad_masks(op, team);
    const int64_t size = op.heads * op.width;
    if (op.dbias_v) column_sums<T>(op.workspace, op.batch, size, op.dbias_v, op.keep_v != 0, team);
    if (op.dbias_k) column_sums<T>(op.workspace + op.batch * size, op.batch, size, op.dbias_k, op.keep_k != 0, team);
    return true;
}

// ── What comes before ───────────────────────────────────────────────────────────────────────────────────────────────

// One word of the generator an element, in order: kept where its low 24 bits, over 2^24, are at least p.
template <class T> bool keep_mask(const op::KeepMask<T>& op, const Team&) {
    const double limit = double(float(op.p)) * 0x1p24;
    const uint32_t least = uint32_t(limit) + (double(uint32_t(limit)) < limit);
    each_words(*op.words, op.n, [=, &op](int64_t begin, const uint32_t* words, int64_t count) {
        for (int64_t i = 0; i < count; ++i) op.kept[begin + i] = (words[i] & 0xffffffu) >= least;
    });
    return true;
}

template <class T> bool additive(const op::Additive<T>& op, const Team& team) {
    const Span own = share(op.n, grain, team);
    for (int64_t i = own.begin; i < own.end; ++i) op.y[i] = op.x[i] ? -T(__builtin_inff()) : T(0);
    return true;
}

const Entry entries[] = {ENTRY(Attention, attention), ENTRY(AttentionGrad, attention_grad), ENTRY(KeepMask, keep_mask),
                         ENTRY(Additive, additive)};

} // namespace

FAMILY(attention)

} // namespace maillon::MAILLON_ISA
