"""One row for every link, loss and rule, in each of its forms. To add a link is to add a row.

`test_battery.py` runs over all rows; `fixtures/make_torch_links.py` writes what PyTorch makes of them.
"""

import math
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import naive
import numpy as np

import maillon
from maillon import random
from maillon.nn import Module
from maillon.optim import Rule
from maillon.random import Generator
from maillon.typing import Array

Draw = Callable[[Generator], Array]


def normal(*shape: int) -> Draw:
    return lambda generator: generator.normal(shape, 0.1, 1.2, dtype=np.float64)


def unit(*shape: int) -> Draw:
    """Inside (0, 1), away from the ends."""
    return lambda generator: generator.uniform(shape, 0.1, 0.9, dtype=np.float64)


def labels(classes: int, *shape: int) -> Draw:
    return lambda generator: generator.randint(0, classes, shape)


def distribution(axis: int, *shape: int) -> Draw:
    """Positive and of sum 1 along the axis."""

    def draw(generator: Generator) -> Array:
        shares = generator.uniform(shape, 0.1, 1.0, dtype=np.float64)
        return shares / shares.sum(axis=axis, keepdims=True)

    return draw


def given(*values: int) -> Draw:
    return lambda _generator: np.array(values)


@dataclass(frozen=True)
class Row:
    """A link or loss, what it is given, and what it should make of it.

    torch: makes PyTorch's (from the module `torch`); None where there is none. batched: the first dimension of all
    inputs is the batch. wrong: inputs, one call each, that it refuses for their shape. logits: it takes scores of
    any size. tolerance of the gradient check, with the reason for one above 1e-7. native: "yes", or "not yet: why".
    """

    name: str
    make: Callable[[], Any]
    draws: tuple[Draw, ...]
    formula: Callable[..., Any]
    torch: Callable[[Any], Any] | None = None
    batched: bool = True
    wrong: tuple[tuple[Draw, ...], ...] = ()
    logits: bool = False
    tolerance: float = 1e-7
    reason: str = ""
    native: str = "yes"

    @property
    def seed(self) -> int:
        return zlib.crc32(self.name.encode())

    def link(self, dtype: str = "float64") -> Any:
        """The link, its weights drawn from a generator of its own."""
        with random.using(Generator(self.seed)):
            made: Module = self.make()
        return made.to(dtype)

    def inputs(self, dtype: str = "float64") -> tuple[Array, ...]:
        return cast(tuple(draw(generator) for generator in [Generator(self.seed)] for draw in self.draws), dtype)


def cast(arrays: tuple[Array, ...], dtype: str) -> tuple[Array, ...]:
    """Real arrays in the dtype, labels as they are."""
    return tuple(array.astype(dtype) if array.dtype.kind == "f" else array for array in arrays)


@dataclass(frozen=True)
class RuleRow:
    """A rule with its options, and the same step on one number."""

    name: str
    rule: type[Rule]
    options: dict[str, Any]
    formula: Callable[..., float]
    native: str = "yes"

    def torch(self, torch: Any, parameters: list[Any]) -> Any:
        return getattr(torch.optim, self.rule.__name__)(parameters, **self.options)


def shared() -> Module:
    first = maillon.Linear(3, 3)
    return maillon.Sequential(first, maillon.Tanh(), first.share())


def torch_shared(torch: Any) -> Any:
    first = torch.nn.Linear(3, 3)
    return torch.nn.Sequential(first, torch.nn.Tanh(), first)


def words(n: int) -> list[int]:
    return Generator(5).random_raw(n).tolist()


M = maillon
LINEAR_WRONG = ((normal(4, 5),), (normal(),), (normal(3, 4),))
TANH, SIGMOID = naive.by_value(math.tanh), naive.by_value(naive.logistic)
RELU = naive.by_value(lambda x: max(x, 0.0))

