"""Loss: the last link, whose output is the number to make small."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from maillon.nn.module import Module
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import as_array
from maillon.typing import Array

USUAL = (True, False)
"""One prediction and one target."""


class Loss(Module):
    """A loss gives the value of each element; this base reduces them and goes back.

    Parameters
    ----------
    size_average : None
        PyTorch's old word for `reduction`: refused unless None.
    reduce : None
        PyTorch's old word for `reduction`: refused unless None.
    reduction : str
        'mean' (Σ lᵢ / their number), 'sum', or 'none' (the elements themselves).

    Notes
    -----
    sample_weight: wᵢ ≥ 0, one a sample (first dimension). The elements become wᵢ lᵢ and 'mean' still divides by the
    same number, so that a weight of 2 counts a sample twice in every mini-batch. `backward(grad_output=None)` is the
    derivative of the loss's own value with respect to the prediction; None stands for 1, or for ones with
    reduction='none'. The target is data and has no gradient. A loss of several predictions returns a tuple in the order
    of forward's arguments, None for the target.

    Examples
    --------
    A loss of your own defines `elements` and its derivative:

    >>> import numpy as np, maillon
    >>> class Quartic(maillon.Loss):
    ...     def elements(self, prediction, target):
    ...         error = prediction - target
    ...         return error**4, (error,)
    ...     def elements_backward(self, grad_elements, error):
    ...         return 4 * error**3 * grad_elements
    >>> loss = Quartic()
    >>> float(loss(np.array([1.0, 2.0]), np.zeros(2)))
    8.5
    >>> loss.backward()
    array([ 2., 16.])

    A loss of several predictions says in `predicted` which of forward's arguments they are, and hands all to `reduced`;
    `elements_backward` then returns one gradient for each.

    >>> class Laplace(maillon.Loss):
    ...     predicted = (True, False, True)
    ...     def forward(self, centre, target, scale, sample_weight=None):
    ...         return self.reduced((centre, target, scale), sample_weight)
    ...     def elements(self, centre, target, scale):
    ...         error = (centre - target) / scale
    ...         return abs(error) + np.log(2 * scale), (error, scale)
    ...     def elements_backward(self, grad_elements, error, scale):
    ...         return np.sign(error) / scale * grad_elements, (1 - abs(error)) / scale * grad_elements
    >>> loss = Laplace(reduction="sum")
    >>> float(loss(np.array([1.0, 3.0]), np.array([0.0, 0.0]), np.array([0.5, 0.5])))
    8.0
    >>> loss.backward()
    (array([2., 2.]), None, array([ -2., -10.]))
    """

    predicted: ClassVar[tuple[bool, ...]] = USUAL
    """For each of forward's arguments, whether it is a prediction, which has a gradient, or else a target."""

    reductions: ClassVar[tuple[str, ...]] = ("mean", "sum", "none")

    takes_labels: bool = False
    """Whether an integer target means class labels (else it is converted to the network's dtype)."""

    takes_integers: bool = False
    """Whether integer targets are numbers to compute with, and converted to the prediction's dtype."""

    denominator: float = 1.0
    """What the mean of the last forward was divided by."""

    shares: Array | float = 1.0
    """What each element of the last forward counts in the mean: 1, but for a loss that says otherwise."""

    def __init__(self, size_average: None = None, reduce: None = None, reduction: str = "mean") -> None:
        name = type(self).__name__
        errors.refuse(
            name,
            size_average=(size_average, None, errors.USE_REDUCTION),
            reduce=(reduce, None, errors.USE_REDUCTION),
        )
        self.reduction = arguments.one_of(name, "reduction", reduction, self.reductions)

    reduction: str = "mean"

    @property
    def averages(self) -> bool:
        """Whether the value is a mean, over the elements or the batch."""
        return self.reduction not in ("sum", "none")

    @property
    def targets(self) -> int:
        """How many of forward's arguments are targets."""
        return len(self.predicted) - sum(self.predicted)

    @property
    def argument_names(self) -> tuple[str, ...]:
        """What `forward` calls the predictions and targets."""
        return _parameters(type(self).forward)[1 : 1 + len(self.predicted)]

    def check(self, *inputs: Any) -> None:
        """Raise unless all have the first one's shape and dtype: nothing is broadcast silently."""
        first = inputs[0]
        if isinstance(first, np.ndarray) and first.dtype.char in "fd":  # every step asks: names are for errors alone
            for array in inputs[1:]:
                if type(array) is not np.ndarray or array.dtype != first.dtype or array.shape != first.shape:
                    break
            else:
                return
        names = self.argument_names
        errors.require_floating(self, names[0], first)
        for name, array in zip(names[1:], inputs[1:], strict=False):
            require_like(self, name, array, names[0], first)

    def elements(self, *inputs: Any) -> tuple[Array, tuple[Any, ...]]:
        """The value of each element, and what its derivative needs."""
        raise NotImplementedError(f"{type(self).__name__} has no elements()")

    def elements_backward(self, grad_elements: Array, *kept: Any) -> Any:
        """∂loss/∂prediction, from ∂loss/∂element: an array of the elements' shape, or one number for all.

        With several predictions a tuple, one gradient for each.
        """
        raise NotImplementedError(f"{type(self).__name__} has no elements_backward()")

    def count(self, elements: Array, kept: tuple[Any, ...]) -> float:
        """What 'mean' divides the sum by: the number of elements."""
        return elements.size

    def check_after(self, link: Module) -> None:
        """Raise when this loss makes no sense for the output of `link`, the network's last."""

    def forward(self, prediction: Array, target: Array, sample_weight: Array | None = None) -> Any:
        return self.reduced((prediction, target), sample_weight)

    def reduced(self, inputs: tuple[Any, ...], sample_weight: Array | None = None) -> Any:
        """The value of the loss for forward's arguments, which `backward` will be the derivative of."""
        if self.takes_integers:
            inputs = tuple(_as_real(part, inputs[0]) for part in inputs)
        self.check(*inputs)
        elements, kept = self.elements(*inputs)
        weight = None if sample_weight is None else self._per_sample(sample_weight, elements)
        weighted = elements if weight is None else elements * weight
        output = weighted if self.reduction == "none" else np.add.reduce(weighted, axis=None)
        if self.averages:  # the mean of nothing is not a number, as in PyTorch
            self.denominator = self.count(elements, kept)
            output = output / self.denominator if self.denominator else output.dtype.type(np.nan)
        return self.keep(output, elements, weight, kept, inputs[0].dtype)

    def backward(self, grad_output: Array | float | None = None) -> Any:
        """∂value/∂prediction, times grad_output; a tuple like forward's arguments with several predictions."""
        output = self.kept_output
        if output is None:
            raise errors.no_forward(self)
        grad = output.dtype.type(1) if grad_output is None else np.asarray(grad_output, output.dtype)
        if grad_output is not None and grad.shape != output.shape:
            raise errors.wrong_grad_output(self, output, grad)
        elements, weight, kept, dtype = self.__dict__.pop("_kept")[1]
        if self.averages:
            grad = grad / (self.denominator or 1)
        if weight is not None:
            grad = np.broadcast_to(grad * weight, elements.shape)
        grads = self.elements_backward(grad, *kept)
        if not isinstance(grads, tuple):
            return grads.astype(dtype, copy=False)
        each = iter(grads)
        return tuple(_as_dtype(next(each), dtype) if predicted else None for predicted in self.predicted)

    # Between a network and a loss: several predictions are a tuple there, several targets as well

    def arranged(self, prediction: Any, target: Any) -> tuple[Any, ...]:
        """forward's arguments, from a network's output and the target."""
        if self.predicted == USUAL:
            return prediction, target
        predictions = iter(self._parts("prediction", True, prediction))
        targets = iter(self._parts("target", False, target))
        return tuple(next(predictions if predicted else targets) for predicted in self.predicted)

    def of_predictions(self, grads: Any) -> Any:
        """What `backward` returned, nested like the network's output."""
        if not isinstance(grads, tuple) or sum(self.predicted) == 1:  # one prediction, maybe a tuple itself
            return grads
        return tuple(grad for grad, predicted in zip(grads, self.predicted, strict=True) if predicted)

    def _parts(self, kind: str, predicted: bool, given: Any) -> tuple[Any, ...]:
        roles = zip(self.argument_names, self.predicted, strict=True)
        names = [name for name, role in roles if role == predicted]
        parts = given if isinstance(given, tuple) and len(names) != 1 else () if given is None else (given,)
        if len(parts) != len(names):
            expected = f"a tuple of {len(names)} {kind}s ({', '.join(names)})" if len(names) > 1 else f"no {kind}"
            expected = expected if len(names) != 1 else f"a {kind}"
            way_out = "Leave y out." if not names else "End the network in them." if predicted else "Give them as y."
            raise errors.LinkShapeError(f"{self!r}: expected {expected}, got {_told(given)}. {way_out}")
        return parts

    def _per_sample(self, sample_weight: Array, elements: Array) -> Array:
        if not isinstance(sample_weight, np.ndarray) or sample_weight.dtype != elements.dtype:
            raise errors.wrong_input(self, "sample_weight", sample_weight, elements.dtype)
        if elements.ndim == 0 or sample_weight.shape != elements.shape[:1]:
            raise errors.wrong_shape(
                self, "sample_weight", elements.shape[:1], sample_weight.shape, "Give one weight a sample."
            )
        return sample_weight.reshape(-1, *(1,) * (elements.ndim - 1))


