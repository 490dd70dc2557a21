"""A link and its inputs as functions without memory: every evaluation is of a copy, under the same draws."""

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import numpy as np

from maillon import random
from maillon.check.verdict import CheckError
from maillon.check.words import Phrase, say
from maillon.nesting import counted_inputs, leaf_names, leaves, rebuilt
from maillon.nn import Loss, Module, Parameter
from maillon.random import Generator
from maillon.typing import Array, DTypeLike


class Spot(NamedTuple):
    """Something to differentiate with respect to: a leaf of the inputs, or a Parameter, by its place."""

    kind: str
    place: int
    name: str

    def __str__(self) -> str:
        return self.phrase

    @property
    def phrase(self) -> Phrase:
        """As messages name it."""
        if self.kind == "input":
            return say("gradient of input {name}", name=self.name)
        return say("gradient of parameter {name}", name=self.name)


class Gradients(NamedTuple):
    """What one backward gave: the leaves of the inputs' gradient, and each Parameter's."""

    inputs: list[Any]
    parameters: list[Array | None]

    def at(self, spot: Spot) -> Any:
        return (self.inputs if spot.kind == "input" else self.parameters)[spot.place]


def is_real(leaf: Any) -> bool:
    """Whether a gradient can belong to it: an array (or NumPy scalar) of floating dtype."""
    return isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind == "f"


def signed(generator: Generator, shape: tuple[int, ...]) -> Array:
    """Random numbers of either sign in 0.5 … 1 of size: no element of a gradient can hide behind a small one."""
    draw = generator.uniform((*shape, 2), dtype=np.float64)
    return np.where(draw[..., 0] < 0.5, -1.0, 1.0) * (0.5 + 0.5 * draw[..., 1])


