"""How `fit` steps a schedule: after each epoch or after each step of learning."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from maillon.messages import unknown_name
from maillon.optim import LambdaLR, LRScheduler, Optim, ReduceLROnPlateau
from maillon.train.foresight import Foresight
from maillon.train.history import History

Schedule = Callable[[int], float] | LRScheduler


class Scheduling:
    """A schedule at work in one training; without one it does nothing.

    schedule: a function of the epoch, a recipe, or a schedule of the rule that trains. by: "epoch" or "step"; None
    leaves it to the schedule: the cyclic ones go by steps, all others by epochs.
    """

    def __init__(self, schedule: Any, by: str | None, optim: Optim) -> None:
        self._check(schedule, by, optim)
        self._given, self._optim = schedule, optim
        self.by_step = by == "step" or (by is None and isinstance(schedule, LRScheduler) and schedule.per_step)
        self._schedule: LRScheduler | None = None
        self._foresight: Foresight | None = None
        self._monitor: str | None = None

    def watch(self, scored: list[str]) -> None:
        """Find what a plateau is looked for in, among the scores of an epoch."""
        if isinstance(self._given, ReduceLROnPlateau):
            self._monitor = self._given.monitor or ("val_loss" if "val_loss" in scored else "loss")
            if self._monitor not in scored:
                raise ValueError(unknown_name("ReduceLROnPlateau", "monitor to be a score", self._monitor, scored))

    def __bool__(self) -> bool:
        return self._given is not None

    @property
    def watches(self) -> bool:
        """Whether it must see the scores of each epoch."""
        return isinstance(self._given, ReduceLROnPlateau)

    @staticmethod
    def _check(schedule: Any, by: str | None, optim: Optim) -> None:
        if by not in (None, "epoch", "step"):
            raise ValueError(f"fit: expected schedule_by to be 'epoch', 'step' or None, got {by!r}.")
        if schedule is None:
            if by is not None:
                raise ValueError(f"fit: expected a schedule beside schedule_by={by!r}, got none.")
            return
        if isinstance(schedule, LRScheduler):
            if schedule.rule not in (None, optim.rule):
                raise ValueError(
                    f"fit: the schedule {schedule!r} is of another rule than the one that trains. Leave its rule out, "
                    "or make it with optim.rule and call fit(optim, x, y, …)."
                )
            if by == "step" and isinstance(schedule, ReduceLROnPlateau):
                raise ValueError("fit: ReduceLROnPlateau looks at the scores of epochs. Leave schedule_by out.")
        elif not callable(schedule) or isinstance(schedule, type):
            hint = f" Did you mean {schedule.__name__}(…)?" if isinstance(schedule, type) else ""
            raise TypeError(
                f"fit: expected schedule to be a function of the epoch or a schedule, got {schedule!r}.{hint}"
            )

    def state_dict(self) -> dict[str, Any] | None:
        """Where the schedule stands, None before it has begun."""
        return None if self._schedule is None else _plain(self._schedule.state_dict())

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Go on from there. The rule's rates are then to be loaded too: to begin has set the first ones."""
        if state is not None:
            self._begin()
            assert self._schedule is not None
            self._schedule.load_state_dict(state)

    def _begin(self) -> None:
        given, rule = self._given, self._optim.rule
        if not isinstance(given, LRScheduler):
            self._schedule = LambdaLR(rule, given)
        else:
            self._schedule = given.bind(rule) if given.rule is None else given
        self._foresight = Foresight(self._schedule)

    # Within a slice: what a stepper calls. Steps of epochs are made there between two epochs of the slice only.

    def step(self) -> None:
        """Another step, now."""
        if self._foresight is not None:
            self._foresight.step()

    def ahead(self, most: int, read: Callable[[], list[float]]) -> list[list[float]]:
        """What `read` gives after each of the next steps, `most` of them or fewer; nothing has changed then."""
        return [] if self._foresight is None else self._foresight.ahead(most, read)

    def went(self, steps: int) -> list[float]:
        """So many of these steps have been made; the first group's rate after each of them."""
        return [] if self._foresight is None else self._foresight.went(steps)

    def describe(self) -> Any:
        """What it is, to be compared."""
        if self._given is None:
            return None
        named = getattr(self._given, "__qualname__", type(self._given).__name__)
        return re.sub(" at 0x[0-9a-f]+", "", repr(self._given) if isinstance(self._given, LRScheduler) else named)

    def before_epoch(self) -> None:
        """Set the first rates; those of a function of the epoch before every epoch."""
        given = self._given
        if given is None:
            return
        if self._schedule is None:
            self._begin()
        elif not isinstance(given, LRScheduler) and not self.by_step:
            self.step()

    def after_step(self, _state: Any) -> None:
        """A step is done; one that only gathered gradients does not count."""
        if not self._optim.waiting:
            self.step()

    def after_rest(self) -> None:
        """What was left over at the end of an epoch has moved the parameters: a step as well."""
        if self.by_step:
            self.step()

    def after_epoch(self, history: History) -> None:
        if self._schedule is None or self.by_step or not isinstance(self._given, LRScheduler):
            return
        if isinstance(self._schedule, ReduceLROnPlateau):
            self._schedule.step(history[self._monitor or "loss"][-1])
        else:
            self.step()


def _plain(value: Any) -> Any:
    """With dicts in the place of Counters and other kinds of dict."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value
