"""One training under way: epochs of steps, and everybody who looks on."""

import time
from collections.abc import Mapping
from typing import Any

from maillon.nesting import leaves
from maillon.optim import NonFiniteLossError, Optim
from maillon.optim.door import Data
from maillon.train.batches import VALIDATION_BATCH, ArrayBatches, GivenBatches
from maillon.train.callbacks import Hook, Hooks, State
from maillon.train.compiled import Compiled, compiled
from maillon.train.history import History
from maillon.train.interrupt import Interrupt, deferred_interrupt
from maillon.train.modes import learning
from maillon.train.predict import evaluated, outputs_of
from maillon.train.progress import Bar
from maillon.train.scheduling import Scheduling
from maillon.train.scores import LossMean, Metric, RunningMetrics


class Training:
    """What `fit` has checked and put together, ready to `run` once."""

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
    ) -> None:
        self.optim = optim
        self.batches = batches
        self.epochs = epochs
        self.validation = validation
        self.metrics = dict(metrics)
        self.hooks = hooks
        self.scheduling = scheduling
        if scheduling.by_step:
            hooks.step_end.append(scheduling.after_step)
        self.progress = progress
        self.engine = engine
        self.core: Compiled | None = None
        self.outputs = outputs_of(optim.network, engine)
        names = ["loss", *metrics]
        validated = [f"val_{name}" for name in names] if validation is not None else []
        scheduling.watch([*names, *validated])
        self.history = History(["epoch", *names, *validated, "lr", "seconds"])
        self.state = State(optim, self.history)
        self.interrupt = Interrupt()
        self.bar: Bar | None = None

    def run(self) -> History:
        """Train to the end, or to what ends it before."""
        begun = time.perf_counter()
        try:
            with learning(self.optim.network), deferred_interrupt() as self.interrupt:
                self.core = compiled(self.engine, self.optim, self.batches)
                self.history.engine = "numpy" if self.core is None else "native"
                _call(self.hooks.train_begin, self.state)
                try:
                    self._epochs()
                finally:
                    if self.core is not None:
                        self.core.expose()
                self.history.interrupted = self.interrupt.requested
                self.history.stopped_early = self.state.stopping
                _call(self.hooks.train_end, self.state)
        finally:
            self.history.steps = self.state.step
            self.history.seconds = time.perf_counter() - begun
            if self.bar is not None:
                self.bar.close()
        return self.history

    def _epochs(self) -> None:
        if self.progress:
            self.bar = Bar(self.epochs, self.batches.steps)
        if self.core is not None and self._unwatched:
            self.core.epochs(self)
            return
        for epoch in range(1, self.epochs + 1):
            self.scheduling.before_epoch()
            self.state.epoch = epoch
            self._epoch()
            if self.ending:
                break

    @property
    def _unwatched(self) -> bool:
        """Whether nobody wants to do anything between two epochs."""
        hooks = self.hooks.epoch_begin or self.hooks.step_end or self.hooks.epoch_end
        return not (hooks or self.scheduling or self.metrics or self.validation)

    @property
    def ending(self) -> bool:
        return self.interrupt.requested or self.state.stopping

    def _epoch(self) -> None:
        """One epoch, and its row in the history if it was a whole one."""
        begun = time.perf_counter()
        state, optim = self.state, self.optim
        _call(self.hooks.epoch_begin, state)
        if self.ending:
            return
        lr = float(optim.rule.param_groups[0]["lr"])
        mean, running = LossMean(optim.loss), RunningMetrics(self.metrics)
        if not (self._steps(mean, running) if self.core is None else self.core.steps(self, mean, running)):
            return
        state.loss = mean.value
        row = {"loss": mean.value} | running.values()
        if self.validation is not None:
            scores = evaluated(optim.network, optim.loss, self.validation, self.metrics, VALIDATION_BATCH, self.outputs)
            row |= {f"val_{name}": value for name, value in scores.items()}
        self.history.append(epoch=state.epoch, **row, lr=lr, seconds=time.perf_counter() - begun)
        if self.bar is not None:
            self.bar.epoch_end(state.epoch, state.step, row)
        _call(self.hooks.epoch_end, state)
        self.scheduling.after_epoch(self.history)

    def _steps(self, mean: LossMean, running: RunningMetrics) -> bool:
        """The steps of an epoch; whether it came to its end.

        Everything a step does not need stands outside of it: this loop is what a small network's step is measured
        against.
        """
        state, interrupt, learn, add = self.state, self.interrupt, self.optim.learn, mean.add
        watched = bool(self.hooks.step_end or self.metrics or self.bar)
        before, batch = state.step, 0
        try:
            for x, y, weight in self.batches:
                loss = learn(x, y, weight)
                batch += 1
                add(loss)
                if watched:
                    self._watch(before, batch, loss, (x, y), running)
                if interrupt.requested or state.stopping:
                    break
            if self.optim.waiting:
                self.optim.flush()
                self.scheduling.after_rest()
        except NonFiniteLossError as error:
            error.epoch, error.batch, error.history = state.epoch, batch + 1, self.history
            raise
        finally:
            state.batch, state.step = batch, before + batch
        return batch == self.batches.steps or not (interrupt.requested or state.stopping)

    def _watch(self, before: int, batch: int, loss: float, data: tuple[Any, Any], running: RunningMetrics) -> None:
        """What the metrics, the callbacks and the bar want of each step."""
        state = self.state
        state.batch, state.step, state.loss = batch, before + batch, loss
        if self.metrics:
            x, target = data
            running.add(self.optim.prediction, target, len(leaves(x)[0]))
        for hook in self.hooks.step_end:
            hook(state)
        if self.bar is not None and self.bar.due:
            self.bar.show(state.epoch, state.step, {"loss": loss} | running.values())


def _call(hooks: list[Hook], state: State) -> None:
    for hook in hooks:
        hook(state)
