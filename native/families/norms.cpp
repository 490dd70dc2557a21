// The norms: y = w x̂ + b with x̂ = ((x - mean) - rest) · inverse. `mean` is the rounded mean, `rest` what rounding has
// left of it, `inverse` 1 / √(variance + ε). Statistics are four rows: mean, rest, inverse, variance.
#include "../operations/norms.hpp"

#include "../activations.hpp"
#include "../entry.hpp"
#include "../power.hpp"
#include "../runs.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// A channel with fewer places is looked at as so many columns, of which a register holds several.
constexpr int64_t few_places = 16; // as in engine/families/norms.py

template <class T> struct Statistics {
    T *mean, *rest, *inverse, *variance;

    Statistics(T* from, int64_t count)
        : mean(from), rest(from + count), inverse(from + 2 * count), variance(from + 3 * count) {}
};
template <class T> Statistics<T> statistics_of(const T* from, int64_t count) {
    return {const_cast<T*>(from), count};
}

template <class T> struct Hat {
    Vec<T> mean, rest, inverse;

    MAILLON_INLINE Vec<T> operator()(Vec<T> x) const { return ((x - mean) - rest) * inverse; }
};
// Of one channel or slice, or of `count` columns beginning with the i-th.
template <class T> MAILLON_INLINE Hat<T> hat_of(const Statistics<T>& s, int64_t i) {
    return {broadcast(s.mean[i]), broadcast(s.rest[i]), broadcast(s.inverse[i])};
}
template <class T> MAILLON_INLINE Hat<T> hats_of(const Statistics<T>& s, int64_t i, int64_t count) {
    return {load_up_to(s.mean + i, count), load_up_to(s.rest + i, count), load_up_to(s.inverse + i, count)};
}

template <class T> MAILLON_INLINE Vec<T> inverse_root(Vec<T> variance, T eps) {
    return T(1) / sqrt(variance + eps);
}

// Mean, and sums of x - mean and its square (as rest and variance), number i, of `pieces` pieces of `length` numbers.
template <class T>
MAILLON_INLINE void gather(const Statistics<T>& s, int64_t i, const T* x, int64_t pieces, int64_t stride,
                           int64_t length, bool centred) {
    T mean = 0;
    if (centred) {
        Runs<T, 1> runs;
        for (int64_t n = 0; n < pieces; ++n)
            runs.add(length, [from = x + n * stride](int64_t k, int64_t m) { return Terms<T, 1>{{load_up_to(from + k, m)}}; });
        mean = runs.total(0) / T(pieces * length);
    }
    Runs<T, 2> runs;
    for (int64_t n = 0; n < pieces; ++n)
        runs.add(length, [from = x + n * stride, mean](int64_t k, int64_t m) {
            const Vec<T> d = load_up_to(from + k, m) - mean;
            return Terms<T, 2>{{d, d * d}};
        });
    s.mean[i] = mean;
    s.rest[i] = centred ? runs.total(0) : T(0);
    s.variance[i] = runs.total(1);
}

// From sums over `count` values of x - mean and its square to rest, variance and inverse.
template <class T> MAILLON_INLINE void finish(const Statistics<T>& s, Span own, T count, T eps) {
    each_register<T>(own.end - own.begin, [=](int64_t i, int64_t m) {
        const int64_t k = own.begin + i;
        const Vec<T> rest = load_up_to(s.rest + k, m) / count, zero{};
        const Vec<T> variance = load_up_to(s.variance + k, m) / count - rest * rest;
        const Vec<T> least = variance < zero ? zero : variance;
        store_up_to(s.rest + k, rest, m);
        store_up_to(s.variance + k, least, m);
        store_up_to(s.inverse + k, inverse_root<T>(least, eps), m);
    });
}

// ── Few places: each place of a channel is a column ─────────────────────────────────────────────────────────────────

