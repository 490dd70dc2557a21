"""The operations of convolution, pooling, padding and upsampling."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon.costs.counts import Count, Counts, Flops, nothing, size
from maillon.nn import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    CircularPad1d,
    CircularPad2d,
    ConstantPad1d,
    ConstantPad2d,
    Conv1d,
    Conv2d,
    ConvTranspose1d,
    ConvTranspose2d,
    Fold,
    MaxPool1d,
    MaxPool2d,
    MaxUnpool1d,
    MaxUnpool2d,
    PixelShuffle,
    PixelUnshuffle,
    ReflectionPad1d,
    ReflectionPad2d,
    ReplicationPad1d,
    ReplicationPad2d,
    Unfold,
    Upsample,
    UpsamplingBilinear2d,
    UpsamplingNearest2d,
    ZeroPad1d,
    ZeroPad2d,
)
from maillon.nn.spatial.window_steps import adaptive_bounds


def _convolution(transposed: bool) -> Count:
    """Each weight meets each window once: y, dx and dW are products of one size. A transposed one has x's windows."""

    def count(link: Any, inputs: tuple[Any, ...], output: Any) -> Flops:
        x, dims = inputs[0], len(link.kernel_size)
        windows = (x if transposed else output).shape[-dims:]
        batch = x.shape[0] if x.ndim == dims + 2 else 1
        product = 2 * batch * math.prod(windows) * math.prod(link.weight.shape)
        return Flops(product, product, product)

    return count


# Windows


def _kernel(link: Any, dims: int) -> int:
    given = link.kernel_size
    values = tuple(given) if isinstance(given, Sequence) else (given,)
    return math.prod(values * dims if len(values) == 1 else values)


def _greatest(output: Any) -> Any:
    """Without the indices."""
    return output[0] if isinstance(output, tuple) else output


def _seen(sizes: Sequence[int], counts: Sequence[int]) -> int:
    """The inputs in all windows of an adaptive pool together."""
    lengths = (np.subtract(*reversed(adaptive_bounds(n, m))) for n, m in zip(sizes, counts, strict=True))
    return math.prod(int(each.sum()) for each in lengths)


def _max_pool(dims: int) -> Count:
    """A comparison for each place of the window; back each dy is added to the greatest."""

    def count(link: Any, inputs: tuple[Any, ...], output: Any) -> Flops:
        y = _greatest(output)
        return Flops(_kernel(link, dims) * size(y), size(y))

    return count


def _avg_pool(dims: int) -> Count:
    """A sum for each place of the window and a quotient; back the same."""

    def count(link: Any, inputs: tuple[Any, ...], output: Any) -> Flops:
        n = (_kernel(link, dims) + 1) * size(output)
        return Flops(n, n)

    return count


def _adaptive(dims: int, mean: bool) -> Count:
    """As the other pools, over windows of about one size."""

    def count(link: Any, inputs: tuple[Any, ...], output: Any) -> Flops:
        y = _greatest(output)
        maps = math.prod(y.shape[:-dims])
        seen = maps * _seen(inputs[0].shape[-dims:], y.shape[-dims:])
        return Flops(seen + size(y), seen + size(y)) if mean else Flops(seen, size(y))

    return count


# Copies


def _copied(link: Any, inputs: tuple[Any, ...], output: Any) -> Flops:
    """Borders of copies: going back each is added to the value that it is a copy of."""
    return Flops(0, max(0, size(output) - size(inputs[0])))


def _unfold(link: Unfold, inputs: tuple[Any, ...], output: Any) -> Flops:
    return Flops(0, size(output))


def _fold(link: Fold, inputs: tuple[Any, ...], output: Any) -> Flops:
    return Flops(size(inputs[0]))


_TAPS = {"linear": 2, "bilinear": 2, "trilinear": 2, "bicubic": 4}


def _upsample(link: Upsample, inputs: tuple[Any, ...], output: Any) -> Flops:
    """Along one axis after the other each output weighs its neighbours; the nearest value is a copy."""
    sizes, wanted = inputs[0].shape, output.shape
    if link.mode == "area":
        seen = math.prod(sizes[:2]) * _seen(sizes[2:], wanted[2:])
        return Flops(seen + size(output), seen + size(output))
    if link.mode not in _TAPS:
        return Flops(0, size(output))
    passes = (math.prod((*wanted[:axis], *sizes[axis:])) for axis in range(3, len(sizes) + 1))
    total = 2 * _TAPS[link.mode] * sum(passes)
    return Flops(total, total)


SPATIAL: Counts = {
    Conv1d: _convolution(transposed=False),
    Conv2d: _convolution(transposed=False),
    ConvTranspose1d: _convolution(transposed=True),
    ConvTranspose2d: _convolution(transposed=True),
    MaxPool1d: _max_pool(1),
    MaxPool2d: _max_pool(2),
    AvgPool1d: _avg_pool(1),
    AvgPool2d: _avg_pool(2),
    AdaptiveAvgPool1d: _adaptive(1, mean=True),
    AdaptiveAvgPool2d: _adaptive(2, mean=True),
    AdaptiveMaxPool1d: _adaptive(1, mean=False),
    AdaptiveMaxPool2d: _adaptive(2, mean=False),
    MaxUnpool1d: nothing,
    MaxUnpool2d: nothing,
    Upsample: _upsample,
    UpsamplingNearest2d: _upsample,
    UpsamplingBilinear2d: _upsample,
    Unfold: _unfold,
    Fold: _fold,
    PixelShuffle: nothing,
    PixelUnshuffle: nothing,
    ConstantPad1d: nothing,
    ConstantPad2d: nothing,
    ZeroPad1d: nothing,
    ZeroPad2d: nothing,
    ReflectionPad1d: _copied,
    ReflectionPad2d: _copied,
    ReplicationPad1d: _copied,
    ReplicationPad2d: _copied,
    CircularPad1d: _copied,
    CircularPad2d: _copied,
}
