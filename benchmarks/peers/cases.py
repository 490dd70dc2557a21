"""The cases of `families.py`: a network of each family, data, a rule, and how far ahead of PyTorch it must be.

A network is written once: it takes `nn`, which is maillon's links or PyTorch's modules, for both have the same names
and arguments. The same seed gives both the same initial weights, so their losses can be compared.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from peers.referee import cores
from peers.workloads import Array, Workload

LEAST = 1.5  # times ahead of PyTorch, in every case
AHEAD_OF_JAX = 1.2  # in every case in which JAX takes part
EVALUATIONS = 20  # of one step of LBFGS, by its defaults

Network = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Case:
    """A training, or calls of a learner or a predictor, of which each side is asked for so many a second."""

    name: str
    network: Network  # of nn, maillon's or PyTorch's
    x: tuple[int, ...]  # of one sample
    y: tuple[int, ...]  # of one target
    batch: int
    asked: float = LEAST  # times ahead of PyTorch
    rule: str = "SGD"
    options: dict[str, Any] = field(default_factory=lambda: {"lr": 1e-3})
    loss: str = "MSELoss"
    classes: int = 0  # of labels
    words: int = 0  # x is numbers of rows of a table of so many
    batches: int = 16  # of an epoch
    way: str = "fit"  # or "learner", "predictor"
    data: str = "made"  # or "mnist", in a new order in each epoch
    most: float | None = None  # µs
    multiplications: tuple[int, ...] = ()  # of each product of one sample, where the speed of products is asked for
    percent: float = 0.0  # of a large product's speed that is asked for
    wholly: bool = True  # in the core; else ours may run in NumPy
    by_jax: bool = False
    exact: bool = True  # both sides end at the same loss, but for rounding that a thousand steps would make grow
    check_epochs: int = 2

    @property
    def rows(self) -> int:
        return 60_000 if self.data == "mnist" else self.batch * self.batches

    @property
    def evaluations(self) -> int:
        """Of the loss and its gradient, in a step."""
        return EVALUATIONS if self.rule == "LBFGS" else 1

    @property
    def steps(self) -> int:
        """Steps of an epoch; of LBFGS, evaluations."""
        return -(-self.rows // self.batch) * self.evaluations

    @property
    def flops(self) -> int:
        """Those of a step's products: forward, weights' gradients, and inputs' but the first link's."""
        products = self.multiplications
        return 2 * self.batch * (3 * sum(products) - products[0]) if products else 0

    def arrays(self) -> tuple[Array, Array]:
        """x, and y: float32 of the output's shape or int64 labels."""
        if self.data == "mnist":
            x, y = _MNIST.data()
            return x.reshape(-1, 1, 28, 28), y.astype(np.int64)
        numbers = np.random.default_rng(11)
        shape = (self.rows, *self.x)
        x = numbers.integers(0, self.words, shape) if self.words else numbers.standard_normal(shape, np.float32)
        if self.classes:
            return x, numbers.integers(0, self.classes, (self.rows, *self.y))
        return x, numbers.standard_normal((self.rows, *self.y), np.float32)

    def mean_loss(self, found: list[float]) -> float:
        """The loss itself, which is all that a side of these cases gives."""
        return found[0]


def require_evaluations(case: Case, found: int, epochs: int) -> None:
    """LBFGS ends a step early where it has settled: its evaluations would be counted wrongly."""
    if found != epochs * case.steps:
        raise RuntimeError(f"{case.name}: {found} evaluations in {epochs} epochs of {case.steps}")


_MNIST = Workload("MNIST", (784,), "", "", "", 0.0, 60_000, 100, "digits", 1)


# Networks, of nn


def mlp(nn: Any, between: tuple[str, ...], sizes: tuple[int, ...] = (32, 64, 64, 3)) -> Any:
    """Linear links with `between` after each but the last: names of links, those of norms take the width."""
    links: list[Any] = []
    for fan_in, fan_out in pairwise(sizes):
        links += [nn.Linear(fan_in, fan_out), *(_link(nn, name, fan_out) for name in between)]
    return nn.Sequential(*links[: len(links) - len(between)])


def _link(nn: Any, name: str, width: int) -> Any:
    if name == "Dropout":
        return nn.Dropout(0.1)
    return getattr(nn, name)(width) if name.endswith(("Norm", "Norm1d")) else getattr(nn, name)()


def embedding(nn: Any) -> Any:
    """Eight words of 500, each 16 numbers, to four classes."""
    return nn.Sequential(nn.Embedding(500, 16), nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 4))


def images(nn: Any) -> Any:
    first = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    second = [nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(784, 10))