// Adds up the places of each channel; in place where there is one.
template <class T> void fold(const T* of_columns, T* of_channels, Span channels, int64_t places) {
    for (int64_t c = channels.begin; c < channels.end; ++c) {
        T sum = of_columns[c * places];
        for (int64_t p = 1; p < places; ++p) sum += of_columns[c * places + p];
        of_channels[c] = sum;
    }
}
// The value of each column's channel; the values themselves where there is one place.
template <class T> const T* spread(const T* of_channels, T* of_columns, Span channels, int64_t places) {
    if (places == 1 || of_channels == nullptr) return of_channels;
    for (int64_t c = channels.begin; c < channels.end; ++c)
        for (int64_t p = 0; p < places; ++p) of_columns[c * places + p] = of_channels[c];
    return of_columns;
}
template <class T>
Statistics<T> spread(const Statistics<T>& s, T* space, int64_t width, Span channels, int64_t places) {
    Statistics<T> columns(space, width);
    columns.mean = const_cast<T*>(spread<T>(s.mean, columns.mean, channels, places));
    columns.rest = const_cast<T*>(spread<T>(s.rest, columns.rest, channels, places));
    columns.inverse = const_cast<T*>(spread<T>(s.inverse, columns.inverse, channels, places));
    return columns;
}

template <class T> MAILLON_INLINE Vec<T> load_or(const T* from, int64_t i, int64_t count, T otherwise) {
    return from != nullptr ? load_up_to(from + i, count) : broadcast(otherwise);
}

template <class T>
void measure_columns(const op::BatchNorm<T>& op, const Statistics<T>& s, T* space, Span own, int64_t width) {
    const int64_t places = op.places, begin = own.begin * places, end = own.end * places;
    const T count = T(op.samples * places);
    const T* x = op.x;
    T *sum = space, *square = space + width;
    column_totals<T, 1>(
        op.samples, begin, end,
        [=](int64_t i, int64_t j, int64_t m) { return Terms<T, 1>{{load_up_to(x + i * width + j, m)}}; },
        [=](int64_t j, int64_t m, const Terms<T, 1>& t) { store_up_to(sum + j, t.of[0], m); });
    fold(sum, s.mean, own, places);
    each_register<T>(own.end - own.begin, [=, mean = s.mean + own.begin](int64_t i, int64_t m) {
        store_up_to(mean + i, load_up_to(mean + i, m) / count, m);
    });
    const T* mean = spread<T>(s.mean, space + 2 * width, own, places);
    column_totals<T, 2>(
        op.samples, begin, end,
        [=](int64_t i, int64_t j, int64_t m) {
            const Vec<T> d = load_up_to(x + i * width + j, m) - load_up_to(mean + j, m);
            return Terms<T, 2>{{d, d * d}};
        },
        [=](int64_t j, int64_t m, const Terms<T, 2>& t) {
            store_up_to(sum + j, t.of[0], m);
            store_up_to(square + j, t.of[1], m);
        });
    fold(sum, s.rest, own, places);
    fold(square, s.variance, own, places);
    finish(s, own, count, T(op.eps));
}

// What follows the norm, while the values are in the cache.
template <class T, class Op> MAILLON_INLINE void activate_part(const Op& op, T* y, int64_t n) {
    if (op.activation != choice::Epilogue::none) activate<T>(Activation(op.activation), T(op.slope), y, y, n);
}

// Everything per column: y = w x̂ + b.
template <class T>
void apply_columns(const op::BatchNorm<T>& op, const Statistics<T>& s, T* space, Span own, int64_t width) {
    const int64_t places = op.places, begin = own.begin * places;
    const Statistics<T> columns = spread(s, space, width, own, places);
    const T* weight = spread<T>(op.weight, space + 3 * width, own, places);
    const T* bias = spread<T>(op.bias, space + 4 * width, own, places);
    each_register<T>((own.end - own.begin) * places, [=](int64_t i, int64_t m) {
        const int64_t j = begin + i;
        const Hat<T> hat = hats_of(columns, j, m);
        const Vec<T> w = load_or(weight, j, m, T(1)), b = load_or(bias, j, m, T(0));
        const T* from = op.x + j;
        T* to = op.y + j;
        for (int64_t n = 0; n < op.samples; ++n, from += width, to += width)
            store_up_to(to, fma(hat(load_up_to(from, m)), w, b), m);
    });
    for (int64_t n = 0; n < op.samples; ++n)
        activate_part<T>(op, op.y + n * width + begin, (own.end - own.begin) * places);
}

// ── The norm over a batch ───────────────────────────────────────────────────────────────────────────────────────────

