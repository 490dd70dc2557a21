"""Schedules: how the rate changes from epoch to epoch."""

from collections.abc import Callable, Sequence
from typing import Any

from maillon.optim.rule import Rule, require_number

Factor = Callable[[int], float]


class LambdaLR:
    """Each group's rate is its initial rate times a function of the epoch: lr = lr₀ · λ(epoch), epochs from 0.

    rule: a bound rule. lr_lambda: the function, or one for each group. The first factor applies at once;
    `step()` at the end of an epoch sets the rate of the next.

    >>> import numpy as np, maillon
    >>> rule = maillon.SGD([maillon.Parameter(np.ones(1))], lr=0.1)
    >>> schedule = maillon.optim.LambdaLR(rule, lambda epoch: 0.5**epoch)
    >>> schedule.step(); schedule.get_last_lr()
    [0.05]
    """

    def __init__(self, rule: Rule, lr_lambda: Factor | Sequence[Factor]) -> None:
        if not isinstance(rule, Rule) or not rule.bound:
            raise TypeError(f"LambdaLR: expected a bound rule, got {rule!r}. Bind it: rule.bind(parameters).")
        groups = rule.param_groups
        self.lr_lambdas = [lr_lambda] * len(groups) if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != len(groups):
            raise ValueError(
                f"LambdaLR: expected one function for each of {len(groups)} groups, got {len(self.lr_lambdas)}."
            )
        self.rule = rule
        self.base_lrs = [group["lr"] for group in groups]
        self.last_epoch = 0
        self._go_to(0)

    def step(self) -> None:
        """Go on to the next epoch."""
        self._go_to(self.last_epoch + 1)

    def get_last_lr(self) -> list[float]:
        """The rates in force, one a group."""
        return [group["lr"] for group in self.rule.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {"base_lrs": list(self.base_lrs), "last_epoch": self.last_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.base_lrs = list(state["base_lrs"])
        self.last_epoch = state["last_epoch"]

    def _go_to(self, epoch: int) -> None:
        rates = [base * factor(epoch) for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]
        for rate in rates:
            require_number("LambdaLR", f"the rate of epoch {epoch}", rate)
        for group, rate in zip(self.rule.param_groups, rates, strict=True):
            group["lr"] = rate
        self.last_epoch = epoch
