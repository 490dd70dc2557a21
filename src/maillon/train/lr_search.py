"""Which rate of a range is good: where to look, and when to believe what is seen."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from maillon.train.lr_range import LRRange
from maillon.train.lr_runs import Run, Runs, in_errors

_CANDIDATES = 3
_AGAIN = 2  # so many times the steps
_GOOD, _FADED = 0.8, 0.35  # of the largest fall
_LEAST_FALL = 0.01  # of the loss of the start
_CLEAR = 4.0  # standard errors of the fall
_KNOWN = 3.3  # standard deviations of what is known of unseen rows: by chance once in two thousand
_FEW_ROWS = 32  # with fewer, halves are too small to tell a relation from noise


class Search:
    """The search among these rates, ascending: `tried` once, the best `again` for longer, and `best` of all."""

    def __init__(self, runs: Runs, rates: Sequence[float]) -> None:
        self.rates, self.steps = list(rates), runs.steps
        self.tried: dict[int, Run] = {}
        for i in reversed(range(len(self.rates))):
            self.tried[i] = runs.run(self.rates[i])
            if self._faded(i):
                break
        self.runs = runs.longer(_AGAIN)
        falling = sorted((i for i, run in self.tried.items() if run.fall > 0), key=lambda i: -self.tried[i].fall)
        self.again = {i: self.runs.run(self.rates[i]) for i in falling[:_CANDIDATES]}
        self.best = self._largest_of_the_best() if self.again else max(self.tried, key=lambda i: self.tried[i].fall)
        self.run = self.again.get(self.best, self.tried[self.best])

    def _faded(self, i: int) -> bool:
        """Whether the loss has fallen clearly at larger rates, and less and less at the last three."""
        top = max(self.tried.values(), key=lambda run: run.fall)
        last = [self.tried[j].fall for j in (i, i + 1, i + 2) if j in self.tried]
        fades = 0 < last[0] < _FADED * top.fall and last == sorted(last) and last[-1] < _GOOD * top.fall
        return len(last) > 2 and fades and top.fall > _LEAST_FALL * abs(top.start)

    def _largest_of_the_best(self) -> int:
        """The largest of the rates that the best one does not beat by more than a standard error."""
        best = max(self.again.values(), key=lambda run: run.fall)
        alive = [i for i, run in self.again.items() if not run.blown]
        tied = [i for i in alive if in_errors(self.again[i].losses - best.losses) <= 1]
        return max(tied or self.again)

    # What to believe

    @property
    def alive(self) -> list[float]:
        """The rates up to the largest one that has not blown up, and the next one."""
        last = max((i for i, run in self.tried.items() if not run.blown), default=0)
        return self.rates[: last + 2]

    @property
    def clear(self) -> bool:
        """Whether the fall is more than noise."""
        return self.run.fall > _LEAST_FALL * abs(self.run.start) and self.run.errors > _CLEAR

    @property
    def asked(self) -> bool:
        """Whether what is learnt can be told from a constant."""
        return self.runs.data.rows >= _FEW_ROWS and self.runs.data.y is not None

    @cached_property
    def known(self) -> float:
        """How clearly the network then knows the targets of rows it has not seen, in standard deviations."""
        return self.runs.known(self.rates[self.best])

    @property
    def learnt(self) -> bool:
        """Whether it has learnt more than a constant."""
        return not self.asked or self.known > _KNOWN

    @property
    def undecided(self) -> bool:
        """Whether more steps may show more."""
        return any(not run.blown for run in self.tried.values()) and not (self.clear and self.learnt)

    # What to say

    def result(self) -> LRRange:
        """What has been found."""
        missing = self._missing()
        order = sorted(self.tried)
        runs, again = [self.tried[i] for i in order], [self.again.get(i) for i in order]
        blown = np.full(max(run.before.size for run in runs), math.inf)
        return LRRange(
            lr=None if missing else self.rates[self.best],
            reason=missing or self._found(),
            lrs=np.array([self.rates[i] for i in order]),
            losses=np.array([run.start - run.fall for run in runs]),
            losses_again=np.array([math.nan if run is None else run.start - run.fall for run in again]),
            batch_losses=np.array([blown if run.blown else run.losses for run in runs]),
            start=runs[0].start,
            steps=self.steps,
            total_steps=self.runs.taken,
        )

    @property
    def _course(self) -> str:
        return f"from {self.run.start:.3g} to {self.run.start - self.run.fall:.3g}"

    def _found(self) -> str:
        rate = self.rates[self.best]
        text = f"At {rate:.2g} the loss falls furthest, {self._course} in {self.runs.steps} steps. "
        if not self.asked:
            return text + "Whether more than a constant is learnt cannot be told from so few rows, or without a target."
        known = f"{self.known:.1f} standard deviations better than by chance."
        return f"{text}The network then predicts rows it has not seen {known}"

    def _missing(self) -> str:
        """Why there is no rate; empty where there is one."""
        return self._all_alike() or self._not_clear() or self._no_other_side() or self._a_constant()

    def _all_alike(self) -> str:
        if all(run.blown for run in self.tried.values()):
            return (
                f"The loss blows up at every rate from {self.rates[0]:.2g} to {self.rates[-1]:.2g}. Lower min_lr, or "
                "bring the columns of x to a common scale."
            )
        if any(run.fall for run in self.tried.values()):
            return ""
        return (
            f"The loss stays {self.run.start:.3g} at every rate, up to {self.rates[-1]:.2g}. Look whether it depends "
            "on any parameter that the rule moves, or raise max_lr."
        )

    def _not_clear(self) -> str:
        if self.clear:
            return ""
        way_out = "The network is trained already, or y has little to do with x, or it takes more steps."
        if self.best == len(self.rates) - 1:
            way_out = "That is at the largest rate: raise max_lr."
        return (
            f"In {self.runs.steps} steps the loss, {self.run.start:.3g}, falls clearly at no rate: at most by "
            f"{max(self.run.fall, 0):.2g}, {max(self.run.errors, 0):.1f} standard errors. {way_out}"
        )

    def _no_other_side(self) -> str:
        if self.best == len(self.rates) - 1:
            return f"The loss falls furthest at the largest rate, {self.rates[-1]:.2g}. Raise max_lr."
        if self.best == 0:
            return f"The loss falls furthest at the smallest rate, {self.rates[0]:.2g}. Lower min_lr."
        return ""

    def _a_constant(self) -> str:
        if self.learnt:
            return ""
        return (
            f"In {self.runs.steps} steps the loss falls {self._course}, but the network predicts rows it has not seen "
            "no better than by chance. y has little to do with x, or it takes more steps."
        )
