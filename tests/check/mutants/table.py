"""The table of mutants, and how one is entered."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from maillon import random
from maillon.nn import Module
from maillon.random import Generator


class Mutant(NamedTuple):
    name: str
    rule: int
    make: Callable[[], Module]
    inputs: tuple[Any, ...]


MUTANTS: list[Mutant] = []

DRAW = Generator(3)
X = DRAW.normal((4, 3), 0.2, 1.0, dtype=np.float64)
Y = DRAW.normal((4, 3), dtype=np.float64)
P, Q = DRAW.uniform((2, 4, 3), 0.1, 0.9, dtype=np.float64)
SQUARE = DRAW.normal((3, 3), dtype=np.float64)
LABELS = np.array([0, 2, 1, 2])


def mutant(name: str, rule: int, *inputs: Any) -> Callable[[type[Module]], type[Module]]:
    """Enter a class into the table; made under a seed, without arguments."""

    def enter(made: type[Module]) -> type[Module]:
        def make() -> Module:
            with random.using(Generator(1)):
                return made()

        MUTANTS.append(Mutant(name, rule, make, inputs or (X,)))
        return made

    return enter
