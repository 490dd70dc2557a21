"""Pools, one output and one input of its window after the other."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from maillon.typing import Array

Place = tuple[int, ...]
Window = list[Place]
"""The places of x that an output sees, those beyond the border as well."""


def both(value: Any, rank: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,) * rank


def sliding(rank: int) -> Callable[[Any, Place], dict[Place, Window]]:
    """The window of every output: windows that begin in x or before it and, without ceil_mode, end in the padding."""

    def windows(link: Any, sizes: Place) -> dict[Place, Window]:
        names = ("kernel_size", "stride", "padding", "dilation")
        kernel, stride, padding, dilation = (both(getattr(link, name), rank) for name in names)
        axes = []
        for i, size in enumerate(sizes):
            axis = []
            for start in itertools.count(-padding[i], stride[i]):
                places = [start + k * dilation[i] for k in range(kernel[i])]
                fits = places[-1] < size + padding[i]
                reaches = link.ceil_mode and start < size and places[-1] - stride[i] < size + padding[i] - 1
                if not (fits or reaches):
                    break
                axis.append(places)
            axes.append(axis)
        return crossed(axes)

    return windows


def crossed(axes: list[list[list[int]]]) -> dict[Place, Window]:
    """The windows of an image, from those along each of its axes."""
    outputs = itertools.product(*(range(len(axis)) for axis in axes))
    return {
        output: list(itertools.product(*(axis[i] for axis, i in zip(axes, output, strict=True)))) for output in outputs
    }


def adaptive(link: Any, sizes: Place) -> dict[Place, Window]:
    axes = []
    for size, wanted in zip(sizes, both(link.output_size, len(sizes)), strict=True):
        count = size if wanted is None else wanted
        bounds = [(math.floor(i * size / count), math.ceil((i + 1) * size / count)) for i in range(count)]
        axes.append([list(range(*bound)) for bound in bounds])
    return crossed(axes)


def pooled(
    x: Array, rank: int, windows: dict[Place, Window], value: Callable[[Array, Window], Any], dtype: Any = float
) -> Array:
    """A value of each window in each channel."""
    outputs = tuple(max(places) + 1 for places in zip(*windows, strict=True))
    y = np.zeros((*x.shape[:-rank], *outputs), dtype)
    for channel in np.ndindex(x.shape[:-rank]):
        for output, window in windows.items():
            y[(*channel, *output)] = value(x[channel], window)
    return y


def existing(image: Array, window: Window) -> Window:
    return [place for place in window if all(0 <= i < n for i, n in zip(place, image.shape, strict=True))]


def greatest(rank: int, windows: Any) -> Callable[[Any, Array], Any]:
    def flat(image: Array, window: Window) -> int:
        place = max(existing(image, window), key=lambda place: float(image[place]))
        return int(sum(i * math.prod(image.shape[axis + 1 :]) for axis, i in enumerate(place)))

    def naive(link: Any, x: Array) -> Any:
        places = pooled(x, rank, windows(link, x.shape[-rank:]), flat, np.int64)
        y = np.zeros(places.shape)
        for index in np.ndindex(places.shape):
            y[index] = x[index[:-rank]].ravel()[places[index]]
        return (y, places) if link.return_indices else y

    return naive


def mean(rank: int, windows: Any) -> Callable[[Any, Array], Array]:
    def naive(link: Any, x: Array) -> Array:
        padding = both(getattr(link, "padding", 0), rank)

        def value(image: Array, window: Window) -> float:
            inside = existing(image, window)
            counted = inside
            if getattr(link, "count_include_pad", False):
                border = [n + p for n, p in zip(image.shape, padding, strict=True)]
                counted = [place for place in window if all(i < end for i, end in zip(place, border, strict=True))]
            total = sum(float(image[place]) for place in inside)
            return total / (getattr(link, "divisor_override", None) or len(counted))

        return pooled(x, rank, windows(link, x.shape[-rank:]), value)

    return naive


def unpooled(*sizes: int) -> Callable[[Any, Array, Array], Array]:
    """Every value in its place of images of these sizes."""

    def naive(_link: Any, x: Array, indices: Array) -> Array:
        rank = len(sizes)
        y = np.zeros((*x.shape[:-rank], *sizes))
        for index in np.ndindex(x.shape):
            y[(*index[:-rank], *_unravelled(int(indices[index]), sizes))] = x[index]
        return y

    return naive


def _unravelled(flat: int, sizes: tuple[int, ...]) -> Iterator[int]:
    for axis in range(len(sizes)):
        yield flat // math.prod(sizes[axis + 1 :]) % sizes[axis]
