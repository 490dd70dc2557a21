"""The activations once more, one Python number after the other, from their papers' formulas."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.nn import Module
from maillon.typing import Array
from naive.values import by_value

Formula = Callable[[Module, Array], Array]


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def leaky(slope: float) -> Callable[[Module, Array], Array]:
    return by_value(lambda x: x if x > 0 else slope * x)


def softmax(values: list[float]) -> list[float]:
    return [1 / sum(math.exp(other - value) for other in values) for value in values]


def log_softmax(values: list[float]) -> list[float]:
    return [-math.log(sum(math.exp(other - value) for other in values)) for value in values]


TANH, SIGMOID, RELU = by_value(math.tanh), by_value(logistic), by_value(lambda x: max(x, 0.0))


def elu(alpha: float) -> Formula:
    return by_value(lambda x: x if x > 0 else alpha * (math.exp(x) - 1))


def celu(alpha: float) -> Formula:
    return by_value(lambda x: max(0.0, x) + min(0.0, alpha * (math.exp(x / alpha) - 1)))


def selu(x: float) -> float:
    """With the two numbers that keep mean 0 and variance 1, as the paper's equation 14 gives them."""
    half, whole = math.erfc(math.sqrt(0.5)) * math.exp(0.5), math.erfc(math.sqrt(2)) * math.exp(2)
    alpha = math.sqrt(2 / math.pi) / (1 - half)
    under = 2 * whole + math.pi * half**2 - 2 * (2 + math.pi) * half + math.pi + 2
    scale = (1 - half) * math.sqrt(2 * math.pi / under)
    return scale * (x if x > 0 else alpha * (math.exp(x) - 1))


def gelu(x: float) -> float:
    return x * math.erfc(-x / math.sqrt(2)) / 2


def gelu_tanh(x: float) -> float:
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x: float) -> float:
    return x * logistic(x)


def mish(x: float) -> float:
    power = (1 + math.exp(x)) ** 2  # tanh(log v) = (v² − 1) / (v² + 1)
    return x * (power - 1) / (power + 1)


def softplus(beta: float, threshold: float) -> Formula:
    return by_value(lambda x: x if beta * x > threshold else math.log(1 + math.exp(beta * x)) / beta)


def log_sigmoid(x: float) -> float:
    return math.log(logistic(x))


def clamped(least: float, most: float) -> Formula:
    return by_value(lambda x: sorted([least, x, most])[1])


def hard_sigmoid(x: float) -> float:
    return 0.0 if x < -3 else 1.0 if x > 3 else x / 6 + 0.5


def threshold(limit: float, value: float) -> Formula:
    return by_value(lambda x: x if x > limit else value)


def hard_shrink(lambd: float) -> Formula:
    return by_value(lambda x: x if x > lambd or x < -lambd else 0.0)


def soft_shrink(lambd: float) -> Formula:
    return by_value(lambda x: math.copysign(max(abs(x) - lambd, 0.0), x))


def prelu(link: Any, x: Array) -> Array:
    slopes = link.weight.data.tolist()
    output = np.empty(x.shape)
    for index in itertools.product(*map(range, x.shape)):
        slope = slopes[index[1]] if len(slopes) > 1 else slopes[0]
        output[index] = x[index] if x[index] > 0 else slope * x[index]
    return output


def rrelu(lower: float, upper: float, words: Callable[[int], list[int]]) -> Formula:
    """Two words of the generator make the slope of each x ≤ 0: 53 bits, the first word's the higher ones."""

    def naive(_link: Module, x: Array) -> Array:
        drawn = iter(words(2 * x.size))
        values = []
        for value in x.ravel().tolist():
            share = ((next(drawn) << 32 | next(drawn)) % 2**53) / 2**53 if value <= 0 else None
            values.append(value if share is None else value * (lower + share * (upper - lower)))
        return np.array(values).reshape(x.shape)

    return naive


def glu(values: list[float]) -> list[float]:
    half = len(values) // 2
    return [a * logistic(b) for a, b in zip(values[:half], values[half:], strict=True)]


def halved(axis: int, function: Callable[[list[float]], list[float]]) -> Formula:
    """A function along an axis, whose results are half as many."""

    def naive(_link: Module, x: Array) -> Array:
        place = axis % x.ndim
        output = np.empty([n // 2 if i == place else n for i, n in enumerate(x.shape)])
        for index in itertools.product(*(range(n) for i, n in enumerate(x.shape) if i != place)):
            where = (*index[:place], slice(None), *index[place:])
            output[where] = function(x[where].tolist())
        return output

    return naive
