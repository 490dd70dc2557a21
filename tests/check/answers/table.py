"""The tables of right and wrong answers, and how one is entered."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from maillon.random import Generator
from maillon.typing import Array


class Mutant(NamedTuple):
    """A wrong answer: the rule it breaks, and words that its message must have."""

    name: str
    rule: int
    words: str
    make: Callable[[], Any]
    inputs: tuple[Any, ...]
    options: dict[str, Any]


class Right(NamedTuple):
    name: str
    make: Callable[[], Any]
    inputs: tuple[Any, ...]
    options: dict[str, Any]


MUTANTS: list[Mutant] = []
RIGHT: list[Right] = []

DRAW = Generator(11)
X = DRAW.normal((5, 3), dtype=np.float64)
SQUARE = DRAW.normal((5, 4), dtype=np.float64)
SIGNAL = DRAW.normal((3, 9, 2), dtype=np.float64)


def wrong(name: str, rule: int, words: str, *inputs: Any, **options: Any) -> Callable[[Any], Any]:
    """Enter a class, made without arguments, or a function that makes one, into the table of wrong answers."""

    def enter(made: Any) -> Any:
        MUTANTS.append(Mutant(name, rule, words, made, inputs, options))
        return made

    return enter


def right(name: str, *inputs: Any, **options: Any) -> Callable[[Any], Any]:
    """The same for a right answer."""

    def enter(made: Any) -> Any:
        RIGHT.append(Right(name, made, inputs, options))
        return made

    return enter


def normal(*shape: int) -> Array:
    """The same numbers for each call: what a class is made with."""
    return Generator(5).normal(shape, dtype=np.float64)
