"""Sweeps at random, for test_random.py: networks, data, rules, schedules and options; and each trial by `fit` alone."""

import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import maillon as m
from maillon.optim import Rule, lr_scheduler as schedules
from maillon.random import Generator, using
from maillon.train import State
from maillon.typing import Array
from tests.sweeping.networks import Swish

R = random.Random
Settings = dict[str, Any]


@dataclass
class Case:
    """A sweep: what it is called with, as many settings as `list`."""

    build: Callable[..., m.Module]
    loss: m.Loss
    x: Any
    y: Any
    settings: list[Settings]
    options: Settings = field(default_factory=dict)


def case(number: int) -> Case:
    """The case of this number, always the same one."""
    r = R(number)
    build, loss, x, y, own = r.choice(KINDS)(r)
    many = r.randint(3, 9)
    kinds = [rule(r) for _ in range(r.choice([1, 1, 2, 3]))]
    options = {
        "accumulate": r.choice([None] * 6 + [3]),
        "drop_last": r.random() < 0.2,
        "callbacks": r.choice([(), (), (), (shrinking,), [m.EarlyStopping(patience=1)]]),
        "class_weight": "balanced" if isinstance(loss, m.CrossEntropyLoss) and r.random() < 0.2 else None,
        "sample_weight": None,
        "shuffle": r.random() < 0.85,
    }
    if r.random() < 0.15 and y is not None:
        options["sample_weight"] = np.random.default_rng(number).random(len(m.nesting.leaves(x)[0]))
    options = {name: value for name, value in options.items() if value is not None}
    sizes = [r.randint(5, 40) for _ in range(r.choice([1, 2]))]
    settings = []
    for _ in range(many):
        one = {name: r.choice(values) for name, values in own.items()}
        one |= {"rule": r.choice(kinds)(), "batch_size": r.choice(sizes), "schedule": schedule(r)}
        one |= r.choice([{}, {"clip_grad_norm": r.choice([0.1, 1.0])}, {"clip_grad_value": r.choice([0.05, 0.5])}])
        settings.append(one)
    return Case(build, loss, x, y, settings, options)


def rule(r: R) -> Callable[[], Rule]:
    """A kind of rule, and options at random each time."""

    def of(kind: type[Rule], **options: Callable[[], Any]) -> Callable[[], Rule]:
        return lambda: kind(**{name: value() for name, value in options.items()})

    def lr() -> float:
        return 10 ** r.uniform(-3, -1.3)

    def decay() -> float:
        return r.choice([0.0, 1e-3, 1e-2])

    def betas() -> tuple[float, float]:
        return r.choice([0.0, 0.8, 0.9]), r.choice([0.9, 0.99])

    def flag() -> bool:
        return r.random() < 0.3

    momentum: dict[str, Callable[[], Any]] = {"momentum": lambda: r.choice([0.0, 0.5, 0.9])}
    adam: dict[str, Callable[[], Any]] = {"lr": lr, "weight_decay": decay, "betas": betas}
    return r.choice(
        [
            of(m.SGD, lr=lr, weight_decay=decay, **momentum, maximize=flag),
            of(m.SGD, lr=lr, momentum=lambda: r.choice([0.5, 0.9]), nesterov=flag),
            of(m.SGD, lr=lr, momentum=lambda: 0.9, dampening=lambda: r.choice([0.0, 0.5])),
            of(m.Adam, **adam, amsgrad=flag),
            of(m.AdamW, **adam, amsgrad=flag),
            of(m.RMSprop, lr=lr, weight_decay=decay, **momentum, centered=flag),
            of(m.Adagrad, lr=lr, initial_accumulator_value=lambda: r.choice([0.0, 0.1, 0.3]), lr_decay=decay),
            of(m.NAdam, **adam, decoupled_weight_decay=flag),
            of(m.RAdam, **adam),
            of(m.Adamax, **adam),
            of(m.Adadelta, lr=lr, weight_decay=decay),
            of(m.Rprop, lr=lr),
            of(m.ASGD, lr=lr, weight_decay=decay, t0=lambda: r.choice([1, 10])),
            of(m.Lion, lr=lambda: lr() / 10, weight_decay=decay),
            of(m.LBFGS, lr=lr, max_iter=lambda: 2),
        ]
    )


def schedule(r: R) -> Any:
    made: list[Any] = [
        *[None] * 6,
        schedules.CosineAnnealingLR(T_max=3),
        schedules.ExponentialLR(gamma=0.7),
        schedules.OneCycleLR(max_lr=0.02, total_steps=400),
        schedules.StepLR(step_size=2),
        schedules.CosineAnnealingWarmRestarts(T_0=2),
        schedules.ReduceLROnPlateau(patience=0, threshold=0.5),
        schedules.SequentialLR(
            schedulers=[schedules.ConstantLR(factor=0.5), schedules.ExponentialLR(gamma=0.9)], milestones=[2]
        ),
        lambda epoch: 1 / (1 + epoch),
    ]
    return r.choice(made)


def shrinking(state: State) -> None:
    """A callback that changes the network after each epoch."""
    for parameter in state.network.parameters():
        parameter.data *= 0.9


# Networks and data: what builds them, the loss, x, y, and what the settings of build may be


