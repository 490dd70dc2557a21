"""A network as the forward of one module of PyTorch, which shows its code: torch.fx writes it."""

import inspect
import keyword
import math
import operator
import re
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import fx

from maillon import nn
from maillon.interop.pytorch.graphs import output_structure
from maillon.interop.pytorch.layers import Structure
from maillon.interop.pytorch.writing import Writer
from maillon.nn import Module

Value = Any
"""A node of torch.fx, or a tuple of values."""


def emitted(writer: Writer, network: Module) -> Any:
    """The module: its graph calls the layers under the names that they have in the network."""
    code = _Code(writer, type(network).__name__)
    if isinstance(network, nn.Graph):
        names: Sequence[str] = network.inputs
    else:
        names = ("prediction", "target") if isinstance(network, nn.Loss) else ("x",)
    inputs = [code.graph.placeholder(_identifier(name)) for name in names]
    code.graph.output(code.value(network, "", list(inputs)))
    for path in code.held:
        if hasattr(fx.GraphModule, path.split(".")[0]):
            writer.refuse_name(f"{type(network).__name__}.{path}", path.split(".")[0])
    module = fx.GraphModule(code.held, code.graph, class_name="Network")
    module.graph.eliminate_dead_code()
    module.recompile()
    return module


def _identifier(name: str) -> str:
    name = re.sub(r"\W", "_", name)
    return f"{name}_" if keyword.iskeyword(name) or not name.isidentifier() else name


