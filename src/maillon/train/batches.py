"""The mini-batches of a training: cut from arrays, or given one by one."""

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import Any

from maillon.engine.orders import Shuffle, order_of
from maillon.engine.step import Beginning
from maillon.nn import Loss, Module
from maillon.optim.door import Data, check
from maillon.random import Generator, GeneratorState, default_generator
from maillon.train.checkpoint import hash_of
from maillon.train.class_weights import ClassWeights
from maillon.typing import Array

Batch = tuple[Any, Any, Array | None]

VALIDATION_BATCH = 1024
"""The rows that are evaluated at a time after an epoch."""

_GATHERED_BYTES = 2**18  # what one gathering copies: enough batches to share its cost, and still in the cache


class ArrayBatches:
    """The mini-batches of one epoch after the other, shuffled anew for each if wanted.

    A shuffled epoch draws one permutation, or asks a function for it. Small batches are not gathered one by one, but
    several at once, and handed out as views.
    drop_last: leave out a short last mini-batch of each epoch. beginning: what the core has lowered of the training.
    """

    def __init__(
        self, data: Data, batch_size: int, shuffle: Shuffle, drop_last: bool = False, beginning: Beginning | None = None
    ) -> None:
        self.data = data
        self.beginning = beginning
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.rows = data.rows - data.rows % batch_size if drop_last else data.rows  # of an epoch
        self.steps: int | None = math.ceil(self.rows / batch_size)
        together = max(1, _GATHERED_BYTES // max(1, data.row_bytes * batch_size))
        self._gathered = batch_size * together

    def order(self) -> Array | None:
        """That of the rows of a new epoch, drawn; None where they come as they are."""
        return order_of(self.shuffle, self.data.rows, default_generator()) if self.shuffle else None

    def after(self, order: Array | None, row: int) -> Iterator[Batch]:
        """Those of an epoch in this order, None as they come, from a row on."""
        if order is None:
            yield from self.data.part(row, self.rows).batches(self.batch_size)
            return
        for start in range(row, self.rows, self._gathered):
            rows = order[start : min(start + self._gathered, self.rows)]
            yield from self.data.take(rows).batches(self.batch_size)

    def row_after(self, batch: int) -> int:
        """How many rows of the epoch are done after this mini-batch."""
        return min(batch * self.batch_size, self.rows)


class GivenBatches:
    """The mini-batches of an iterable of (x, y) or (x, y, sample_weight), gone through once for each epoch."""

    def __init__(
        self,
        where: str,
        given: Iterable[Any],
        loss: Loss,
        network: Module,
        epochs: int,
        class_weights: ClassWeights | None = None,
    ) -> None:
        if epochs > 1 and iter(given) is given:
            raise ValueError(
                f"{where}: expected batches that can be gone through {epochs} times, got {type(given).__name__}, which "
                "serves once. Pass a list, or an object whose __iter__ begins anew."
            )
        self.where = where
        self.given = given
        self.loss = loss
        self.network = network
        self.class_weights = class_weights
        self.steps: int | None = len(given) if isinstance(given, Sized) else None
        self._epochs = 0  # begun
        self._begun: GeneratorState | None = None  # the state of the generator when the last epoch began
        self._recent: deque[tuple[int, Batch]] = deque(maxlen=2)  # an end is looked for one mini-batch ahead
        self._resumed: Iterator[Any] | None = None

    def order(self) -> None:
        """They come as they are given."""
        self._epochs += 1
        self._begun = default_generator().get_state()

    def after(self, _order: None, done: int) -> Iterator[Batch]:
        """Those of an epoch after so many."""
        items, self._resumed = iter(self.given) if self._resumed is None else self._resumed, None
        batch = done
        for batch, item in enumerate(items, done + 1):
            given = self._checked(batch, item)
            self._recent.append((batch, given))
            yield given
        if not batch:
            raise ValueError(f"{self.where}: expected at least one batch, got none. Pass an iterable that has some.")

    def _checked(self, batch: int, item: Any) -> Batch:
        if not isinstance(item, tuple | list) or len(item) not in (2, 3):
            got = f"{len(item)} parts" if isinstance(item, tuple | list) else type(item).__name__
            raise TypeError(
                f"{self.where}: expected batch {batch} to be (x, y) or (x, y, sample_weight), got {got}. "
                "Where x is an array, give y as well."
            )
        x, y, weight = (*item, None)[:3]
        data = check(self.where, self.network, self.loss, x, y, weight, f"batch {batch} ")
        weight = data.weight
        if self.class_weights is not None:
            weight = self.class_weights.times(data, self.network.dtype)
        return data.x, data.y, weight

    # Checkpoints

    @property
    def keeps_place(self) -> bool:
        """Whether the iterable can be told to go on from a place."""
        return hasattr(self.given, "state_dict") and hasattr(self.given, "load_state_dict")

    def row_after(self, batch: int) -> int:
        """What `after` is told to go on after this mini-batch."""
        return batch

    def state_dict(self, batch: int) -> dict[str, Any]:
        """The iterable's own state; without one the hash of the last mini-batch, and what it takes to come there."""
        if self.keeps_place:
            return {"given": self.given.state_dict()}  # type: ignore[attr-defined]
        from maillon.saving.values import state_of

        last = [hash_of(given) for number, given in self._recent if number == batch]
        return {
            "epochs": self._epochs,
            "begun": None if self._begun is None else state_of(Generator(0).set_state(self._begun)),
            "last": last[-1] if last else None,
        }

    def load_state_dict(self, state: Mapping[str, Any], batch: int, *, between: bool) -> None:
        """Go to the place after this mini-batch, between two epochs or within one.

        An iterable without a state of its own is gone through again, from the first epoch on: what it draws from a
        generator of its own comes as it came.
        """
        if self.keeps_place:
            self.given.load_state_dict(state["given"])  # type: ignore[attr-defined]
            return
        from maillon.saving.values import set_state

        self._epochs = state["epochs"]
        if not self._epochs:
            return
        for _ in range(self._epochs - 1):
            for _item in self.given:
                pass
        set_state(default_generator(), state["begun"])
        self._begun = default_generator().get_state()
        items, done, last = iter(self.given), 0, None
        for done, last in enumerate(itertools.islice(items, None if between else batch), 1):  # noqa: B007
            pass
        given = self._checked(batch, last) if done == batch else None
        if given is None or hash_of(given) != state["last"]:
            raise ValueError(
                f"resume: batch {batch} is not the one after which the checkpoint was written, so the mini-batches do "
                "not come again as they did. Give them in the same order, or by an object with state_dict() and "
                "load_state_dict()."
            )
        self._recent.append((batch, given))
        self._resumed = None if between else items
