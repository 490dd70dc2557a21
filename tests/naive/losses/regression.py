"""The losses of regression, one number after the other."""

import math
from typing import Any

import numpy as np

from maillon.typing import Array
from naive.losses.elements import Elements, paired


def huber(bound: float, scale: float = 1.0) -> Any:
    """A parabola up to the bound, lines beyond; with the scale 1 / β it is SmoothL1Loss."""

    def value(p: float, y: float) -> float:
        size = abs(p - y)
        return scale * (size**2 / 2 if size <= bound else bound * size - bound**2 / 2)

    return paired(value)


def divergence(loss: Any, prediction: Array, target: Array) -> Elements:
    """y (log y − x)."""
    values = []
    for x, t in zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True):
        y = math.exp(t) if loss.log_target else t
        values.append(y * (math.log(y) - x) if y else 0.0)
    batch = prediction.shape[0] if prediction.ndim else 1
    return values, prediction.shape, batch if loss.reduction == "batchmean" else prediction.size


def poisson(loss: Any, prediction: Array, target: Array) -> Elements:
    """λ − y log λ, and Stirling's log y!."""
    values = []
    for x, y in zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True):
        value = math.exp(x) - y * x if loss.log_input else x - y * math.log(x + loss.eps)
        if loss.full and y > 1:
            value += y * math.log(y) - y + math.log(2 * math.pi * y) / 2
        values.append(value)
    return values, prediction.shape, prediction.size


def gaussian(loss: Any, mean: Array, target: Array, var: Any) -> Elements:
    """½ (log v + (μ − y)² / v)."""
    values = []
    for index in np.ndindex(mean.shape):
        v = max(_at(var, index), loss.eps)
        value = (math.log(v) + (float(mean[index]) - _at(target, index)) ** 2 / v) / 2
        values.append(value + (math.log(2 * math.pi) / 2 if loss.full else 0.0))
    return values, mean.shape, mean.size


def _at(value: Any, index: tuple[int, ...]) -> float:
    """The number that belongs to a place of the prediction: a dimension may be 1, or the last one absent."""
    shape = np.shape(value)
    place = tuple(0 if n == 1 else i for i, n in zip(index, shape, strict=False))
    return float(np.asarray(value)[place])
