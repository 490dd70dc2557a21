"""Pooling: the greatest or the mean of each window of a signal or an image, and MaxUnpool, its way back."""

import functools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from maillon.nn.module import Module
from maillon.nn.spatial import window_steps as windows
from maillon.nn.spatial.windows import either
from maillon.nn.support import arguments, errors
from maillon.typing import Array

Size = int | tuple[int, ...]
OutputSize = int | None | tuple[int | None, ...]
Axes = list[tuple[windows.Steps, int]]
"""Along each axis of the image the windows, and how many they are."""


def require_image(link: Module, name: str, x: Array, rank: int) -> None:
    """Signals (rank 1) or images (rank 2), one a channel, in a batch or of a single sample."""
    errors.require_floating(link, name, x)
    require_image_shape(link, name, x.shape, rank)


def require_image_shape(link: Module, name: str, shape: Sequence[int], rank: int) -> None:
    """LinkShapeError unless it is the shape of such."""
    if len(shape) not in (rank + 1, rank + 2):
        way_out = "A single channel needs x[None]." if len(shape) == rank else "A batch comes before the channels."
        raise errors.wrong_shape(link, name, either("C", rank), tuple(shape), way_out)
    if 0 in shape[-rank:]:
        raise errors.wrong_shape(link, name, either("C", rank), tuple(shape), "Only the batch may be empty.")


class _GreatestOf(Module):
    """y = the greatest x of each window; dxⱼ = Σ dyᵢ over the windows i whose greatest is xⱼ.

    Of equals the first is the greatest, in the order of the rows, and a NaN is greater than any number.
    """

    _rank: ClassVar[int]
    return_indices: bool

    def axes(self, sizes: Sequence[int]) -> Axes:
        raise NotImplementedError

    def required_axes(self, sizes: Sequence[int]) -> Axes:
        """The windows; LinkShapeError where one of them sees nothing but padding, and has no index to return."""
        axes = self.axes(sizes)
        if self.return_indices and not all(windows.each_sees(*axis) for axis in axes):
            raise errors.LinkShapeError(
                f"{self!r}: expected windows that each see something of x, for the indices, got sizes {tuple(sizes)}. "
                "Give a smaller dilation, or return_indices=False."
            )
        return axes

    def forward(self, x: Array) -> Any:
        require_image(self, "x", x, self._rank)
        sizes = x.shape[-self._rank :]
        axes = self.required_axes(sizes)
        y, at = x, {}
        for axis in range(-1, -self._rank - 1, -1):  # rows first: so the first of equals is that of the first row
            y, at[axis] = windows.greatest(y, axis, *axes[axis])
        output = (y, self._indices(sizes, axes, at)) if self.return_indices else y
        return self.keep(output, y, sizes, axes, at)

    def backward(self, grad_output: Any) -> Array:
        y, sizes, axes, at = self.release(grad_output)
        dx: Array = grad_output[0] if self.return_indices else grad_output
        if dx is None:
            dx = np.zeros_like(y)
        for axis in range(-self._rank, 0):
            dx = windows.greatest_backward(dx, axis, axes[axis][0], sizes[axis], at[axis])
        return dx

    def _indices(self, sizes: Sequence[int], axes: Axes, at: dict[int, Array]) -> Array:
        """Where in a signal or image the greatest values are, counted row after row."""
        each = [windows.places(axis, axes[axis][0], sizes[axis], at[axis]) for axis in range(-self._rank, 0)]
        return windows.flat_places(each, sizes)


