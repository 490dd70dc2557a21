"""Flatten: several dimensions made one. Unflatten: one made several."""

import math
from collections.abc import Sequence

import numpy as np

from maillon.nn.module import Module
from maillon.nn.support import arguments, errors
from maillon.typing import Array


class Flatten(Module):
    """Dimensions start_dim to end_dim become one: y = x in the new shape, dx = dy in the old one.

    Parameters
    ----------
    start_dim : int
        The first dimension that is joined.
    end_dim : int
        The last one.

    Raises
    ------
    LinkShapeError
        When x does not have these dimensions.

    Notes
    -----
    x: (N, d₁, d₂, …) → y: (N, d₁·d₂·…) with the defaults.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Flatten()(np.zeros((64, 28, 28))).shape
    (64, 784)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim = arguments.integer("Flatten", "start_dim", start_dim, None)
        self.end_dim = arguments.integer("Flatten", "end_dim", end_dim, None)

    def forward(self, x: Array) -> Array:
        if not isinstance(x, np.ndarray):
            raise errors.wrong_input(self, "x", x)
        start, end = self.dimensions(x.shape)
        shape = (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])
        return self.keep(x.reshape(shape), x.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        return grad_output.reshape(shape)

    def dimensions(self, shape: Sequence[int]) -> tuple[int, int]:
        """The first and the last of an input's dimensions that become one."""
        dims = max(len(shape), 1)
        start = self.start_dim + dims if self.start_dim < 0 else self.start_dim
        end = self.end_dim + dims if self.end_dim < 0 else self.end_dim
        if not 0 <= start <= end < dims:
            raise errors.too_few_dimensions(
                self,
                f"dimensions {self.start_dim} to {self.end_dim}",
                shape,
                "The first dimension is the batch: a single sample needs x[None].",
            )
        return start, end

    def _arguments(self) -> list[str]:
        if self.end_dim != -1:
            return [str(self.start_dim), str(self.end_dim)]
        return [str(self.start_dim)] if self.start_dim != 1 else []


class Unflatten(Module):
    """Dimension dim becomes several: y = x in the new shape, dx = dy in the old one.

    Parameters
    ----------
    dim : int
        The dimension, counted from the end where it is negative.
    unflattened_size : tuple of int
        (n₁, n₂, …), one of them −1 for what is left.

    Raises
    ------
    NotImplementedError
        For names in place of numbers.
    ValueError
        For sizes that are not possible.
    LinkShapeError
        When x does not have the dimension, or its size is another.

    Notes
    -----
    x: (*, n, *) → y: (*, n₁, n₂, …, *) with n₁ · n₂ · … = n.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Unflatten(1, (28, -1))(np.zeros((64, 784))).shape
    (64, 28, 28)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        sizes = unflattened_size
        if isinstance(dim, str) or (arguments.is_sequence(sizes) and any(isinstance(part, Sequence) for part in sizes)):
            raise NotImplementedError(
                f"Unflatten: dim={dim!r} with {sizes!r} is not supported: an array's dimensions have no names. "
                "Give their numbers."
            )
        self.dim = arguments.integer("Unflatten", "dim", dim, None)
        integers = arguments.is_sequence(sizes) and all(arguments.is_integer(part) and part >= -1 for part in sizes)
        if not integers or not sizes or list(sizes).count(-1) > 1:
            raise ValueError(
                f"Unflatten: expected unflattened_size to be integers ≥ 0, one of them perhaps -1, got {sizes!r}."
            )
        self.unflattened_size = tuple(map(int, sizes))

    def forward(self, x: Array) -> Array:
        if not isinstance(x, np.ndarray):
            raise errors.wrong_input(self, "x", x)
        if not -x.ndim <= self.dim < x.ndim:
            raise errors.too_few_dimensions(
                self, f"a dimension {self.dim}", x.shape, f"dim must be in {-x.ndim}…{x.ndim - 1}."
            )
        dim = self.dim % x.ndim
        sizes = self.unflattened_size
        known = math.prod(part for part in sizes if part != -1)
        sizes = tuple(x.shape[dim] // max(known, 1) if part == -1 else part for part in sizes)
        if math.prod(sizes) != x.shape[dim]:
            wanted = f"a multiple of {known}" if -1 in self.unflattened_size else f"{known}"
            raise errors.too_few_dimensions(
                self,
                f"{wanted} values along dimension {self.dim}",
                x.shape,
                f"The sizes must multiply to {x.shape[dim]}.",
            )
        return self.keep(x.reshape(*x.shape[:dim], *sizes, *x.shape[dim + 1 :]), x.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        return grad_output.reshape(shape)
