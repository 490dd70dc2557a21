"""Schedules that go up and down: cosine annealing, with restarts, cycles and the one cycle."""

import math
from collections.abc import Callable
from typing import Any

from maillon.nn.support.arguments import flag, integer, number, one_of
from maillon.optim.lr_scheduler.base import REQUIRED, LRScheduler, one_each, require_each
from maillon.optim.rule import Group, Rule


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from lr₀ down to η in T_max epochs: lr = η + (lr₀ − η)(1 + cos(π epoch / T_max)) / 2.

    After T_max the rate rises again.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    T_max : int
        The number of epochs, ≥ 1.
    eta_min : float
        η: the least rate.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.

    Notes
    -----
    The present rate is scaled, so that the schedule can be chained with others.

    References
    ----------
    Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, without
    restarts.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> rule = maillon.SGD([maillon.Parameter(np.ones(1))], lr=1.0)
    >>> schedule = maillon.optim.CosineAnnealingLR(rule, T_max=4)
    >>> [(round(schedule.get_last_lr()[0], 3), schedule.step())[0] for _ in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def __init__(
        self, optimizer: Rule | None = None, T_max: int = REQUIRED, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = T_max if T_max is REQUIRED else integer("CosineAnnealingLR", "T_max", T_max)
        self.eta_min = number("CosineAnnealingLR", "eta_min", eta_min, finite=True)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        epoch, least, period = self.last_epoch, self.eta_min, self.T_max
        rates = [group["lr"] for group in self.rule.param_groups]
        if self.beginning:
            return rates
        if (epoch - 1 - period) % (2 * period) == 0:  # from the very bottom no factor leads up
            rise = (1 - math.cos(math.pi / period)) / 2
            return [rate + (base - least) * rise for rate, base in zip(rates, self.base_lrs, strict=True)]
        shrink = (1 + math.cos(math.pi * epoch / period)) / (1 + math.cos(math.pi * (epoch - 1) / period))
        return [least + shrink * (rate - least) for rate in rates]

    def at_start(self) -> list[float]:
        return list(self.base_lrs)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Cosine annealing that begins anew after T_0 epochs, then after T_mult times as many, and so on.

    lr = η + (lr₀ − η)(1 + cos(π T_cur / T_i)) / 2, T_cur epochs after the last restart, in a period of T_i epochs.
    `step(epoch)` goes to any epoch, fractions included: ``step(epoch + batch / batches)`` after each mini-batch.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    T_0 : int
        Epochs of the first period, ≥ 1.
    T_mult : int
        By which each period is longer than the last, ≥ 1.
    eta_min : float
        η: the least rate.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.

    References
    ----------
    Loshchilov, Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, equation 5.
    """

    def __init__(
        self,
        optimizer: Rule | None = None,
        T_0: int = REQUIRED,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        name = "CosineAnnealingWarmRestarts"
        self.T_0 = T_0 if T_0 is REQUIRED else integer(name, "T_0", T_0)
        self.T_i = self.T_0
        self.T_mult = integer(name, "T_mult", T_mult)
        self.eta_min = number(name, "eta_min", eta_min, finite=True)
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        share = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on to the next epoch, or to the one given."""
        self._require_bound()
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            self._count()
            epoch = self.last_epoch + 1
        else:
            self._go_to(number(type(self).__name__, "epoch", epoch, 0))
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())

    def restart(self) -> None:
        self.last_epoch = 0
        self._set(self.get_lr())

    def _first_step(self) -> None:
        self.step()

    def _count(self) -> None:
        self.T_cur += 1
        if self.T_cur >= self.T_i:
            self.T_cur %= self.T_i
            self.T_i *= self.T_mult

    def _go_to(self, epoch: float) -> None:
        self.T_i, self.T_cur = self.T_0, epoch
        if epoch >= self.T_0 and self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        while self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult


class _WithMomentum(LRScheduler):
    """Schedules of every step that move the momentum (Adam's β₁) against the rate."""

    per_step = True
    cycle_momentum: bool
    base_momentum: Any
    max_momentum: Any
    base_momentums: list[float]
    max_momentums: list[float]

    def _set_momentum_options(self, cycle_momentum: bool, base_momentum: Any, max_momentum: Any) -> None:
        name = type(self).__name__
        self.cycle_momentum = flag(name, "cycle_momentum", cycle_momentum)
        self.base_momentum = require_each(name, "base_momentum", base_momentum)
        self.max_momentum = require_each(name, "max_momentum", max_momentum)

    def _prepare_momentum(self, groups: list[Group]) -> None:
        name = type(self).__name__
        if not self.cycle_momentum:
            return
        if any("momentum" not in group and "betas" not in group for group in groups):
            raise ValueError(f"{name}: cycle_momentum needs a rule with momentum or betas, got {self.rule!r}.")
        self.base_momentums = one_each(name, "base_momentum", self.base_momentum, groups)
        self.max_momentums = one_each(name, "max_momentum", self.max_momentum, groups)
        if self.last_epoch == -1:
            for group, low, high in zip(groups, self.base_momentums, self.max_momentums, strict=True):
                group["base_momentum"], group["max_momentum"] = low, high
                _set_momentum(group, high)


def _set_momentum(group: Group, momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """Triangles between two rates, one `step()` a mini-batch: lr = base_lr + (max_lr − base_lr) · height · scale.

    The height goes from 0 to 1 in step_size_up steps and back in step_size_down. The momentum (or Adam's β₁) goes the
    other way.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    base_lr : float or list of float
        The lower rate, or one for each group.
    max_lr : float or list of float
        The upper rate, or one for each group.
    step_size_up : float
        Steps of the rise.
    step_size_down : float, optional
        Steps of the fall; None takes step_size_up.
    mode : str
        The scale: 1 with 'triangular', 1 / 2^(cycle − 1) with 'triangular2', γ^step with 'exp_range'.
    gamma : float
        γ of 'exp_range'.
    scale_fn : callable, optional
        A scale of your own, in the place of `mode`.
    scale_mode : str
        Whether scale_fn is given the 'cycle' or the step ('iterations').
    cycle_momentum : bool
        Whether the momentum moves too.
    base_momentum : float or list of float
        The lower momentum, or one for each group.
    max_momentum : float or list of float
        The upper momentum, or one for each group.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.

    References
    ----------
    Smith, "Cyclical Learning Rates for Training Neural Networks", 2017.
    """

    def __init__(
        self,
        optimizer: Rule | None = None,
        base_lr: float | list[float] = REQUIRED,
        max_lr: float | list[float] = REQUIRED,
        step_size_up: float = 2000,
        step_size_down: float | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        name = "CyclicLR"
        self.base_lr, self.max_lr = require_each(name, "base_lr", base_lr), require_each(name, "max_lr", max_lr)
        self.step_size_up = number("CyclicLR", "step_size_up", step_size_up, 0, above=True)
        down = step_size_up if step_size_down is None else step_size_down
        self.step_size_down = number("CyclicLR", "step_size_down", down, 0, above=True)
        self.scale_mode = one_of(name, "scale_mode", scale_mode, ("cycle", "iterations"))
        if scale_fn is None:
            one_of(name, "mode", mode, ("triangular", "triangular2", "exp_range"))
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        elif not callable(scale_fn):
            raise TypeError(f"{name}: expected scale_fn to be a function or None, got {scale_fn!r}.")
        self.mode = mode
        self.gamma = number(name, "gamma", gamma, finite=True)
        self.scale_fn = scale_fn
        self._set_momentum_options(cycle_momentum, base_momentum, max_momentum)
        super().__init__(optimizer, last_epoch)

    def prepare(self, groups: list[Group]) -> None:
        self.lows = one_each("CyclicLR", "base_lr", self.base_lr, groups)
        self.max_lrs = one_each("CyclicLR", "max_lr", self.max_lr, groups)
        self._prepare_momentum(groups)
        if self.last_epoch == -1:
            for group, base in zip(groups, self.lows, strict=True):
                group["lr"] = base

    def begin(self, rule: Rule) -> None:
        super().begin(rule)
        self.base_lrs = self.lows

    def get_lr(self) -> list[float]:
        total = self.step_size_up + self.step_size_down
        turn = self.step_size_up / total
        cycle = math.floor(1 + self.last_epoch / total)
        x = 1 + self.last_epoch / total - cycle
        height = x / turn if x <= turn else (x - 1) / (turn - 1)
        height *= self._scale(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            momenta = zip(self.rule.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, low, high in momenta:
                _set_momentum(group, high - (high - low) * height)
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """As any schedule's, and that a function has no state, as in PyTorch."""
        state = super().state_dict() | {"_scale_fn_custom": None}
        state.pop("scale_fn", None)
        return state

    def _scale(self, x: float) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x


class OneCycleLR(_WithMomentum):
    """One cycle for a whole training, one `step()` a mini-batch: up to max_lr, then down far below the first rate.

    The momentum (or Adam's β₁) falls from max_momentum to base_momentum while the rate rises, then rises again.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    max_lr : float or list of float
        The highest rate, or one for each group.
    total_steps : int, optional
        The number of steps; None takes epochs · steps_per_epoch.
    epochs : int, optional
        The number of epochs, beside steps_per_epoch.
    steps_per_epoch : int, optional
        Mini-batches of an epoch.
    pct_start : float
        In [0, 1]: the share of the steps in which the rate rises.
    anneal_strategy : str
        'cos' or 'linear'.
    cycle_momentum : bool
        Whether the momentum moves too.
    base_momentum : float or list of float
        The lower momentum, or one for each group.
    max_momentum : float or list of float
        The upper momentum, or one for each group.
    div_factor : float
        max_lr divided by the first rate.
    final_div_factor : float
        The first rate divided by the last one.
    three_phase : bool
        Come down to the first rate as fast as up, then go below it.
    last_epoch : int
        −1 begins; n goes on after epoch n, with groups that have an `initial_lr`.

    Raises
    ------
    ValueError
        From a step beyond total_steps.

    References
    ----------
    Smith, Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2018.
    """

    def __init__(
        self,
        optimizer: Rule | None = None,
        max_lr: float | list[float] = REQUIRED,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.max_lr = require_each("OneCycleLR", "max_lr", max_lr)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ValueError("OneCycleLR: expected total_steps, or epochs and steps_per_epoch, got neither.")
        for option, count in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            if count is not None:
                integer("OneCycleLR", option, count)
        if total_steps is None and epochs is not None and steps_per_epoch is not None:
            total_steps = epochs * steps_per_epoch
        self.total_steps = integer("OneCycleLR", "total_steps", total_steps)
        self.pct_start = number("OneCycleLR", "pct_start", pct_start, 0, 1)
        self.anneal_strategy = one_of("OneCycleLR", "anneal_strategy", anneal_strategy, ("cos", "linear"))
        self._set_momentum_options(cycle_momentum, base_momentum, max_momentum)
        self.div_factor = number("OneCycleLR", "div_factor", div_factor, 0, above=True)
        self.final_div_factor = number("OneCycleLR", "final_div_factor", final_div_factor, 0, above=True)
        self.three_phase = flag("OneCycleLR", "three_phase", three_phase)
        super().__init__(optimizer, last_epoch)

    def prepare(self, groups: list[Group]) -> None:
        largest = one_each("OneCycleLR", "max_lr", self.max_lr, groups)
        if self.last_epoch == -1:
            for group, high in zip(groups, largest, strict=True):
                group["initial_lr"] = high / self.div_factor
                group["max_lr"] = high
                group["min_lr"] = group["initial_lr"] / self.final_div_factor
        self._prepare_momentum(groups)

    def _phases(self) -> list[tuple[float, str, str, str, str]]:
        """When each phase ends, the rates and the momenta between which it goes."""
        rise, last = self.pct_start * self.total_steps, self.total_steps - 1
        up = (rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        if not self.three_phase:
            return [up, (last, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        down = (2 * rise - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum")
        return [up, down, (last, "initial_lr", "min_lr", "max_momentum", "max_momentum")]

    def get_lr(self) -> list[float]:
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"OneCycleLR: expected at most total_steps = {self.total_steps} steps, got step {step}. "
                "Make the cycle as long as the training."
            )
        begin = 0.0
        phases = self._phases()
        for end, *_ in phases[:-1]:
            if step <= end:
                break
            begin = end
        end, low, high, first, second = next(phase for phase in phases if step <= phase[0] or phase is phases[-1])
        share = (step - begin) / (end - begin)
        if self.anneal_strategy == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        for group in self.rule.param_groups if self.cycle_momentum else ():
            _set_momentum(group, group[first] + (group[second] - group[first]) * share)
        return [group[low] + (group[high] - group[low]) * share for group in self.rule.param_groups]