// With running statistics these take the place of the batch's.
template <class T> bool batch_norm(const op::BatchNorm<T>& op, const Team& team) {
    const int64_t places = op.places, width = op.channels * places;
    const bool columns = places < few_places;
    const Span own = share(op.channels, columns ? 16 : 1, team);
    const Statistics<T> s(op.statistics, op.channels);
    if (op.running_mean != nullptr) {
        each_register<T>(own.end - own.begin, [=, &op](int64_t i, int64_t m) {
            const int64_t c = own.begin + i;
            const Vec<T> variance = load_up_to(op.running_var + c, m);
            store_up_to(s.mean + c, load_up_to(op.running_mean + c, m), m);
            store_up_to(s.rest + c, Vec<T>{}, m);
            store_up_to(s.variance + c, variance, m);
            store_up_to(s.inverse + c, inverse_root<T>(variance, T(op.eps)), m);
        });
    } else if (columns) {
        measure_columns(op, s, op.workspace, own, width);
    }
    if (columns) {
        apply_columns(op, s, op.workspace, own, width);
        return true;
    }
    for (int64_t c = own.begin; c < own.end; ++c) {
        if (op.running_mean == nullptr) {
            gather<T>(s, c, op.x + c * places, op.samples, width, places, true);
            finish(s, {c, c + 1}, T(op.samples * places), T(op.eps));
        }
        const Hat<T> hat = hat_of(s, c);
        const Vec<T> w = broadcast(op.weight ? op.weight[c] : T(1)), b = broadcast(op.bias ? op.bias[c] : T(0));
        for (int64_t n = 0; n < op.samples; ++n) {
            const T* x = op.x + n * width + c * places;
            T* y = op.y + n * width + c * places;
            each_register<T>(places, [=](int64_t i, int64_t m) {
                store_up_to(y + i, fma(hat(load_up_to(x + i, m)), w, b), m);
            });
            activate_part<T>(op, y, places);
        }
    }
    return true;
}

// dw = Σ x̂ dy and db = Σ dy of the channels that are this thread's.
template <class T, class Op>
void give_sums(const Op& op, const T* totals, const T* products, Span own) {
    for (int64_t c = own.begin; c < own.end; ++c) {
        if (op.dweight) op.dweight[c] = op.keep_weight ? op.dweight[c] + products[c] : products[c];
        if (op.dbias) op.dbias[c] = op.keep_bias ? op.dbias[c] + totals[c] : totals[c];
    }
}

// dx = w · inverse · (dy - mean dy - x̂ mean(dy x̂)), the means over the batch; without them where the statistics are
// given.
template <class T> struct Slope {
    Hat<T> hat;
    Vec<T> factor, mean, product;

    MAILLON_INLINE Vec<T> operator()(Vec<T> dy, Vec<T> x) const {
        return fma(-hat(x), product, dy - mean) * factor;
    }
};

template <class T> void batch_norm_grad_columns(const op::BatchNormGrad<T>& op, Span own, T* totals, T* products) {
    const int64_t places = op.places, width = op.channels * places, begin = own.begin * places;
    T* space = op.workspace + 2 * op.channels;
    const T *x = op.x, *dy = op.dy, count = T(op.samples * places);
    const Statistics<T> columns = spread(statistics_of(op.statistics, op.channels), space, width, own, places);
    T *sum = places == 1 ? totals : space + 3 * width, *product = places == 1 ? products : space + 4 * width;
    column_totals<T, 2>(
        op.samples, begin, own.end * places,
        [=](int64_t i, int64_t j, int64_t m) {
            const Vec<T> d = load_up_to(dy + i * width + j, m);
            return Terms<T, 2>{{d, d * hats_of(columns, j, m)(load_up_to(x + i * width + j, m))}};
        },
        [=](int64_t j, int64_t m, const Terms<T, 2>& t) {
            store_up_to(sum + j, t.of[0], m);
            store_up_to(product + j, t.of[1], m);
        });
    if (places > 1) {
        fold(sum, totals, own, places);
        fold(product, products, own, places);
    }
    if (op.dx == nullptr) return;
    const T* weight = spread<T>(op.weight, space + 5 * width, own, places);
    const T* total = spread<T>(totals, sum, own, places);
    const T* total_product = spread<T>(products, product, own, places);
    each_register<T>((own.end - own.begin) * places, [=, &op](int64_t i, int64_t m) {
        const int64_t j = begin + i;
        const Hat<T> hat = hats_of(columns, j, m);
        const Vec<T> factor = hat.inverse * load_or(weight, j, m, T(1));
        const Slope<T> slope{hat, factor, load_up_to(total + j, m) / count, load_up_to(total_product + j, m) / count};
        const T *from = op.dy + j, *at = op.x + j;
        T* to = op.dx + j;
        for (int64_t n = 0; n < op.samples; ++n, from += width, at += width, to += width) {
            const Vec<T> d = load_up_to(from, m);
            store_up_to(to, op.moving ? slope(d, load_up_to(at, m)) : d * factor, m);
        }
    });
}