@functools.cache
def _parameters(forward: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(forward).parameters)


def require_like(loss: Loss, name: str, array: Any, first: str, prediction: Array) -> None:
    """Raise unless the array has the prediction's shape and dtype."""
    if not isinstance(array, np.ndarray) or array.dtype != prediction.dtype:
        raise errors.wrong_input(loss, name, array, prediction.dtype)
    require_shape(loss, name, array, first, prediction)


def require_shape(loss: Loss, name: str, array: Array, first: str, prediction: Array) -> None:
    """Raise unless the array has the prediction's shape."""
    if array.shape != prediction.shape:
        same = array.size == prediction.size
        way_out = f"Reshape it: {name}.reshape{prediction.shape}." if same else "They are compared one by one."
        if same and prediction.shape == (*array.shape, 1):
            way_out = f"Reshape it: {name}[:, None]."
        raise errors.wrong_shape(loss, name, f"{prediction.shape}, the {first}'s", array.shape, way_out)


def _as_real(part: Any, prediction: Any) -> Any:
    """Integers in the prediction's dtype, anything else as it is."""
    integers = isinstance(part, np.ndarray) and part.dtype.kind in "iub" and part is not prediction
    return part.astype(prediction.dtype) if integers and isinstance(prediction, np.ndarray) else part


def _as_dtype(grad: Any, dtype: Any) -> Any:
    return None if grad is None else grad.astype(dtype, copy=False)


def _told(given: Any) -> str:
    return f"{len(given)} of them" if isinstance(given, tuple) else "None" if given is None else "one array"


def weight_array(owner: str, weight: Any, name: str = "weight") -> Array | None:
    """A weight given to a loss, as an array of its own; it may be negative, as in PyTorch."""
    if weight is None:
        return None
    array = as_array(weight).copy()
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{owner}: expected {name} to be real numbers, got dtype {array.dtype}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{owner}: expected {name} to be finite, got {array.tolist()}.")
    return array
