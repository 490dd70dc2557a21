"""Reader: the nodes of an ONNX graph walked once, each becoming links or, where only constants go in, a constant."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maillon.interop.onnx.errors import OnnxError
from maillon.interop.onnx.fold import evaluated
from maillon.interop.onnx.model import MOST, title
from maillon.nesting import leaves, rebuilt
from maillon.nn.module import Module, no_grad
from maillon.nn.parameter import Parameter
from maillon.nn.support.errors import LinkError

NO_LINK = "maillon has no link for it"
Pair = tuple[Any, Any]
"""Of each of two batches, as in `trace`: what differs is what the batch decides."""


@dataclass
class Known:
    """What does not depend on the data: the same for both batches, or a shape and what was made of it.

    name: of the initializer that it is, which then learns; tag: in which layout.
    """

    samples: Pair
    name: str | None = None
    tag: str = ""

    @property
    def is_constant(self) -> bool:
        one, other = self.samples
        return one.shape == other.shape and bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))


@dataclass
class State:
    """The last state of a recurrent link, whose whole output is given; which: of one direction alone."""

    whole: "Live"
    directions: int
    which: int | None = None

    def of(self, which: int) -> "State":
        """That of one direction."""
        return State(self.whole, self.directions, which)


@dataclass
class Live:
    """What depends on the data: where a Graph finds it, and what it is for each of the batches.

    reshaped: the value that this one is in another shape; permuted: that value and the order of its dimensions;
    parts: what was joined, and along which axis; state: of which recurrent link it is the last one.
    """

    source: str
    samples: Pair
    reshaped: "Live | None" = None
    permuted: "tuple[Live, tuple[int, ...]] | None" = None
    parts: "tuple[list[Live], int] | None" = None
    state: State | None = None

    @property
    def shape(self) -> tuple[int | None, ...]:
        """None stands for what depends on the batch."""
        one, other = (sample.shape for sample in self.samples)
        return tuple(n if n == m else None for n, m in zip(one, other, strict=True))

    @property
    def ndim(self) -> int:
        return int(self.samples[0].ndim)

    @property
    def is_real(self) -> bool:
        return bool(self.samples[0].dtype.kind == "f")


@dataclass
class Node:
    """One node of the file: its operator's name, attributes, inputs (None where absent) and version."""

    proto: Any
    attributes: dict[str, Any]
    inputs: list[Any]
    version: int
    outputs: list[str]

    @property
    def operator(self) -> str:
        return str(self.proto.op_type)

    def refusal(self, reason: str) -> OnnxError:
        return OnnxError(f"from_onnx: {title(self.proto)}: {reason}.")

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute, or what it is when left out."""
        return self.attributes.get(name, default)

    def input(self, place: int) -> Any:
        return self.inputs[place] if place < len(self.inputs) else None

    def live(self, place: int = 0) -> Live:
        value = self.input(place)
        if not isinstance(value, Live):
            raise self.refusal(f"its input {place} does not depend on the data, which maillon has no link for")
        if not value.is_real:
            raise self.refusal(f"expected numbers of float or double as input {place}, got {value.samples[0].dtype}")
        return value

    def constant(self, place: int, default: Any = None) -> Any:
        """The constant input; the default where it is absent."""
        value = self.input(place)
        if value is None:
            return default
        if isinstance(value, Live):
            raise self.refusal(f"its input {place} must be a constant, and depends on the data")
        if not value.is_constant:
            raise self.refusal(f"its input {place} must be a constant, and depends on the size of the batch")
        return value.samples[0]

    def integers(self, place: int, name: str, default: Any = None) -> list[int] | None:
        """Integers that newer versions give as an input and older ones as an attribute."""
        found = self.constant(place)
        found = self.get(name, default) if found is None else found
        return None if found is None else [int(n) for n in np.reshape(found, -1)]

    def room(self, *sizes: int) -> None:
        """Refuse to make more values than a file may ask for."""
        if (wanted := math.prod(sizes)) > MOST:
            raise self.refusal(f"it asks for {wanted} values, more than the {MOST} that one node may make")

    def only(self, **allowed: Any) -> None:
        """Refuse an attribute that has another value than this one."""
        for name, value in allowed.items():
            if (got := self.get(name, value)) != value:
                raise self.refusal(f"{name}={got!r} is not supported: maillon has no link for it")


Converter = Callable[["Reader", Node], Any]


@dataclass
class Reader:
    """What has been read so far: values by their names in the file, links by theirs in the Graph."""

    onnx: Any
    opset: int
    converters: Mapping[str, Converter]
    refused: Mapping[str, str]
    taken: set[str] = field(default_factory=set)
    declared_batch: int | None = None
    users: dict[str, int] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, tuple[Module, tuple[str, ...]]] = field(default_factory=dict)
    parameters: dict[tuple[str, str], Parameter] = field(default_factory=dict)

    def read(self, proto: Any) -> None:
        """Convert one node."""
        node = self._node(proto)
        given = [value for value in node.inputs if value is not None]
        if all(isinstance(value, Known) for value in given) or proto.op_type in ("Shape", "Size"):
            found: Any = evaluated(self, node)
        else:
            converter = self.converters.get(proto.op_type)
            if converter is None:
                raise node.refusal(self.refused.get(proto.op_type, NO_LINK))
            found = self._converted(converter, node)
        found = found if isinstance(found, tuple) else (found,)
        for place, name in enumerate(node.outputs):
            if name and place >= len(found):
                if self.users.get(name):
                    raise node.refusal(f"its output {place} ({name!r}) is used, and maillon's link does not give it")
            elif name:
                self.values[name] = found[place]

    def _converted(self, converter: Converter, node: Node) -> Any:
        try:
            return converter(self, node)
        except LinkError as error:
            raise node.refusal(f"its input does not fit: {str(error).rstrip('.')}") from None
        except (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, NotImplementedError) as error:
            if isinstance(error, OnnxError):
                raise
            raise node.refusal(f"what it says makes no link: {str(error).rstrip('.')}") from None

    def _node(self, proto: Any) -> Node:
        attributes = {}
        for entry in proto.attribute:
            value = self.onnx.helper.get_attribute_value(entry)
            if entry.type == self.onnx.AttributeProto.STRING:
                value = value.decode(errors="replace")
            attributes[entry.name] = [part.decode() for part in value] if _texts(value) else value
        version = self.onnx.defs.get_schema(proto.op_type, self.opset, "").since_version
        inputs = [self.values[name] if name else None for name in proto.input]
        return Node(proto, attributes, inputs, version, list(proto.output))

    # Links

    def link(self, node: Node, link: Module, *lives: Any) -> Any:
        """Put a link into the network; its output as a value, nested as the link nests it."""
        made = self.computed(node, link, *lives)
        name = self._named(node)
        self.nodes[name] = (link, tuple(live.source for live in lives))
        return _sourced(name, *made)

    def chain(self, node: Node, x: Live, *links: Module) -> Live:
        """One link after the other."""
        for link in links:
            x = self.link(node, link, x)
        return x

    def pointwise(self, node: Node, link: Module, x: Live) -> Live:
        """A link that looks at each value alone: before the dimensions are turned it does the same."""
        if x.permuted is None:
            return self.link(node, link, x)
        root, order = x.permuted
        return self.permuted(node, self.link(node, link, root), order)

    def computed(self, node: Node, link: Module, *lives: Live) -> Pair:
        """What the link makes of both batches."""
        training = link.training
        with no_grad(), np.errstate(all="ignore"):
            link.eval()
            made = tuple(link(*(live.samples[place] for live in lives)) for place in (0, 1))
        link.train(training)
        return made[0], made[1]

    def _named(self, node: Node) -> str:
        base = node.proto.name or node.outputs[0]
        base = "_".join(part for part in base.replace("/", ".").replace(":", ".").split(".") if part)
        base, name, count = base or node.operator, base or node.operator, 1
        while name in self.nodes or name in self.taken:
            count += 1
            name = f"{base}_{count}"
        return name

    def parameter(self, known: Known, array: Any, tag: str = "") -> Parameter:
        """The Parameter of an initializer in a layout; the same one wherever it is used again."""
        if known.name is None:
            return Parameter(np.array(array))
        return self.parameters.setdefault((known.name, known.tag + tag), Parameter(np.array(array)))

    # Shapes

    def reshaped(self, node: Node, x: Live, samples: Pair) -> Live:
        """x in the shapes of the samples: as it is, as what it was before, or by a Flatten, Unflatten or Reshape."""
        from maillon.interop.onnx.operators.shapes import reshape_link

        root = x.reshaped or x
        if all(np.array_equal(part.shape, own.shape) for part, own in zip(samples, root.samples, strict=True)):
            return root
        made: Live = self.link(node, reshape_link(node, root, Live("", samples)), root)
        made.reshaped = root
        return made

    def permuted(self, node: Node, x: Live, order: Sequence[int]) -> Live:
        """x with its dimensions in that order, or what it was before it was turned."""
        from maillon.interop.onnx.links.shapes import Permute

        root, before = x.permuted or (x, tuple(range(x.ndim)))
        whole = tuple(before[axis] for axis in order)
        if whole == tuple(range(x.ndim)):
            return root
        made: Live = self.link(node, Permute(whole), root)
        made.permuted = (root, whole)
        moved = [axis for axis in whole if root.shape[axis] != 1]
        if moved == sorted(moved):  # only lengths of 1 have moved: the values lie as before
            made.reshaped = root.reshaped or root
        return made


def whole(made: tuple[Any, ...]) -> Live:
    """All that a link gives, as the one value that Graph calls by the link's name."""
    parts = leaves(made)
    one, other = (rebuilt(made, iter([part.samples[place] for part in parts])) for place in (0, 1))
    return Live(parts[0].source.split(".")[0], (one, other))


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], bytes)


def _sourced(name: str, one: Any, other: Any) -> Any:
    if isinstance(one, tuple):
        return tuple(_sourced(f"{name}.{place}", *parts) for place, parts in enumerate(zip(one, other, strict=True)))
    return Live(name, (np.asarray(one), np.asarray(other)))
