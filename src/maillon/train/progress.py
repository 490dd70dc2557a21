"""The progress bar: one for the whole training, with its loss, its metrics and the time left."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from maillon.train.history import Number

_EVERY_S = 0.1


def wanted(progress: bool | None) -> bool:
    """None: where the error stream is a terminal."""
    if progress is not None:
        return bool(progress)
    return sys.stderr is not None and sys.stderr.isatty()


class Bar:
    """Steps done of all steps, drawn at most ten times a second.

    steps: the steps of one epoch, None while nobody knows.
    """

    def __init__(self, epochs: int, steps: int | None) -> None:
        from tqdm import tqdm

        self.epochs = epochs
        self._tqdm: Any = tqdm(
            total=None if steps is None else steps * epochs, unit="step", dynamic_ncols=True, mininterval=0
        )
        self._next = 0.0
        self._numbers: dict[str, Number] = {}

    @property
    def due(self) -> bool:
        """Whether it is time to draw again."""
        return time.monotonic() >= self._next

    def show(self, epoch: int, done: int, numbers: Mapping[str, Number]) -> None:
        """Draw `done` steps, and these numbers beside the others last shown."""
        self._next = time.monotonic() + _EVERY_S
        self._numbers |= numbers
        self._tqdm.set_description(f"epoch {epoch}/{self.epochs}", refresh=False)
        shown = {name: f"{value:.4g}" for name, value in self._numbers.items()}
        self._tqdm.set_postfix(shown, refresh=False)
        self._tqdm.update(done - self._tqdm.n)

    def epoch_end(self, epoch: int, done: int, row: Mapping[str, Number]) -> None:
        """As `show`, and the steps of a whole epoch are known from now on."""
        if self._tqdm.total is None:
            self._tqdm.total = done * self.epochs
        self.show(epoch, done, row)

    def close(self) -> None:
        self._tqdm.close()
