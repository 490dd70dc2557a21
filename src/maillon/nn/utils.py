"""What is done to gradients between backward and the rule's step."""

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from maillon.nn.module import Module
from maillon.nn.parameter import Parameter
from maillon.typing import Array

_EPS = 1e-6  # PyTorch's, beside the norm in the divisor
_SQUARES = (1e-200, 1e300)  # where a sum of squares has neither overflowed nor lost what counts


def clip_grad_norm_(
    parameters: Parameter | Iterable[Parameter],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale the gradients down together where their norm is above `max_norm`.

    g ← g · min(1, max_norm / (‖g‖ + 1e-6)), where ‖g‖ = (Σ |gᵢ|ᵖ)^(1/p) goes over the entries of all gradients as one
    vector, summed in float64; with p = ∞ it is the largest |gᵢ|. The direction of the step stays the same.

    Parameters
    ----------
    parameters : Parameter or iterable of Parameter
        Those whose grad is None are passed over; one given twice counts once.
    max_norm : float
        The norm to come down to, ≥ 0.
    norm_type : float
        p > 0; `math.inf` is allowed.
    error_if_nonfinite : bool
        Raise RuntimeError for a norm that is NaN or infinite, with nothing changed. Otherwise the gradients
        become NaN or zero, as in PyTorch.

    Returns
    -------
    float
        The norm before.

    Raises
    ------
    ValueError
        For a max_norm below 0 or NaN, and a norm_type not above 0.
    TypeError
        For what is no Parameter.

    Notes
    -----
    A grad that changes is replaced by a new array, never written into.

    References
    ----------
    Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks", 2013, algorithm 1. The form is
    PyTorch's.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.zeros(2), grad=np.array([3.0, 4.0]))
    >>> maillon.nn.utils.clip_grad_norm_([p], max_norm=1.0), p.grad.round(3)
    (5.0, array([0.6, 0.8]))
    """
    largest = _number("clip_grad_norm_", "max_norm", max_norm)
    power = float(norm_type)
    if not power > 0:
        raise ValueError(f"clip_grad_norm_: expected norm_type > 0, math.inf included, got {norm_type!r}.")
    listed = _with_gradients("clip_grad_norm_", parameters)
    norm = total_norm([grad for _, grad in listed], power)
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(
            f"clip_grad_norm_: the gradients' norm of order {power:g} is {norm}, it cannot be clipped. Lower the rate "
            "or look for the first gradient that is not finite; error_if_nonfinite=False scales all the same."
        )
    scale = largest / (norm + _EPS)
    if not scale >= 1:  # NaN must spread
        with np.errstate(invalid="ignore"):
            for parameter, grad in listed:
                parameter.grad = grad * scale
    return norm


def clip_grad_value_(parameters: Parameter | Iterable[Parameter], clip_value: float) -> None:
    """Bring every entry of the gradients into [−clip_value, clip_value].

    g ← min(max(g, −c), c), entry by entry. Unlike a clipped norm it turns the step's direction.

    Parameters
    ----------
    parameters : Parameter or iterable of Parameter
        Those whose grad is None are passed over.
    clip_value : float
        c ≥ 0.

    Raises
    ------
    ValueError
        For a clip_value below 0 or NaN.
    TypeError
        For what is no Parameter.

    Notes
    -----
    The grads are replaced by new arrays, never written into. NaN stays NaN.

    References
    ----------
    Mikolov, "Statistical language models based on neural networks", 2012. The form is PyTorch's.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> p = maillon.Parameter(np.zeros(2), grad=np.array([3.0, -0.5]))
    >>> maillon.nn.utils.clip_grad_value_(p, 1.0); p.grad
    array([ 1. , -0.5])
    """
    bound = _number("clip_grad_value_", "clip_value", clip_value)
    with np.errstate(over="ignore"):  # a bound beyond float32 is none
        for parameter, grad in _with_gradients("clip_grad_value_", parameters):
            parameter.grad = np.minimum(np.maximum(grad, -bound), bound)


def total_norm(grads: list[Array], power: float = 2.0) -> float:
    """The p-norm (Σ |gᵢ|ᵖ)^(1/p) over the entries of all arrays, summed in float64.

    Parameters
    ----------
    grads : list of ndarray
        The arrays.
    power : float
        p > 0; `math.inf` takes the largest |gᵢ|.

    Returns
    -------
    float
        The norm.
    """
    if power == 2:
        with np.errstate(over="ignore", invalid="ignore"):
            squares = float(sum(np.square(grad, dtype=np.float64).sum() for grad in grads))
        if _SQUARES[0] < squares < _SQUARES[1]:
            return math.sqrt(squares)
    # relative to the largest entry, no power overflows and none that counts is lost
    largest = float(np.max([np.abs(grad).max(initial=0.0) for grad in grads], initial=0.0))
    if power == math.inf or largest == 0 or not math.isfinite(largest):
        return largest
    parts = [np.abs(np.asarray(grad, np.float64)) / largest for grad in grads]
    return float(largest * sum(np.power(part, power).sum() for part in parts) ** (1 / power))


def _with_gradients(where: str, parameters: Any) -> list[tuple[Parameter, Array]]:
    """Each parameter that has a gradient, once, and that gradient."""
    if isinstance(parameters, Module) or not isinstance(parameters, Parameter | Iterable):
        raise _no_parameters(where, parameters)
    listed = [parameters] if isinstance(parameters, Parameter) else list(parameters)
    if not listed and isinstance(parameters, Iterator):
        warnings.warn(f"{where}: the iterator has no parameters (left?), nothing is clipped.", stacklevel=3)
    for parameter in listed:
        if not isinstance(parameter, Parameter):
            raise _no_parameters(where, parameter)
    return [(parameter, parameter.grad) for parameter in dict.fromkeys(listed) if parameter.grad is not None]


def _no_parameters(where: str, got: Any) -> TypeError:
    return TypeError(f"{where}: expected Parameters, got {type(got).__name__}. Give network.parameters(), say.")


def _number(where: str, name: str, value: Any) -> float:
    number = float(value)
    if not number >= 0:
        raise ValueError(f"{where}: expected {name} ≥ 0, got {value!r}.")
    return number