class _MeanOf(Module):
    """y = the sum of x over each window / a divisor; dxⱼ = Σ dyᵢ / divisorᵢ over the windows i that xⱼ lies in."""

    _rank: ClassVar[int]

    def axes(self, sizes: Sequence[int]) -> Axes:
        raise NotImplementedError

    def divisor(self, sizes: Sequence[int], axes: Axes) -> Array:
        """The number of inputs in each window."""
        inside = [windows.total(np.ones(size), -1, *axis) for size, axis in zip(sizes, axes, strict=True)]
        return functools.reduce(np.multiply.outer, inside)

    def forward(self, x: Array) -> Array:
        require_image(self, "x", x, self._rank)
        sizes = x.shape[-self._rank :]
        axes = self.axes(sizes)
        divisor = self.divisor(sizes, axes).astype(x.dtype)
        y = x
        for axis in range(-self._rank, 0):
            y = windows.total(y, axis, *axes[axis])
        return self.keep(y / divisor, sizes, axes, divisor)

    def backward(self, grad_output: Array) -> Array:
        sizes, axes, divisor = self.release(grad_output)
        dx: Array = grad_output / divisor
        for axis in range(-1, -self._rank - 1, -1):
            dx = windows.total_backward(dx, axis, axes[axis][0], sizes[axis])
        return dx


class _Sliding(Module):
    """Windows of one size at equal distances."""

    _rank: ClassVar[int]
    kernel_size: Size
    stride: Size
    padding: Size
    dilation: Size = 1
    ceil_mode: bool = False
    _single: ClassVar[bool] = True
    """Whether a tuple of one stands for all axes, as in PyTorch."""

    def _place(self, kernel_size: Size, stride: Size | None, padding: Size) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def geometry(self) -> list[tuple[int, ...]]:
        """Kernel, stride, padding and dilation along each axis."""
        name, rank = type(self).__name__, self._rank
        single = self._single
        kernel = arguments.integers(name, "kernel_size", self.kernel_size, rank, single=single)
        stride = arguments.integers(name, "stride", self.stride, rank, single=single)
        padding = arguments.integers(name, "padding", self.padding, rank, least=0, single=single)
        dilation = arguments.integers(name, "dilation", self.dilation, rank, single=single)
        return list(zip(kernel, stride, padding, dilation, strict=True))

    def _check_geometry(self) -> None:
        if any(2 * padding > kernel for kernel, _, padding, _ in self.geometry()):
            raise ValueError(
                f"{type(self).__name__}: expected padding to be at most half of kernel_size {self.kernel_size!r}, "
                f"got {self.padding!r}."
            )

    def axes(self, sizes: Sequence[int]) -> Axes:
        axes: Axes = []
        for size, (kernel, stride, padding, dilation) in zip(sizes, self.geometry(), strict=True):
            room = size + 2 * padding - dilation * (kernel - 1) - 1
            outputs = (room + (stride - 1 if self.ceil_mode else 0)) // stride + 1
            if self.ceil_mode and (outputs - 1) * stride >= size + padding:
                outputs -= 1  # a window that begins beyond the image would see nothing
            if outputs < 1:
                raise errors.LinkShapeError(
                    f"{self!r}: expected x with at least {dilation * (kernel - 1) + 1 - 2 * padding} values where its "
                    f"sizes are {tuple(sizes)}, got {size}. Take a smaller kernel_size or more padding."
                )
            axes.append((windows.sliding(size, outputs, kernel, stride, padding, dilation), outputs))
        return axes

    def _arguments(self) -> list[str]:
        return [part for part in arguments.shown(self) if part != f"stride={self.kernel_size!r}"]


class _Adaptive(Module):
    """As many windows as are wanted, of about one size."""

    _rank: ClassVar[int]
    output_size: OutputSize

    def _set_output_size(self, output_size: OutputSize) -> None:
        rank = self._rank
        parts: Sequence[Any] = output_size if isinstance(output_size, tuple | list) else (output_size,) * rank
        if len(parts) != rank or not all(part is None or (arguments.is_integer(part) and part >= 0) for part in parts):
            several = f", or {rank} of these" if rank > 1 else ""
            raise ValueError(
                f"{type(self).__name__}: expected output_size to be an integer ≥ 0 or None, the size of x{several}, "
                f"got {output_size!r}."
            )
        self.output_size = output_size

    def axes(self, sizes: Sequence[int]) -> Axes:
        given = self.output_size
        wanted = given if isinstance(given, tuple | list) else (given,) * len(sizes)
        counts = [size if count is None else count for size, count in zip(sizes, wanted, strict=True)]
        return [(windows.adaptive(size, count), count) for size, count in zip(sizes, counts, strict=True)]


