"""Windows and images that the links of `maillon.nn` do not know: of any rank, padded on one side, resampled freely."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon.nn.module import Module
from maillon.nn.spatial import window_steps as windows
from maillon.nn.spatial.convolution import Conv2d, ConvTranspose2d
from maillon.nn.support import errors
from maillon.typing import Array


class Conv3d(Conv2d):
    """Conv2d's formulas with three numbers for each place, size and option: x is (N, C, D, H, W)."""

    _dims = 3


class ConvTranspose3d(ConvTranspose2d):
    """ConvTranspose2d's formulas with three numbers for each place, size and option: x is (N, C, D, H, W)."""

    _dims = 3


class Pool(Module):
    """One value of each window: the greatest, the mean, or the p-norm.

    Derivative: that of the greatest goes to the first of equals; mean dy / n; p-norm sign(x) (|x| / y)^(p−1) dy.

    Parameters
    ----------
    kind : str
        'Max', 'Average' or 'Lp'.
    kernel, strides, dilations : sequence of int
        Of the windows, one for each dimension of space.
    pads : sequence of pairs of int
        (before, after) of each dimension of space.
    outputs : sequence of int
        How many windows there are along each.
    count_include_pad : bool
        Whether a mean counts the padding, but nothing beyond it.
    p : int
        Of the norm.
    """

    def __init__(
        self,
        kind: str,
        kernel: Sequence[int],
        strides: Sequence[int],
        dilations: Sequence[int],
        pads: Sequence[tuple[int, int]],
        ceil_mode: bool = False,
        count_include_pad: bool = False,
        p: int = 2,
    ) -> None:
        self.kind, self.kernel, self.strides, self.dilations = kind, tuple(kernel), tuple(strides), tuple(dilations)
        self.pads, self.ceil_mode, self.count_include_pad, self.p = tuple(pads), ceil_mode, count_include_pad, p

    def counts(self, sizes: Sequence[int]) -> list[int]:
        """How many windows there are along each dimension of space."""
        found = []
        for n, k, s, d, (before, after) in zip(
            sizes, self.kernel, self.strides, self.dilations, self.pads, strict=True
        ):
            room = n + before + after - d * (k - 1) - 1
            outputs = (room + (s - 1 if self.ceil_mode else 0)) // s + 1
            if self.ceil_mode and (outputs - 1) * s >= n + before:
                outputs -= 1
            if outputs < 1:
                expected = f"sizes that a window of {self.kernel} fits into"
                raise errors.too_few_dimensions(self, expected, sizes, "Take larger images.")
            found.append(outputs)
        return found

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        rank = len(self.kernel)
        if x.ndim != rank + 2:
            raise errors.too_few_dimensions(self, f"{rank + 2} dimensions", x.shape, "Batch and channels come first.")
        sizes = x.shape[2:]
        each = zip(sizes, self.counts(sizes), self.kernel, self.strides, self.pads, self.dilations, strict=True)
        axes = [(windows.sliding(n, count, k, s, before, d), count) for n, count, k, s, (before, _), d in each]
        if self.kind == "Max":
            return self._greatest(x, axes)
        powers = np.abs(x) ** self.p if self.kind == "Lp" else x
        total = powers
        for axis in range(-rank, 0):
            total = windows.total(total, axis, *axes[axis])
        if self.kind == "Lp":
            y = np.asarray(total ** (1 / self.p))
            return self.keep(y, axes, x, y)
        divisor = self._divisor(sizes, axes).astype(x.dtype)
        return self.keep(total / divisor, axes, x, divisor)

    def _greatest(self, x: Array, axes: Any) -> Array:
        y, at = x, {}
        for axis in range(-1, -len(axes) - 1, -1):
            y, at[axis] = windows.greatest(y, axis, *axes[axis])
        return self.keep(y, axes, x, at)

    def backward(self, grad_output: Array) -> Array:
        axes, x, kept = self.release(grad_output)
        rank, sizes = len(axes), x.shape[2:]
        if self.kind == "Max":
            dx = grad_output
            for axis in range(-rank, 0):
                dx = windows.greatest_backward(dx, axis, axes[axis][0], sizes[axis], kept[axis])
            return dx
        if self.kind == "Lp":
            dx = grad_output * np.where(kept == 0, 0, np.where(kept == 0, 1, kept) ** (1 - self.p))
        else:
            dx = grad_output / kept
        for axis in range(-1, -rank - 1, -1):
            dx = windows.total_backward(dx, axis, axes[axis][0], sizes[axis])
        return np.asarray(dx * np.sign(x) * np.abs(x) ** (self.p - 1)) if self.kind == "Lp" else dx

    def _divisor(self, sizes: Sequence[int], axes: Any) -> Array:
        """How many values each window has."""
        counts = []
        for n, (steps, outputs), k, s, d, (before, after) in zip(
            sizes, axes, self.kernel, self.strides, self.dilations, self.pads, strict=True
        ):
            if self.count_include_pad:
                first = np.arange(outputs) * s - before
                counts.append(np.add.reduce(first[:, None] + np.arange(k) * d < n + after, axis=1))
            else:
                counts.append(windows.total(np.ones(n), -1, steps, outputs))
        return functools.reduce(np.multiply.outer, counts)


class Resample(Module):
    """Along each dimension of space y = M x, a matrix for each; dx = Mᵀ dy.

    Parameters
    ----------
    matrices : sequence of arrays
        (new size, old size) for each dimension of x, None for those that stay.
    """

    def __init__(self, matrices: Sequence[Any]) -> None:
        self.matrices = [None if m is None else np.asarray(m) for m in matrices]

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        if [n for n, m in zip(x.shape, self.matrices, strict=True) if m is not None] != [
            m.shape[1] for m in self.matrices if m is not None
        ]:
            sizes = tuple("*" if m is None else m.shape[1] for m in self.matrices)
            raise errors.wrong_shape(self, "x", sizes, x.shape, "The file has the sizes fixed.")
        return self.keep(self._through(x, transposed=False))

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return self._through(grad_output, transposed=True)

    def _through(self, x: Array, transposed: bool) -> Array:
        for axis, matrix in enumerate(self.matrices):
            if matrix is not None:
                m = (matrix.T if transposed else matrix).astype(x.dtype)
                x = np.moveaxis(np.tensordot(x, m, (axis, 1)), -1, axis)
        return np.ascontiguousarray(x)

    def _arguments(self) -> list[str]:
        return [str([None if m is None else m.shape for m in self.matrices])]
