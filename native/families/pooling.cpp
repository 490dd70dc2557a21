// The greatest of each window of a signal or an image, the way of its gradient, and MaxUnpool. A signal is an image of
// one row. (The pools that take means are linear: families/padding.cpp.)
//
// Of equals the first in the order of the rows is the greatest; a NaN is greater than any number, the last one of all.
// `places` holds where in its image the greatest of each window was: an integer of T's width, -1 for a window that saw
// nothing.
#include "../operations/pooling.hpp"

#include <cstring>

#include "../entry.hpp"
#include "../lanes.hpp"
#include "../pairs.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> using Int = typename Native<T>::Int;

template <class T> MAILLON_INLINE Int<T> as_place(T number) {
    Int<T> place;
    std::memcpy(&place, &number, sizeof place);
    return place;
}

struct Window { // the places first + k · step, 0 ≤ k < count
    int64_t first, count, step;
};

// The windows along an axis: `kernel` places `dilation` apart, the first of them at -padding, the next ones every
// `stride`; or, for a kernel of 0, as many of about one size as there are outputs.
struct Windows {
    int64_t size, outputs, kernel, stride, padding, dilation;

    Window at(int64_t i) const {
        if (kernel == 0) {
            const int64_t first = i * size / outputs;
            return {first, ((i + 1) * size + outputs - 1) / outputs - first, 1};
        }
        const int64_t start = i * stride - padding, last = start + (kernel - 1) * dilation;
        if (start >= 0 && last < size) return {start, kernel, dilation};
        const int64_t skipped = start < 0 ? (dilation - 1 - start) / dilation : 0;
        const int64_t first = start + skipped * dilation;
        const int64_t beyond = last < size ? 0 : (last - size) / dilation + 1;
        const int64_t count = kernel - skipped - beyond;
        return {first, count > 0 ? count : 0, dilation};
    }

    // The outputs whose windows lie inside.
    Span whole() const {
        if (kernel == 0) return {0, 0};
        const int64_t room = size - 1 - (kernel - 1) * dilation + padding;
        const int64_t begin = (padding + stride - 1) / stride, end = room < 0 ? 0 : room / stride + 1;
        const int64_t most = end < outputs ? end : outputs;
        return {begin < most ? begin : most, most};
    }
};

template <class Op> Windows vertical(const Op& op) {
    return {op.height, op.out_height, op.kernel_h, op.stride_h, op.padding_h, op.dilation_h};
}
template <class Op> Windows horizontal(const Op& op) {
    return {op.width, op.out_width, op.kernel_w, op.stride_w, op.padding_w, op.dilation_w};
}

// Whether the windows are 1 × 2 or 2 × 2 and lie side by side.
bool in_pairs(const Windows& rows, const Windows& columns) {
    const bool high = rows.kernel == 1 && rows.outputs == rows.size, two = rows.kernel == 2;
    return columns.kernel == 2 && columns.stride == 2 && columns.padding == 0 && columns.dilation == 1 &&
           columns.outputs * 2 <= columns.size && rows.stride == rows.kernel && rows.padding == 0 &&
           rows.dilation == 1 && (high || (two && rows.outputs * 2 <= rows.size));
}

// ── The greatest of a window ────────────────────────────────────────────────────────────────────────────────────────

// In each lane the greatest so far, and its place.
template <class T> struct Greatest {
    Vec<T> value;
    Bits<T> place;

    MAILLON_INLINE void see(Vec<T> seen, Bits<T> at) {
        const Bits<T> better = (seen > value) | (seen != seen);
        value = select(better, seen, value);
        place = better ? at : place;
    }
};

template <class T> MAILLON_INLINE Bits<T> counting() {
    Bits<T> index{};
    for (int i = 0; i < lanes<T>; ++i) index[i] = i;
    return index;
}

// Of n numbers as many as a register holds. What else the register holds is not looked at: it may be what follows them.
template <class T> MAILLON_INLINE Vec<T> load_some(const T* from, int64_t n, const T* end) {
    return end - from >= lanes<T> ? load(from) : load_up_to(from, n);
}

// from[0], from[stride], …: n of them, n ≤ lanes.
template <class T, int known_stride>
MAILLON_INLINE Vec<T> load_every(const T* from, int64_t n, int64_t stride, const T* end) {
    if constexpr (known_stride == 1) {
        return load_some(from, n, end);
    } else if constexpr (known_stride == 2) {
        const int64_t reach = 2 * n - 1;
        const Vec<T> low = load_some(from, reach, end);
        if (reach <= lanes<T>) return split_pairs<T>(low, low).first;
        return split_pairs<T>(low, load_some(from + lanes<T>, reach - lanes<T>, end)).first;
    } else {
        Vec<T> v{};
        for (int i = 0; i < n; ++i) v[i] = from[i * stride];
        return v;
    }
}

template <class T> struct Image {
    const T* x;
    int64_t width;
    const T* end; // of all images
};

