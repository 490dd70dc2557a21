"""The same values in another shape or order, parts of them, and reductions."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon.nn.linear.distance import summed_to
from maillon.nn.module import Module
from maillon.nn.spatial.padding import SOURCES
from maillon.nn.support import errors
from maillon.typing import Array


class Reshape(Module):
    """The values in another shape; the derivative in the old one.

    Parameters
    ----------
    shape : sequence of int
        0 copies the dimension of x at that place, −1 is what is left.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)

    def forward(self, x: Array) -> Array:
        shape = [x.shape[axis] if n == 0 else n for axis, n in enumerate(self.shape)]
        known = math.prod(n for n in shape if n != -1)
        sizes = [x.size // max(known, 1) if n == -1 else n for n in shape]
        if math.prod(sizes) != x.size:
            raise errors.wrong_shape(self, "x", f"{math.prod(sizes)} values in all", x.shape, "They must be as many.")
        return self.keep(x.reshape(sizes), x.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        return grad_output.reshape(shape)


class Cast(Module):
    """The values as float32 or float64; the derivative in the dtype that x had.

    Parameters
    ----------
    to : str
        'float32' or 'float64'.
    """

    def __init__(self, to: str) -> None:
        self.to_dtype = to

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        return self.keep(x.astype(self.to_dtype), x.dtype)

    def backward(self, grad_output: Array) -> Array:
        (dtype,) = self.release(grad_output)
        return grad_output.astype(dtype)

    def _arguments(self) -> list[str]:
        return [repr(self.to_dtype)]


class Permute(Module):
    """The dimensions in another order; the derivative in the old one.

    Parameters
    ----------
    order : sequence of int
        Which dimension of x stands at each place.
    """

    def __init__(self, order: Sequence[int]) -> None:
        self.order = tuple(order)

    def forward(self, x: Array) -> Array:
        if x.ndim != len(self.order):
            raise errors.too_few_dimensions(self, f"{len(self.order)} dimensions", x.shape, "One for each place.")
        return self.keep(x.transpose(self.order))

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output.transpose(np.argsort(self.order))


class Expand(Module):
    """x broadcast to a shape; dx = dy summed over what x was spread over.

    Parameters
    ----------
    shape : sequence of int
        1 takes what x has there.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        shape = np.broadcast_shapes(x.shape, self.shape)
        return self.keep(np.broadcast_to(x, shape).copy(), x.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        return np.asarray(summed_to(shape, grad_output))


class Tile(Module):
    """x repeated along each dimension; dx = the sum of the gradients of its copies.

    Parameters
    ----------
    repeats : sequence of int
        How often, one for each dimension.
    """

    def __init__(self, repeats: Sequence[int]) -> None:
        self.repeats = tuple(repeats)

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        return self.keep(np.tile(x, self.repeats), x.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        split = [part for pair in zip(self.repeats, shape, strict=True) for part in pair]
        return np.asarray(np.add.reduce(grad_output.reshape(split), axis=tuple(range(0, len(split), 2))))


class Slice(Module):
    """Every step-th value from start to end along some dimensions; dx = dy there, 0 elsewhere.

    Parameters
    ----------
    starts, ends, axes, steps : sequence of int
        As ONNX has them: negative ones count from the end, what lies beyond is cut off.
    """

    def __init__(self, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int], steps: Sequence[int]) -> None:
        self.starts, self.ends, self.axes, self.steps = map(tuple, (starts, ends, axes, steps))

    def _index(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        index = [slice(None)] * len(shape)
        for start, end, axis, step in zip(self.starts, self.ends, self.axes, self.steps, strict=True):
            stop = None if step < 0 and end < -shape[axis] else end
            index[axis] = slice(start, stop, step)
        return tuple(index)

    def forward(self, x: Array) -> Array:
        index = self._index(x.shape)
        return self.keep(x[index], x.shape, index)

    def backward(self, grad_output: Array) -> Array:
        shape, index = self.release(grad_output)
        dx = np.zeros(shape, grad_output.dtype)
        dx[index] = grad_output
        return dx


class Take(Module):
    """y = x at some places along one dimension; dx = the sum of the gradients of what was taken from there.

    Parameters
    ----------
    indices : array
        Integers of any shape, which takes the place of the dimension; negative ones count from the end.
    axis : int
        The dimension.
    """

    def __init__(self, indices: Any, axis: int) -> None:
        self.indices = np.asarray(indices)
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return self.keep(x.take(self.indices, axis=self.axis), x.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        axis, count = self.axis % len(shape), self.indices.ndim
        flat = grad_output.reshape(*shape[:axis], self.indices.size, *grad_output.shape[axis + count :])
        dx = np.zeros((shape[axis], *shape[:axis], *shape[axis + 1 :]), grad_output.dtype)
        np.add.at(dx, self.indices.reshape(-1) % max(shape[axis], 1), np.moveaxis(flat, axis, 0))
        return np.moveaxis(dx, 0, axis)

    def _arguments(self) -> list[str]:
        shown = self.indices.tolist() if self.indices.size < 10 else f"array of shape {self.indices.shape}"
        return [str(shown), str(self.axis)]


class Split(Module):
    """x cut into parts along one dimension, a tuple; dx = the gradients one after the other.

    Parameters
    ----------
    sizes : sequence of int
        Of the parts.
    axis : int
        The dimension.
    """

    def __init__(self, sizes: Sequence[int], axis: int) -> None:
        self.sizes, self.axis = tuple(sizes), axis

    def forward(self, x: Array) -> tuple[Array, ...]:
        if sum(self.sizes) != x.shape[self.axis]:
            wanted = f"{sum(self.sizes)} values along dimension {self.axis}"
            raise errors.too_few_dimensions(self, wanted, x.shape, "The sizes must add up to it.")
        parts = tuple(np.split(x, np.cumsum(self.sizes[:-1], dtype=np.intp), axis=self.axis))
        kept: tuple[Array, ...] = self.keep(parts, parts)
        return kept

    def backward(self, grad_output: tuple[Array | None, ...]) -> Array:
        (parts,) = self.release(grad_output)
        grads = [np.zeros_like(y) if dy is None else dy for y, dy in zip(parts, grad_output, strict=True)]
        return np.concatenate(grads, axis=self.axis)


class Pad(Module):
    """x with values around it, or without its border where a width is negative; dx as that of ConstantPad2d and others.

    Parameters
    ----------
    widths : sequence of pairs of int
        (before, after) of each dimension.
    mode : str
        'constant', 'reflect', 'edge' or 'wrap'.
    value : float
        What the constant is.
    """

    def __init__(self, widths: Sequence[tuple[int, int]], mode: str = "constant", value: float = 0.0) -> None:
        self.widths = tuple(map(tuple, widths))
        self.mode, self.value = mode, value

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        y = x
        for axis, source in self._sources(x.shape):
            y = y.take(np.maximum(source, 0), axis=axis)
            if self.mode == "constant":
                y = np.where(_along(source, axis, y.ndim) < 0, np.asarray(self.value, x.dtype), y)
        return self.keep(y if y is not x else x.copy(), x.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        dx = grad_output
        for axis, source in reversed(self._sources(shape)):
            inside = np.flatnonzero(source >= 0)
            wider = np.zeros((shape[axis], *dx.shape[:axis], *dx.shape[axis + 1 :]), dx.dtype)
            np.add.at(wider, source[inside], np.moveaxis(dx.take(inside, axis=axis), axis, 0))
            dx = np.moveaxis(wider, 0, axis)
        return dx

    def _sources(self, shape: tuple[int, ...]) -> list[tuple[int, Array]]:
        """Along each dimension that changes, the place that each value comes from; −1 for the constant."""
        found = []
        for axis, (before, after) in enumerate(self.widths):
            if before or after:
                n = shape[axis]
                if self.mode == "constant":
                    places = np.arange(-before, n + after)
                    source = np.where((places >= 0) & (places < n), places, -1)
                else:
                    name = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}[self.mode]
                    source = SOURCES[name](n, before, after)
                found.append((axis, source))
        return found


def _along(values: Array, axis: int, ndim: int) -> Array:
    return values.reshape(-1, *(1,) * (ndim - 1 - axis))


class Reduce(Module):
    """One value of all along some dimensions: their sum, mean, product, extreme, or a norm of them.

    Derivative, with s = Σ x and y as forward has it: Sum dy, Mean dy / n, Prod dy Πⱼ xⱼ over all others, Max and Min dy
    shared by those that are it, L1 sign(x) dy, L2 x / y dy, SumSquare 2 x dy, LogSum dy / s, LogSumExp e^(x − y) dy.

    Parameters
    ----------
    operator : str
        ONNX's name without "Reduce".
    axes : sequence of int
        The dimensions.
    keepdims : bool
        Whether they stay, with length 1.
    """

    def __init__(self, operator: str, axes: Sequence[int], keepdims: bool) -> None:
        self.operator, self.axes, self.keepdims = operator, tuple(axes), keepdims

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        y = np.asarray(self._reduced(x))
        shown = y if self.keepdims else y.squeeze(axis=self.axes)
        return self.keep(shown, x, y)

    def backward(self, grad_output: Array) -> Array:
        x, y = self.release(grad_output)
        return np.asarray(self._slope(x, y) * grad_output.reshape(y.shape), x.dtype)

    def _reduced(self, x: Array) -> Any:
        axes, name = self.axes, self.operator
        if name == "L2":
            return np.sqrt(np.add.reduce(x * x, axis=axes, keepdims=True))
        if name == "LogSumExp":
            far = np.maximum.reduce(x, axis=axes, keepdims=True, initial=-np.inf)
            far = np.where(np.isfinite(far), far, 0)
            with np.errstate(divide="ignore"):
                return np.log(np.add.reduce(np.exp(x - far), axis=axes, keepdims=True)) + far
        if name in ("Max", "Min"):
            kind, start = (np.maximum, -np.inf) if name == "Max" else (np.minimum, np.inf)
            return kind.reduce(x, axis=axes, keepdims=True, initial=start)
        if name == "Prod":
            return np.multiply.reduce(x, axis=axes, keepdims=True)
        values = {"L1": np.abs, "SumSquare": np.square}.get(name, np.asarray)(x)
        total = np.add.reduce(values, axis=axes, keepdims=True)
        if name == "LogSum":
            with np.errstate(divide="ignore"):
                return np.log(total)
        return total / max(self._count(x), 1) if name == "Mean" else total

    def _count(self, x: Array) -> int:
        return math.prod(x.shape[axis] for axis in self.axes)

    def _slope(self, x: Array, y: Array) -> Any:
        name = self.operator
        if name in ("Max", "Min"):
            reached = (x == y).astype(x.dtype)
            return reached / np.maximum(np.add.reduce(reached, axis=self.axes, keepdims=True), 1)
        if name == "Prod":
            return self._others(x)
        if name == "LogSumExp":
            return np.exp(x - y)
        if name == "L2":
            return np.where(y == 0, 0, x / np.where(y == 0, 1, y))
        if name == "LogSum":
            return np.ones_like(x) / np.add.reduce(x, axis=self.axes, keepdims=True)
        slopes = {"L1": np.sign(x), "SumSquare": 2 * x, "Mean": np.ones_like(x) / max(self._count(x), 1)}
        return slopes.get(name, np.ones_like(x))

    def _others(self, x: Array) -> Array:
        """The product of all others, without a division: from the left times from the right."""
        axes = [axis % x.ndim for axis in self.axes]
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        turned = x.transpose(*kept, *axes)
        flat = turned.reshape(*turned.shape[: len(kept)], math.prod(turned.shape[len(kept) :]))
        ones = np.ones((*flat.shape[:-1], 1), x.dtype)
        left = np.concatenate([ones, np.cumprod(flat, axis=-1)[..., :-1]], axis=-1)
        right = np.concatenate([np.cumprod(flat[..., ::-1], axis=-1)[..., ::-1][..., 1:], ones], axis=-1)
        return (left * right).reshape(turned.shape).transpose(np.argsort([*kept, *axes]))
