"""Which rate of a range is good: where to look, and when to believe what is seen."""

import math
from collections.abc import Sequence

import numpy as np

from maillon.train.lr_range import LRRange
from maillon.train.lr_runs import Run, Runs, trimmed_error, trimmed_mean
from maillon.typing import Array

_ORDERS = 3
_CANDIDATES = 3
_GOOD = 0.8  # of the largest fall
_FADED = 0.35  # of the largest fall
_LEAST_FALL = 0.01  # of the loss of the start
_CLEAR = 4.0  # standard errors of the fall, and standard deviations of what is known of unseen rows
FEW_ROWS = 32
"""With fewer, halves are too small to tell a relation from noise."""


class Search:
    """The search among these rates, ascending."""

    def __init__(self, runs: Runs, rates: Sequence[float]) -> None:
        self.runs, self.rates = runs, list(rates)
        self.tried: dict[int, list[Run]] = {}
        self.best = 0
        self.known: float | None = None

    def walk(self) -> None:
        """Try the rates from the largest one down, then the best ones again."""
        for i in reversed(range(len(self.rates))):
            self.tried[i] = [self.runs.run(self.rates[i])]
            if self._faded(i):
                break
        top = max(self.tried, key=self.fall)
        least = _GOOD * self.fall(top)
        good = [i for i in self.tried if self.fall(i) >= least > 0]
        for i in sorted(good, key=lambda i: abs(i - top))[:_CANDIDATES]:
            self.tried[i] += [self.runs.run(self.rates[i], order) for order in range(1, _ORDERS)]
        again = [i for i, several in self.tried.items() if len(several) > 1]
        self.best = max(again, key=self.fall) if again else top
        if self.clear and self.asked:
            self.known = self.runs.known(self.rates[self.best])

    def fall(self, i: int) -> float:
        """How far the loss falls at this rate; −inf where it has blown up."""
        several = self.tried[i]
        if any(run.blown for run in several):
            return -math.inf
        return float(np.mean([trimmed_mean(run.falls) for run in several]))

    def _faded(self, i: int) -> bool:
        """Whether the loss has fallen clearly at larger rates, and less and less at the last three."""
        top = max(map(self.fall, self.tried))
        last = [self.fall(j) for j in (i, i + 1, i + 2) if j in self.tried]
        fades = 0 < last[0] < _FADED * top and last == sorted(last) and last[-1] < _GOOD * top
        return len(last) > 2 and fades and top > self._least

    @property
    def _least(self) -> float:
        return _LEAST_FALL * abs(self.start)

    @property
    def start(self) -> float:
        """The loss before any step, over the mini-batches that are judged."""
        first = max(self.tried.values(), key=len)
        return float(np.mean([trimmed_mean(run.before) for run in first]))

    # What to believe

    @property
    def alive(self) -> list[float]:
        """The rates up to the largest one that has not blown up, and the next one."""
        last = max((i for i in self.tried if math.isfinite(self.fall(i))), default=0)
        return self.rates[: last + 2]

    @property
    def errors(self) -> float:
        """The fall at the best rate, in standard errors."""
        if not math.isfinite(self.fall(self.best)):
            return 0.0
        falls = np.concatenate([run.falls for run in self.tried[self.best]])
        mean, error = trimmed_mean(falls), trimmed_error(falls)
        if not error:
            return math.copysign(math.inf, mean) if mean else 0.0
        return mean / error

    @property
    def clear(self) -> bool:
        """Whether the fall is more than noise."""
        return self.fall(self.best) > self._least and self.errors > _CLEAR

    @property
    def asked(self) -> bool:
        """Whether what is learnt can be told from a constant."""
        return self.runs.data.rows >= FEW_ROWS and self.runs.data.y is not None

    @property
    def learnt(self) -> bool:
        return not self.asked or (self.known is not None and self.known > _CLEAR)

    @property
    def undecided(self) -> bool:
        """Whether more steps may show more."""
        return any(math.isfinite(self.fall(i)) for i in self.tried) and not (self.clear and self.learnt)

    # What to say

    def result(self) -> LRRange:
        """What has been found."""
        missing = self._missing()
        order = sorted(self.tried)
        start = self.start
        losses = np.full((len(order), _ORDERS), math.nan)
        for row, i in enumerate(order):
            ends = [
                math.inf if run.blown else trimmed_mean(run.before) - trimmed_mean(run.falls) for run in self.tried[i]
            ]
            losses[row, : len(ends)] = ends
        smoothed: Array = np.array([start - self.fall(i) for i in order])
        return LRRange(
            lr=None if missing else self.rates[self.best],
            reason=missing or self._found(),
            lrs=np.array([self.rates[i] for i in order]),
            losses=losses,
            smoothed=smoothed,
            start=start,
            steps=self.runs.steps,
            total_steps=self.runs.taken,
        )

    def _found(self) -> str:
        fall = self.fall(self.best)
        text = (
            f"In {self.runs.steps} steps the loss falls furthest at {self.rates[self.best]:.2g}, from {self.start:.3g} "
            f"to {self.start - fall:.3g}."
        )
        if not self.asked:
            return (
                f"{text} Whether more than a constant is learnt cannot be told from so few rows, or without a target."
            )
        return f"{text} Targets of rows that it has not seen it then predicts, by {self.known:.0f} standard deviations."

    def _missing(self) -> str:
        """Why there is no rate; '' where there is one."""
        rates, steps = self.rates, self.runs.steps
        falls = {i: self.fall(i) for i in self.tried}
        if not any(map(math.isfinite, falls.values())):
            return (
                f"The loss blows up at every rate from {rates[0]:.2g} to {rates[-1]:.2g}. Lower min_lr, or bring the "
                "columns of x to a common scale."
            )
        if not any(fall for fall in falls.values()):
            return (
                f"The loss stays {self.start:.3g} at every rate. Look whether it depends on any parameter that "
                "the rule moves."
            )
        return self._no_fall(steps) or self._no_other_side() or self._a_constant(steps)

    def _no_fall(self, steps: int) -> str:
        if self.clear:
            return ""
        fall, start = self.fall(self.best), self.start
        text = f"In {steps} steps the loss, {start:.3g}, falls at no rate clearly: at most by {max(fall, 0):.2g}"
        text += f", {max(self.errors, 0):.1f} standard errors"
        if self.best == max(self.tried) and self.best == len(self.rates) - 1:
            return f"{text}, at the largest rate. Raise max_lr."
        return f"{text}. The network is trained already, or y has little to do with x, or it takes more steps."

    def _no_other_side(self) -> str:
        if self.best == len(self.rates) - 1:
            return f"The loss falls furthest at the largest rate, {self.rates[-1]:.2g}. Raise max_lr."
        if self.best == 0:
            return f"The loss falls furthest at the smallest rate, {self.rates[0]:.2g}. Lower min_lr."
        return ""

    def _a_constant(self, steps: int) -> str:
        if self.learnt:
            return ""
        fall, start = self.fall(self.best), self.start
        return (
            f"In {steps} steps the loss falls from {start:.3g} to {start - fall:.3g}, but of rows it has not seen the "
            "network predicts the targets no better than the same targets in another order. y has little to do with x, "
            "or it takes more steps."
        )