class _MaxPool(_Sliding, _GreatestOf):
    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self._place(kernel_size, stride, padding)
        self.dilation = dilation
        self.return_indices = arguments.flag(type(self).__name__, "return_indices", return_indices)
        self.ceil_mode = arguments.flag(type(self).__name__, "ceil_mode", ceil_mode)
        self._check_geometry()


class MaxPool1d(_MaxPool):
    """yᵢ = max_k x[i · stride − padding + k · dilation] over 0 ≤ k < kernel_size, as far as they exist.

    dxⱼ = Σ dyᵢ over the windows i whose greatest is xⱼ, the first of equals. A NaN in a window is its greatest.

    Parameters
    ----------
    kernel_size : int or tuple of int
        Size of the window, ≥ 1.
    stride : int or tuple of int, optional
        Step from one window to the next, ≥ 1; None is kernel_size.
    padding : int or tuple of int
        What is added on both sides, between 0 and kernel_size / 2.
    dilation : int or tuple of int
        Distance between two values of a window, ≥ 1.
    return_indices : bool
        The output is (y, indices): where the greatest were (int64), as MaxUnpool takes them.
    ceil_mode : bool
        Round the size of y up, as long as the last window begins before the end.

    Raises
    ------
    ValueError
        For arguments out of these ranges.
    LinkShapeError
        When no window fits into x.

    Notes
    -----
    x: (N, C, L) or (C, L) → y: (N, C, L') or (C, L'), L' = ⌊(L + 2 padding − dilation (kernel_size − 1) − 1) / stride⌋
    + 1.

    References
    ----------
    Weng, Ahuja, Huang, "Cresceptron", 1992.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.MaxPool1d(2, return_indices=True)(np.array([[1.0, 3.0, 2.0, 0.0]]))
    (array([[3., 2.]]), array([[1, 2]]))
    """

    _rank = 1


class MaxPool2d(_MaxPool):
    """As MaxPool1d, over rectangles.

    y[i, j] = max_{k, l} x[i', j'], i' = i · stride − padding + k · dilation, j' = j · stride − padding + l · dilation;
    dx[i', j'] = Σ dy[i, j] over the windows whose greatest is x[i', j'], the first of equals: that of the first row.

    Parameters
    ----------
    kernel_size : int or tuple of int
        Size of the window, ≥ 1.
    stride : int or tuple of int, optional
        Step from one window to the next, ≥ 1; None is kernel_size.
    padding : int or tuple of int
        What is added on both sides, between 0 and kernel_size / 2.
    dilation : int or tuple of int
        Distance between two values of a window, ≥ 1.
    return_indices : bool
        The output is (y, indices), each index counting through H · W row after row.
    ceil_mode : bool
        Round the size of y up, as long as the last window begins before the end.

    Raises
    ------
    ValueError, LinkShapeError
        As MaxPool1d.

    Notes
    -----
    x: (N, C, H, W) or (C, H, W) → y: (N, C, H', W') or (C, H', W'). Sizes are one number for both axes, or (for H, for
    W).

    References
    ----------
    Weng, Ahuja, Huang, "Cresceptron", 1992.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.MaxPool2d(2)(np.arange(16.0).reshape(1, 4, 4))
    array([[[ 5.,  7.],
            [13., 15.]]])
    """

    _rank = 2


class _AvgPool(_Sliding, _MeanOf):
    count_include_pad: bool
    divisor_override: int | None = None

    def divisor(self, sizes: Sequence[int], axes: Axes) -> Array:
        if self.divisor_override is not None:
            return np.array(self.divisor_override)
        if not self.count_include_pad:
            return super().divisor(sizes, axes)
        counts = []
        for size, (_, outputs), (kernel, stride, padding, _) in zip(sizes, axes, self.geometry(), strict=True):
            start = np.arange(outputs) * stride - padding
            counts.append(np.minimum(kernel, size + padding - start))  # beyond the padding nothing counts
        return functools.reduce(np.multiply.outer, counts)


