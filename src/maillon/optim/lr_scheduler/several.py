"""Schedules made of schedules: one after the other, or all at once."""

import bisect
from collections.abc import Mapping, Sequence
from typing import Any

from maillon.nn.support.arguments import integer, is_sequence
from maillon.optim.lr_scheduler.base import REQUIRED, LRScheduler
from maillon.optim.lr_scheduler.plateau import ReduceLROnPlateau
from maillon.optim.rule import Rule


class _OfSchedules(LRScheduler):
    """What both share: schedules of one rule, all recipes or all bound."""

    schedulers: list[LRScheduler]

    def _check(self, rule: Rule | None) -> None:
        name = type(self).__name__
        if not self.schedulers:
            raise ValueError(f"{name}: expected at least one schedule, got none.")
        for place, schedule in enumerate(self.schedulers):
            if not isinstance(schedule, LRScheduler) or isinstance(schedule, ReduceLROnPlateau):
                raise TypeError(
                    f"{name}[{place}]: expected a schedule that needs nothing but its step(), got {schedule!r}."
                )
            if schedule.rule is not rule:
                raise ValueError(
                    f"{name}[{place}]: expected {schedule!r} to be of the same rule as the others, or a recipe as "
                    f"they are, got one of {schedule.rule!r}."
                )

    def begin(self, rule: Rule) -> None:
        self.require_bound_rule(rule)
        if self.schedulers[0].rule is None:
            for schedule in self.schedulers:
                schedule.begin(rule)
        self._check(rule)
        self.rule = rule
        self._first_step()

    def begin_again(self) -> None:
        self.step()

    @property
    def per_step(self) -> bool:  # type: ignore[override]
        return any(schedule.per_step for schedule in self.schedulers)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"_schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        for schedule, own in zip(self.schedulers, state["_schedulers"], strict=True):
            schedule.load_state_dict(own)


class SequentialLR(_OfSchedules):
    """One schedule after the other: the next begins at its milestone, with its own epoch 0.

    The usual pair: LinearLR to warm up, then CosineAnnealingLR.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    schedulers : list of LRScheduler
        In their order; recipes where `optimizer` is None.
    milestones : list of int
        The epochs at which the second and later ones begin: one fewer than schedulers.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> from maillon.optim import lr_scheduler
    >>> warm = lr_scheduler.LinearLR(start_factor=0.5, total_iters=2)
    >>> recipe = lr_scheduler.SequentialLR(None, [warm, lr_scheduler.ExponentialLR(gamma=0.5)], milestones=[2])
    >>> schedule = recipe.bind(maillon.SGD([maillon.Parameter(np.ones(1))], lr=1.0))
    >>> [(schedule.get_last_lr()[0], schedule.step())[0] for _ in range(5)]
    [0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Rule | None = None,
        schedulers: Sequence[LRScheduler] = REQUIRED,
        milestones: Sequence[int] = REQUIRED,
        last_epoch: int = -1,
    ) -> None:
        if schedulers is REQUIRED or milestones is REQUIRED:
            raise TypeError("SequentialLR: expected schedulers and milestones, got none.")
        self.schedulers = _listed("SequentialLR", "schedulers", schedulers)
        listed = _listed("SequentialLR", "milestones", milestones)
        self.milestones = [integer("SequentialLR", "milestones", epoch, 0) for epoch in listed]
        self._check(optimizer if self.schedulers and getattr(self.schedulers[0], "rule", None) else None)
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                f"SequentialLR: expected {len(self.schedulers) - 1} milestones for {len(self.schedulers)} schedules, "
                f"got {len(self.milestones)}."
            )
        super().__init__(optimizer, last_epoch)

    def _first_step(self) -> None:
        self.last_epoch += 1
        for group in self.rule.param_groups:  # each of the schedules has begun, and set its first rates
            group["lr"] = group["initial_lr"]
        for schedule in self.schedulers:
            _undo(schedule)
        self.schedulers[bisect.bisect_right(self.milestones, 0)].begin_again()
        self._note()

    def step(self) -> None:
        self._require_bound()
        self.last_epoch += 1
        place = bisect.bisect_right(self.milestones, self.last_epoch)
        if place > 0 and self.milestones[place - 1] == self.last_epoch:
            self.schedulers[place].restart()
        else:
            self.schedulers[place].step()
        self._note()

    def restart(self) -> None:
        self.last_epoch = 0
        for schedule in self.schedulers[1:]:
            _undo(schedule)
        self.schedulers[0].restart()
        self._note()


def _listed(name: str, option: str, given: Any) -> list[Any]:
    if not is_sequence(given):
        raise TypeError(f"{name}: expected {option} to be a list, got {given!r}.")
    return list(given)


def _undo(schedule: LRScheduler) -> None:
    """Let the schedule stand before its first step again."""
    if isinstance(schedule, _OfSchedules):
        for inner in schedule.schedulers:
            _undo(inner)
    else:
        schedule.last_epoch -= 1


class ChainedScheduler(_OfSchedules):
    """All schedules at once: each `step()` steps all of them, in order, each on the rate that the one before left.

    Parameters
    ----------
    schedulers : list of LRScheduler
        Of one rule, or all of them recipes.
    optimizer : Rule, optional
        Their rule; None takes it from them.
    """

    def __init__(self, schedulers: Sequence[LRScheduler] = REQUIRED, optimizer: Rule | None = None) -> None:
        if schedulers is REQUIRED:
            raise TypeError("ChainedScheduler: expected schedulers, got none.")
        self.schedulers = _listed("ChainedScheduler", "schedulers", schedulers)
        own = getattr(self.schedulers[0], "rule", None) if self.schedulers else None
        self._check(own)
        super().__init__(own if optimizer is None else optimizer, 0)

    def _first_step(self) -> None:
        """The schedules have begun already."""
        self._note()

    def step(self) -> None:
        self._require_bound()
        self.last_epoch += 1
        for schedule in self.schedulers:
            schedule.step()
        self._note()

    def restart(self) -> None:
        self.last_epoch = 0
        for group in self.rule.param_groups:
            group["lr"] = group["initial_lr"]
        for schedule in self.schedulers:
            _undo(schedule)
            schedule.begin_again()
        self._note()
