"""Unfold: windows as columns. Fold: columns added up to images."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon.nn.module import Module
from maillon.nn.spatial.padding import pad
from maillon.nn.spatial.windows import Windows, either, layout
from maillon.nn.support import arguments, errors
from maillon.typing import Array

Pair = int | Sequence[int]


class _Columns(Module):
    """What both share: windows of images (N, C, H, W) as columns (N, C · kernel, L), and back."""

    def _set_windows(self, kernel_size: Pair, dilation: Pair, padding: Pair, stride: Pair) -> None:
        owner = type(self).__name__
        sizes = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
        pairs = {
            name: arguments.integers(owner, name, value, 2, least=0 if name == "padding" else 1)
            for name, value in sizes.items()
        }
        self.kernel_size, self.dilation, self.padding, self.stride = sizes.values()
        self.borders = pairs["padding"]
        self.windows = Windows(pairs["kernel_size"], pairs["stride"], pairs["dilation"])

    def _widths(self, sign: int) -> list[tuple[int, int]]:
        return [(sign * width, sign * width) for width in self.borders]

    def counts(self, sizes: Sequence[int]) -> tuple[int, ...]:
        return self.windows.counts([n + 2 * border for n, border in zip(sizes, self.borders, strict=True)])

    def _unfolded(self, images: Array) -> Array:
        counts = self.counts(images.shape[2:])
        windows = self.windows.view(pad(images, self._widths(1), "zeros"), counts)
        return windows.reshape(len(images), math.prod(windows.shape[1:4]), math.prod(counts))

    def _folded(self, columns: Array, sizes: Sequence[int]) -> Array:
        kernel, counts = self.windows.kernel, self.counts(sizes)
        channels = columns.shape[1] // math.prod(kernel)
        wide = (n + 2 * border for n, border in zip(sizes, self.borders, strict=True))
        images = np.zeros((len(columns), channels, *wide), columns.dtype)
        self.windows.add_up(columns.reshape(len(columns), channels, *kernel, *counts), images)
        return pad(images, self._widths(-1), "zeros")


class Unfold(_Columns):
    """Every window of the images as a column: y[n, (c, i, j), l] = x[n, c, p_l + (i, j) · dilation − padding].

    p_l is the first place of window l. Derivative: dx = Fold(dy), each value the sum of the gradients of its copies.

    Parameters
    ----------
    kernel_size : int or tuple of int
        Size of the window, ≥ 1.
    dilation : int or tuple of int
        Distance between two values of a window, ≥ 1.
    padding : int or tuple of int
        Zeros on both sides, ≥ 0.
    stride : int or tuple of int
        Step from one window to the next, ≥ 1.

    Raises
    ------
    ValueError
        For an argument that is not as described above.
    LinkShapeError
        For images smaller than the window.

    Notes
    -----
    x: (N, C, H, W) or (C, H, W) → y: (N, C · Π kernel_size, L) or (C · Π kernel_size, L), L = the number of windows: Π
    ⌊(size + 2 padding − dilation (kernel_size − 1) − 1) / stride⌋ + 1, row by row.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Unfold(2)(np.arange(6.0).reshape(1, 2, 3))
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """

    def __init__(self, kernel_size: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1) -> None:
        self._set_windows(kernel_size, dilation, padding, stride)

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        self.require_shape(x.shape)
        images = x if x.ndim == 4 else x[None]
        y = self._unfolded(images)
        return self.keep(y if images is x else y[0], images.shape)

    def require_shape(self, shape: tuple[int, ...]) -> None:
        """LinkShapeError unless it takes x of this shape."""
        if len(shape) not in (3, 4):
            raise errors.wrong_shape(self, "x", either("C", 2), shape, "Channels and batch come first.")
        least = [max(1, extent - 2 * n) for extent, n in zip(self.windows.extent, self.borders, strict=True)]
        if any(n < need for n, need in zip(shape[-2:], least, strict=True)):
            expected = layout("N, C" if len(shape) == 4 else "C", least)
            raise errors.wrong_shape(self, "x", expected, shape, "The window needs as much: take a smaller one.")

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        dy = grad_output if grad_output.ndim == 3 else grad_output[None]
        dx = self._folded(dy, shape[2:])
        return dx if dy is grad_output else dx[0]


class Fold(_Columns):
    """Columns added up to images: y[n, c, place] = Σ x[n, (c, i, j), l] over the windows l that have it at (i, j).

    Derivative: dx = Unfold(dy). Fold(Unfold(x)) is x times the number of windows that each value is in.

    Parameters
    ----------
    output_size : int or tuple of int
        Height and width of y, ≥ 1.
    kernel_size : int or tuple of int
        Size of the window, ≥ 1.
    dilation : int or tuple of int
        Distance between two values of a window, ≥ 1.
    padding : int or tuple of int
        Zeros on both sides, ≥ 0.
    stride : int or tuple of int
        Step from one window to the next, ≥ 1.

    Raises
    ------
    ValueError
        For an argument that is not as described above, and for an output_size that is smaller, with its padding, than
        one window.
    LinkShapeError
        For another number of windows or values in each.

    Notes
    -----
    x: (N, C · Π kernel_size, L) or (C · Π kernel_size, L) → y: (N, C, *output_size) or (C, *output_size), L = the
    number of windows of an image of output_size, as Unfold counts them.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Fold((1, 3), (1, 2))(np.array([[1.0, 2.0], [10.0, 20.0]]))
    array([[[ 1., 12., 20.]]])
    """

    def __init__(
        self, output_size: Pair, kernel_size: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1
    ) -> None:
        self.output_size: Any = output_size
        self.sizes = arguments.integers("Fold", "output_size", output_size, 2)
        self._set_windows(kernel_size, dilation, padding, stride)
        counts = self.counts(self.sizes)
        if min(counts) < 1:
            raise ValueError(
                f"Fold: expected output_size to hold a window of extent {self.windows.extent} with its padding, "
                f"got {output_size!r}."
            )
        self._count = math.prod(counts)

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        self.require_shape(x.shape)
        columns = x if x.ndim == 3 else x[None]
        y = self._folded(columns, self.sizes)
        return self.keep(y if columns is x else y[0])

    def require_shape(self, shape: tuple[int, ...]) -> None:
        """LinkShapeError unless it takes x of this shape."""
        values = math.prod(self.windows.kernel)
        if len(shape) not in (2, 3) or shape[-1] != self._count or not shape[-2] or shape[-2] % values:
            expected = f"(N, C · {values}, {self._count}) or (C · {values}, {self._count})"
            raise errors.wrong_shape(self, "x", expected, shape, "Unfold of output_size makes such columns.")

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        dy = grad_output if grad_output.ndim == 4 else grad_output[None]
        dx = self._unfolded(dy)
        return dx if dy is grad_output else dx[0]