class AvgPool1d(_AvgPool):
    """yᵢ = mean_k x[i · stride − padding + k] over 0 ≤ k < kernel_size; dxⱼ = Σ dyᵢ / nᵢ over the windows with xⱼ.

    Parameters
    ----------
    kernel_size : int or tuple of int
        Size of the window, ≥ 1.
    stride : int or tuple of int, optional
        Step from one window to the next, ≥ 1; None is kernel_size.
    padding : int or tuple of int
        What is added on both sides, between 0 and kernel_size / 2.
    ceil_mode : bool
        Round the size of y up, as long as the last window begins before the end.
    count_include_pad : bool
        Whether the number of values counts the zeros of the padding too.

    Raises
    ------
    ValueError
        For arguments out of these ranges.
    LinkShapeError
        When no window fits into x.

    Notes
    -----
    x: (N, C, L) or (C, L) → y: (N, C, L') or (C, L'), L' = ⌊(L + 2 padding − kernel_size) / stride⌋ + 1.

    References
    ----------
    LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.AvgPool1d(2)(np.array([[1.0, 3.0, 2.0, 0.0]]))
    array([[2., 1.]])
    """

    _rank = 1

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self._place(kernel_size, stride, padding)
        self.ceil_mode = arguments.flag(type(self).__name__, "ceil_mode", ceil_mode)
        self.count_include_pad = arguments.flag(type(self).__name__, "count_include_pad", count_include_pad)
        self._check_geometry()


class AvgPool2d(_AvgPool):
    """As AvgPool1d, over rectangles.

    y[i, j] = mean_{k, l} x[i', j'], i' = i · stride − padding + k, j' = j · stride − padding + l;
    dx[i', j'] = Σ dy[i, j] / n[i, j] over the windows with x[i', j'].

    Parameters
    ----------
    kernel_size : int or tuple of int
        Size of the window, ≥ 1.
    stride : int or tuple of int, optional
        Step from one window to the next, ≥ 1; None is kernel_size.
    padding : int or tuple of int
        What is added on both sides, between 0 and kernel_size / 2.
    ceil_mode : bool
        Round the size of y up, as long as the last window begins before the end.
    count_include_pad : bool
        Whether the number of values counts the zeros of the padding too.
    divisor_override : int, optional
        ≠ 0: what each sum is divided by, instead of the number of values.

    Raises
    ------
    ValueError, LinkShapeError
        As AvgPool1d.

    Notes
    -----
    x: (N, C, H, W) or (C, H, W) → y: (N, C, H', W') or (C, H', W'). Sizes are one number for both axes, or (for H, for
    W).

    References
    ----------
    LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.AvgPool2d(2)(np.arange(16.0).reshape(1, 4, 4))
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """

    _rank = 2

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self._place(kernel_size, stride, padding)
        self.ceil_mode = arguments.flag(type(self).__name__, "ceil_mode", ceil_mode)
        self.count_include_pad = arguments.flag(type(self).__name__, "count_include_pad", count_include_pad)
        if divisor_override is not None and (not arguments.is_integer(divisor_override) or divisor_override == 0):
            raise ValueError(f"AvgPool2d: expected divisor_override to be an integer ≠ 0, got {divisor_override!r}.")
        self.divisor_override = divisor_override
        self._check_geometry()


