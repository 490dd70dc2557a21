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
BY_STEPS = ("CyclicLR", "OneCycleLR")
LIMITS = (-2.4, 1.2, -1.3, 1.3)

WARM_UP = s.LinearLR(start_factor=0.1, total_iters=8)

SCHEDULES: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 10, "gamma": 0.5},
    "MultiStepLR": {"milestones": [10, 15, 30], "gamma": 0.5},
    "ExponentialLR": {"gamma": 0.9},
    "ConstantLR": {"factor": 0.25, "total_iters": 10},
    "LinearLR": {"start_factor": 0.1, "total_iters": 15},
    "PolynomialLR": {"total_iters": 30, "power": 2},
    "CosineAnnealingLR": {"T_max": 30},
    "CosineAnnealingWarmRestarts": {"T_0": 8, "T_mult": 2},
    "CyclicLR": {"base_lr": 0.02, "max_lr": 0.1, "step_size_up": 8, "cycle_momentum": False},
    "OneCycleLR": {"max_lr": 0.1, "total_steps": EPOCHS + 1, "cycle_momentum": False},
    "LambdaLR": {"lr_lambda": lambda epoch: 1 / (1 + 0.2 * epoch)},
    "MultiplicativeLR": {"lr_lambda": lambda epoch: 0.8 if epoch % 5 == 0 else 1.0},
    "SequentialLR": {"schedulers": [WARM_UP, s.CosineAnnealingLR(T_max=30)], "milestones": [8]},
    "ChainedScheduler": {"schedulers": [WARM_UP, s.ExponentialLR(gamma=0.95)]},
    "ReduceLROnPlateau": {"factor": 0.5, "patience": 5},
}
SAID = {
    "LambdaLR": "LambdaLR with the factor 1 / (1 + 0.2 epoch)",
    "MultiplicativeLR": "MultiplicativeLR with the factor 0.8 in every fifth epoch",
    "SequentialLR": "SequentialLR: LinearLR for 8 epochs, then CosineAnnealingLR",
    "ChainedScheduler": "ChainedScheduler of LinearLR, which warms up for 8 epochs, and ExponentialLR",
    "ReduceLROnPlateau": "ReduceLROnPlateau(factor=0.5, patience=5), with a score that falls until epoch 6",
}
"""What is not said by the options."""

RULES: dict[str, dict[str, float]] = {
    "SGD": {"lr": 0.05, "momentum": 0.8},
    "ASGD": {"lr": 0.1},
    "Adam": {"lr": 0.2},
    "AdamW": {"lr": 0.2},
    "NAdam": {"lr": 0.2},
    "RAdam": {"lr": 0.2},
    "Adamax": {"lr": 0.3},
    "Adagrad": {"lr": 0.5},
    "Adadelta": {"lr": 20.0},
    "RMSprop": {"lr": 0.05},
    "Rprop": {"lr": 0.05},
    "Lion": {"lr": 0.05},
}


def schedules() -> dict[str, Made]:
    """The rate of each schedule, epoch by epoch."""
    made: dict[str, Made] = {}
    for name, options in SCHEDULES.items():
        words = SAID.get(name, f"{name}({_shown(options)})")
        recipe = getattr(s, name)(**options)
        unit = "steps" if name in BY_STEPS else "epochs"
        made[f"optim.{name}"] = (lambda recipe=recipe: _rates(recipe), f"The rate over {EPOCHS} {unit} by {words}.")
    return made


def _shown(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


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
    ax.set(xlabel="step" if type(recipe).__name__ in BY_STEPS else "epoch", ylabel="rate (lr)")
    ax.set_ylim(0, 1.08 * max(rates))
    ax.spines[["top", "right"]].set_visible(False)
    return made


def rules() -> dict[str, Made]:
    """The path of each rule through a valley that is ten times as steep across as along."""
    where = "in a narrow valley, from the upper left to its lowest point, the star"
    return {
        name: (
            lambda name=name, options=options: _path(getattr(m, name)(**options)),
            f"Forty steps of {name}({_shown(options)}) {where}.",
        )
        for name, options in RULES.items()
    }


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
