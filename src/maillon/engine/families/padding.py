"""Padding, up-sampling, pixel shuffle: what takes each value from given places, with given weights.

All but the shuffles are one operation, `resample`, by tables of places and weights along each axis; its gradient is the
same operation by the transposed tables. The pools that take means use it too.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Value, lowers
from maillon.engine.table import Kind, declare
from maillon.nn.spatial import padding
from maillon.typing import Array

_BLOCKS = ("x: r blocks * factor * factor * height * width", "y: w blocks * factor * factor * height * width")

OPERATIONS = declare(
    Kind(
        "resample",
        "y[i, j] = Σ row weight · column weight · x[row place, column place] in each plane; fill where there are none",
        (
            "x: r planes * height * width",
            "row_starts: r int64 out_height + 1",
            "row_places: r int64 row_taps",
            "row_weights: r row_taps",
            "column_starts: r int64 out_width + 1",
            "column_places: r int64 column_taps",
            "column_weights: r column_taps",
            "fill?: r 1",
            "y: w planes * out_height * out_width",
        ),
        (
            "planes",
            "height",
            "width",
            "out_height",
            "out_width",
            "row_taps",
            "column_taps",
            "run_begin",
            "run_end",
            "run_from",
        ),
        flops="2 * planes * (row_taps * width + out_height * column_taps)",
        must=("run_begin <= run_end <= out_width", "run_from + run_end - run_begin <= width"),
        decides=True,
    ),
    Kind(
        "pixel_shuffle",
        "y[b, r h + i, r w + j] = x[b, i, j, h, w], r = factor",
        _BLOCKS,
        ("blocks", "factor", "height", "width"),
        work="5 * blocks * factor * factor * height * width",
    ),
    Kind(
        "pixel_unshuffle",
        "y[b, i, j, h, w] = x[b, r h + i, r w + j], r = factor",
        _BLOCKS,
        ("blocks", "factor", "height", "width"),
        work="5 * blocks * factor * factor * height * width",
    ),
)


class Axis:
    """What the outputs along an axis take of the inputs: output[t] takes weight[t] of input[t], for each t."""

    def __init__(self, inputs: int, outputs: int, input: Array, output: Array, weight: Array) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.input, self.output, self.weight = input, output, weight

    @classmethod
    def of_steps(cls, inputs: int, outputs: int, steps: Iterable[Sequence[Any]]) -> "Axis":
        """From (outputs, inputs) or (outputs, inputs, weights), each an index or array as `window_steps` has them."""
        parts, all_inputs, all_outputs = [], np.arange(inputs), np.arange(outputs)
        for outs, ins, *weights in steps:
            output = all_outputs[outs]
            weight = np.empty(output.shape)
            weight[...] = weights[0] if weights else 1.0
            parts.append((all_inputs[ins], output, weight))
        none = (np.zeros(0, np.int64),) * 3
        return cls(inputs, outputs, *map(np.concatenate, zip(*(parts or [none]), strict=True)))

    @classmethod
    def of_copies(cls, inputs: int, sources: Array) -> "Axis":
        """Each output is a copy of the input at its source; -1: of none."""
        (copied,) = np.nonzero(sources >= 0)
        return cls(inputs, len(sources), sources[copied], copied, np.ones(len(copied)))

    @classmethod
    def same(cls, size: int) -> "Axis":
        """Each output is its input."""
        return cls.of_copies(size, np.arange(size))

    @property
    def is_same(self) -> bool:
        return self.inputs == self.outputs and self.run == (0, self.inputs, 0) and len(self.input) == self.inputs

    def divided(self, by: Array) -> "Axis":
        """With weights divided by one number for each output."""
        return Axis(self.inputs, self.outputs, self.input, self.output, self.weight / by[self.output])

    @property
    def transposed(self) -> "Axis":
        return Axis(self.outputs, self.inputs, self.output, self.input, self.weight)

    @cached_property
    def table(self) -> tuple[Array, Array, Array]:
        """For each output where its taps begin, and of all taps the places and weights."""
        order = np.argsort(self.output, kind="stable")
        starts = np.searchsorted(self.output[order], np.arange(self.outputs + 1))
        return starts, self.input[order], self.weight[order]

    @cached_property
    def run(self) -> tuple[int, int, int]:
        """The most outputs side by side that are inputs side by side: from where to where, and the first input."""
        starts, places, weights = self.table
        (single,) = np.nonzero(np.diff(starts) == 1)
        copies = single[weights[starts[single]] == 1]
        if not len(copies):
            return 0, 0, 0
        sources = places[starts[copies]]
        broken = (np.diff(copies) != 1) | (np.diff(sources) != 1)
        begins = np.flatnonzero(np.append(True, broken))
        ends = np.append(begins[1:], len(copies))
        longest = np.argmax(ends - begins)
        begin, end = int(begins[longest]), int(ends[longest])
        return int(copies[begin]), int(copies[end - 1]) + 1, int(sources[begin])


def resampled(b: Builder, x: Value, axes: Sequence[Axis], fill: float = 0.0) -> Value:
    """The last one, two or three axes of x resampled."""
    outer = x.shape[: -len(axes)]
    if len(axes) == 3:
        depth, *axes = axes
        height, width = x.shape[-2:]
        flat = _resampled(b, x.reshaped((*outer, depth.inputs, height * width)), depth, Axis.same(height * width), fill)
        outer = (*outer, depth.outputs)
        x = flat.reshaped((*outer, height, width))
    down, across = axes if len(axes) == 2 else (Axis.same(1), axes[0])
    y = _resampled(b, x.reshaped((*outer, down.inputs, across.inputs)), down, across, fill)
    return y.reshaped((*outer, *(axis.outputs for axis in axes)))


def _resampled(b: Builder, x: Value, down: Axis, across: Axis, fill: float) -> Value:
    if down.is_same and across.is_same:
        return x
    planes = math.prod(x.shape[:-2])
    y = b.local("y", (*x.shape[:-2], down.outputs, across.outputs))
    filling = b.constant("fill", fill) if fill else None
    b.add("resample", x=x, y=y, fill=filling, planes=planes, **_tables(b, down, across))

    def backward(dy: Value) -> None:
        b.add("resample", x=dy, y=b.grad(x), planes=planes, **_tables(b, down.transposed, across.transposed))

    b.differentiate(backward, y, (x,))
    return y


def _tables(b: Builder, down: Axis, across: Axis) -> dict[str, Any]:
    begin, end, first = across.run
    fields: dict[str, Any] = {"height": down.inputs, "width": across.inputs}
    fields |= {"out_height": down.outputs, "out_width": across.outputs}
    fields |= {"run_begin": begin, "run_end": end, "run_from": first}
    for name, axis in (("row", down), ("column", across)):
        starts, places, weights = axis.table
        fields[f"{name}_starts"] = b.constant(f"{name} starts", starts, np.int64)
        fields[f"{name}_places"] = b.constant(f"{name} places", places, np.int64)
        fields[f"{name}_weights"] = b.constant(f"{name} weights", weights)
        fields[f"{name}_taps"] = len(places)
    return fields


def padded(b: Builder, x: Value, widths: padding.Widths, mode: str, value: float = 0.0) -> Value:
    """As `pad` of nn/spatial/padding.py."""
    axes = []
    for size, sides in zip(x.shape[-len(widths) :], widths, strict=True):
        axes.append(Axis.of_copies(size, padding.pad(np.arange(size), [sides], mode, -1)))
    return resampled(b, x, axes, value)


def require_real(b: Builder, link: Any, x: Value) -> None:
    """NotLoweredError for integers, which NumPy takes or refuses."""
    if not x.real:
        raise NotLoweredError(f"{b.at(link)} is given {x.buffer.dtype}")


@lowers(
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ZeroPad1d",
    "ZeroPad2d",
)
def pad(b: Builder, link: Any, x: Value) -> Value:
    require_real(b, link, x)
    link.require_shape(x.shape)
    return padded(b, x, link.widths, link.mode, link.value)


@lowers("Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d")
def upsample(b: Builder, link: "nn.Upsample", x: Value) -> Value:
    require_real(b, link, x)
    taps = link.taps(x.shape, b.dtype)
    axes = [Axis.of_steps(x.shape[axis], outputs, steps) for axis, (outputs, steps) in taps.items()]
    return resampled(b, x, axes)


@lowers("PixelShuffle")
def pixel_shuffle(b: Builder, link: "nn.PixelShuffle", x: Value) -> Value:
    factor = link.upscale_factor
    if len(x.shape) < 3 or x.shape[-3] % factor**2:
        raise NotLoweredError(f"{b.at(link)} does not take the shape {x.shape}")
    *batch, channels, height, width = x.shape
    shape = (*batch, channels // factor**2, height * factor, width * factor)
    return _moved(b, link, x, ("pixel_shuffle", "pixel_unshuffle"), shape, factor)


@lowers("PixelUnshuffle")
def pixel_unshuffle(b: Builder, link: "nn.PixelUnshuffle", x: Value) -> Value:
    factor = link.downscale_factor
    if len(x.shape) < 3 or x.shape[-2] % factor or x.shape[-1] % factor:
        raise NotLoweredError(f"{b.at(link)} does not take the shape {x.shape}")
    *batch, channels, height, width = x.shape
    shape = (*batch, channels * factor**2, height // factor, width // factor)
    return _moved(b, link, x, ("pixel_unshuffle", "pixel_shuffle"), shape, factor)


def _moved(b: Builder, link: Any, x: Value, kinds: tuple[str, str], shape: tuple[int, ...], factor: int) -> Value:
    """By the first kind of operation forward, by the second one back."""
    require_real(b, link, x)
    small = x.shape if kinds[0] == "pixel_shuffle" else shape
    sizes = {"blocks": math.prod(small[:-2]) // factor**2, "factor": factor, "height": small[-2], "width": small[-1]}
    y = b.local("y", shape)
    b.add(kinds[0], x=x, y=y, **sizes)

    def backward(dy: Value) -> None:
        b.add(kinds[1], x=dy, y=b.grad(x), **sizes)

    b.differentiate(backward, y, (x,))
    return y
