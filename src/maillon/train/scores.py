"""Metrics by name, and the numbers that `fit` and `evaluate` make of them."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from maillon.messages import unknown_name
from maillon.nn import BCEWithLogitsLoss, CrossEntropyLoss, Loss
from maillon.tracebacks import warn
from maillon.train import metrics as known, tallies
from maillon.train.tallies import Tally
from maillon.typing import Array

Metric = Callable[[Any, Any], float]

_SCORES: dict[str, Metric] = {
    "accuracy": known.accuracy,
    "balanced_accuracy": known.balanced_accuracy_score,
    "f1": known.f1_score,
    "f1_macro": partial(known.f1_score, average="macro"),
    "f1_micro": partial(known.f1_score, average="micro"),
    "f1_weighted": partial(known.f1_score, average="weighted"),
    "roc_auc": known.roc_auc_score,
    "top_k": known.top_k_accuracy_score,
    "r2": known.r2_score,
}
_ERRORS: dict[str, Metric] = {
    "mae": known.mean_absolute_error,
    "mse": known.mean_squared_error,
    "rmse": known.root_mean_squared_error,
}


def _in_full(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """The functions under the names that they have in `maillon.train`."""
    return {name: metric for metric in metrics.values() if (name := getattr(metric, "__name__", ""))}


_BY_NAME = {**_SCORES, **_ERRORS, **_in_full(_SCORES), **_in_full(_ERRORS)}
_TALLIES: dict[Any, Callable[..., Tally]] = {
    known.accuracy: tallies.Accuracy,
    known.top_k_accuracy_score: tallies.TopK,
    known.mean_absolute_error: tallies.MeanError,
    known.mean_squared_error: tallies.MeanSquare,
    known.root_mean_squared_error: tallies.RootMeanSquare,
}
_WITH_THRESHOLD = (known.accuracy, known.balanced_accuracy_score, known.f1_score)
_TAKEN = ("epoch", "loss", "lr", "seconds")

GREATER_IS_BETTER = frozenset({**_SCORES, **_in_full(_SCORES)})
"""The names of metrics that are the better the greater they are."""


def named_metrics(where: str, metrics: str | Metric | Iterable[str | Metric], loss: Loss) -> dict[str, Metric]:
    """The functions behind names and callables, by the names of their columns.

    Where the loss reads logits the metrics of the library do so too: those with a threshold decide at 0 instead of 0.5,
    and the areas of several classes are taken of the softmax.
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
        chosen[name] = _of_outputs(function, loss)
    return chosen


def _of_outputs(metric: Metric, loss: Loss) -> Metric:
    """The metric for what a network before this loss puts out: probabilities, or logits."""
    if _function(metric) in _WITH_THRESHOLD and "threshold" not in _options(metric) and _reads_answers(loss):
        at_zero: Metric = partial(metric, **{"threshold": 0.0})
        return at_zero
    if _function(metric) is known.roc_auc_score and isinstance(loss, CrossEntropyLoss) and loss.from_logits:
        return _roc_auc_of_logits
    return metric


def _reads_answers(loss: Loss) -> bool:
    """Whether the loss reads logits of yes and no."""
    from maillon.nn import MultiLabelSoftMarginLoss, SoftMarginLoss

    return isinstance(loss, BCEWithLogitsLoss | MultiLabelSoftMarginLoss | SoftMarginLoss)


def _roc_auc_of_logits(prediction: Any, target: Any) -> float:
    scores = np.asarray(prediction)
    if scores.ndim > 1:
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = powers / powers.sum(axis=1, keepdims=True)
    return known.roc_auc_score(scores, target)


def _function(metric: Metric) -> Any:
    return getattr(metric, "func", metric)


def _options(metric: Metric) -> dict[str, Any]:
    return getattr(metric, "keywords", {})


_OURS = {*map(_function, _BY_NAME.values()), _roc_auc_of_logits}


def _ours(name: str, metric: Metric, prediction: Any) -> bool:
    """Whether the metric is the library's; TypeError for several outputs, which none of those takes."""
    function = _function(metric)
    ours = isinstance(function, Hashable) and function in _OURS
    if ours and isinstance(prediction, tuple):
        raise TypeError(
            f"metric {name}: expected the network to have one output, got a tuple of {len(prediction)}. Give a "
            "function of (prediction, target), two tuples."
        )
    return ours


