"""A function applied to one number, or to one list of numbers, after the other."""

import itertools
from collections.abc import Callable

import numpy as np

from maillon.nn import Module
from maillon.typing import Array


def by_value(function: Callable[[float], float]) -> Callable[[Module, Array], Array]:
    """A function applied to one number after the other."""

    def naive(_link: Module, x: Array) -> Array:
        return np.array([function(value) for value in x.ravel().tolist()]).reshape(x.shape)

    return naive


def same(_link: Module, x: Array) -> Array:
    return x


def along(axis: int, function: Callable[[list[float]], list[float]]) -> Callable[[Module, Array], Array]:
    """A function of the values along an axis, slice after slice."""

    def naive(_link: Module, x: Array) -> Array:
        if x.ndim == 0:
            return np.array(function([x.item()])[0])
        output = np.empty(x.shape)
        place = axis % x.ndim
        for index in itertools.product(*(range(n) for i, n in enumerate(x.shape) if i != place)):
            where = (*index[:place], slice(None), *index[place:])
            output[where] = function(x[where].tolist())
        return output

    return naive