template <class T> void batch_norm_grad_pieces(const op::BatchNormGrad<T>& op, Span own, T* totals, T* products) {
    const int64_t places = op.places, width = op.channels * places;
    const Statistics<T> s = statistics_of(op.statistics, op.channels);
    const T count = T(op.samples * places);
    const bool sums = op.moving || op.dweight != nullptr || op.dbias != nullptr;
    for (int64_t c = own.begin; c < own.end; ++c) {
        const Hat<T> hat = hat_of(s, c);
        Runs<T, 2> runs;
        for (int64_t n = 0; n < (sums ? op.samples : 0); ++n) {
            const T *dy = op.dy + n * width + c * places, *x = op.x + n * width + c * places;
            runs.add(places, [=](int64_t i, int64_t m) {
                const Vec<T> d = load_up_to(dy + i, m);
                return Terms<T, 2>{{d, d * hat(load_up_to(x + i, m))}};
            });
        }
        totals[c] = runs.total(0);
        products[c] = runs.total(1);
        const Vec<T> factor = hat.inverse * (op.weight ? op.weight[c] : T(1));
        const Slope<T> slope{hat, factor, broadcast(totals[c] / count), broadcast(products[c] / count)};
        for (int64_t n = 0; n < (op.dx ? op.samples : 0); ++n) {
            const T *dy = op.dy + n * width + c * places, *x = op.x + n * width + c * places;
            T* dx = op.dx + n * width + c * places;
            if (op.moving)
                each_register<T>(places, [=](int64_t i, int64_t m) {
                    store_up_to(dx + i, slope(load_up_to(dy + i, m), load_up_to(x + i, m)), m);
                });
            else
                each_register<T>(places, [=](int64_t i, int64_t m) {
                    store_up_to(dx + i, load_up_to(dy + i, m) * factor, m);
                });
        }
    }
}

// dx may be dy.
template <class T> bool batch_norm_grad(const op::BatchNormGrad<T>& op, const Team& team) {
    const bool columns = op.places < few_places;
    const Span own = share(op.channels, columns ? 16 : 1, team);
    T *totals = op.workspace, *products = op.workspace + op.channels;
    if (columns) batch_norm_grad_columns(op, own, totals, products);
    else batch_norm_grad_pieces(op, own, totals, products);
    give_sums(op, totals, products, own);
    return true;
}

// running ← (1 - m) running + m · the mean over the samples' statistics. Carried out once a step is known to be good.
template <class T> bool track_statistics(const op::TrackStatistics<T>& op, const Team&) {
    double momentum = op.momentum;
    if (op.batches != nullptr) ++*op.batches;
    if (op.cumulative) momentum = 1 / double(*op.batches);
    const Statistics<T> s = statistics_of(op.statistics, op.samples * op.channels);
    const T old = T(1 - momentum), fresh = T(momentum), unbiased = T(double(op.count) / double(op.count - 1));
    for (int64_t c = 0; c < op.channels; ++c) {
        T mean = 0, variance = 0;
        for (int64_t n = 0; n < op.samples; ++n) {
            mean += s.mean[n * op.channels + c];
            variance += s.variance[n * op.channels + c] * unbiased;
        }
        op.running_mean[c] = old * op.running_mean[c] + fresh * (mean / T(op.samples));
        op.running_var[c] = old * op.running_var[c] + fresh * (variance / T(op.samples));
    }
    return true;
}

// ── The norms of slices: layers, groups, instances, root mean squares ───────────────────────────────────────────────

// A slice is `channels` channels of `places` places that lie side by side, one of `parts` that a sample is divided into.
// Weights and biases are one for each part's channel.

