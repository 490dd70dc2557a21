"""What a perceptron is to learn: how many outputs, by which loss, from which targets, and how well."""

import math
from typing import Any

import numpy as np
from scipy.special import expit, xlogy

from maillon import nn
from maillon.nn import Loss, Module
from maillon.sklearn.labels import Labels
from maillon.typing import Array, DType


class Task:
    """A loss on the outputs of a network, and what it takes.

    Parameters
    ----------
    outputs : int
        Those of the network.
    loss : Loss
        A mean over samples, or over samples and outputs.
    end : Module or None
        The link that makes probabilities of the outputs.
    end_name : str
        Its name in scikit-learn, or what else follows the outputs: 'exp'.
    times : float
        A factor on the loss that is learnt from: it makes a mean over outputs a sum.
    shown : float
        One on this loss where it is shown.
    """

    stratified = False
    """Whether what is held out has as many samples of each class, in proportion."""

    def __init__(
        self,
        outputs: int,
        loss: Loss,
        end: Module | None = None,
        end_name: str = "identity",
        *,
        times: float = 1.0,
        shown: float = 1.0,
    ) -> None:
        self.outputs, self.loss, self.end, self.end_name = outputs, loss, end, end_name
        self.times, self.shown = times, shown

    def targets(self, y: Array, dtype: DType) -> Array:
        """What the loss takes."""
        return y.astype(dtype, copy=False)

    def predicted(self, outputs: Array) -> Array:
        """What outputs of the network mean, as y is given."""
        return outputs

    def constant(self, y: Array, weight: Array | None) -> float:
        """What is added to the loss where it is shown."""
        return 0.0

    def score(self, outputs: Array, y: Array, weight: Array | None) -> float:
        """R², a mean over the columns; NaN where an output is not finite."""
        return _r2(y, self.predicted(outputs), weight, together=False)


class Poisson(Task):
    """Half the Poisson deviance Σ y log(y / ŷ) − y + ŷ of counts, with ŷ = exp(output)."""

    def __init__(self, columns: int) -> None:
        super().__init__(columns, nn.PoissonNLLLoss(), None, "exp", times=columns)

    def predicted(self, outputs: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.exp(outputs)

    def constant(self, y: Array, weight: Array | None) -> float:
        y = y.astype(np.float64)
        return float(np.average(xlogy(y, y) - y, axis=0, weights=weight).sum())


class Reconstruction(Task):
    """The input itself, as numbers, or as probabilities with end_name='logistic'."""

    def predicted(self, outputs: Array) -> Array:
        return expit(outputs) if self.end is not None else outputs

    def score(self, outputs: Array, y: Array, weight: Array | None) -> float:
        """How much of the variance is given back."""
        return _r2(y, self.predicted(outputs), weight, together=True)


class Classification(Task):
    """Classes: y are the columns of `Labels.binarised`.

    Parameters
    ----------
    loss : str, type or Loss
        'log_loss', or a loss of scores: of labels, or of one number an output.
    labels : Labels
        The classes.
    """

    def __init__(self, loss: Any, labels: Labels) -> None:
        own, columns = loss_of(loss), labels.columns
        self.takes_labels = own.takes_labels if own is not None else labels.kind == "multiclass"
        if self.takes_labels and labels.kind == "multilabel-indicator":
            raise ValueError(f"loss: {own!r} takes one class a sample, and y has several. Take BCEWithLogitsLoss.")
        if self.takes_labels or labels.kind == "multiclass":
            super().__init__(max(columns, 2), own or nn.CrossEntropyLoss(), nn.Softmax(1), "softmax")
        else:
            times = 1.0 if own is not None else float(columns)
            super().__init__(columns, own or nn.BCEWithLogitsLoss(), nn.Sigmoid(), "logistic", times=times)
        self.stratified = columns == 1

    def targets(self, y: Array, dtype: DType) -> Array:
        if not self.takes_labels:
            return y.astype(dtype)
        return y[:, 0].astype(np.int64) if y.shape[1] == 1 else y.argmax(axis=1)

    def predicted(self, outputs: Array) -> Array:
        return chosen(outputs, self.end_name, 0.0)

    def score(self, outputs: Array, y: Array, weight: Array | None) -> float:
        """The part of samples whose classes are all right."""
        return float(np.average((self.predicted(outputs) == y).all(axis=1), weights=weight))


def chosen(outputs: Array, end_name: str, even: float) -> Array:
    """The columns of the classes chosen; even: the output that says neither yes nor no."""
    if end_name != "softmax":
        return outputs > even
    best = outputs.argmax(axis=1)[:, None]
    return best == 1 if outputs.shape[1] == 2 else best == np.arange(outputs.shape[1])


def regression(loss: Any, columns: int, kind: type[Task] = Task) -> Task:
    """Numbers.

    Parameters
    ----------
    loss : str, type or Loss
        'squared_error' (½ (ŷ − y)²), 'poisson', or a loss of one number an output.
    columns : int
        How many numbers a sample.
    kind : type
        The task's class.

    Returns
    -------
    Task
        The task.
    """
    if loss == "squared_error":
        return kind(columns, nn.HalfMSELoss(), times=columns, shown=1 / columns)
    if loss == "poisson":
        return Poisson(columns)
    if loss == "log_loss":
        return kind(columns, nn.BCEWithLogitsLoss(), nn.Sigmoid(), "logistic", times=columns)
    own = loss_of(loss)
    if own is None or own.takes_labels:
        raise ValueError(f"loss: {own!r} takes class labels. For numbers take HuberLoss, for instance.")
    return kind(columns, own)


def loss_of(given: Any) -> Loss | None:
    """A loss of maillon or of the user's own, given as a class or an instance; None for a name of scikit-learn's.

    Raises
    ------
    TypeError, ValueError
        For anything else, and for another reduction than the mean.
    """
    if isinstance(given, str):
        return None
    loss = given() if isinstance(given, type) and issubclass(given, Loss) else given
    if not isinstance(loss, Loss):
        raise TypeError(f"loss: expected a name, or a class or an instance of maillon.nn.Loss, got {given!r}.")
    if loss.reduction != "mean":
        raise ValueError(f"loss: expected reduction='mean', got {loss!r}: alpha and weights go by means.")
    return loss


def _r2(y: Array, predicted: Array, weight: Array | None, *, together: bool) -> float:
    """R² as scikit-learn's r2_score, without its checks; together: of all columns, instead of the mean of theirs."""
    if not np.isfinite(predicted).all():
        return math.nan
    y = y.astype(np.float64)
    error = np.average((y - predicted) ** 2, axis=0, weights=weight)
    spread = np.average((y - np.average(y, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
    if together and spread.any():  # a column that does not vary counts nothing then
        return float(1 - error[spread > 0].sum() / spread.sum())
    # A column that does not vary is predicted exactly, 1, or not, 0.
    return float(np.mean(np.where(spread > 0, 1 - error / np.where(spread > 0, spread, 1), error == 0)))
