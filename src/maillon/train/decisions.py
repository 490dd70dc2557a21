"""What predictions and targets say: one class a row, or yes and no for each of several classes."""

from typing import Any, NamedTuple

import numpy as np

from maillon.typing import Array


class Marks(NamedTuple):
    """What the values of a target shaped like the prediction are, the classes along axis 1.

    A whole target is what all of its mini-batches are: `a & b`.
    """

    zeros_and_ones: bool = True
    signs: bool = True  # -1 for no, 1 for yes
    one_each: bool = True  # exactly one 1 in each row

    @classmethod
    def of(cls, truth: Array) -> "Marks":
        yes = truth == 1
        return cls(
            bool((yes | (truth == 0)).all()), bool((yes | (truth == -1)).all()), bool((yes.sum(axis=1) == 1).all())
        )

    def __and__(self, other: "Marks") -> "Marks":
        return Marks(*(mine and its for mine, its in zip(self, other, strict=True)))

    @property
    def binary(self) -> bool:
        """Whether each value is a yes or a no."""
        return self.zeros_and_ones or self.signs

    @property
    def multi_hot(self) -> bool:
        """Whether each column is a decision of its own: probabilities are not, nor is one class a row."""
        return self.binary and not self.one_each


class Decisions(NamedTuple):
    """Predicted and expected: labels (n,), or booleans (n, classes) where each column is a decision of its own."""

    predicted: Array
    expected: Array
    classes: int

    @property
    def several(self) -> bool:
        return self.predicted.ndim > 1


def decisions(where: str, prediction: Any, target: Any, threshold: float) -> Decisions:
    """The decisions that scores (or integer labels) and a target stand for; ValueError for shapes that do not fit."""
    scores, truth = np.asarray(prediction), np.asarray(target)
    require_rows(where, scores)
    if scores.ndim == 1 and scores.dtype.kind in "iub" and truth.shape == scores.shape:
        predicted, expected = labels(where, "prediction", scores), labels(where, "target", truth)
        return Decisions(predicted, expected, max(2, int(predicted.max()) + 1, int(expected.max()) + 1))
    kind = kind_of(where, scores, truth)
    if kind == "column":
        return Decisions((scores.reshape(-1) >= threshold).astype(np.int64), answers(truth), 2)
    classes = scores.shape[1]
    if kind == "labels":
        return Decisions(scores.argmax(axis=1).reshape(-1), labels(where, "target", truth), classes)
    if Marks.of(truth).multi_hot:
        return Decisions(columns(scores) >= threshold, columns(truth) == 1, classes)
    return Decisions(scores.argmax(axis=1).reshape(-1), truth.argmax(axis=1).reshape(-1), classes)


def kind_of(where: str, scores: Array, truth: Array) -> str:
    """How the target goes with the scores: one "column" of answers, "labels", or "marks" shaped like the scores."""
    if scores.ndim == 1 or (scores.ndim == 2 and scores.shape[1] == 1):
        if truth.shape in (scores.shape, (len(scores),), (len(scores), 1)):
            return "column"
        raise ValueError(
            f"{where}: expected a target of shape {(len(scores),)} for a prediction of shape {scores.shape}, "
            f"got {truth.shape}. One column is a decision between two classes."
        )
    labels_shape = (len(scores), *scores.shape[2:])
    if truth.shape == labels_shape:
        return "labels"
    if truth.shape == scores.shape:
        return "marks"
    raise ValueError(
        f"{where}: expected a target of shape {labels_shape} (labels) or {scores.shape} (one-hot or multi-hot) for a "
        f"prediction of shape {scores.shape}, got {truth.shape}. Give one target for each row of the prediction."
    )


def answers(truth: Array) -> Array:
    """0 and 1, as int64, from one column of a target."""
    return (truth.reshape(-1) > 0.5).astype(np.int64)


def columns(values: Array) -> Array:
    """(N, C, d…) as (rows, C): one row for each place."""
    return np.moveaxis(values, 1, -1).reshape(-1, values.shape[1])


def require_rows(where: str, scores: Array) -> None:
    """ValueError where there is nothing to judge."""
    if scores.ndim == 0 or scores.size == 0:
        raise ValueError(
            f"{where}: expected at least one prediction, got shape {scores.shape}. There is nothing to average."
        )


def labels(where: str, name: str, values: Array) -> Array:
    """Class labels as int64, flat; ValueError where one is not a whole number."""
    flat = values.reshape(-1)
    whole = flat.astype(np.int64)
    if flat.dtype.kind == "f" and not np.array_equal(whole, flat):
        raise ValueError(
            f"{where}: expected {name} to hold class labels, whole numbers, got {flat[whole != flat][0]}. "
            "Pass integer labels, or scores with one column per class."
        )
    return whole


def require_labels(where: str, *several: Array, classes: int, way_out: str) -> None:
    """ValueError where a label is none of 0 … classes - 1."""
    lowest, highest = min(int(part.min()) for part in several), max(int(part.max()) for part in several)
    if lowest < 0 or highest >= classes:
        raise ValueError(
            f"{where}: expected labels from 0 to {classes - 1}, got {lowest if lowest < 0 else highest}. {way_out}"
        )
