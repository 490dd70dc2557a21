"""Data on its way to the network: opened once at the door, checked, then cut into mini-batches."""

import math
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from maillon.nn import Loss, Module
from maillon.optim.door import as_inputs, as_target
from maillon.random import default_generator
from maillon.train import checks
from maillon.typing import Array

Batch = tuple[Any, Any, Array | None]

_GATHERED_BYTES = 2**18  # what one gathering copies: enough batches to share its cost, and still in the cache


def take(data: Any, rows: Array) -> Any:
    """The rows of an array, or of each array in a tuple or dict: a copy."""
    if isinstance(data, tuple):
        return tuple(take(part, rows) for part in data)
    if isinstance(data, dict):
        return {name: take(part, rows) for name, part in data.items()}
    return None if data is None else data.take(rows, axis=0)


def cut(data: Any, start: int, stop: int) -> Any:
    """The rows from start to stop of an array, or of each array in a tuple or dict: views."""
    if isinstance(data, tuple):
        return tuple(cut(part, start, stop) for part in data)
    if isinstance(data, dict):
        return {name: cut(part, start, stop) for name, part in data.items()}
    return None if data is None else data[start:stop]


@dataclass(frozen=True)
class Data:
    """Inputs, targets (None for a loss without) and weights in the network's dtype, with as many rows each."""

    x: Any
    y: Any
    weight: Array | None
    rows: int

    @classmethod
    def opened(
        cls, where: str, network: Module, loss: Loss, x: Any, y: Any, weight: Any = None, prefix: str = ""
    ) -> "Data":
        """Convert for the network and check; ValueError or TypeError, naming the array, for what cannot be learnt from.

        prefix: "validation " where that is what the arrays are.
        """
        dtype = network.dtype
        inputs = as_inputs(x, dtype, f"{prefix}x", network)
        target = inputs if y is x and not loss.takes_labels else as_target(y, loss, dtype, name=f"{prefix}y")
        rows = checks.common_length(where, (f"{prefix}x", inputs), (f"{prefix}y", target))
        weight = None if weight is None else checks.weights(where, f"{prefix}sample_weight", weight, rows, dtype)
        checks.finite(where, f"{prefix}x", inputs)
        if target is not inputs:
            checks.finite(where, f"{prefix}y", target)
        return cls(inputs, target, weight, rows)

    def split(self, where: str, fraction: float) -> tuple["Data", "Data"]:
        """The first rows, and the last `fraction` of them."""
        held_out = round(self.rows * fraction)
        if not 0 < held_out < self.rows:
            raise ValueError(
                f"{where}: validation_split={fraction} of {self.rows} rows leaves {self.rows - held_out} to learn from "
                f"and {held_out} to validate with. Both need at least one."
            )
        return self.part(0, self.rows - held_out), self.part(self.rows - held_out, self.rows)

    def part(self, start: int, stop: int) -> "Data":
        """The rows from start to stop, as views."""
        x = cut(self.x, start, stop)
        y = x if self.y is self.x else cut(self.y, start, stop)
        return Data(x, y, None if self.weight is None else self.weight[start:stop], stop - start)

    def take(self, rows: Array) -> "Data":
        """The rows with these indices, copied."""
        x = take(self.x, rows)
        y = x if self.y is self.x else take(self.y, rows)
        return Data(x, y, None if self.weight is None else self.weight.take(rows), len(rows))

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Mini-batches in order, the last one short where it must be."""
        x, y, weight = self.x, self.y, self.weight
        if weight is None and isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            for start in range(0, self.rows, batch_size):
                stop = start + batch_size
                yield x[start:stop], y[start:stop], None
        else:
            for start in range(0, self.rows, batch_size):
                part = self.part(start, min(start + batch_size, self.rows))
                yield part.x, part.y, part.weight

    @property
    def row_bytes(self) -> int:
        arrays = [array for data in (self.x, self.y) for _, array in checks.leaves("", data)]
        return sum(array.nbytes for array in arrays) // self.rows


class ArrayBatches:
    """The mini-batches of one epoch after the other, shuffled anew for each if wanted.

    A shuffled epoch draws one permutation. Small batches are not gathered one by one, but several at once, and
    handed out as views.
    """

    def __init__(self, data: Data, batch_size: int, shuffle: bool) -> None:
        self.data = data
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.steps: int | None = math.ceil(data.rows / batch_size)
        together = max(1, _GATHERED_BYTES // max(1, data.row_bytes * batch_size))
        self._gathered = batch_size * together

    def __iter__(self) -> Iterator[Batch]:
        yield from self.after(default_generator().randperm(self.data.rows) if self.shuffle else None, 0)

    def after(self, order: Array | None, row: int) -> Iterator[Batch]:
        """Those of an epoch in this order, None as they come, from a row on."""
        if order is None:
            yield from self.data.part(row, self.data.rows).batches(self.batch_size)
            return
        for start in range(row, self.data.rows, self._gathered):
            yield from self.data.take(order[start : start + self._gathered]).batches(self.batch_size)


class GivenBatches:
    """The mini-batches of an iterable of (x, y) or (x, y, sample_weight), gone through once for each epoch."""

    def __init__(self, where: str, given: Iterable[Any], loss: Loss, network: Module, epochs: int) -> None:
        if epochs > 1 and iter(given) is given:
            raise ValueError(
                f"{where}: expected batches that can be gone through {epochs} times, got {type(given).__name__}, which "
                "serves once. Pass a list, or an object whose __iter__ begins anew."
            )
        self.where = where
        self.given = given
        self.loss = loss
        self.network = network
        self.steps: int | None = len(given) if isinstance(given, Sized) else None

    def __iter__(self) -> Iterator[Batch]:
        batch = 0
        for batch, item in enumerate(self.given, 1):
            if not isinstance(item, tuple | list) or len(item) not in (2, 3):
                got = f"{len(item)} parts" if isinstance(item, tuple | list) else type(item).__name__
                raise TypeError(
                    f"{self.where}: expected batch {batch} to be (x, y) or (x, y, sample_weight), got {got}. "
                    "Where x is an array, give y as well."
                )
            x, y, weight = (*item, None)[:3]
            data = Data.opened(self.where, self.network, self.loss, x, y, weight, f"batch {batch} ")
            yield data.x, data.y, data.weight
        if not batch:
            raise ValueError(f"{self.where}: expected at least one batch, got none. Pass an iterable that has some.")
