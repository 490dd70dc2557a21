"""One training under way: slices of steps by a stepper, and everybody who looks on between them."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from maillon.engine import NotLoweredError
from maillon.engine.native import Runner
from maillon.engine.stepper import Slice, Stepper
from maillon.nn import Module
from maillon.optim import NonFiniteLossError, Optim
from maillon.optim.door import Data
from maillon.random import default_generator
from maillon.tracebacks import warn
from maillon.train.batches import VALIDATION_BATCH, ArrayBatches, GivenBatches
from maillon.train.callbacks import Hook, Hooks, State
from maillon.train.checkpoint import Checkpoint, Keeper, NoStateWarning, read_checkpoint, require_same
from maillon.train.history import History
from maillon.train.interrupt import Interrupt, LeftError, deferred_interrupt, tell
from maillon.train.modes import learning
from maillon.train.predict import OutputOf, evaluated, outputs_of
from maillon.train.progress import Bar
from maillon.train.scheduling import Scheduling
from maillon.train.scores import Metric, RunningMetrics
from maillon.train.stepping import NumpyStepper, fall_back, first_stepper, tell_own
from maillon.typing import Array

_ALL = sys.maxsize
_SHORT_S = 0.1
"""A validation that takes less is not left for Ctrl-C."""

_told: set[str] = set()  # callbacks without a state


class Training:
    """What `fit` has checked and put together, ready to `run`.

    It alone looks on: it decides how many steps a slice may have, and calls callbacks, metrics, bar, history and
    schedule between two slices. Before any of them everything is shown as NumPy would have left it; whatever they
    change is taken in before the next slice.
    """

    def __init__(
        self,
        optim: Optim,
        batches: ArrayBatches | GivenBatches,
        epochs: int,
        *,
        validation: Data | None,
        metrics: Mapping[str, Metric],
        hooks: Hooks,
        scheduling: Scheduling,
        progress: bool,
        engine: str,
        checkpoint: Checkpoint | None = None,
        resume: str | os.PathLike[str] | None = None,
        resume_exact: bool = True,
        stepper: Stepper | None = None,
    ) -> None:
        """stepper: one that is ready; by default the engine's."""
        self.optim = optim
        self.batches = batches
        self.epochs = epochs
        self.validation = validation
        self.metrics = dict(metrics)
        self.hooks = hooks
        self.scheduling = scheduling
        if scheduling.by_step and hooks.step_end:
            hooks.step_end.append(scheduling.after_step)
        self._within = None if not scheduling or (scheduling.by_step and hooks.step_end) else scheduling
        self.progress = progress
        self.engine = engine
        self._evaluates: Module | None = None  # the network whose outputs these are
        self._outputs: OutputOf
        self._keeper = Keeper(checkpoint)
        self._resume, self._exact = resume, resume_exact
        self.identity: dict[str, Any] = {}  # what it must be like to go on from a checkpoint; {} without one
        names = ["loss", *metrics]
        validated = [f"val_{name}" for name in names] if validation is not None else []
        scheduling.watch([*names, *validated])
        self.history = History(["epoch", *names, *validated, "lr", "seconds"])
        self.state = State(optim, self.history)
        self.interrupt = Interrupt()
        self.bar: Bar | None = None
        self._ready = stepper
        self.stepper: Stepper
        self.running = RunningMetrics(self.metrics)
        self.whole = 0  # epochs
        self.ended = False
        self._until = epochs  # the epoch after which it ends or pauses
        self._paused = self.begun = 0.0  # when, by the clock
        self.entered = False  # whether the one after these has begun
        self._written = False  # a last checkpoint that another one would spoil
        self.lr = 0.0  # of the epoch under way
        self._validation_s = 0.0  # of the last validation
        self.unvalidated: list[Any] | None = None  # total, size and rates of an epoch whose validation was left
        self.epoch_begun = 0.0  # when the epoch under way did

    def run(self, until: int | None = None) -> History:
        """Train to the end, or to what ends it before.

        Or pause after epoch `until`, from where another call goes on.
        """
        now = time.perf_counter()
        rest = now - self._paused if self._paused else 0.0
        self.begun = self.begun + rest if self._paused else now
        self.epoch_begun += rest
        self._until = self.epochs if until is None else min(until, self.epochs)
        try:
            with learning(self.optim.network), deferred_interrupt(self.interrupt):
                if not self._paused:
                    self._begin()
                try:
                    self._train()
                finally:
                    self.stepper.show()
                if self.whole < self._until or self._until == self.epochs or self.ending:
                    self._end()
        finally:
            self._paused = time.perf_counter()
            self.history.steps = self.state.step
            self.history.seconds = self._paused - self.begun
            if self.bar is not None:
                self.bar.close()
        if self.history.interrupted:
            history = self.history
            tell("fit", f"training after {len(history)} of {self.epochs} epochs, {history.steps} steps")
        return self.history

    def _begin(self) -> None:
        if self.optim.waiting:
            self.optim.zero_grad()  # what an earlier training has left in the middle
        self.stepper = self._ready or first_stepper(self.engine, self.optim, self.batches, self.interrupt)
        self.history.engine = self.stepper.engine
        found = self._found()
        self._call(self.hooks.train_begin)
        self._go_on(found)
        self._keeper.begin(self._captured)

    def _end(self) -> None:
        self.ended = True
        self.history.interrupted = self.interrupt.requested
        self.history.stopped_early = self.state.stopping
        if not self._written:
            self._write()
        self._call(self.hooks.train_end)

    # `snapshot` opens where a checkpoint is written or read: learning does without.

    def _captured(self, older: list[str]) -> tuple[dict[str, Array], dict[str, Any]]:
        from maillon.train.snapshot import captured

        return captured(self, older)

    def _found(self) -> tuple[dict[str, Array], dict[str, Any]] | None:
        """A checkpoint of this training that is there to go on from; ValueError for one of another."""
        if not self._keeper.active and self._resume is None:
            return None
        from maillon.train.snapshot import identity

        if self._keeper.active and (stateless := self.hooks.without_state()):
            _tell_stateless(stateless)
        self.generator = default_generator()
        self.identity = identity(self)
        found = None if self._resume is None else read_checkpoint(self._resume)
        if found is not None and self._resume is not None:
            require_same(self._resume, self.identity, found[1], exact=self._exact)
        return found

    def _go_on(self, found: tuple[dict[str, Array], dict[str, Any]] | None) -> None:
        """Where the checkpoint was written, if there is one."""
        if found is None or self._resume is None:
            return
        from maillon.saving.files import FileError
        from maillon.train.snapshot import restore

        try:
            restore(self, *found)
        except FileError as error:
            raise FileError(
                f"resume: {os.fspath(self._resume)!r}: {str(error).removesuffix('.')}."
            ) from error.__cause__
        older = found[1].get("older")
        self._keeper.resumed(self._resume, self.state.step, self.whole, older if isinstance(older, list) else [])

    def _write(self) -> None:
        """A checkpoint, now."""
        try:
            self._keeper.write(self.state.step, self.whole, self._captured)
        except OSError as error:
            error.add_note(
                f"The training ended here, after {self.state.step} steps: the network is as they left it, and this "
                "error's `history` has its epochs. From the last checkpoint that was written, fit(…, resume=…) goes on."
            )
            error.history = self.history  # type: ignore[attr-defined]
            raise

    def _train(self) -> None:
        if self.progress:
            self.bar = Bar(self.epochs, self.batches.steps, self.state.step)
        each = bool(self.hooks.step_end)
        if self.unvalidated is not None:
            total, size, rates = self.unvalidated
            self._end_epochs(Slice(0, np.array([(total, size, 0.0)]), rates=rates), time.perf_counter())
        while self.whole < self._until and not self.state.stopping:
            if self.stepper.between_epochs and not self._enter_epoch():
                return
            begun = time.perf_counter()
            most = 1 if each else self._keeper.most_steps(self.state.step) or _ALL
            done = self._slice(most, self._epochs_ahead)
            for seen in done.seen:
                self.running.add(*seen)
            if done.steps and each:
                self._call(self.hooks.step_end)
            between = self.stepper.between_epochs
            if between:
                self._flush()
            self._tell(done, begun)
            if done.error is not None:
                raise done.error
            if self.ending and not between:
                self._leave_epoch()
                return
            if self._keeper.due(self.state.step, len(done.epochs)):
                self._write()

    def _tell(self, done: Slice, begun: float) -> None:
        """What is to be seen of a slice."""
        if len(done.epochs):
            self._end_epochs(done, begun)
        elif self.bar is not None and self.bar.due:
            self.bar.show(self.state.epoch, self.state.step, {"loss": self.state.loss} | self.running.so_far())

    def _leave_epoch(self) -> None:
        """The training ends in the middle of an epoch.

        After Ctrl-C it may go on: that is written before anything is applied that would still wait without Ctrl-C.
        """
        if not self.state.stopping:
            self._write()
            self._written = True
        self._flush()

    @property
    def ending(self) -> bool:
        return self.interrupt.requested or self.state.stopping

    @property
    def _epochs_ahead(self) -> int:
        """How many epochs may pass before somebody wants to do anything between two of them."""
        if self.scheduling.watches or self.metrics or self.validation or self._keeper.by_epoch:
            return 1
        return self.hooks.epochs_ahead(self._until - self.whole)

    def _enter_epoch(self) -> bool:
        """Begin the next epoch, unless the training ends before its first step."""
        if self.interrupt.requested:
            return False
        if not self.entered:
            self._begin_epoch()
        self.lr = float(self.optim.rule.param_groups[0]["lr"])
        return not (self.interrupt.requested or self.state.stopping)

    def _begin_epoch(self) -> None:
        self.scheduling.before_epoch()
        self.state.epoch = self.whole + 1
        self.entered = True
        self.epoch_begun = time.perf_counter()
        self.running = RunningMetrics(self.metrics)
        self._call(self.hooks.epoch_begin)

    def _slice(self, most: int, epochs: int) -> Slice:
        """Some steps, and the state after them; in NumPy from now on where the core cannot go on."""
        try:
            return self.stepper.run(most, epochs, record=bool(self.metrics), schedule=self._within)
        except NotLoweredError as reason:
            self._go_on_in_numpy(reason)
            return self._slice(most, epochs)
        except NonFiniteLossError as error:
            self._place(error)
            raise
        finally:
            if isinstance(self.stepper, Runner) and self.stepper.engine not in self.history.engine:
                self.history.engine = self.stepper.engine
                tell_own(self.stepper)
            if self.stepper.steps > self.state.step:
                self.state.loss = self.stepper.loss
            self.state.batch, self.state.step = self.stepper.batch, self.stepper.steps

    def _flush(self) -> None:
        """Let what is gathered for a larger mini-batch move the parameters."""
        try:
            if self.stepper.flush():
                self.scheduling.after_rest()
        except NonFiniteLossError as error:
            self._place(error)
            raise

    def _place(self, error: NonFiniteLossError) -> None:
        error.epoch, error.batch, error.history = self.state.epoch, self.stepper.batch + 1, self.history

    def _go_on_in_numpy(self, reason: NotLoweredError) -> None:
        assert isinstance(self.stepper, Runner)
        fall_back(self.engine, "goes on", reason)
        self.history.engine = "native, numpy" if self.stepper.steps else "numpy"
        self.stepper.show()
        self.stepper = NumpyStepper(self.optim, self.batches, self.interrupt, self.stepper.place)

    def _end_epochs(self, done: Slice, slice_begun: float) -> None:
        """The rows of whole epochs in the history, and what follows an epoch."""
        state, count = self.state, len(done.epochs)
        totals, sizes, seconds = done.epochs.T
        ended = slice_begun + seconds
        if self.optim.loss.averages:
            totals = totals / sizes  # the mean of nothing is not a number
        losses = totals.tolist()
        state.loss = losses[-1]
        row = {"loss": losses[-1]} | self.running.values()
        if self.validation is not None:
            try:
                row |= self._validated(self.validation)
            except LeftError:
                self.unvalidated = [float(done.epochs[0, 0]), float(sizes[0]), done.rates]
                return
            self.unvalidated = None
        if self.validation is not None:
            ended[-1] = time.perf_counter()
        self.history.extend(
            **{name: [value] for name, value in row.items()} | {"loss": losses},
            epoch=list(range(self.whole + 1, self.whole + count + 1)),
            lr=self._rates(done),
            seconds=(ended - np.concatenate(([self.epoch_begun], ended[:-1]))).tolist(),
        )
        self.whole += count
        self.entered = False
        self.epoch_begun = float(ended[-1])
        state.epoch = self.whole + (not self.stepper.between_epochs)
        if self.bar is not None:
            self.bar.epoch_end(state.epoch, state.step, row)
        self._call(self.hooks.epoch_end)
        if self.stepper.between_epochs:
            self.scheduling.after_epoch(self.history)

    def _rates(self, done: Slice) -> list[float]:
        """The rate of each epoch that ended in the slice, as it was when that epoch began."""
        rates = [self.lr, *done.rates][: len(done.epochs) + 1]
        rates += rates[-1:] * (len(done.epochs) + 1 - len(rates))
        self.lr = rates.pop()
        return rates

    def _validated(self, data: Data) -> dict[str, float]:
        """The scores on the data; LeftError where Ctrl-C is pressed and it takes long."""
        optim, begun = self.optim, time.perf_counter()
        if optim.network is not self._evaluates:
            self._evaluates, self._outputs = optim.network, outputs_of(optim.network, self.engine)
        # As long as the one before, or as the epoch where there was none.
        short = (self._validation_s or begun - self.epoch_begun) < _SHORT_S

        def outputs(x: Any) -> Any:
            with nullcontext() if short else self.interrupt:
                return self._outputs(x)

        scores = evaluated(optim.network, optim.loss, data, self.metrics, VALIDATION_BATCH, outputs)
        self._validation_s = time.perf_counter() - begun
        return {f"val_{name}": value for name, value in scores.items()}

    def _call(self, hooks: list[Hook]) -> None:
        if hooks:
            self.stepper.show()
        for hook in hooks:
            hook(self.state)


def _tell_stateless(names: list[str]) -> None:
    """Say once of each callback that a checkpoint keeps nothing of it."""
    if new := [name for name in names if name not in _told]:
        _told.update(new)
        warn(
            f"fit: a checkpoint keeps nothing of the callbacks {', '.join(new)}, which have no state_dict(). What they "
            "have counted or noted begins anew when the training goes on. Give them state_dict() and "
            "load_state_dict(), or a state_dict() that returns {} if there is nothing.",
            NoStateWarning,
        )
