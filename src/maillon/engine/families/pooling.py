"""Pooling: the greatest or the mean of each window, and MaxUnpool."""

import math
from typing import Any

import numpy as np

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Tree, Value, lowers
from maillon.engine.families.padding import Axis, require_real, resampled
from maillon.engine.table import Kind, declare
from maillon.nn.spatial.pooling import Axes, require_image_shape

_INPUTS, _OUTPUTS = "planes * height * width", "planes * out_height * out_width"
_OPTIONS = ("kernel", "stride", "padding", "dilation")
_SIZES = (
    "planes",
    "height",
    "width",
    "out_height",
    "out_width",
    "kernel_h",
    "kernel_w",
    "stride_h>0",
    "stride_w>0",
    "padding_h",
    "padding_w",
    "dilation_h>0",
    "dilation_w>0",
)
_MUST = (
    "height * width < 2**31",  # a place has the width of a float
    "max(height, width, out_height, out_width) < 2**31",
    *(
        condition
        for size, at in (("height", "h"), ("width", "w"))
        for condition in (
            f"kernel_{at} == 0 or 2 * padding_{at} <= kernel_{at}",
            f"kernel_{at} == 0 or (out_{size} - 1) * stride_{at} < {size} + padding_{at}",
            f"kernel_{at} == 0 or (kernel_{at} - 1) * dilation_{at} < {size} + 2 * padding_{at} + stride_{at}",
        )
    ),
)

OPERATIONS = declare(
    Kind(
        "max_pool",
        "y = the greatest x of each window, places = where it was. A kernel of 0: windows of about one size",
        (f"x: r {_INPUTS}", f"y: w {_OUTPUTS}", f"places?: w {_OUTPUTS}", f"indices?: w int64 {_OUTPUTS}"),
        _SIZES,
        flops=f"max({_INPUTS}, {_OUTPUTS} * kernel_h * kernel_w)",
        must=(*_MUST, "places or not indices"),
    ),
    Kind(
        "max_pool_grad",
        "dx = Σ dy over the windows whose greatest was there",
        (f"dy: r {_OUTPUTS}", f"places: r {_OUTPUTS}", f"dx: w {_INPUTS}"),
        _SIZES,
        flops=_OUTPUTS,
        work=f"5 * {_OUTPUTS} + {_INPUTS}",
        must=_MUST,
    ),
    Kind(
        "max_unpool",
        "y[indices] = x, 0 elsewhere, in each plane",
        ("x: r planes * values", "indices: r int64 planes * values", "y: w planes * places"),
        ("planes", "values", "places"),
        work="planes * (5 * values + places)",
        decides=True,
    ),
    Kind(
        "max_unpool_grad",
        "dx = dy[indices] in each plane",
        ("dy: r planes * places", "indices: r int64 planes * values", "dx: w planes * values"),
        ("planes", "values", "places"),
        work="5 * planes * values",
    ),
)


def _rank(link: Any) -> int:
    return 1 if type(link).__name__.endswith("1d") else 2


def _images(b: Builder, link: Any, x: Value) -> tuple[int, ...]:
    """The sizes of the signals or images in x."""
    require_real(b, link, x)
    require_image_shape(link, "x", x.shape, _rank(link))
    return x.shape[-_rank(link) :]


@lowers("AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "MaxPool1d", "MaxPool2d")
def max_pool(b: Builder, link: Any, x: Value) -> Tree:
    sizes = _images(b, link, x)
    axes: Axes = link.required_axes(sizes)
    outputs = tuple(count for _, count in axes)
    shape = (*x.shape[: -len(sizes)], *outputs)
    own: dict[str, int] = {"planes": math.prod(x.shape[: -len(sizes)])}
    options = _windows(link, sizes, outputs)
    for at, size, count, each in zip("hw"[-len(sizes) :], sizes, outputs, options, strict=True):
        name = {"h": "height", "w": "width"}[at]
        own |= {name: size, f"out_{name}": count} | {f"{k}_{at}": n for k, n in zip(_OPTIONS, each, strict=True)}
    if len(sizes) == 1:
        own |= {"height": 1, "out_height": 1, "kernel_h": 1, "stride_h": 1, "dilation_h": 1}
    y = b.local("y", shape)
    indices = b.local("indices", shape, np.int64) if link.return_indices else None
    places = b.local("places", shape) if b.wants(x) or indices is not None else None
    b.add("max_pool", x=x, y=y, places=places, indices=indices, **own)

    def backward(dy: Value, _: None = None) -> None:
        b.add("max_pool_grad", dy=dy, places=places, dx=b.grad(x), **own)

    output = y if indices is None else (y, indices)
    b.differentiate(backward, output, (x,))
    return output


def _windows(link: Any, sizes: tuple[int, ...], outputs: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Kernel, stride, padding and dilation along each axis."""
    if not isinstance(link, nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d):
        given: list[tuple[int, ...]] = link.geometry()
        return given
    return [
        (size // count, size // count, 0, 1) if count and size % count == 0 else (0, 1, 0, 1)
        for size, count in zip(sizes, outputs, strict=True)
    ]


@lowers("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d")
def avg_pool(b: Builder, link: Any, x: Value) -> Value:
    sizes = _images(b, link, x)
    windows: Axes = link.axes(sizes)
    outputs = tuple(count for _, count in windows)
    axes = [Axis.of_steps(size, count, steps) for size, (steps, count) in zip(sizes, windows, strict=True)]
    if 0 not in outputs:  # a divisor for each output: one for its row, times one for its column
        divisor = np.broadcast_to(link.divisor(sizes, windows), outputs).astype(np.float64)
        of_columns = divisor[(0,) * (len(sizes) - 1)]
        axes[-1] = axes[-1].divided(of_columns)
        if len(sizes) == 2:
            axes[0] = axes[0].divided(divisor[:, 0] / of_columns[0])
    return resampled(b, x, axes)


@lowers("MaxUnpool1d", "MaxUnpool2d")
def max_unpool(b: Builder, link: Any, x: Value, indices: Value, output_size: Any = None) -> Value:
    pooled = _images(b, link, x)
    if indices.buffer.dtype != np.int64 or indices.shape != x.shape or output_size is not None:
        raise NotLoweredError(f"{b.at(link)} is given {x.shape}, indices {indices.shape}, {output_size}")
    sizes = link.sizes(pooled, None)
    outer = x.shape[: -len(pooled)]
    own = {"planes": math.prod(outer), "values": math.prod(pooled), "places": math.prod(sizes)}
    y = b.local("y", (*outer, *sizes))
    b.add("max_unpool", x=x, indices=indices, y=y, **own)

    def backward(dy: Value) -> None:
        b.add("max_unpool_grad", dy=dy, indices=indices, dx=b.grad(x), **own)

    b.differentiate(backward, y, (x,))
    return y
