// Sums and products of values, and values that only move: joined, cut, turned, spread.
#include "../operations/joints.hpp"

#include "../entry.hpp"
#include "../lanes.hpp"

namespace maillon::MAILLON_ISA {

namespace {

template <class T> bool add(const op::Add<T>& op, const Team& team) {
    const Span own = share(op.n, grain, team);
    const T *a = op.a + own.begin, *b = op.b + own.begin;
    T* out = op.out + own.begin;
    each_register<T>(own.end - own.begin, [=](int64_t i, int64_t n) __attribute__((always_inline)) {
        store_up_to(out + i, load_up_to(a + i, n) + load_up_to(b + i, n), n);
    });
    return true;
}

// out = α a + β b; without b it is α a.
template <class T> bool scaled_sum(const op::ScaledSum<T>& op, const Team& team) {
    const Span own = share(op.n, grain, team);
    const T *a = op.a + own.begin, *b = op.b == nullptr ? nullptr : op.b + own.begin;
    T* out = op.out + own.begin;
    const Vec<T> alpha = broadcast(T(op.alpha)), beta = broadcast(T(op.beta));
    each_register<T>(own.end - own.begin, [=](int64_t i, int64_t n) __attribute__((always_inline)) {
        const Vec<T> first = load_up_to(a + i, n);
        store_up_to(out + i, b == nullptr ? alpha * first : fma(alpha, first, beta * load_up_to(b + i, n)), n);
    });
    return true;
}

template <class T> bool multiply(const op::Multiply<T>& op, const Team& team) {
    const Span own = share(op.n, grain, team);
    const T *a = op.a + own.begin, *b = op.b + own.begin;
    T* out = op.out + own.begin;
    each_register<T>(own.end - own.begin, [=](int64_t i, int64_t n) __attribute__((always_inline)) {
        store_up_to(out + i, load_up_to(a + i, n) * load_up_to(b + i, n), n);
    });
    return true;
}

// da = b dy, db = a dy, whichever is wanted.
template <class T> bool multiply_grad(const op::MultiplyGrad<T>& op, const Team& team) {
    const Span own = share(op.n, grain, team);
    for (int64_t i = own.begin; i < own.end; i += lanes<T>) {
        const int64_t n = own.end - i;
        const Vec<T> dy = load_up_to(op.dy + i, n), a = load_up_to(op.a + i, n), b = load_up_to(op.b + i, n);
        if (op.da != nullptr) store_up_to(op.da + i, b * dy, n);
        if (op.db != nullptr) store_up_to(op.db + i, a * dy, n);
    }
    return true;
}

template <class T> MAILLON_INLINE void copy(const T* from, T* to, int64_t n) {
    each_register<T>(n, [=](int64_t i, int64_t count) __attribute__((always_inline)) {
        store_up_to(to + i, load_up_to(from + i, count), count);
    });
}

constexpr int most_parts = 8;

// The parts' rows one after the other make a row of the whole. step(part, its begin in the row, width) is called for
// those that are there.
template <class T, class Step>
MAILLON_INLINE void each_row(T* const (&parts)[most_parts], const int64_t (&widths)[most_parts], int64_t rows,
                             const Team& team, Step step) {
    int64_t whole = 0;
    for (int64_t width : widths) whole += width;
    const Span own = share(rows, whole * int64_t(sizeof(T)) >= 64 ? 1 : grain, team);
    for (int64_t row = own.begin; row < own.end; ++row) {
        int64_t at = row * whole;
        for (int part = 0; part < most_parts; at += widths[part++])
            if (parts[part] != nullptr) step(parts[part] + row * widths[part], at, widths[part]);
    }
}

template <class T> bool concat(const op::Concat<T>& op, const Team& team) {
    const T* const parts[] = {op.x0, op.x1, op.x2, op.x3, op.x4, op.x5, op.x6, op.x7};
    const int64_t widths[] = {op.width0, op.width1, op.width2, op.width3, op.width4, op.width5, op.width6, op.width7};
    each_row(parts, widths, op.outer, team, [&op](const T* part, int64_t at, int64_t n) { copy(part, op.y + at, n); });
    return true;
}

template <class T> bool split(const op::Split<T>& op, const Team& team) {
    T* const parts[] = {op.y0, op.y1, op.y2, op.y3, op.y4, op.y5, op.y6, op.y7};
    const int64_t widths[] = {op.width0, op.width1, op.width2, op.width3, op.width4, op.width5, op.width6, op.width7};
    each_row(parts, widths, op.outer, team, [&op](T* part, int64_t at, int64_t n) { copy(op.x + at, part, n); });
    return true;
}

// An array of five dimensions whose elements lie in C order on one side and `stride` apart on the other.
struct Grid {
    int64_t n[5], stride[5];

