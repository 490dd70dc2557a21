"""Trace: a network walked once, each link writing its operators down."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from maillon.interop.onnx.errors import OnnxError, onnx_package
from maillon.nesting import leaves, rebuilt
from maillon.nn.module import Module, no_grad
from maillon.nn.parameter import Parameter
from maillon.nn.support import errors
from maillon.typing import Array, DType

OPSET = 18
BATCHES = (2, 3)
"""The network is computed with both: a dimension that differs is one that the batch decides."""

Exporter = Callable[..., Any]


@dataclass(frozen=True)
class Value:
    """A value of the ONNX graph: its name, and what it is for each of the batches."""

    name: str
    samples: tuple[Array, Array]

    @property
    def shape(self) -> tuple[int | None, ...]:
        """None stands for what depends on the batch."""
        one, other = (sample.shape for sample in self.samples)
        return tuple(n if n == m else None for n, m in zip(one, other, strict=True))

    @property
    def ndim(self) -> int:
        return self.samples[0].ndim

    @property
    def dtype(self) -> DType:
        return self.samples[0].dtype

    def sizes(self, count: int) -> tuple[int, ...]:
        """The last dimensions, which must not depend on the batch."""
        last = self.shape[-count:] if count else ()
        if None in last:
            raise OnnxError(
                f"to_onnx: expected the last {count} dimensions of {self.name!r} to be known, got {self.shape}. "
                "Only the batch may be left open."
            )
        return tuple(n for n in last if n is not None)


class Trace:
    """The nodes, weights and inputs of the ONNX graph that is being written.

    Wherever an operator takes a value it may be a Value, a name, a Parameter or buffer (an initializer, which learns),
    an array, a float of the network's dtype, an integer or a list of them (a Constant), or None for an absent one.
    """

    def __init__(self, network: Module, exporters: Mapping[type, Exporter], refused: Mapping[type, str]) -> None:
        self.onnx: Any = onnx_package("to_onnx")
        self.dtype = network.dtype
        self.nodes: list[Any] = []
        self.weights: dict[str, Array] = {}
        self.inputs: dict[str, Value] = {}
        self._exporters, self._refused = exporters, refused
        self._path: list[str] = []
        self._counts: dict[str, int] = {}
        self._named: dict[tuple[int, str], str] = {}
        self._of_network: dict[int, str] = {id(array): name for name, array in network.named_buffers()}
        self._of_network |= {id(parameter): name for name, parameter in network.named_parameters()}

    # Links

    def link(self, key: str, link: Module, *given: Any) -> Any:
        """Write the link down; returns its output, nested as the link nests it."""
        with self._at(key):
            if (reason := self._refused.get(type(link))) is not None:
                raise self.refusal(link, reason)
            exporter = self._exporters.get(type(link))
            if exporter is None:
                raise self.refusal(link, "to_onnx knows the links of maillon only")
            given = self._integers_where_they_are_taken(link, given)
            made = exporter(self, link, *given)
            if all(part is None or isinstance(part, Value) for part in leaves(made)):
                return made
            with no_grad(), np.errstate(all="ignore"):
                samples = [leaves(link(*_sampled(given, place))) for place in range(len(BATCHES))]
            return rebuilt(made, iter(map(_valued, leaves(made), *samples)))

    def refusal(self, link: Module, reason: str) -> OnnxError:
        """The error for a link that cannot be written down."""
        place = ".".join(part for part in self._path if part)
        shown = f"{errors.shown(link)} at {place!r}" if place else errors.shown(link)
        return OnnxError(f"to_onnx: {shown} has no ONNX form: {reason}.")

    @contextmanager
    def _at(self, key: str) -> Iterator[None]:
        self._path.append(key)
        try:
            yield
        finally:
            self._path.pop()

    def _integers_where_they_are_taken(self, link: Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """An input of the network that goes to an Embedding is one of indices."""
        from maillon.nn.linear.embedding import Embedding

        if type(link) is not Embedding or given[0].name not in self.inputs:
            return given
        one, other = (np.zeros(sample.shape, np.int64) for sample in given[0].samples)
        self.inputs[given[0].name] = indices = Value(given[0].name, (one, other))
        return (indices,)

    # Values

    def input(self, name: str, samples: tuple[Array, Array]) -> Value:
        self.inputs[name] = value = Value(name, samples)
        return value

    def op(self, operator: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """A node of the operator; the name of its output, or of each of several."""
        names = [self.name_of(value) for value in inputs]
        while names and not names[-1]:
            names.pop()
        made = [self._fresh(operator) for _ in range(outputs)]
        node = self.onnx.helper.make_node(operator, names, made, name=made[0], **attributes)
        self.nodes.append(node)
        return made[0] if outputs == 1 else tuple(made)

    def apply(self, operator: str, function: Callable[..., Array], *inputs: Value, **attributes: Any) -> Value:
        """A node of the operator as a Value, for links to go on with; function: what NumPy makes of the samples."""
        one, other = (np.asarray(function(*_sampled(inputs, place))) for place in range(len(BATCHES)))
        return Value(self.op(operator, *inputs, **attributes), (one, other))

    def name_of(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, Value | str):
            return value if isinstance(value, str) else value.name
        if isinstance(value, Parameter) or id(value) in self._of_network:
            return self.weight(value)
        if isinstance(value, float):
            value = np.asarray(value, self.dtype)
        elif not isinstance(value, np.ndarray):
            value = np.asarray(value, np.int64)
        name = self._fresh("constant")
        tensor = self.onnx.numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
        self.nodes.append(self.onnx.helper.make_node("Constant", [], [name], name=name, value=tensor))
        return name

    def weight(self, value: Any, change: Callable[[Array], Array] | None = None, suffix: str = "") -> str:
        """The initializer of a Parameter or buffer, written once; change: laid out as ONNX wants it, told by suffix."""
        key = (id(value), suffix)
        if key not in self._named:
            array = value.data if isinstance(value, Parameter) else value
            name = self._of_network.get(id(value)) or self._fresh("weight")
            self.weights[name + suffix] = array if change is None else change(array)
            self._named[key] = name + suffix
        return self._named[key]

    def made_weight(self, name: str, array: Array) -> str:
        """An initializer that is made of several Parameters of the link at hand."""
        full = self._unique(".".join([part for part in self._path if part] + [name]))
        self.weights[full] = array
        return full

    def reshape(self, x: Any, sizes: Sequence[int | None]) -> str:
        """The sizes, None for what the batch decides."""
        return str(self.op("Reshape", x, [-1 if n is None else n for n in sizes]))

    def batched(self, x: Value, dims: int) -> tuple[Any, Callable[[Any], Any]]:
        """x with a batch dimension in front where it lacks one, and what takes it away again."""
        if x.ndim == dims:
            return x, lambda y: y
        return self.op("Unsqueeze", x, [0]), lambda y: self.op("Squeeze", y, [0])

    def _fresh(self, kind: str) -> str:
        return self._unique("/".join([*(part for part in self._path if part), kind]))

    def _unique(self, name: str) -> str:
        count = self._counts.get(name, 0)
        self._counts[name] = count + 1
        return name if not count else f"{name}_{count}"


def _sampled(given: Any, place: int) -> Any:
    """The values of one of the batches, nested as they are given."""
    parts = [part.samples[place] if isinstance(part, Value) else part for part in leaves(given)]
    return rebuilt(given, iter(parts))


def _valued(name: Any, *samples: Any) -> Any:
    return None if name is None else Value(name, (np.asarray(samples[0]), np.asarray(samples[1])))
