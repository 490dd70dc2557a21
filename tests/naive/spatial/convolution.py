"""Convolution, windows and padding, place after place."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from maillon.typing import Array


def source(place: int, size: int, mode: str) -> int | None:
    """Where the value at a place beside the image comes from; None: from nowhere."""
    if 0 <= place < size:
        return place
    if mode == "reflect":
        return -place if place < 0 else 2 * (size - 1) - place
    if mode == "replicate":
        return 0 if place < 0 else size - 1
    return place % size if mode == "circular" else None


def value_at(channel: Array, place: tuple[int, ...], mode: str, otherwise: float = 0.0) -> float:
    found = [source(p, size, mode) for p, size in zip(place, channel.shape, strict=True)]
    return otherwise if None in found else float(channel[tuple(found)])


def places(sizes: Any) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, sizes))


def as_batch(dims: int, naive: Callable[[Any, Array], Array]) -> Callable[[Any, Array], Array]:
    """One sample without a batch is a batch of one."""

    def both(link: Any, x: Array) -> Array:
        return naive(link, x) if x.ndim == dims else naive(link, x[None])[0]

    return both


def geometry(link: Any, sizes: tuple[int, ...]) -> list[tuple[int, int, int, int, int]]:
    """(stride, dilation, padding before, kernel, size of the output) of each dimension."""
    found = []
    for i, size in enumerate(sizes):
        kernel, stride, dilation = link.kernel_size[i], link.stride[i], link.dilation[i]
        span = dilation * (kernel - 1)
        if link.padding == "same":
            found.append((stride, dilation, span // 2, kernel, size))
        else:
            padding = 0 if link.padding == "valid" else link.padding[i]
            found.append((stride, dilation, padding, kernel, (size + 2 * padding - span - 1) // stride + 1))
    return found


def _convolved(link: Any, x: Array) -> Array:
    weight = link.weight.data
    each = geometry(link, x.shape[2:])
    y = np.zeros((len(x), len(weight), *(e[4] for e in each)))
    for n, o, *place in places(y.shape):
        total = 0.0 if link.bias is None else float(link.bias.data[o])
        group = o // (len(weight) // link.groups)
        for c, *offset in places(weight.shape[1:]):
            at = tuple(p * e[0] + k * e[1] - e[2] for p, k, e in zip(place, offset, each, strict=True))
            channel = x[n, group * weight.shape[1] + c]
            total += float(weight[(o, c, *offset)]) * value_at(channel, at, link.padding_mode)
        y[(n, o, *place)] = total
    return y


def _transposed(link: Any, x: Array) -> Array:
    weight, groups = link.weight.data, link.groups
    sizes = []
    for i, size in enumerate(x.shape[2:]):
        span = link.dilation[i] * (link.kernel_size[i] - 1)
        sizes.append((size - 1) * link.stride[i] - 2 * link.padding[i] + span + link.output_padding[i] + 1)
    y = np.zeros((len(x), weight.shape[1] * groups, *sizes))
    if link.bias is not None:
        for o in range(y.shape[1]):
            y[:, o] = link.bias.data[o]
    for n, c, *place in places(x.shape):
        group = c // (len(weight) // groups)
        for o, *offset in places(weight.shape[1:]):
            at = [
                p * link.stride[i] + k * link.dilation[i] - link.padding[i]
                for i, (p, k) in enumerate(zip(place, offset, strict=True))
            ]
            if all(0 <= a < size for a, size in zip(at, sizes, strict=True)):
                y[(n, group * weight.shape[1] + o, *at)] += x[(n, c, *place)] * weight[(c, o, *offset)]
    return y


conv1d, conv2d = as_batch(3, _convolved), as_batch(4, _convolved)
transposed1d, transposed2d = as_batch(3, _transposed), as_batch(4, _transposed)


def padded(dims: int, mode: str, *sides: int, value: float = 0.0) -> Callable[[Any, Array], Array]:
    """sides: before and after, of the last dimension first. Cropping goes before going around."""
    pairs = [(sides[2 * i], sides[2 * i + 1]) for i in reversed(range(dims))]

    def naive(_link: Any, x: Array) -> Array:
        outer = [size + before + after for size, (before, after) in zip(x.shape[-dims:], pairs, strict=True)]
        y = np.zeros((*x.shape[:-dims], *outer))
        for index in places(y.shape):
            at = tuple(p - before for p, (before, _) in zip(index[-dims:], pairs, strict=True))
            y[index] = value_at(x[index[:-dims]], at, mode, value)
        return y

    return naive


def _windows(kernel: Any, stride: Any, padding: Any, dilation: Any, image: tuple[int, ...]) -> Iterator[Any]:
    """(row of the columns within a channel, column, place in the image) of all values of all windows."""
    counts = [
        (image[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(len(image))
    ]
    for row, offset in enumerate(places(kernel)):
        for column, window in enumerate(places(counts)):
            at = [window[i] * stride[i] + offset[i] * dilation[i] - padding[i] for i in range(len(image))]
            yield row, column, at


def unfolded(kernel: Any, stride: Any, padding: Any, dilation: Any, columns: int) -> Callable[[Any, Array], Array]:
    def naive(_link: Any, x: Array) -> Array:
        values = kernel[0] * kernel[1]
        y = np.zeros((len(x), x.shape[1] * values, columns))
        for n, c in places(x.shape[:2]):
            for row, column, at in _windows(kernel, stride, padding, dilation, x.shape[2:]):
                y[n, c * values + row, column] = value_at(x[n, c], tuple(at), "zeros")
        return y

    return as_batch(4, naive)


def folded(
    image: tuple[int, int], kernel: Any, stride: Any, padding: Any, dilation: Any
) -> Callable[[Any, Array], Array]:
    def naive(_link: Any, x: Array) -> Array:
        values = kernel[0] * kernel[1]
        y = np.zeros((len(x), x.shape[1] // values, *image))
        for n, c in places(y.shape[:2]):
            for row, column, (i, j) in _windows(kernel, stride, padding, dilation, image):
                if 0 <= i < image[0] and 0 <= j < image[1]:
                    y[n, c, i, j] += x[n, c * values + row, column]
        return y

    return as_batch(3, naive)
