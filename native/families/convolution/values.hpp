// Outputs from the windows of their inputs: the forward step of a convolution, and the way back from its outputs.
#pragma once

#include "../../epilogue.hpp"
#include "lines.hpp"
#include "tiles.hpp"

namespace maillon::MAILLON_ISA::convolution {

// y[n, o, out] = f(bias[o] + Σ weight[o, c, kernel] x[n, c, in]) over the channels and taps of a group.
template <class T> struct Correlation {
    const T* x;
    const T* weight;
    const T* bias; // null: 0
    T* y;
    int64_t samples, groups, channels, outputs; // channels and outputs of one group
    Axis h, w;
    int64_t weight_group, weight_output, weight_channel; // from one to the next
    Epilogue<T> epilogue;

    int64_t x_plane() const { return h.inputs * w.inputs; }
    int64_t y_plane() const { return h.outputs * w.outputs; }
    int64_t x_sample() const { return groups * channels * x_plane(); }
    int64_t y_sample() const { return groups * outputs * y_plane(); }
    const T* weight_of(int64_t group, int64_t output) const {
        return weight + group * weight_group + output * weight_output;
    }
    const T* bias_of(int64_t group, int64_t output) const { return bias ? bias + group * outputs + output : nullptr; }
    bool relu() const { return epilogue.kind == Activation::relu && epilogue.reference == nullptr; } // in the tiles
    bool finishes() const { return epilogue.kind != Activation::none && !relu(); }                   // after them
};

// The outputs [begin, end) of a group in one segment, which begins at this sample, row and column.
template <class T> struct Piece {
    const Correlation<T>& c;
    Segment segment;
    int64_t sample, row, column, group;
    Span outputs;

    const T* x(int64_t channel) const {
        return c.x + sample * c.x_sample() + (group * c.channels + channel) * c.x_plane();
    }
    // Where a phase's places begin in y.
    int64_t at(const Phase& h, const Phase& w) const {
        return sample * c.y_sample() + (group * c.outputs + outputs.begin) * c.y_plane() +
               (h.first_output + row * h.output_step) * c.w.outputs + w.first_output + column * w.output_step;
    }
    int64_t rows(const Phase& h) const { return smaller(segment.rows, h.outputs - row); }
    int64_t columns(const Phase& w) const { return smaller(segment.columns, w.outputs - column); }
    bool dense() const { // a line of outputs is one in y as well
        return segment.samples == 1 && c.h.phases == 1 && c.w.phases == 1 &&
               (segment.rows == 1 || segment.columns == c.w.outputs);
    }
    // step(place in the line, place in y from `at` on, columns) for n elements of a line: rows of samples of columns.
    template <class Step>
    MAILLON_INLINE void each_run(const Phase& h, const Phase& w, int64_t begin, int64_t n, Step step) const {
        const int64_t there = columns(w);
        for (int64_t i = begin; i < begin + n;) {
            const int64_t run = i / segment.columns, first = i % segment.columns;
            const int64_t count = smaller(segment.columns - first, begin + n - i);
            const int64_t row_at = run / segment.samples * h.output_step * c.w.outputs;
            step(i - begin, row_at + run % segment.samples * c.y_sample() + first * w.output_step,
                 smaller(count, there - first));
            i += count;
        }
    }
};

// The taps of a phase, as far as they are among those laid out.
template <class T>
int64_t taps_of(const Layout& layout, const Axis& h, const Axis& w, const Phase& rows, const Phase& columns,
                TapOffsets* taps) {
    int64_t count = 0;
    for (int64_t i = 0; i < rows.taps; ++i) {
        const int64_t row = h.tap_of(rows, i), kernel_row = (rows.kernel + i * rows.kernel_step) * w.kernel;
        if (row < 0 || row >= h.taps) continue;
        for (int64_t j = 0; j < columns.taps; ++j) {
            const int64_t column = w.tap_of(columns, j);
            if (column < 0 || column >= w.taps) continue;
            taps[count++] = {layout.offset(row, column), kernel_row + columns.kernel + j * columns.kernel_step};
        }
    }
    return count;
}

template <class T>
void dense_tiles(const Correlation<T>& c, LineTile<T>& t, int64_t at, int64_t rows, int64_t line, bool finish) {
    t.c = c.y + at;
    t.c_row = c.y_plane();
    line_tiles<T>(t, rows, line);
    if (finish) apply_epilogue(c.epilogue, c.y, at, c.y_plane(), rows, line);
}

// Tiles through a buffer, from which runs of columns are put where they belong; where the stride is 2, those of both
// phases of columns at once.
template <class T> struct Scattered {
    static constexpr int64_t most = line_registers * lanes<T>;

    const Piece<T>& piece;
    const Phase& h;
    Phase w[2];
    int64_t phases; // 1 or 2 of columns
    int64_t counts[2];
    TapOffsets taps[2][most_taps];
    alignas(64) T buffer[2][most], reference[most];

    Scattered(const Piece<T>& piece, const Phase& h) : piece(piece), h(h), phases(piece.c.w.phases == 2 ? 2 : 1) {}

    void gather(const Phase& columns, const T* y, int64_t begin, int64_t n, T* line) const {
        const int64_t step = columns.output_step;
        piece.each_run(h, columns, begin, n, [=](int64_t place, int64_t at, int64_t count) {
            for (int64_t i = 0; i < count; ++i) line[place + i] = y[at + i * step];
        });
    }
    void scatter(T* y, int64_t begin, int64_t n, int64_t row) const {
        const T *even = buffer[0] + row, *odd = buffer[1] + row;
        const int64_t step = w[0].output_step, odds = phases == 2 ? piece.columns(w[1]) : 0;
        const int64_t wide = piece.segment.columns;
        const bool both = phases == 2;
        piece.each_run(h, w[0], begin, n, [=](int64_t place, int64_t at, int64_t count) {
            if (both) {
                const int64_t pairs = smaller(count, odds - (begin + place) % wide);
                for (int64_t i = 0; i < pairs; ++i) {
                    y[at + 2 * i] = even[place + i];
                    y[at + 2 * i + 1] = odd[place + i];
                }
                if (pairs < count) y[at + 2 * pairs] = even[place + pairs];
            } else if (step == 1) {
                for (int64_t i = 0; i < count; ++i) y[at + i] = even[place + i];
            } else {
                for (int64_t i = 0; i < count; ++i) y[at + i * step] = even[place + i];
            }
        });
    }

    // `rows` channels of outputs from `output` on, n elements of their line from `begin` on.
    void tiles(LineTile<T> t, int64_t output, int64_t rows, int64_t begin, int64_t n, bool finish) {
        const Correlation<T>& c = piece.c;
        const int64_t wide = most / rows / lanes<T> * lanes<T>;
        t.x += begin;
        t.c_row = wide;
        for (int64_t k = 0; k < phases; ++k) {
            const int64_t at = piece.at(h, w[k]) + output * c.y_plane();
            if (t.begin == Begin::keep)
                for (int64_t r = 0; r < rows; ++r)
                    gather(w[k], c.y + at + r * c.y_plane(), begin, n, buffer[k] + r * wide);
            t.c = buffer[k];
            t.taps = taps[k];
            t.tap_count = counts[k];
            line_tiles<T>(t, rows, n);
            if (!finish) continue;
            Epilogue<T> epilogue = c.epilogue;
            if (epilogue.reference != nullptr) {
                for (int64_t r = 0; r < rows; ++r)
                    gather(w[k], epilogue.reference + at + r * c.y_plane(), begin, n, reference + r * wide);
                epilogue.reference = reference;
            }
            apply_epilogue(epilogue, buffer[k], 0, wide, rows, n);
        }
        const int64_t at = piece.at(h, w[0]) + output * c.y_plane();
        for (int64_t r = 0; r < rows; ++r) scatter(c.y + at + r * c.y_plane(), begin, n, r * wide);
    }
};

template <class T>
void scattered_tiles(const Piece<T>& piece, const LineTile<T>& t, const Layout& layout, const Axis& h, const Axis& w,
                     const Phase& rows_of, int64_t output, int64_t rows, int64_t line, bool finish) {
    Scattered<T> s(piece, rows_of);
    const int64_t wide = s.most / rows / lanes<T> * lanes<T>;
    for (int64_t phase = 0; phase < piece.c.w.phases; phase += s.phases) {
        for (int64_t k = 0; k < s.phases; ++k) {
            s.w[k] = piece.c.w.phase(phase + k);
            s.counts[k] = taps_of<T>(layout, h, w, rows_of, s.w[k], s.taps[k]);
        }
        for (int64_t i = 0; i < line; i += wide) s.tiles(t, output, rows, i, smaller(wide, line - i), finish);
    }
}

// The tiles of all phases and outputs of a piece, for the channels that are laid out.
template <class T>
void piece_tiles(const Piece<T>& piece, LineTile<T>& t, const Layout& layout, const Axis& h, const Axis& w,
                 int64_t channel, bool last) {
    const Correlation<T>& c = piece.c;
    const bool dense = piece.dense(), finish = last && c.finishes();
    const int64_t outputs = piece.outputs.end - piece.outputs.begin, tiles = divided_up(outputs, line_rows);
    TapOffsets taps[most_taps];
    t.relu = last && c.relu();
    for (int64_t p = 0; p < c.h.phases; ++p) {
        const Phase rows_of = c.h.phase(p), columns_of = c.w.phase(0);
        const int64_t line = piece.rows(rows_of) * piece.segment.samples * piece.segment.columns;
        t.taps = taps;
        if (dense) t.tap_count = taps_of<T>(layout, h, w, rows_of, columns_of, taps);
        for (int64_t tile = 0; tile < tiles; ++tile) {
            const int64_t output = outputs * tile / tiles, rows = outputs * (tile + 1) / tiles - output;
            t.weight = c.weight_of(piece.group, piece.outputs.begin + output) + channel * c.weight_channel;
            t.bias = c.bias_of(piece.group, piece.outputs.begin + output);
            if (dense) dense_tiles(c, t, piece.at(rows_of, columns_of) + output * c.y_plane(), rows, line, finish);
            else scattered_tiles(piece, t, layout, h, w, rows_of, output, rows, line, finish);
        }
    }
}

template <class T> void correlate_piece(const Piece<T>& piece, const Cut& cut, T* laid_out) {
    const Correlation<T>& c = piece.c;
    const int64_t row_blocks = divided_up(c.h.taps, larger(cut.row_taps, 1));
    const int64_t column_blocks = divided_up(c.w.taps, larger(cut.column_taps, 1));
    const int64_t blocks = larger(row_blocks * column_blocks, 1);
    LineTile<T> t{};
    t.x = laid_out;
    t.weight_row = c.weight_output;
    t.weight_channel = c.weight_channel;
    t.begin = c.bias != nullptr ? Begin::bias : Begin::zero;
    for (int64_t block = 0; block < blocks; ++block) {
        const int64_t i = block / larger(column_blocks, 1) * cut.row_taps;
        const int64_t j = block % larger(column_blocks, 1) * cut.column_taps;
        const Axis h = c.h.some_taps(i, smaller(cut.row_taps, c.h.taps - i));
        const Axis w = c.w.some_taps(j, smaller(cut.column_taps, c.w.taps - j));
        const Layout layout(h, w, piece.segment);
        t.x_channel = layout.channel;
        for (int64_t channel = 0; channel < c.channels; channel += cut.channels) {
            t.channels = smaller(cut.channels, c.channels - channel);
            for (int64_t k = 0; k < t.channels; ++k)
                lay_out(layout, h, w, piece.x(channel + k), c.x_sample(), piece.segment.samples, piece.row,
                        piece.column, laid_out + k * layout.channel);
            store(laid_out + t.channels * layout.channel, Vec<T>{}); // what the last tile reads beyond its lines
            piece_tiles(piece, t, layout, h, w, channel, block + 1 == blocks && channel + t.channels == c.channels);
            t.begin = Begin::keep;
        }
    }
}

// Called by every thread of the team with the same arguments.
template <class T> void correlate(const Correlation<T>& c, const Team& team) {
    if (c.samples * c.outputs * c.y_plane() == 0) return;
    alignas(64) T laid_out[most_laid_out<T> + 2 * lanes<T>];
    const Cut cut = cut_of<T>(c.h, c.w, c.samples, c.channels);
    const int64_t row_parts = divided_up(c.h.phase_outputs, cut.segment.rows);
    const int64_t column_parts = divided_up(c.w.phase_outputs, cut.segment.columns);
    const int64_t pieces = divided_up(c.samples, cut.segment.samples) * c.groups * row_parts * column_parts;
    const int64_t parts = parts_for(pieces, team.size, divided_up(c.outputs, line_rows));
    const Span own = share(pieces * parts, 1, team);
    for (int64_t item = own.begin; item < own.end && !team.leaving(); ++item) {
        const int64_t part = item % parts, at = item / parts;
        const int64_t column = at % column_parts * cut.segment.columns;
        const int64_t row = at / column_parts % row_parts * cut.segment.rows;
        const int64_t group = at / column_parts / row_parts % c.groups;
        const int64_t sample = at / column_parts / row_parts / c.groups * cut.segment.samples;
        const Segment segment{smaller(cut.segment.samples, c.samples - sample),
                              smaller(cut.segment.rows, c.h.phase_outputs - row),
                              smaller(cut.segment.columns, c.w.phase_outputs - column)};
        const Span outputs{c.outputs * part / parts, c.outputs * (part + 1) / parts};
        correlate_piece<T>({c, segment, sample, row, column, group, outputs}, cut, laid_out);
    }
}

} // namespace maillon::MAILLON_ISA::convolution
