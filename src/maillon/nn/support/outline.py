"""The arrays that constructors fill, and outlines: networks of shapes alone, without memory and without a draw."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from maillon.typing import Array, DType

_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


class OutlineError(ValueError):
    """A network would have more arrays than it may have."""


@contextmanager
def outline(most: int) -> Iterator[None]:
    """Inside this block constructors neither draw nor take memory: their arrays have shapes, and no room for values.

    most: how many arrays they may make; OutlineError beyond.
    """
    token = _left.set([most])
    try:
        yield
    finally:
        _left.reset(token)


@contextmanager
def real() -> Iterator[None]:
    """Inside this block constructors make arrays with room after all."""
    token = _left.set(None)
    try:
        yield
    finally:
        _left.reset(token)


def outlined() -> bool:
    """Whether constructors make outlines, and leave the drawing of initial values out."""
    return _left.get() is not None


def empty(shape: int | tuple[int, ...], dtype: DType) -> Array:
    """An array for initial values, which the caller sets unless `outlined`."""
    left = _left.get()
    return np.empty(shape, dtype) if left is None else _without_room(left, shape, dtype)


def full(shape: int | tuple[int, ...], value: float, dtype: DType) -> Array:
    """An array of one value."""
    left = _left.get()
    return np.full(shape, value, dtype) if left is None else _without_room(left, shape, dtype)


def _without_room(left: list[int], shape: int | tuple[int, ...], dtype: DType) -> Array:
    if not left[0]:
        raise OutlineError("it has more parameters and buffers than expected")
    left[0] -= 1
    return np.broadcast_to(np.zeros((), dtype), shape)
