"""The nodes of our Graph, from the calls of a trace: each becomes a link, or a word about another value."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import fx

from maillon import nn
from maillon.interop.pytorch import functions
from maillon.interop.pytorch.layers import Structure, structure
from maillon.interop.pytorch.reading import NotReadError, Reader, is_of_torch
from maillon.interop.pytorch.tracing import function_name, names_before
from maillon.interop.wiring import Wiring
from maillon.nn import Module


class Address(NamedTuple):
    """A value of the Graph: "lstm.0"; how it is nested, and the recurrent link that it is of, if any."""

    name: str
    nested: Structure = None
    of: str = ""


class Size(NamedTuple):
    """A size of a value, x.size(0), or with dim None all of them."""

    value: fx.Node
    dim: int | None


class Zeros(NamedTuple):
    """Zeros: the state that a recurrent layer begins with anyway."""


class LastState(NamedTuple):
    """h of one direction of a recurrent layer's last layer: -1 or -2 of both."""

    of: str
    row: int


class Nodes:
    """Of each call of the trace what stands for it here."""

    def __init__(
        self, reader: Reader, module: Any, where: str, graph: fx.Graph, lines: dict[str, str], dims: dict[str, int]
    ) -> None:
        self._reader, self._module, self._where = reader, module, where
        self._graph, self._lines, self._dims = graph, lines, dims
        self._wiring = Wiring(names_before(str(node.target) for node in graph.nodes if node.op == "call_module"))
        self._values: dict[fx.Node, Any] = {}
        self._absent: set[str] = set()
        self._by_row: set[fx.Node] = set()
        self._special: dict[str, Callable[[fx.Node], Any]] = {
            "getitem": self._item, "getattr": self._attribute, "size": self._size, "view": self._view,
            "reshape": self._view, "mean": self._mean, "pad": self._pad, "squeeze": self._squeeze,
        }  # fmt: skip
        self._special |= dict.fromkeys(functions.JOINS, self._joined) | dict.fromkeys(functions.CATS, self._cat)
        self._special |= dict.fromkeys(functions.MADE_OF_ZEROS, lambda node: Zeros())

    def network(self) -> Module:
        """The whole: what leads to no output is left out."""
        output = next(node for node in self._graph.nodes if node.op == "output")
        wanted = _needed(output)
        for node in self._graph.nodes:
            if (node in wanted and node is not output) or node.op == "placeholder":
                self._values[node] = self._value(node)
        given = output.args[0]
        several = isinstance(given, tuple | list)
        names = [self._source(output, one) for one in (given if several else [given])]
        if idle := self._wiring.unused_inputs(names):
            raise NotReadError(f"from_torch: {self._where}: its forward does not use the input {', '.join(idle)}.")
        try:
            return self._wiring.network(names, several)
        except ValueError as error:
            raise NotReadError(f"from_torch: {self._where}: {error}") from error

    # What a call becomes

    def _value(self, node: fx.Node) -> Any:
        kinds = {"placeholder": self._input, "get_attr": self._held, "call_module": self._call}
        return kinds.get(node.op, self._called)(node)

    def _input(self, node: fx.Node) -> Address:
        return Address(self._wiring.input(str(node.target)))

    def _held(self, node: fx.Node) -> Any:
        raise self._refusal(node, f"self.{node.target} is used outside a layer", "Move it into a layer.")

    def _called(self, node: fx.Node) -> Any:
        name = function_name(node)
        if name in self._special:
            return self._special[name](node)
        first = self._values.get(node.args[0]) if node.args and isinstance(node.args[0], fx.Node) else None
        if name in functions.PASSED_ON or (name in functions.MOVED and isinstance(first, Zeros)):
            return first
        if name in functions.ONE_INPUT | functions.TWO_INPUTS:
            return self._function(node, name)
        told = name or getattr(node.target, "__name__", str(node.target))
        raise self._refusal(node, f"there is no link for {told}()", "Write it with layers, or as a link of yours.")

    def _function(self, node: fx.Node, name: str) -> Address:
        count = 2 if name in functions.TWO_INPUTS else 1
        named = {key: value for key, value in node.kwargs.items() if key not in ("input", "x1", "x2")}
        inputs = [node.kwargs[key] for key in ("input", "x1", "x2") if key in node.kwargs] or node.args[:count]
        args = node.args[count:] if len(inputs) and inputs[0] is (node.args or [None])[0] else node.args
        try:
            asked = functions.named_arguments(name, tuple(args), named)
            if _needed_in(asked):
                raise ValueError("its options are values of the network")
            link = functions.link_of(name, asked)
        except (ValueError, TypeError, NotImplementedError) as error:
            raise self._refusal(node, f"{name}() cannot be a link: {error}", "Use the layer of that name.") from error
        return self._added(node.name, link, *(self._source(node, one) for one in inputs))

    def _call(self, node: fx.Node) -> Address:
        path = str(node.target)
        module = self._module.get_submodule(path)
        link = self._reader.read(module, f"{self._where}.{path}")
        sources = [self._source(node, one) for one in self._arguments(node, module, link)]
        name = self._wiring.place(path, link, *sources)
        if type(module).__name__ == "MultiheadAttention" and node.kwargs.get("need_weights") is False:
            self._absent.add(f"{name}.1")
        recurrent = name if isinstance(link, nn.RNN | nn.LSTM | nn.GRU) else ""
        return Address(name, output_structure(link), recurrent)

    def _arguments(self, node: fx.Node, module: Any, link: Module) -> list[Any]:
        """The values that the module is given, by place; what it is told beside them must be as it would be anyway."""
        if not node.kwargs and not is_of_torch(module):
            return list(node.args)
        bound = inspect.signature(module.forward).bind(*node.args, **node.kwargs)
        found: list[Any] = []
        parameters = inspect.signature(module.forward).parameters
        for place, (name, value) in enumerate(bound.arguments.items()):
            plain = not _needed_in(value)
            harmless = name == "need_weights" and len(found) == 3
            zeros = name == "hx" and not plain and self._is_zeros(value)
            if zeros or (
                plain and (value is parameters[name].default or value == parameters[name].default or harmless)
            ):
                continue
            if plain or place != len(found):
                way_out = "In a Graph a link is given values alone, by place: write it with a link of your own."
                raise self._refusal(node, f"{type(module).__name__} is given {name}={value!r}", way_out)
            found.append(value)
        return found

    def _is_zeros(self, value: Any) -> bool:
        parts = value if isinstance(value, tuple | list) else [value]
        return all(isinstance(self._values.get(part), Zeros) for part in parts)

    def _joined(self, node: fx.Node) -> Any:
        kind = functions.JOINS[function_name(node)]
        neutral = 0 if kind == "Add" else 1
        values = [one for one in node.args if isinstance(one, fx.Node) or one != neutral or isinstance(one, bool)]
        if node.kwargs or not all(isinstance(one, fx.Node) for one in values):
            raise self._refusal(node, f"there is no link that {kind.lower()}s numbers", "Move it into a Linear.")
        if len(values) == 1:
            return self._values[values[0]]
        return self._added(node.name, getattr(nn, kind)(), *(self._source(node, one) for one in values))

    def _cat(self, node: fx.Node) -> Address:
        parts = node.args[0] if node.args else node.kwargs["tensors"]
        dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", node.kwargs.get("axis", 0))
        values = [self._values.get(part) for part in parts]
        states = [value for value in values if isinstance(value, LastState)]
        if len(states) == 2 and [state.row for state in states] == [-2, -1] and dim in (1, -1):
            return self._added(node.name, nn.LastStep(), states[0].of)
        return self._added(node.name, nn.Concat(dim), *(self._source(node, part) for part in parts))

    def _mean(self, node: fx.Node) -> Address:
        first, *args = node.args
        dims = args[0] if args else node.kwargs.get("dim")
        keepdim = bool(args[1] if len(args) > 1 else node.kwargs.get("keepdim", False))
        ndim = self._dims.get(first.name) if isinstance(first, fx.Node) else None
        over = (dims,) if isinstance(dims, int) else tuple(dims or ())
        link = functions.mean(over, keepdim, ndim) if over else None
        if link is None:
            known = "no pool means the same" if ndim else "what it is a mean of depends on the number of dimensions"
            way_out = "Replace it." if ndim else "Give inputs for a trial: from_torch(module, example)."
            raise self._refusal(node, known, way_out)
        return self._added(node.name, link, self._source(node, first))

    def _pad(self, node: fx.Node) -> Address:
        try:
            link = functions.padding(*node.args[1:], **node.kwargs)
        except (TypeError, ValueError) as error:
            raise self._refusal(node, f"pad() cannot be a link: {error}", "Use the layer of that kind.") from error
        return self._added(node.name, link, self._source(node, node.args[0]))

    # Sizes, and what is made of them

    def _size(self, node: fx.Node) -> Size:
        args = node.args[1:] or tuple(node.kwargs.values())
        return Size(_node(node.args[0]), args[0] if args else None)

    def _attribute(self, node: fx.Node) -> Any:
        if node.args[1] in ("shape", "device", "dtype"):
            return Size(_node(node.args[0]), None)
        raise self._refusal(node, f"there is no link for .{node.args[1]}", "Write it with layers.")

    def _view(self, node: fx.Node) -> Address:
        sizes = node.args[1] if isinstance(node.args[1], tuple | list) else node.args[1:]
        kept = 0
        for place, size in enumerate(sizes):
            known = self._values.get(size) if isinstance(size, fx.Node) else None
            if not isinstance(known, Size) or known.dim != place or not self._same(known, _node(node.args[0])):
                break
            kept += 1
        others = tuple(sizes[kept:])
        if not others or not all(isinstance(size, int) for size in others):
            way_out = "Keep the first sizes, as in x.view(x.size(0), -1), and say the others as numbers."
            raise self._refusal(node, f"{node.target}() takes sizes that are computed", way_out)
        flat = kept and len(others) == 1
        linear = others[0] == -1 and len(others) == 2 and all(self._takes(user, others[1]) for user in node.users)
        link = nn.Flatten(kept or 1) if flat or (linear and not kept) else functions.reshape(kept, others)
        if kept:
            self._by_row.add(node)
        return self._added(node.name, link, self._source(node, node.args[0]))

    def _takes(self, user: fx.Node, features: Any) -> bool:
        found = self._module.get_submodule(str(user.target)) if user.op == "call_module" else None
        return type(found).__name__ == "Linear" and getattr(found, "in_features", None) == features

    def _same(self, size: Size, value: fx.Node) -> bool:
        """Whether the value has this size: it is the one that was asked, or what layers made of it, row by row."""
        return size.value is value or (size.dim == 0 and self._rows(size.value) is self._rows(value))

    def _rows(self, node: fx.Node) -> fx.Node:
        """The value whose first dimension this one has kept."""
        name = function_name(node)
        keeps = node.op == "call_module" and is_of_torch(self._module.get_submodule(str(node.target)))
        if keeps:
            layer = self._module.get_submodule(str(node.target))
            keeps = "latten" not in type(layer).__name__ and not hasattr(layer, "batch_first")
            keeps = keeps and not isinstance(self._values[node].nested, tuple)
        elif name in functions.ONE_INPUT or name in functions.JOINS:
            keeps = "latten" not in name
        else:
            keeps = node in self._by_row
        first = node.args[0] if node.args else None
        return self._rows(first) if keeps and isinstance(first, fx.Node) else node

    # Parts of a value

    def _item(self, node: fx.Node) -> Any:
        value, index = self._values[_node(node.args[0])], node.args[1]
        if isinstance(value, Size) and value.dim is None and isinstance(index, int):
            return Size(value.value, index)
        if isinstance(value, Address) and isinstance(value.nested, tuple) and isinstance(index, int):
            place = range(len(value.nested))[index]
            return Address(f"{value.name}.{place}", value.nested[place], value.of)
        if isinstance(value, Address) and value.of and (found := self._last(node, value, index)) is not None:
            return found
        raise self._refusal(node, f"there is no link that takes [{index}] of a value", "Only the last step is known.")

    def _last(self, node: fx.Node, value: Address, index: Any) -> Any:
        """The last step, or the final state of a layer: what LastStep gives."""
        link: Any = self._wiring.nodes[value.of][0]
        index = tuple(index) if isinstance(index, tuple | list) else (index,)
        while len(index) > 1 and index[-1] == slice(None):
            index = index[:-1]
        if value.name == f"{value.of}.0":
            end = (slice(None), -1) if link.batch_first else (-1,)
            return self._added(node.name, nn.LastStep(), value.of) if index == end and not link.bidirectional else None
        is_h = value.name == f"{value.of}.1" + ".0" * isinstance(link, nn.LSTM)
        if not is_h or len(index) != 1 or not isinstance(index[0], int):
            return None
        rows = link.num_layers * (1 + link.bidirectional)
        row = index[0] if index[0] < 0 else index[0] - rows
        if link.bidirectional:
            return LastState(value.of, row)
        return self._added(node.name, nn.LastStep(), value.of) if row == -1 else None

    def _squeeze(self, node: fx.Node) -> Any:
        value = self._values[_node(node.args[0])]
        if isinstance(value, Address) and value.of and node.args[1:] == (0,):
            link: Any = self._wiring.nodes[value.of][0]
            found = self._last(node, value, -1) if link.num_layers == 1 and not link.bidirectional else None
            if isinstance(found, Address) and not value.name.endswith(f"{value.of}.0"):
                return found
        raise self._refusal(node, "there is no link for squeeze()", "Write it with layers.")

    # Names and words

    def _added(self, name: str, link: Module, *sources: str) -> Address:
        name = self._wiring.add(name, link.train(self._reader.mode(self._module)), *sources)
        return Address(name, output_structure(link))

    def _source(self, node: fx.Node, value: Any) -> str:
        """The address of a value that a node takes; a tuple of several is one that Parallel makes."""
        if isinstance(value, tuple | list) and value:
            names = [self._source(node, part) for part in value]
            whole = names[0].rpartition(".")[0]
            places = [f"{whole}.{place}" for place in range(len(names))]
            if names == places and self._wiring.node_of(whole) and len(names) == self._length(whole):
                return whole
            return self._added("pair", nn.Parallel(*(nn.Identity() for _ in names)), *names).name
        found = self._values.get(value) if isinstance(value, fx.Node) else value
        if isinstance(found, Address) and not any(f"{one}.".startswith(f"{found.name}.") for one in self._absent):
            return found.name
        told = type(found).__name__ if isinstance(found, Size | Zeros | LastState) else repr(value)
        raise self._refusal(node, f"it takes {told} as a value", "Only what layers give can be given to layers.")

    def _length(self, address: str) -> int:
        known = [value for value in self._values.values() if isinstance(value, Address) and value.name == address]
        nested = known[0].nested if known else None
        return len(nested) if isinstance(nested, tuple) else 0

    def _refusal(self, node: fx.Node, problem: str, way_out: str) -> NotReadError:
        return NotReadError(
            f"from_torch: {self._where}: {self._lines.get(node.name, node.name)} — {problem}. {way_out}"
        )