class _MaxUnpool(_Sliding):
    _single = False

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        self._place(kernel_size, stride, padding)
        self.geometry()

    def forward(self, x: Array, indices: Array, output_size: Sequence[int] | None = None) -> Array:
        require_image(self, "x", x, self._rank)
        sizes = self.sizes(x.shape[-self._rank :], output_size)
        self._check_indices(x, indices, math.prod(sizes))
        flat = indices.reshape(*x.shape[: -self._rank], math.prod(x.shape[-self._rank :]))
        y = np.zeros((*flat.shape[:-1], math.prod(sizes)), x.dtype)
        np.put_along_axis(y, flat, x.reshape(flat.shape), axis=-1)
        return self.keep(y.reshape(*x.shape[: -self._rank], *sizes), flat, x.shape)

    def backward(self, grad_output: Array) -> tuple[Array, None]:
        flat, shape = self.release(grad_output)
        dy = grad_output.reshape(*flat.shape[:-1], math.prod(grad_output.shape[-self._rank :]))
        return np.take_along_axis(dy, flat, axis=-1).reshape(shape), None

    def sizes(self, pooled: Sequence[int], output_size: Sequence[int] | None) -> list[int]:
        """How large the image was before it was pooled."""
        geometry = self.geometry()
        usual = [(n - 1) * s + k - 2 * p for n, (k, s, p, _) in zip(pooled, geometry, strict=True)]
        if output_size is None:
            sizes = usual
        else:
            sizes = list(output_size)[-self._rank :]
            strides = [stride for _, stride, _, _ in geometry]
            if len(output_size) not in (self._rank, self._rank + 1, self._rank + 2) or any(
                abs(size - middle) >= stride for size, middle, stride in zip(sizes, usual, strides, strict=True)
            ):
                raise errors.LinkShapeError(
                    f"{self!r}: expected output_size to be {self._rank} integers less than the stride away from "
                    f"{tuple(usual)}, got {tuple(output_size)}. Give the shape of what was pooled."
                )
        if min(sizes) < 1:
            raise errors.LinkShapeError(
                f"{self!r}: expected an output that is not empty, got sizes {tuple(sizes)}. Give output_size."
            )
        return sizes

    def _check_indices(self, x: Array, indices: Array, size: int) -> None:
        if not isinstance(indices, np.ndarray) or indices.dtype != np.int64:
            raise errors.wrong_input(self, "indices", indices, np.dtype(np.int64))
        if indices.shape != x.shape:
            raise errors.wrong_shape(self, "indices", f"{x.shape}, that of x", indices.shape, "One for each value.")
        if indices.size and not (indices.min() >= 0 and indices.max() < size):
            raise errors.LinkValueError(
                f"{self!r}: expected indices in 0…{size - 1}, got {indices.min()}…{indices.max()}. "
                "Give output_size, the shape of what was pooled."
            )


class MaxUnpool1d(_MaxUnpool):
    """y[indices] = x, 0 elsewhere: the greatest values of MaxPool1d, back where they were; dx = dy[indices].

    Where windows overlap an index may come twice: the last value stays, and each gets the gradient (in a network they
    are the same value).

    Parameters
    ----------
    kernel_size : int or tuple of int
        That of the MaxPool1d.
    stride : int or tuple of int, optional
        That of the MaxPool1d.
    padding : int or tuple of int
        That of the MaxPool1d.

    Raises
    ------
    LinkShapeError
        For an output_size that is not possible.
    LinkValueError
        For indices that do not lie in y.

    Notes
    -----
    x, indices: (N, C, L) or (C, L), with return_indices=True from MaxPool1d → y: (N, C, L') or (C, L'). output_size: L'
    as a tuple, or the whole shape of what was pooled; None: (L − 1) stride − 2 padding + kernel_size. backward returns
    (dx, None), for indices have no gradient.

    References
    ----------
    Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", 2014.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.MaxUnpool1d(2)(np.array([[3.0, 2.0]]), np.array([[1, 2]]))
    array([[0., 3., 2., 0.]])
    """

    _rank = 1


class MaxUnpool2d(_MaxUnpool):
    """As MaxUnpool1d, for images and the indices of MaxPool2d: y[indices] = x, 0 elsewhere; dx = dy[indices].

    Parameters
    ----------
    kernel_size : int or tuple of int
        That of the MaxPool2d.
    stride : int or tuple of int, optional
        That of the MaxPool2d.
    padding : int or tuple of int
        That of the MaxPool2d.

    Raises
    ------
    LinkShapeError, LinkValueError
        As MaxUnpool1d.

    Notes
    -----
    x, indices: (N, C, H, W) or (C, H, W) → y: (N, C, H', W') or (C, H', W').

    References
    ----------
    Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", 2014.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.MaxUnpool2d(2)(np.array([[[3.0]]]), np.array([[[2]]]))
    array([[[0., 0.],
            [3., 0.]]])
    """

    _rank = 2