# fmt: off
LINKS = [
    Row("Linear", lambda: M.Linear(3, 4), (normal(5, 3),), naive.linear, lambda t: t.nn.Linear(3, 4),
        wrong=LINEAR_WRONG),
    Row("Linear bias=False", lambda: M.Linear(3, 2, bias=False), (normal(5, 3),), naive.linear,
        lambda t: t.nn.Linear(3, 2, bias=False), wrong=LINEAR_WRONG),
    Row("Linear square", lambda: M.Linear(3, 3), (normal(3, 3),), naive.linear, lambda t: t.nn.Linear(3, 3)),
    Row("Linear of one sample", lambda: M.Linear(3, 4), (normal(3),), naive.linear, lambda t: t.nn.Linear(3, 4),
        batched=False),
    Row("Linear of sequences", lambda: M.Linear(3, 4), (normal(2, 5, 3),), naive.linear, lambda t: t.nn.Linear(3, 4)),
    Row("Identity", M.Identity, (normal(4, 3),), naive.same, lambda t: t.nn.Identity()),
    Row("Flatten", M.Flatten, (normal(4, 2, 3),), naive.flattened(-1, 6), lambda t: t.nn.Flatten(),
        wrong=((normal(4),),)),
    Row("Flatten 0", lambda: M.Flatten(0), (normal(4, 2, 3),), naive.flattened(-1), lambda t: t.nn.Flatten(0)),
    Row("Flatten 1 2", lambda: M.Flatten(1, 2), (normal(2, 3, 2, 2),), naive.flattened(-1, 6, 2),
        lambda t: t.nn.Flatten(1, 2), wrong=((normal(4, 3),),)),
    Row("Flatten -2 -1", lambda: M.Flatten(-2, -1), (normal(2, 3, 2, 2),), naive.flattened(-1, 3, 4),
        lambda t: t.nn.Flatten(-2, -1)),
    Row("Dropout", lambda: M.Dropout(0.3, generator=Generator(5)), (normal(6, 5),), naive.dropped(0.3, words)),
    Row("Dropout p=0", lambda: M.Dropout(0.0), (normal(6, 5),), naive.same, lambda t: t.nn.Dropout(0.0)),
    Row("Dropout p=1", lambda: M.Dropout(1.0), (normal(6, 5),), naive.dropped(1.0, words), lambda t: t.nn.Dropout(1.0)),
    Row("Dropout in eval mode", lambda: M.Dropout(0.3).eval(), (normal(6, 5),), naive.same,
        lambda t: t.nn.Dropout(0.3).eval()),
    Row("Tanh", M.Tanh, (normal(4, 3),), TANH, lambda t: t.nn.Tanh(), logits=True),
    Row("Sigmoid", M.Sigmoid, (normal(4, 3),), SIGMOID, lambda t: t.nn.Sigmoid(), logits=True),
    Row("ReLU", M.ReLU, (normal(4, 3),), RELU, lambda t: t.nn.ReLU(), logits=True),
    Row("LeakyReLU", M.LeakyReLU, (normal(4, 3),), naive.leaky(0.01), lambda t: t.nn.LeakyReLU(), logits=True),
    Row("LeakyReLU 0.2", lambda: M.LeakyReLU(0.2), (normal(2, 3, 2),), naive.leaky(0.2), lambda t: t.nn.LeakyReLU(0.2)),
    Row("LeakyReLU -1", lambda: M.LeakyReLU(-1.0), (normal(4, 3),), naive.by_value(abs),
        lambda t: t.nn.LeakyReLU(-1.0)),
]
# fmt: on


def softmax_rows(name: str, along: Callable[[list[float]], list[float]]) -> list[Row]:
    """Softmax and LogSoftmax along each dimension, and along PyTorch's implicit ones."""
    cases = [
        ((4, 3), None, 1),
        ((4, 3), 0, 0),
        ((4, 3), -1, 1),
        ((2, 3, 2), 1, 1),
        ((3, 2, 2), None, 0),
        ((3,), None, 0),
    ]
    rows = []
    for shape, dim, axis in cases:
        made = f"{name} {'x'.join(map(str, shape))} dim={dim}"
        rows.append(
            Row(
                made,
                lambda dim=dim: getattr(M, name)(dim),
                (normal(*shape),),
                naive.along(axis, along),
                lambda t, axis=axis: getattr(t.nn, name)(axis),  # None warns there
                batched=axis != 0,
                wrong=((normal(),),) if dim is None else ((normal(*(2,) * max(dim, 0)),),),
                logits=True,
            )
        )
    return rows