// Short slices are measured some at a time: their divisions and roots are then done together.
constexpr int64_t slices_at_once = 16, short_slice = 512;

template <class Op> MAILLON_INLINE bool by_pieces(const Op& op) { return op.channels == 1 || op.places >= few_places; }

template <class T>
MAILLON_INLINE void apply_to_slice(const op::SliceNorm<T>& op, const Hat<T>& hat, const T* weight, const T* bias, int64_t i) {
    const int64_t length = op.channels * op.places, part = i % op.parts;
    const T* x = op.x + i * length;
    T* y = op.y + i * length;
    if (!by_pieces(op)) {
        const T *w = weight ? weight + part * length : nullptr, *b = bias ? bias + part * length : nullptr;
        each_register<T>(length, [=](int64_t k, int64_t m) {
            store_up_to(y + k, fma(hat(load_up_to(x + k, m)), load_or(w, k, m, T(1)), load_or(b, k, m, T(0))), m);
        });
        return;
    }
    for (int64_t c = 0; c < op.channels; ++c, x += op.places, y += op.places) {
        const int64_t channel = part * op.channels + c;
        const Vec<T> w = broadcast(weight ? weight[channel] : T(1)), b = broadcast(bias ? bias[channel] : T(0));
        each_register<T>(op.places, [=](int64_t k, int64_t m) {
            store_up_to(y + k, fma(hat(load_up_to(x + k, m)), w, b), m);
        });
    }
}

template <class T> bool slice_norm(const op::SliceNorm<T>& op, const Team& team) {
    const int64_t length = op.channels * op.places, all = op.parts * op.channels;
    const T *weight = op.weight, *bias = op.bias;
    if (!by_pieces(op) && op.places > 1) {
        const Span own = share(all, 16, team);
        weight = spread<T>(op.weight, op.workspace, own, op.places);
        bias = spread<T>(op.bias, op.workspace + all * op.places, own, op.places);
        team.wait();
    }
    const Statistics<T> s(op.statistics, op.slices);
    const Span own = share(op.slices, slices_at_once, team);
    const int64_t together = length <= short_slice ? slices_at_once : 1;
    for (int64_t begin = own.begin; begin < own.end; begin += together) {
        const int64_t end = begin + together < own.end ? begin + together : own.end;
        for (int64_t i = begin; i < end; ++i) gather<T>(s, i, op.x + i * length, 1, 0, length, op.centred != 0);
        finish(s, {begin, end}, T(length), T(op.eps));
        for (int64_t i = begin; i < end; ++i) apply_to_slice(op, hat_of(s, i), weight, bias, i);
        activate_part<T>(op, op.y + begin * length, (end - begin) * length);
    }
    return true;
}

// The sums over all samples for this thread's channels.
template <class T> void slice_norm_grad_weight(const op::SliceNormGrad<T>& op, T* totals, T* products, T* space, const Team& team) {
    const int64_t places = op.places, length = op.channels * places, all = op.parts * op.channels;
    const int64_t samples = op.slices / op.parts, width = op.parts * length;
    const Statistics<T> s = statistics_of(op.statistics, op.slices);
    const T *x = op.x, *dy = op.dy;
    const Span own = share(all, 16, team);
    if (by_pieces(op)) {
        for (int64_t c = own.begin; c < own.end; ++c) {
            Runs<T, 2> runs;
            for (int64_t n = 0; n < samples; ++n) {
                const Hat<T> hat = hat_of(s, n * op.parts + c / op.channels);
                runs.add(places, [=, dy = dy + n * width + c * places, x = x + n * width + c * places](int64_t i, int64_t m) {
                    const Vec<T> d = load_up_to(dy + i, m);
                    return Terms<T, 2>{{d, d * hat(load_up_to(x + i, m))}};
                });
            }
            totals[c] = runs.total(0);
            products[c] = runs.total(1);
        }
    } else {
        T *sum = places == 1 ? totals : space, *product = places == 1 ? products : space + width;
        for (int64_t part = own.begin / op.channels; part * op.channels < own.end; ++part) {
            const int64_t first = part * op.channels, last = first + op.channels;
            column_totals<T, 2>(
                samples, (own.begin > first ? own.begin : first) * places, (own.end < last ? own.end : last) * places,
                [=, parts = op.parts](int64_t n, int64_t j, int64_t m) {
                    const Vec<T> d = load_up_to(dy + n * width + j, m);
                    const Hat<T> hat = hat_of(s, n * parts + part);
                    return Terms<T, 2>{{d, d * hat(load_up_to(x + n * width + j, m))}};
                },
                [=](int64_t j, int64_t m, const Terms<T, 2>& t) {
                    store_up_to(sum + j, t.of[0], m);
                    store_up_to(product + j, t.of[1], m);
                });
        }
        if (places > 1) {
            fold(sum, totals, own, places);
            fold(product, products, own, places);
        }
    }
    give_sums(op, totals, products, own);
}

