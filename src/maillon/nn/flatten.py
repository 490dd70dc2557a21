"""Flatten: several dimensions made one."""

import math

import numpy as np

from maillon.nn import errors
from maillon.nn.module import Module
from maillon.typing import Array


class Flatten(Module):
    """Dimensions start_dim to end_dim become one; the derivative is the same values in the old shape.

    x: (N, d₁, d₂, …) → y: (N, d₁·d₂·…) with the default start_dim=1, end_dim=-1.
    Errors: LinkShapeError when x does not have these dimensions.

    >>> import numpy as np, maillon
    >>> maillon.Flatten()(np.zeros((64, 28, 28))).shape
    (64, 784)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Array) -> Array:
        if not isinstance(x, np.ndarray):
            raise errors.wrong_input(self, "x", x)
        start, end = self._dimensions(x)
        shape = (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])
        return self.keep(x.reshape(shape), x.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        return grad_output.reshape(shape)

    def _dimensions(self, x: Array) -> tuple[int, int]:
        dims = max(x.ndim, 1)
        start = self.start_dim + dims if self.start_dim < 0 else self.start_dim
        end = self.end_dim + dims if self.end_dim < 0 else self.end_dim
        if not 0 <= start <= end < dims:
            raise errors.too_few_dimensions(
                self,
                f"dimensions {self.start_dim} to {self.end_dim}",
                x.shape,
                "The first dimension is the batch: a single sample needs x[None].",
            )
        return start, end

    def _arguments(self) -> list[str]:
        if self.end_dim != -1:
            return [str(self.start_dim), str(self.end_dim)]
        return [str(self.start_dim)] if self.start_dim != 1 else []
