"""What a row of the catalogue is, and what rows are made of."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from naive.losses.elements import reduced

import maillon
from maillon import random
from maillon.nn import Module
from maillon.optim import Rule
from maillon.random import Generator
from maillon.typing import Array

Draw = Any
"""Draws an input from a generator; a tuple of draws is an input of several arrays, nested alike."""


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


def given(*values: Any) -> Draw:
    return lambda _generator: np.array(values)


def signs(*shape: int) -> Draw:
    return lambda generator: np.asarray(2.0 * generator.randint(0, 2, shape) - 1)


def log_of(draw: Draw) -> Draw:
    return lambda generator: np.log(draw(generator))


def words(n: int) -> list[int]:
    """What `drawn_from_words` draws."""
    return Generator(5).random_raw(n).tolist()


def constant(value: Any) -> Draw:
    """An argument that is no array: None, True, …"""
    return lambda _generator: value


def drawn(draw: Draw, generator: Generator) -> Any:
    return tuple(drawn(part, generator) for part in draw) if isinstance(draw, tuple) else draw(generator)


@dataclass(frozen=True)
class Row:
    """A link or loss, what it is given, and what it should make of it.

    draws: one for each argument of forward, in order. torch: makes PyTorch's (from the module `torch`); None where
    there is none. batched: the first dimension of all inputs is the batch. wrong: inputs, one call each, that it
    refuses for their shape. logits: it takes scores of any size. integers: it takes arrays of integers as well.
    tolerance of the gradient check, with the reason for one above 1e-7.
    """

    name: str
    make: Callable[[], Any]
    draws: tuple[Draw, ...]
    formula: Callable[..., Any]
    torch: Callable[[Any], Any] | None = None
    batched: bool = True
    wrong: tuple[tuple[Draw, ...], ...] = ()
    logits: bool = False
    integers: bool = False
    tolerance: float = 1e-7
    reason: str = ""

    @property
    def seed(self) -> int:
        return zlib.crc32(self.name.encode())

    def link(self, dtype: str = "float64") -> Any:
        """The link, its weights drawn from a generator of its own."""
        with random.using(Generator(self.seed)):
            made: Module = self.make()
        return made.to(dtype)

    def inputs(self, dtype: str = "float64") -> tuple[Any, ...]:
        return cast(drawn(self.draws, Generator(self.seed)), dtype)


def drawn_from_words(name: str, *args: Any) -> Callable[[], Any]:
    """Makes a link whose masks come from `words`."""
    return lambda: getattr(maillon, name)(*args, generator=Generator(5))


def cast(value: Any, dtype: str) -> Any:
    """Real arrays in the dtype, everything else as it is."""
    if isinstance(value, tuple):
        return tuple(cast(part, dtype) for part in value)
    return value.astype(dtype) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


@dataclass(frozen=True)
class RuleRow:
    """A rule with its options, and the same step on one number; in_torch: whether PyTorch has it."""

    name: str
    rule: type[Rule]
    options: dict[str, Any]
    formula: Callable[..., float]
    in_torch: bool = True

    def torch(self, torch: Any, parameters: list[Any]) -> Any:
        return getattr(torch.optim, self.rule.__name__)(parameters, **self.options)


NO_BATCH = {"batched": False}
REDUCTIONS: tuple[dict[str, Any], ...] = ({}, {"reduction": "sum"}, {"reduction": "none"})


def loss(name: str, options: dict[str, Any], draws: tuple[Draw, ...], elements: Any, **more: Any) -> Row:
    """A loss with its options; PyTorch's takes the same."""
    shown = " ".join(f"{key}={value}" for key, value in options.items())
    shapes = " ".join("x".join(map(str, draw(Generator(0)).shape)) or "()" for draw in draws[:1])
    kind = f" to {draws[1](Generator(0)).dtype.name}" if name in ("CrossEntropyLoss", "NLLLoss") else ""
    torch = more.pop("torch", lambda t: getattr(t.nn, name)(**_tensors(t, options)))
    weighted = " with sample weights" if len(draws) > len(getattr(maillon, name).predicted) else ""
    return Row(
        f"{name} {shapes}{kind} {shown}{weighted}".strip(),
        lambda: getattr(maillon, name)(**options),
        draws,
        reduced(elements),
        None if weighted else torch,
        **more,
    )


def _tensors(torch: Any, options: dict[str, Any]) -> dict[str, Any]:
    """PyTorch wants weights as tensors."""
    return {
        key: torch.tensor(value, dtype=torch.float64) if isinstance(value, list) else value
        for key, value in options.items()
    }


def rule_row(rule: type[Rule], options: dict[str, Any], formula: Callable[..., float], **more: Any) -> RuleRow:
    shown = " ".join(f"{key}={value}" for key, value in options.items())
    return RuleRow(f"{rule.__name__} {shown}".strip(), rule, options, formula, **more)


def rule_problem(steps: int) -> tuple[list[Array], list[list[Array]]]:
    """Two parameters, and the gradients of each step."""
    generator = Generator(11)
    shapes = [(3, 2), (4,)]
    parameters = [generator.normal(shape, dtype=np.float64) for shape in shapes]
    return parameters, [[generator.normal(shape, dtype=np.float64) for shape in shapes] for _ in range(steps)]