def score(name: str, metric: Metric, prediction: Any, target: Any) -> float:
    """The metric's value as a float; TypeError when it is not one number."""
    _ours(name, metric, prediction)
    value: Any = metric(prediction, target)
    if np.ndim(value) or not np.isrealobj(value):
        raise TypeError(
            f"metric {name}: expected one real number, got {type(value).__name__} of shape {np.shape(value)}. "
            "Average it."
        )
    return float(value)


def score_or_nan(name: str, metric: Metric, prediction: Any, target: Any) -> float:
    """As `score`; but nan, with a warning, where the metric is not defined: a training goes on."""
    try:
        return score(name, metric, prediction, target)
    except known.UndefinedMetricError as error:
        warn(f"{name} is nan: {error}")
        return float("nan")


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

    @property
    def value(self) -> float:
        if not self.mean:
            return self._total
        return self._total / self._size if self._size else float("nan")


class RunningMetrics:
    """Metrics over the mini-batches of an epoch, each batch measured before its step.

    Means (accuracy, top_k, mse, mae, rmse) are added up. All others, those of the user among them, are no means: the
    predictions and targets of the epoch are kept, copied, and measured together at its end.
    """

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = metrics
        self._tallies = {
            name: _TALLIES[_function(metric)](**_options(metric))
            for name, metric in metrics.items()
            if isinstance(_function(metric), Hashable) and _function(metric) in _TALLIES
        }
        self._kept: list[tuple[Any, Any]] = []

    def add(self, prediction: Any, target: Any, rows: int) -> None:
        """Take in a mini-batch of so many rows."""
        for name, tally in self._tallies.items():
            _ours(name, self._metrics[name], prediction)
            tally.add(prediction, target)
        if len(self._tallies) < len(self._metrics) and rows:
            if not self._kept:
                self._try(prediction, target)
            self._kept.append((_copied(prediction), _copied(target)))

    def _try(self, prediction: Any, target: Any) -> None:
        """What the library's metrics refuse, they refuse at the first mini-batch, not at the end of the epoch."""
        for name, metric in self._metrics.items():
            if name not in self._tallies and _ours(name, metric, prediction):
                with suppress(known.UndefinedMetricError):
                    metric(prediction, target)

    def state_dict(self) -> dict[str, Any]:
        """All that is known of the epoch so far."""
        tallies = {
            name: {key: list(value) if isinstance(value, tuple) else value for key, value in vars(tally).items()}
            for name, tally in self._tallies.items()
        }
        return {"tallies": tallies, "kept": list(self._kept)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with that."""
        for name, given in state["tallies"].items():
            own = vars(self._tallies[name])
            own |= {
                key: type(own[key])(*value) if isinstance(own[key], tuple) else value for key, value in given.items()
            }
        self._kept = list(state["kept"])

    def so_far(self) -> dict[str, float]:
        """The means, in the middle of an epoch."""
        return {name: tally.value for name, tally in self._tallies.items()}

    def values(self) -> dict[str, float]:
        """All, over the mini-batches so far; nan, with a warning, for what is not defined on them."""
        values = self.so_far()
        if self._kept:
            prediction, target = self._joined()
            for name, metric in self._metrics.items():
                if name not in values:
                    values[name] = score_or_nan(name, metric, prediction, target)
        return {name: values[name] for name in self._metrics}

    def _joined(self) -> tuple[Any, Any]:
        predictions, targets = zip(*self._kept, strict=True)
        try:
            return joined(list(predictions)), joined(list(targets))
        except ValueError:
            names = ", ".join(name for name in self._metrics if name not in self._tallies)
            raise ValueError(
                f"fit: the metric {names} is taken over a whole epoch, and its mini-batches have predictions or "
                "targets of shapes that do not fit together. Make them alike but for the rows, or take a mean: "
                "accuracy, top_k, mse, mae, rmse."
            ) from None


def _copied(data: Any) -> Any:
    """The arrays as they are now: the next step may write over them."""
    if isinstance(data, tuple):
        return tuple(map(_copied, data))
    if isinstance(data, dict):
        return {name: _copied(part) for name, part in data.items()}
    return None if data is None else np.array(data)


def joined(parts: list[Any]) -> Any:
    """Outputs of consecutive mini-batches as one, nested as they are."""
    first = parts[0]
    if len(parts) == 1 or first is None:
        return first
    if isinstance(first, tuple):
        return tuple(joined(list(column)) for column in zip(*parts, strict=True))
    if isinstance(first, dict):
        return {name: joined([part[name] for part in parts]) for name in first}
    if np.ndim(first) == 0:
        raise ValueError("predict: expected the network to give one row a sample, got a single number a mini-batch.")
    whole: Array = np.concatenate(parts)
    return whole