class _Code:
    """The graph as it grows, and the layers and parameters that it uses, by their paths."""

    def __init__(self, writer: Writer, where: str) -> None:
        self.graph = fx.Graph()
        self.held: dict[str, Any] = {}
        self._writer, self._where = writer, where
        self._rules: dict[type[Module], Callable[[Any, str, list[Value]], Value]] = {
            nn.Sequential: self._sequential,
            nn.Parallel: self._parallel,
            nn.Residual: self._residual,
            nn.Graph: self._graph,
            nn.Add: self._joined,
            nn.WeightedSum: self._joined,
            nn.Multiply: self._joined,
            nn.Concat: self._joined,
            nn.Scale: self._scaled,
            nn.PeriodicEmbedding: self._periodic,
            nn.LastStep: self._last_step,
            nn.EveryStep: lambda link, path, given: given[0][0],
            nn.SinusoidalPositionalEncoding: self._sinusoids,
            nn.LearnedPositionalEncoding: self._learned,
            nn.HalfMSELoss: self._half_mse,
        }

    def value(self, link: Module, path: str, given: list[Value]) -> Value:
        """What the link makes of its inputs."""
        where = f"{self._where}.{path}".rstrip(".")
        made = self._writer.direct(link, where)
        if made is not None:
            given = (
                list(given[0]) if isinstance(given[0], tuple) and len(given) == 1 and _needs_several(link) else given
            )
            self.held[path] = made
            return self._parts(self.graph.call_module(path, tuple(given)), output_structure(link))
        alone = isinstance(link, nn.EveryStep) and not isinstance(given[0], tuple)
        if type(link) not in self._rules or alone:
            raise self._writer.refusal(where, link)
        return self._rules[type(link)](link, path, given)

    def call(self, function: Callable[..., Any], *args: Any, called: str = "", **named: Any) -> fx.Node:
        """A call of a function; called: the path of the link whose output it is."""
        name = _identifier(called.replace(".", "_")) if called else None
        return self.graph.create_node("call_function", function, args, named, name)

    def _parts(self, node: fx.Node, nested: Structure) -> Value:
        if nested is None:
            return node
        return tuple(self._parts(self.call(operator.getitem, node, place), part) for place, part in enumerate(nested))

    # Containers and joints

    def _sequential(self, link: nn.Sequential, path: str, given: list[Value]) -> Value:
        for name, child in link.named_children():
            given = [self.value(child, _inside(path, name), given)]
        return given[0] if len(given) == 1 else tuple(given)

    def _parallel(self, link: nn.Parallel, path: str, given: list[Value]) -> Value:
        each = _several(given)
        each = each * len(link) if len(each) == 1 else each
        children = zip(link.named_children(), each, strict=True)
        return tuple(self.value(child, _inside(path, name), [one]) for (name, child), one in children)

    def _residual(self, link: nn.Residual, path: str, given: list[Value]) -> Value:
        y = self.value(link.link, _inside(path, "link"), given)
        if link.shortcut is None:
            return self.call(operator.add, y, given[0], called=path)
        around = self.value(link.shortcut, _inside(path, "shortcut"), given)
        return self.call(operator.add, y, around, called=path)

    def _graph(self, link: nn.Graph, path: str, given: list[Value]) -> Value:
        given = list(given[0]) if len(given) == 1 < len(link.inputs) and isinstance(given[0], tuple) else given
        values: dict[str, Value] = dict(zip(link.inputs, given, strict=True))
        for name, (child, *sources) in link.nodes.items():
            values[name] = self.value(child, _inside(path, name), [self._at(values, one) for one in sources])
        if isinstance(link.outputs, str):
            return self._at(values, link.outputs)
        return tuple(self._at(values, one) for one in link.outputs)

    def _at(self, values: dict[str, Value], address: str) -> Value:
        """The value of an address, "lstm.1.0"."""
        parts = address.split(".")
        end = next(end for end in range(len(parts), 0, -1) if ".".join(parts[:end]) in values)
        value = values[".".join(parts[:end])]
        for place in map(int, parts[end:]):
            value = value[place] if isinstance(value, tuple) else self.call(operator.getitem, value, place)
        return value

    def _joined(self, link: Module, path: str, given: list[Value]) -> Value:
        parts = _several(given)
        if len(parts) == 1 and not path:  # how many it would be given is not known
            raise self._writer.refusal(self._where, link)
        if isinstance(link, nn.Concat):
            return self.call(torch.cat, tuple(parts), link.dim, called=path)
        if isinstance(link, nn.WeightedSum):
            parts = [self.call(operator.mul, part, weight) for part, weight in zip(parts, link.weights, strict=True)]
        function = operator.mul if isinstance(link, nn.Multiply) else operator.add
        return reduce(lambda value, part: self.call(function, value, part, called=path), parts)

    # What PyTorch has no layer for

    def _parameter(self, link: Any, path: str, name: str) -> fx.Node:
        """The link's parameter of that name, of the module's own."""
        where = _inside(path, name)
        self.held[where] = self._writer.parameter(getattr(link, name))
        return self.graph.get_attr(where)

    def _scaled(self, link: nn.Scale, path: str, given: list[Value]) -> Value:
        (x,) = given
        return self.call(operator.mul, x, self._parameter(link, path, "weight"), called=path)

    def _periodic(self, link: nn.PeriodicEmbedding, path: str, given: list[Value]) -> Value:
        frequency, phase, weight, bias = (
            self._parameter(link, path, name) for name in ("frequency", "phase", "weight", "bias")
        )
        column = self.call(torch.unsqueeze, given[0], -1)
        turns = self.call(operator.mul, column, frequency)
        turns = self.call(operator.sub, turns, self.call(torch.round, turns))
        waves = self.call(torch.cos, self.call(operator.add, self.call(operator.mul, turns, 2 * math.pi), phase))
        sums = self.call(torch.matmul, weight, self.call(torch.unsqueeze, waves, -1))
        sums = self.call(operator.add, self.call(torch.squeeze, sums, -1), bias)
        return self.call(torch.flatten, self.call(torch.cat, (column, sums), -1), -2, called=path)

    def _last_step(self, link: nn.LastStep, path: str, given: list[Value]) -> Value:
        state = given[0][1] if isinstance(given[0], tuple) else None
        h = state[0] if isinstance(state, tuple) else state
        recurrent = None if h is None else self._maker(h)
        if recurrent is None:
            raise self._writer.refusal(f"{self._where}.{path}".rstrip("."), link)
        if not recurrent.bidirectional:
            return self.call(operator.getitem, h, -1, called=path)
        ends = tuple(self.call(operator.getitem, h, row) for row in (-2, -1))
        return self.call(torch.cat, ends, -1, called=path)

    def _maker(self, node: fx.Node) -> Any:
        """The recurrent layer that a value comes from."""
        while node.op == "call_function" and node.target is operator.getitem:
            node = node.args[0]
        module = self.held.get(str(node.target))
        while isinstance(module, torch.nn.Sequential):
            module = module[-1]
        return module if isinstance(module, torch.nn.RNN | torch.nn.LSTM | torch.nn.GRU) else None

    def _sinusoids(self, link: nn.SinusoidalPositionalEncoding, path: str, given: list[Value]) -> Value:
        (x,) = given
        width, double = link.embed_dim, torch.float64
        steps = self.call(torch.arange, self.graph.call_method("size", (x, -2)), dtype=double)
        waves = self.call(operator.neg, self.call(torch.arange, 0, width, 2, dtype=double))
        rates = self.call(torch.pow, link.base, self.call(operator.truediv, waves, width))
        angles = self.call(torch.outer, steps, rates)
        pairs = self.call(torch.stack, (self.call(torch.sin, angles), self.call(torch.cos, angles)), -1)
        table = self.call(torch.narrow, self.call(torch.flatten, pairs, -2), -1, 0, width)
        return self._dropped(link, path, self.call(operator.add, x, self.graph.call_method("type_as", (table, x))))

    def _learned(self, link: nn.LearnedPositionalEncoding, path: str, given: list[Value]) -> Value:
        (x,) = given
        length = self.graph.call_method("size", (x, -2))
        table = self.call(torch.narrow, self._parameter(link, path, "weight"), 0, 0, length)
        return self._dropped(link, path, self.call(operator.add, x, table))

    def _dropped(self, link: Any, path: str, value: fx.Node) -> fx.Node:
        if not link.dropout:
            return value
        name = _inside(path, "_dropout")
        self.held[name] = torch.nn.Dropout(link.dropout)
        return self.graph.call_module(name, (value,))

    def _half_mse(self, link: nn.HalfMSELoss, path: str, given: list[Value]) -> Value:
        whole = self.call(torch.nn.functional.mse_loss, *given, reduction=link.reduction)
        return self.call(operator.truediv, whole, 2)


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _several(given: list[Value]) -> list[Value]:
    return list(given[0]) if len(given) == 1 and isinstance(given[0], tuple) else given


def _needs_several(link: Module) -> bool:
    """Whether a link's forward needs two inputs or more, so that a tuple becomes its inputs."""
    given = list(inspect.signature(type(link).forward).parameters.values())[1:]
    return sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in given) > 1
