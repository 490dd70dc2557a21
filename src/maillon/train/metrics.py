"""How good predictions are: functions of (prediction, target), NumPy arrays or anything NumPy reads."""

from typing import Any

import numpy as np

from maillon.typing import Array

__all__ = [
    "accuracy",
    "confusion_matrix",
    "mean_absolute_error",
    "mean_squared_error",
    "r2_score",
    "root_mean_squared_error",
]


def accuracy(prediction: Any, target: Any, threshold: float = 0.5) -> float:
    """The share of right decisions, between 0 and 1.

    prediction (N, C) or (N, C, d…): the class is the largest of the C; target holds labels, (N) or (N, d…), or is
    one-hot or made of probabilities, shaped like prediction. prediction (N) or (N, 1): the class is 1 from
    `threshold` on; target has as many values. Give threshold=0 for logits, 0.5 for probabilities.

    ValueError for shapes that do not go together, and for no rows at all.

    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    predicted, expected = _decisions("accuracy", np.asarray(prediction), np.asarray(target), threshold)
    return float(np.mean(predicted == expected))


def confusion_matrix(prediction: Any, target: Any, classes: int | None = None, threshold: float = 0.5) -> Array:
    """How often class i (row) was taken for class j (column): int64, shape (classes, classes).

    prediction: labels (N) of integer or boolean dtype, or scores as for `accuracy`. target: labels or one-hot.
    classes: how many there are; None takes the number of columns, else the largest label + 1, at least 2.

    ValueError for shapes that do not go together, and for labels outside 0 … classes - 1.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1])
    array([[1, 1],
           [0, 1]])
    """
    scores, truth = np.asarray(prediction), np.asarray(target)
    if scores.ndim == 1 and scores.dtype.kind in "iub" and truth.shape == scores.shape:
        _require_rows("confusion_matrix", scores)
        predicted, expected = scores, truth
    else:
        predicted, expected = _decisions("confusion_matrix", scores, truth, threshold)
    columns = scores.shape[1] if scores.ndim > 1 else 2
    predicted, expected = _labels(predicted, "prediction"), _labels(expected, "target")
    highest = max(int(predicted.max()), int(expected.max()))
    size = max(columns, highest + 1) if classes is None else classes
    lowest = min(int(predicted.min()), int(expected.min()))
    if lowest < 0 or highest >= size:
        raise ValueError(
            f"confusion_matrix: expected labels from 0 to {size - 1}, got {lowest if lowest < 0 else highest}. "
            "Number the classes from 0, or pass classes= larger than the largest label."
        )
    return np.bincount(expected * size + predicted, minlength=size * size).reshape(size, size).astype(np.int64)


def mean_squared_error(prediction: Any, target: Any) -> float:
    """The mean of (prediction - target)² over all elements; ValueError unless the shapes are equal.

    >>> mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return float(np.mean(np.square(_errors("mean_squared_error", prediction, target))))


def root_mean_squared_error(prediction: Any, target: Any) -> float:
    """The square root of the mean squared error: in the unit of the target."""
    return float(np.sqrt(np.mean(np.square(_errors("root_mean_squared_error", prediction, target)))))


def mean_absolute_error(prediction: Any, target: Any) -> float:
    """The mean of |prediction - target| over all elements; ValueError unless the shapes are equal."""
    return float(np.mean(np.abs(_errors("mean_absolute_error", prediction, target))))


def r2_score(prediction: Any, target: Any) -> float:
    """The share of the target's variance that is explained: 1 - Σ(prediction - target)² / Σ(target - mean)².

    1 is perfect, 0 is what the mean alone does. The mean and the sums run over all elements. A constant target has
    no variance to explain: 1 when it is met exactly, else minus infinity.
    """
    errors = np.square(_errors("r2_score", prediction, target)).sum()
    truth = np.asarray(target, dtype=np.float64)
    spread = np.square(truth - truth.mean()).sum()
    if spread == 0:
        return 1.0 if errors == 0 else -np.inf
    return float(1.0 - errors / spread)


def _errors(where: str, prediction: Any, target: Any) -> Array:
    predicted, expected = np.asarray(prediction, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if predicted.shape != expected.shape:
        raise ValueError(
            f"{where}: expected prediction and target of one shape, got {predicted.shape} and {expected.shape}. "
            "Reshape one of them: nothing is broadcast."
        )
    _require_rows(where, predicted)
    return predicted - expected


def _decisions(where: str, scores: Array, truth: Array, threshold: float) -> tuple[Array, Array]:
    """The classes that prediction and target stand for, of one shape."""
    _require_rows(where, scores)
    if scores.ndim == 1 or (scores.ndim == 2 and scores.shape[1] == 1):
        if truth.shape in (scores.shape, (len(scores),), (len(scores), 1)):
            return scores.reshape(-1) >= threshold, truth.reshape(-1) > 0.5
        raise ValueError(
            f"{where}: expected a target of shape {(len(scores),)} for a prediction of shape {scores.shape}, "
            f"got {truth.shape}. One column is a decision between two classes."
        )
    labels_shape = (len(scores), *scores.shape[2:])
    if truth.shape == labels_shape:
        return scores.argmax(axis=1), truth
    if truth.shape == scores.shape:
        return scores.argmax(axis=1), truth.argmax(axis=1)
    raise ValueError(
        f"{where}: expected a target of shape {labels_shape} (labels) or {scores.shape} (one-hot) for a prediction "
        f"of shape {scores.shape}, got {truth.shape}. Give one target for each row of the prediction."
    )


def _require_rows(where: str, scores: Array) -> None:
    if scores.ndim == 0 or scores.size == 0:
        raise ValueError(
            f"{where}: expected at least one prediction, got shape {scores.shape}. There is nothing to average."
        )


def _labels(values: Array, name: str) -> Array:
    """Class labels as int64; ValueError where one is not a whole number."""
    flat = values.reshape(-1)
    labels = flat.astype(np.int64)
    if flat.dtype.kind == "f" and not np.array_equal(labels, flat):
        raise ValueError(
            f"confusion_matrix: expected {name} to hold class labels, whole numbers, got {flat[labels != flat][0]}. "
            "Pass integer labels, or scores with one column per class."
        )
    return labels
