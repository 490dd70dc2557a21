"""Losses of all kinds with their options, rules and options of `fit`, at random, for fuzz_graphs.py."""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from catalogue import LOSSES, RULES, drawn

import maillon as m
from maillon.nn import Loss, Module, Parameter
from maillon.optim import Rule, lr_scheduler
from maillon.random import Generator
from maillon.typing import Array

R = random.Random


@dataclass
class Objective:
    """A loss, the shapes of a row of its predictions, what it compares them with, and perhaps the rows' weights."""

    loss: Loss
    shapes: list[tuple[int, ...]]
    y: Any
    weight: Array | None


def by_class(rows: list[Any], kind: Callable[[Any], type]) -> list[list[Any]]:
    sorts: dict[type, list[Any]] = defaultdict(list)
    for row in rows:
        sorts[kind(row)].append(row)
    return list(sorts.values())


LOSSES_BY_CLASS = by_class([row for row in LOSSES if row.batched], lambda row: type(row.link()))
RULES_BY_CLASS = by_class(RULES, lambda row: row.rule)


def objective(r: R, rows: int) -> Objective:
    """A row of the catalogue, its inputs drawn as often as there are rows."""
    row = r.choice(r.choice(LOSSES_BY_CLASS))
    loss = row.link()
    parts: list[list[Array]] = []
    while sum(len(part[0]) for part in parts) < rows:
        parts.append([drawn(draw, Generator(r.randrange(10**6))) for draw in row.draws])
    arrays = [np.concatenate(column)[:rows] for column in zip(*parts, strict=True)]
    compared = list(zip(arrays, loss.predicted, strict=False))
    targets = tuple(array for array, predicted in compared if not predicted)
    weight = arrays[-1] if len(arrays) > len(compared) else random_weight(r, rows)
    return Objective(
        loss,
        [array.shape[1:] for array, predicted in compared if predicted],
        targets[0] if len(targets) == 1 else targets or None,
        weight,
    )


def random_weight(r: R, rows: int) -> Array | None:
    return np.array([r.choice([0.0, 0.5, 1.0, 2.0]) for _ in range(rows)]) if r.random() < 0.15 else None


def alignment(r: R, rows: int, classes: int) -> Objective:
    """CTCLoss: as many steps as sequences, for the first dimension of a prediction is time, of all else the batch."""
    loss = m.CTCLoss(r.choice([0, classes - 1]), r.choice(["mean", "sum", "none"]), zero_infinity=r.random() < 0.5)
    labels = [label for label in range(classes) if label != loss.blank]
    targets = np.array([[r.choice(labels) for _ in range(2)] for _ in range(rows)])
    steps = np.array([r.randint(rows - 1, rows) for _ in range(rows)])
    lengths = np.array([r.randint(1, 2) for _ in range(rows)])
    return Objective(loss, [(rows, classes)], (targets, steps, lengths), random_weight(r, rows))


def head(loss: Loss, place: int, width: int, shape: tuple[int, ...]) -> list[Module]:
    """From (N, width) to a prediction of the shape, in the range that the loss wants."""
    links: list[Module] = [m.Linear(width, int(np.prod(shape)))]
    if len(shape) > 1:
        links.append(m.Unflatten(1, shape))
    if isinstance(loss, m.BCELoss) or (isinstance(loss, m.PoissonNLLLoss) and not loss.log_input):
        links.append(m.Sigmoid())
    if isinstance(loss, m.GaussianNLLLoss) and place == 1:
        links.append(m.Softplus())
    if isinstance(loss, m.KLDivLoss | m.NLLLoss):
        links.append(m.LogSoftmax(1))
    if not getattr(loss, "from_logits", True):
        links.append(m.Softmax(1))
    return links if shape else [*links, m.Flatten(0)]


# Rules


def rule(r: R, parameters: list[Parameter]) -> Rule:
    """Bound to all parameters, to the first ones, or to two groups with rates of their own."""
    if r.random() < 0.06:
        options: dict[str, Any] = {"lr": 0.1, "max_iter": 2, "history_size": 2}
        return m.LBFGS(parameters, **options, line_search_fn=r.choice([None, "strong_wolfe"]))
    row = r.choice(r.choice(RULES_BY_CLASS))
    bound: Any = parameters
    if len(parameters) > 1 and r.random() < 0.4:
        cut = r.randrange(1, len(parameters))
        bound = [{"params": parameters[:cut]}, {"params": parameters[cut:], "lr": 0.02}][: r.choice([1, 2, 2])]
    return row.rule(bound, **row.options)


SCHEDULES: list[Callable[[], Any]] = [
    lambda: lambda number: 0.8**number,
    lambda: lr_scheduler.StepLR(step_size=2, gamma=0.5),
    lambda: lr_scheduler.MultiStepLR(milestones=[1, 3], gamma=0.7),
    lambda: lr_scheduler.ConstantLR(factor=0.5, total_iters=2),
    lambda: lr_scheduler.LinearLR(total_iters=4),
    lambda: lr_scheduler.ExponentialLR(gamma=0.9),
    lambda: lr_scheduler.PolynomialLR(total_iters=5, power=2.0),
    lambda: lr_scheduler.CosineAnnealingLR(T_max=3),
    lambda: lr_scheduler.CosineAnnealingWarmRestarts(T_0=2, T_mult=2),
    lambda: lr_scheduler.CyclicLR(base_lr=0.001, max_lr=0.05, step_size_up=2, cycle_momentum=False),
    lambda: lr_scheduler.OneCycleLR(max_lr=0.05, total_steps=9, cycle_momentum=False),
    lambda: lr_scheduler.SequentialLR(
        None, [lr_scheduler.LinearLR(total_iters=2), lr_scheduler.CosineAnnealingLR(T_max=5)], milestones=[2]
    ),
    lambda: lr_scheduler.ChainedScheduler(
        [lr_scheduler.LinearLR(total_iters=3), lr_scheduler.ExponentialLR(gamma=0.9)]
    ),
]


def scheduled(r: R) -> dict[str, Any]:
    if r.random() < 0.6:
        return {}
    return {"schedule": r.choice(SCHEDULES)(), "schedule_by": r.choice(["epoch", "step"])}
