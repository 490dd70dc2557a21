"""What the activations share that are applied value by value: dx is f'(x) dy."""

from typing import Any

import numpy as np

from maillon.nn.module import Module
from maillon.nn.support import errors
from maillon.typing import Array


class Pointwise(Module):
    """y = f(x), dx = f'(x) dy: a link of this kind gives f and, on the lines after it, its derivative.

    x: any shape, float32 or float64 → y: the same shape and dtype.
    """

    def function(self, x: Array) -> Any:
        """f(x), of x's dtype."""
        raise NotImplementedError(f"{type(self).__name__} has no function()")

    def derivative(self, x: Array) -> Any:
        """f'(x); at a kink the side that PyTorch takes. Any dtype: it becomes x's."""
        raise NotImplementedError(f"{type(self).__name__} has no derivative()")

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        return self.keep(np.asarray(self.function(x)), x)

    def backward(self, grad_output: Array) -> Array:
        (x,) = self.release(grad_output)
        return np.asarray(np.asarray(self.derivative(x), x.dtype) * grad_output)


class NotInPlace(Pointwise):
    """One of those that PyTorch also computes in place, which a link never does."""

    def __init__(self, inplace: bool = False) -> None:
        errors.refuse(type(self).__name__, inplace=(inplace, False, errors.NOT_IN_PLACE))
