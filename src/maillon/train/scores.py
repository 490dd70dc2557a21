"""Metrics by name, and the numbers that `fit` and `evaluate` make of them."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from maillon.messages import unknown_name
from maillon.nn import BCEWithLogitsLoss, Loss
from maillon.train import metrics as known
from maillon.typing import Array

Metric = Callable[[Any, Any], float]

_BY_NAME: dict[str, Metric] = {
    "accuracy": known.accuracy,
    "mean_absolute_error": known.mean_absolute_error,
    "mean_squared_error": known.mean_squared_error,
    "root_mean_squared_error": known.root_mean_squared_error,
    "r2_score": known.r2_score,
    "mae": known.mean_absolute_error,
    "mse": known.mean_squared_error,
    "rmse": known.root_mean_squared_error,
    "r2": known.r2_score,
}
_TAKEN = ("epoch", "loss", "lr", "seconds")


def named_metrics(where: str, metrics: str | Metric | Iterable[str | Metric], loss: Loss) -> dict[str, Metric]:
    """The functions behind names and callables, by the names of their columns.

    "accuracy" reads one column of logits where the loss does so: its threshold is then 0 instead of 0.5.
    """
    several = [metrics] if isinstance(metrics, str) or callable(metrics) else list(metrics)
    chosen: dict[str, Metric] = {}
    for i, metric in enumerate(several, 1):
        if isinstance(metric, str):
            if metric not in _BY_NAME:
                raise ValueError(unknown_name(where, "a metric", metric, _BY_NAME))
            name, function = metric, _BY_NAME[metric]
        elif callable(metric):
            name, function = getattr(metric, "__name__", ""), metric
            name = name if name.isidentifier() else f"metric_{i}"
        else:
            raise TypeError(
                f"{where}: expected each metric to be a name or a function of (prediction, target), got {metric!r}."
            )
        if name in chosen or name in _TAKEN:
            raise ValueError(f"{where}: there are two columns named {name!r}. Give the metric another __name__.")
        if function is known.accuracy and isinstance(loss, BCEWithLogitsLoss):
            function = partial(known.accuracy, threshold=0.0)
        chosen[name] = function
    return chosen


def score(name: str, metric: Metric, prediction: Any, target: Any) -> float:
    """The metric's value as a float; TypeError when it is not one number."""
    if isinstance(prediction, tuple) and getattr(metric, "func", metric) in _BY_NAME.values():
        raise TypeError(
            f"metric {name}: expected the network to have one output, got a tuple of {len(prediction)}. Give a "
            "function of (prediction, target), two tuples."
        )
    value: Any = metric(prediction, target)
    if np.ndim(value) or not np.isrealobj(value):
        raise TypeError(
            f"metric {name}: expected one real number, got {type(value).__name__} of shape {np.shape(value)}. "
            "Average it."
        )
    return float(value)


class LossMean:
    """The loss over many samples under the loss's own reduction: 'mean' over all of them, otherwise the total."""

    __slots__ = ("_size", "_total", "loss", "mean")

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.mean = loss.averages
        self._total = 0.0
        self._size = 0.0

    def add(self, value: float) -> None:
        """The value that the loss has just given for a mini-batch."""
        size = self.loss.denominator if self.mean else 1.0
        self._total += value * size
        self._size += size

    def add_sums(self, total: float, size: float) -> None:
        """What `add` would have made of many mini-batches: Σ value · size, Σ size."""
        self._total += total
        self._size += size

    @property
    def value(self) -> float:
        if not self.mean:
            return self._total
        return self._total / self._size if self._size else float("nan")


class RunningMetrics:
    """Metrics over the mini-batches of an epoch, each batch counted by its rows.

    That is exact for means over rows, such as accuracy; others (r2, rmse) are the mean of the batches' values.
    """

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = metrics
        self._totals = dict.fromkeys(metrics, 0.0)
        self._rows = 0

    def add(self, prediction: Any, target: Any, rows: int) -> None:
        for name, metric in self._metrics.items():
            self._totals[name] += score(name, metric, prediction, target) * rows
        self._rows += rows

    def values(self) -> dict[str, float]:
        return {name: total / self._rows for name, total in self._totals.items()}


def joined(parts: list[Any]) -> Any:
    """Outputs of consecutive mini-batches as one, nested as they are."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, tuple):
        return tuple(joined(list(column)) for column in zip(*parts, strict=True))
    if isinstance(first, dict):
        return {name: joined([part[name] for part in parts]) for name in first}
    if np.ndim(first) == 0:
        raise ValueError("predict: expected the network to give one row a sample, got a single number a mini-batch.")
    whole: Array = np.concatenate(parts)
    return whole
