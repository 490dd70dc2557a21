"""Windows along the axes of an image: which inputs each output sees, their sum, their greatest, and the way back.

A window of an image is one of its rows' window times one of its columns' window, so sums and maxima are taken along
one axis after the other. Along an axis the outputs go through their windows together: step k is the k-th input of
each window, a pair (outputs, inputs) of indices.
"""

import math
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


def taken(x: Array, axis: int, index: Index) -> Array:
    """x[index] along the axis."""
    return x[along(axis, index)] if isinstance(index, slice) else x.take(index, axis=axis)


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
        y[along(axis, outs)] += taken(x, axis, ins)
    return y


def total_backward(dy: Array, axis: int, steps: Steps, size: int) -> Array:
    """Each input gets the gradients of all windows that it lies in."""
    dx = np.zeros(resized(dy, axis, size), dy.dtype)
    for outs, ins in steps:
        add_at(dx, axis, ins, taken(dy, axis, outs))
    return dx


def greatest(x: Array, axis: int, steps: Steps, outputs: int) -> tuple[Array, Array]:
    """The greatest value of each window along the axis, and at which step it comes: the first of equals, the last NaN.

    Where all are -inf it is the first that exists.
    """
    y = np.full(resized(x, axis, outputs), -np.inf, x.dtype)
    step = np.zeros(y.shape, np.min_scalar_type(len(steps)))
    for k, (outs, _) in reversed(list(enumerate(steps))):
        step[along(axis, outs)] = k
    with_nan = bool(np.isnan(np.max(x, initial=-np.inf)))
    for k, (outs, ins) in enumerate(steps):
        seen, so_far = taken(x, axis, ins), y[along(axis, outs)]
        better = seen > so_far
        if with_nan:
            better |= np.isnan(seen)
        y[along(axis, outs)] = np.maximum(seen, so_far)
        # k exceeds every step before: a maximum selects as np.where would, and is faster for such masks
        step[along(axis, outs)] = np.maximum(step[along(axis, outs)], better * step.dtype.type(k))
    return y, step


def greatest_backward(dy: Array, axis: int, steps: Steps, size: int, step: Array) -> Array:
    """The input that was the greatest gets the whole gradient."""
    dx = np.zeros(resized(dy, axis, size), dy.dtype)
    for k, (outs, ins) in enumerate(steps):
        add_at(dx, axis, ins, np.where(taken(step, axis, outs) == k, taken(dy, axis, outs), dy.dtype.type(0)))
    return dx


def each_sees(steps: Steps, outputs: int) -> bool:
    """Whether each window sees something."""
    seeing = np.zeros(outputs, bool)
    for outs, _ in steps:
        seeing[outs] = True
    return bool(seeing.all())


def places(axis: int, steps: Steps, size: int, step: Array) -> Array:
    """Which input it is that each output sees at its step."""
    table = np.zeros((len(steps), step.shape[axis]), np.int64)
    for k, (outs, ins) in enumerate(steps):
        table[k, outs] = np.arange(size)[ins]
    return np.asarray(table[step, facing(np.arange(step.shape[axis]), axis)])


def flat_places(each: Sequence[Array], shape: Sequence[int]) -> Array:
    """One number a place, row after row, from the places along each axis; the last axis was searched first."""
    flat = each[-1]
    for axis in range(len(each) - 2, -1, -1):
        within = np.take_along_axis(flat, each[axis], axis=axis - len(each))
        flat = each[axis] * math.prod(shape[axis + 1 :]) + within
    return flat