    // The same elements in the same order with as few dimensions as that takes, the last ones.
    void merge() {
        int last = 4; // the place of the dimension that others are joined to
        for (int k = 3; k >= 0; --k) {
            if (n[k] == 1) continue;
            if (n[last] == 1) n[last] = n[k], stride[last] = stride[k];
            else if (stride[k] == stride[last] * n[last]) n[last] *= n[k];
            else --last, n[last] = n[k], stride[last] = stride[k];
        }
        for (int k = 0; k < last; ++k) n[k] = 1, stride[k] = 0;
    }

    int64_t size() const { return n[0] * n[1] * n[2] * n[3] * n[4]; }
};

// step(its number, its place on the strided side, count) for the part of each line within `own`.
template <class Step> MAILLON_INLINE void each_line(const Grid& grid, Span own, Step step) {
    int64_t index[5], place = 0, rest = own.begin;
    for (int k = 4; k >= 0; rest /= grid.n[k--]) index[k] = rest % grid.n[k], place += index[k] * grid.stride[k];
    for (int64_t at = own.begin; at < own.end;) {
        const int64_t line = grid.n[4] - index[4], count = line < own.end - at ? line : own.end - at;
        step(at, place, count);
        at += count;
        place -= index[4] * grid.stride[4], index[4] = 0;
        for (int k = 3; k >= 0; --k) {
            place += grid.stride[k];
            if (++index[k] < grid.n[k]) break;
            place -= index[k] * grid.stride[k], index[k] = 0;
        }
    }
}

constexpr int64_t tile = 16; // rows and columns that are turned in the nearest cache

// dense[i] = strided[place of i], or the other way round, for the elements `own`, line by line.
template <class T, bool outwards> MAILLON_INLINE void move_one(T* dense, T* strided) {
    if constexpr (outwards) *strided = *dense;
    else *dense = *strided;
}
template <class T, bool outwards> void move_lines(const Grid& grid, T* dense, T* strided, Span own) {
    each_line(grid, own, [=, step = grid.stride[4]](int64_t at, int64_t place, int64_t n) {
        T *line = dense + at, *other = strided + place;
        if (step == 1 && outwards) copy<T>(line, other, n);
        else if (step == 1) copy<T>(other, line, n);
        else
            for (int64_t i = 0; i < n; ++i) move_one<T, outwards>(line + i, other + i * step);
    });
}

// Where dimension `turned` is the one with stride 1: tiles of it and the last dimension, for the numbers `own` of the
// others' elements and of the tiles' rows.
template <class T, bool outwards>
void move_tiles(const Grid& grid, int turned, T* dense, T* strided, const Team& team) {
    Grid others = grid;
    int64_t row = grid.n[4]; // from one element of `turned` to the next, on the dense side
    for (int k = 3; k > turned; --k) row *= grid.n[k];
    const int64_t strips = (grid.n[turned] + tile - 1) / tile, columns = grid.n[4], step = grid.stride[4];
    others.n[4] = 1, others.n[turned] = strips;
    const Span own = share(others.size(), 1, team);
    for (int64_t number = own.begin; number < own.end; ++number) {
        int64_t index[5], from = 0, to = 0, size = 1, rest = number;
        for (int k = 4; k >= 0; --k) {
            index[k] = rest % others.n[k], rest /= others.n[k];
            if (k == turned) index[k] *= tile;
            from += index[k] * grid.stride[k], to += index[k] * size, size *= grid.n[k];
        }
        const int64_t rows = grid.n[turned] - index[turned] < tile ? grid.n[turned] - index[turned] : tile;
        for (int64_t j = 0; j < columns; j += tile) {
            const int64_t end = columns - j < tile ? columns : j + tile;
            for (int64_t i = 0; i < rows; ++i)
                for (int64_t c = j; c < end; ++c)
                    move_one<T, outwards>(dense + to + i * row + c, strided + from + i + c * step);
        }
    }
}

template <class T, bool outwards> void move(Grid grid, T* dense, T* strided, const Team& team) {
    if (grid.size() == 0) return;
    grid.merge();
    if (grid.stride[4] != 1)
        for (int k = 0; k < 4; ++k)
            if (grid.stride[k] == 1 && grid.n[k] > 1) return move_tiles<T, outwards>(grid, k, dense, strided, team);
    move_lines<T, outwards>(grid, dense, strided, share(grid.size(), grain, team));
}

template <class Op> Grid grid_of(const Op& op) {
    return {{op.n0, op.n1, op.n2, op.n3, op.n4}, {op.stride0, op.stride1, op.stride2, op.stride3, op.stride4}};
}

// y[i…] = x[offset + i · stride…]: dimensions permuted, cut, turned round (a negative stride) or repeated (a stride of 0).
template <class T> bool take(const op::Take<T>& op, const Team& team) {
    move<T, false>(grid_of(op), op.y, const_cast<T*>(op.x) + op.offset, team);
    return true;
}

// y[offset + i · stride…] = x[i…], no two at one place, and 0 elsewhere.
template <class T> bool place(const op::Place<T>& op, const Team& team) {
    const Grid grid = grid_of(op);
    if (grid.size() < op.size) {
        const Span own = share(op.size, grain, team);
        std::memset(op.y + own.begin, 0, size_t(own.end - own.begin) * sizeof(T));
    }
    team.wait();
    move<T, true>(grid, const_cast<T*>(op.x), op.y + op.offset, team);
    return true;
}

// y = a + b or a · b, where b has strides of its own: 0 along a dimension that it lacks.
template <class T, class Function>
MAILLON_INLINE void each_spread(const op::Spread<T>& op, const Team& team, Function function) {
    Grid grid{{1, op.n0, op.n1, op.n2, op.n3}, {0, op.stride0, op.stride1, op.stride2, op.stride3}};
    if (grid.size() == 0) return;
    grid.merge();
    const int64_t step = grid.stride[4];
    each_line(grid, share(grid.size(), grain, team),
              [=, &op](int64_t at, int64_t place, int64_t count) __attribute__((always_inline)) {
                  const T *a = op.a + at, *b = op.b + place;
                  T* y = op.y + at;
                  const Vec<T> first = broadcast(*b);
                  if (step == 0 || step == 1) {
                      each_register<T>(count, [=](int64_t i, int64_t n) __attribute__((always_inline)) {
                          const Vec<T> other = step == 1 ? load_up_to(b + i, n) : first;
                          store_up_to(y + i, function(load_up_to(a + i, n), other), n);
                      });
                  } else {
                      for (int64_t i = 0; i < count; ++i) y[i] = function(broadcast(a[i]), broadcast(b[i * step]))[0];
                  }
              });
}
template <class T> bool spread(const op::Spread<T>& op, const Team& team) {
    if (op.multiply) each_spread(op, team, [](Vec<T> a, Vec<T> b) { return a * b; });
    else each_spread(op, team, [](Vec<T> a, Vec<T> b) { return a + b; });
    return true;
}

// x as (leading, middle, trailing, last): y[m, i] (+)= Σ over leading and trailing of x, times `factor` if there is one.
// Sums run in the order of lanes.hpp where last = 1, else one by one.
template <class T> bool sum_over(const op::SumOver<T>& op, const Team& team) {
    const auto term = [&op](int64_t at, int64_t n) __attribute__((always_inline)) {
        const Vec<T> x = load_up_to(op.x + at, n);
        return op.factor == nullptr ? x : x * load_up_to(op.factor + at, n);
    };
    const int64_t block = op.trailing * op.last, all = op.middle * block;
    const Span own = share(op.middle * op.last, grain, team);
    if (op.last == 1) {
        for (int64_t m = own.begin; m < own.end; ++m) {
            double sum = op.keep ? double(op.y[m]) : 0;
            for (int64_t l = 0; l < op.leading; ++l)
                sum += double(sum_terms<T>(block, [=](int64_t i, int64_t n) __attribute__((always_inline)) {
                    return term(l * all + m * block + i, n);
                }));
            op.y[m] = T(sum);
        }
        return true;
    }
    for (int64_t at = own.begin; at < own.end;) {
        const int64_t m = at / op.last, i = at % op.last;
        int64_t n = op.last - i < own.end - at ? op.last - i : own.end - at;
        if (n > lanes<T>) n = lanes<T>;
        Vec<T> sum = op.keep ? load_up_to(op.y + at, n) : Vec<T>{};
        for (int64_t l = 0; l < op.leading; ++l)
            for (int64_t t = 0; t < op.trailing; ++t) sum += term(l * all + m * block + t * op.last + i, n);
        store_up_to(op.y + at, sum, n);
        at += n;
    }
    return true;
}

template <class T> bool fill(const op::Fill<T>& op, const Team& team) {
    const Span own = share(op.n, grain, team);
    const Vec<T> value = broadcast(T(op.value));
    each_register<T>(own.end - own.begin, [=, y = op.y + own.begin](int64_t i, int64_t n) __attribute__((always_inline)) {
        store_up_to(y + i, value, n);
    });
    return true;
}

const Entry entries[] = {
    ENTRY(Add, add),
    ENTRY(ScaledSum, scaled_sum),
    ENTRY(Multiply, multiply),
    ENTRY(MultiplyGrad, multiply_grad),
    ENTRY(Concat, concat),
    ENTRY(Split, split),
    ENTRY(Take, take),
    ENTRY(Place, place),
    ENTRY(Spread, spread),
    ENTRY(SumOver, sum_over),
    ENTRY(Fill, fill),
};

} // namespace

FAMILY(joints)

} // namespace maillon::MAILLON_ISA
