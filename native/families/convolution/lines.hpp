// How a convolution reads its image without a copy of all windows. A few channels of a few rows at a time are laid out
// on the stack as lines: every tap finds the inputs of consecutive outputs side by side, padding included, at an offset
// of its own. Where outputs run over several rows, each column of the kernel has a copy of the rows, shifted and cut to
// the width of the output, and the rows of the kernel share it.
#pragma once

#include "../../lanes.hpp"
#include "axis.hpp"

namespace maillon::MAILLON_ISA::convolution {

template <class T> inline constexpr int64_t most_laid_out = (48 << 10) / int64_t(sizeof(T)); // elements at a time
inline constexpr int64_t most_taps = 128, narrow = 48;

// The lines of one axis. Taps that are a multiple of the step apart share a line; `apart`: none do.
struct AxisLines {
    int64_t taps, tap_step, step, first, lines, reach;
    bool apart;

    AxisLines(const Axis& axis, bool apart)
        : taps(axis.taps), tap_step(axis.tap_step), step(axis.step), first(axis.first), apart(apart) {
        lines = apart ? taps : smaller(taps, step / common_divisor(step, tap_step));
        reach = apart || taps == 0 ? 0 : (taps - 1) * tap_step / step;
    }
    int64_t first_input(int64_t line) const { return first + (apart ? line * tap_step : line * tap_step % step); }
    int64_t line(int64_t tap) const { return apart ? tap : tap % lines; }
    int64_t offset(int64_t tap) const { return apart ? 0 : tap * tap_step / step; }
    int64_t size(int64_t outputs) const { return lines * (outputs + reach); }
};

// A part of the outputs whose lines are laid out together: some rows and columns, of several images at once where they
// are small. Rows and columns are counted within a phase.
struct Segment {
    int64_t samples, rows, columns;

    int64_t line() const { return samples * rows * columns; }
    bool operator==(const Segment& other) const {
        return samples == other.samples && rows == other.rows && columns == other.columns;
    }
};

// Where the lines of a segment lie, for one channel: line of the row tap, line of the column tap, row, sample, column.
struct Layout {
    AxisLines rows, columns;
    int64_t height, width, row, plane, channel;

    Layout(const AxisLines& rows, const AxisLines& columns, const Segment& segment) : rows(rows), columns(columns) {
        height = segment.rows + rows.reach;
        width = segment.columns + columns.reach;
        row = segment.samples * width;
        plane = height * row;
        channel = rows.lines * columns.lines * plane;
    }
    // With all outputs of the segment side by side.
    Layout(const Axis& h, const Axis& w, const Segment& segment)
        : Layout(shorter(h, segment.rows),
                 segment.samples * segment.rows == 1 ? shorter(w, segment.columns) : AxisLines(w, true), segment) {}

    static AxisLines shorter(const Axis& axis, int64_t outputs) {
        const AxisLines apart(axis, true), together(axis, false);
        return apart.size(outputs) < together.size(outputs) ? apart : together;
    }
    int64_t offset(int64_t row_tap, int64_t column_tap) const {
        return (rows.line(row_tap) * columns.lines + columns.line(column_tap)) * plane + rows.offset(row_tap) * row +
               columns.offset(column_tap);
    }
};

// to[i] = x[first + i·step] for i < n, zero outside 0 … inputs - 1. Unless it is exact, up to a register beyond n is
// overwritten.
template <class T, bool exact = false>
MAILLON_INLINE void copy_line(const T* x, int64_t inputs, int64_t first, int64_t step, T* to, int64_t n) {
    int64_t begin, end;
    if (step == 1) { // without the divisions
        begin = first < 0 ? smaller(n, -first) : 0;
        end = smaller(n, inputs - first);
    } else {
        begin = first < 0 ? smaller(n, divided_up(-first, step)) : 0;
        end = first < inputs ? smaller(n, (inputs - 1 - first) / step + 1) : 0;
    }
    if (end <= begin) begin = end = n;
    const auto put = [=](int64_t i, int64_t until, Vec<T> v) __attribute__((always_inline)) {
        if (exact && until - i < lanes<T>) store_partial(to + i, v, int(until - i));
        else store(to + i, v);
    };
    for (int64_t i = 0; i < begin; i += lanes<T>) put(i, begin, Vec<T>{});
    const T* from = x + first + begin * step;
    if (step == 1) {
        for (int64_t i = begin; i < end; i += lanes<T>, from += lanes<T>) put(i, end, load_up_to(from, end - i));
    } else if (step == 2) { // which the compiler makes shuffles
        for (int64_t i = begin; i < end; ++i, from += 2) to[i] = *from;
    } else {
        for (int64_t i = begin; i < end; ++i, from += step) to[i] = *from;
    }
    for (int64_t i = end; i < n; i += lanes<T>) put(i, n, Vec<T>{});
}

// The lines of one channel of the images at x, `sample` elements apart, for the outputs from (row, column) on.
template <class T>
void lay_out(const Layout& layout, const Axis& h, const Axis& w, const T* x, int64_t sample, int64_t samples,
             int64_t row, int64_t column, T* to) {
    for (int64_t i = 0; i < layout.rows.lines; ++i)
        for (int64_t j = 0; j < layout.columns.lines; ++j) {
            int64_t input = layout.rows.first_input(i) + row * h.step;
            const int64_t first = layout.columns.first_input(j) + column * w.step;
            for (int64_t r = 0; r < layout.height; ++r, input += h.step) {
                const bool inside = input >= 0 && input < h.inputs;
                const T* from = x + (inside ? input : 0) * w.inputs;
                for (int64_t s = 0; s < samples; ++s, from += sample, to += layout.width)
                    copy_line(from, inside ? w.inputs : 0, first, w.step, to, layout.width);
            }
        }
}

// How work is cut: parts of outputs whose lines are laid out at a time, for so many taps and channels.
struct Cut {
    Segment segment;
    int64_t channels, row_taps, column_taps;
};

template <class T> Cut cut_of(const Axis& h, const Axis& w, int64_t samples, int64_t channels) {
    const int64_t column_taps = smaller(w.taps, most_taps);
    const int64_t row_taps = smaller(h.taps, larger(most_taps / larger(column_taps, 1), 1));
    const Axis rows = h.some_taps(0, row_taps), columns = w.some_taps(0, column_taps);
    const auto channel = [&](const Segment& segment) { return larger(Layout(rows, columns, segment).channel, 1); };
    const int64_t room = most_laid_out<T> / larger(smaller(channels, 8), 1), size = h.phase_outputs * w.phase_outputs;
    Segment segment{1, h.phase_outputs, w.phase_outputs};
    if (size < narrow && samples > 1) {
        segment.samples = smaller(samples, larger(narrow / larger(size, 1), 1));
        while (segment.samples > 1 && channel(segment) > room) --segment.samples;
    }
    for (int64_t parts = 2; segment.rows > 1 && channel(segment) > room; parts += 1 + parts / 4)
        segment.rows = divided_up(h.phase_outputs, parts);
    for (int64_t parts = 2; segment.columns > narrow && channel(segment) > room; parts += 1 + parts / 4)
        segment.columns = divided_up(w.phase_outputs, parts);
    return {segment, smaller(channels, larger(most_laid_out<T> / channel(segment), 1)), row_taps, column_taps};
}

// How many parts each of n pieces of work is divided into, so that the team has equal shares.
MAILLON_INLINE int64_t parts_for(int64_t n, int team, int64_t most) {
    return n >= 4 * team ? 1 : smaller(team / common_divisor(n, team), most);
}

} // namespace maillon::MAILLON_ISA::convolution
