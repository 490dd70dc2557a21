"""A loss of its elements: its reduction, and those whose elements are pairs of numbers."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.nn import Loss
from maillon.typing import Array

Elements = tuple[list[float], tuple[int, ...], float]
"""A loss's elements, their shape, and what their mean is divided by."""


def reduced(elements: Callable[..., Elements]) -> Callable[..., Any]:
    """The loss of its elements, under its reduction and with its sample weights."""

    def naive(loss: Loss, *inputs: Any) -> Any:
        count = len(loss.predicted)
        values, shape, denominator = elements(loss, *inputs[:count])
        for sample_weight in inputs[count:]:
            per_sample = len(values) // len(sample_weight)
            values = [value * float(sample_weight[i // per_sample]) for i, value in enumerate(values)]
        if loss.reduction == "none":
            return np.array(values).reshape(shape)
        if loss.reduction == "sum":
            return sum(values)
        return sum(values) / denominator if denominator else math.nan

    return naive


def paired(function: Callable[[float, float], float]) -> Callable[..., Elements]:
    """A loss between one prediction and one target each."""

    def naive(_loss: Loss, prediction: Array, target: Array) -> Elements:
        pairs = zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True)
        return [function(*pair) for pair in pairs], prediction.shape, prediction.size

    return naive


def _spread(factor: Any, shape: tuple[int, ...]) -> list[float]:
    return np.broadcast_to(np.array(1.0 if factor is None else factor), shape).ravel().tolist()


def binary(probability: Callable[[float], float]) -> Callable[..., Elements]:
    """−w (c y log p + (1 − y) log(1 − p))."""

    def naive(loss: Any, prediction: Array, target: Array) -> Elements:
        columns = zip(
            prediction.ravel().tolist(),
            target.ravel().tolist(),
            _spread(loss.weight, prediction.shape),
            _spread(getattr(loss, "pos_weight", None), prediction.shape),
            strict=True,
        )
        values = []
        for score, y, w, c in columns:
            p = probability(score)
            values.append(-w * (c * y * math.log(p) + (1 - y) * math.log(1 - p)))
        return values, prediction.shape, prediction.size

    return naive


def rows(scores: Array, target: Array) -> Any:
    """Sample after sample: the scores, and the target."""
    rows = scores.reshape(-1, scores.shape[-1]).tolist() if scores.size else []
    return zip(rows, target.reshape(len(rows), -1).tolist(), strict=True)
