"""What a schedule will do: its next steps, made ahead and taken back."""

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from maillon.optim import CyclicLR, LambdaLR, LRScheduler, ReduceLROnPlateau, lr_scheduler

_KNOWN = {kind for kind in vars(lr_scheduler).values() if isinstance(kind, type)} - {LRScheduler, ReduceLROnPlateau}


@dataclass
class _Place:
    """Where a schedule, those it is made of, and the rule's groups stand."""

    schedules: list[dict[str, Any]]
    groups: list[dict[str, Any]]


class Foresight:
    """A schedule, and its next steps, each computed once: those that a slice has not come to wait for the next one.

    A schedule of the user's own, or with a function that may remember its calls, is not foreseen: it may count them.
    """

    def __init__(self, schedule: LRScheduler) -> None:
        self._schedule = schedule
        self._groups = schedule.rule.param_groups
        self._all = _all(schedule)
        self._here: _Place | None = None
        self._next: list[tuple[_Place, list[float]]] = []

    def step(self) -> None:
        """The next step, now."""
        if self._next and self._here == self._place():
            self.went(1)
        else:
            self._schedule.step()

    def ahead(self, most: int, read: Callable[[], list[float]]) -> list[list[float]]:
        """What `read` gives after each of the next steps, `most` of them, or fewer where one of them will raise."""
        if not all(map(_repeats, self._all)):
            return []
        here = self._place()
        if self._here != here:
            self._here, self._next = here, []
        try:
            if 0 < len(self._next) < most:
                self._go_to(self._next[-1][0])
            while len(self._next) < most:
                self._schedule.step()
                self._next.append((self._place(), read()))
        except Exception:  # it will be raised when this step is due
            pass
        finally:
            self._go_to(here)
        return [row for _, row in self._next[:most]]

    def went(self, steps: int) -> list[float]:
        """So many of these steps have been made; the first group's rate after each of them."""
        passed, self._next = self._next[:steps], self._next[steps:]
        if passed:
            self._here = passed[-1][0]
            self._go_to(self._here)
        return [place.groups[0]["lr"] for place, _ in passed]

    def _place(self) -> _Place:
        return _Place([vars(one).copy() for one in self._all], [group.copy() for group in self._groups])

    def _go_to(self, place: _Place) -> None:
        for schedule, state in zip(self._all, place.schedules, strict=True):
            vars(schedule).update(state)
        for group, options in zip(self._groups, place.groups, strict=True):
            group.update(options)


def _all(schedule: LRScheduler) -> list[LRScheduler]:
    """The schedule, and those that it is made of."""
    inner = vars(schedule).get("schedulers", ()) if type(schedule) in _KNOWN else ()
    return [schedule, *(one for part in inner for one in _all(part))]


def _repeats(schedule: LRScheduler) -> bool:
    """Whether the same steps from the same state give the same, and nobody notices that they were made."""
    functions: list[Any] = []
    if isinstance(schedule, LambdaLR):
        functions = schedule.lr_lambdas
    elif isinstance(schedule, CyclicLR) and schedule.scale_fn is not None:
        functions = [schedule.scale_fn]
    return type(schedule) in _KNOWN and all(isinstance(given, FunctionType) for given in functions)
