"""Losses of regression: robust to outliers, of distributions, counts, and means with their variance."""

import math
from typing import Any, ClassVar

import numpy as np

from maillon.nn.linear.distance import summed_to
from maillon.nn.loss import Loss, require_like
from maillon.nn.support import arguments, errors
from maillon.typing import Array


class _Huber(Loss):
    """What Huber's loss and its rescaled form share: a parabola inside ± a bound, straight lines outside.

    With z = min(|e|, bound): l = z (|e| − z / 2), and de = clip(e, −bound, bound).
    """

    def _huber(self, error: Array, bound: float) -> tuple[Array, Array]:
        size = np.abs(error)
        inner = np.minimum(size, bound)
        return inner * (size - inner / 2), np.clip(error, -bound, bound)

    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return slope * grad_elements


class HuberLoss(_Huber):
    """Huber's loss: l = ½ e² where |e| ≤ δ, else δ (|e| − δ / 2), for e = ŷ − y; dŷ = clip(e, −δ, δ) dl.

    Parameters
    ----------
    reduction : str
        'mean', 'sum' or 'none'.
    delta : float
        δ > 0: where the parabola ends and the lines begin.

    Raises
    ------
    LinkShapeError
        When the shapes differ.

    Notes
    -----
    prediction ŷ, target y: any shape, the same.

    References
    ----------
    Huber, "Robust Estimation of a Location Parameter", 1964.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.HuberLoss(reduction="sum", delta=2.0)
    >>> float(loss(np.array([1.0, 5.0]), np.zeros(2)))
    8.5
    >>> loss.backward()
    array([1., 2.])
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = float(arguments.number("HuberLoss", "delta", delta, 0, above=True))

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        value, slope = self._huber(prediction - target, self.delta)
        return value, (slope,)


class SmoothL1Loss(_Huber):
    """Huber's loss with slopes of ±1: l = e² / 2β where |e| < β, else |e| − β / 2, for e = ŷ − y.

    Derivative: dŷ = clip(e / β, −1, 1) dl. With β = 0 it is L1Loss, and its derivative at 0 is 0.

    Parameters
    ----------
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean', 'sum' or 'none'.
    beta : float
        β ≥ 0: where the parabola ends and the lines begin.

    Raises
    ------
    LinkShapeError
        When the shapes differ.

    Notes
    -----
    prediction ŷ, target y: any shape, the same.

    References
    ----------
    Girshick, "Fast R-CNN", 2015.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.SmoothL1Loss(reduction="sum", beta=2.0)
    >>> float(loss(np.array([1.0, 5.0]), np.zeros(2)))
    4.25
    >>> loss.backward()
    array([0.5, 1. ])
    """

    def __init__(
        self, size_average: None = None, reduce: None = None, reduction: str = "mean", beta: float = 1.0
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = float(arguments.number("SmoothL1Loss", "beta", beta, 0))

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        error = prediction - target
        if not self.beta:
            return np.abs(error), (np.sign(error),)
        value, slope = self._huber(error, self.beta)
        return value / self.beta, (slope / self.beta,)


class KLDivLoss(Loss):
    """The Kullback–Leibler divergence KL(y ‖ p) of log-probabilities x = log p: l = y (log y − x), dx = −y dl.

    With log_target the target is log y: l = e^t (t − x), dx = −e^t dl. Where y = 0, l = 0.

    Parameters
    ----------
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'batchmean' (the divergence: the sum divided by the first dimension), 'mean' (over all elements), 'sum'
        or 'none'.
    log_target : bool
        Whether the target is given as logarithms.

    Raises
    ------
    LinkShapeError
        When the shapes differ.

    Notes
    -----
    prediction x: log-probabilities (from LogSoftmax), any shape; target: probabilities of that shape, or their
    logarithms.

    References
    ----------
    Kullback, Leibler, "On Information and Sufficiency", 1951.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.KLDivLoss(reduction="batchmean")
    >>> float(loss(np.log([[0.5, 0.5]]), np.array([[1.0, 0.0]])).round(4))
    0.6931
    >>> loss.backward()
    array([[-1., -0.]])
    """

    reductions: ClassVar[tuple[str, ...]] = ("mean", "sum", "none", "batchmean")

    def __init__(
        self, size_average: None = None, reduce: None = None, reduction: str = "mean", log_target: bool = False
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = arguments.flag("KLDivLoss", "log_target", log_target)

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # a target that is no probability: NaN
            share = np.exp(target) if self.log_target else target
            log_share = target if self.log_target else np.log(np.where(target == 0, 1, target))
            return share * log_share - share * prediction, (share,)

    def elements_backward(self, grad_elements: Array, share: Array) -> Array:
        return -share * grad_elements

    def count(self, elements: Array, kept: tuple[Any, ...]) -> float:
        if self.reduction == "batchmean":
            return elements.shape[0] if elements.ndim else 1
        return super().count(elements, kept)


class PoissonNLLLoss(Loss):
    """Negative log-likelihood of counts y under a Poisson law of rate λ: l = λ − y log λ (+ log y!).

    With log_input the prediction is x = log λ: l = eˣ − y x, dx = (eˣ − y) dl. Without it the prediction is λ itself:
    l = λ − y log(λ + ε), dλ = (1 − y / (λ + ε)) dl.

    Parameters
    ----------
    log_input : bool
        Whether the prediction is log λ.
    full : bool
        Add log y! by Stirling's formula, y log y − y + ½ log(2πy), where y > 1.
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    eps : float
        ε > 0, which keeps log(λ + ε) finite.
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
    prediction: any shape; target: counts of that shape, real or integer.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.PoissonNLLLoss(reduction="sum")
    >>> float(loss(np.zeros(2), np.array([3.0, 1.0])))
    2.0
    >>> loss.backward()
    array([-2.,  0.])
    """

    takes_integers = True
    _called = "log_input"

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: None = None,
        eps: float = 1e-8,
        reduce: None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = arguments.flag("PoissonNLLLoss", "log_input", log_input)
        self.full = arguments.flag("PoissonNLLLoss", "full", full)
        self.eps = float(arguments.number("PoissonNLLLoss", "eps", eps, 0, finite=True))

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if not inputs and "log_input" in named:  # what PyTorch calls the prediction here
            inputs = (named.pop("log_input"),)
        return super().__call__(*inputs, **named)

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # a rate too large, or below 0
            if self.log_input:
                rate = np.exp(prediction)
                value, slope = rate - target * prediction, rate - target
            else:
                shifted = prediction + self.eps
                value, slope = prediction - target * np.log(shifted), 1 - target / shifted
        if self.full:
            value = value + _log_factorial(target)
        return value, (slope,)

    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return slope * grad_elements


def _log_factorial(y: Array) -> Array:
    """Stirling's formula where y > 1, else 0."""
    large = np.where(y > 1, y, 1)
    return np.where(y > 1, large * np.log(large) - large + 0.5 * np.log(2 * math.pi * large), 0)


