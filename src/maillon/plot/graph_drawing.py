"""A picture of a network on axes: its boxes, frames and arrows, and the numbers of one sample."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from maillon.plot.graph import (
    APART,
    BESIDE,
    JOINT,
    LINE,
    MARGIN,
    POINTS,
    WIDEST,
    WIDTH,
    Box,
    Frame,
    Picture,
    Way,
    columns,
    size,
)
from maillon.plot.layers import Point
from maillon.plot.style import Look, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(ax: Axes, made: Picture, scale: float) -> None:
    """The picture on axes of its natural size in inches; scale: how large an inch of it is on the figure."""
    width, height = size(made)
    left, colours = (width - made.width) / 2, look(ax)

    def at(point: Point) -> Point:
        return left + point[0], height - MARGIN - point[1]

    for frame in made.frames:
        _draw_frame(ax, frame, at, colours, scale)
    for way in made.ways:
        _draw_way(ax, way, at, colours, scale, both=made.backward)
    for box in made.boxes:
        if box.kind == "flow":
            _draw_flow(ax, box, at, colours, scale)
        else:
            _draw_box(ax, box, at, colours, scale)
    size_ = scale * (POINTS - 0.5)
    if made.backward:
        ax.text(
            width / 2 - 0.1, 0.26, "→ forward: values", ha="right", va="center", fontsize=size_, color=colours.forward
        )
        text = "← backward: gradients"
        ax.text(width / 2 + 0.1, 0.26, text, ha="left", va="center", fontsize=size_, color=colours.backward)
        return
    text = "→ forward: values" + "        ← backward: gradients, along the same ways" * (not made.numbers)
    ax.text(width / 2, 0.26, text, ha="center", va="center", fontsize=size_, color=colours.note)


def _draw_frame(ax: Axes, frame: Frame, at: Any, colours: Look, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = at(frame.corner)
    style = "round,pad=0,rounding_size=0.08"
    ax.add_patch(
        FancyBboxPatch(
            (x, y - frame.height), frame.width, frame.height, boxstyle=style, facecolor="none",
            edgecolor=colours.frame, linestyle=(0, (4, 2)), linewidth=0.9 * scale,
        )
    )  # fmt: skip
    room = max(4, int((frame.width / 2 - 0.2) / 0.062))
    title = frame.title if len(frame.title) <= room else frame.title[: room - 1] + "…"
    ax.text(x + 0.09, y - 0.13, title, ha="left", va="center", fontsize=scale * (POINTS - 0.5), color=colours.note)


def _draw_way(ax: Axes, way: Way, at: Any, colours: Look, scale: float, both: bool) -> None:
    """An arrow, or a pair of them: the value goes forward, beside it the gradient comes back."""
    points = [at(point) for point in way.points]
    apart = APART if both else 0.0
    _draw_arrow(ax, [(x - apart, y) for x, y in points], colours.forward, scale, head=way.head)
    if both:
        _draw_arrow(ax, [(x + apart, y) for x, y in reversed(points)], colours.backward, scale, head=way.tail)
    if way.label:
        x, y = points[-1]
        size_ = scale * (POINTS - 1)
        place = x + apart + 0.06, y + 0.12
        ax.text(*place, way.label, ha="left", va="center", fontsize=size_, color=colours.forward)


def _draw_arrow(ax: Axes, points: list[Point], colour: str, scale: float, head: bool) -> None:
    """Upright pieces, and between them curves that leave and arrive upright."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    codes, corners = [Path.MOVETO], [points[0]]
    for start, end in pairwise(points):
        if abs(start[0] - end[0]) < 1e-9:
            codes.append(Path.LINETO)
            corners.append(end)
        else:
            middle = (start[1] + end[1]) / 2
            codes += [Path.CURVE4] * 3
            corners += [(start[0], middle), (end[0], middle), end]
    style = "-|>,head_width=2.4,head_length=4.2" if head else "-"
    ax.add_patch(
        FancyArrowPatch(
            path=Path(corners, codes), arrowstyle=style, mutation_scale=scale, color=colour,
            linewidth=1.2 * scale, shrinkA=0, shrinkB=0, joinstyle="round",
        )
    )  # fmt: skip


def _draw_flow(ax: Axes, box: Box, at: Any, colours: Look, scale: float) -> None:
    """The numbers at an arrow: values to its left, gradients to its right."""
    x, y = at(box.corner)
    middle = x + box.width / 2
    for kind, side, colour in (("forward", -1, colours.forward), ("backward", 1, colours.backward)):
        told = [text for text, of in box.lines if of == kind]
        room = (box.height - LINE * len(told)) / 2
        for number, text in enumerate(told):
            place = middle + side * BESIDE, y - room - LINE * (number + 0.5)
            ha = "right" if side < 0 else "left"
            ax.text(
                *place, text, ha=ha, va="center", family="monospace", fontsize=scale * (POINTS - 1), color=colour,
                parse_math=False,
            )  # fmt: skip


def _draw_table(ax: Axes, box: Box, at: Any, colours: Look, scale: float) -> None:
    """The parameters of a link, below its other lines: their values, and their gradients beside them."""
    x, y = at(box.corner)
    *starts, end = columns(box.table)
    left = x + (box.width - end) / 2
    top = y - (box.height - LINE * (len(box.lines) + len(box.table))) / 2 - LINE * len(box.lines)
    for number, line in enumerate(box.table):
        for start, text, colour in zip(starts, line, (colours.note, colours.forward, colours.backward), strict=True):
            ax.text(
                left + start, top - LINE * (number + 0.5), text, ha="left", va="center", family="monospace",
                fontsize=scale * (POINTS - 1), color=colours.note if not number else colour, parse_math=False,
            )  # fmt: skip


def _draw_box(ax: Axes, box: Box, at: Any, colours: Look, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = at(box.corner)
    if box.kind != "port":
        face, edge = colours.boxes[box.kind]
        rounding = box.height / 2 if box.kind == "joint" else 0.06
        style = f"round,pad=0,rounding_size={rounding}"
        corner = (x, y - box.height)
        ax.add_patch(
            FancyBboxPatch(
                corner, box.width, box.height, boxstyle=style, facecolor=face, edgecolor=edge, linewidth=scale
            )
        )
    room = (box.height - LINE * (len(box.lines) + len(box.table))) / 2
    for number, (text, kind) in enumerate(box.lines):
        if not text:
            continue
        middle = y - room - LINE * (number + 0.5)
        family = "monospace" if kind == "code" else "sans-serif"
        letters = WIDEST if box.kind != "joint" else WIDEST * JOINT / WIDTH
        points = scale * min(POINTS, POINTS * letters / len(text) * (0.95 if kind == "code" else 1.1))
        colour = {"shape": colours.forward, "note": colours.note}.get(kind, colours.text)
        weight = "bold" if kind in {"name", "joint"} else "normal"
        ax.text(
            x + box.width / 2, middle, text, ha="center", va="center", family=family, fontsize=points, color=colour,
            fontweight=weight,
        )  # fmt: skip
    if box.table:
        _draw_table(ax, box, at, colours, scale)
