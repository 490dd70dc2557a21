"""A schedule within a slice: the options of the steps to come, which the core takes row by row."""

from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.engine.plan import address
from maillon.engine.stepper import Schedule, Slice
from maillon.engine.verify import verify_schedule
from maillon.typing import Array

FORESEEN = 1024
"""Steps of a schedule for one slice."""


class Timetable:
    """What the core needs of a schedule for one slice.

    training: the core's. options: where it reads a rule's options. read: those in force, in this order.
    """

    def __init__(self, schedule: Schedule, training: Any, options: Array, read: Callable[[], list[float]]) -> None:
        self.schedule = schedule
        self._training, self._options, self._read = training, options, read
        self._rows = np.empty((0, options.size))
        self._moved: list[int] = []

    def foresee(self, moved: list[int], epochs: int) -> int:
        """Take as many steps of the schedule ahead as the slice may need; how many epochs it may have.

        moved: how often the parameters will have moved at the end of each epoch.
        """
        self._moved = moved
        wanted = min(moved[-1] if self.schedule.by_step else epochs - 1, FORESEEN)
        rows = self.schedule.ahead(wanted, self._read)
        self._rows = np.array(rows, np.float64).reshape(len(rows), self._options.size)
        verify_schedule(self._rows, self._options)
        self.begin()
        return epochs if self.schedule.by_step else len(rows) + 1

    def begin(self) -> None:
        """Hand the rows to the core, which takes the first one next."""
        count, width = self._rows.shape
        turns, rows = 1 if self.schedule.by_step else 2, address(self._rows) if count else 0
        self._training.schedule(turns, rows, count, width, address(self._options))

    def end(self, done: Slice) -> None:
        """Let the schedule stand where the core has come to."""
        missing, ended = self._training.missing, len(done.epochs)
        rates = self.schedule.went(int(self._training.scheduled))
        self._training.schedule(0, 0, 0, 0, 0)
        if self.schedule.by_step:
            done.rates = [rates[moved - 1] for moved in self._moved[:ended] if 0 < moved <= len(rates)]
        else:
            done.rates = rates
        if missing:
            self.schedule.step()


def moves(steps: int, epochs: int, *, left: int, each: int, gathered: int, accumulate: int) -> list[int]:
    """How often parameters will have moved at the end of each epoch of so many steps; the last count is no less than
    FORESEEN where that is not all of them.

    left: steps of the epoch under way. each: of a whole one. accumulate: mini-batches that move the parameters once;
    between two epochs what is left over moves them too.
    """
    counts: list[int] = []
    moved = 0
    while True:
        done = min(left, steps)
        moved, gathered = moved + (gathered + done) // accumulate, (gathered + done) % accumulate
        steps, epochs = steps - done, epochs - 1
        if done < left or not steps or not epochs or moved >= FORESEEN:
            return [*counts, moved]
        moved, gathered, left = moved + (gathered > 0), 0, each
        counts.append(moved)