LINKS += softmax_rows("Softmax", naive.softmax) + softmax_rows("LogSoftmax", naive.log_softmax)
# fmt: off
LINKS += [
    Row("Sequential", lambda: M.Sequential(M.Linear(3, 4), M.Tanh(), M.Linear(4, 2)), (normal(5, 3),),
        naive.chain(naive.linear, TANH, naive.linear),
        lambda t: t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Tanh(), t.nn.Linear(4, 2)), wrong=LINEAR_WRONG),
    Row("Sequential nested",
        lambda: M.Sequential(M.Flatten(), M.Sequential(M.Linear(4, 3), M.ReLU()),
                             M.Sequential(M.Linear(3, 2), M.Softmax())),
        (normal(5, 2, 2),),
        naive.chain(naive.flattened(-1, 4), naive.chain(naive.linear, RELU),
                    naive.chain(naive.linear, naive.along(1, naive.softmax))),
        lambda t: t.nn.Sequential(t.nn.Flatten(), t.nn.Sequential(t.nn.Linear(4, 3), t.nn.ReLU()),
                                  t.nn.Sequential(t.nn.Linear(3, 2), t.nn.Softmax(1))), wrong=((normal(5, 3),),)),
    Row("Sequential of named links", lambda: M.Sequential({"in": M.Linear(3, 2), "out": M.Sigmoid()}), (normal(5, 3),),
        naive.chain(naive.linear, SIGMOID),
        lambda t: t.nn.Sequential(OrderedDict({"in": t.nn.Linear(3, 2), "out": t.nn.Sigmoid()})), wrong=LINEAR_WRONG),
    Row("Sequential with a shared link", shared, (normal(5, 3),), naive.chain(naive.linear, TANH, naive.linear),
        torch_shared),
    Row("Sequential with Dropout", lambda: M.Sequential(M.Linear(3, 4), M.Dropout(0.5, generator=Generator(5))),
        (normal(5, 3),), naive.chain(naive.linear, naive.dropped(0.5, words))),
]
# fmt: on


def loss(name: str, options: dict[str, Any], draws: tuple[Draw, ...], elements: Any, **more: Any) -> Row:
    """A loss with its options; PyTorch's takes the same."""
    shown = " ".join(f"{key}={value}" for key, value in options.items())
    shapes = " ".join("x".join(map(str, draw(Generator(0)).shape)) or "()" for draw in draws[:1])
    kind = f" to {draws[1](Generator(0)).dtype.name}" if name in ("CrossEntropyLoss", "NLLLoss") else ""
    torch = more.pop("torch", lambda t: getattr(t.nn, name)(**_tensors(t, options)))
    weighted = " with sample weights" if len(draws) == 3 else ""
    return Row(
        f"{name} {shapes}{kind} {shown}{weighted}".strip(),
        lambda: getattr(M, name)(**options),
        draws,
        naive.reduced(elements),
        None if weighted else torch,
        **more,
    )


def _tensors(torch: Any, options: dict[str, Any]) -> dict[str, Any]:
    """PyTorch wants weights as tensors."""
    return {
        key: torch.tensor(value, dtype=torch.float64) if isinstance(value, list) else value
        for key, value in options.items()
    }


NO_BATCH = {
    "batched": False,
    "native": "not yet: a single sample without a batch is nothing that fit or sgd can train on",
}
REDUCTIONS: tuple[dict[str, Any], ...] = ({}, {"reduction": "sum"}, {"reduction": "none"})
PAIR = (normal(5, 3), normal(5, 3))
PAIR_WRONG = ((normal(5, 3), normal(5)), (normal(5, 1), normal(5)), (normal(5, 3), normal(5, 1)))
PROBABLE = (unit(5, 3), unit(5, 3))
TO_PROBABILITY = (normal(5, 3), unit(5, 3))
SQUARED = naive.paired(lambda p, y: (p - y) ** 2)
HALF_SQUARED = naive.paired(lambda p, y: (p - y) ** 2 / 2)
ABSOLUTE = naive.paired(lambda p, y: abs(p - y))
BINARY, BINARY_LOGITS = naive.binary(lambda p: p), naive.binary(naive.logistic)

