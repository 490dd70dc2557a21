"""CosineSimilarity and PairwiseDistance: how alike two arrays are, and how far apart."""

import math

import numpy as np

from maillon.nn.module import Module
from maillon.nn.support import arguments, errors
from maillon.typing import Array


def summed_to(shape: tuple[int, ...], grad: Array) -> Array:
    """The gradient of an array of that shape which was broadcast: summed over what it was broadcast along."""
    grad = np.add.reduce(grad, axis=tuple(range(grad.ndim - len(shape))))
    stretched = tuple(axis for axis, n in enumerate(shape) if n == 1 and grad.shape[axis] != 1)
    return np.asarray(np.add.reduce(grad, axis=stretched, keepdims=True)) if stretched else np.asarray(grad)


class _Pair(Module):
    """What the two share: inputs of one dtype that broadcast."""

    def _broadcast(self, x1: Array, x2: Array) -> tuple[int, ...]:
        """The shape of both together."""
        errors.require_floating(self, "x1", x1)
        errors.require_dtype(self, "x2", x2, x1.dtype)
        try:
            return np.broadcast_shapes(x1.shape, x2.shape)
        except ValueError:
            expected = f"{x1.shape}, like x1, or one that broadcasts with it"
            raise errors.wrong_shape(self, "x2", expected, x2.shape, "Dimensions may differ where one is 1.") from None


class CosineSimilarity(_Pair):
    """y = u₁ · u₂, uᵢ = xᵢ / max(‖xᵢ‖, ε), summed along `dim`: the cosine of the angle between x₁ and x₂.

    Derivative: dx₁ = (u₂ dy − (x₁ / ‖x₁‖) (u₁ · u₂) dy) / max(‖x₁‖, ε), and dx₂ likewise; x₁ / ‖x₁‖ is 0 where
    ‖x₁‖ is 0. (With 0 < ‖x₁‖ < ε the exact derivative lacks the term that is taken off. PyTorch takes it off, and so
    do we.)

    Parameters
    ----------
    dim : int
        The dimension of the vectors.
    eps : float
        ε ≥ 0: the least norm to divide by.

    Raises
    ------
    LinkShapeError
        When the shapes do not broadcast or have no such dimension.
    LinkDtypeError
        When the dtypes differ.

    Notes
    -----
    x1, x2: float32 or float64, shapes that broadcast → y: their common shape without dim.

    References
    ----------
    Salton, Wong, Yang, "A Vector Space Model for Automatic Indexing", 1975.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.CosineSimilarity()(np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[4.0, 3.0], [0.0, 5.0]]))
    array([0.96, 0.  ])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        self.dim = arguments.integer("CosineSimilarity", "dim", dim, None)
        self.eps = float(arguments.number("CosineSimilarity", "eps", eps, 0, finite=True))

    def forward(self, x1: Array, x2: Array) -> Array:
        shape = self._broadcast(x1, x2)
        if not -len(shape) <= self.dim < len(shape):
            way_out = f"dim must be in {-len(shape)} … {len(shape) - 1}."
            raise errors.too_few_dimensions(self, f"a dimension {self.dim}", shape, way_out)
        units, inverses, directions = [], [], []
        for x in (np.broadcast_to(x1, shape), np.broadcast_to(x2, shape)):
            norm = np.sqrt(np.add.reduce(x * x, axis=self.dim, keepdims=True))
            inverses.append(1 / np.maximum(norm, self.eps))
            units.append(x * inverses[-1])
            directions.append(x / np.where(norm == 0, 1, norm))
        y = np.asarray(np.add.reduce(units[0] * units[1], axis=self.dim))
        return self.keep(y, units, inverses, directions, (x1.shape, x2.shape))

    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        units, inverses, directions, shapes = self.release(grad_output)
        dy = np.expand_dims(grad_output, self.dim)
        cosine = np.add.reduce(units[0] * units[1], axis=self.dim, keepdims=True)
        dx1 = (units[1] - directions[0] * cosine) * dy * inverses[0]
        dx2 = (units[0] - directions[1] * cosine) * dy * inverses[1]
        return summed_to(shapes[0], dx1), summed_to(shapes[1], dx2)


class PairwiseDistance(_Pair):
    """y = ‖d‖_p = (Σ |d|^p)^(1/p), d = x₁ − x₂ + ε, summed along the last dimension.

    Derivative: dd = dy sign(d) (|d| / y)^(p−1), 0 where d is 0, dx₁ = dd and dx₂ = −dd. With p = ∞ or −∞, y is the
    largest or the smallest |d|, and its gradient is shared by the places that reach it; for p = 0 it is how many d are
    not 0, without a gradient.

    Parameters
    ----------
    p : float
        Any number.
    eps : float
        ε: any number.
    keepdim : bool
        Whether the last dimension stays, as 1.

    Raises
    ------
    LinkShapeError
        When the shapes do not broadcast or have no dimension.
    LinkDtypeError
        When the dtypes differ.

    Notes
    -----
    x1, x2: (*, D), float32 or float64, shapes that broadcast → y: (*), or (*, 1) with keepdim.

    References
    ----------
    Minkowski, "Geometrie der Zahlen", 1896.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.PairwiseDistance(eps=0.0)(np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([4.0, 5.0])).round(3)
    array([5.   , 6.403])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        self.p = float(arguments.number("PairwiseDistance", "p", p))
        self.eps = float(arguments.number("PairwiseDistance", "eps", eps, finite=True))
        self.keepdim = arguments.flag("PairwiseDistance", "keepdim", keepdim)

    def forward(self, x1: Array, x2: Array) -> Array:
        if not self._broadcast(x1, x2):
            raise errors.too_few_dimensions(self, "a dimension", (), "A single vector has shape (D,).")
        d = x1 - x2 + self.eps
        y = p_norm(d, self.p)
        return self.keep(y if self.keepdim else y[..., 0], d, y, (x1.shape, x2.shape))

    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        d, y, (shape1, shape2) = self.release(grad_output)
        dy = grad_output if self.keepdim else grad_output[..., None]
        dd = p_norm_slope(d, y, self.p) * dy
        return summed_to(shape1, dd), summed_to(shape2, -dd)


def p_norm(d: Array, p: float) -> Array:
    """‖d‖_p along the last dimension, which stays. Divided by the largest (smallest) first, no power overflows."""
    size = np.abs(d)
    if p == 0:
        return np.add.reduce((size != 0).astype(size.dtype), axis=-1, keepdims=True)
    extreme = size.max(axis=-1, keepdims=True, initial=0) if p > 0 else size.min(axis=-1, keepdims=True)
    if math.isinf(p):
        return extreme
    relative = np.where(extreme == 0, 1, size / np.where(extreme == 0, 1, extreme))
    return np.asarray(extreme * np.add.reduce(relative**p, axis=-1, keepdims=True) ** (1 / p))


def p_norm_slope(d: Array, y: Array, p: float) -> Array:
    """∂y/∂d of y = p_norm(d, p)."""
    size = np.abs(d)
    if p == 0:
        return np.zeros_like(d)
    if math.isinf(p):
        reached = (size == y).astype(d.dtype)
        share = reached / np.maximum(np.add.reduce(reached, axis=-1, keepdims=True), 1)
    else:
        counts = (size != 0) & (y != 0)
        share = np.where(counts, size, 1) / np.where(counts, y, 1)
        share = np.where(counts, share ** (p - 1), 0)
    return np.sign(d) * share
