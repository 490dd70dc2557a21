"""Schedules that multiply the rate: by a function, in steps, along a line, a power, an exponential."""

import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any

from maillon.nn.support.arguments import integer, number
from maillon.optim.lr_scheduler.base import REQUIRED, Factor, LRScheduler, one_each, require_each
from maillon.optim.rule import Group, Rule


class LambdaLR(LRScheduler):
    """Each group's rate is its initial rate times a function of the epoch: lr = lr₀ · λ(epoch).

    The first factor applies at once; `step()` at the end of an epoch sets the rate of the next.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    lr_lambda : callable or list of callable
        From the epoch, a whole number from 0, to the factor; or one function for each group.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> rule = maillon.SGD([maillon.Parameter(np.ones(1))], lr=0.1)
    >>> schedule = maillon.optim.LambdaLR(rule, lambda epoch: 0.5**epoch)
    >>> schedule.step(); schedule.get_last_lr()
    [0.05]
    """

    def __init__(
        self, optimizer: Rule | None = None, lr_lambda: Factor | Sequence[Factor] = REQUIRED, last_epoch: int = -1
    ) -> None:
        self.lr_lambda = require_each(type(self).__name__, "lr_lambda", lr_lambda)
        super().__init__(optimizer, last_epoch)

    def prepare(self, groups: list[Group]) -> None:
        self.lr_lambdas = one_each(type(self).__name__, "lr_lambda", self.lr_lambda, groups)

    def get_lr(self) -> list[float]:
        return [base * factor(self.last_epoch) for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """As any schedule's; a function has no state, an object that is called has its attributes, as in PyTorch."""
        states = [
            None if isinstance(given, FunctionType) else getattr(given, "__dict__", {}).copy()
            for given in self.lr_lambdas
        ]
        return super().state_dict() | {"lr_lambdas": states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state.items() if name != "lr_lambdas"})
        for given, own in zip(self.lr_lambdas, state.get("lr_lambdas", ()), strict=False):
            if own:
                vars(given).update(own)


class MultiplicativeLR(LambdaLR):
    """Each step multiplies the rate by a function of the epoch: lr ← lr · λ(epoch), from epoch 1 on.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    lr_lambda : callable or list of callable
        From the epoch, a whole number from 0, to the factor; or one function for each group.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.
    """

    def get_lr(self) -> list[float]:
        rates = [group["lr"] for group in self.rule.param_groups]
        if self.beginning:
            return rates
        return [rate * factor(self.last_epoch) for rate, factor in zip(rates, self.lr_lambdas, strict=True)]

    def at_start(self) -> list[float]:
        rates = [group["lr"] for group in self.rule.param_groups]
        return [rate * factor(0) for rate, factor in zip(rates, self.lr_lambdas, strict=True)]


class _ByFactor(LRScheduler):
    """lr = lr₀ · f(epoch), computed from the rate in force as lr · f(epoch) / f(epoch − 1), so that schedules chain."""

    def share(self, epoch: int) -> float:
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        epoch = self.last_epoch
        new, old = self.share(epoch), 1.0 if epoch == 0 else self.share(epoch - 1)
        rates = [group["lr"] for group in self.rule.param_groups]
        if new == old:
            return rates
        return [rate * (new / old) for rate in rates]

    def at_start(self) -> list[float]:
        return [base * self.share(0) for base in self.base_lrs]


