"""The walk through a network: every link lowered, in the order in which it computes."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from maillon.engine import families as families  # noqa: PLC0414 - their import fills the tables
from maillon.engine.builder import LINKS, LOSSES, Builder, Losses, NotLoweredError, Tree, Value, lower_child, values_of
from maillon.engine.memory import Memory
from maillon.engine.passes import improve
from maillon.engine.plan import Buffer
from maillon.engine.table import OPERATIONS
from maillon.nn import Loss, Module
from maillon.nn.support.errors import LinkError, shown
from maillon.typing import Array


def require_known(network: Module) -> None:
    """NotLoweredError, naming the first link that the table lacks, or that has a method of its own."""
    for name, link in network.named_modules():
        if type(link) not in LINKS:
            raise NotLoweredError(f"{_at(name)}{shown(link)} is not among the links it knows")
        if method := own_method(link):
            raise NotLoweredError(f"{_at(name)}{shown(link)} has a {method} of its own")


def _at(name: str) -> str:
    return f"[{name}] " if name else ""


def own_method(owner: object) -> str | None:
    """The method of its class that something has replaced on the instance itself, if there is one."""
    kind: Any = type(owner)  # as one that can be hashed, which mypy doubts
    methods = _methods(kind)
    for attribute in vars(owner):
        if attribute in methods:
            return attribute
    return None


@lru_cache(128)
def _methods(kind: type) -> frozenset[str]:
    return frozenset(name for name in dir(kind) if callable(getattr(kind, name, None)))


def lower_network(b: Builder, network: Module, x: Any) -> Tree:
    """The network's output for one input, or for a tuple or dict of several; NotLoweredError says what cannot be."""
    require_known(network)
    several = x if isinstance(x, tuple) else () if isinstance(x, dict) else (x,)
    try:
        output = lower_child(b, network, "", *several, **(x if isinstance(x, dict) else {}))
    except LinkError as error:  # NumPy will raise it with the link's place in the network
        raise NotLoweredError(str(error).removesuffix(".")) from None
    _require_apart(b)
    return output


def _require_apart(b: Builder) -> None:
    """NotLoweredError where a forward reads what an effect of the same step changes: NumPy would have changed it by then.

    Those that go together, as `embedding` and `embedding_shorten`, allow for it.
    """
    changed = {
        effect.operands[operand.name].address: effect.kind
        for effect in b.effects
        for operand in OPERATIONS[effect.kind].written
        if operand.name in effect.operands
    }
    for operation in b.operations if changed else ():
        for buffer in operation.operands.values():
            effect = None if buffer.is_local else changed.get(buffer.address)
            if effect is not None and not effect.startswith(operation.kind):
                raise NotLoweredError(f"{buffer.name} changes before another link uses it")


def lower_loss(b: Builder, loss: Loss, prediction: Tree, target: Tree, weight: Value | None) -> Buffer:
    """Add the loss, and the gradient of the prediction; returns its result (value, denominator)."""
    lower: Callable[..., None] | None = LOSSES.get(type(loss))
    if lower is None:
        raise NotLoweredError(f"{loss!r} is not among the losses it knows")
    b.part = "loss"
    result = b.given("loss", (2,), np.dtype(np.float64))
    divisor = b.gradients.divisor if b.gradients is not None and b.gradients.gathers and loss.averages else None
    own: Losses = {"sample_weight": weight, "result": result, "divisor": divisor}
    lower(b, loss, prediction, target, own)
    return result.buffer


def finish(b: Builder, output: Tree) -> Any:
    """Improve the builder's operations and give all values memory; returns the buffers of the output, nested alike."""
    for number, value in enumerate(values_of(output)):
        if value.buffer.is_local:  # the plans of one training leave their output at one place
            buffer = value.buffer
            buffer.put(b.memory.take(f".output {number}", buffer.size, buffer.dtype))
    b.operations = improve(b.operations, (value.buffer for value in values_of(output)), b.memory)
    return _shown(output)


def _shown(output: Tree) -> Any:
    if isinstance(output, tuple):
        return tuple(map(_shown, output))
    return None if output is None else Buffer("output", output.buffer.array, output.shape)


def given_inputs(b: Builder, arrays: Mapping[str, Array], rows: int | None = None) -> dict[str, Value]:
    """Where a plan reads what it is given, by name: as many rows of each as are wanted."""
    return {
        name: b.given(name, array.shape if rows is None else (rows, *array.shape[1:]), array.dtype)
        for name, array in arrays.items()
    }


def output_shape(network: Module, x: Array) -> tuple[int, ...]:
    """The shape of a network's output for x, found by lowering it; NotLoweredError where that fails."""
    if x.dtype != network.dtype:
        raise NotLoweredError(f"x is {x.dtype}, not {network.dtype}")
    b = Builder(network.dtype, Memory())
    output = lower_network(b, network, b.local("x", x.shape))
    if not isinstance(output, Value):
        raise NotLoweredError("the network has several outputs")
    return output.shape


def rows_of(shape: tuple[int, ...]) -> int:
    """How many samples an input of this shape holds."""
    return shape[0] if len(shape) > 1 else 1
