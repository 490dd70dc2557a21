"""Metrics that are means, added up mini-batch by mini-batch: exactly what they are over all rows at once."""

import math
from typing import Any, Protocol

import numpy as np

from maillon.train.decisions import Marks, answers, kind_of, labels, require_labels, require_rows
from maillon.typing import Array


class Tally(Protocol):
    """A metric on its way: `add` a mini-batch, read the `value` over all so far."""

    def add(self, prediction: Any, target: Any) -> None: ...

    @property
    def value(self) -> float: ...


class Accuracy:
    """Right decisions over all decisions.

    Whether a target shaped like the scores is one-hot or multi-hot shows only over all of its rows: both are counted.
    """

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold
        self._rows = [0, 0]  # right, all
        self._elements = [0, 0]
        self._marks = Marks()

    def add(self, prediction: Any, target: Any) -> None:
        scores, truth = np.asarray(prediction), np.asarray(target)
        require_rows("accuracy", scores)
        kind = kind_of("accuracy", scores, truth)
        if kind == "column":
            integers = scores.dtype.kind in "iu" and truth.dtype.kind in "iu"
            if integers and 0 < self.threshold <= 1 and scores.min() >= 0:  # labels beside labels
                right = scores.reshape(-1) == truth.reshape(-1)
            else:
                right = (scores.reshape(-1) >= self.threshold) == answers(truth)
        elif kind == "labels":
            right = scores.argmax(axis=1) == truth
        else:
            right = scores.argmax(axis=1) == truth.argmax(axis=1)
            self._marks &= Marks.of(truth)
            if self._marks.binary:
                _count(self._elements, (scores >= self.threshold) == (truth == 1))
        _count(self._rows, right)

    @property
    def value(self) -> float:
        right, among = self._elements if self._marks.multi_hot else self._rows
        return right / among


class TopK:
    """Rows whose class is among the k highest scores, over all rows."""

    where = "top_k_accuracy_score"

    def __init__(self, k: int = 5) -> None:
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"{self.where}: expected k, an integer ≥ 1, got {k!r}.")
        self.k = int(k)
        self._rows = [0, 0]

    def add(self, prediction: Any, target: Any) -> None:
        scores, truth = np.asarray(prediction), np.asarray(target)
        require_rows(self.where, scores)
        kind = kind_of(self.where, scores, truth)
        classes = scores.shape[1] if kind != "column" else 2
        if kind == "column" or classes <= self.k:
            shown = "one column, a decision between two classes" if kind == "column" else f"{classes} of them"
            raise ValueError(
                f"{self.where}: expected more than k={self.k} classes, got {shown}: each row would count as right. "
                "Take a smaller k (functools.partial(top_k_accuracy_score, k=…) as metric), or accuracy."
            )
        if kind == "labels":
            expected = labels(self.where, "target", truth)
            require_labels(self.where, expected, classes=classes, way_out="Give the network one column for each class.")
        else:
            if Marks.of(truth).multi_hot:
                raise ValueError(
                    f"{self.where}: expected one class a row, got a target with several (multi-hot), for which it is "
                    "not defined. Take f1_score or roc_auc_score."
                )
            expected = truth.argmax(axis=1).reshape(-1)
        ranked = np.moveaxis(scores, 1, -1).reshape(-1, classes).argsort(axis=1, kind="stable")
        _count(self._rows, (ranked[:, classes - self.k :] == expected[:, None]).any(axis=1))

    @property
    def value(self) -> float:
        return self._rows[0] / self._rows[1]


class MeanError:
    """The mean over all elements of a function of (prediction - target)."""

    where = "mean_absolute_error"

    def __init__(self) -> None:
        self._total = 0.0
        self._count = 0

    @staticmethod
    def of(errors: Array) -> Array:
        return np.abs(errors)

    def add(self, prediction: Any, target: Any) -> None:
        errors = differences(self.where, prediction, target)
        self._total += float(np.sum(self.of(errors)))
        self._count += errors.size

    @property
    def value(self) -> float:
        return self._total / self._count


class MeanSquare(MeanError):
    """The mean of (prediction - target)²."""

    where = "mean_squared_error"

    @staticmethod
    def of(errors: Array) -> Array:
        return np.square(errors)


class RootMeanSquare(MeanSquare):
    """The square root of the mean of (prediction - target)²."""

    where = "root_mean_squared_error"

    @property
    def value(self) -> float:
        return math.sqrt(super().value)


def differences(where: str, prediction: Any, target: Any) -> Array:
    """prediction - target in float64; ValueError unless the shapes are equal."""
    predicted, expected = np.asarray(prediction, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if predicted.shape != expected.shape:
        raise ValueError(
            f"{where}: expected prediction and target of one shape, got {predicted.shape} and {expected.shape}. "
            "Reshape one of them: nothing is broadcast."
        )
    require_rows(where, predicted)
    return predicted - expected


def over_all(tally: Tally, prediction: Any, target: Any) -> float:
    """The value of a tally of these rows alone."""
    tally.add(prediction, target)
    return tally.value


def _count(counts: list[int], right: Array) -> None:
    counts[0] += int(np.count_nonzero(right))
    counts[1] += right.size
