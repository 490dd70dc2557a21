"""How good predictions are: functions of (prediction, target), NumPy arrays or anything NumPy reads.

Names and values are scikit-learn's where it has them, but the prediction comes first, as in a loss, and it is what the
network gives: scores, from which each function makes the decisions it needs.

A target of classes is one of

- labels: integers, (N) or (N, d…), beside scores (N, C) or (N, C, d…);
- one-hot: shaped like the scores, exactly one 1 in each row, the rest 0;
- multi-hot: shaped like the scores, 0 and 1 (or -1 and 1), and not exactly one 1 in each row: each column is a yes or a
  no of its own;
- probabilities: shaped like the scores; the class is the largest.

One column of scores, (N) or (N, 1), is a decision between class 0 and class 1, and the target has as many values.
"""

from typing import Any

import numpy as np

from maillon.train import tallies
from maillon.train.decisions import Marks, answers, columns, decisions, kind_of, labels, require_labels, require_rows
from maillon.train.tallies import differences, over_all
from maillon.typing import Array

__all__ = [
    "UndefinedMetricError",
    "accuracy",
    "balanced_accuracy_score",
    "confusion_matrix",
    "f1_score",
    "mean_absolute_error",
    "mean_squared_error",
    "r2_score",
    "roc_auc_score",
    "root_mean_squared_error",
    "top_k_accuracy_score",
]

_AVERAGES = ("binary", "macro", "micro", "weighted")


class UndefinedMetricError(ValueError):
    """The metric has no value on these data: the area under the ROC curve with rows of one class only, say."""


def accuracy(prediction: Any, target: Any, threshold: float = 0.5) -> float:
    """The share of right decisions, between 0 and 1.

    Parameters
    ----------
    prediction : array_like
        Scores (N, C) or (N, C, d…): the class is the largest of the C. Or one column, (N) or (N, 1): the class is 1
        from `threshold` on.
    target : array_like
        Labels, one-hot or probabilities: one decision a row, the largest. Multi-hot: each element is a decision, right
        where ``(prediction >= threshold) == target``, as in Keras' binary accuracy (scikit-learn counts a row as right
        only if all of its elements are).
    threshold : float
        0.5 for probabilities, 0 for logits; `fit` and `evaluate` take the one that fits the loss.

    Raises
    ------
    ValueError
        For shapes that do not go together, and for no rows at all.

    Examples
    --------
    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    >>> accuracy([[0.9, 0.8], [0.2, 0.1]], [[1, 1], [0, 1]])
    0.75
    """
    return over_all(tallies.Accuracy(threshold), prediction, target)


def top_k_accuracy_score(prediction: Any, target: Any, k: int = 5) -> float:
    """The share of rows whose class is among the k highest scores.

    Parameters
    ----------
    prediction : array_like
        Scores (N, C) or (N, C, d…) with C > k. Of equal scores the later column counts as the higher, as in
        scikit-learn.
    target : array_like
        Labels, one-hot or probabilities (then the largest is the class).
    k : int
        How many, at least 1.

    Raises
    ------
    ValueError
        For shapes that do not go together, for k ≥ C, and for a multi-hot target, for which it is not defined.

    Examples
    --------
    >>> top_k_accuracy_score([[0.5, 0.3, 0.2], [0.6, 0.1, 0.3]], [1, 1], k=2)
    0.5
    """
    return over_all(tallies.TopK(k), prediction, target)


def balanced_accuracy_score(prediction: Any, target: Any, threshold: float = 0.5) -> float:
    """The mean over the classes of the share of their rows that is recognised: chance is 1 / classes.

    Parameters
    ----------
    prediction : array_like
        Scores, one column or several, as for `accuracy`; or labels (N), integers.
    target : array_like
        Labels, one-hot or probabilities. Classes that it does not hold are left out.
    threshold : float
        As for `accuracy`.

    Raises
    ------
    ValueError
        For shapes that do not go together, and for a multi-hot target, for which it is not defined.

    Examples
    --------
    >>> balanced_accuracy_score([0.1, 0.2, 0.3, 0.4], [0, 0, 0, 1])
    0.5
    """
    where = "balanced_accuracy_score"
    made = decisions(where, prediction, target, threshold)
    _require_one_class(where, made.several)
    _require_known(where, made.predicted, made.expected, made.classes)
    right = np.bincount(made.expected[made.predicted == made.expected], minlength=made.classes)
    there = np.bincount(made.expected, minlength=made.classes)
    return float(np.mean(right[there > 0] / there[there > 0]))


