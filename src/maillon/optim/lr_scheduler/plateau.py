"""ReduceLROnPlateau: a smaller rate where nothing gets better any more."""

import math
from typing import Any

from maillon.nn.support.arguments import integer, number, one_of
from maillon.optim.lr_scheduler.base import LRScheduler, one_each, require_each
from maillon.optim.rule import Group, Rule


class ReduceLROnPlateau(LRScheduler):
    """lr ← max(factor · lr, min_lr) when a score has not improved for more than `patience` epochs.

    Call `step(score)` after each epoch; `fit` does it by itself.

    Parameters
    ----------
    optimizer : Rule, optional
        A bound rule: the schedule begins at once. None makes a recipe, for `fit(schedule=…)` or `bind`.
    mode : str
        'min' for losses and errors, 'max' for scores that should grow.
    factor : float
        By which the rate is multiplied, below 1.
    patience : int
        Epochs without improvement that are waited for.
    threshold : float
        What counts as an improvement.
    threshold_mode : str
        'rel': the score must be below best · (1 − threshold), or above best · (1 + threshold) with mode='max'.
        'abs': below best − threshold, or above best + threshold.
    cooldown : int
        Epochs after a reduction that are not counted.
    min_lr : float or list of float
        The least rate, or one for each group.
    eps : float
        A smaller reduction than this is not made.
    monitor : str, optional
        The column of the history that `fit` gives it ('val_loss', 'accuracy' …). None is the validation loss
        where there is one, else the loss. PyTorch does not have this parameter.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> rule = maillon.SGD([maillon.Parameter(np.ones(1))], lr=1.0)
    >>> schedule = maillon.optim.ReduceLROnPlateau(rule, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Rule | None = None,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
        *,
        monitor: str | None = None,
    ) -> None:
        name = "ReduceLROnPlateau"
        self.mode = one_of(name, "mode", mode, ("min", "max"))
        self.factor = number(name, "factor", factor, 0)
        if factor >= 1:
            raise ValueError(f"{name}: expected factor to be a number in [0, 1), got {factor!r}. It reduces the rate.")
        self.patience = integer(name, "patience", patience, 0)
        self.threshold = number(name, "threshold", threshold, 0)
        self.threshold_mode = one_of(name, "threshold_mode", threshold_mode, ("rel", "abs"))
        self.cooldown = integer(name, "cooldown", cooldown, 0)
        self.min_lr = require_each(name, "min_lr", min_lr)
        self.eps = number(name, "eps", eps, 0)
        if monitor is not None and not isinstance(monitor, str):
            raise TypeError(f"{name}: expected monitor to be a name of fit's history or None, got {monitor!r}.")
        self.monitor = monitor
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        super().__init__(optimizer, 0)

    def begin(self, rule: Rule) -> None:
        self.require_bound_rule(rule)
        self.rule = rule
        self.prepare(rule.param_groups)
        self._note()

    def prepare(self, groups: list[Group]) -> None:
        self.min_lrs = one_each("ReduceLROnPlateau", "min_lr", self.min_lr, groups)

    def step(self, metrics: Any = None) -> None:
        """Look at the score of another epoch."""
        self._require_bound()
        if metrics is None:
            raise TypeError("ReduceLROnPlateau: expected step(score), such as the validation loss, got no score.")
        self.last_epoch += 1
        score = float(metrics)
        if self._better(score):
            self.best, self.num_bad_epochs = score, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.rule.param_groups, self.min_lrs, strict=True):
                reduced = max(group["lr"] * self.factor, least)
                if group["lr"] - reduced > self.eps:
                    group["lr"] = reduced
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._note()

    def _better(self, score: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "abs":
            return sign * score < sign * self.best - self.threshold
        return sign * score < sign * self.best * (1 - sign * self.threshold)
