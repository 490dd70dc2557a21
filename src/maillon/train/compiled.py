"""A training in the compiled core, as `Training` sees it: epochs of slices instead of epochs of steps."""

import sys
import time
import warnings
from typing import TYPE_CHECKING

import numpy as np

from maillon import engine as engines
from maillon.engine import FallbackWarning, NotLoweredError
from maillon.engine.lowering import require_known
from maillon.engine.native import Batches, Runner
from maillon.optim import NonFiniteLossError, Optim
from maillon.train.batches import ArrayBatches, GivenBatches
from maillon.train.scores import LossMean, RunningMetrics
from maillon.typing import Array

if TYPE_CHECKING:
    from maillon.train.training import Training

_ALL = sys.maxsize
_told: set[str] = set()


def compiled(engine: str, optim: Optim, batches: ArrayBatches | GivenBatches) -> "Compiled | None":
    """The training in the core, None where NumPy is to do it.

    With engine="native" RuntimeError says what the core cannot do; with "auto" a FallbackWarning does, once.
    """
    if engines.choose(engine) == "numpy":
        return None
    try:
        return Compiled(optim, batches)
    except NotLoweredError as reason:
        if engine == "native":
            raise RuntimeError(
                f"engine='native': {reason}. Pass engine='auto' to train in NumPy where it must."
            ) from None
        if str(reason) not in _told:
            _told.add(str(reason))
            warnings.warn(f"fit runs in NumPy, not in the compiled core: {reason}.", FallbackWarning, stacklevel=4)
        return None


class Compiled:
    """What takes the place of the loop over steps."""

    def __init__(self, optim: Optim, batches: ArrayBatches | GivenBatches) -> None:
        require_known(optim.network)
        if not isinstance(batches, ArrayBatches):
            raise NotLoweredError("mini-batches that are given one by one are not among what it knows")
        data = batches.data
        self._runner = Runner(optim, Batches.of(data.x, data.y, data.weight, batches.batch_size, batches.shuffle))
        self._steps_an_epoch = batches.steps or 0

    def expose(self) -> None:
        """Let Python see the gradients, the prediction and the rule's state of the last step."""
        self._runner.expose()

    def steps(self, training: "Training", mean: LossMean, running: RunningMetrics) -> bool:
        """The steps of an epoch; whether it came to its end."""
        runner, state = self._runner, training.state
        before, each = state.step, bool(training.hooks.step_end)
        try:
            while True:
                begun = runner.position
                done = runner.run(1 if each else _ALL, 1, record=bool(training.metrics))
                ended = bool(len(done.epochs))
                self._stand(training, before, ended)
                if training.metrics:
                    for prediction, target in zip(done.predictions, runner.targets(begun, done.steps), strict=True):
                        running.add(prediction, target, len(target))
                if done.steps:
                    self._watch(training, running)
                if ended:
                    if training.hooks.epoch_end:
                        runner.expose()
                    mean.add_sums(*done.epochs[0, :2].tolist())
                    return True
                if training.ending:
                    return False
        except NonFiniteLossError as error:
            self._stand(training, before, ended=False)
            error.epoch, error.batch, error.history = state.epoch, state.batch + 1, training.history
            raise

    def epochs(self, training: "Training") -> None:
        """All epochs, when nobody wants to look on in between."""
        runner, state, history = self._runner, training.state, training.history
        epoch_begun = time.perf_counter()
        try:
            while len(history) < training.epochs and not training.ending:
                slice_begun = time.perf_counter()
                done = runner.run(_ALL, training.epochs - len(history))
                if len(done.epochs):
                    epoch_begun = _recorded(training, done.epochs, slice_begun, epoch_begun)
                self._stand_after_epochs(training)
        except NonFiniteLossError as error:
            state.epoch = len(history) + 1
            self._stand(training, len(history) * self._steps_an_epoch, ended=False)
            error.epoch, error.batch, error.history = state.epoch, state.batch + 1, history
            raise

    def _stand_after_epochs(self, training: "Training") -> None:
        state, whole = training.state, len(training.history)
        between = not self._runner.batch_done
        state.epoch = whole + (not between)
        before = (state.epoch - 1) * self._steps_an_epoch if whole or not between else 0
        self._stand(training, before, ended=between and bool(whole))
        if training.bar is not None and training.bar.due:
            training.bar.show(state.epoch, state.step, {"loss": state.loss})

    def _stand(self, training: "Training", before: int, ended: bool) -> None:
        """Tell the state where the training stands."""
        state = training.state
        state.batch = self._steps_an_epoch if ended else self._runner.batch_done
        state.step, state.loss = before + state.batch, self._runner.loss

    def _watch(self, training: "Training", running: RunningMetrics) -> None:
        """What the callbacks and the bar want."""
        state = training.state
        if training.hooks.step_end:
            self._runner.expose()
            for hook in training.hooks.step_end:
                hook(state)
        if training.bar is not None and training.bar.due:
            training.bar.show(state.epoch, state.step, {"loss": state.loss} | running.values())


def _recorded(training: "Training", epochs: Array, slice_begun: float, epoch_begun: float) -> float:
    """Rows of the history for the epochs of a slice; returns when the last one ended."""
    history, first = training.history, len(training.history) + 1
    totals, sizes, seconds = epochs.T
    losses = totals / sizes if training.optim.loss.reduction == "mean" else totals
    ended = slice_begun + seconds
    history.extend(
        epoch=list(range(first, first + len(epochs))),
        loss=losses.tolist(),
        lr=[float(training.optim.rule.param_groups[0]["lr"])] * len(epochs),
        seconds=np.diff(ended, prepend=epoch_begun).tolist(),
    )
    training.state.loss = float(losses[-1])
    return float(ended[-1])