def f1_score(prediction: Any, target: Any, average: str = "binary", threshold: float = 0.5) -> float:
    """The harmonic mean of precision and recall: 2 · hits / (2 · hits + false alarms + misses).

    Parameters
    ----------
    prediction : array_like
        Scores, one column or several, as for `accuracy`; or labels (N), integers.
    target : array_like
        Labels, one-hot, probabilities or multi-hot.
    average : str
        "binary": of class 1, where there are two classes. "macro": the mean over the classes that are predicted or
        there (over all columns of a multi-hot target). "weighted": that mean, each class counted by its rows.
        "micro": of the counts of all classes together.
    threshold : float
        As for `accuracy`: for one column, and for each column beside a multi-hot target.

    Returns
    -------
    float
        A class that is neither predicted nor there counts as 0, as with scikit-learn's ``zero_division=0``.

    Raises
    ------
    ValueError
        For shapes that do not go together, another average, and "binary" with more than two classes.

    Examples
    --------
    >>> f1_score([0.9, 0.8, 0.3], [1, 0, 0])
    0.6666666666666666
    >>> f1_score([[0.9, 0.1], [0.2, 0.8]], [0, 0], average="macro")
    0.3333333333333333
    """
    if average not in _AVERAGES:
        raise ValueError(f"f1_score: expected average to be one of {', '.join(_AVERAGES)}, got {average!r}.")
    made = decisions("f1_score", prediction, target, threshold)
    if average == "binary" and (made.several or made.classes > 2):
        shown = f"{made.classes} columns of decisions" if made.several else f"{made.classes} classes"
        raise ValueError(
            f"f1_score: expected two classes with average='binary', got {shown}. Pass average='macro', 'micro' or "
            "'weighted'; as a metric by name: 'f1_macro', 'f1_micro' or 'f1_weighted'."
        )
    hits, predicted, there = _counts(made.predicted, made.expected, made.classes, made.several)
    if average == "binary":
        hits, predicted, there = hits[1:], predicted[1:], there[1:]
    elif average == "micro":
        hits, predicted, there = (np.array([part.sum()]) for part in (hits, predicted, there))
    both = predicted + there
    scores = np.divide(2.0 * hits, both, out=np.zeros(len(both)), where=both > 0)
    if average == "weighted":
        return float((scores * there).sum() / max(1, there.sum()))
    if average == "macro" and not made.several:
        scores = scores[both > 0]
    return float(scores.mean())


def roc_auc_score(prediction: Any, target: Any) -> float:
    """The area under the ROC curve: how often a row of the class scores higher than a row outside it; ties count half.

    Parameters
    ----------
    prediction : array_like
        Scores. One column, (N) or (N, 1), of class 1: any numbers that grow with the belief, logits too. Several,
        (N, C) or (N, C, d…): the area is taken of each column, one class against the rest, and the mean over the
        columns is returned (scikit-learn's ``multi_class="ovr", average="macro"``). Scores of several classes are
        compared between rows, so give probabilities; `fit` and `evaluate` apply the softmax where the loss reads
        logits.
    target : array_like
        Labels, one-hot or multi-hot.

    Raises
    ------
    UndefinedMetricError
        If a class has no row, or all of them. `evaluate` raises it too; in an epoch of `fit` the value is then nan,
        with a warning.
    ValueError
        For shapes that do not go together, scores that are NaN, and probabilities as a target.

    Examples
    --------
    >>> roc_auc_score([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    where = "roc_auc_score"
    scores, truth = np.asarray(prediction), np.asarray(target)
    require_rows(where, scores)
    kind = kind_of(where, scores, truth)
    if np.isnan(scores).any():
        raise ValueError(f"{where}: expected numbers as scores, got {np.count_nonzero(np.isnan(scores))} that are NaN.")
    if kind == "column":
        return _area(scores.reshape(-1), answers(truth) == 1, "1")
    if kind == "labels":
        expected = labels(where, "target", truth)
        way_out = "Number the classes from 0, and give the network one column for each."
        require_labels(where, expected, classes=scores.shape[1], way_out=way_out)
        belongs = expected[:, None] == np.arange(scores.shape[1])
    else:
        if not Marks.of(truth).binary:
            raise ValueError(f"{where}: expected a target of 0 and 1, got other numbers. Give labels, say.")
        belongs = columns(truth) == 1
    by_class = zip(columns(scores).T, belongs.T, strict=True)
    return float(np.mean([_area(column, mine, str(i)) for i, (column, mine) in enumerate(by_class)]))


def confusion_matrix(prediction: Any, target: Any, classes: int | None = None, threshold: float = 0.5) -> Array:
    """How often class i (row) was taken for class j (column).

    Parameters
    ----------
    prediction : array_like
        Labels (N) of integer or boolean dtype, or scores as for `accuracy`.
    target : array_like
        Labels, one-hot or probabilities.
    classes : int, optional
        How many there are; None takes the number of columns, else the largest label + 1, at least 2.
    threshold : float
        As for `accuracy`.

    Returns
    -------
    Array
        int64, shape (classes, classes).

    Raises
    ------
    ValueError
        For shapes that do not go together, labels outside 0 … classes - 1, and a multi-hot target.

    Examples
    --------
    >>> confusion_matrix([0, 1, 1], [0, 0, 1])
    array([[1, 1],
           [0, 1]])
    """
    where = "confusion_matrix"
    predicted, expected, found = made = decisions(where, prediction, target, threshold)
    _require_one_class(where, made.several)
    size = max(found, int(expected.max()) + 1) if classes is None else classes
    way_out = "Number the classes from 0, or pass classes= larger than the largest label."
    require_labels(where, predicted, expected, classes=size, way_out=way_out)
    return np.bincount(expected * size + predicted, minlength=size * size).reshape(size, size).astype(np.int64)


def mean_squared_error(prediction: Any, target: Any) -> float:
    """The mean of (prediction - target)² over all elements.

    Parameters
    ----------
    prediction, target : array_like
        Numbers, of one shape: nothing is broadcast.

    Raises
    ------
    ValueError
        Unless the shapes are equal, and for no elements at all.

    Examples
    --------
    >>> mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return over_all(tallies.MeanSquare(), prediction, target)


