"""Trainings by a rule that looks at the loss several times: that is done by the core, the rule is NumPy's."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.engine.begun import Begun
from maillon.engine.native import Runner
from maillon.engine.step import Batches, Beginning, copied
from maillon.engine.stepper import SLICE_S, Schedule, Slice, never
from maillon.optim import LBFGS, Optim
from maillon.optim.rules.lbfgs import two_loops
from maillon.typing import Array

_EVALUATED = ("trouble", "fine", "left")


class RefusedError(Exception):
    """The core cannot evaluate the loss: NumPy will say why."""


class _LeftError(Exception):
    """The step is to be left: between two evaluations, or in the middle of one."""


class ClosureRunner(Runner):
    """The core's stepper for LBFGS. A slice is one step; the two loops are the core's as well."""

    by_closure = True

    @cached_property
    def _loops(self) -> "TwoLoops":
        return TwoLoops()

    def run(
        self,
        max_steps: int,
        max_epochs: int,
        record: bool = False,
        schedule: Schedule | None = None,
        seconds: float = SLICE_S,
    ) -> Slice:
        """One step."""
        self._require_planned()
        self._take_in()
        if self._refused:
            return self._in_numpy(record, schedule)
        batches, started = self.batches, time.perf_counter()
        if not self._training.position:
            self.batch = 0
            if batches.shuffle and not self._ordered:
                self._draw_order()
        before = self._begun(whole=True)
        try:
            self.loss = self._step()
        except RefusedError:
            if self.own:
                self._go_back_a_step()
            else:
                before.draw_back(self._streams)
                self._refused = True
            before.put_back()
            self._ordered = True
            if self._error is not None:
                raise self._taken_error() from None
            return self._in_numpy(record, schedule)
        except _LeftError:
            self._undo_left(before)
            if self._error is not None:
                raise self._taken_error() from None
            return Slice(0, np.empty((0, 3)))
        except BaseException:
            self._undo_left(before)
            raise
        finally:
            self._begin.end()
        self._ordered = False
        self._shown, self._stepped = False, True
        return self._noted(started, record, schedule)

    def _undo_left(self, before: Begun) -> None:
        if self.own:
            self._begin.go_back()
        else:
            before.draw_back(self._streams)
        before.put_back()
        self._undraw_order()
        self._shown, self.gradients.half = False, True
        self._error = self._training.take_raised()

    def _step(self) -> float:
        """The rule's step on the mini-batch; its loss before."""
        optim, training, result = self.optim, self._training, self._result
        rule = optim.rule
        assert isinstance(rule, LBFGS)
        threads = processor.threads_for(self._work)
        short = self.batches.length(int(training.position)) < self.batches.size and self.rest is not None
        plan = self.rest if short and self.rest is not None else self.whole
        predictions: list[Any] = []
        for each in self.state.trained:
            buffer = self.gradients.buffer(each.parameter)
            assert buffer is not None
            each.parameter.grad = buffer.array.reshape(each.parameter.shape) if each.moves else None

        def closure() -> float:
            if self._interrupted():
                raise _LeftError
            done = _EVALUATED[training.evaluate(threads, processor.paced)]
            if done == "left":
                raise _LeftError
            if done == "trouble":
                raise RefusedError
            if not predictions:
                predictions.append(copied(plan.output))
            return float(result[0])

        loss = float(rule.search(closure, self._loops))
        optim.prediction = predictions[0]
        if optim.loss.averages:
            optim.loss.denominator = float(result[1])
        return loss


def runner_of(
    optim: Optim,
    batches: Batches,
    beginning: Beginning | None = None,
    interrupted: Callable[[], bool] = never,
) -> Runner:
    """The core's stepper for this Optim; NotLoweredError, with the reason, where it cannot do it."""
    return (ClosureRunner if optim.rule.needs_closure else Runner)(optim, batches, beginning, interrupted)


class TwoLoops:
    """The rule's two loops for one training, by the core, which keeps what it has worked out of the pairs."""

    def __init__(self) -> None:
        self._pairs = processor.core().PairProducts(processor.instruction_set())

    def __call__(
        self, changes: list[Array], steps: list[Array], weights: list[float], scale: float, grad: Array
    ) -> Array:
        q = -grad
        threads = processor.threads_for(8.0 * len(changes) * q.size)
        if self._pairs.two_loops(changes, steps, weights, scale, q, threads, processor.paced):
            return q
        return two_loops(changes, steps, weights, scale, grad)
