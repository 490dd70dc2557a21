"""What is made of links: chains, graphs, branches and what joins them."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from maillon.interop.onnx.trace import Exporter, Trace, Value
from maillon.nn import joints
from maillon.nn.containers import Sequential, takes_several
from maillon.nn.graph import Graph, address
from maillon.nn.module import Module
from maillon.nn.support import errors


def handed(t: Trace, key: str, link: Module, x: Any) -> Any:
    """As `containers.handed`: a tuple becomes several inputs where the link takes several."""
    several = type(x) is tuple and len(x) > 1 and takes_several(type(link).forward)
    return t.link(key, link, *x) if several else t.link(key, link, x)


def sequential(t: Trace, chain: Any, *given: Any) -> Any:
    x = given if len(given) > 1 else given[0]
    for key, link in chain.named_children():
        with errors.inside(chain, key):
            x = handed(t, key, link, x)
    return x


def graph(t: Trace, link: Any, *given: Any) -> Any:
    if len(given) == 1 < len(link.inputs):
        (given,) = given
    values = dict(zip(link.inputs, given, strict=True))
    for key, node in link.named_children():
        sources = [_at(values, source) for source in link.sources[key]]
        with errors.inside(link, key):
            values[key] = t.link(key, node, *sources) if len(sources) > 1 else handed(t, key, node, sources[0])
    if isinstance(link.outputs, str):
        return _at(values, link.outputs)
    return tuple(_at(values, name) for name in link.outputs)


def _at(values: dict[str, Any], source: str) -> Any:
    name, places = address(source, values)
    value = values[name]
    for place in places:
        value = value[place]
    return value


def residual(t: Trace, link: Any, x: Value) -> Any:
    with errors.inside(link, "link"):
        y = t.link("link", link.link, x)
    around = x
    if link.shortcut is not None:
        with errors.inside(link, "shortcut"):
            around = t.link("shortcut", link.shortcut, x)
    return t.apply("Add", np.add, y, around)


def parallel(t: Trace, link: Any, *given: Any) -> Any:
    parts = _parts(given)
    parts = parts * len(link) if len(parts) == 1 else parts
    return tuple(handed(t, key, child, x) for x, (key, child) in zip(parts, link.named_children(), strict=True))


def folded(operator: str) -> Exporter:
    """An operator of two, from the left to the right."""

    def export(t: Trace, link: Any, *given: Any) -> Any:
        y, *others = _parts(given)
        for x in others:
            y = t.op(operator, y, x)
        return y

    return export


def weighted_sum(t: Trace, link: Any, *given: Any) -> Any:
    first, *others = (t.op("Mul", x, weight) for x, weight in zip(_parts(given), link.weights, strict=True))
    return reduce(lambda y, x: t.op("Add", y, x), others, first)


def concat(t: Trace, link: Any, *given: Any) -> Any:
    return t.op("Concat", *_parts(given), axis=link.dim)


def _parts(given: Sequence[Any]) -> tuple[Any, ...]:
    return given[0] if len(given) == 1 and type(given[0]) is tuple else tuple(given)


EXPORTERS: dict[type, Exporter] = {
    Sequential: sequential,
    Graph: graph,
    joints.Residual: residual,
    joints.Parallel: parallel,
    joints.Add: folded("Add"),
    joints.WeightedSum: weighted_sum,
    joints.Multiply: folded("Mul"),
    joints.Concat: concat,
}
