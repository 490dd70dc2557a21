"""One forward of a twin of a network: what each link is given, gives and keeps. The network itself sees nothing of it.

The twin holds the same Parameters, and copies of what a forward changes: buffers, generators, rows that are shortened.
"""

import contextvars
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from maillon import random
from maillon.costs.counts import Flops
from maillon.costs.joints import of_graph
from maillon.costs.table import counted
from maillon.nn import Graph, Module, Parameter
from maillon.optim.door import call
from maillon.typing import Array


@dataclass
class Seen:
    """What the forward of a link showed.

    output: of the last call. flops: the operations of all calls, None where nobody knows them. kept: the bytes it keeps
    for backward, without what a link before it keeps: those of all links together are the memory of the network.
    """

    output: Any
    flops: Flops | None
    kept: int = 0


def traced(network: Module, inputs: Any, training: bool) -> dict[str, Seen]:
    """What the links that were called showed, by their place in the network, in the order in which they were done."""
    return contextvars.Context().run(_traced, network, inputs, training)  # no_grad() around it does not reach in


def _traced(network: Module, inputs: Any, training: bool) -> dict[str, Seen]:
    twin = _twin(network).train(training)
    links = dict(twin.named_modules())
    before = {name: dict(vars(link)) for name, link in links.items()}
    seen: dict[str, Seen] = {}
    for name, link in links.items():
        vars(link)["forward"] = _watched(name, link, seen)
    with random.using(random.Generator(0)), np.errstate(all="ignore"):
        output = call(twin, inputs)
    seen.setdefault("", Seen(output, Flops(0)))  # a chain that was given its inputs by name calls only its links
    counted_already = {id(_owner(array)) for array in (*(p.data for p in twin.parameters()), *twin.buffers())}
    for name, shown in seen.items():
        held = vars(links[name]).items()
        new = [value for key, value in held if key != "forward" and value is not before[name].get(key)]
        owners = {id(owner): owner for value in new for owner in map(_owner, _arrays(value))}
        shown.kept = sum(owner.nbytes for key, owner in owners.items() if key not in counted_already)
        counted_already |= owners.keys()
    return seen


def _twin(network: Module) -> Module:
    """A network of its own with the same Parameters, which may be called without a trace."""
    twin = network.share()
    for link in twin.modules():
        for name, value in list(vars(link).items()):
            if isinstance(value, random.Generator):
                vars(link)[name] = random.Generator(0)
        for name, buffer in list(link.named_buffers()):
            if "." not in name:
                setattr(link, name, buffer.copy())
        if getattr(link, "max_norm", None) is not None:  # an Embedding, which shortens rows in its forward
            for name, parameter in list(link.named_parameters(recurse=False)):
                setattr(link, name, Parameter(parameter.data.copy(), requires_grad=parameter.requires_grad))
    return twin


def _watched(name: str, link: Module, seen: dict[str, Seen]) -> Callable[..., Any]:
    """The link's forward, which notes what comes of it."""
    forward, dot = link.forward, f"{name}." if name else ""

    def watched(*inputs: Any, **named: Any) -> Any:
        output = forward(*inputs, **named)
        given = _in_order(forward, inputs, named)
        if isinstance(link, Graph):
            more: Flops | None = of_graph(link, given, {node: seen[f"{dot}{node}"].output for node in link.sources})
        else:
            more = counted(link, given, output)
        earlier = seen.pop(name, Seen(output, Flops(0))).flops
        seen[name] = Seen(output, None if more is None or earlier is None else earlier.plus(more))
        return output

    return watched


def _in_order(forward: Callable[..., Any], inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """The arguments, those given by name after those given by place."""
    if not named:
        return inputs
    bound = inspect.signature(forward).bind(*inputs, **named)
    return (*bound.args, *bound.kwargs.values())


# Memory


def _arrays(value: Any) -> Iterator[Array]:
    """All arrays in what a link holds for its backward; in links that stand in there as well."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list | set):
        for part in value:
            yield from _arrays(part)
    elif isinstance(value, dict):
        yield from _arrays(tuple(value.values()))
    elif isinstance(value, Module):
        yield from _arrays(tuple(part for part in vars(value).values() if not isinstance(part, Parameter)))


def _owner(array: Array) -> Array:
    """The array whose memory it is a view of."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
