"""The arrays that constructors fill, and outlines: networks of shapes alone, without memory and without a draw."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np

from maillon.typing import Array, DType

ALIGNMENT = 64  # bytes: a cache line, and the widest register
_LARGE = 1024  # bytes from which on an array begins at a cache line


class OutlineError(ValueError):
    """A network would have more arrays than it may have."""


@dataclass
class _Room:
    """How many arrays constructors may still make, and how many bytes they may take where they are real."""

    arrays: float
    size: float


_room: ContextVar[_Room | None] = ContextVar("room", default=None)
_real: ContextVar[bool] = ContextVar("real", default=False)


@contextmanager
def outline(arrays: float = math.inf, size: float = math.inf) -> Iterator[None]:
    """Inside this block constructors neither draw nor take memory: their arrays have shapes, and no room for values.

    arrays: how many they may make; size: the bytes that they may take inside `real`. OutlineError beyond.
    """
    token, inner = _room.set(_Room(arrays, size)), _real.set(False)
    try:
        yield
    finally:
        _room.reset(token)
        _real.reset(inner)


@contextmanager
def real() -> Iterator[None]:
    """Inside this block constructors make arrays with room after all, as long as there is some left."""
    token = _real.set(True)
    try:
        yield
    finally:
        _real.reset(token)


def outlined() -> bool:
    """Whether constructors make outlines, and leave the drawing of initial values out."""
    return _room.get() is not None and not _real.get()


def empty(shape: int | tuple[int, ...], dtype: DType) -> Array:
    """An array for initial values, which the caller sets unless `outlined`; a large one begins at a cache line.

    The core reads as much at a time. Where a reading spans two lines, batches of one row take up to a sixth longer.
    """
    if _sketched(shape, dtype):
        return np.broadcast_to(np.zeros((), dtype), shape)
    size = math.prod((shape,) if isinstance(shape, int) else shape) * dtype.itemsize
    if size < _LARGE:
        return np.empty(shape, dtype)
    raw = np.empty(size + ALIGNMENT, np.uint8)
    return aligned_part(raw, raw.__array_interface__["data"][0], size).view(dtype).reshape(shape)


def aligned_part(raw: Array, begin: int, size: int) -> Array:
    """So many bytes of `raw`, which begins at that address, from a cache line on."""
    start = -begin % ALIGNMENT
    return raw[start : start + size]


def full(shape: int | tuple[int, ...], value: float, dtype: DType) -> Array:
    """An array of one value."""
    return np.broadcast_to(np.zeros((), dtype), shape) if _sketched(shape, dtype) else np.full(shape, value, dtype)


def _sketched(shape: int | tuple[int, ...], dtype: DType) -> bool:
    """Whether the array is one without room; OutlineError for one too many."""
    room = _room.get()
    if room is None:
        return False
    room.arrays -= 1
    if room.arrays < 0:
        raise OutlineError("it has more parameters and buffers than expected")
    if not _real.get():
        return True
    room.size -= math.prod((shape,) if isinstance(shape, int) else shape) * dtype.itemsize
    if room.size < 0:
        raise OutlineError("its parameters and buffers take more memory than expected")
    return False
