"""Losses between a prediction and a target of the same shape."""

from typing import Any

import numpy as np

from maillon.nn.activations.basic import Sigmoid, sigmoid
from maillon.nn.loss import Loss, weight_array
from maillon.nn.module import Module
from maillon.nn.support import errors
from maillon.typing import Array

LOWEST_LOG = -100.0
"""Where the logarithm of a probability is cut off, as in PyTorch's BCELoss: log 0 would be infinite."""

_LEAST = float(np.float32(1e-12))  # of p (1 − p): in single precision, as PyTorch has it for both dtypes


class MSELoss(Loss):
    """Mean squared error: l = (ŷ − y)², dŷ = 2 (ŷ − y) dl, the mean over all elements.

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
    prediction, target: any shape, the same, float32 or float64.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.MSELoss()
    >>> float(loss(np.array([1.0, 3.0]), np.array([0.0, 1.0])))
    2.5
    >>> loss.backward()
    array([1., 2.])
    """

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        error = prediction - target
        return error * error, (error,)

    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        return error * (2 * grad_elements)


class HalfMSELoss(MSELoss):
    """Half of the mean squared error: l = ½ (ŷ − y)², dŷ = (ŷ − y) dl: a gradient without the factor 2.

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
    prediction, target: any shape, the same. PyTorch does not have this loss.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> float(maillon.HalfMSELoss()(np.array([1.0, 3.0]), np.array([0.0, 1.0])))
    1.25
    """

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        squares, kept = super().elements(prediction, target)
        return 0.5 * squares, kept

    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        return error * grad_elements


class L1Loss(Loss):
    """Mean absolute error: l = |ŷ − y|, dŷ = sign(ŷ − y) dl, 0 where they are equal.

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
    prediction, target: any shape, the same.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> float(maillon.L1Loss()(np.array([1.0, 3.0]), np.array([0.0, 1.0])))
    1.5
    """

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        error = prediction - target
        return np.abs(error), (np.sign(error),)

    def elements_backward(self, grad_elements: Array, sign: Array) -> Array:
        return sign * grad_elements


class _BinaryLoss(Loss):
    """What the binary cross-entropies share: a weight that rescales each element."""

    def __init__(
        self, weight: Any = None, size_average: None = None, reduce: None = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight_array(type(self).__name__, weight))

    def _scaled(self, factor: Array | None, x: Array, name: str) -> Array | float:
        """`factor` in x's dtype, once it is sure to broadcast against x."""
        if factor is None:
            return 1
        try:
            fits = np.broadcast_shapes(factor.shape, x.shape) == x.shape
        except ValueError:
            fits = False
        if not fits:
            raise errors.wrong_shape(
                self,
                name,
                f"that broadcasts to {x.shape}",
                factor.shape,
                "Give one value an element or a column.",
            )
        return factor.astype(x.dtype, copy=False)

    weight: Array | None


class BCELoss(_BinaryLoss):
    """Binary cross-entropy of probabilities: l = −w (y log p + (1 − y) log(1 − p)), dp = w (p − y) / (p (1 − p)) dl.

    Parameters
    ----------
    weight : array, optional
        w: rescales each element; anything that broadcasts.
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean', 'sum' or 'none'.

    Raises
    ------
    LinkValueError
        When p is outside [0, 1].
    LinkShapeError
        When the shapes differ.

    Notes
    -----
    prediction p in [0, 1] (what a Sigmoid gives), target y in [0, 1]: any shape, the same. Logarithms are cut off at
    −100 and p (1 − p) at 1e-12, as in PyTorch; BCEWithLogitsLoss needs no such cut.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> round(float(maillon.BCELoss()(np.array([0.5]), np.array([1.0]))), 6)
    0.693147
    """

    def check(self, prediction: Array, target: Array) -> None:
        super().check(prediction, target)
        check_probabilities(self, "prediction", prediction, "End the network in Sigmoid(), or use BCEWithLogitsLoss.")
        check_probabilities(self, "target", target, "A target is 0, 1 or a probability.")

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        weight = self._scaled(self.weight, prediction, "weight")
        log_p = clipped_log(prediction)
        with np.errstate(divide="ignore"):
            log_q = np.maximum(np.log1p(-prediction), LOWEST_LOG)
        return -weight * (target * log_p + (1 - target) * log_q), (prediction, target, weight)

    def elements_backward(self, grad_elements: Array, prediction: Array, target: Array, weight: Array) -> Array:
        slope = (prediction - target) / np.maximum(prediction * (1 - prediction), _LEAST)
        return weight * slope * grad_elements


