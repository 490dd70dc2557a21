"""Pools: the greatest or the mean of windows, of one size or adaptive."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from maillon import nn
from maillon.interop.c.links.spatial import pair, plane, rank_of
from maillon.interop.c.program import Program, RefusedError, Value, loop, nested, plus, times
from maillon.typing import Array

Spans = tuple[Array, Array]
"""Of each window the first place and the one after the last, both inside."""


def _sliding(link: Any, axis: int, size: int, count: int) -> tuple[Spans, int]:
    """The windows along an axis, and the step inside them."""
    kernel, stride, padding, dilation = _options(link, axis)
    start = np.arange(count) * stride - padding
    outside = np.maximum(0, -(start // dilation))  # so many steps of the window lie before the first place
    end = np.minimum(start + dilation * (kernel - 1) + 1, size)
    return (start + outside * dilation, end), dilation


def _options(link: Any, axis: int) -> tuple[int, int, int, int]:
    rank = rank_of(link)
    kernel, stride, padding, dilation = (
        pair(option, rank, alone)[axis]
        for option, alone in (
            (link.kernel_size, 1),
            (link.stride, 1),
            (link.padding, 0),
            (getattr(link, "dilation", 1), 1),
        )
    )
    return kernel, stride, padding, dilation


def _adaptive(_link: Any, _axis: int, size: int, count: int) -> tuple[Spans, int]:
    place = np.arange(count)
    return (place * size // count, -(-(place + 1) * size // count)), 1


def _bounds(p: Program, name: str, window: str, spans: Spans) -> tuple[str, str]:
    """C for both ends of a window: a formula where there is a simple one, else a table."""
    first, end = spans
    stride = int(first[1] - first[0]) if len(first) > 1 else 1
    length = int(end[0] - first[0])
    if np.array_equal(first, first[0] + stride * np.arange(len(first))) and (end - first == length).all():
        start = plus(times(window, stride) if len(first) > 1 else "0", int(first[0]))
        return start, plus(start, length)
    return f"{p.table(f'{name}_first', first)}[{window}]", f"{p.table(f'{name}_end', end)}[{window}]"


def _pool(greatest: bool, spans_of: Callable[..., tuple[Spans, int]]) -> Callable[..., Value]:
    def write(p: Program, link: Any, x: Value) -> Value:
        if getattr(link, "return_indices", False):
            raise RefusedError("places of maxima are not written in C. Leave return_indices out.")
        rank, y = rank_of(link), p.value(p.made.shape)
        sizes, counts = plane(x.shape, rank), plane(y.shape, rank)
        spans, steps = zip(*map(spans_of, [link] * 2, range(2), sizes, counts), strict=True)
        windows = ("i" if counts[0] > 1 else "0", "j" if counts[1] > 1 else "0")
        (top, bottom), (left, right) = (
            _bounds(p, name, window, each)
            for name, window, each in zip(("rows", "columns"), windows, spans, strict=True)
        )
        value = x.at(times("c", math.prod(sizes)), times("r", sizes[1]) if sizes[0] > 1 else 0, "k")
        update = (
            [f"const {p.real} v = {value};", "if (v > most || v != v) {", "most = v;", "}"]
            if greatest
            else [f"sum += {value};"]
        )
        result = "most" if greatest else f"sum{_share(p, link, sizes, spans)}"
        lines = [
            f"{p.real} most = {p.number(-math.inf)};" if greatest else f"{p.real} sum = {p.number(0)};",
            loop("r", bottom, top, steps[0]),
            loop("k", right, left, steps[1]),
            *update,
            "}",
            "}",
            f"{y.at(times('c', math.prod(counts)), times('i', counts[1]) if counts[0] > 1 else 0, 'j')} = {result};",
        ]
        p.step(nested([("c", x.size // math.prod(sizes)), ("i", counts[0]), ("j", counts[1])], lines), [x], [y])
        return y

    return write


def _share(p: Program, link: Any, sizes: tuple[int, int], spans: Sequence[Spans]) -> str:
    """C for the division of a sum: by one number for all windows, or by one for its row and one for its column."""
    divisors = [_counted(link, axis, sizes[axis], *each) for axis, each in enumerate(spans)]
    if getattr(link, "divisor_override", None) is not None:
        divisors = [np.array([link.divisor_override]), np.ones(1, int)]
    text, whole = "", 1
    for name, window, each in zip(("rows", "columns"), "ij", divisors, strict=True):
        if (each != each[0]).any():
            text += f" / {p.constant(f'{name}_count', each)}[{window}]"
        else:
            whole *= int(each[0])
    return text if whole == 1 else f"{text} / {p.number(whole)}"


def _counted(link: Any, axis: int, size: int, first: Array, end: Array) -> Array:
    """How many places of a window count: those inside, or with count_include_pad also those of the padding."""
    if not getattr(link, "count_include_pad", False):
        return end - first
    kernel, stride, padding, _ = _options(link, axis)
    return np.minimum(kernel, size + padding - (np.arange(len(first)) * stride - padding))


KNOWN: dict[type[nn.Module], Callable[..., Any]] = {
    nn.MaxPool1d: _pool(True, _sliding),
    nn.MaxPool2d: _pool(True, _sliding),
    nn.AvgPool1d: _pool(False, _sliding),
    nn.AvgPool2d: _pool(False, _sliding),
    nn.AdaptiveMaxPool1d: _pool(True, _adaptive),
    nn.AdaptiveMaxPool2d: _pool(True, _adaptive),
    nn.AdaptiveAvgPool1d: _pool(False, _adaptive),
    nn.AdaptiveAvgPool2d: _pool(False, _adaptive),
}