def table(r: R) -> tuple[Any, ...]:
    rows, features = r.randint(30, 80), r.randint(2, 6)
    classes = r.choice([0, 3])
    dtypes = r.choice([["float32"], ["float64"], ["float32", "float64"]])
    links: list[Callable[[int], m.Module]] = [
        lambda width: m.ReLU(), lambda width: m.Tanh(), lambda width: m.PReLU(), lambda width: m.BatchNorm1d(width),
        lambda width: m.LayerNorm(width), lambda width: m.Dropout(0.3), lambda width: m.GELU(), lambda width: Swish(),
        lambda width: m.Residual(m.Linear(width, width)),
        lambda width: m.Dropout(0.3, generator=Generator(7)),
    ]  # fmt: skip
    chosen = r.sample(links, r.randint(1, 3))
    kind = r.choice(["plain"] * 4 + ["shared", "frozen"])

    def build(width: int, dtype: str = "float32", p: float = 0.0) -> m.Sequential:
        middle = m.Linear(width, width)
        inner = [link(width) for link in chosen]
        again = [middle.share()] if kind == "shared" else []
        outer = m.Linear(width, classes or 1)
        network = m.Sequential(m.Linear(features, width), *inner, middle, m.Dropout(p), m.Tanh(), *again, outer)
        if kind == "frozen":
            for parameter in network[0].parameters():
                parameter.requires_grad = False
        return network.to(dtype)

    numbers = np.random.default_rng(rows)
    x = numbers.normal(size=(rows, features))
    y: Array = np.arange(rows) % classes if classes else x[:, :1] * 0.5 + 0.1 * numbers.normal(size=(rows, 1))
    loss = m.CrossEntropyLoss() if classes else r.choice([m.MSELoss(), m.SmoothL1Loss(), m.MSELoss(reduction="sum")])
    return build, loss, x, y, {"width": [2, 5], "dtype": dtypes, "p": [0.0, 0.0, 0.2]}


def images(r: R) -> tuple[Any, ...]:
    def build(channels: int, norm: bool = False) -> m.Sequential:
        norms = [m.BatchNorm2d(channels)] if norm else []
        return m.Sequential(
            m.Conv2d(1, channels, 3), *norms, m.ReLU(), m.MaxPool2d(2), m.Flatten(), m.Linear(channels * 4, 3)
        )

    numbers = np.random.default_rng(3)
    x = numbers.normal(size=(31, 1, 6, 6)).astype(np.float32)
    return build, m.CrossEntropyLoss(), x, np.arange(31) % 3, {"channels": [1, 3], "norm": [False, True]}


def sequences(r: R) -> tuple[Any, ...]:
    def build(width: int, kind: type[m.Module]) -> m.Sequential:
        return m.Sequential(kind(2, width, batch_first=True), m.LastStep(), m.Linear(width, 1))

    numbers = np.random.default_rng(4)
    x = numbers.normal(size=(26, 4, 2)).astype(np.float32)
    return build, m.MSELoss(), x, x.sum(1)[:, :1], {"width": [2, 3], "kind": [m.LSTM, m.GRU, m.RNN]}


def inputs(r: R) -> tuple[Any, ...]:
    """Two inputs, as a tuple or a dict, and one output or two."""
    two = r.random() < 0.5

    def build(width: int, p: float) -> m.Graph:
        nodes = {
            "a": (m.Linear(3, width), "left"),
            "b": (m.Linear(2, width), "right"),
            "sum": (m.Add(), "a", "b"),
            "noise": (m.Dropout(p), "sum"),
            "mean": (m.Linear(width, 1), "noise"),
            "variance": (m.Sequential(m.Linear(width, 1), m.Softplus()), "noise"),
        }
        if not two:
            del nodes["variance"]
        return m.Graph(["left", "right"], nodes, ["mean", "variance"] if two else "mean")

    numbers = np.random.default_rng(5)
    left, right = (numbers.normal(size=(33, width)).astype(np.float32) for width in (3, 2))
    x: Any = (left, right) if r.random() < 0.5 else {"right": right, "left": left}
    y = left[:, :1] - right[:, 1:]
    return build, m.GaussianNLLLoss() if two else m.MSELoss(), x, y, {"width": [2, 4], "p": [0.0, 0.3]}


def triplets(r: R) -> tuple[Any, ...]:
    """A loss without a target."""

    def build(width: int) -> m.Graph:
        link = m.Linear(3, width)
        nodes = {"a": (link, "x"), "b": (link.share(), "y"), "c": (link.share(), "z")}
        return m.Graph(["x", "y", "z"], nodes, ["a", "b", "c"])

    numbers = np.random.default_rng(6)
    x = tuple(numbers.normal(size=(24, 3)).astype(np.float32) for _ in range(3))
    return build, m.TripletMarginLoss(), x, None, {"width": [2, 4]}


def words(r: R) -> tuple[Any, ...]:
    def build(width: int) -> m.Sequential:
        return m.Sequential(m.Embedding(9, width), m.Flatten(), m.Linear(3 * width, 2))

    x = np.random.default_rng(7).integers(9, size=(28, 3))
    return build, m.CrossEntropyLoss(label_smoothing=0.1), x, x[:, 0] % 2, {"width": [2, 3]}


KINDS: list[Callable[[R], tuple[Any, ...]]] = [*[table] * 6, images, sequences, inputs, triplets, words]


def alone(case: Case, trial: Any, epochs: int, **options: Any) -> tuple[m.Module, m.History]:
    """The training of a trial, by `fit`."""
    given = dict(trial.settings)
    names = inspect.signature(case.build).parameters
    own = {name: given.pop(name) for name in list(given) if name in names}
    with using(Generator(trial.seed)):
        network = case.build(**own)
        history = m.fit(
            network, case.loss, case.x, case.y, epochs=epochs, progress=False, **case.options | given | options
        )
    return network, history