def root_mean_squared_error(prediction: Any, target: Any) -> float:
    """The square root of the mean squared error: in the unit of the target.

    Parameters
    ----------
    prediction, target : array_like
        As for `mean_squared_error`.

    Raises
    ------
    ValueError
        As for `mean_squared_error`.

    Examples
    --------
    >>> root_mean_squared_error([1.0, 2.0], [1.0, 6.0]) ** 2
    8.000000000000002
    """
    return over_all(tallies.RootMeanSquare(), prediction, target)


def mean_absolute_error(prediction: Any, target: Any) -> float:
    """The mean of |prediction - target| over all elements.

    Parameters
    ----------
    prediction, target : array_like
        As for `mean_squared_error`.

    Raises
    ------
    ValueError
        As for `mean_squared_error`.

    Examples
    --------
    >>> mean_absolute_error([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return over_all(tallies.MeanError(), prediction, target)


def r2_score(prediction: Any, target: Any) -> float:
    """The share of the target's variance that is explained: 1 - Σ(prediction - target)² / Σ(target - mean)².

    1 is perfect, 0 is what the mean alone does. The mean and the sums run over all elements.

    Parameters
    ----------
    prediction, target : array_like
        As for `mean_squared_error`.

    Returns
    -------
    float
        A constant target has no variance to explain: 1 when it is met exactly, else minus infinity.

    Raises
    ------
    ValueError
        As for `mean_squared_error`.

    Examples
    --------
    >>> r2_score([0.0, 4.0], [1.0, 3.0])
    0.0
    """
    errors = np.square(differences("r2_score", prediction, target)).sum()
    truth = np.asarray(target, dtype=np.float64)
    spread = np.square(truth - truth.mean()).sum()
    if spread == 0:
        return 1.0 if errors == 0 else -np.inf
    return float(1.0 - errors / spread)


def _require_one_class(where: str, several: bool) -> None:
    if several:
        raise ValueError(
            f"{where}: expected one class a row, got a target with several (multi-hot), for which it is not defined. "
            "Look at one column at a time: prediction[:, i], target[:, i]."
        )


def _require_known(where: str, predicted: Array, expected: Array, classes: int) -> None:
    require_labels(
        where, predicted, expected, classes=classes, way_out="Number the classes from 0, a column of scores for each."
    )


def _counts(predicted: Array, expected: Array, classes: int, several: bool) -> tuple[Array, Array, Array]:
    """For each class: how often rightly predicted, predicted, there."""
    if several:
        return (predicted & expected).sum(axis=0), predicted.sum(axis=0), expected.sum(axis=0)
    _require_known("f1_score", predicted, expected, classes)
    parts = (predicted[predicted == expected], predicted, expected)
    hits, found, there = (np.bincount(part, minlength=classes) for part in parts)
    return hits, found, there


def _area(scores: Array, belongs: Array, name: str) -> float:
    """By the ranks of the scores, from 1; equal scores share the mean of their ranks."""
    inside = int(belongs.sum())
    outside = len(belongs) - inside
    if not inside or not outside:
        raise UndefinedMetricError(
            f"roc_auc_score: expected rows of class {name} and rows of others, got "
            f"{inside} and {outside}. The area is not defined without both: give data that holds them."
        )
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[belongs].sum() - inside * (inside + 1) / 2) / (inside * outside))
