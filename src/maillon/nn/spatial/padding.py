"""Padding: values around the last one or two dimensions, and their derivative."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from maillon.nn.module import Module
from maillon.nn.spatial.windows import LETTERS, either, layout, one_for_all
from maillon.nn.support import arguments, errors
from maillon.typing import Array

Widths = Sequence[tuple[int, int]]
"""(before, after) for each of the last dimensions, in the order of the dimensions; negative widths crop."""


def pad(x: Array, widths: Widths, mode: str, value: float = 0.0) -> Array:
    """`x` with its last dimensions padded: by `value` in the mode 'zeros', else by values of its own."""
    if mode == "zeros":
        return _with_border(x, widths, value)
    for axis, (before, after) in enumerate(widths, -len(widths)):
        if before or after:
            x = x.take(SOURCES[mode](x.shape[axis], before, after), axis)
    return x


def pad_backward(dy: Array, widths: Widths, mode: str, shape: tuple[int, ...]) -> Array:
    """∂loss/∂x for x of this shape: each value gets the sum of the gradients of its copies."""
    if mode == "zeros":
        return _with_border(dy, [(-before, -after) for before, after in widths], 0.0)
    for axis, (before, after) in enumerate(widths, -len(widths)):
        if before or after:
            dy = _sum_of_copies(dy, SOURCES[mode](shape[axis], before, after), shape[axis], axis)
    return dy


def _with_border(x: Array, widths: Widths, value: float) -> Array:
    first = x.ndim - len(widths)
    kept: Any = (..., *(slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(x.shape[first:], widths, strict=True)))
    x = x[kept]
    if all(before <= 0 and after <= 0 for before, after in widths):
        return x
    sides = [(n, max(before, 0), max(after, 0)) for n, (before, after) in zip(x.shape[first:], widths, strict=True)]
    y = np.full((*x.shape[:first], *map(sum, sides)), value, x.dtype)
    inside: Any = (..., *(slice(before, before + n) for n, before, _ in sides))
    y[inside] = x
    return y


def _sum_of_copies(dy: Array, sources: Array, size: int, axis: int) -> Array:
    """The transpose of `take`: copies of the same value are brought side by side and added up."""
    order = np.argsort(sources, kind="stable")
    copied, first = np.unique(sources[order], return_index=True)
    dx = np.moveaxis(np.zeros((*dy.shape[:axis], size, *dy.shape[dy.ndim + axis + 1 :]), dy.dtype), axis, 0)
    dx[copied] = np.moveaxis(np.add.reduceat(dy.take(order, axis), first, axis), axis, 0)
    return np.moveaxis(dx, 0, axis)


def _reflected(size: int, before: int, after: int) -> Array:
    last = size - 1
    return last - np.abs(last - np.abs(np.arange(-before, size + after)))


def _replicated(size: int, before: int, after: int) -> Array:
    return np.clip(np.arange(-before, size + after), 0, size - 1)


def _around(size: int, before: int, after: int) -> Array:
    """What is cropped is not met again on the way around."""
    start, stop = max(-before, 0), size - max(-after, 0)
    return start + np.arange(-max(before, 0), stop - start + max(after, 0)) % max(stop - start, 1)


SOURCES: dict[str, Callable[[int, int, int], Array]] = {
    "reflect": _reflected,
    "replicate": _replicated,
    "circular": _around,
}
"""(size, before, after) → for each padded place the place that its value comes from."""


def least_size(mode: str, before: int, after: int) -> int:
    """The least size that can be padded so."""
    cropped = max(-before, 0) + max(-after, 0)
    if mode == "zeros":
        return cropped
    if mode == "circular":
        return cropped + max(before, after, 0)
    return max(-before - after, max(before, after) + 1 if mode == "reflect" else 1)


class _Pad(Module):
    """What all share: the widths, forward and backward."""

    _dims: ClassVar[int]
    mode: ClassVar[str] = "zeros"
    value: float = 0.0

    def __init__(self, padding: int | Sequence[int]) -> None:
        self.padding = _sides(type(self).__name__, padding, 2 * self._dims)

    @property
    def widths(self) -> Widths:
        """PyTorch's order begins with the last dimension."""
        sides = self.padding
        return [(sides[i], sides[i + 1]) for i in range(len(sides) - 2, -1, -2)]

    def forward(self, x: Array) -> Array:
        if not isinstance(x, np.ndarray):
            raise errors.wrong_input(self, "x", x)
        self.require_shape(x.shape)
        return self.keep(pad(x, self.widths, self.mode, self.value), x.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        return pad_backward(grad_output, self.widths, self.mode, shape)

    def require_shape(self, shape: tuple[int, ...]) -> None:
        """LinkShapeError unless it can pad x of this shape."""
        if len(shape) not in (self._dims + 1, self._dims + 2):
            raise errors.wrong_shape(self, "x", either("C", self._dims), shape, "Reshape x, or pad other dimensions.")
        self._require_sizes(shape)

    def _require_sizes(self, shape: tuple[int, ...]) -> None:
        least = [least_size(self.mode, before, after) for before, after in self.widths]
        if any(n < need for n, need in zip(shape[-self._dims :], least, strict=True)):
            before = "*" if self.mode == "zeros" else "N, C" if len(shape) == self._dims + 2 else "C"
            way_out = f"{WHY[self.mode]}: take a smaller padding."
            raise errors.wrong_shape(self, "x", layout(before, least), shape, way_out)

    def _arguments(self) -> list[str]:
        return [repr(one_for_all(self.padding))]


WHY = {
    "zeros": "A negative padding crops no more than there is",
    "reflect": "A reflection leaves out the border itself",
    "replicate": "A border that is repeated has to exist",
    "circular": "It goes around no more than once",
}


def _sides(owner: str, padding: Any, count: int) -> tuple[int, ...]:
    """PyTorch's (left, right), and for two dimensions (left, right, top, bottom)."""
    given = tuple(padding) if arguments.is_sequence(padding) else (padding,) * count
    if len(given) != count or not all(map(arguments.is_integer, given)):
        sides = ", ".join(("left", "right", "top", "bottom")[:count])
        raise ValueError(f"{owner}: expected padding to be an integer or {count} of them ({sides}), got {padding!r}.")
    return tuple(map(int, given))


class _ConstantPad(_Pad):
    """Around the last dimensions of an x of any number of them."""

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = arguments.number(type(self).__name__, "value", value)

    def require_shape(self, shape: tuple[int, ...]) -> None:
        if len(shape) < self._dims:
            letters = ", ".join(LETTERS[self._dims])
            raise errors.wrong_shape(self, "x", f"(*, {letters})", shape, f"It pads {letters}.")
        self._require_sizes(shape)

    def _arguments(self) -> list[str]:
        return [*super()._arguments(), repr(self.value)]


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def _arguments(self) -> list[str]:
        return _Pad._arguments(self)


class ConstantPad1d(_ConstantPad):
    """`value` before and after the last dimension: y[i] = x[i] where 0 ≤ i < L, else value; dx[i] = dy[i].

    Parameters
    ----------
    padding : int or tuple of int
        One number for both sides or (left, right); negative ones crop.
    value : float
        What is added: any real number.

    Raises
    ------
    ValueError
        For other paddings.
    LinkShapeError
        When x is too short for them, or of other dimensions.

    Notes
    -----
    x: (*, L), any real dtype → y: (*, L + left + right).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ConstantPad1d((1, 2), 7.0)(np.array([[1.0, 2.0]]))
    array([[7., 1., 2., 7., 7.]])
    """

    _dims = 1


class ConstantPad2d(_ConstantPad):
    """`value` around the last two dimensions: y[i, j] = x[i, j] where 0 ≤ i < H and 0 ≤ j < W, else value.

    dx[i, j] = dy[i, j].

    Parameters
    ----------
    padding : int or tuple of int
        One number for all sides or (left, right, top, bottom); negative ones crop.
    value : float
        What is added: any real number.

    Raises
    ------
    ValueError
        For other paddings.
    LinkShapeError
        When x is too short for them, or of other dimensions.

    Notes
    -----
    x: (*, H, W), any real dtype → y: (*, H + top + bottom, W + left + right).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ConstantPad2d((1, 0, 0, 1), 7.0)(np.array([[[1.0, 2.0]]]))
    array([[[7., 1., 2.],
            [7., 7., 7.]]])
    """

    _dims = 2


class ZeroPad1d(_ZeroPad):
    """Zeros before and after the last dimension: y[i] = x[i] where 0 ≤ i < L, else 0; dx[i] = dy[i].

    Parameters
    ----------
    padding : int or tuple of int
        One number for both sides or (left, right); negative ones crop.

    Raises
    ------
    ValueError
        For other paddings.
    LinkShapeError
        When x is too short for them, or of other dimensions.

    Notes
    -----
    x: (*, L), any real dtype → y: (*, L + left + right).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ZeroPad1d((1, -1))(np.array([[1.0, 2.0]]))
    array([[0., 1.]])
    """

    _dims = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last two dimensions: y[i, j] = x[i, j] where 0 ≤ i < H and 0 ≤ j < W, else 0.

    dx[i, j] = dy[i, j].

    Parameters
    ----------
    padding : int or tuple of int
        One number for all sides or (left, right, top, bottom); negative ones crop.

    Raises
    ------
    ValueError
        For other paddings.
    LinkShapeError
        When x is too short for them, or of other dimensions.

    Notes
    -----
    x: (*, H, W), any real dtype → y: (*, H + top + bottom, W + left + right).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ZeroPad2d(1)(np.ones((1, 1, 2)))
    array([[[0., 0., 0., 0.],
            [0., 1., 1., 0.],
            [0., 0., 0., 0.]]])
    """

    _dims = 2


class ReflectionPad1d(_Pad):
    """The values mirrored at the first and the last one: y[−i] = x[i], y[L − 1 + i] = x[L − 1 − i].

    dx[i] = Σ dy over the copies of x[i].

    Parameters
    ----------
    padding : int or tuple of int
        One number for both sides or (left, right), each less than L; negative ones crop.

    Raises
    ------
    ValueError
        For other paddings.
    LinkShapeError
        When x is too short for them, or of other dimensions.

    Notes
    -----
    x: (N, C, L) or (C, L) → y: (…, L + left + right).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ReflectionPad1d(2)(np.array([[1.0, 2.0, 3.0]]))
    array([[3., 2., 1., 2., 3., 2., 1.]])
    """

    _dims, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """The values mirrored at the borders of the last two dimensions, as ReflectionPad1d does it along one.

    y[−i, j] = x[i, j], and so at the other borders; dx[i, j] = Σ dy over the copies of x[i, j].

    Parameters
    ----------
    padding : int or tuple of int
        One number for all sides or (left, right, top, bottom); negative ones crop.

    Raises
    ------
    ValueError
        For other paddings.
    LinkShapeError
        When x is too short for them, or of other dimensions.

    Notes
    -----
    x: (N, C, H, W) or (C, H, W) → y: (…, H + top + bottom, W + left + right).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ReflectionPad2d((1, 0, 1, 0))(np.array([[[1.0, 2.0], [3.0, 4.0]]]))
    array([[[4., 3., 4.],
            [2., 1., 2.],
            [4., 3., 4.]]])
    """

    _dims, mode = 2, "reflect"


class ReplicationPad1d(_Pad):
    """The first and the last value repeated: y[i] = x[min(max(i, 0), L − 1)]; dx[i] = Σ dy over the copies of x[i].

    Parameters
    ----------
    padding : int or tuple of int
        One number for both sides or (left, right); negative ones crop.

    Raises
    ------
    ValueError
        For other paddings.
    LinkShapeError
        When x is too short for them, or of other dimensions.

    Notes
    -----
    x: (N, C, L) or (C, L), L ≥ 1 → y: (…, L + left + right).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ReplicationPad1d((2, 1))(np.array([[1.0, 2.0]]))
    array([[1., 1., 1., 2., 2.]])
    """

    _dims, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """The borders of the last two dimensions repeated, as ReplicationPad1d does it along one.

    y[i, j] = x[min(max(i, 0), H − 1), min(max(j, 0), W − 1)]; dx[i, j] = Σ dy over the copies of x[i, j].

    Parameters
    ----------
    padding : int or tuple of int
        One number for all sides or (left, right, top, bottom); negative ones crop.

    Raises
    ------
    ValueError
        For other paddings.
    LinkShapeError
        When x is too short for them, or of other dimensions.

    Notes
    -----
    x: (N, C, H, W) or (C, H, W) → y: (…, H + top + bottom, W + left + right).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.ReplicationPad2d((1, 0, 0, 1))(np.array([[[1.0, 2.0]]]))
    array([[[1., 1., 2.],
            [1., 1., 2.]]])
    """

    _dims, mode = 2, "replicate"


class CircularPad1d(_Pad):
    """The end before the beginning, the beginning after the end: y[i] = x[i mod L]; dx[i] = Σ dy over the copies.

    Parameters
    ----------
    padding : int or tuple of int
        One number for both sides or (left, right), each at most L; negative ones crop.

    Raises
    ------
    ValueError
        For other paddings.
    LinkShapeError
        When x is too short for them, or of other dimensions.

    Notes
    -----
    x: (N, C, L) or (C, L) → y: (…, L + left + right).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.CircularPad1d((2, 1))(np.array([[1.0, 2.0, 3.0]]))
    array([[2., 3., 1., 2., 3., 1.]])
    """

    _dims, mode = 1, "circular"


class CircularPad2d(_Pad):
    """The last two dimensions continued on the other side: y[i, j] = x[i mod H, j mod W].

    dx[i, j] = Σ dy over the copies of x[i, j].

    Parameters
    ----------
    padding : int or tuple of int
        One number for all sides or (left, right, top, bottom); negative ones crop.

    Raises
    ------
    ValueError
        For other paddings.
    LinkShapeError
        When x is too short for them, or of other dimensions.

    Notes
    -----
    x: (N, C, H, W) or (C, H, W) → y: (…, H + top + bottom, W + left + right).

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.CircularPad2d((1, 0, 0, 1))(np.array([[[1.0, 2.0], [3.0, 4.0]]]))
    array([[[2., 1., 2.],
            [4., 3., 4.],
            [2., 1., 2.]]])
    """

    _dims, mode = 2, "circular"