def output_structure(link: Module) -> Structure:
    """How the output of a link is nested, whatever it is made of."""
    if isinstance(link, nn.Sequential) and len(link):
        return output_structure(link[len(link) - 1])
    if isinstance(link, nn.Parallel):
        return tuple(output_structure(part) for part in link)
    if isinstance(link, nn.Graph):
        outputs = link.outputs
        return _part(link, outputs) if isinstance(outputs, str) else tuple(_part(link, name) for name in outputs)
    return structure(link)


def _part(graph: nn.Graph, address: str) -> Structure:
    parts = address.split(".")
    for end in range(len(parts), 0, -1):
        if (name := ".".join(parts[:end])) in graph.nodes:
            nested = output_structure(graph[name])
            for place in parts[end:]:
                nested = nested[int(place)] if isinstance(nested, tuple) else None
            return nested
    return None


def _node(value: Any) -> fx.Node:
    if not isinstance(value, fx.Node):
        raise NotReadError(f"from_torch: expected a value of the network, got {value!r}.")
    return value


def _needed(node: fx.Node) -> set[fx.Node]:
    """All that a node is made of."""
    found, waiting = {node}, [node]
    while waiting:
        new = [one for one in waiting.pop().all_input_nodes if one not in found]
        found.update(new)
        waiting += new
    return found


def _needed_in(value: Any) -> bool:
    """Whether a value, or a part of it, is one of the network."""
    if isinstance(value, dict):
        return any(map(_needed_in, value.values()))
    return isinstance(value, fx.Node) or (isinstance(value, tuple | list) and any(map(_needed_in, value)))