def normalized_images(nn: Any) -> Any:
    first = [nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    second = [nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*first, *second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


def signals(nn: Any) -> Any:
    first = [nn.Conv1d(4, 32, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2)]
    second = [nn.Conv1d(32, 32, 5, padding=2), nn.ReLU()]
    return nn.Sequential(*first, *second, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, 6))


def lenet(nn: Any) -> Any:
    """LeNet-5 as SimpleChains.jl trains it: ReLU, the largest of 2×2, no padding."""
    first = [nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)]
    second = [nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    last = [nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*first, *second, nn.Flatten(), *last)


def recurrent(nn: Any, link: str, features: int, width: int) -> Any:
    return nn.Sequential(getattr(nn, link)(features, width, batch_first=True), nn.LastStep(), nn.Linear(width, 1))


def transformer(nn: Any, dropout: float = 0.1) -> Any:
    """Two layers of four heads, 128 wide within, over tokens of 32 numbers."""
    layer = nn.TransformerEncoderLayer(32, 4, dim_feedforward=128, dropout=dropout, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Linear(32, 8))


def gru(nn: Any) -> Any:
    return nn.GRU(8, 32, batch_first=True)


RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {"lr": 1e-2}),
    "SGD, momentum": ("SGD", {"lr": 1e-2, "momentum": 0.9}),
    "Adam": ("Adam", {}),
    "AdamW": ("AdamW", {}),
    "NAdam": ("NAdam", {}),
    "RAdam": ("RAdam", {}),
    "Adamax": ("Adamax", {}),
    "Adagrad": ("Adagrad", {}),
    "RMSprop": ("RMSprop", {"lr": 1e-3}),
    "Adadelta": ("Adadelta", {}),
    "ASGD": ("ASGD", {}),
    "Rprop": ("Rprop", {"lr": 1e-4}),
    "Lion": ("Lion", {}),
    "LBFGS": ("LBFGS", {"lr": 5e-3}),
}
BETWEEN = {
    "BatchNorm1d, ReLU, Dropout": 8,
    "BatchNorm1d, ReLU": 8,
    "ReLU, Dropout": 8,
    "LayerNorm, GELU": 6,
    "LayerNorm, SiLU": 6,
    "GELU": 6,
    "SiLU": 6,
}
"""What stands between the Linear links, and how much faster than PyTorch's it must be."""
IN_JAX = ("SGD", "SGD, momentum", "Adam", "AdamW", "RMSprop")


def _cases() -> Iterator[Case]:
    of_mlp: dict[str, Any] = {"x": (32,), "y": (3,), "batch": 128}
    adam: dict[str, Any] = {"rule": "Adam", "options": {}}
    for name, (rule, options) in RULES.items():
        more = {"asked": 7 if name == "SGD" else 8, "by_jax": name in IN_JAX}
        more |= {"batches": 1, "wholly": False} if name == "LBFGS" else {}  # it would diverge among mini-batches
        yield Case(f"MLP, {name}", partial(mlp, between=("ReLU",)), **of_mlp, rule=rule, options=options, **more)
    for name, asked in BETWEEN.items():
        links = tuple(name.split(", "))
        more = {"asked": asked, "exact": "Dropout" not in links, "by_jax": not {"BatchNorm1d", "Dropout"} & {*links}}
        yield Case(f"MLP, {name}", partial(mlp, between=links), **of_mlp, **adam, **more)
    labels: dict[str, Any] = {"y": (), "loss": "CrossEntropyLoss"}
    yield Case(
        "Embedding, MLP", embedding, (8,), batch=64, words=500, classes=4, **labels, **adam, asked=6, by_jax=True
    )

    of_images: dict[str, Any] = {**labels, "classes": 10, "batch": 32, "percent": 50}
    products = (28 * 28 * 9 * 8, 14 * 14 * 72 * 16, 7840)
    yield Case("Conv2d, 28×28", images, (1, 28, 28), **of_images, **adam, asked=3, multiplications=products)
    products = (16 * 16 * 27 * 16, 16 * 16 * 144 * 16, 160)
    more = {"asked": 2, "multiplications": products}
    yield Case("Conv2d, BatchNorm2d, 16×16", normalized_images, (3, 16, 16), **of_images, **more)
    products = (64 * 20 * 32, 32 * 160 * 32, 192)
    more = {"asked": 4, "multiplications": products}
    yield Case("Conv1d, 64 long", signals, (4, 64), **{**of_images, "classes": 6}, **adam, **more)
    products = (24 * 24 * 25 * 6, 8 * 8 * 150 * 16, 256 * 120, 120 * 84, 840)
    more = {"asked": 3, "multiplications": products, "data": "mnist", "exact": False, "check_epochs": 1}
    yield Case("LeNet-5", lenet, (1, 28, 28), **{**of_images, "batch": 32 * cores()}, **adam, **more)

    of_sequences: dict[str, Any] = {"y": (1,), "batch": 32, **adam}
    yield Case(
        "LSTM 16→64, 32 steps",
        partial(recurrent, link="LSTM", features=16, width=64),
        (32, 16),
        **of_sequences,
        asked=3,
    )
    yield Case(
        "GRU 8→32, 20 steps", partial(recurrent, link="GRU", features=8, width=32), (20, 8), **of_sequences, asked=5
    )
    of_tokens: dict[str, Any] = {"x": (32, 32), "y": (32, 8), "batch": 16, "asked": 4, **adam}
    yield Case("transformer, 32 wide", transformer, **of_tokens, exact=False)
    yield Case("transformer, 32 wide, no dropout", partial(transformer, dropout=0.0), **of_tokens)

    small: dict[str, Any] = {"batch": 1, "batches": 1000, "check_epochs": 1}
    tiny = partial(mlp, between=("Tanh",), sizes=(4, 32, 16, 4))
    policy = partial(mlp, between=("Tanh",), sizes=(8, 64, 64, 2))
    for rule in ("SGD", "Adam"):
        yield Case(f"4–32–16–4, batch 1, {rule}", tiny, (4,), (4,), rule=rule, by_jax=True, **small)
    for rule, most in (("SGD", 6.0), ("Adam", 12.0)):
        yield Case(f"learner.step, 8–64–64–2, {rule}", policy, (8,), (2,), rule=rule, way="learner", most=most, **small)
    yield Case("predictor, GRU 8→32", gru, (1, 8), (), way="predictor", most=5.0, **small)


CASES = {case.name: case for case in _cases()}