class StepLR(_ByFactor):
    """The rate falls by the factor γ every so many epochs: lr = lr₀ γ^⌊epoch / step_size⌋.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    step_size : int
        Epochs between two changes, ≥ 1.
    gamma : float
        γ, the factor: any number.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> rule = maillon.SGD([maillon.Parameter(np.ones(1))], lr=1.0)
    >>> schedule = maillon.optim.StepLR(rule, step_size=2, gamma=0.5)
    >>> [(schedule.get_last_lr()[0], schedule.step())[0] for _ in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Rule | None = None, step_size: int = REQUIRED, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = step_size if step_size is REQUIRED else integer("StepLR", "step_size", step_size)
        self.gamma = number("StepLR", "gamma", gamma, finite=True)
        super().__init__(optimizer, last_epoch)

    def share(self, epoch: int) -> float:
        return self.gamma ** (epoch // self.step_size)


class MultiStepLR(_ByFactor):
    """The rate falls by the factor γ at each milestone: lr = lr₀ γ^k after k of them.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    milestones : iterable of int
        The epochs; one that is named twice counts twice.
    gamma : float
        γ, the factor: any number.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.
    """

    def __init__(
        self,
        optimizer: Rule | None = None,
        milestones: Iterable[int] = REQUIRED,
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        if milestones is not REQUIRED and (not isinstance(milestones, Iterable) or isinstance(milestones, str | dict)):
            raise TypeError(f"MultiStepLR: expected milestones to be several epochs, got {milestones!r}.")
        self.milestones: Any = milestones
        if milestones is not REQUIRED:
            self.milestones = sorted(integer("MultiStepLR", "milestones", epoch, 0) for epoch in milestones)
        self.gamma = number("MultiStepLR", "gamma", gamma, finite=True)
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """As any schedule's; the milestones are counted, as in PyTorch."""
        return super().state_dict() | {"milestones": Counter(self.milestones)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.milestones = sorted(Counter(self.milestones).elements())

    def share(self, epoch: int) -> float:
        return self.gamma ** bisect.bisect_right(self.milestones, epoch)


class ConstantLR(_ByFactor):
    """A smaller rate at first: lr = lr₀ · factor until epoch total_iters, then lr₀.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    factor : float
        In (0, 1].
    total_iters : int
        The number of epochs, ≥ 0.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.
    """

    def __init__(
        self, optimizer: Rule | None = None, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = number("ConstantLR", "factor", factor, 0, 1, above=True)
        self.total_iters = integer("ConstantLR", "total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch)

    def share(self, epoch: int) -> float:
        return 1.0 if epoch >= self.total_iters > 0 else self.factor

    def at_start(self) -> list[float]:
        return [base * (1.0 if self.total_iters == 0 else self.factor) for base in self.base_lrs]


class LinearLR(_ByFactor):
    """A rate that changes along a line: lr₀ · start_factor at first, lr₀ · end_factor from total_iters on.

    This is the usual warm-up.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    start_factor : float
        In (0, 1].
    end_factor : float
        In [0, 1].
    total_iters : int
        The number of epochs, ≥ 1.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> rule = maillon.SGD([maillon.Parameter(np.ones(1))], lr=1.0)
    >>> schedule = maillon.optim.LinearLR(rule, start_factor=0.25, total_iters=3)
    >>> [(round(schedule.get_last_lr()[0], 2), schedule.step())[0] for _ in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Rule | None = None,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = number("LinearLR", "start_factor", start_factor, 0, 1, above=True)
        self.end_factor = number("LinearLR", "end_factor", end_factor, 0, 1)
        self.total_iters = integer("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.beginning and self.last_epoch > 0:  # it goes on, with the rates that the groups bring
            return [group["lr"] for group in self.rule.param_groups]
        return super().get_lr()

    def share(self, epoch: int) -> float:
        done = min(epoch, self.total_iters) / self.total_iters
        return self.start_factor * (1 - done) + self.end_factor * done


class ExponentialLR(_ByFactor):
    """The rate falls by the factor γ in each epoch: lr = lr₀ γ^epoch.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    gamma : float
        γ, the factor: any number.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.
    """

    def __init__(self, optimizer: Rule | None = None, gamma: float = REQUIRED, last_epoch: int = -1) -> None:
        self.gamma = gamma if gamma is REQUIRED else number("ExponentialLR", "gamma", gamma, finite=True)
        super().__init__(optimizer, last_epoch)

    def share(self, epoch: int) -> float:
        return self.gamma**epoch

    def get_lr(self) -> list[float]:
        return [group["lr"] * (1.0 if self.beginning else self.gamma) for group in self.rule.param_groups]


class PolynomialLR(_ByFactor):
    """The rate falls to zero along a power: lr = lr₀ (1 − epoch / total_iters)^power.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    total_iters : int
        The number of epochs, ≥ 1.
    power : float
        ≥ 0; 1 is a line.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.
    """

    def __init__(
        self, optimizer: Rule | None = None, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = integer("PolynomialLR", "total_iters", total_iters)
        self.power = number("PolynomialLR", "power", power, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        rates = [group["lr"] for group in self.rule.param_groups]
        if self.beginning or self.last_epoch > self.total_iters:
            return rates
        return [rate * (self.share(self.last_epoch) / self.share(self.last_epoch - 1)) for rate in rates]

    def share(self, epoch: int) -> float:
        return (1 - min(epoch, self.total_iters) / self.total_iters) ** self.power
