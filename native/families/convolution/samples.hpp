// Convolutions of small images in large batches. With the samples side by side an output is a line over the batch, and
// each tap that lies in the padding is left out.
#pragma once

#include "values.hpp"
#include "weights.hpp"

namespace maillon::MAILLON_ISA::convolution {

inline constexpr int64_t samples_at_a_time = 48;
template <class T> inline constexpr int64_t columns_at_a_time = 128 / int64_t(sizeof(T));

// Samples in whole logical vectors of floats; those that there are not are zero.
MAILLON_INLINE int64_t padded_samples(int64_t samples) { return divided_up(samples, 16) * 16; }

// The taps of a phase that read an input at its i-th output.
MAILLON_INLINE Span taps_inside(const Axis& axis, const Phase& p, int64_t i) {
    Span taps{0, p.taps};
    const auto inside = [&](int64_t t) {
        const int64_t input = i * axis.step + p.first + t * p.tap_step;
        return input >= 0 && input < axis.inputs;
    };
    while (taps.begin < taps.end && !inside(taps.begin)) ++taps.begin;
    while (taps.begin < taps.end && !inside(taps.end - 1)) --taps.end;
    return taps;
}

// One row of outputs of a group for `samples` samples from `sample` on; x is (channel, place, sample).
template <class T>
void correlate_row(const Correlation<T>& c, int64_t group, Span outputs, int64_t row, int64_t sample, int64_t samples) {
    alignas(64) T buffer[line_rows * columns_at_a_time<T> * samples_at_a_time];
    TapOffsets taps[most_taps];
    const int64_t padded = padded_samples(c.samples), rows = outputs.end - outputs.begin;
    const Phase h = c.h.phase(row % c.h.phases);
    const int64_t row_in_phase = row / c.h.phases;
    const Span row_taps = taps_inside(c.h, h, row_in_phase);
    LineTile<T> t{};
    t.x = c.x + group * c.channels * c.x_plane() * padded + sample;
    t.x_channel = c.x_plane() * padded;
    t.weight = c.weight_of(group, outputs.begin);
    t.weight_row = c.weight_output;
    t.weight_channel = c.weight_channel;
    t.taps = taps;
    t.channels = c.channels;
    t.bias = c.bias_of(group, outputs.begin);
    t.begin = t.bias != nullptr ? Begin::bias : Begin::zero;
    t.relu = c.relu();
    t.c_row = columns_at_a_time<T> * samples_at_a_time;
    for (int64_t first = 0; first < c.w.outputs; first += columns_at_a_time<T>) {
        const int64_t columns = smaller(columns_at_a_time<T>, c.w.outputs - first);
        for (int64_t column = 0; column < columns; ++column) {
            const Phase w = c.w.phase((first + column) % c.w.phases);
            const int64_t column_in_phase = (first + column) / c.w.phases;
            const Span column_taps = taps_inside(c.w, w, column_in_phase);
            t.tap_count = 0;
            for (int64_t i = row_taps.begin; i < row_taps.end; ++i)
                for (int64_t j = column_taps.begin; j < column_taps.end; ++j) {
                    const int64_t from_row = row_in_phase * c.h.step + h.first + i * h.tap_step;
                    const int64_t from = from_row * c.w.inputs + column_in_phase * c.w.step + w.first + j * w.tap_step;
                    const int64_t kernel_row = (h.kernel + i * h.kernel_step) * c.w.kernel;
                    taps[t.tap_count++] = {from * padded, kernel_row + w.kernel + j * w.kernel_step};
                }
            t.c = buffer + column * samples_at_a_time;
            line_tiles<T>(t, rows, samples);
        }
        const int64_t at = sample * c.y_sample() + (group * c.outputs + outputs.begin) * c.y_plane() +
                           row * c.w.outputs + first;
        for (int64_t begin = 0; begin < samples; begin += 8) { // so few that all of them stay in the nearest cache
            const int64_t some = smaller(8, samples - begin), there = at + begin * c.y_sample();
            for (int64_t r = 0; r < rows; ++r)
                pack_transposed(buffer + r * t.c_row + begin, samples_at_a_time, int(columns), some,
                                c.y + there + r * c.y_plane(), int(c.y_sample()), int(columns));
            for (int64_t r = 0; r < rows && c.finishes(); ++r)
                apply_epilogue(c.epilogue, c.y, there + r * c.y_plane(), c.y_sample(), some, columns);
        }
    }
}

// Called by every thread of the team with the same arguments; x is (channel, place, sample).
template <class T> void correlate_samples(const Correlation<T>& c, const Team& team) {
    const int64_t blocks = divided_up(c.samples, samples_at_a_time), tiles = divided_up(c.outputs, line_rows);
    const Span own = share(c.groups * blocks * c.h.outputs * tiles, 1, team);
    for (int64_t item = own.begin; item < own.end && !team.leaving(); ++item) {
        const int64_t tile = item % tiles, row = item / tiles % c.h.outputs;
        const int64_t sample = item / tiles / c.h.outputs % blocks * samples_at_a_time;
        const int64_t group = item / tiles / c.h.outputs / blocks;
        correlate_row(c, group, {c.outputs * tile / tiles, c.outputs * (tile + 1) / tiles}, row, sample,
                      smaller(samples_at_a_time, c.samples - sample));
    }
}

// The outputs of an axis for which a tap reads an input.
MAILLON_INLINE Span outputs_inside(const Axis& axis, int64_t tap) {
    const int64_t shift = axis.first + tap * axis.tap_step;
    const int64_t begin = shift < 0 ? divided_up(-shift, axis.step) : 0;
    const int64_t end = shift < axis.inputs ? smaller(axis.outputs, (axis.inputs - 1 - shift) / axis.step + 1) : 0;
    return {begin, larger(begin, end)};
}

// The gradient of the weight, x and dy both (channel, place, sample), for some channels and outputs of a group.
template <class T> void gradient_of_samples(const WeightGradient<T>& g, int64_t group, Span channels, Span outputs) {
    const int64_t padded = padded_samples(g.samples), count = channels.end - channels.begin;
    TapOffsets taps[most_dots];
    for (int64_t k = 0; k < count; ++k) taps[k] = {k * g.x_plane() * padded, k * g.kernel()};
    DotTile<T> t{};
    t.taps = taps;
    t.dy_row = g.dy_plane() * padded;
    t.sum_row = g.channels * g.kernel();
    const T* x = g.x + (group * g.channels + channels.begin) * g.x_plane() * padded;
    const T* dy = g.dy + (group * g.outputs + outputs.begin) * t.dy_row;
    g.begin(group, outputs, channels);
    const bool whole_rows = g.w.step == 1; // a row of outputs reads inputs side by side
    const int64_t rows_at_a_time = whole_rows ? larger(8192 / larger(g.w.outputs * padded, 1), 1) : 1;
    for (int64_t begin = 0; begin < g.h.outputs; begin += rows_at_a_time)
        for (int64_t i = 0; i < g.h.taps; ++i)
            for (int64_t j = 0; j < g.w.taps; ++j) {
                const Span all = outputs_inside(g.h, i), columns = outputs_inside(g.w, j);
                const Span rows{larger(all.begin, begin), smaller(all.end, begin + rows_at_a_time)};
                const int64_t height = rows.end - rows.begin, width = columns.end - columns.begin;
                if (height <= 0 || width <= 0) continue;
                const int64_t row = rows.begin * g.h.step + g.h.first + i * g.h.tap_step;
                const int64_t column = columns.begin * g.w.step + g.w.first + j * g.w.tap_step;
                t.x = x + (row * g.w.inputs + column) * padded;
                t.dy = dy + (rows.begin * g.w.outputs + columns.begin) * padded;
                t.sum = g.dweight_of(group, outputs.begin, channels.begin) + i * g.w.taps + j;
                t.line = whole_rows ? width * padded : padded;
                t.regions = whole_rows ? height : width;
                t.dy_region = whole_rows ? g.w.outputs * padded : padded;
                t.x_region = whole_rows ? g.h.step * g.w.inputs * padded : g.w.step * padded;
                dot_tiles(t, outputs.end - outputs.begin, count);
            }
}

// Called by every thread of the team with the same arguments.
template <class T> void weight_gradient_samples(const WeightGradient<T>& g, const Team& team) {
    const int64_t tiles = divided_up(g.outputs, 4), blocks = divided_up(g.channels, 48);
    const Span own = share(g.groups * tiles * blocks, 1, team);
    for (int64_t item = own.begin; item < own.end && !team.leaving(); ++item) {
        const int64_t tile = item % tiles, block = item / tiles % blocks, group = item / tiles / blocks;
        gradient_of_samples(g, group, {g.channels * block / blocks, g.channels * (block + 1) / blocks},
                            {g.outputs * tile / tiles, g.outputs * (tile + 1) / tiles});
    }
}

} // namespace maillon::MAILLON_ISA::convolution