class Probe:
    """Copies of a link and its inputs in one dtype; the caller's are never touched."""

    def __init__(self, link: Module, inputs: tuple[Any, ...], dtype: DTypeLike, seed: int) -> None:
        self.shown = link
        self.link = copy.deepcopy(link).to(dtype)
        self.link.zero_grad()
        self.seed = seed
        self._drawn = Generator(seed)
        self._start = self._drawn.get_state()
        self.nested = inputs
        self.inputs = [np.array(leaf, dtype) if is_real(leaf) else copy.deepcopy(leaf) for leaf in leaves(inputs)]
        self.names = _input_names(link, inputs)

    @contextmanager
    def draws(self) -> Iterator[None]:
        """The same random numbers each time, for links that draw; the global generator is left alone."""
        with random.using(self._drawn.set_state(self._start)):
            yield

    def fresh(self) -> tuple[Module, tuple[Any, ...]]:
        """A copy of the link and of its inputs."""
        return copy.deepcopy(self.link), self.renested([copy.deepcopy(leaf) for leaf in self.inputs])

    def renested(self, parts: list[Any]) -> tuple[Any, ...]:
        nested: tuple[Any, ...] = rebuilt(self.nested, iter(parts))
        return nested

    def differentiable(self) -> list[bool]:
        """For each leaf of the inputs, whether backward owes it a gradient: a loss owes none to its target."""
        owed = [True] * len(self.nested)
        if isinstance(self.link, Loss):
            owed = [*self.link.predicted, *[False] * len(self.nested)]
        of_leaves = (yes for part, yes in zip(self.nested, owed, strict=False) for _ in leaves(part))
        return [is_real(leaf) and yes for leaf, yes in zip(self.inputs, of_leaves, strict=True)]

    def spots(self) -> list[Spot]:
        """All there is to differentiate with respect to."""
        wanted = enumerate(self.differentiable())
        inputs = [Spot("input", place, self.names[place]) for place, yes in wanted if yes and self.inputs[place].size]
        named = enumerate(self.link.named_parameters())
        return inputs + [Spot("parameter", place, name) for place, (name, p) in named if p.requires_grad and p.size]

    def value(self, spot: Spot) -> Array:
        held: Array = self.inputs[spot.place] if spot.kind == "input" else parameters(self.link)[spot.place].data
        return held

    def output(self, spot: Spot | None = None, displacement: Array | None = None) -> list[Any]:
        """The leaves of the output, with one input or parameter displaced."""
        link, inputs = self.fresh()
        if spot is not None and spot.kind == "input":
            parts = leaves(inputs)
            parts[spot.place] = np.asarray(parts[spot.place] + displacement)
            inputs = self.renested(parts)
        elif spot is not None:
            parameter = parameters(link)[spot.place]
            parameter.data = np.asarray(parameter.data + displacement)
        with self.draws():
            return leaves(link(*inputs))

    def grad_output(self, output: Any, generator: Generator) -> Any:
        """A random gradient like the output; None for what is not real."""
        parts = [
            np.asarray(signed(generator, leaf.shape), leaf.dtype) if is_real(leaf) else None for leaf in leaves(output)
        ]
        return rebuilt(output, iter(parts))

    def gradients(self, generator: Generator) -> tuple[Any, Gradients]:
        """A random grad_output, and what backward makes of it."""
        link, inputs = self.fresh()
        with self.draws():
            grad_output = self.grad_output(link(*inputs), generator)
            return grad_output, self.collect(link, self.backward(link, copy.deepcopy(grad_output)))

    def collect(self, link: Module, returned: Any) -> Gradients:
        """What `link` returned and left on its parameters; CheckError when it is not nested like the inputs."""
        like: Any = self.nested
        if isinstance(self.link, Loss):
            like = like[: len(self.link.predicted)] if sum(self.link.predicted) > 1 else like[0]
        else:
            like = like[: counted_inputs(like, returned)]
            like = like[0] if len(like) == 1 else like
        self._check_nesting(like, returned, say("the gradient that backward returned"))
        given = leaves(returned) + [None] * (len(self.inputs) - len(leaves(like)))
        return Gradients(given, [parameter.grad for parameter in parameters(link)])

    def backward(self, link: Module, grad_output: Any) -> Any:
        """`link.backward`, of a copy of this link; that it fails after a forward breaks rule 1."""
        try:
            return link.backward(grad_output)
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
            raise CheckError(1, self.shown, say("backward after a forward"), say("a gradient"), got) from error

    def _check_nesting(self, like: Any, returned: Any, name: Phrase) -> None:
        if not isinstance(like, tuple):
            if isinstance(returned, tuple | list):
                got = say("a {kind} of {count}", kind=type(returned).__name__, count=len(returned))
                raise CheckError(4, self.shown, name, say("one array"), got)
            return
        if not isinstance(returned, tuple) or len(returned) != len(like):
            given = say("{count} of them", count=len(returned)) if isinstance(returned, tuple) else None
            expected = say("a tuple of {count}, one for each input", count=len(like))
            raise CheckError(4, self.shown, name, expected, given or type(returned).__name__)
        for place, (part, returned_part) in enumerate(zip(like, returned, strict=True)):
            self._check_nesting(part, returned_part, say("{name}, part {place}", name=name, place=place))

    def copied(self) -> Self:
        """A probe of its own link and inputs."""
        probe = copy.copy(self)
        probe.link, nested = self.fresh()
        probe.inputs = leaves(nested)
        return probe

    def nudged(self, size: float, generator: Generator) -> Self:
        """The same link a little beside: all it is differentiated with respect to moved by about `size`."""
        probe = self.copied()
        for spot in probe.spots():
            moved = probe.value(spot)
            moved += (size * max(1.0, rms(moved)) * signed(generator, moved.shape)).astype(moved.dtype)
        return probe


def parameters(link: Module) -> list[Parameter]:
    return list(link.parameters())


def generators(link: Module) -> list[Generator]:
    """The generators that the link and those inside it hold, each once."""
    held = [value for module in link.modules() for value in vars(module).values() if isinstance(value, Generator)]
    return list({id(generator): generator for generator in held}.values())


def rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values * values))) if values.size else 0.0


def _input_names(link: Module, inputs: tuple[Any, ...]) -> list[str]:
    """The names that forward gives its arguments; their places where it has none."""
    try:
        bound = inspect.signature(link.forward).bind(*inputs)
        named = [p for p in bound.signature.parameters.values() if p.kind is not p.VAR_POSITIONAL]
        found = [p.name for p in named if p.name in bound.arguments]
    except TypeError:
        found = []
    if len(found) != len(inputs):
        found = [str(place) for place in range(len(inputs))]
    return [name for outer, value in zip(found, inputs, strict=True) for name in leaf_names(value, outer)]
