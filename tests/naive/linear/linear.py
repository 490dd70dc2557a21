"""Linear and Flatten, row after row."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.nn import Module
from maillon.typing import Array


def affine(x: Array, weight: list[list[float]], bias: list[float] | None) -> Array:
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1]).tolist()
    outputs = [
        [
            sum(w * v for w, v in zip(ws, row, strict=True)) + (0.0 if bias is None else bias[place])
            for place, ws in enumerate(weight)
        ]
        for row in rows
    ]
    return np.array(outputs).reshape(*x.shape[:-1], len(weight))


def linear(link: Any, x: Array) -> Array:
    return affine(x, link.weight.data.tolist(), None if link.bias is None else link.bias.data.tolist())


def flattened(*shape: int) -> Callable[[Module, Array], Array]:
    """The values one after the other, in the shape written down in the catalogue (-1: the batch)."""

    def naive(_link: Module, x: Array) -> Array:
        values = [x[index] for index in itertools.product(*map(range, x.shape))]
        return np.array(values).reshape(shape)

    return naive
