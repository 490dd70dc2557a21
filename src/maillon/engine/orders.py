"""The order of each epoch's rows: drawn, or given by a function."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.random import Generator
from maillon.typing import Array

Shuffle = bool | Callable[[int], Any]
"""Whether to draw a new order of the rows for each epoch, or the function of their number that gives it."""

Steps = Callable[[int, int, float, int], tuple[int, int, int]]
"""From steps, epochs and seconds at most, and the epochs so far, to the steps done, the epochs ended, and why."""


def order_of(shuffle: Shuffle, rows: int, generator: Generator) -> Array:
    """The order of a new epoch's rows: drawn, or given by the function; ValueError for one that leaves the data."""
    if not callable(shuffle):
        return generator.randperm(rows)
    order = np.asarray(shuffle(rows))
    if order.shape != (rows,) or order.dtype.kind not in "iu" or (rows and not 0 <= order.min() <= order.max() < rows):
        raise ValueError(
            f"shuffle: expected the function to give {rows} integers from 0 to {rows - 1}, the rows in the order of "
            f"the next epoch, got dtype {order.dtype}, shape {order.shape}."
        )
    return order.astype(np.int64, copy=False)


class Epochs:
    """The epochs of a slice: those whose orders a function gives one after the other, all others at once.

    order: where the core reads that of the epoch under way. ends: where it writes the sums of each epoch.
    """

    def __init__(self, shuffle: Shuffle, order: Array, ends: Array) -> None:
        self.shuffle, self.order, self.ends = shuffle, order, ends
        self._given: list[Array] = []  # for the epochs that the slice has begun, after its first one

    def run(
        self, steps_of: Steps, generator: Generator, most: int, epochs: int, seconds: float
    ) -> tuple[int, int, int]:
        """A slice: the steps done, the epochs ended, and why it stopped."""
        self._given = []
        if not callable(self.shuffle):
            return steps_of(most, epochs, seconds, 0)
        return self._run(steps_of, lambda: self._next(generator), most, epochs, seconds)

    def run_again(self, steps_of: Steps, most: int, epochs: int, seconds: float) -> tuple[int, int, int]:
        """Its first steps once more, in the same orders; then stands there that of the step after them."""
        if not callable(self.shuffle):
            return steps_of(most, epochs, seconds, 0)
        orders = iter(self._given)
        done = self._run(steps_of, lambda: next(orders), most, epochs, seconds)
        self.order[:] = next(orders, self.order)
        return done

    def _next(self, generator: Generator) -> Array:
        self._given.append(order_of(self.shuffle, len(self.order), generator).copy())
        return self._given[-1]

    def _run(
        self, steps_of: Steps, next_order: Callable[[], Array], most: int, epochs: int, seconds: float
    ) -> tuple[int, int, int]:
        begun, passed, steps, ended = time.perf_counter(), 0.0, 0, 0
        while True:
            done, whole, ending = steps_of(most - steps, 1, seconds - passed, ended)
            self.ends[ended : ended + whole, 2] += passed
            steps, ended, passed = steps + done, ended + whole, time.perf_counter() - begun
            if not whole or steps >= most or ended >= epochs or passed >= seconds:
                return steps, ended, ending
            self.order[:] = next_order()