class BCEWithLogitsLoss(_BinaryLoss):
    """Binary cross-entropy of logits: l = w ((1 − y) x + (1 + (c − 1) y) log(1 + e⁻ˣ)), p = 1 / (1 + e⁻ˣ).

    Derivative: dx = w ((1 − y) p − c y (1 − p)) dl; with c = 1 that is w (p − y) dl.

    Parameters
    ----------
    weight : array, optional
        w: rescales each element; anything that broadcasts.
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean', 'sum' or 'none'.
    pos_weight : array, optional
        c: weighs the positive class; anything that broadcasts.

    Raises
    ------
    LinkShapeError
        When the shapes differ.

    Notes
    -----
    prediction x: logits of any size; target y in [0, 1]: any shape, the same.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.BCEWithLogitsLoss(reduction="sum")
    >>> float(loss(np.array([-1e4, 1e4]), np.array([1.0, 1.0])))
    10000.0
    >>> loss.backward()
    array([-1.,  0.])
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: None = None,
        reduce: None = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", weight_array(type(self).__name__, pos_weight, "pos_weight"))

    pos_weight: Array | None

    def check_after(self, link: Module) -> None:
        if isinstance(link, Sigmoid):
            raise ValueError(
                f"{self!r}: expected a network that ends in logits, got one that ends in Sigmoid(), which the loss "
                "would apply a second time. Leave the Sigmoid out, or use BCELoss."
            )

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        weight = self._scaled(self.weight, prediction, "weight")
        positive = self._scaled(self.pos_weight, prediction, "pos_weight")
        softplus = np.log1p(np.exp(-np.abs(prediction))) + np.maximum(-prediction, 0)  # log(1 + e⁻ˣ)
        value = (1 - target) * prediction + (1 + (positive - 1) * target) * softplus
        return weight * value, (prediction, target, weight, positive)

    def elements_backward(
        self, grad_elements: Array, prediction: Array, target: Array, weight: Array, positive: Array
    ) -> Array:
        slope = (1 - target) * sigmoid(prediction) - positive * target * sigmoid(-prediction)
        return weight * slope * grad_elements


class MultiLabelSoftMarginLoss(_BinaryLoss):
    """Binary cross-entropy of the logits of C labels: l = −1 / C Σ_c w_c (y_c log p_c + (1 − y_c) log(1 − p_c)).

    p = 1 / (1 + e⁻ˣ). Derivative: dx_c = w_c / C (p_c − y_c) dl.

    Parameters
    ----------
    weight : array, optional
        w: one number a label, or whatever broadcasts.
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean' (over the samples), 'sum' or 'none'.

    Raises
    ------
    LinkShapeError
        When the shapes differ.

    Notes
    -----
    prediction x: logits of any size, (C), (N, C) or (*, C); target y in [0, 1]: that shape, real or integer.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.MultiLabelSoftMarginLoss()
    >>> float(loss(np.array([[-1e4, 1e4]]), np.array([[1, 1]])))
    5000.0
    >>> loss.backward()
    array([[-0.5,  0. ]])
    """

    takes_integers = True

    def check(self, prediction: Array, target: Array) -> None:
        super().check(prediction, target)
        if not prediction.ndim:
            raise errors.wrong_shape(self, "prediction", "(*, C)", (), "Give one score a label.")

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        weight = self._scaled(self.weight, prediction, "weight")
        classes = prediction.dtype.type(prediction.shape[-1])
        softplus = np.logaddexp(0, prediction)
        value = weight * (softplus - target * prediction)
        return value.sum(axis=-1) / classes, (weight * (sigmoid(prediction) - target) / classes,)

    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return slope * grad_elements[..., None]


def clipped_log(p: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(p), LOWEST_LOG)


def check_probabilities(loss: Loss, name: str, p: Array, way_out: str) -> None:
    """Raise unless all values are in [0, 1]; NaN passes, and makes the loss NaN, which training reports."""
    if p.size and (np.minimum.reduce(p, axis=None) < 0 or np.maximum.reduce(p, axis=None) > 1):
        at = np.unravel_index(np.argmax((p < 0) | (p > 1)), p.shape)
        raise errors.LinkValueError(
            f"{loss!r}: expected {name} in [0, 1], got {p[at]:.6g} at index {tuple(map(int, at))}. {way_out}"
        )
