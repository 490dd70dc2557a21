"""The steps of a training in NumPy, and which engine's stepper begins one."""

import itertools
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from maillon import engine as engines
from maillon.engine import FallbackWarning, NotLoweredError
from maillon.engine.closure import runner_of
from maillon.engine.native import Runner
from maillon.engine.step import Batches
from maillon.engine.stepper import SLICE_S, Place, Schedule, Slice, Stepper
from maillon.nesting import leaves
from maillon.optim import Optim
from maillon.optim.learner import NOTHING_AROUND
from maillon.random import Drawn
from maillon.tracebacks import warn
from maillon.train.batches import ArrayBatches, Batch, GivenBatches
from maillon.train.interrupt import Interrupt, LeftError

_told: set[str] = set()


class NumpyStepper:
    """NumPy's stepper: one call of `optim.learn` a step, mini-batches of arrays or given ones.

    interrupt: ends a slice when Ctrl-C was pressed; where mini-batches can come again, in the middle of a step, which
    is then as if it had not begun. place: where another stepper has stopped.
    """

    engine: ClassVar[str] = "numpy"

    def __init__(
        self,
        optim: Optim,
        batches: ArrayBatches | GivenBatches,
        interrupt: Interrupt,
        place: Place | None = None,
    ) -> None:
        self.optim = optim
        self.batches = batches
        self.interrupt = interrupt
        self.loss = float("nan")
        self.steps = self.batch = 0
        self._total = self._size = 0.0
        self._epoch: Iterator[Batch] | None = None
        self._order: Any = None
        if place is not None:
            self.go_to(place)

    @property
    def between_epochs(self) -> bool:
        return self._epoch is None

    @property
    def place(self) -> Place:
        row = 0 if self._epoch is None else self.batches.row_after(self.batch)
        return Place(self.loss, self.steps, self.batch, self._order, row, self._total, self._size)

    def go_to(self, place: Place) -> None:
        self.loss, self.steps, self.batch = place.loss, place.steps, place.batch
        self._order, self._total, self._size = place.order, place.total, place.size
        self._epoch = self.batches.after(self._order, place.row) if place.row else None

    def run(self, max_steps: int, max_epochs: int, record: bool = False, schedule: Schedule | None = None) -> Slice:
        """Go on until a limit is reached, at most to the end of the epoch; what is recorded ends a slice as well.

        Everything a step does not need stands outside of the loop: a small network's step is measured against it.
        """
        if self._epoch is None:
            self._drawn = Drawn()
            self._order = self.batches.order()
            self._drawn.close()
            self._epoch = self.batches.after(self._order, 0)
            self.batch, self._total, self._size = 0, 0.0, 0.0
        optim, interrupt, clock = self.optim, self.interrupt, time.perf_counter
        learn, loss = optim.learn, optim.loss
        averages, most = loss.averages, 1 if record else max_steps
        after_update = schedule.step if schedule is not None and schedule.by_step else None
        steps, value, total, size, seen = 0, self.loss, self._total, self._size, []
        ended, begun = True, clock()
        until = begun + SLICE_S
        if isinstance(self.batches, ArrayBatches):
            optim.around = interrupt
        try:
            for x, y, weight in self._epoch:
                value = learn(x, y, weight)
                steps += 1
                counted = loss.denominator if averages else 1.0
                total += value * counted
                size += counted
                if record:
                    seen.append((optim.prediction, y, len(leaves(x)[0])))
                if after_update is not None and not optim.waiting:
                    after_update()
                if steps >= most or interrupt.requested or clock() > until:
                    ended = False
                    break
        except LeftError:
            ended = False
            self._leave_step((x, y, weight), first=not (steps or self.batch))
        finally:
            optim.around = NOTHING_AROUND
            self.loss, self._total, self._size = value, total, size
            self.steps += steps
            self.batch += steps
        done = Slice(steps, np.empty((0, 3)), seen)
        if ended or self._is_over():
            done.epochs = np.array([(total, size, clock() - begun)])
            self._epoch = None
        return done

    def _leave_step(self, batch: Batch, *, first: bool) -> None:
        """The step on this mini-batch was left: it comes again. first: of its epoch, whose order is drawn again."""
        self.optim.network.forget()
        self.optim.loss.forget()
        assert self._epoch is not None
        self._epoch = itertools.chain([batch], self._epoch)
        if first:
            self._drawn.take_back()
            self._epoch = None

    def _is_over(self) -> bool:
        """Whether the epoch has no more mini-batches, as far as their number is known."""
        if self.batch != self.batches.steps or self._epoch is None:
            return False
        more = list(itertools.islice(self._epoch, 1))
        self._epoch = itertools.chain(more, self._epoch)
        return not more

    def flush(self) -> bool:
        """Move the parameters by what is gathered; whether there was something."""
        waiting = self.optim.waiting
        self.optim.flush()
        return waiting

    def show(self) -> None:
        """Python has done the steps, and sees all of them."""


def first_stepper(engine: str, optim: Optim, batches: ArrayBatches | GivenBatches, interrupt: Interrupt) -> Stepper:
    """The core's stepper where `engine` allows it and the core knows everything, else NumPy's."""
    if engines.choose(engine) == "numpy":
        return NumpyStepper(optim, batches, interrupt)
    try:
        if not isinstance(batches, ArrayBatches):
            raise NotLoweredError("mini-batches that are given one by one are not among what it knows")
        data, size = batches.data, batches.batch_size
        shuffle, drop_last = batches.shuffle, batches.drop_last
        cut = Batches.of(data.x, data.y, data.weight, size, shuffle=shuffle, drop_last=drop_last)
        beginning, batches.beginning = batches.beginning, None  # the runner's memory from now on
        runner = runner_of(optim, cut, beginning, lambda: interrupt.requested)
    except NotLoweredError as reason:
        fall_back(engine, "runs", reason)
        return NumpyStepper(optim, batches, interrupt)
    tell_own(runner)
    return runner


def tell_own(runner: Runner) -> None:
    """Say once which links and losses run in NumPy, and why."""
    if runner.own:
        names = " and ".join(dict.fromkeys(type(own).__name__ for own in runner.own))
        why = "; ".join(dict.fromkeys(runner.own.values()))
        _tell(f"fit runs {names} in NumPy, and the rest in the compiled core: {why}.", names)


def fall_back(engine: str, how: str, reason: NotLoweredError) -> None:
    """Say why NumPy does the steps: with "native" in a RuntimeError, with "auto" in a FallbackWarning, once."""
    if engine == "native":
        raise RuntimeError(f"engine='native': {reason}. Pass engine='auto' to train in NumPy where it must.") from None
    _tell(f"fit {how} in NumPy, not in the compiled core: {reason}.")


def _tell(message: str, key: str = "") -> None:
    key = key or message
    if key not in _told:
        _told.add(key)
        warn(message, FallbackWarning)
