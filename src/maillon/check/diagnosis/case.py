"""What is known of a wrong gradient, and when two arrays count as the same."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from maillon.check.differences import KinkError
from maillon.check.words import Phrase, say
from maillon.random import Generator
from maillon.typing import Array

AGREE = 1e-6
"""Two arrays are the same to a hypothesis when they differ by less than this share of their size."""


@dataclass(frozen=True)
class Case:
    """A gradient that is wrong, and what is at hand to explain it.

    Parameters
    ----------
    jacobian : array, shape of the value, then of the output
        ∂output/∂value by finite differences.
    delta : array, shape of the output
        The gradient with respect to the output, as backward was given it.
    got : array
        What came.
    given : mapping of str to array
        Arrays at hand by the name that a sentence gives them: inputs, the output, delta, parameters.
    output, x : array, optional
        The output and the first input; a parameter's gradient is explained by them too.
    parts : tuple of shapes
        Of the outputs, where there are several and delta is flat.
    target : array, optional
        What a loss is given beside the prediction x, as numbers of the prediction's shape.
    again : callable, optional
        The derivative of the output's elements along a direction, with other arrays in the place of those at hand, by
        their names ("" is the value itself): ``again({"weight": …}, direction)``.
    name : str
        What the incoming gradient is called.
    parameter : bool
        Whether it is the gradient of a parameter and not of an input.
    """

    jacobian: Array
    delta: Array
    got: Array
    given: Mapping[str, Array] = field(default_factory=dict)
    output: Array | None = None
    x: Array | None = None
    again: Callable[[Mapping[str, Array], Array], Array] | None = None
    name: str = "delta"
    parameter: bool = False
    target: Array | None = None
    parts: tuple[tuple[int, ...], ...] = ()

    @property
    def expected(self) -> Array:
        return self.by(self.delta)

    def by(self, delta: Array) -> Array:
        """The gradient that belongs to another delta."""
        made: Array = np.tensordot(self.jacobian, delta, axes=delta.ndim)
        return made

    def with_other(self, changes: Mapping[str, Array]) -> bool:
        """Whether what came is the gradient with other arrays at hand, along three random directions."""
        if self.again is None:
            return False
        for seed in range(3):
            direction = Generator(seed).normal(self.got.shape, dtype=np.float64)
            try:
                terms = self.again(changes, direction) * np.ravel(self.delta)
            except KinkError:  # as of ReLU at its own output
                return False
            difference = float(np.sum(terms)) - float(np.sum(self.got * direction))
            if not abs(difference) <= AGREE * float(np.linalg.norm(terms)):
                return False
        return True


def same(one: Array, other: Array) -> bool:
    """Whether two arrays agree as closely as a hypothesis asks."""
    if np.shape(one) != np.shape(other):
        return False
    size = max(float(np.max(np.abs(some), where=np.isfinite(some), initial=0.0)) for some in (one, other))
    return bool(np.allclose(one, other, rtol=AGREE, atol=AGREE * size))


def named_factor(factor: float, shape: tuple[int, ...], x: Array | None = None) -> Phrase | None:
    """What a constant factor probably is: the batch's size, the number of outputs, a square root of these."""
    widths = {size for array in (shape, () if x is None else x.shape) for size in array[-1:] if len(array) > 1}
    if abs(factor - 2) < AGREE and 4 in widths:
        return say("A factor 2 too much, added twice, or the division by the square root of 4 is missing.")
    if abs(factor - 2) < AGREE:
        return say("A factor 2 too much, or added twice.")
    if abs(factor - 0.5) < AGREE:
        return say("A factor 2 is missing.")
    if not shape and x is not None:
        shape = x.shape
    batch, outputs = (shape[0] if shape else 1), (shape[-1] if len(shape) > 1 else 1)
    inputs = x.shape[-1] if x is not None and x.ndim > 1 and x.shape != shape else 1
    total = int(np.prod(shape, dtype=int))
    sizes = [
        (batch, say("the number of examples in the batch")),
        (outputs, say("the number of outputs")),
        (inputs, say("the number of inputs")),
    ]
    if total not in (batch, outputs):
        sizes.insert(2, (total, say("the number of elements of the output")))
    for size, name in told_apart(sizes):
        if size > 1:
            sentences = (
                (1 / size, say("It is divided by {name}, {size}: a mean in place of a sum.", name=name, size=size)),
                (size, say("{size} is {name}: a sum in place of a mean.", name=name, size=size)),
                *(_roots(size, name) if size in widths else ()),
            )
            for number, sentence in sentences:
                if abs(factor / number - 1) < AGREE:
                    return sentence
    return None


def told_apart(sizes: Iterable[tuple[int, Phrase]]) -> list[tuple[int, Phrase]]:
    """Sizes with their names; a size that several have, once, with all of them."""
    names: dict[int, Phrase] = {}
    for size, name in sizes:
        names[size] = say("{first} or {second}", first=names[size], second=name) if size in names else name
    return list(names.items())


def _roots(size: int, name: Phrase) -> list[tuple[float, Phrase]]:
    return [
        (size**-0.5, say("It is divided by the square root of {name}, {size}, once too often.", name=name, size=size)),
        (size**0.5, say("The division by the square root of {name}, {size}, is missing.", name=name, size=size)),
    ]


def some_of(axes: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """All subsets but the empty one, the smallest first."""
    listed = tuple(axes)
    return (some for count in range(1, len(listed) + 1) for some in combinations(listed, count))
