"""The operations of the joints themselves; those of the links inside are counted there."""

from collections.abc import Iterator, Mapping
from typing import Any

from maillon.costs.counts import Counts, Flops, nothing, size
from maillon.nesting import leaves
from maillon.nn import (
    Add,
    Concat,
    Graph,
    ModuleDict,
    ModuleList,
    Multiply,
    Parallel,
    Residual,
    Sequential,
    WeightedSum,
)


def _add(link: Add, inputs: tuple[Any, ...], output: Any) -> Flops:
    """x₁ + x₂ + …; back dy goes to all."""
    return Flops((len(leaves(inputs)) - 1) * size(output))


def _weighted_sum(link: WeightedSum, inputs: tuple[Any, ...], output: Any) -> Flops:
    """w₁ x₁ + w₂ x₂ + …; back a product for each input."""
    count = len(link.weights)
    return Flops((2 * count - 1) * size(output), count * size(output))


def _multiply(link: Multiply, inputs: tuple[Any, ...], output: Any) -> Flops:
    """x₁ · x₂ · …; back the products from the left, those from the right, and both together."""
    count = len(leaves(inputs))
    return Flops((count - 1) * size(output), max(0, 3 * count - 4) * size(output))


def _residual(link: Residual, inputs: tuple[Any, ...], output: Any) -> Flops:
    """A sum; back that of the gradients of both ways."""
    return Flops(size(output), size(inputs[0]))


def _parallel(link: Parallel, inputs: tuple[Any, ...], output: Any) -> Flops:
    """One input of several links: their gradients are added up."""
    one = len(inputs) == 1 and type(inputs[0]) is not tuple
    return Flops(0, (len(link) - 1) * size(inputs[0]) if one else 0)


def of_graph(link: Graph, inputs: tuple[Any, ...], nodes: Mapping[str, Any]) -> Flops:
    """Wherever several take one value, their gradients are added up. nodes: the output of each."""
    given = inputs[0] if len(inputs) == 1 < len(link.inputs) else inputs
    values = {**dict(zip(link.inputs, given, strict=True)), **nodes}
    outputs = (link.outputs,) if isinstance(link.outputs, str) else link.outputs
    taken = [*outputs, *(source for sources in link.sources.values() for source in sources)]
    sums = 0
    for name, value in values.items():
        for place, part in _parts(name, value):
            uses = sum(f"{place}.".startswith(f"{source}.") for source in taken)
            sums += max(0, uses - 1) * size(part)
    return Flops(0, both=sums)


def _parts(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a nested value, each with the name that a Graph has for it: "lstm.1.0"."""
    if isinstance(value, tuple):
        for number, part in enumerate(value):
            yield from _parts(f"{place}.{number}", part)
    else:
        yield place, value


JOINTS: Counts = {
    Sequential: nothing,
    ModuleList: nothing,
    ModuleDict: nothing,
    Add: _add,
    WeightedSum: _weighted_sum,
    Multiply: _multiply,
    Concat: nothing,
    Residual: _residual,
    Parallel: _parallel,
}
