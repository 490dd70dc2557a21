"""How operations are counted, and what the rows of all families are made of.

A multiplication, an addition, a comparison or selection, and a function (exp, log, tanh, √) count one each, as the
formulas in the links' docstrings have them. A product Σ w x of k terms counts 2 k, and a bias rides along, as in
PyTorch's `torch.utils.flop_counter`. Not counted: what is done once for many values (the logarithm of a sum, say),
drawing, looking up and moving values.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from maillon.nesting import leaves
from maillon.typing import Array


class Flops(NamedTuple):
    """The operations of a forward, and those of its derivative.

    inputs: what only ∂loss/∂input needs. parameters: what only ∂loss/∂parameters need. both: what either needs.
    """

    forward: int
    inputs: int = 0
    parameters: int = 0
    both: int = 0

    def plus(self, other: "Flops") -> "Flops":
        """Those of two calls."""
        return Flops(*map(sum, zip(self, other, strict=True)))


Count = Callable[[Any, tuple[Any, ...], Any], Flops]
"""From a link, the arguments of its forward and its output to the operations of the two."""

Counts = dict[type, Count]
"""The rows of a family, by exact type."""

NOTHING = Flops(0)


def nothing(link: Any, inputs: tuple[Any, ...], output: Any) -> Flops:
    """A link that only looks up, moves or hands on values."""
    return NOTHING


def per_value(forward: int, inputs: int, parameters: int = 0) -> Count:
    """So many operations for each value of the output."""

    def count(link: Any, given: tuple[Any, ...], output: Any) -> Flops:
        n = size(output)
        return Flops(forward * n, inputs * n, parameters * n)

    return count


def size(value: Any) -> int:
    """How many numbers an array holds, or those of several together."""
    return sum(math.prod(part.shape) for part in leaves(value) if part is not None)


def rows(x: Array, features: int) -> int:
    """How many vectors of so many features."""
    return math.prod(x.shape) // features
