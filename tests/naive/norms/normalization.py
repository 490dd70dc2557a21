"""Normalisation, written as statements about lists of numbers."""

import itertools
import math
import statistics
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from maillon.typing import Array

Index = tuple[int, ...]


def indices(shape: Index) -> Iterable[Index]:
    return itertools.product(*map(range, shape))


def normal(slice_of: Callable[[Any, Index], Any], channel_of: Callable[[Any, Index], Any], centred: bool = True) -> Any:
    """Each value, minus the mean of its slice, by the standard deviation of its slice, scaled and shifted."""

    def naive(link: Any, x: Array) -> Array:
        slices: dict[Any, list[float]] = {}
        for index in indices(x.shape):
            slices.setdefault(slice_of(link, index), []).append(float(x[index]))
        eps = np.finfo(x.dtype).eps if link.eps is None else link.eps
        moments = {}
        for key, values in slices.items():
            centre = statistics.fmean(values) if centred else 0.0
            moments[key] = centre, statistics.fmean((value - centre) ** 2 for value in values)
        y = np.empty(x.shape)
        for index in indices(x.shape):
            centre, variance = moments[slice_of(link, index)]
            if not link.training and getattr(link, "running_mean", None) is not None:
                channel = channel_of(link, index)
                centre, variance = float(link.running_mean[channel]), float(link.running_var[channel])
            y[index] = (float(x[index]) - centre) / math.sqrt(variance + eps)
            if link.weight is not None:
                y[index] *= float(link.weight.data[channel_of(link, index)])
            if getattr(link, "bias", None) is not None:
                y[index] += float(link.bias.data[channel_of(link, index)])
        return y

    return naive


def _outer(link: Any, index: Index) -> Index:
    return index[: -len(link.normalized_shape)]


def _inner(link: Any, index: Index) -> Index:
    return index[-len(link.normalized_shape) :]


def _group(link: Any, index: Index) -> Index:
    return index[0], index[1] // (link.num_channels // link.num_groups)


layer = normal(_outer, _inner)
root_mean_square = normal(_outer, _inner, centred=False)
group = normal(_group, lambda _link, index: index[1])
batch = normal(lambda _link, index: index[1], lambda _link, index: index[1])
instance = normal(lambda _link, index: index[:2], lambda _link, index: index[1])
one_instance = normal(lambda _link, index: index[0], lambda _link, index: index[0])


def local_response(link: Any, x: Array) -> Array:
    y = np.empty(x.shape)
    for index in indices(x.shape):
        window = range(index[1] - link.size // 2, index[1] + (link.size - 1) // 2 + 1)
        squares = [float(x[index[0], c, *index[2:]]) ** 2 for c in window if 0 <= c < x.shape[1]]
        y[index] = float(x[index]) / (link.k + link.alpha * sum(squares) / link.size) ** link.beta
    return y