# fmt: off
LOSSES = [
    *(loss("MSELoss", options, PAIR, SQUARED, wrong=PAIR_WRONG, logits=True) for options in REDUCTIONS),
    loss("MSELoss", {}, (*PAIR, unit(5)), SQUARED, wrong=((normal(5, 3), normal(5, 3), unit(3)),)),
    loss("MSELoss", {"reduction": "none"}, (*PAIR, unit(5)), SQUARED),
    loss("MSELoss", {}, (normal(), normal()), SQUARED, **NO_BATCH),
    *(loss("HalfMSELoss", options, PAIR, HALF_SQUARED, wrong=PAIR_WRONG, logits=True, torch=None)
      for options in REDUCTIONS),
    *(loss("L1Loss", options, PAIR, ABSOLUTE, wrong=PAIR_WRONG, logits=True) for options in REDUCTIONS),
    loss("L1Loss", {"reduction": "sum"}, (*PAIR, unit(5)), ABSOLUTE),
    *(loss("BCELoss", options, PROBABLE, BINARY, wrong=PAIR_WRONG) for options in REDUCTIONS),
    loss("BCELoss", {"weight": [0.5, 1.0, 3.0]}, PROBABLE, BINARY,
         wrong=((unit(5, 2), unit(5, 2)),)),
    loss("BCELoss", {"weight": [[2.0], [0.0], [1.0]], "reduction": "sum"}, (unit(3, 4), unit(3, 4), unit(3)), BINARY,
         batched=False),
    *(loss("BCEWithLogitsLoss", options, TO_PROBABILITY, BINARY_LOGITS, wrong=PAIR_WRONG, logits=True)
      for options in REDUCTIONS),
    loss("BCEWithLogitsLoss", {"weight": [0.5, 1.0, 3.0]}, TO_PROBABILITY, BINARY_LOGITS, logits=True),
    loss("BCEWithLogitsLoss", {"pos_weight": [0.5, 1.0, 3.0]}, TO_PROBABILITY, BINARY_LOGITS, logits=True,
         wrong=((normal(5, 2), unit(5, 2)),)),
    loss("BCEWithLogitsLoss", {"pos_weight": [0.5, 2.0, 3.0], "weight": [1.0, 0.0, 2.0], "reduction": "none"},
         TO_PROBABILITY, BINARY_LOGITS, logits=True),
    loss("BCEWithLogitsLoss", {}, (*TO_PROBABILITY, unit(5)), BINARY_LOGITS),
]

TO_LABELS = (normal(6, 3), labels(3, 6))
SOME_IGNORED = (normal(6, 3), given(1, -100, 0, 2, -100, 1))
IMAGES = (normal(2, 3, 2, 2), labels(3, 2, 2, 2))
TO_SHARES = (normal(6, 3), distribution(1, 6, 3))
PROBABILITIES = (distribution(1, 6, 3), labels(3, 6))
WEIGHTS = {"weight": [0.5, 2.0, 3.0]}
LABELS_WRONG = ((normal(6, 3), labels(3, 5)), (normal(6, 3), labels(3, 6, 1)), (normal(6, 3), labels(3, 6, 3)),
                (normal(), labels(1)))
WEIGHTS_WRONG = ((normal(6, 4), labels(3, 6)),)

