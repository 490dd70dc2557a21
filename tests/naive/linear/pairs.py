"""Bilinear forms, cosines and distances, one vector after the other."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from maillon.typing import Array


def bilinear(link: Any, x1: Array, x2: Array) -> Array:
    weight = link.weight.data.tolist()
    rows = zip(x1.reshape(-1, x1.shape[-1]).tolist(), x2.reshape(-1, x2.shape[-1]).tolist(), strict=True)
    y = [
        [
            sum(a * w[i][j] * b for i, a in enumerate(one) for j, b in enumerate(other))
            + (0.0 if link.bias is None else float(link.bias.data[k]))
            for k, w in enumerate(weight)
        ]
        for one, other in rows
    ]
    return np.array(y).reshape(*x1.shape[:-1], len(weight))


def _vectors(x1: Array, x2: Array, dim: int) -> tuple[tuple[int, ...], Iterator[tuple[list[float], list[float]]]]:
    one, other = (np.moveaxis(x, dim, -1) for x in np.broadcast_arrays(x1, x2))
    return one.shape[:-1], ((one[index].tolist(), other[index].tolist()) for index in np.ndindex(one.shape[:-1]))


def by_vectors(function: Callable[[Any, list[float], list[float]], float]) -> Callable[[Any, Array, Array], Array]:
    """A function of two vectors, for each pair along the link's dim, or the last one."""

    def naive(link: Any, x1: Array, x2: Array) -> Array:
        shape, pairs = _vectors(x1, x2, getattr(link, "dim", -1))
        y = np.array([function(link, *pair) for pair in pairs]).reshape(shape)
        return y[..., None] if getattr(link, "keepdim", False) else y

    return naive


def _cosine(link: Any, a: list[float], b: list[float]) -> float:
    lengths = [max(math.sqrt(sum(value**2 for value in vector)), link.eps) for vector in (a, b)]
    return sum(one * other for one, other in zip(a, b, strict=True)) / (lengths[0] * lengths[1])


def _distance(link: Any, a: list[float], b: list[float]) -> float:
    sizes = [abs(one - other + link.eps) for one, other in zip(a, b, strict=True)]
    if math.isinf(link.p):
        return max(sizes)
    return math.fsum(size**link.p for size in sizes) ** (1 / link.p)


cosine, distance = by_vectors(_cosine), by_vectors(_distance)
