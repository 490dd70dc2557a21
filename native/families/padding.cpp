// The links that are linear maps with fixed places and weights: padding, up-sampling, the pools that take means, and the
// gradients of these, which are such maps too; and PixelShuffle.
#include "../operations/padding.hpp"

#include "../entry.hpp"
#include "../lanes.hpp"

namespace maillon::MAILLON_ISA {

namespace {

// What each output along an axis takes of the inputs: places[t] · weights[t], starts[i] ≤ t < starts[i + 1].
template <class T> struct Taps {
    const int64_t *starts, *places;
    const T* weights;

    // Whether they lead to the `taps` places and weights, and these to the inputs.
    bool sound(int64_t outputs, int64_t taps, int64_t inputs) const {
        bool fine = starts[0] == 0 && starts[outputs] <= taps;
        for (int64_t i = 0; i < outputs; ++i) fine &= starts[i] <= starts[i + 1];
        for (int64_t t = 0; fine && t < starts[outputs]; ++t) fine = uint64_t(places[t]) < uint64_t(inputs);
        return fine;
    }

    int64_t count(int64_t i) const { return starts[i + 1] - starts[i]; }

    bool like_the_one_before(int64_t i) const {
        if (i == 0 || count(i) != count(i - 1)) return false;
        for (int64_t t = starts[i], before = starts[i - 1]; t < starts[i + 1]; ++t, ++before)
            if (places[t] != places[before] || weights[t] != weights[before]) return false;
        return true;
    }
};

// y = scale · (a row of outputs from the row x), added to y where `add` says so. The outputs from run_begin to run_end
// are the inputs from run_from on.
template <class T>
void resample_row(const op::Resample<T>& op, const Taps<T>& taps, const T* x, T scale, bool add, T fill, T* y) {
    const auto from_taps = [&](int64_t begin, int64_t end) {
        for (int64_t c = begin, t = taps.starts[begin]; c < end; ++c) {
            const int64_t stop = taps.starts[c + 1];
            T sum = 0;
            const bool none = t == stop;
            for (; t < stop; ++t) sum = fma(taps.weights[t], x[taps.places[t]], sum);
            y[c] = none ? fill : add ? fma(scale, sum, y[c]) : scale * sum;
        }
    };
    from_taps(0, op.run_begin);
    T* run = y + op.run_begin;
    const T* source = x + op.run_from;
    each_register<T>(op.run_end - op.run_begin, [=](int64_t i, int n) __attribute__((always_inline)) {
        const Vec<T> v = load_up_to(source + i, n);
        store_up_to(run + i, add ? fma(broadcast(scale), v, load_up_to(run + i, n)) : broadcast(scale) * v, n);
    });
    from_taps(op.run_end, op.out_width);
}

// The weighted sum of rows of x, from the column i on, `registers` wide (n: how much of the last one counts).
template <class T, int registers>
MAILLON_INLINE void add_rows(const Taps<T>& rows, Span taps, const T* x, int64_t width, T* sum, int64_t i, int64_t n) {
    Vec<T> sums[registers] = {};
    for (int64_t t = taps.begin; t < taps.end; ++t)
        for (int k = 0; k < registers; ++k) {
            const T* row = x + rows.places[t] * width + i + k * lanes<T>;
            sums[k] = fma(broadcast(rows.weights[t]), registers > 1 ? load(row) : load_up_to(row, n), sums[k]);
        }
    for (int k = 0; k < registers; ++k) store_up_to(sum + i + k * lanes<T>, sums[k], registers > 1 ? lanes<T> : n);
}

inline constexpr int64_t longest_row = 2048;

// y[r, c] = Σ row weight · column weight · x[its row, its column] for each plane, `fill` where r or c has no taps.
template <class T> bool resample(const op::Resample<T>& op, const Team& team) {
    const Taps<T> rows{op.row_starts, op.row_places, op.row_weights};
    const Taps<T> columns{op.column_starts, op.column_places, op.column_weights};
    if (!rows.sound(op.out_height, op.row_taps, op.height)) return false;
    if (!columns.sound(op.out_width, op.column_taps, op.width)) return false;
    if (op.out_height * op.out_width == 0) return true;
    const T fill = op.fill ? *op.fill : T(0);
    T together[longest_row];
    const Span own = share(op.planes, 1, team);
    for (int64_t plane = own.begin; plane < own.end; ++plane) {
        const T* x = op.x + plane * op.height * op.width;
        T* y = op.y + plane * op.out_height * op.out_width;
        for (int64_t r = 0; r < op.out_height; ++r, y += op.out_width) {
            const int64_t begin = rows.starts[r], count = rows.count(r);
            if (rows.like_the_one_before(r)) {
                each_register<T>(op.out_width, [=, &op](int64_t i, int n) __attribute__((always_inline)) {
                    store_up_to(y + i, load_up_to(y - op.out_width + i, n), n);
                });
            } else if (count == 0) {
                for (int64_t c = 0; c < op.out_width; ++c) y[c] = fill;
            } else if (count == 1 || op.width > longest_row) { // column by column first, in y itself
                for (int64_t t = begin; t < begin + count; ++t)
                    resample_row(op, columns, x + rows.places[t] * op.width, rows.weights[t], t > begin, fill, y);
            } else {
                const Span taps{begin, begin + count};
                int64_t i = 0;
                for (; i + 4 * lanes<T> <= op.width; i += 4 * lanes<T>)
                    add_rows<T, 4>(rows, taps, x, op.width, together, i, lanes<T>);
                for (; i < op.width; i += lanes<T>) add_rows<T, 1>(rows, taps, x, op.width, together, i, op.width - i);
                resample_row(op, columns, together, T(1), false, fill, y);
            }
        }
    }
    return true;
}

// y[b, r h + i, r w + j] = x[b, i, j, h, w]: a block is r · r small images of x, one large one of y.
template <class T> bool pixel_shuffle(const op::PixelShuffle<T>& op, const Team& team) {
    if (op.blocks == 0 || op.factor == 0 || op.height == 0 || op.width == 0) return true;
    const int64_t r = op.factor, area = op.height * op.width;
    const Span own = share(op.blocks, 1, team);
    for (int64_t b = own.begin; b < own.end; ++b)
        for (int64_t h = 0; h < op.height; ++h)
            for (int64_t i = 0; i < r; ++i) {
                T* y = op.y + ((b * op.height + h) * r + i) * op.width * r;
                for (int64_t j = 0; j < r; ++j) {
                    const T* x = op.x + ((b * r + i) * r + j) * area + h * op.width;
                    for (int64_t w = 0; w < op.width; ++w) y[w * r + j] = x[w];
                }
            }
    return true;
}

template <class T> bool pixel_unshuffle(const op::PixelUnshuffle<T>& op, const Team& team) {
    if (op.blocks == 0 || op.factor == 0 || op.height == 0 || op.width == 0) return true;
    const int64_t r = op.factor, area = op.height * op.width;
    const Span own = share(op.blocks, 1, team);
    for (int64_t b = own.begin; b < own.end; ++b)
        for (int64_t h = 0; h < op.height; ++h)
            for (int64_t i = 0; i < r; ++i) {
                const T* x = op.x + ((b * op.height + h) * r + i) * op.width * r;
                for (int64_t j = 0; j < r; ++j) {
                    T* y = op.y + ((b * r + i) * r + j) * area + h * op.width;
                    for (int64_t w = 0; w < op.width; ++w) y[w] = x[w * r + j];
                }
            }
    return true;
}

const Entry entries[] = {ENTRY(Resample, resample), ENTRY(PixelShuffle, pixel_shuffle),
                         ENTRY(PixelUnshuffle, pixel_unshuffle)};

} // namespace

FAMILY(padding)

} // namespace maillon::MAILLON_ISA