class _AdaptiveAvg(_Adaptive, _MeanOf):
    def __init__(self, output_size: OutputSize) -> None:
        self._set_output_size(output_size)


class AdaptiveAvgPool1d(_AdaptiveAvg):
    """yᵢ = mean_j xⱼ over ⌊i L / L'⌋ ≤ j < ⌈(i + 1) L / L'⌉; dxⱼ = Σ dyᵢ / nᵢ over those with xⱼ.

    Parameters
    ----------
    output_size : int or None
        L' ≥ 0, or None for L.

    Raises
    ------
    ValueError
        For another output_size.
    LinkShapeError
        For x of another shape.

    Notes
    -----
    x: (N, C, L) or (C, L) → y: (N, C, L') or (C, L'). Where L' does not divide L the windows overlap.

    References
    ----------
    He et al., "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition", 2014.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.AdaptiveAvgPool1d(2)(np.array([[1.0, 3.0, 2.0]]))
    array([[2. , 2.5]])
    """

    _rank = 1


class AdaptiveAvgPool2d(_AdaptiveAvg):
    """Over rectangles as AdaptiveAvgPool1d: y[i, j] = mean_{k, l} x[k, l]; dx[k, l] = Σ dy[i, j] / n[i, j].

    Parameters
    ----------
    output_size : int, None or tuple of these
        (H', W'), or one number for both; None leaves that axis as it is.

    Raises
    ------
    ValueError, LinkShapeError
        As AdaptiveAvgPool1d.

    Notes
    -----
    x: (N, C, H, W) or (C, H, W) → y: (N, C, H', W') or (C, H', W').

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.AdaptiveAvgPool2d((1, None))(np.arange(4.0).reshape(1, 2, 2))
    array([[[1., 2.]]])
    """

    _rank = 2


class _AdaptiveMax(_Adaptive, _GreatestOf):
    def __init__(self, output_size: OutputSize, return_indices: bool = False) -> None:
        self._set_output_size(output_size)
        self.return_indices = arguments.flag(type(self).__name__, "return_indices", return_indices)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """yᵢ = max_j xⱼ over ⌊i L / L'⌋ ≤ j < ⌈(i + 1) L / L'⌉.

    dxⱼ = Σ dyᵢ over the windows i whose greatest is xⱼ, the first of equals. A NaN in a window is its greatest.

    Parameters
    ----------
    output_size : int or None
        L' ≥ 0, or None for L.
    return_indices : bool
        The output is (y, indices): where in L the greatest were (int64).

    Raises
    ------
    ValueError
        For another output_size.
    LinkShapeError
        For x of another shape.

    Notes
    -----
    x: (N, C, L) or (C, L) → y: (N, C, L') or (C, L').

    References
    ----------
    He et al., "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition", 2014.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.AdaptiveMaxPool1d(2)(np.array([[1.0, 3.0, 2.0, 0.0]]))
    array([[3., 2.]])
    """

    _rank = 1


class AdaptiveMaxPool2d(_AdaptiveMax):
    """Over rectangles as AdaptiveMaxPool1d: y[i, j] = max_{k, l} x[k, l]; dx[k, l] = Σ dy[i, j].

    The first of equals is that of the first row.

    Parameters
    ----------
    output_size : int, None or tuple of these
        (H', W'), or one number for both; None leaves that axis as it is.
    return_indices : bool
        The output is (y, indices), each index counting through H · W row after row.

    Raises
    ------
    ValueError, LinkShapeError
        As AdaptiveMaxPool1d.

    Notes
    -----
    x: (N, C, H, W) or (C, H, W) → y: (N, C, H', W') or (C, H', W').

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.AdaptiveMaxPool2d(1)(np.arange(4.0).reshape(1, 2, 2))
    array([[[3.]]])
    """

    _rank = 2
