// The gradient of a convolution's weight: dot products of lines of dy with the lines that a tap reads.
//
// Bits: how many elements a dot product takes at a time depends on the shape alone. Each weight is the sum of those, in
// the order of samples, rows and columns, whole in one thread.
#pragma once

#include "lines.hpp"
#include "tiles.hpp"

namespace maillon::MAILLON_ISA::convolution {

// dweight[o, c, kernel] (+)= Σ dy[n, o, out] x[n, c, in] over samples and places.
template <class T> struct WeightGradient {
    const T* x;
    const T* dy;
    T* dweight;
    int64_t samples, groups, channels, outputs; // channels and outputs of one group
    Axis h, w;
    bool keep;

    int64_t kernel() const { return h.kernel * w.kernel; }
    int64_t x_plane() const { return h.inputs * w.inputs; }
    int64_t dy_plane() const { return h.outputs * w.outputs; }
    T* dweight_of(int64_t group, int64_t output, int64_t channel) const {
        return dweight + ((group * outputs + output) * channels + channel) * kernel();
    }
    // Sets to 0 what is added up from there.
    void begin(int64_t group, Span rows, Span of_channels) const {
        const auto bytes = size_t((of_channels.end - of_channels.begin) * kernel()) * sizeof(T);
        for (int64_t o = rows.begin; o < rows.end && !keep; ++o)
            std::memset(dweight_of(group, o, of_channels.begin), 0, bytes);
    }
};

inline constexpr int64_t most_dots = 512; // taps of all channels at a time

// Some channels of a group, for some of its outputs. `regions`: samples whose lines are laid out one after the other.
template <class T> class ChannelsGradient {
    const WeightGradient<T>& g;
    const Cut& cut;
    int64_t regions, group;
    Span channels, outputs;
    T* laid_out;
    TapOffsets taps[most_dots];
    int64_t tap_count = 0;

    void list_taps(const Layout& layout, const Axis& h, const Axis& w, int64_t i0, int64_t j0) {
        tap_count = 0;
        for (int64_t k = 0; k < channels.end - channels.begin; ++k)
            for (int64_t i = 0; i < h.taps; ++i)
                for (int64_t j = 0; j < w.taps; ++j)
                    taps[tap_count++] = {k * layout.channel + layout.offset(i, j),
                                         k * g.kernel() + (i0 + i) * g.w.taps + j0 + j};
    }

    void add(const Layout& layout, const Axis& h, const Axis& w, const Segment& segment, int64_t count, int64_t sample,
             int64_t row, int64_t column) {
        const int64_t x_sample = g.groups * g.channels * g.x_plane(), dy_sample = g.groups * g.outputs * g.dy_plane();
        const int64_t here = channels.end - channels.begin, rows = outputs.end - outputs.begin;
        DotTile<T> t{};
        t.x = laid_out;
        t.x_region = here * layout.channel;
        t.regions = count;
        t.line = segment.line();
        t.taps = taps;
        t.sum = g.dweight_of(group, outputs.begin, channels.begin);
        t.sum_row = g.channels * g.kernel();
        const T* x = g.x + sample * x_sample + (group * g.channels + channels.begin) * g.x_plane();
        for (int64_t s = 0; s < count; ++s)
            for (int64_t k = 0; k < here; ++k)
                lay_out(layout, h, w, x + s * x_sample + k * g.x_plane(), x_sample, segment.samples, row, column,
                        laid_out + s * t.x_region + k * layout.channel);
        const T* dy = g.dy + sample * dy_sample + (group * g.outputs + outputs.begin) * g.dy_plane() +
                      row * g.w.outputs + column;
        if (segment.samples == 1) {
            t.dy = dy;
            t.dy_row = g.dy_plane();
            t.dy_region = dy_sample;
            return dot_tiles(t, rows, tap_count);
        }
        T lines[dot_lines * narrow]; // of several small images
        t.dy = lines;
        t.dy_row = narrow;
        for (int64_t o = 0; o < rows; o += dot_lines, t.sum += dot_lines * t.sum_row) {
            const int64_t n = smaller(dot_lines, rows - o);
            for (int64_t r = 0; r < n; ++r) {
                T* to = lines + r * narrow;
                for (int64_t at = 0; at < g.h.outputs; ++at)
                    for (int64_t s = 0; s < segment.samples; ++s)
                        for (int64_t i = 0; i < g.w.outputs; ++i)
                            *to++ = dy[(o + r) * g.dy_plane() + s * dy_sample + at * g.w.outputs + i];
            }
            dot_tiles(t, n, tap_count);
        }
    }

  public:
    ChannelsGradient(const WeightGradient<T>& g, const Cut& cut, int64_t regions, int64_t group, Span channels,
                     Span outputs, T* laid_out)
        : g(g), cut(cut), regions(regions), group(group), channels(channels), outputs(outputs), laid_out(laid_out) {}

    void add_up(const Team& team) {
        g.begin(group, outputs, channels);
        const int64_t step = cut.segment.samples * regions;
        for (int64_t i = 0; i < g.h.taps; i += cut.row_taps)
            for (int64_t j = 0; j < g.w.taps; j += cut.column_taps) {
                const Axis h = g.h.some_taps(i, smaller(cut.row_taps, g.h.taps - i));
                const Axis w = g.w.some_taps(j, smaller(cut.column_taps, g.w.taps - j));
                Segment known = cut.segment;
                Layout layout(h, w, known);
                list_taps(layout, h, w, i, j);
                for (int64_t sample = 0; sample < g.samples && !team.leaving(); sample += step)
                    for (int64_t row = 0; row < g.h.outputs; row += cut.segment.rows)
                        for (int64_t column = 0; column < g.w.outputs; column += cut.segment.columns) {
                            const int64_t samples = smaller(step, g.samples - sample);
                            const Segment segment{cut.segment.samples > 1 ? samples : 1,
                                                  smaller(cut.segment.rows, g.h.outputs - row),
                                                  smaller(cut.segment.columns, g.w.outputs - column)};
                            if (!(segment == known)) {
                                layout = Layout(h, w, known = segment);
                                list_taps(layout, h, w, i, j);
                            }
                            add(layout, h, w, segment, cut.segment.samples > 1 ? 1 : samples, sample, row, column);
                        }
            }
    }
};

// Called by every thread of the team with the same arguments.
template <class T> void weight_gradient(const WeightGradient<T>& g, const Team& team) {
    alignas(64) T laid_out[most_laid_out<T> + 2 * lanes<T>];
    const Cut cut = cut_of<T>(g.h, g.w, g.samples, 1);
    const Axis h = g.h.some_taps(0, cut.row_taps), w = g.w.some_taps(0, cut.column_taps);
    const int64_t channel = Layout(h, w, cut.segment).channel, line = larger(cut.segment.line(), 1);
    const int64_t room = most_laid_out<T> / larger(channel, 1); // channels, or samples
    const int64_t wanted = cut.segment.samples > 1 ? 1 : smaller(g.samples, larger(768 / line, 1)); // lines are short
    const int64_t regions = larger(smaller(wanted, room), 1);
    const int64_t most = smaller(room / regions, most_dots / (cut.row_taps * cut.column_taps));
    const int64_t blocks = divided_up(g.channels, larger(most, 1));
    const int64_t parts = parts_for(g.groups * blocks, team.size, divided_up(g.outputs, 4));
    const Span own = share(g.groups * blocks * parts, 1, team);
    for (int64_t item = own.begin; item < own.end && !team.leaving(); ++item) {
        const int64_t part = item % parts, block = item / parts % blocks, group = item / parts / blocks;
        const Span channels{g.channels * block / blocks, g.channels * (block + 1) / blocks};
        const Span outputs{g.outputs * part / parts, g.outputs * (part + 1) / parts};
        ChannelsGradient<T>(g, cut, regions, group, channels, outputs, laid_out).add_up(team);
    }
}

template <class T, int R> MAILLON_INLINE void sum_lines(const T* x, int64_t row, int64_t n, T* out) {
    Vec<T> sum[R * long_parts];
    for (Vec<T>& part : sum) part = Vec<T>{};
    int64_t i = 0;
    for (; i + long_lanes<T> <= n; i += long_lanes<T>)
#pragma GCC unroll 4
        for (int k = 0; k < long_parts; ++k)
#pragma GCC unroll 4
            for (int r = 0; r < R; ++r) sum[r * long_parts + k] += load(x + r * row + i + k * lanes<T>);
    for (int k = 0; i < n; i += lanes<T>, ++k)
        for (int r = 0; r < R; ++r) sum[r * long_parts + k] += load_up_to(x + r * row + i, n - i);
    alignas(64) T whole[R * long_lanes<T>];
    for (int k = 0; k < R * long_parts; ++k) store(whole + k * lanes<T>, sum[k]);
    T total[4];
    totals<T, R>(whole, total);
    for (int r = 0; r < R; ++r) out[r] += total[r];
}

// sums[c] (+)= Σ x[n, c, place] over samples and places.
template <class T>
void sums_of_channels(const T* x, int64_t samples, int64_t channels, int64_t places, T* sums, bool keep,
                      const Team& team) {
    const Span own = share(channels, 4, team);
    if (!keep) std::memset(sums + own.begin, 0, size_t(own.end - own.begin) * sizeof(T));
    for (int64_t s = 0; s < samples; ++s) {
        int64_t c = own.begin;
        for (; c + 4 <= own.end; c += 4) sum_lines<T, 4>(x + (s * channels + c) * places, places, places, sums + c);
        for (; c < own.end; ++c) sum_lines<T, 1>(x + (s * channels + c) * places, places, places, sums + c);
    }
}

} // namespace maillon::MAILLON_ISA::convolution