// Of n windows like `columns`, one every `stride`.
template <class T, int known_stride>
Greatest<T> greatest_along(Image<T> image, Window rows, Window columns, int64_t stride, int64_t n) {
    const Bits<T> steps = counting<T>() * Int<T>(stride);
    int64_t at = rows.first * image.width + columns.first;
    Greatest<T> best{broadcast(-T(__builtin_inff())), steps + Int<T>(at)};
    for (int64_t k = 0; k < rows.count; ++k, at += rows.step * image.width)
        for (int64_t j = 0; j < columns.count; ++j) {
            const int64_t place = at + j * columns.step;
            best.see(load_every<T, known_stride>(image.x + place, n, stride, image.end), steps + Int<T>(place));
        }
    return best;
}

// The same for windows of two columns side by side.
template <class T> Greatest<T> greatest_of_pairs(Image<T> image, Window rows, int64_t column, int64_t n) {
    const Bits<T> steps = counting<T>() * Int<T>(2);
    int64_t at = rows.first * image.width + column;
    Greatest<T> best{broadcast(-T(__builtin_inff())), steps + Int<T>(at)};
    for (int64_t k = 0; k < rows.count; ++k, at += rows.step * image.width) {
        const T* x = image.x + at;
        const Vec<T> low = load_some(x, 2 * n, image.end);
        const Vec<T> high = 2 * n > lanes<T> ? load_some(x + lanes<T>, 2 * n - lanes<T>, image.end) : low;
        const Pairs<T> pairs = split_pairs<T>(low, high);
        best.see(pairs.first, steps + Int<T>(at));
        best.see(pairs.second, steps + Int<T>(at + 1));
    }
    return best;
}

// Of all lanes: of equals the least place, of NaN the largest.
template <class T> void bring_together(Greatest<T>& each) {
    T value = each.value[0];
    Int<T> place = each.place[0];
    for (int i = 1; i < lanes<T>; ++i) {
        const T other = each.value[i];
        const Int<T> at = each.place[i];
        const bool later = other == other ? value == value && (other > value || (other == value && at < place))
                                          : value == value || at > place;
        if (later) value = other, place = at;
    }
    each.value[0] = value;
    each.place[0] = place;
}

inline constexpr int64_t many_columns = 12; // so many of one window are searched side by side

// Of one window, in lane 0.
template <class T> Greatest<T> greatest_of_one(Image<T> image, Window rows, Window columns) {
    const T least = -T(__builtin_inff());
    if (rows.count == 0 || columns.count == 0) return {broadcast(least), Bits<T>{} - 1};
    if (columns.step != 1 || columns.count < many_columns)
        return greatest_along<T, 1>(image, rows, columns, 1, 1);
    int64_t row = rows.first * image.width + columns.first;
    Greatest<T> best{broadcast(least), Bits<T>{} + Int<T>(row)};
    for (int64_t k = 0; k < rows.count; ++k, row += rows.step * image.width)
        each_register<T>(columns.count, [&](int64_t i, int n) __attribute__((always_inline)) {
            const Vec<T> seen = load_some(image.x + row + i, n, image.end);
            best.see(n == lanes<T> ? seen : select(first<T>(n), seen, broadcast(least)),
                     counting<T>() + Int<T>(row + i));
        });
    bring_together(best);
    return best;
}

// One row of outputs. Windows side by side are searched together, but for those that are cut off at the borders.
template <class T> void greatest_row(Image<T> image, Window rows, const Windows& columns, bool pairs, T* y, T* places) {
    const bool together = rows.count > 0 && (columns.stride <= 2 || columns.kernel < many_columns);
    const Span whole = together ? columns.whole() : Span{0, 0};
    for (int64_t c = 0, n = 1; c < columns.outputs; c += n) {
        const Window window = columns.at(c);
        Greatest<T> best;
        if (c < whole.begin || c >= whole.end) {
            n = 1;
            best = greatest_of_one(image, rows, window);
        } else {
            n = whole.end - c < lanes<T> ? whole.end - c : lanes<T>;
            if (pairs) best = greatest_of_pairs(image, rows, window.first, n);
            else if (columns.stride == 1) best = greatest_along<T, 1>(image, rows, window, 1, n);
            else if (columns.stride == 2) best = greatest_along<T, 2>(image, rows, window, 2, n);
            else best = greatest_along<T, 0>(image, rows, window, columns.stride, n);
        }
        store_up_to(y + c, best.value, n);
        if (places) store_up_to(places + c, (Vec<T>)best.place, n);
    }
}

