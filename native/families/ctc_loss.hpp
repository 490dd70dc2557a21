// CTCLoss, in doubles: α forwards in time, β backwards, all in logarithms. The formulas are those of nn/losses/ctc.py.
#pragma once

#include "loss_result.hpp"
#include "../lanes.hpp"
#include "../math.hpp"
#include "../operations/losses.hpp"
#include "../simd.hpp"
#include "../team.hpp"
#include "../wide.hpp"

namespace maillon::MAILLON_ISA {

inline constexpr double log_zero = -__builtin_inf();

// The first n ≤ lanes<double> numbers, as doubles.
template <class T> MAILLON_INLINE Vec<double> load_wide(const T* from, int n) {
    if constexpr (sizeof(T) == 8) return load_up_to(from, n);
    Vec<double> v{};
    for (int i = 0; i < n; ++i) v[i] = double(from[i]);
    return v;
}

// log(eᵃ + eᵇ + eᶜ), from the largest of the three; NaN stays.
MAILLON_INLINE Vec<double> log_sum(Vec<double> a, Vec<double> b, Vec<double> c) {
    const Bits<double> first = a > b;
    const Vec<double> larger = select(first, a, b), smaller = select(first, b, a);
    const Bits<double> second = larger > c;
    const Vec<double> most = select(second, larger, c), other = select(second, c, larger), none = broadcast(log_zero);
    const Vec<double> shift = select(most == none, broadcast(0.0), most);
    return most + log1p(exp(smaller - shift) + exp(other - shift));
}

// One sample: the states of a path are the labels, with blanks before, between and after them.
template <class T> struct Alignment {
    const op::CtcLoss<T>& op;
    int64_t sample;
    const int64_t* labels;
    int64_t count, end, states; // labels, times, 2 count + 1
    double *tops, *sums;        // of each time: the largest score, and log Σ of e to what is left
    double *alpha, *beta;       // a row of `width` for each time; one row
    double *from_two;           // 1 where a path may come from two states before
    double *emitted, *posterior;
    int64_t width;

    // In rows, two states that cannot be reached stand before and after the others: `states` + 4 numbers.
    Alignment(const op::CtcLoss<T>& op, int64_t sample, const int64_t* labels)
        : op(op), sample(sample), labels(labels), count(op.target_lengths[sample]), end(op.input_lengths[sample]),
          states(2 * count + 1), width(2 * op.labels + 5) {
        double* at = op.workspace + sample * ((op.time + 3) * width + 2 * op.time + op.classes);
        const auto take = [&](int64_t n) {
            double* taken = at;
            at += n;
            return taken;
        };
        tops = take(op.time), sums = take(op.time), posterior = take(op.classes);
        alpha = take(op.time * width) + 2, beta = take(width) + 2, from_two = take(width) + 2;
        emitted = take(width) + 2;
    }

    int64_t label(int64_t state) const { return state % 2 ? labels[state / 2] : op.blank; }
    const T* scores(int64_t t) const { return op.log_probs + (t * op.samples + sample) * op.classes; }
    // log softmax, of n classes from c on
    MAILLON_INLINE Vec<double> log_p(int64_t t, int64_t c, int n) const {
        return load_wide(scores(t) + c, n) - tops[t] - sums[t];
    }

    bool valid() const {
        for (int64_t k = 0; k < count; ++k)
            if (labels[k] < 0 || labels[k] >= op.classes || labels[k] == op.blank) return false;
        return true;
    }

    // Two states before the first, and two after the last.
    void surround(double* row) const {
        row[-2] = row[-1] = row[states] = row[states + 1] = log_zero;
    }

    // What is given for n states, or for those two before them, where a path may go from one to the other.
    MAILLON_INLINE Vec<double> two_away(const double* row, int64_t onto, int n) const {
        return select(load_up_to(from_two + onto, n) == broadcast(1.0), load_up_to(row, n), broadcast(log_zero));
    }

    void emit(int64_t t) const {
        const T* x = scores(t);
        for (int64_t s = 0; s < states; ++s) emitted[s] = double(x[label(s)]) - tops[t] - sums[t];
    }

    void normalise(int64_t t) const {
        tops[t] = double(maximum(scores(t), op.classes));
        sums[t] = 0;
        Sum<double> sum;
        each_register<double>(op.classes, [&](int64_t c, int n) __attribute__((always_inline)) {
            sum.add(keep<double>(first<double>(n), exp(log_p(t, c, n))));
        });
        sums[t] = log(broadcast(sum.total()))[0];
    }

    // log Σ_π
    double forwards() const {
        if (end == 0) return count == 0 ? 0 : log_zero;
        from_two[states] = from_two[states + 1] = 0;
        for (int64_t s = 0; s < states; ++s)
            from_two[s] = s >= 3 && s % 2 && label(s) != label(s - 2);
        for (int64_t t = 0; t < end; ++t) {
            normalise(t);
            emit(t);
            double* now = alpha + t * width;
            surround(now);
            if (t == 0) {
                for (int64_t s = 0; s < states; ++s) now[s] = s < 2 ? emitted[s] : log_zero;
                continue;
            }
            const double* before = now - width;
            each_register<double>(states, [&](int64_t s, int n) __attribute__((always_inline)) {
                const Vec<double> sum = log_sum(load_up_to(before + s, n), load_up_to(before + s - 1, n),
                                                two_away(before + s - 2, s, n));
                store_up_to(now + s, sum + load_up_to(emitted + s, n), n);
            });
        }
        const double* last = alpha + (end - 1) * width + states;
        return log_sum(broadcast(last[-1]), broadcast(count ? last[-2] : log_zero), broadcast(log_zero))[0];
    }

    // The gradient of each time, from the last one on: (p − the probability that a path is at the class) · scale.
    void backwards(double log_likelihood, double scale, T* grad) const {
        for (int64_t t = end - 1; t >= 0; --t) {
            next_beta(t);
            for (int64_t c = 0; c < op.classes; ++c) posterior[c] = 0;
            const double* forward = alpha + t * width;
            emit(t);
            each_register<double>(states, [&](int64_t s, int n) __attribute__((always_inline)) {
                const Vec<double> now = load_up_to(beta + s, n);
                const Vec<double> visits = exp(load_up_to(forward + s, n) + now - log_likelihood);
                for (int k = 0; k < n; ++k) posterior[label(s + k)] += visits[k];
                store_up_to(beta + s, now + load_up_to(emitted + s, n), n);
            });
            T* to = grad + (t * op.samples + sample) * op.classes;
            each_register<double>(op.classes, [&](int64_t c, int n) __attribute__((always_inline)) {
                const Vec<double> slope = (exp(log_p(t, c, n)) - load_up_to(posterior + c, n)) * scale;
                for (int k = 0; k < n; ++k) to[c + k] = T(slope[k]);
            });
        }
    }

    // `beta` holds what follows time t, with what is emitted there, and then what follows from a state at time t.
    MAILLON_INLINE void next_beta(int64_t t) const {
        surround(beta);
        if (t == end - 1) {
            for (int64_t s = 0; s < states; ++s) beta[s] = s + 2 >= states ? 0 : log_zero;
            return;
        }
        each_register<double>(states, [&](int64_t s, int n) __attribute__((always_inline)) {
            const Vec<double> two = two_away(beta + s + 2, s + 2, n);
            store_up_to(beta + s, log_sum(load_up_to(beta + s, n), load_up_to(beta + s + 1, n), two), n);
        });
    }
};

// Whether the lengths, and with them all labels, are in range; `joined`: all samples' labels one after the other.
template <class T> bool lengths_fit(const op::CtcLoss<T>& op) {
    int64_t total = 0;
    for (int64_t i = 0; i < op.samples; ++i) {
        const int64_t count = op.target_lengths[i], end = op.input_lengths[i];
        if (count < 0 || count > op.labels || end < 0 || end > op.time) return false;
        total += count;
    }
    return !op.joined || total == op.labels;
}

template <class T> bool ctc_samples(const op::CtcLoss<T> op, double scale, Span samples) {
    int64_t from = 0;
    for (int64_t i = 0; op.joined && i < samples.begin; ++i) from += op.target_lengths[i];
    for (int64_t i = samples.begin; i < samples.end; ++i) {
        const Alignment<T> path(op, i, op.targets + (op.joined ? from : i * op.labels));
        from += path.count;
        if (!path.valid()) return false;
        const double log_likelihood = path.forwards(), weight = op.sample_weight ? double(op.sample_weight[i]) : 1;
        const double share = averages(op) && path.count > 1 ? 1.0 / double(path.count) : 1;
        const bool impossible = log_likelihood == log_zero && op.zero_infinity;
        op.row_totals[i] = impossible ? 0 : -log_likelihood * share * weight;
        if (op.grad == nullptr) continue;
        const int64_t walked = impossible ? 0 : path.end;
        if (walked) path.backwards(log_likelihood, scale * share * weight, op.grad);
        for (int64_t t = walked; t < op.time; ++t)
            for (int64_t c = 0; c < op.classes; ++c) op.grad[(t * op.samples + i) * op.classes + c] = T(0);
    }
    return true;
}

template <class T> bool ctc_loss(const op::CtcLoss<T>& op, const Team& team) {
    const Span own = share(op.samples, 1, team);
    if (own.begin < own.end) {
        const double scale = double(loss_scale(op, double(op.samples)));
        if (!lengths_fit(op) || !ctc_samples(op, scale, own)) refuse(op, own.begin);
    }
    return loss_result(op, op.samples, double(op.samples), team);
}

} // namespace maillon::MAILLON_ISA
