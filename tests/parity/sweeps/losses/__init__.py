"""The losses under their reductions, options and shapes; on their kinks as well, where a choice of slope shows."""

import itertools
from typing import Any

import numpy as np
from beside import Case
from catalogue.rows import Draw

SHAPES = [(4, 3), (3,), (), (2, 3, 4), (1, 1), (2, 1, 2, 3), (0, 3)]
MATRICES = [(4, 3), (3,), (1, 3), (0, 3), (5, 1)]
REDUCTIONS = ("mean", "sum", "none")


def whole(*shape: int) -> Draw:
    """Small integers, as real numbers: differences are often 0 or on a kink."""
    return lambda generator: generator.randint(-2, 3, shape).astype(np.float64)


def each(**options: tuple[Any, ...]) -> list[dict[str, Any]]:
    """All combinations, with every reduction."""
    options = {"reduction": REDUCTIONS} | options
    return [dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())]


def elementwise(name: str, choices: list[dict[str, Any]], *draws: Any) -> list[Case]:
    """All options; all shapes; and each draw of prediction and target with both."""
    return [
        Case(name, (), options, (draw(*shape), target(*shape)))
        for draw, target in draws
        for options, shape in [*((options, (4, 3)) for options in choices), *zip(itertools.cycle(choices), SHAPES)]
    ]


def signs(*shape: int) -> Draw:
    return lambda generator: np.asarray(2.0 * generator.randint(0, 2, shape) - 1)


def far(*shape: int) -> Draw:
    return lambda generator: np.asarray(1e3 * generator.normal(shape, dtype=np.float64))
