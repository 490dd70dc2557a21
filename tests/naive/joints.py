"""Links that join inputs and walk several ways, value by value."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.typing import Array
from naive.values import same

Formula = Callable[..., Any]


def chain(*links: Formula) -> Formula:
    """The naive formulas of a Sequential's links, one after the other."""

    def naive(network: Any, x: Array) -> Array:
        for link, formula in zip(network, links, strict=True):
            x = formula(link, x)
        return x

    return naive


def value_by_value(function: Callable[[list[float]], float]) -> Formula:
    """A function of the values that several inputs have at one place."""

    def formula(_link: Any, *inputs: Any) -> Array:
        parts = inputs[0] if isinstance(inputs[0], tuple) else inputs
        values = [function(list(column)) for column in zip(*(x.ravel().tolist() for x in parts), strict=True)]
        return np.array(values).reshape(parts[0].shape)

    return formula


add = value_by_value(sum)
multiply = value_by_value(math.prod)


def weighted_sum(link: Any, *inputs: Any) -> Array:
    def of_one_place(values: list[float]) -> float:
        return math.fsum(weight * value for weight, value in zip(link.weights, values, strict=True))

    return value_by_value(of_one_place)(link, *inputs)


def concat(axis: int) -> Formula:
    """Nested lists joined at a depth."""

    def joined(parts: list[Any], depth: int) -> list[Any]:
        if depth == 0:
            return [value for part in parts for value in part]
        return [joined(list(column), depth - 1) for column in zip(*parts, strict=True)]

    def formula(_link: Any, *inputs: Any) -> Array:
        parts = inputs[0] if isinstance(inputs[0], tuple) else inputs
        shape = list(parts[0].shape)
        shape[axis] = sum(x.shape[axis] for x in parts)
        return np.array(joined([x.tolist() for x in parts], axis % len(shape))).reshape(shape)

    return formula


def residual(link: Formula, shortcut: Formula = same) -> Formula:
    return lambda made, x: add(None, link(made.link, x), shortcut(made.shortcut, x))


def parallel(*links: Formula) -> Formula:
    """Each link with its own input, or all with one."""

    def formula(made: Any, *inputs: Any) -> tuple[Any, ...]:
        several = inputs if len(inputs) == len(links) else inputs * len(links)
        return tuple(each(link, x) for each, link, x in zip(links, made, several, strict=True))

    return formula