CASES: list[tuple[dict[str, Any], tuple[Draw, ...], dict[str, Any]]] = [
    *((options, TO_LABELS, {"wrong": LABELS_WRONG}) for options in REDUCTIONS),
    ({}, (normal(3), labels(3)), NO_BATCH),
    *((options, IMAGES, {}) for options in REDUCTIONS),
    (WEIGHTS, TO_LABELS, {"wrong": WEIGHTS_WRONG}),
    (WEIGHTS | {"reduction": "none"}, TO_LABELS, {}),
    (WEIGHTS, (normal(3), labels(3)), NO_BATCH),
    ({"ignore_index": -100}, SOME_IGNORED, {}),
    ({"ignore_index": 1, "reduction": "sum"}, TO_LABELS, {}),
    (WEIGHTS | {"ignore_index": 2}, IMAGES, {}),
    ({}, (*TO_LABELS, unit(6)), {}),
    (WEIGHTS | {"ignore_index": 1}, (*IMAGES, unit(2)), {}),
]
SMOOTH = {"label_smoothing": 0.2}
LOSSES += [loss("NLLLoss", options, draws, naive.likelihood, logits=True, **more) for options, draws, more in CASES]
LOSSES += [loss("CrossEntropyLoss", options, draws, naive.cross_entropy, logits=True, **more)
           for options, draws, more in [
    *CASES,
    (SMOOTH, TO_LABELS, {}),
    (SMOOTH | {"ignore_index": 1}, TO_LABELS, {}),
    (SMOOTH | WEIGHTS | {"ignore_index": 0}, IMAGES, {}),
    (SMOOTH | WEIGHTS | {"reduction": "none"}, SOME_IGNORED, {}),
    *((options, TO_SHARES, {"wrong": ((normal(6, 3), unit(6, 2)),)}) for options in REDUCTIONS),
    ({}, (normal(3), distribution(0, 3)), {"batched": False}),
    (WEIGHTS, TO_SHARES, {}),
    (SMOOTH | WEIGHTS, (normal(2, 3, 2, 2), distribution(1, 2, 3, 2, 2)), {}),
    ({}, (*TO_SHARES, unit(6)), {}),
]]
LOSSES += [loss("CrossEntropyLoss", options | {"from_logits": False}, draws, naive.cross_entropy, torch=None)
           for options, draws in [
    *((options, PROBABILITIES) for options in REDUCTIONS),
    ({}, (distribution(1, 6, 3), distribution(1, 6, 3))),
    ({}, (distribution(1, 2, 3, 2, 2), labels(3, 2, 2, 2))),
    (SMOOTH | WEIGHTS | {"ignore_index": 1}, PROBABILITIES),
    ({}, (*PROBABILITIES, unit(6))),
]]
# fmt: on

SGD_OPTIONS: list[dict[str, Any]] = [
    {},
    {"lr": 0.1},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
    {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"lr": 0.1, "weight_decay": 0.2},
    {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.2, "maximize": True},
    {"lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.01, "maximize": True},
    {"lr": 0.0, "momentum": 0.5},
]
ADAM_OPTIONS: list[dict[str, Any]] = [
    {},
    {"lr": 0.1},
    {"lr": 0.1, "betas": (0.5, 0.9)},
    {"lr": 0.1, "betas": (0.0, 0.0), "eps": 0.5},
    {"lr": 0.1, "eps": 0.1},
    {"lr": 0.1, "weight_decay": 0.2},
    {"lr": 0.1, "amsgrad": True},
    {"lr": 0.1, "amsgrad": True, "betas": (0.5, 0.6), "weight_decay": 0.1, "maximize": True},
]


def _rule_row(rule: type[Rule], options: dict[str, Any], formula: Callable[..., float]) -> RuleRow:
    shown = " ".join(f"{key}={value}" for key, value in options.items())
    return RuleRow(f"{rule.__name__} {shown}".strip(), rule, options, formula)


RULES = [_rule_row(maillon.SGD, options, naive.sgd) for options in SGD_OPTIONS]
RULES += [_rule_row(maillon.Adam, options, naive.adam) for options in ADAM_OPTIONS]

ROWS = [*LINKS, *LOSSES]


def rule_problem(steps: int) -> tuple[list[Array], list[list[Array]]]:
    """Two parameters, and the gradients of each step."""
    generator = Generator(11)
    shapes = [(3, 2), (4,)]
    parameters = [generator.normal(shape, dtype=np.float64) for shape in shapes]
    return parameters, [[generator.normal(shape, dtype=np.float64) for shape in shapes] for _ in range(steps)]
