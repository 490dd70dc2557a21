"""The walk through a network: every link lowered, in the order in which it computes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maillon.engine.builder import Builder, Losses, NotLoweredError, Tree, Value, values_of
from maillon.engine.memory import Memory
from maillon.engine.passes import improve
from maillon.engine.plan import Buffer, Operation, address
from maillon.engine.table import OPERATIONS
from maillon.engine.walk import lower_child, lower_its_loss, own_links
from maillon.nesting import leaf_names, leaves, rebuilt
from maillon.nn import Loss, Module
from maillon.nn.support.errors import LinkError, shown
from maillon.nn.support.modes import mode
from maillon.typing import Array


def lower_network(b: Builder, network: Module, x: Any) -> Tree:
    """The network's output for one input, or for a tuple or dict of several; NotLoweredError says what cannot be."""
    several = x if isinstance(x, tuple) else () if isinstance(x, dict) else (x,)
    try:
        output = lower_child(b, network, "", *several, **(x if isinstance(x, dict) else {}))
    except LinkError as error:  # NumPy will raise it with the link's place in the network
        raise NotLoweredError(str(error).removesuffix(".")) from None
    _require_apart(b)
    return output


def _require_apart(b: Builder) -> None:
    """NotLoweredError where a forward reads what an effect of the step changes: NumPy would have changed it by then.

    Those that go together, as `embedding` and `embedding_shorten`, allow for it.
    """
    changed = {
        buffer.address: effect.kind
        for effect in b.effects
        for operand in OPERATIONS[effect.kind].written
        if (buffer := effect.operands.get(operand.name)) is not None and not buffer.is_local
    }
    for link in b.own if changed else ():
        arrays = [parameter.data for parameter in link.parameters()] + [array for _, array in link.named_buffers()]
        if any(address(array) in changed for array in arrays if array is not None):
            raise NotLoweredError(f"what {shown(link)} uses changes before")
    for operation in b.operations if changed else ():
        for buffer in operation.operands.values():
            effect = None if buffer.is_local else changed.get(buffer.address)
            if effect is not None and not effect.startswith(operation.kind):
                raise NotLoweredError(f"{buffer.name} changes before another link uses it")


def lower_loss(b: Builder, loss: Loss, prediction: Tree, target: Tree, weight: Value | None) -> Buffer:
    """Add the loss, and the gradient of the prediction; returns its result (value, denominator)."""
    b.part = "loss"
    result = b.given("loss", (2,), np.dtype(np.float64))
    divisor = b.gradients.divisor if b.gradients is not None and b.gradients.gathers and loss.averages else None
    own: Losses = {"sample_weight": weight, "result": result, "divisor": divisor}
    lower_its_loss(b, loss, prediction, target, own)
    return result.buffer


def finish(b: Builder, output: Tree, passing: Sequence[Operation] = ()) -> Any:
    """Improve the builder's operations and give all values memory; returns the buffers of the output, nested alike.

    passing: as `improve` has it.
    """
    for number, value in enumerate(values_of(output)):
        if value.buffer.is_local:  # the plans of one training leave their output at one place
            buffer = value.buffer
            buffer.put(b.memory.take(f".output {number}", buffer.size, buffer.dtype))
    b.operations = improve(b.operations, (value.buffer for value in values_of(output)), b.memory, passing)
    return _shown(output)


def _shown(output: Tree) -> Any:
    if isinstance(output, tuple):
        return tuple(map(_shown, output))
    return None if output is None else Buffer("output", output.buffer.array, output.shape)


def given_inputs(b: Builder, arrays: Mapping[str, Array], rows: int | None = None) -> dict[str, Value]:
    """Where a plan reads what it is given, by name: as many rows of each as are wanted.

    NotLoweredError for numbers of another dtype than the plan's.
    """
    for name, array in arrays.items():
        if array.dtype.kind == "f" and array.dtype != b.dtype:
            raise NotLoweredError(f"{name} is {array.dtype}, not {b.dtype}")
    return {
        name: b.given(name, array.shape if rows is None else (rows, *array.shape[1:]), array.dtype)
        for name, array in arrays.items()
    }


def values_for(data: Any, name: str, given: Mapping[str, Value]) -> Tree:
    """What stands in a plan for data that are given by name, nested alike. What is no array stays what it is."""
    pairs = zip(leaf_names(data, name), leaves(data), strict=True)
    return rebuilt(data, iter([given.get(one, None if isinstance(leaf, np.ndarray) else leaf) for one, leaf in pairs]))


def output_shape(network: Module, x: Array) -> tuple[int, ...]:
    """The shape of a network's output for x in evaluation mode; NotLoweredError where only NumPy tells it."""
    if x.dtype.kind == "f" and x.dtype != network.dtype:
        raise NotLoweredError(f"x is {x.dtype}, not {network.dtype}")
    if own_links(network):
        raise NotLoweredError("links of the user's own are to be tried")
    b = Builder(network.dtype, Memory())
    with mode(network, training=False):
        return shape_of(b, lower_network(b, network, b.local("x", x.shape, x.dtype)))


def shape_of(b: Builder, output: Tree) -> tuple[int, ...]:
    """The shape of the output that a builder has come to; NotLoweredError where NumPy has a part in it."""
    if b.own:
        raise NotLoweredError(next(iter(b.own.values())))
    if not isinstance(output, Value):
        raise NotLoweredError("the network has several outputs")
    return output.shape


def rows_of(shape: tuple[int, ...]) -> int:
    """How many samples an input of this shape holds."""
    return shape[0] if len(shape) > 1 else 1
