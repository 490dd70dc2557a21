"""The network, run once on an example: each link writes itself into the program as it computes."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from maillon.interop.c.links import KNOWN, LAYERS, RECURRENT, REFUSED, WANT_INDICES
from maillon.interop.c.program import Program, RefusedError, Value, refusal
from maillon.nesting import leaves, mapped
from maillon.nn import Module, Residual, no_grad
from maillon.typing import Array

Hook = Callable[..., Any]
OUTSIDE = "Let links such as Add, Multiply and Concat make it, in a Graph."


@contextmanager
def hooked(network: Module, hook: Hook) -> Iterator[None]:
    """Within the block the forward of each of the `followed` links is `hook(path, link, *inputs, **named)`."""
    modules = list(followed(network))
    for path, module in modules:
        vars(module)["forward"] = functools.partial(hook, path, module)
    try:
        with no_grad(), np.errstate(all="ignore"):
            yield
    finally:
        for _, module in modules:
            vars(module).pop("forward", None)


def followed(network: Module, path: str = "") -> Iterator[tuple[str, Module]]:
    """The links with their paths; what is inside of a link that is known as a whole is not looked at."""
    yield path, network
    if type(network) not in KNOWN or isinstance(network, Residual):
        for name, child in network.named_children():
            yield from followed(child, f"{path}.{name}" if path else name)


def forward(module: Module, *inputs: Any, **named: Any) -> Any:
    """What the link's own class computes."""
    return type(module).forward(module, *inputs, **named)


class IndicesWantedError(Exception):
    """An Embedding was given an input of the network, which was an example of real numbers."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


class Tracer:
    """Follows arrays by their identity: what each of them is in C."""

    def __init__(self, program: Program, inputs: list[tuple[Array, Value]]) -> None:
        self.program = program
        self.inputs = inputs
        self.values: dict[int, tuple[Array, Any]] = {id(array): (array, value) for array, value in inputs}
        self.of_link: dict[int, Any] = {}
        self.pairs: dict[int, Any] = {}

    def __call__(self, path: str, link: Module, *inputs: Any, **named: Any) -> Any:
        kind = type(link)
        if kind in REFUSED:
            raise refusal(self.program.shown, path, REFUSED[kind])
        if kind not in KNOWN and next(link.children(), None) is None:
            raise refusal(self.program.shown, path, "to_c knows no such link. Put one that it knows in its place.")
        try:
            given = self._arguments(link, inputs, named) if kind in KNOWN else None
            output = forward(link, *inputs, **named)
            if given is None:
                result = mapped(functools.partial(self._value, verb="makes"), output)
            else:
                self.program.begin(path, output)
                result = self._written(link, path, given, output)
        except RefusedError as error:
            raise refusal(self.program.shown, path, str(error)) from None
        self.of_link[id(link)] = result
        return output

    def _arguments(self, link: Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """The values of what forward was given, in the order of its parameters."""
        bound = inspect.signature(type(link).forward).bind(link, *inputs, **named)
        bound.apply_defaults()
        if type(link) in WANT_INDICES:
            self._check_indices(inputs[0])
        is_given = functools.partial(self._value, verb="is given")
        return [mapped(is_given, part) for part in list(bound.arguments.values())[1:]]

    def _check_indices(self, x: Array) -> None:
        base = x
        for place, (array, _) in enumerate(self.inputs):
            if (base is array or np.shares_memory(base, array)) and x.dtype.kind == "f":
                raise IndicesWantedError(place)

    def _value(self, part: Any, verb: str) -> Any:
        if not isinstance(part, np.ndarray):
            return part
        if id(part) not in self.values:
            raise RefusedError(f"it {verb} an array that is no output of a link. {OUTSIDE}")
        return self.values[id(part)][1]

    def _written(self, link: Module, path: str, given: list[Any], output: Any) -> Any:
        arrays = leaves(output)
        if any(not array.size for array in arrays):
            raise RefusedError("its output is empty.")
        if isinstance(link, Residual):
            inner = [self.of_link[id(child)] for child in link.children()]
            given = [inner[0], inner[1] if len(inner) > 1 else given[0]]
        if type(link) in RECURRENT and id(link) in self.of_link:
            raise RefusedError("it is called twice, and has one state. Take share() of it for the second place.")
        result = KNOWN[type(link)](self.program, link, *given)
        if type(link) in LAYERS:
            self.pairs[id(output)] = output
        for array, value in zip(arrays, leaves(result), strict=True):
            assert array.shape == value.shape, (path, array.shape, value.shape)
            self.values[id(array)] = (array, value)
        return result


def traced(network: Module, program: Program, inputs: list[tuple[Array, Value]]) -> list[Value]:
    """Write the network into the program; returns its outputs, without the states that `state` holds."""
    tracer = Tracer(program, inputs)
    with hooked(network, tracer):
        output = network(*(array for array, _ in inputs))
    return [tracer.values[id(array)][1] for array in leaves(_without_states(output, tracer.pairs))]


def _without_states(output: Any, pairs: dict[int, Any]) -> Any:
    """Of the pair (output, state) of a recurrent layer the output alone."""
    if id(output) in pairs:
        return output[0]
    return tuple(_without_states(part, pairs) for part in output) if isinstance(output, tuple) else output
