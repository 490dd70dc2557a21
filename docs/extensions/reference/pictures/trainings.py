"""Pictures of what happens over a training: the rates of schedules, the paths of rules."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import maillon as m
from maillon.optim import lr_scheduler as s
from reference.pictures.style import SLOPE, VALUE, figure

Made = tuple[Callable[[], Figure], str]
EPOCHS = 40
LIMITS = (-2.4, 1.2, -1.3, 1.3)

SCHEDULES: dict[str, Any] = {
    "StepLR": s.StepLR(step_size=10, gamma=0.5),
    "MultiStepLR": s.MultiStepLR(milestones=[10, 15, 30], gamma=0.5),
    "ExponentialLR": s.ExponentialLR(gamma=0.9),
    "ConstantLR": s.ConstantLR(factor=0.25, total_iters=10),
    "LinearLR": s.LinearLR(start_factor=0.1, total_iters=15),
    "PolynomialLR": s.PolynomialLR(total_iters=30, power=2),
    "CosineAnnealingLR": s.CosineAnnealingLR(T_max=30),
    "CosineAnnealingWarmRestarts": s.CosineAnnealingWarmRestarts(T_0=8, T_mult=2),
    "CyclicLR": s.CyclicLR(base_lr=0.02, max_lr=0.1, step_size_up=8, cycle_momentum=False),
    "OneCycleLR": s.OneCycleLR(max_lr=0.1, total_steps=EPOCHS + 1, cycle_momentum=False),
    "LambdaLR": s.LambdaLR(lr_lambda=lambda epoch: 1 / (1 + 0.2 * epoch)),
    "MultiplicativeLR": s.MultiplicativeLR(lr_lambda=lambda epoch: 0.8 if epoch % 5 == 0 else 1.0),
    "SequentialLR": s.SequentialLR(
        schedulers=[s.LinearLR(start_factor=0.1, total_iters=8), s.CosineAnnealingLR(T_max=30)], milestones=[8]
    ),
    "ChainedScheduler": s.ChainedScheduler([s.LinearLR(start_factor=0.1, total_iters=8), s.ExponentialLR(gamma=0.95)]),
    "ReduceLROnPlateau": s.ReduceLROnPlateau(factor=0.5, patience=5),
}
RULES: dict[str, Any] = {
    "SGD": m.SGD(lr=0.05, momentum=0.8),
    "ASGD": m.ASGD(lr=0.1),
    "Adam": m.Adam(lr=0.2),
    "AdamW": m.AdamW(lr=0.2),
    "NAdam": m.NAdam(lr=0.2),
    "RAdam": m.RAdam(lr=0.2),
    "Adamax": m.Adamax(lr=0.3),
    "Adagrad": m.Adagrad(lr=0.5),
    "Adadelta": m.Adadelta(lr=20.0),
    "RMSprop": m.RMSprop(lr=0.05),
    "Rprop": m.Rprop(lr=0.05),
    "Lion": m.Lion(lr=0.05),
}


def schedules() -> dict[str, Made]:
    """The rate of each schedule, epoch by epoch."""
    return {
        f"optim.{name}": (
            lambda recipe=recipe: _rates(recipe),
            f"The rate by {recipe!r}, from 0.1, over {EPOCHS} epochs.",
        )
        for name, recipe in SCHEDULES.items()
    }


def _rates(recipe: Any) -> Figure:
    rule = m.SGD([m.Parameter(np.ones(1), grad=np.zeros(1))], lr=0.1)
    schedule = recipe.bind(rule)
    rates = []
    for epoch in range(EPOCHS):
        rates.append(rule.param_groups[0]["lr"])
        rule.step()
        if isinstance(recipe, s.ReduceLROnPlateau):
            schedule.step(max(1.0 - 0.1 * epoch, 0.4))
        else:
            schedule.step()
    made, ax = figure(5.0, 2.6)
    ax.step(range(EPOCHS), rates, where="mid", color=VALUE, linewidth=1.2, alpha=0.5)
    ax.plot(range(EPOCHS), rates, "o", color=VALUE, markersize=3.5)
    ax.set(xlabel="step" if recipe.__class__.__name__ in ("CyclicLR", "OneCycleLR") else "epoch", ylabel="rate (lr)")
    ax.set_ylim(0, 1.08 * max(rates))
    ax.spines[["top", "right"]].set_visible(False)
    return made


def rules() -> dict[str, Made]:
    """The path of each rule through a valley that is ten times as steep across as along."""
    return {name: (lambda rule=rule: _path(rule), _words(rule)) for name, rule in RULES.items()}


def _words(rule: Any) -> str:
    return f"Forty steps of {rule!r} in a narrow valley, from the upper left to its lowest point, the star."


def _path(recipe: Any) -> Figure:
    p = m.Parameter(np.array([-2.0, 1.0]))
    rule = recipe.bind([p])
    steps = [p.data.copy()]
    for _ in range(40):
        p.grad = np.array([1.0, 10.0]) * p.data
        rule.step()
        steps.append(p.data.copy())
    made, ax = figure(5.0, 3.1)
    left, right, low, high = LIMITS
    x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(low, high, 200))
    ax.contour(x, y, 0.5 * (x**2 + 10 * y**2), levels=[0.05, 0.3, 1, 2.5, 5, 8], colors="0.75", linewidths=0.8)
    path = np.array(steps)
    ax.plot(*path.T, "o-", color=VALUE, markersize=3, linewidth=1.2)
    ax.plot(0, 0, "*", color=SLOPE, markersize=11)
    ax.set(xlim=(left, right), ylim=(low, high), xlabel="p₁", ylabel="p₂")
    ax.spines[["top", "right"]].set_visible(False)
    return made