template <class T> bool max_pool(const op::MaxPool<T>& op, const Team& team) {
    const Windows rows = vertical(op), columns = horizontal(op);
    const bool pairs = in_pairs(rows, columns);
    const Span own = share(op.planes, 1, team);
    const int64_t inputs = op.height * op.width, outputs = op.out_height * op.out_width;
    if (outputs == 0) return true;
    for (int64_t plane = own.begin; plane < own.end; ++plane) {
        const Image<T> image{op.x + plane * inputs, op.width, op.x + op.planes * inputs};
        T* places = op.places ? op.places + plane * outputs : nullptr;
        for (int64_t r = 0; r < op.out_height; ++r)
            greatest_row(image, rows.at(r), columns, pairs, op.y + plane * outputs + r * op.out_width,
                         places ? places + r * op.out_width : nullptr);
        if (op.indices)
            for (int64_t i = 0; i < outputs; ++i) op.indices[plane * outputs + i] = as_place(places[i]);
    }
    return true;
}

// Two rows (or the one) of an image whose windows are pairs, from one row of outputs.
template <class T> void spread_pairs(const T* dy, const T* places, T* dx, int64_t at, int64_t outputs, int64_t width,
                                     bool two) {
    const Bits<T> steps = counting<T>() * Int<T>(2);
    each_register<T>(outputs, [=](int64_t c, int n) __attribute__((always_inline)) {
        const Vec<T> gradient = load_up_to(dy + c, n);
        const Bits<T> place = (Bits<T>)load_up_to(places + c, n) - steps - Int<T>(at + 2 * c);
        for (int64_t k = 0; k < (two ? 2 : 1); ++k) {
            const Pairs<T> both = join_pairs<T>(keep<T>(place == Int<T>(k * width), gradient),
                                                keep<T>(place == Int<T>(k * width + 1), gradient));
            T* to = dx + at + k * width + 2 * c;
            store_up_to(to, both.first, 2 * n);
            if (2 * n > lanes<T>) store_up_to(to + lanes<T>, both.second, 2 * n - lanes<T>);
        }
    });
    for (int64_t k = 0; k < (two ? 2 : 1); ++k)
        for (int64_t c = 2 * outputs; c < width; ++c) dx[at + k * width + c] = 0;
}

template <class T> bool max_pool_grad(const op::MaxPoolGrad<T>& op, const Team& team) {
    const Windows rows = vertical(op), columns = horizontal(op);
    const bool pairs = in_pairs(rows, columns);
    const Span own = share(op.planes, 1, team);
    const int64_t inputs = op.height * op.width, outputs = op.out_height * op.out_width;
    if (inputs == 0) return true;
    for (int64_t plane = own.begin; plane < own.end; ++plane) {
        const T *dy = op.dy + plane * outputs, *places = op.places + plane * outputs;
        T* dx = op.dx + plane * inputs;
        if (pairs) {
            for (int64_t r = 0; r < op.out_height; ++r)
                spread_pairs(dy + r * op.out_width, places + r * op.out_width, dx, r * rows.kernel * op.width,
                             op.out_width, op.width, rows.kernel == 2);
            const int64_t covered = op.out_height * rows.kernel * op.width;
            std::memset(dx + covered, 0, size_t(inputs - covered) * sizeof(T));
        } else {
            std::memset(dx, 0, size_t(inputs) * sizeof(T));
            for (int64_t i = 0; i < outputs; ++i) {
                const Int<T> place = as_place(places[i]);
                if (place >= 0 && place < inputs) dx[place] += dy[i];
            }
        }
    }
    return true;
}

// Every thread looks at all of them, because they decide whether the step goes on.
template <class T> bool max_unpool(const op::MaxUnpool<T>& op, const Team& team) {
    bool inside = true;
    for (int64_t i = 0; i < op.planes * op.values; ++i) inside &= uint64_t(op.indices[i]) < uint64_t(op.places);
    if (!inside) return false;
    if (op.places == 0) return true;
    const Span own = share(op.planes, 1, team);
    std::memset(op.y + own.begin * op.places, 0, size_t((own.end - own.begin) * op.places) * sizeof(T));
    for (int64_t plane = own.begin; plane < own.end; ++plane)
        for (int64_t i = plane * op.values; i < (plane + 1) * op.values; ++i)
            op.y[plane * op.places + op.indices[i]] = op.x[i];
    return true;
}

template <class T> bool max_unpool_grad(const op::MaxUnpoolGrad<T>& op, const Team& team) {
    if (op.values == 0) return true;
    const Span own = share(op.planes, 1, team);
    for (int64_t plane = own.begin; plane < own.end; ++plane)
        for (int64_t i = plane * op.values; i < (plane + 1) * op.values; ++i) {
            const int64_t place = op.indices[i];
            op.dx[i] = uint64_t(place) < uint64_t(op.places) ? op.dy[plane * op.places + place] : T(0);
        }
    return true;
}

const Entry entries[] = {ENTRY(MaxPool, max_pool), ENTRY(MaxPoolGrad, max_pool_grad), ENTRY(MaxUnpool, max_unpool),
                         ENTRY(MaxUnpoolGrad, max_unpool_grad)};

} // namespace

FAMILY(pooling)

} // namespace maillon::MAILLON_ISA
