"""The short trainings of `find_lr`: each from the same start, on the same mini-batches, at a rate of its own."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from maillon import engine as engines
from maillon.nn import no_grad
from maillon.nn.support.modes import mode
from maillon.optim import SGD, NonFiniteLossError, Optim
from maillon.optim.door import Data
from maillon.random import Generator, using
from maillon.train.modes import learning
from maillon.train.predict import predict
from maillon.typing import Array

_BLOWN = 4.0
"""So many times the largest loss of the start: the run has blown up."""

_JUDGED = 1 / 3
"""The last part of a run, over which its losses are compared with those of the start."""

_PERMUTATIONS = 50
_MOST_ROWS = 1000  # that are asked whether the network knows their targets
_GROUPS, _GROUP_ROWS = 10, 8
_TRIM = 0.2


def trimmed_mean(values: Array) -> float:
    """The mean without the least fifth and the greatest fifth: what a spike does not move."""
    cut = int(_TRIM * values.size)
    return float(np.sort(values)[cut : values.size - cut].mean())


def in_errors(values: Array) -> float:
    """The trimmed mean in standard errors: those of the values with the fifths at either end brought to the next ones.

    Source: Tukey, McLaughlin, "Less vulnerable confidence and significance procedures", 1963.
    """
    cut = int(_TRIM * values.size)
    ordered = np.sort(values)
    held = np.clip(ordered, ordered[cut], ordered[values.size - cut - 1])
    error = float(held.std(ddof=1) / ((1 - 2 * _TRIM) * math.sqrt(values.size)))
    mean = trimmed_mean(values)
    return mean / error if error else math.copysign(math.inf, mean) if mean else 0.0


@dataclass
class Run:
    """The losses of the last third of a run and those of the start, on the same mini-batches; no losses where it has
    blown up."""

    losses: Array
    before: Array

    @property
    def blown(self) -> bool:
        return not self.losses.size

    @property
    def falls(self) -> Array:
        """How far each loss lies below that of the start."""
        return self.before - self.losses

    @property
    def start(self) -> float:
        """The loss of the start."""
        return trimmed_mean(self.before)

    @property
    def fall(self) -> float:
        """How far the loss falls; −inf where the run has blown up."""
        return -math.inf if self.blown else trimmed_mean(self.falls)

    @property
    def errors(self) -> float:
        """The fall in standard errors; 0 where the run has blown up."""
        return 0.0 if self.blown else in_errors(self.falls)


class Runs:
    """Where all runs begin, and what they learn from. Nothing of it is changed: a run learns on a copy.

    optim: network, loss and rule. engine: "native", which goes on in NumPy where it must, or "numpy". generator: where
    orders of rows, and the seeds of what links draw, come from.
    """

    def __init__(
        self, optim: Optim, data: Data, batch_size: int, steps: int, engine: str, generator: Generator
    ) -> None:
        self.data, self.steps, self.taken = data, steps, 0
        self._optim, self._engine, self._batch = copied(optim), engine, batch_size
        self._generator = generator
        self._ratios = _ratios(optim)

    def longer(self, times: int) -> "Runs":
        """Others, of so many times the steps, on other mini-batches; those taken count on."""
        more = Runs(self._optim, self.data, self._batch, times * self.steps, self._engine, self._generator)
        more.taken = self.taken
        return more

    def run(self, rate: float) -> Run:
        """One at this rate."""
        rows, seed, before = self._begun
        losses = self._losses(copied(self._optim), rate, rows, seed, _BLOWN * float(np.abs(before).max()))
        judged = slice(-max(1, round(self.steps * _JUDGED)), None)
        return Run(np.array(losses)[judged] if len(losses) == len(before) else np.empty(0), before[judged])

    @cached_property
    def _begun(self) -> tuple[list[Array], int, Array]:
        """The mini-batches, a seed, and the loss of each before any step."""
        rows, seed = self._drawn(self.data.rows, self.steps), self._seed()
        still = copied(self._optim)
        still = Optim(still.network, still.loss, SGD(lr=0.0))  # Rprop, for one, moves at a rate of 0 too
        before = self._losses(still, 0.0, rows, seed, math.inf, blows=False)
        return rows, seed, np.array(before)

    def known(self, rate: float) -> float:
        """How clearly a network trained at this rate knows the targets of rows it has not seen, in standard deviations;
        −inf where it has blown up.

        Half of the rows teach it, the others ask, and the other way round. They ask in groups, of which one with a
        spike counts no more than the others: its loss on their targets against its losses on the same targets in other
        orders. A network that has learnt nothing but a constant finds them all alike. What two halves have in common by
        chance shows in both trainings, so that the scores of both tell no more than as many as those of one.
        """
        shuffled = self._generator.randperm(self.data.rows)
        half = self.data.rows // 2
        scores: list[float] = []
        for learnt, others in ((shuffled[:half], shuffled[half:]), (shuffled[half:], shuffled[:half])):
            optim = copied(self._optim)
            rows = [learnt[batch] for batch in self._drawn(len(learnt), self.steps)]
            if len(self._losses(optim, rate, rows, self._seed(), math.inf)) < self.steps:
                return -math.inf
            asked = others[:_MOST_ROWS]
            groups = np.array_split(asked, min(_GROUPS, max(1, len(asked) // _GROUP_ROWS)))
            scores += [self._score(optim, self.data.take(group)) for group in groups]
        return trimmed_mean(np.array(scores)) * math.sqrt(len(scores) / 2)

    def _score(self, optim: Optim, asked: Data) -> float:
        """How far the loss of these rows lies below that with their targets shuffled, in standard deviations."""
        prediction = predict(optim.network, asked.x, engine="numpy" if self._engine == "numpy" else "auto")
        targets = replace(asked, x=np.empty((asked.rows, 0)))

        def value(given: Data) -> float:
            inputs = optim.loss.arranged(prediction, given.y)
            return float(np.sum(optim.loss(*inputs) if given.weight is None else optim.loss(*inputs, given.weight)))

        orders = [self._generator.randperm(asked.rows) for _ in range(_PERMUTATIONS)]
        with no_grad(), mode(optim.loss, training=False), np.errstate(all="ignore"):
            others = np.array([value(targets.take(order)) for order in orders])
            gain, spread = float(others.mean()) - value(targets), float(others.std())
        return gain / spread if math.isfinite(gain) and spread > 0 else 0.0

    def _seed(self) -> int:
        return int(self._generator.randint(0, 2**31, (1,))[0])

    def _drawn(self, count: int, steps: int) -> list[Array]:
        """Mini-batches of one size, in a new order for each epoch."""
        size = min(self._batch, count)
        batches: list[Array] = []
        while len(batches) < steps:
            order = self._generator.randperm(count)
            batches += [order[at : at + size] for at in range(0, count - size + 1, size)]
        return batches[:steps]

    def _losses(
        self, optim: Optim, rate: float, batches: Sequence[Array], seed: int, most: float, *, blows: bool = True
    ) -> list[float]:
        """The loss of each step, each before its step; up to where it is not finite or beyond `most`.

        blows: whether a loss that is not finite is a matter of the rate, and no error.
        """
        if rate:
            for group, ratio in zip(optim.rule.param_groups, self._ratios, strict=True):
                group["lr"] = rate * ratio
        losses: list[float] = []
        with learning(optim.network), using(Generator(seed)), np.errstate(all="ignore"):
            step: Any = optim.learn if self._engine == "numpy" else engines.Learner(optim).step
            for rows in batches:
                batch = self.data.take(rows)
                self.taken += 1
                try:
                    losses.append(float(step(batch.x, batch.y, batch.weight)))
                except NonFiniteLossError:
                    if not blows:
                        raise
                    return losses
                if abs(losses[-1]) > most:
                    return losses
        return losses


def _ratios(optim: Optim) -> list[float]:
    """The rate of each group of parameters, over that of the first one."""
    rates = [group["lr"] for group in optim.rule.param_groups]
    return [float(rate / rates[0]) for rate in rates] if len(rates) > 1 else [1.0]


def copied(optim: Optim) -> Optim:
    """A copy without gradients."""
    try:
        copied = copy.deepcopy(optim)
    except Exception as error:
        raise TypeError(
            f"find_lr: it learns on a copy of network, loss and rule, and they cannot be copied: {error}. Give what "
            "cannot be a method __deepcopy__."
        ) from error
    copied.zero_grad()
    return copied
