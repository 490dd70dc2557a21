"""What the network is given: shapes, and examples that follow it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maillon.interop.c import names
from maillon.interop.c.links import LAYERS
from maillon.nn import Graph, Module
from maillon.nn.support import arguments
from maillon.random import Generator
from maillon.typing import Array

SAMPLES, STEPS = 2, 3
"""So many samples and steps tell whether the network mixes them."""


@dataclass
class Input:
    """An input: its name in C, the shape of a sample, with None where steps are counted, and where the batch stands."""

    name: str
    shape: tuple[int | None, ...]
    batch: int
    integer: bool = False

    @property
    def steps(self) -> int | None:
        """The dimension of the whole array that counts steps."""
        if None not in self.shape:
            return None
        place = self.shape.index(None)
        return place + (self.batch <= place)

    @property
    def shown(self) -> tuple[int, ...]:
        """The shape that a call has of it."""
        return tuple(size for size in self.shape if size is not None)

    def example(self, generator: Generator, indices: int) -> Array:
        """Numbers for SAMPLES samples and STEPS steps."""
        sizes = [STEPS if size is None else size for size in self.shape]
        sizes.insert(self.batch, SAMPLES)
        if self.integer:
            return np.arange(int(np.prod(sizes)), dtype=np.int64).reshape(sizes) % indices
        return generator.normal(tuple(sizes), dtype=np.float64)

    def part(self, example: Array, samples: int, steps: int) -> Array:
        cut = example.take(range(samples), self.batch)
        return cut if self.steps is None else cut.take(range(steps), self.steps)


def inputs_of(network: Module, input_shape: Any) -> list[Input]:
    """The inputs of a network, after checking what was given as their shapes."""
    layers = [link for link in network.modules() if isinstance(link, LAYERS)]
    batch_first = bool(getattr(layers[0], "batch_first", True)) if layers else True
    given = _shapes(network, input_shape)
    own = network.inputs if isinstance(network, Graph) else ()
    inputs = []
    for name, one in zip(names.pointers("x", own, len(given)), given, strict=True):
        shape = _sample_shape(one, stepwise=bool(layers))
        inputs.append(Input(name, shape, shape.index(None) + 1 if None in shape and not batch_first else 0))
    return inputs


def _shapes(network: Module, input_shape: Any) -> list[Any]:
    """The shape of each input, in order."""
    own = network.inputs if isinstance(network, Graph) else None
    if isinstance(input_shape, Mapping):
        if own is not None and set(input_shape) == set(own):
            return [input_shape[name] for name in own]
        expected = "a shape" if own is None else f"{{name: shape}} with the names {', '.join(map(repr, own))}"
        raise ValueError(f"to_c: expected input_shape to be {expected}, got {dict(input_shape)!r}.")
    several = arguments.is_sequence(input_shape) and any(map(arguments.is_sequence, input_shape))
    shapes = list(input_shape) if several else [input_shape]
    if own is not None and len(shapes) != len(own):
        raise ValueError(
            f"to_c: expected input_shape to be a shape for each of {', '.join(map(repr, own))}, got {input_shape!r}."
        )
    return shapes


def _sample_shape(given: Any, stepwise: bool) -> tuple[int | None, ...]:
    parts: Sequence[Any] = given if arguments.is_sequence(given) else (given,)
    if not all(part is None or (arguments.is_integer(part) and part >= 1) for part in parts) or parts.count(None) > 1:
        raise ValueError(
            f"to_c: expected input_shape to be the integers ≥ 1 of one sample's shape, got {given!r}. Give several "
            "inputs a tuple each."
        )
    if None in parts and not stepwise:
        raise ValueError(
            f"to_c: expected input_shape of integers, got {given!r}. None is the number of steps of an RNN, LSTM or "
            "GRU, and the network has none."
        )
    return tuple(None if part is None else int(part) for part in parts)