// With dx̂ = w dy: dx = inverse · (dx̂ - mean dx̂ - x̂ mean(dx̂ x̂)), the means over the slice.
template <class T> void slice_norm_grad_input(const op::SliceNormGrad<T>& op, const T* weight, const Team& team) {
    const int64_t length = op.channels * op.places, runs_of = by_pieces(op) ? op.places : length;
    const bool pieces = by_pieces(op);
    const T count = T(length);
    const Statistics<T> s = statistics_of(op.statistics, op.slices);
    const Span own = share(op.slices, 4, team);
    for (int64_t i = own.begin; i < own.end; ++i) {
        const T *x = op.x + i * length, *dy = op.dy + i * length;
        T* dx = op.dx + i * length;
        const Hat<T> hat = hat_of(s, i);
        const T* weights = weight ? weight + i % op.parts * (pieces ? op.channels : length) : nullptr;
        // One run of all values, each with its own weight, or one of each channel's, which share theirs.
        const auto dx_hat = [=](int64_t run, int64_t k, int64_t m) {
            const Vec<T> d = load_up_to(dy + run * runs_of + k, m);
            if (weights == nullptr) return d;
            return pieces ? d * weights[run] : d * load_up_to(weights + k, m);
        };
        Runs<T, 2> runs;
        for (int64_t run = 0; run * runs_of < length; ++run)
            runs.add(runs_of, [=](int64_t k, int64_t m) {
                const Vec<T> d = dx_hat(run, k, m);
                return Terms<T, 2>{{d, d * hat(load_up_to(x + run * runs_of + k, m))}};
            });
        const T mean = op.centred ? runs.total(0) / count : T(0), product = runs.total(1) / count;
        const Slope<T> slope{hat, hat.inverse, broadcast(mean), broadcast(product)};
        for (int64_t run = 0; run * runs_of < length; ++run)
            each_register<T>(runs_of, [=](int64_t k, int64_t m) {
                const int64_t at = run * runs_of + k;
                store_up_to(dx + at, slope(dx_hat(run, k, m), load_up_to(x + at, m)), m);
            });
    }
}

// dx may be dy.
template <class T> bool slice_norm_grad(const op::SliceNormGrad<T>& op, const Team& team) {
    const int64_t all = op.parts * op.channels;
    T *totals = op.workspace, *products = totals + all, *space = products + all;
    const T* weight = op.weight;
    if (op.dweight != nullptr || op.dbias != nullptr) slice_norm_grad_weight(op, totals, products, space, team);
    if (op.dx == nullptr) return true;
    if (!by_pieces(op)) weight = spread<T>(op.weight, space + 2 * all * op.places, share(all, 16, team), op.places);
    team.wait(); // the weights are spread, and nobody reads dy any more but for its own slices
    slice_norm_grad_input(op, weight, team);
    return true;
}

// ── Local response ──────────────────────────────────────────────────────────────────────────────────────────────────

constexpr int64_t block = 512; // numbers of a sample, channel after channel, that are summed at a time

// sums[i] = Σ term(i + d · places) over the channels from `before` before to `after` after, those outside left out.
template <class T, class Term>
MAILLON_INLINE void window(T* sums, int64_t begin, int64_t end, int64_t all, int64_t places, int64_t before,
                           int64_t after, Term term) {
    each_register<T>(end - begin, [=](int64_t i, int64_t m) { store_up_to(sums + i, Vec<T>{}, m); });
    const int64_t most = all / places; // channels
    for (int64_t d = before < most ? -before : -most; d <= (after < most ? after : most); ++d) {
        const int64_t shift = d * places;
        const int64_t from = begin + shift < 0 ? -shift : begin, to = end + shift > all ? all - shift : end;
        if (from >= to) continue;
        T* out = sums + (from - begin);
        each_register<T>(to - from, [=](int64_t i, int64_t m) {
            store_up_to(out + i, load_up_to(out + i, m) + term(from + shift + i, m), m);
        });
    }
}