class GaussianNLLLoss(Loss):
    """Negative log-likelihood under a normal law of mean μ and variance v: l = ½ (log v + (μ − y)² / v).

    Derivatives: dμ = (μ − y) / v dl, dv = ½ (1 / v − (μ − y)² / v²) dl. Below eps the variance counts as eps, and its
    derivative is the one there, as in PyTorch: a variance that has collapsed can grow again.

    Parameters
    ----------
    full : bool
        Add the constant ½ log 2π.
    eps : float
        > 0: the least variance.
    reduction : str
        'mean', 'sum' or 'none'.

    Raises
    ------
    LinkShapeError
        For shapes that do not go together.
    LinkValueError
        For a negative variance.

    Notes
    -----
    prediction μ: any shape. target y: the same, or with a single dimension of 1 in its place. var v ≥ 0: the same, or
    with a single dimension of 1 in its place, or without the last dimension, or one number (which has no gradient).
    backward returns (dμ, None, dv). A network that is trained with it returns the tuple (μ, v).

    References
    ----------
    Nix, Weigend, "Estimating the Mean and Variance of the Target Probability Distribution", 1994.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> loss = maillon.GaussianNLLLoss(reduction="sum")
    >>> float(loss(np.array([1.0, 2.0]), np.array([0.0, 2.0]), np.array([1.0, 1.0])))
    0.5
    >>> loss.backward()
    (array([1., 0.]), None, array([0. , 0.5]))
    """

    predicted: ClassVar[tuple[bool, ...]] = (True, False, True)

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = arguments.flag("GaussianNLLLoss", "full", full)
        self.eps = float(arguments.number("GaussianNLLLoss", "eps", eps, 0, above=True, finite=True))

    def forward(  # type: ignore[override]  # it has a second prediction
        self, prediction: Array, target: Array, var: Array | float, sample_weight: Array | None = None
    ) -> Any:
        return self.reduced((prediction, target, var), sample_weight)

    def check(self, prediction: Array, target: Array, var: Array | float) -> None:
        errors.require_floating(self, "prediction", prediction)
        if isinstance(target, np.ndarray) and _one_dimension_less(target.shape, prediction.shape):
            target = np.broadcast_to(target, prediction.shape)
        require_like(self, "target", target, "prediction", prediction)
        if isinstance(var, np.ndarray):
            if var.dtype != prediction.dtype:
                raise errors.wrong_input(self, "var", var, prediction.dtype)
            shape, wanted = var.shape, prediction.shape
            if shape not in (wanted, wanted[:-1]) and not _one_dimension_less(shape, wanted):
                way_out = "Give one variance an element, or a 1 in place of one dimension."
                raise errors.wrong_shape(self, "var", f"{wanted}, the prediction's", shape, way_out)
        elif not arguments.is_number(var):
            raise errors.wrong_input(self, "var", var, prediction.dtype)
        if np.any(np.asarray(var) < 0):
            raise errors.LinkValueError(
                f"{self!r}: expected var ≥ 0, got {np.min(var):.6g}. End the network's second output in Softplus()."
            )

    def elements(self, prediction: Array, target: Array, var: Array | float) -> tuple[Array, tuple[Any, ...]]:
        given = np.asarray(var, prediction.dtype)
        spread = given[..., None] if given.shape == prediction.shape[:-1] and given.ndim < prediction.ndim else given
        clipped = np.maximum(spread, self.eps)
        error = prediction - target
        value = 0.5 * (np.log(clipped) + error * error / clipped)
        constant = 0.5 * math.log(2 * math.pi) if self.full else 0.0
        return value + constant, (error, clipped, given.shape if isinstance(var, np.ndarray) else None)

    def elements_backward(self, grad_elements: Array, error: Array, var: Array, shape: Any) -> tuple[Array, Any]:
        scaled = error / var
        dvar = 0.5 * (1 / var - scaled * scaled) * grad_elements
        return scaled * grad_elements, None if shape is None else summed_to(var.shape, dvar).reshape(shape)


def _one_dimension_less(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether exactly one dimension is 1 where another number is wanted."""
    return len(shape) == len(wanted) and [n for n, other in zip(shape, wanted, strict=True) if n != other] == [1]
