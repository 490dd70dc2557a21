"""Losses that ask for a margin: between two answers, or between the right classes and all others."""

import math
from typing import Any, ClassVar

import numpy as np

from maillon.nn.activations.basic import sigmoid
from maillon.nn.loss import Loss, weight_array
from maillon.nn.losses.classification import check_range
from maillon.nn.support import arguments, errors
from maillon.typing import Array


def check_signs(loss: Loss, target: Array) -> None:
    """Raise unless every target is 1 (they belong together) or −1 (they do not)."""
    wrong = np.abs(target) != 1
    if wrong.any():
        at = np.unravel_index(np.argmax(wrong), target.shape)
        raise errors.LinkValueError(
            f"{loss!r}: expected target of 1 and −1, got {target[at]:g} at index {tuple(map(int, at))}. Of 0 and 1 "
            "make them with 2 * target - 1."
        )


class HingeEmbeddingLoss(Loss):
    """Small distances for what is alike, large ones for what is not: l = x where y = 1, max(0, Δ − x) where y = −1.

    Derivative: dx = dl where y = 1, −dl where y = −1 and x ≤ Δ, else 0.

    Parameters
    ----------
    margin : float
        Δ: any number.
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean', 'sum' or 'none'.

    Raises
    ------
    LinkShapeError
        When the shapes differ.
    LinkValueError
        For another y.

    Notes
    -----
    prediction x: a distance, any shape; target y: 1 or −1, the same shape, real or integer.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.HingeEmbeddingLoss(reduction="none")
    >>> loss(np.array([0.5, 0.25, 3.0]), np.array([1, -1, -1]))
    array([0.5 , 0.75, 0.  ])
    >>> loss.backward()
    array([ 1., -1.,  0.])
    """

    takes_integers = True

    def __init__(
        self, margin: float = 1.0, size_average: None = None, reduce: None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = float(arguments.number("HingeEmbeddingLoss", "margin", margin))

    def check(self, prediction: Array, target: Array) -> None:
        super().check(prediction, target)
        check_signs(self, target)

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        alike, gap = target > 0, self.margin - prediction
        slope = np.where(alike, 1, np.where(gap >= 0, -1, 0)).astype(prediction.dtype)
        return np.where(alike, prediction, np.maximum(gap, 0)), (slope,)

    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return slope * grad_elements


class MarginRankingLoss(Loss):
    """The right order of two scores: l = max(0, −y (x₁ − x₂) + Δ); dx₁ = −y dl, dx₂ = y dl where that is not cut off.

    Parameters
    ----------
    margin : float
        Δ: by how much.
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean', 'sum' or 'none'.

    Raises
    ------
    LinkShapeError
        When the shapes differ.

    Notes
    -----
    input1 x₁, input2 x₂: scores of any shape, the same. target y: 1 where x₁ should be the larger, −1 where x₂; that
    shape, real or integer. backward returns (dx₁, dx₂, None).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.MarginRankingLoss(margin=0.5, reduction="sum")
    >>> float(loss(np.array([1.0, 2.0]), np.array([3.0, 1.0]), np.array([1, 1])))
    2.5
    >>> loss.backward()
    (array([-1., -0.]), array([1., 0.]), None)
    """

    predicted: ClassVar[tuple[bool, ...]] = (True, True, False)
    takes_integers = True

    def __init__(
        self, margin: float = 0.0, size_average: None = None, reduce: None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = float(arguments.number("MarginRankingLoss", "margin", margin))

    def forward(  # type: ignore[override]  # it has a second prediction
        self, input1: Array, input2: Array, target: Array, sample_weight: Array | None = None
    ) -> Any:
        return self.reduced((input1, input2, target), sample_weight)

    def elements(self, input1: Array, input2: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        short = self.margin - target * (input1 - input2)
        return np.maximum(short, 0), (target * (short >= 0),)

    def elements_backward(self, grad_elements: Array, slope: Array) -> tuple[Array, Array]:
        return -slope * grad_elements, slope * grad_elements


class SoftMarginLoss(Loss):
    """The logistic loss of a sign: l = log(1 + e^(−y x)); dx = −y / (1 + e^(y x)) dl.

    Parameters
    ----------
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean', 'sum' or 'none'.

    Raises
    ------
    LinkShapeError
        When the shapes differ.

    Notes
    -----
    prediction x: scores of any size and shape; target y: 1 or −1, the same shape, real or integer.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.SoftMarginLoss(reduction="sum")
    >>> float(loss(np.array([-1e4, 1e4]), np.array([1, 1])))
    10000.0
    >>> loss.backward()
    array([-1., -0.])
    """

    takes_integers = True

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        agreement = target * prediction
        return np.logaddexp(0, -agreement), (-target * sigmoid(-agreement),)

    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return slope * grad_elements


class MultiMarginLoss(Loss):
    """The right class ahead of all others: l = w_t / C Σ_{j≠t} max(0, Δ − x_t + x_j)^p for the right class t.

    Derivative, with h_j = w_t p / C max(0, Δ − x_t + x_j)^(p−1) where that is not cut off: dx_j = h_j dl, and
    dx_t = −Σ_j h_j dl.

    Parameters
    ----------
    p : int
        1 or 2.
    margin : float
        Δ: any number.
    weight : array, optional
        w: one number a class.
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean' (over the samples), 'sum' or 'none'.

    Raises
    ------
    LinkShapeError, LinkDtypeError
        For shapes and dtypes that do not go together.
    LinkValueError
        For a label out of range.

    Notes
    -----
    prediction x: scores (C) or (N, C); target t: labels 0…C−1 of shape () or (N).

    References
    ----------
    Crammer and Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines", 2001.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.MultiMarginLoss()
    >>> float(loss(np.array([[0.5, 2.0, 1.0, -1.0]]), np.array([1])))
    0.0
    >>> float(loss(np.array([[0.5, 2.0, 1.0, -1.0]]), np.array([2])))
    0.625
    >>> loss.backward()
    array([[ 0.25,  0.25, -0.5 ,  0.  ]])
    """

    takes_labels = True
    weight: Array | None

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Any = None,
        size_average: None = None,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if not arguments.is_integer(p) or p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: expected p to be 1 or 2, got {p!r}.")
        self.p = int(p)
        self.margin = float(arguments.number("MultiMarginLoss", "margin", margin))
        weights = weight_array("MultiMarginLoss", weight)
        if weights is not None and weights.ndim != 1:
            raise ValueError(f"MultiMarginLoss: expected weight to hold one number a class, got shape {weights.shape}.")
        self.register_buffer("weight", weights)

    def check(self, prediction: Array, target: Array) -> None:
        classes = _check_scores(self, prediction, target)
        if self.weight is not None and self.weight.shape != (classes,):
            raise errors.wrong_shape(self, "weight", (classes,), self.weight.shape, "Give one number a class.")
        expected = prediction.shape[:-1]
        if target.shape != expected and (target.ndim > 1 or target.size != 1 or math.prod(expected) != 1):
            way_out = "Give one label a sample."
            raise errors.wrong_shape(self, "class labels", expected, target.shape, way_out)
        check_range(self, target, classes)

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        scores = np.atleast_2d(prediction)
        labels = target.reshape(len(scores)).astype(np.int64)
        classes = scores.shape[-1]
        right = labels[:, None] == np.arange(classes)
        score = np.take_along_axis(scores, labels[:, None], axis=-1)
        short = np.where(right, 0, np.maximum(self.margin - score + scores, 0))
        weight = 1 if self.weight is None else self.weight[labels].astype(scores.dtype)[:, None]
        slope = (short > 0).astype(scores.dtype) if self.p == 1 else 2 * short
        value = (weight * short**self.p).sum(axis=-1) / classes
        return value.reshape(target.shape), (slope * weight / scores.dtype.type(classes), right, prediction.shape)

    def elements_backward(self, grad_elements: Array, slope: Array, right: Array, shape: tuple[int, ...]) -> Array:
        grad = slope * np.reshape(grad_elements, (-1, 1))
        return (grad - right * grad.sum(axis=-1, keepdims=True)).reshape(shape)


class MultiLabelMarginLoss(Loss):
    """All right classes t ahead of all others i: l = 1 / C Σ_t Σ_i max(0, 1 − x_t + x_i).

    Derivative, with h_ti = 1 / C where 1 − x_t + x_i > 0, else 0: dx_i = Σ_t h_ti dl, dx_t = −Σ_i h_ti dl.

    Parameters
    ----------
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean' (over the samples), 'sum' or 'none'.

    Raises
    ------
    LinkShapeError, LinkDtypeError
        For shapes and dtypes that do not go together.
    LinkValueError
        For a label out of range.

    Notes
    -----
    prediction x: scores (C) or (N, C). target: of that shape, integers: first the right classes 0…C−1 of the sample,
    then −1, and nothing counts from there on; a class listed twice counts twice.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.MultiLabelMarginLoss()
    >>> float(loss(np.array([[0.1, 0.2, 0.4, 0.8]]), np.array([[3, 0, -1, 1]])).round(4))
    0.85
    >>> loss.backward()
    array([[-0.5,  0.5,  0.5, -0.5]])
    """

    takes_labels = True

    def check(self, prediction: Array, target: Array) -> None:
        classes = _check_scores(self, prediction, target)
        single = max(prediction.ndim, target.ndim) <= 1 and target.size == prediction.size == 1
        if target.shape != prediction.shape and not single:
            way_out = "Fill the rows up with -1."
            raise errors.wrong_shape(self, "class labels", prediction.shape, target.shape, way_out)
        check_range(self, target, classes, exempt=-1)

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        shape, prediction, target = prediction.shape, np.atleast_1d(prediction), np.atleast_1d(target)
        classes = prediction.shape[-1]
        listed = np.logical_and.accumulate(target >= 0, axis=-1)
        named = (target[..., None] == np.arange(classes)) & listed[..., None]  # (N, place in the list, class)
        scores = np.take_along_axis(prediction, np.where(listed, target, 0).astype(np.int64), axis=-1)
        others = listed[..., None] & ~named.any(axis=-2)[..., None, :]
        short = np.where(others, np.maximum(1 - scores[..., None] + prediction[..., None, :], 0), 0)
        hits = (short > 0) / prediction.dtype.type(classes)
        slope = hits.sum(axis=-2) - (named * hits.sum(axis=-1, keepdims=True)).sum(axis=-2)
        return short.sum(axis=(-2, -1)) / classes, (slope, shape)

    def elements_backward(self, grad_elements: Array, slope: Array, shape: tuple[int, ...]) -> Array:
        return (slope * grad_elements[..., None]).reshape(shape)


def _check_scores(loss: Loss, prediction: Array, target: Array) -> int:
    """The number of classes, once it is sure that there are scores and integer labels; a number is one class."""
    errors.require_floating(loss, "prediction", prediction)
    if prediction.ndim > 2:
        raise errors.wrong_shape(loss, "prediction", "(C) or (N, C)", prediction.shape, "Give one score a class.")
    if not isinstance(target, np.ndarray) or target.dtype.kind not in "iu":
        raise errors.wrong_input(loss, "target", target, np.dtype(np.int64))
    return int(prediction.shape[-1]) if prediction.ndim else 1
