"""LRScheduler: what all schedules share."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from maillon.nn.support.arguments import integer, number
from maillon.optim.rule import Group, Rule, require_number

Factor = Callable[[int], float]

REQUIRED: Any = object()
"""The default of a parameter that a schedule cannot do without; the rule before it may be left out."""


_PASSING = ("rule", "beginning")
"""Attributes that are no state."""


class LRScheduler:
    """A schedule: sets the rates of a rule's groups at each `step()`.

    ``StepLR(rule, 30)`` begins at once, with a bound rule. ``StepLR(step_size=30)`` is a recipe:
    `fit(…, schedule=recipe)` or ``recipe.bind(rule)`` binds it. A schedule of your own keeps its options, calls
    ``super().__init__(optimizer, last_epoch)`` and defines `get_lr`.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.

    Notes
    -----
    A group's initial rate lr₀ is what it was when the first schedule took it. The group keeps it as `initial_lr`, as in
    PyTorch.
    """

    per_step: bool = False
    """Whether `fit` steps it after each step of learning rather than after each epoch."""

    def __init__(self, optimizer: Rule | None = None, last_epoch: int = -1) -> None:
        missing = [name for name, value in vars(self).items() if value is REQUIRED]
        if missing:
            raise TypeError(f"{type(self).__name__}: expected {' and '.join(missing)}, got none.")
        self.rule: Any = None
        self.last_epoch = integer(type(self).__name__, "last_epoch", last_epoch, -1)
        self._last_lr: list[float] = []
        if optimizer is not None:
            self.begin(optimizer)

    # What a schedule defines

    def get_lr(self) -> list[float]:
        """The rates of epoch `last_epoch`, one a group."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr()")

    def prepare(self, groups: list[Group]) -> None:
        """What must be known of the groups before the first rates are set."""

    def at_start(self) -> list[float]:
        """The rates of epoch 0, wherever the groups' rates stand: for schedules that follow others."""
        return self.get_lr()

    # What every schedule does

    def bind(self, rule: Rule) -> Self:
        """This recipe's schedule, begun with the rule."""
        bound = copy.deepcopy(self) if self.rule is None else self
        if bound is self:
            raise RuntimeError(f"{type(self).__name__}: it has its rule already. Make a recipe: leave the rule out.")
        bound.begin(rule)
        return bound

    @property
    def optimizer(self) -> Rule:
        """The rule, by PyTorch's word."""
        return self.rule

    def step(self) -> None:
        """Go on to the next epoch (or step, whatever is counted)."""
        self._require_bound()
        self.last_epoch += 1
        self._set(self.get_lr())

    def get_last_lr(self) -> list[float]:
        """The rates that this schedule has set last, one a group; schedules stepped since may have changed them."""
        self._require_bound()
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """All it knows but the rule and functions."""
        return {name: value for name, value in vars(self).items() if name not in _PASSING and _plain(value)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update({name: copy.copy(value) for name, value in state.items() if name in vars(self)})

    def require_bound_rule(self, rule: Any) -> None:
        """TypeError unless it is a rule with parameters."""
        if not isinstance(rule, Rule) or not rule.bound:
            name = type(self).__name__
            raise TypeError(f"{name}: expected a bound rule, got {rule!r}. Bind it: rule.bind(parameters).")

    def begin(self, rule: Rule) -> None:
        """Take the rule and set its first rates: what `bind` does to a copy."""
        self.require_bound_rule(rule)
        name, groups = type(self).__name__, rule.param_groups
        if self.last_epoch >= 0 and any("initial_lr" not in group for group in groups):
            raise ValueError(
                f"{name}: last_epoch={self.last_epoch} goes on, but the groups have no initial_lr. Load the rule's "
                "state first, or begin with last_epoch=-1."
            )
        self.rule = rule
        self.prepare(groups)
        for group in groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in groups]
        self._first_step()

    def _first_step(self) -> None:
        """Set the rates to begin with."""
        self.beginning = True
        LRScheduler.step(self)
        self.beginning = False

    def begin_again(self) -> None:
        """Set the rates to begin with, as the first of several."""
        self._first_step()

    def restart(self) -> None:
        """Begin at epoch 0, as the next of several."""
        self.last_epoch = 0
        self._set(self.at_start())

    def _set(self, rates: Iterable[float]) -> None:
        name = type(self).__name__
        checked = [_no_rounding(rate) for rate in rates]
        for rate in checked:
            require_number(name, f"the rate of epoch {self.last_epoch}", rate)
        for group, rate in zip(self.rule.param_groups, checked, strict=True):
            group["lr"] = rate
        self._note()

    def _note(self) -> None:
        """Remember the rates in force as those that this schedule has set."""
        self._last_lr = [group["lr"] for group in self.rule.param_groups]

    def _require_bound(self) -> None:
        if self.rule is None:
            raise RuntimeError(
                f"{type(self).__name__}: a recipe without a rule does not step. Bind it: schedule.bind(rule)."
            )

    def __repr__(self) -> str:
        options = (
            f"{name}={value!r}" for name, value in vars(self).items() if name not in (*_PASSING, "base_lrs", "_last_lr")
        )
        return f"{type(self).__name__}({', '.join(options)})"


def require_each(name: str, option: str, value: Any) -> Any:
    """The value of an option that may be one a group; TypeError or ValueError unless it is a number or several.

    lr_lambda: a function or several.
    """
    for given in value if isinstance(value, list | tuple) else [value]:
        if option == "lr_lambda" and value is not REQUIRED and not callable(given):
            raise TypeError(f"{name}: expected {option} to be a function of the epoch, or several, got {given!r}.")
        if option != "lr_lambda" and value is not REQUIRED:
            number(name, option, given, finite=True)
    return value


def one_each(name: str, option: str, value: Any, groups: list[Group]) -> list[Any]:
    """An option as one value for each group."""
    require_each(name, option, value)
    if not isinstance(value, list | tuple):
        return [value] * len(groups)
    if len(value) != len(groups):
        what = "function" if option == "lr_lambda" else option
        raise ValueError(f"{name}: expected one {what} for each of {len(groups)} groups, got {len(value)}.")
    return list(value)


def _no_rounding(rate: float) -> float:
    """A rate that only rounding has brought below zero is zero."""
    return 0.0 if -1e-12 < rate < 0 else rate


def _plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    return not callable(value) and not isinstance(value, LRScheduler)
