// Losses between scores of C classes and the class that is right: the value of every sample and the gradient of the
// scores in one pass. The formulas are those of nn/losses/classification.py: l = −Σ_c q_c log p_c, where q holds the target
// distribution times the class weights.
#pragma once

#include "element_losses.hpp"
#include "loss_result.hpp"
#include "../lanes.hpp"
#include "../math.hpp"
#include "../operations/losses.hpp"
#include "../simd.hpp"
#include "../team.hpp"
#include "../wide.hpp"

namespace maillon::MAILLON_ISA {

// Scores are seen as (outer, classes, inner); sample number i is the pair (i / inner, i % inner). The target is `labels`, or
// `distribution`, of the scores' shape. The scores are log-probabilities (`likelihood`: NLLLoss), logits, or else
// probabilities.
inline constexpr int64_t from_logits = 1, likelihood = 2; // flags

// 1 / p overflows a little below these; the rest is room for class weights.
template <class T> inline constexpr T least_probability = sizeof(T) == 4 ? T(0x1p-106) : T(0x1p-1002);

template <class T> struct Label { // an ignored label counts 0 for class 0
    int64_t right;
    T counted;
};

// False for a label that is neither a class nor ignored.
template <class T> MAILLON_INLINE bool read_label(const op::ClassLoss<T>& op, int64_t sample, Label<T>& label) {
    label = {0, T(0)};
    if (op.labels == nullptr) return true;
    const int64_t given = op.labels[sample];
    if (given == op.ignore_index) return true;
    if (given < 0 || given >= op.classes) return false;
    label = {given, T(1)};
    return true;
}

// What the mean divides by: the sum of the class weights of the labels that count, in order (labels out of range are
// for `class_loss` to find), or the number of samples.
template <class T> double class_count(const op::ClassLoss<T>& op, Span samples) {
    if (op.labels == nullptr) return double(samples.end - samples.begin);
    double count = 0;
    for (int64_t i = samples.begin; i < samples.end; ++i) {
        Label<T> label;
        if (!read_label(op, i, label) || label.counted == 0) continue;
        count += op.class_weight ? double(op.class_weight[label.right]) : 1.0;
    }
    return count;
}

template <class T> MAILLON_INLINE Vec<T> keep_few(Vec<T> v, int n) {
    return n < lanes<T> ? keep<T>(first<T>(n), v) : v;
}

template <class T> MAILLON_INLINE Bits<T> lane_numbers() {
    Bits<T> number{};
    for (int i = 0; i < lanes<T>; ++i) number[i] = i;
    return number;
}

// Smoothing takes (1 − ε) of the target and adds ε / C, in numbers rounded to T.
template <class T> struct Smoothing {
    T own, others;
    bool on;
    MAILLON_INLINE explicit Smoothing(const op::ClassLoss<T>& op)
        : own(T(1 - op.smoothing)), others(T(op.smoothing / double(op.classes))), on(op.smoothing != 0) {}
};

// The classes of one sample side by side (inner = 1).
template <class T> struct Row {
    const T* scores;
    const T* distribution; // or null
    const T* class_weight; // or null
    Label<T> label;
    Smoothing<T> smoothing;
    int64_t classes;
    T scale;
    T* grad; // or null

    // q of the n classes from c on; zeros in the other lanes.
    MAILLON_INLINE Vec<T> target(int64_t c, int n) const {
        Vec<T> q;
        T others = smoothing.others;
        if (distribution != nullptr) {
            q = load_up_to(distribution + c, n);
        } else {
            const Bits<T> right = Bits<T>{} + typename Native<T>::Int(label.right - c);
            q = keep<T>(lane_numbers<T>() == right, broadcast(label.counted));
            others *= label.counted;
        }
        if (smoothing.on) q = broadcast(smoothing.own) * q + broadcast(others);
        if (class_weight != nullptr) q = q * load_up_to(class_weight + c, n);
        return smoothing.on ? keep_few<T>(q, n) : q;
    }

    MAILLON_INLINE bool ignored() const { return distribution == nullptr && label.counted == T(0); }

    // A label without smoothing: q is zero but for the class that is right.
    MAILLON_INLINE T right_weight() const {
        return class_weight != nullptr ? label.counted * class_weight[label.right] : label.counted;
    }
};

// −Σ_c q_c log softmax(z)_c and (p Σ_c q_c − q) · scale. As in NumPy a plain label (one without smoothing) counts its own
// class alone, so that scores of −∞ elsewhere are harmless; elsewhere all products count, and 0 · log 0 is NaN.
template <bool plain, class T> MAILLON_INLINE double logits_row(const Row<T>& row) {
    constexpr int64_t room = 256; // exponentials of few classes are kept here, those of many where the gradient will be
    T near[room + lanes<T>];
    const bool few = row.classes <= room;
    T* kept = few ? near : row.grad;
    const Vec<T> top = broadcast(maximum<T>(row.scores, row.classes));
    Sum<double> sum, product, mass;
    each_register<T>(row.classes, [&](int64_t c, int n) __attribute__((always_inline)) {
        const Vec<T> z = load_up_to(row.scores + c, n) - top;
        const Vec<T> e = keep_few<T>(exp(z), n);
        add<T>(sum, e);
        if (row.grad != nullptr) store_up_to(kept + c, e, few ? lanes<T> : n);
        if constexpr (!plain) {
            const Vec<T> q = row.target(c, n);
            add_product<T>(product, q, z);
            add<T>(mass, q);
        }
    });
    const double total = sum.total(), log_total = log(broadcast(total))[0];
    const double weight = plain ? double(row.right_weight()) : mass.total();
    if (row.grad != nullptr) {
        const Vec<T> p_scale = broadcast(T(weight / total)), scale = broadcast(row.scale);
        each_register<T>(row.classes, [&](int64_t c, int n) __attribute__((always_inline)) {
            const Vec<T> e = load_up_to(kept + c, few ? lanes<T> : n);
            store_up_to(row.grad + c, fma(e, p_scale, -row.target(c, n)) * scale, n);
        });
    }
    if (row.ignored()) return 0;
    if constexpr (plain) return weight * log_total - double(row.right_weight() * (row.scores[row.label.right] - top[0]));
    return weight * log_total - product.total();
}

// −Σ_c q_c log p_c and −q / p · scale.
template <class T> MAILLON_INLINE double probabilities_row(const Row<T>& row, Bits<T>& outside) {
    const Vec<T> scale = broadcast(row.scale);
    Sum<double> sum;
    each_register<T>(row.classes, [&](int64_t c, int n) __attribute__((always_inline)) {
        const Vec<T> p = load_up_to(row.scores + c, n), q = row.target(c, n);
        outside |= (p < broadcast(T(0))) | (p > broadcast(T(1)));
        add_product<T>(sum, q, at_least(T(lowest_log), log(p)));
        if (row.grad == nullptr) return;
        store_up_to(row.grad + c, -q / at_least(least_probability<T>, p) * scale, n);
    });
    return row.ignored() ? 0 : -sum.total();
}

// −w z and −w · scale at the class that is right.
template <class T> MAILLON_INLINE double likelihood_row(const Row<T>& row) {
    const T weight = row.right_weight();
    if (row.grad != nullptr) {
        each_register<T>(row.classes, [&](int64_t c, int n) __attribute__((always_inline)) {
            store_up_to(row.grad + c, broadcast(T(0)), n);
        });
        row.grad[row.label.right] = -weight * row.scale;
    }
    return row.ignored() ? 0 : -double(weight) * double(row.scores[row.label.right]);
}

template <class T>
bool class_rows(const op::ClassLoss<T> op, T scale, Span samples) {
    const int64_t size = op.classes;
    Row<T> row{nullptr, nullptr, op.class_weight, {}, Smoothing<T>(op), size, scale, nullptr};
    Bits<T> outside{};
    for (int64_t i = samples.begin; i < samples.end; ++i) {
        if (!read_label(op, i, row.label)) return false;
        const T weight = op.sample_weight ? op.sample_weight[i] : T(1);
        row.scores = op.scores + i * size;
        row.distribution = op.labels ? nullptr : op.distribution + i * size;
        row.scale = scale * weight;
        row.grad = op.grad ? op.grad + i * size : nullptr;
        double value;
        if (op.flags & likelihood) value = likelihood_row<T>(row);
        else if (!(op.flags & from_logits)) value = probabilities_row<T>(row, outside);
        else if (op.labels != nullptr && !row.smoothing.on) value = logits_row<true, T>(row);
        else value = logits_row<false, T>(row);
        op.row_totals[i] = value * double(weight);
    }
    return !any_lane<T>(outside);
}

// One register of samples, whose classes lie `inner` apart.
template <class T> struct Strided {
    const T* scores;
    const T* distribution; // or null
    const T* class_weight; // or null
    Bits<T> right;
    Vec<T> counted;
    Smoothing<T> smoothing;
    int64_t classes, inner;
    Vec<T> scale;
    T* grad; // or null
    int n;

    MAILLON_INLINE Vec<T> score(int64_t c) const { return load_up_to(scores + c * inner, n); }
    MAILLON_INLINE Vec<T> target(int64_t c) const {
        Vec<T> q, others = broadcast(smoothing.others);
        if (distribution != nullptr) {
            q = load_up_to(distribution + c * inner, n);
        } else {
            q = keep<T>(is_right(c), counted);
            others = others * counted;
        }
        if (smoothing.on) q = broadcast(smoothing.own) * q + others;
        return class_weight != nullptr ? q * broadcast(class_weight[c]) : q;
    }
    MAILLON_INLINE Bits<T> is_right(int64_t c) const { return right == Bits<T>{} + typename Native<T>::Int(c); }
    // Zero where a label is ignored.
    MAILLON_INLINE Vec<T> of_counted(Vec<T> v) const {
        return distribution != nullptr ? v : keep<T>(counted != broadcast(T(0)), v);
    }
    MAILLON_INLINE void put(int64_t c, Vec<T> v) const { store_up_to(grad + c * inner, v, n); }
};

template <class T> Vec<T> logits_block(const Strided<T>& b) {
    const bool plain = b.distribution == nullptr && !b.smoothing.on;
    Vec<T> top = b.score(0), sum{}, product{}, mass{};
    for (int64_t c = 1; c < b.classes; ++c) {
        const Vec<T> z = b.score(c);
        top = select(z > top, z, top);
    }
    for (int64_t c = 0; c < b.classes; ++c) {
        const Vec<T> z = b.score(c) - top, e = exp(z), q = b.target(c);
        sum += e;
        product = plain ? select(b.is_right(c), q * z, product) : fma(q, z, product);
        mass += q;
        if (b.grad != nullptr) b.put(c, e);
    }
    if (b.grad != nullptr) {
        const Vec<T> p_scale = mass / sum;
        for (int64_t c = 0; c < b.classes; ++c)
            b.put(c, fma(load_up_to(b.grad + c * b.inner, b.n), p_scale, -b.target(c)) * b.scale);
    }
    return b.of_counted(mass * log(sum) - product);
}

template <class T> Vec<T> probabilities_block(const Strided<T>& b, Bits<T>& outside) {
    Vec<T> sum{};
    for (int64_t c = 0; c < b.classes; ++c) {
        const Vec<T> p = b.score(c), q = b.target(c);
        outside |= (p < broadcast(T(0))) | (p > broadcast(T(1)));
        sum = fma(q, at_least(T(lowest_log), log(p)), sum);
        if (b.grad != nullptr) b.put(c, -q / at_least(least_probability<T>, p) * b.scale);
    }
    return b.of_counted(-sum);
}

template <class T> Vec<T> likelihood_block(const Strided<T>& b) {
    Vec<T> value{};
    for (int64_t c = 0; c < b.classes; ++c) {
        const Vec<T> q = b.target(c);
        value = select(b.is_right(c), -q * b.score(c), value);
        if (b.grad != nullptr) b.put(c, -q * b.scale);
    }
    return b.of_counted(value);
}

template <class T> MAILLON_INLINE bool read_labels(const op::ClassLoss<T>& op, int64_t sample, int n, Strided<T>& b) {
    Label<T> label;
    if (!read_label(op, sample, label)) return false;
    b.right = Bits<T>{} + typename Native<T>::Int(label.right);
    b.counted = broadcast(label.counted);
    for (int k = 1; k < n; ++k) {
        if (!read_label(op, sample + k, label)) return false;
        b.right[k] = typename Native<T>::Int(label.right);
        b.counted[k] = label.counted;
    }
    return true;
}

template <class T> MAILLON_INLINE Vec<T> block_values(const op::ClassLoss<T>& op, const Strided<T>& b, Bits<T>& outside) {
    if (op.flags & likelihood) return likelihood_block<T>(b);
    return op.flags & from_logits ? logits_block<T>(b) : probabilities_block<T>(b, outside);
}

template <class T>
bool class_blocks(const op::ClassLoss<T> op, T scale, Span samples) {
    Strided<T> b{nullptr, nullptr, op.class_weight, {}, {}, Smoothing<T>(op), op.classes, op.inner, {}, nullptr, 0};
    Bits<T> outside{};
    for (int64_t i = samples.begin; i < samples.end; i += b.n) {
        const int64_t outer = i / op.inner, place = i % op.inner, at = outer * op.classes * op.inner + place;
        int64_t most = op.inner - place < lanes<T> ? op.inner - place : lanes<T>;
        if (samples.end - i < most) most = samples.end - i;
        b.n = int(most);
        if (!read_labels(op, i, b.n, b)) return false;
        const T weight = op.sample_weight ? op.sample_weight[outer] : T(1);
        b.scores = op.scores + at;
        b.distribution = op.labels ? nullptr : op.distribution + at;
        b.scale = broadcast(T(scale * weight));
        b.grad = op.grad ? op.grad + at : nullptr;
        const Vec<T> value = block_values<T>(op, b, outside);
        for (int k = 0; k < b.n; ++k) op.row_totals[i + k] = double(value[k]) * double(weight);
    }
    return !any_lane<T>(outside);
}

inline constexpr int64_t few_classes = 4;

// Transposes n rows into n lanes; the other lanes repeat the first row.
template <class T> MAILLON_INLINE void turn(const T* rows, int64_t classes, int n, T* turned) {
    for (int64_t c = 0; c < classes; ++c) {
        Vec<T> v = broadcast(rows[c]);
        if (n == lanes<T>)
            for (int k = 1; k < lanes<T>; ++k) v[k] = rows[k * classes + c];
        store(turned + c * lanes<T>, v);
    }
    if (n == lanes<T>) return;
    for (int k = 1; k < n; ++k)
        for (int64_t c = 0; c < classes; ++c) turned[c * lanes<T> + k] = rows[k * classes + c];
}

// Few classes side by side: samples stand in lanes here too, because adding over lanes costs more than transposing the rows.
template <class T>
bool class_tiles(const op::ClassLoss<T> op, T scale, Span samples) {
    T scores[few_classes * lanes<T>], distribution[few_classes * lanes<T>], slopes[few_classes * lanes<T>];
    const T* targets = op.labels ? nullptr : distribution;
    T* turned_grad = op.grad ? slopes : nullptr;
    const Smoothing<T> smoothing(op);
    Strided<T> b{scores, targets, op.class_weight, {}, {}, smoothing, op.classes, lanes<T>, {}, turned_grad, lanes<T>};
    Bits<T> outside{};
    for (int64_t i = samples.begin; i < samples.end; i += lanes<T>) {
        const int n = samples.end - i < lanes<T> ? int(samples.end - i) : lanes<T>;
        if (!read_labels(op, i, n, b)) return false;
        turn(op.scores + i * op.classes, op.classes, n, scores);
        if (op.labels == nullptr) turn(op.distribution + i * op.classes, op.classes, n, distribution);
        const Vec<T> weight = op.sample_weight ? load_up_to(op.sample_weight + i, n) : broadcast(T(1));
        b.scale = broadcast(scale) * weight;
        const Vec<T> value = block_values<T>(op, b, outside);
        for (int k = 0; k < n; ++k) op.row_totals[i + k] = double(value[k]) * double(weight[k]);
        if (op.grad == nullptr) continue;
        for (int k = 0; k < n; ++k)
            for (int64_t c = 0; c < op.classes; ++c) op.grad[(i + k) * op.classes + c] = slopes[c * lanes<T> + k];
    }
    return !any_lane<T>(outside);
}

// False, with the outputs unfinished, for a probability outside [0, 1] or a label that is neither a class nor ignored.
template <class T> bool class_values(const op::ClassLoss<T>& op, T scale, Span samples) {
    if (op.inner != 1) return class_blocks<T>(op, scale, samples);
    if (op.classes <= few_classes && !(op.flags & likelihood)) return class_tiles<T>(op, scale, samples);
    return class_rows<T>(op, scale, samples);
}

template <class T> bool class_loss(const op::ClassLoss<T>& op, const Team& team) {
    const int64_t samples = op.outer * op.inner;
    const double denominator = averages(op) ? class_count<T>(op, Span{0, samples}) : 1;
    const Span own = share(samples, 8, team);
    if (!class_values<T>(op, loss_scale(op, denominator), own)) refuse(op, own.begin);
    return loss_result(op, samples, denominator, team);
}

} // namespace maillon::MAILLON_ISA
