"""Loss: the last link, whose output is the number to make small."""

from typing import Any

import numpy as np

from maillon.nn import errors
from maillon.nn.module import Module
from maillon.typing import Array

REDUCTIONS = ("mean", "sum", "none")


class Loss(Module):
    """A loss gives the value of each element; this base reduces them and walks back.

    reduction: 'mean' (Σ lᵢ / their number), 'sum', or 'none' (the elements themselves).
    sample_weight: wᵢ ≥ 0 a sample (first dimension); the elements become wᵢ lᵢ and 'mean' still divides by the
    same number, so that a weight of 2 counts a sample twice in every mini-batch.
    `backward(grad_output=None)` is the derivative of the loss's own value with respect to the prediction; None
    stands for 1, or for ones with reduction='none'. The target is data and has no gradient.

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
    """

    takes_labels: bool = False
    """Whether an integer target means class labels (else it is converted to the network's dtype)."""

    denominator: float = 1.0
    """What the mean of the last forward was divided by."""

    def __init__(self, size_average: None = None, reduce: None = None, reduction: str = "mean") -> None:
        name = type(self).__name__
        errors.refuse(
            name,
            size_average=(size_average, None, errors.USE_REDUCTION),
            reduce=(reduce, None, errors.USE_REDUCTION),
        )
        if reduction not in REDUCTIONS:
            raise ValueError(f"{name}: expected reduction to be 'mean', 'sum' or 'none', got {reduction!r}.")
        self.reduction = reduction

    reduction: str = "mean"

    def check(self, prediction: Array, target: Array) -> None:
        """Raise unless the target has the prediction's shape and dtype: nothing is broadcast silently."""
        errors.require_floating(self, "prediction", prediction)
        if not isinstance(target, np.ndarray) or target.dtype != prediction.dtype:
            raise errors.wrong_input(self, "target", target, prediction.dtype)
        if target.shape != prediction.shape:
            same = target.size == prediction.size
            way_out = f"Reshape it: target.reshape{prediction.shape}." if same else "They are compared one by one."
            if same and prediction.shape == (*target.shape, 1):
                way_out = "Reshape it: target[:, None]."
            raise errors.wrong_shape(self, "target", f"{prediction.shape}, the prediction's", target.shape, way_out)

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        """The value of each element, and what its derivative needs."""
        raise NotImplementedError(f"{type(self).__name__} has no elements()")

    def elements_backward(self, grad_elements: Array, *kept: Any) -> Array:
        """∂loss/∂prediction, from ∂loss/∂element: an array of the elements' shape, or one number for all."""
        raise NotImplementedError(f"{type(self).__name__} has no elements_backward()")

    def count(self, elements: Array, kept: tuple[Any, ...]) -> float:
        """What 'mean' divides the sum by: the number of elements."""
        return elements.size

    def check_after(self, link: Module) -> None:
        """Raise when this loss makes no sense on what `link`, the network's last, puts out."""

    def forward(self, prediction: Array, target: Array, sample_weight: Array | None = None) -> Any:
        self.check(prediction, target)
        elements, kept = self.elements(prediction, target)
        weight = None if sample_weight is None else self._per_sample(sample_weight, elements)
        weighted = elements if weight is None else elements * weight
        output = weighted if self.reduction == "none" else np.add.reduce(weighted, axis=None)
        if self.reduction == "mean":  # the mean of nothing is not a number, as in PyTorch
            self.denominator = self.count(elements, kept)
            output = output / self.denominator if self.denominator else output.dtype.type(np.nan)
        return self.keep(output, elements, weight, kept, prediction.dtype)

    def backward(self, grad_output: Array | float | None = None) -> Array:
        """∂value/∂prediction, times grad_output."""
        output = self.kept_output
        if output is None:
            raise errors.no_forward(self)
        grad = output.dtype.type(1) if grad_output is None else np.asarray(grad_output, output.dtype)
        if grad_output is not None and grad.shape != output.shape:
            raise errors.wrong_grad_output(self, output, grad)
        elements, weight, kept, dtype = self.__dict__.pop("_kept")[1]
        if self.reduction == "mean":
            grad = grad / (self.denominator or 1)
        if weight is not None:
            grad = np.broadcast_to(grad * weight, elements.shape)
        return self.elements_backward(grad, *kept).astype(dtype, copy=False)

    def _per_sample(self, sample_weight: Array, elements: Array) -> Array:
        if not isinstance(sample_weight, np.ndarray) or sample_weight.dtype != elements.dtype:
            raise errors.wrong_input(self, "sample_weight", sample_weight, elements.dtype)
        if elements.ndim == 0 or sample_weight.shape != elements.shape[:1]:
            raise errors.wrong_shape(
                self, "sample_weight", elements.shape[:1], sample_weight.shape, "Give one weight a sample."
            )
        return sample_weight.reshape(-1, *(1,) * (elements.ndim - 1))

    def _arguments(self) -> list[str]:
        return [] if self.reduction == "mean" else [f"reduction={self.reduction!r}"]


def weight_array(owner: str, weight: Any, name: str = "weight") -> Array | None:
    """A weight given to a loss, as an array of its own; it may be negative, as in PyTorch."""
    if weight is None:
        return None
    array = np.array(weight)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{owner}: expected {name} to be real numbers, got dtype {array.dtype}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{owner}: expected {name} to be finite, got {array.tolist()}.")
    return array