// step(sample, begin, end) for this thread's blocks.
template <class Step> MAILLON_INLINE void each_block_of_samples(int64_t samples, int64_t all, const Team& team, Step step) {
    const int64_t blocks = (all + block - 1) / block;
    const Span own = share(samples * blocks, 1, team);
    for (int64_t i = own.begin; i < own.end; ++i) {
        const int64_t begin = i % blocks * block;
        step(i / blocks, begin, begin + block < all ? begin + block : all);
    }
}

// d^-β; the usual β by square roots.
template <class T> MAILLON_INLINE Vec<T> response(Vec<T> d, double beta) {
    if (beta != 0.75) return power<T>(d, -beta);
    const Vec<T> root = sqrt(d);
    return T(1) / (root * sqrt(root));
}

// y = x d^-β, d = k + α / size Σ x² over the channels around each one.
template <class T> bool response_norm(const op::ResponseNorm<T>& op, const Team& team) {
    const int64_t all = op.channels * op.places;
    const T slope = T(op.alpha / double(op.size)), k = T(op.k);
    each_block_of_samples(op.samples, all, team, [&](int64_t sample, int64_t begin, int64_t end) {
        const T* x = op.x + sample * all;
        T *y = op.y + sample * all + begin, *d = op.d + sample * all + begin;
        window<T>(d, begin, end, all, op.places, op.size / 2, op.size - 1 - op.size / 2, [=](int64_t i, int64_t m) {
            const Vec<T> v = load_up_to(x + i, m);
            return v * v;
        });
        each_register<T>(end - begin, [=, &op](int64_t i, int64_t m) {
            const Vec<T> v = load_up_to(d + i, m) * slope + k;
            store_up_to(d + i, v, m);
            store_up_to(y + i, load_up_to(x + begin + i, m) * response<T>(v, op.beta), m);
        });
    });
    return true;
}

// dx = dy d^-β - (2 α β / size) x Σ dy y / d over the channels whose window holds this one.
template <class T> bool response_norm_grad(const op::ResponseNormGrad<T>& op, const Team& team) {
    const int64_t all = op.channels * op.places, n = op.samples * all;
    const T slope = T(2 * op.alpha * op.beta / double(op.size));
    T* shares = op.workspace;
    const Span own = share(n, 64, team);
    each_register<T>(own.end - own.begin, [=, &op](int64_t i, int64_t m) {
        const int64_t at = own.begin + i;
        const Vec<T> d = load_up_to(op.d + at, m), y = load_up_to(op.x + at, m) * response<T>(d, op.beta);
        store_up_to(shares + at, load_up_to(op.dy + at, m) * y / d, m);
    });
    team.wait();
    each_block_of_samples(op.samples, all, team, [&](int64_t sample, int64_t begin, int64_t end) {
        T around[block];
        const T* terms = shares + sample * all;
        const int64_t before = (op.size - 1) / 2;
        window<T>(around, begin, end, all, op.places, before, op.size - 1 - before,
                  [=](int64_t i, int64_t m) { return load_up_to(terms + i, m); });
        each_register<T>(end - begin, [=, &op, &around](int64_t i, int64_t m) {
            const int64_t at = sample * all + begin + i;
            const Vec<T> direct = load_up_to(op.dy + at, m) * response<T>(load_up_to(op.d + at, m), op.beta);
            store_up_to(op.dx + at, direct - slope * load_up_to(op.x + at, m) * load_up_to(around + i, m), m);
        });
    });
    return true;
}

const Entry entries[] = {ENTRY(BatchNorm, batch_norm),
                         ENTRY(BatchNormGrad, batch_norm_grad),
                         ENTRY(SliceNorm, slice_norm),
                         ENTRY(SliceNormGrad, slice_norm_grad),
                         ENTRY(TrackStatistics, track_statistics),
                         ENTRY(ResponseNorm, response_norm),
                         ENTRY(ResponseNormGrad, response_norm_grad)};

} // namespace

FAMILY(norms)

} // namespace maillon::MAILLON_ISA
