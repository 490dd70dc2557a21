// Convolutions whose outputs see one channel each. An image is laid out once, and each row of outputs is a line.
#pragma once

#include "values.hpp"

namespace maillon::MAILLON_ISA::convolution {

template <class T> bool suits_planes(const Correlation<T>& c) {
    const AxisLines rows(c.h, false), columns(c.w, false);
    return c.channels == 1 && c.outputs <= 2 && !c.h.back && !c.w.back && c.h.taps * c.w.taps <= most_taps &&
           rows.size(1) * columns.size(narrow) <= most_laid_out<T>;
}

template <class T> void correlate_planes(const Correlation<T>& c, const Team& team) {
    if (c.y_plane() == 0) return;
    alignas(64) T laid_out[most_laid_out<T> + 3 * lanes<T>];
    TapOffsets taps[most_taps];
    const AxisLines rows(c.h, false), columns(c.w, false);
    Segment part{1, c.h.outputs, c.w.outputs};
    for (int64_t parts = 2; rows.size(1) * columns.size(part.columns) > most_laid_out<T>; ++parts)
        part.columns = divided_up(c.w.outputs, parts);
    for (int64_t parts = 2; rows.size(part.rows) * columns.size(part.columns) > most_laid_out<T>; ++parts)
        part.rows = divided_up(c.h.outputs, parts);
    const Layout layout(rows, columns, part);
    const int64_t count = taps_of<T>(layout, c.h, c.w, c.h.phase(0), c.w.phase(0), taps);
    const int64_t row_parts = divided_up(c.h.outputs, part.rows), column_parts = divided_up(c.w.outputs, part.columns);
    const Span own = share(c.samples * c.groups * row_parts * column_parts, 1, team);
    for (int64_t item = own.begin; item < own.end && !team.leaving(); ++item) {
        const int64_t column = item % column_parts * part.columns, row = item / column_parts % row_parts * part.rows;
        const int64_t plane = item / column_parts / row_parts, group = plane % c.groups;
        const int64_t height = smaller(part.rows, c.h.outputs - row);
        const int64_t width = smaller(part.columns, c.w.outputs - column);
        lay_out(layout, c.h, c.w, c.x + plane * c.x_plane(), 0, 1, row, column, laid_out);
        for (int64_t o = 0; o < c.outputs; ++o) {
            const int64_t at = (plane * c.outputs + o) * c.y_plane() + row * c.w.outputs + column;
            const T begin = c.bias != nullptr ? *c.bias_of(group, o) : T(0);
            plane_tiles<T>({laid_out, layout.row, c.weight_of(group, o), taps, count, c.y + at, c.w.outputs, 0, begin,
                            c.relu()},
                           height, width);
            if (c.finishes()) apply_epilogue(c.epilogue, c.y, at, c.w.outputs, height, width);
        }
    }
}

} // namespace maillon::MAILLON_ISA::convolution
