"""Windows along the axes of an image: which inputs each output sees, their sum, their greatest, and the way back.

A window of an image is one of its rows' window times one of its columns' window, so sums and maxima are taken along
one axis after the other. Along an axis the outputs go through their windows together: step k is the k-th input of
each window, a pair (outputs, inputs) of indices.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon.typing import Array

Index = Any
"""A slice, or an array of increasing integers."""
Steps = list[tuple[Index, Index]]
"""The outputs that still have an input at this step, and those inputs."""


def sliding(size: int, outputs: int, kernel: int, stride: int, padding: int = 0, dilation: int = 1) -> Steps:
    """Output i sees the inputs i · stride − padding + k · dilation, k < kernel, as far as they exist."""
    steps: Steps = []
    for k in range(kernel):
        offset = k * dilation - padding
        low = max(0, -(offset // stride))
        high = min(outputs, (size - 1 - offset) // stride + 1)
        if low < high:
            first = low * stride + offset
            steps.append((slice(low, high), slice(first, first + (high - low - 1) * stride + 1, stride)))
    return steps


def adaptive(size: int, outputs: int) -> Steps:
    """Output i sees the inputs from ⌊i · size / outputs⌋ to ⌈(i + 1) · size / outputs⌉, without the last."""
    if outputs and size % outputs == 0:
        return sliding(size, outputs, size // outputs, size // outputs)
    start, end = adaptive_bounds(size, outputs)
    steps: Steps = []
    for k in range(int(np.max(end - start, initial=0))):
        seeing = np.flatnonzero(start + k < end)
        steps.append((seeing if len(seeing) < outputs else slice(None), start[seeing] + k))
    return steps


def adaptive_bounds(size: int, outputs: int) -> tuple[Array, Array]:
    """Where the windows of `adaptive` begin, and where they have ended."""
    place = np.arange(outputs)
    return place * size // max(outputs, 1), -(-(place + 1) * size // max(outputs, 1))


def along(axis: int, index: Index) -> tuple[Any, ...]:
    """The index along an axis counted from the end."""
    return (..., index, *(slice(None),) * (-1 - axis))


def facing(values: Array, axis: int) -> Array:
    """One value for each place along the axis, broadcast over what follows."""
    return values.reshape(-1, *(1,) * (-1 - axis))


def add_at(target: Array, axis: int, index: Index, values: Array) -> None:
    """target[index] += values along the axis, where an array may name an input several times in a row."""
    if not isinstance(index, slice):
        first = np.flatnonzero(np.diff(index, prepend=-1))
        if len(first) < len(index):
            index, values = index[first], np.add.reduceat(values, first, axis=axis)
    target[along(axis, index)] += values


def resized(x: Array, axis: int, size: int) -> tuple[int, ...]:
    """The shape of x with another size along the axis."""
    return (*x.shape[:axis], size, *x.shape[x.ndim + axis + 1 :])


def total(x: Array, axis: int, steps: Steps, outputs: int) -> Array:
    """The sum over each window along the axis."""
    y = np.zeros(resized(x, axis, outputs), x.dtype)
    for outs, ins in steps:
        y[along(axis, outs)] += x[along(axis, ins)]
    return y


def total_backward(dy: Array, axis: int, steps: Steps, size: int) -> Array:
    """Each input gets the gradients of all windows that it lies in."""
    dx = np.zeros(resized(dy, axis, size), dy.dtype)
    for outs, ins in steps:
        add_at(dx, axis, ins, dy[along(axis, outs)])
    return dx


def greatest(x: Array, axis: int, steps: Steps, outputs: int) -> tuple[Array, Array]:
    """The greatest value of each window along the axis, and its place: the first of equals, the last NaN."""
    y = np.full(resized(x, axis, outputs), -np.inf, x.dtype)
    first = np.zeros(outputs, np.int64)  # where all are -inf
    numbers = np.arange(x.shape[axis])
    for outs, ins in reversed(steps):
        first[outs] = numbers[ins]
    place = np.empty(y.shape, np.int64)
    place[...] = facing(first, axis)
    for outs, ins in steps:
        seen, so_far = x[along(axis, ins)], y[along(axis, outs)]
        better = (seen > so_far) | np.isnan(seen)
        y[along(axis, outs)] = np.where(better, seen, so_far)
        place[along(axis, outs)] = np.where(better, facing(numbers[ins], axis), place[along(axis, outs)])
    return y, place


def greatest_backward(dy: Array, axis: int, steps: Steps, size: int, place: Array) -> Array:
    """The input that was the greatest gets the whole gradient."""
    dx = np.zeros(resized(dy, axis, size), dy.dtype)
    numbers = np.arange(size)
    for outs, ins in steps:
        chosen = place[along(axis, outs)] == facing(numbers[ins], axis)
        add_at(dx, axis, ins, np.where(chosen, dy[along(axis, outs)], 0))
    return dx


def flat_places(places: Sequence[Array], shape: Sequence[int]) -> Array:
    """One number a place, row after row, from the places along each axis; the last axis was searched first."""
    flat = places[-1]
    for axis in range(len(places) - 2, -1, -1):
        within = np.take_along_axis(flat, places[axis], axis=axis - len(places))
        flat = places[axis] * int(np.prod(shape[axis + 1 :])) + within
    return flat
