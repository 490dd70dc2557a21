"""Losses drawn as a small SVG, for notebooks: a few lines of text, no library."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 460, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 68, 12, 22, 40
_MOST_POINTS = 400
_DECADES = 100.0  # from this ratio on, losses are drawn on a logarithmic axis
_STROKES = (("#3987c5", ""), ("#d9692b", "6 3"))  # seen on white and on black


class _Axis(NamedTuple):
    """From values to places between 0 and 1."""

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, values: Sequence[float]) -> "_Axis":
        low, high = min(values), max(values)
        return cls(low, high, low > 0 and high >= _DECADES * low)

    def place(self, value: float) -> float:
        if self.high == self.low:
            return 0.5
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def curve_svg(series: Mapping[str, Sequence[float]], label: str) -> str:
    """Each series against the epochs, from 1 on, both axes labelled; "" where there are no two finite values.

    Values that are not finite are gaps.
    """
    finite = [value for values in series.values() for value in values if math.isfinite(value)]
    epochs = max((len(values) for values in series.values()), default=0)
    if epochs < 2 or len(finite) < 2:
        return ""
    axis = _Axis.of(finite)
    told = "; ".join(f"{name} from {_number(values[0])} to {_number(values[-1])}" for name, values in series.items())
    parts = [_frame(axis, epochs, label + " (logarithmic)" * axis.logarithmic)]
    for number, (name, values) in enumerate(series.items()):
        colour, dash = _STROKES[number % len(_STROKES)]
        stroke = f'fill="none" stroke="{colour}" stroke-width="1.8"' + f' stroke-dasharray="{dash}"' * bool(dash)
        parts += [f'<polyline points="{points}" {stroke}/>' for points in _lines(values, axis, epochs)]
        x = _LEFT + 110 * number
        parts.append(f'<line x1="{x}" y1="10" x2="{x + 22}" y2="10" {stroke}/>{_text(x + 28, 14, name)}')
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{escape(f"{label} over {epochs} epochs: {told}")}" '
        f'style="font:12px sans-serif;max-width:100%" fill="currentColor">{"".join(parts)}</svg>'
    )


def _frame(axis: _Axis, epochs: int, label: str) -> str:
    """The two axes, with their ends and names."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    lines = f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="currentColor" stroke-opacity="0.6"/>'
    middle = (_TOP + bottom) / 2
    ends = [(axis.low, bottom), (axis.high, _TOP + 8)] if axis.high > axis.low else [(axis.low, middle)]
    texts = [_text(_LEFT - 6, y, _number(value), "end") for value, y in ends]
    texts += [_text(_LEFT, bottom + 16, "1"), _text(right, bottom + 16, str(epochs), "end")]
    texts.append(_text((_LEFT + right) / 2, _HEIGHT - 8, "epoch", "middle"))
    texts.append(_text(14, middle, label, "middle", f' transform="rotate(-90 14 {middle:g})"'))
    return lines + "".join(texts)


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{more}>{escape(text)}</text>'


def _lines(values: Sequence[float], axis: _Axis, epochs: int) -> list[str]:
    """The points of each unbroken stretch; of many epochs, as many as can be seen."""
    every = max(1, math.ceil(len(values) / _MOST_POINTS))
    shown = sorted({*range(0, len(values), every), len(values) - 1})
    lines: list[list[str]] = [[]]
    for i in shown:
        if not math.isfinite(values[i]):
            lines.append([])
            continue
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * i / (epochs - 1)
        y = _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * axis.place(values[i])
        lines[-1].append(f"{x:.1f},{y:.1f}")
    return [" ".join(points) for points in lines if points]


def _number(value: float) -> str:
    return f"{value:.3g}"
