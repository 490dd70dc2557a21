"""Links to operations: a table keyed by exact type, and the walk along the chain that uses it.

A row of LINKS adds the operations of the link's forward and returns its output, with the function that adds those of
its backward. What the table lacks raises NotLoweredError, and NumPy does the work.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from maillon import random
from maillon.engine.operations import ACTIVATIONS, OPERATIONS, Extent
from maillon.engine.plan import (
    Buffer,
    NotLoweredError as NotLoweredError,  # noqa: PLC0414 - whoever lowers raises it
    Operation,
    address,
)
from maillon.nn import (
    Dropout,
    Flatten,
    Identity,
    LeakyReLU,
    Linear,
    LogSoftmax,
    Module,
    Parameter,
    ReLU,
    Sequential,
    Sigmoid,
    Softmax,
    Tanh,
)
from maillon.nn.support.errors import LinkError, shown
from maillon.typing import Array, DType

_ALIGNMENT = 64  # bytes: a cache line, and the widest register
_BLOCK = 2**14  # bytes
_BYTE = np.dtype(np.uint8)


class Memory:
    """Arrays by name. The plans of one training, on full and on shorter mini-batches, share them.

    Small arrays stand in blocks, each at a cache line of its own: to make many is slow.
    parameters: the buffers of the Parameters' own arrays, by their id.
    """

    def __init__(self) -> None:
        self.parameters: dict[int, Buffer] = {}
        self._arrays: dict[str, Array] = {}
        self._block = aligned(0, _BYTE)
        self._used = 0

    def take(self, name: str, size: int, dtype: DType) -> Array:
        """An aligned array of `size` elements: the beginning of the one known by that name, if it is large enough."""
        known = self._arrays.get(name)
        if known is None or known.size < size or known.dtype != dtype:
            known = self._arrays[name] = self._new(size, dtype)
        return known[:size]

    def _new(self, size: int, dtype: DType) -> Array:
        wanted = size * dtype.itemsize
        if wanted > _BLOCK // 8:
            return aligned(size, dtype)
        if self._used + wanted > self._block.size:
            self._block, self._used = aligned(_BLOCK, _BYTE), 0
        start, self._used = self._used, self._used + -(-wanted // _ALIGNMENT) * _ALIGNMENT
        return self._block[start : start + wanted].view(dtype)

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in self._arrays.values())


def aligned(size: int, dtype: DType) -> Array:
    """Zeros, beginning at a cache line."""
    raw = np.zeros(size * dtype.itemsize + _ALIGNMENT, np.uint8)
    start = -address(raw) % _ALIGNMENT
    return raw[start : start + size * dtype.itemsize].view(dtype)


@dataclass
class Value:
    """What flows along the chain: a buffer, read as an array of this shape."""

    buffer: Buffer
    shape: tuple[int, ...]


Backward = Callable[[Buffer, bool], Buffer | None]
"""From ∂loss/∂output, and whether ∂loss/∂input is wanted, to the latter."""


_WORKSPACES: dict[str, Extent | None] = {
    kind: next((operand.extent for operand in spec.operands if operand.name == "workspace"), None)
    for kind, spec in OPERATIONS.items()
}


class Builder:
    """The operations so far, and the memory they use."""

    def __init__(self, dtype: DType, memory: Memory, gradients: "Gradients | None" = None) -> None:
        self.dtype = dtype
        self.memory = memory
        self.gradients = gradients
        self.operations: list[Operation] = []
        self.streams: list[random.Generator] = []
        self.sparse: set[Buffer] = set()  # data that are mostly zeros: products leave them out
        self._workspaces: dict[int, Buffer] = {}  # by their size
        self._written: set[int] = set()  # gradients that a first operation has set, and others add to

    @property
    def training(self) -> bool:
        return self.gradients is not None

    def buffer(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> Buffer:
        """A buffer of the plan's own, in the plan's dtype unless another is given."""
        array = self.memory.take(name, math.prod(shape), self.dtype if dtype is None else np.dtype(dtype))
        return Buffer(name, array, shape)

    def derivative(self, of: Buffer, shape: tuple[int, ...]) -> Buffer:
        """Where ∂loss/∂buffer goes: memory by a name that no link can have, for a link may be called "d0"."""
        return Buffer(f"d{of.name}", self.memory.take(f".d{of.name}", math.prod(shape), self.dtype), shape)

    def constant(self, name: str, values: Array) -> Buffer:
        """A copy of values that do not change, in the plan's dtype."""
        array = aligned(values.size, self.dtype)
        array[:] = values.reshape(-1)
        return Buffer(name, array, values.shape, read_only=True)

    def parameter(self, name: str, parameter: Parameter) -> Buffer:
        """The parameter's own array, updated in place."""
        known = self.memory.parameters.get(id(parameter))
        if known is not None:
            return known
        if type(parameter) is not Parameter:
            raise NotLoweredError(f"{name} is a {type(parameter).__name__}, not a Parameter")
        if parameter.data.dtype != self.dtype:
            raise NotLoweredError(f"{name} is {parameter.data.dtype}, not {self.dtype}")
        if type(parameter.data) is not np.ndarray or not parameter.data.flags.carray:
            raise NotLoweredError(f"{name} is not an aligned, writable array in C order")
        made = self.memory.parameters[id(parameter)] = Buffer(name, parameter.data, parameter.data.shape)
        return made

    def gradient(self, parameter: Parameter) -> tuple[Buffer | None, bool]:
        """Where ∂loss/∂parameter goes, None where nobody wants it, and whether to add to what is there."""
        buffer = None if self.gradients is None else self.gradients.buffer(parameter)
        keep = id(parameter) in self._written or (self.gradients is not None and self.gradients.adds(parameter))
        self._written.add(id(parameter))
        return buffer, keep

    def add(
        self,
        kind: str,
        part: str,
        operands: Mapping[str, Buffer | None],
        sizes: tuple[int, ...],
        stream: int | None = None,
        **numbers: float,
    ) -> None:
        """An operation; operands that are None are absent, sizes are in the order of the table."""
        spec = OPERATIONS[kind]
        present = {name: buffer for name, buffer in operands.items() if buffer is not None}
        named = dict(zip(spec.sizes, sizes, strict=True))
        if (space := _WORKSPACES[kind]) is not None:
            present["workspace"] = self._workspace(space(named))
        values = {name: float(numbers.get(name, 0.0)) for name in spec.numbers}
        self.operations.append(Operation(kind, part, present, named, values, stream))

    def _workspace(self, size: int) -> Buffer:
        known = self._workspaces.get(size)
        if known is None:
            known = self._workspaces[size] = self.buffer("workspace", (size,))
        return known

    def stream(self, generator: random.Generator) -> int:
        """The number of a generator among those the plan draws from."""
        if generator not in self.streams:
            self.streams.append(generator)
        return self.streams.index(generator)

    def last_is(self, kind: str, operand: str, buffer: Buffer) -> bool:
        """Whether the last operation is of this kind, without an activation yet, and made this buffer."""
        last = self.operations[-1] if self.operations else None
        return (
            last is not None and last.kind == kind and last.operands[operand] is buffer and not last.sizes["activation"]
        )

    def amend(self, operands: dict[str, Buffer], activation: str, slope: float) -> None:
        """Let the last operation apply an activation, or its derivative, to what it writes."""
        last = self.operations[-1]
        sizes = {**last.sizes, "activation": ACTIVATIONS.index(activation)}
        self.operations[-1] = Operation(
            last.kind, last.part, {**last.operands, **operands}, sizes, {"slope": slope}, last.stream
        )


class Gradients:
    """One array for all gradients that a rule uses, each at a cache line of its own, zeros between them.

    others: parameters that no rule moves. Nobody sets their gradients to zero, so that they add up over the steps.
    gathers: the gradients of several mini-batches are added up before they move the parameters. `divisor` is what
    those of means are to be divided by then; NaN, where there was no mean.
    """

    def __init__(
        self,
        parameters: list[tuple[str, Parameter]],
        dtype: DType,
        others: list[tuple[str, Parameter]] | None = None,
        *,
        gathers: bool = False,
    ) -> None:
        self.gathers = gathers
        step = _ALIGNMENT // dtype.itemsize
        starts, size = [], 0
        for _, parameter in parameters:
            starts.append(size)
            size += -(-parameter.size // step) * step
        self.whole = Buffer("gradients", aligned(size, dtype), (size,))
        self._buffers = {
            id(parameter): Buffer(f"d{name}", self.whole.array[start : start + parameter.size], parameter.shape)
            for (name, parameter), start in zip(parameters, starts, strict=True)
        }
        self.others = [
            (parameter, Buffer(f"d{name}", aligned(parameter.size, dtype), parameter.shape))
            for name, parameter in others or []
        ]
        self._buffers |= {id(parameter): buffer for parameter, buffer in self.others}
        self._adding = {id(parameter) for parameter, _ in self.others}

    @cached_property
    def divisor(self) -> Buffer:
        return Buffer("divisor", np.full(1, np.nan), (1,))

    def adds(self, parameter: Parameter) -> bool:
        """Whether this gradient is one that adds up over the steps."""
        return self.gathers or id(parameter) in self._adding

    def buffer(self, parameter: Parameter) -> Buffer | None:
        return self._buffers.get(id(parameter))


def leaves(name: str, module: Module) -> Iterator[tuple[str, Module]]:
    """The links of nested chains, in order, with their names in the state_dict."""
    if type(module) is Sequential:
        for key, link in module.named_children():
            yield from leaves(f"{name}.{key}" if name else key, link)
    else:
        yield name, module


def require_known(network: Module) -> None:
    """NotLoweredError, naming the first link that the table lacks, or that has a method of its own."""
    for name, link in network.named_modules():
        if type(link) not in LINKS and type(link) is not Sequential:
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


def lower_forward(builder: Builder, network: Module, x: Value) -> tuple[Value, list[tuple[Module, Backward]]]:
    """The chain's output, and what each link's backward adds."""
    require_known(network)
    walked = []
    for name, link in leaves("", network):
        try:
            x, backward = LINKS[type(link)](builder, link, name, x)
        except LinkError as error:  # NumPy will raise it with the link's place in the network
            raise NotLoweredError(str(error).removesuffix(".")) from None
        walked.append((link, backward))
    return x, walked


def output_shape(network: Module, x: Array) -> tuple[int, ...]:
    """The shape of a chain's output for x, found by lowering it, without computing; NotLoweredError where it fails."""
    if x.dtype != network.dtype:
        raise NotLoweredError(f"x is {x.dtype}, not {network.dtype}")
    builder = Builder(network.dtype, Memory())
    given = Value(builder.buffer("x", x.shape), x.shape)
    return lower_forward(builder, network, given)[0].shape


def lower_backward(walked: list[tuple[Module, Backward]], grad: Buffer) -> None:
    """Down to the first link that trains, and without that link's input gradient."""
    first = next((place for place, (link, _) in enumerate(walked) if link.trains()), len(walked))
    for place in range(len(walked) - 1, first - 1, -1):
        dx = walked[place][1](grad, place > first)
        if dx is None:
            return
        grad = dx


def _linear(builder: Builder, link: Linear, name: str, x: Value) -> tuple[Value, Backward]:
    inputs, outputs = link.in_features, link.out_features
    if not x.shape or x.shape[-1] != inputs:
        raise NotLoweredError(f"[{name}] {link!r} does not take the shape {x.shape}")
    rows = math.prod(x.shape[:-1])
    dot = f"{name}." if name else ""
    weight = builder.parameter(f"{dot}weight", link.weight)
    bias = None if link.bias is None else builder.parameter(f"{dot}bias", link.bias)
    y = builder.buffer(f"{dot}y", (rows, outputs))
    zeros = int(x.buffer in builder.sparse)
    operands: dict[str, Buffer | None] = {"x": x.buffer, "weight": weight, "bias": bias, "y": y}
    builder.add("linear", "forward", operands, (rows, inputs, outputs, 0, zeros))

    def backward(dy: Buffer, wanted: bool) -> Buffer | None:
        dweight, keep = builder.gradient(link.weight) if link.weight.requires_grad else (None, False)
        dbias, keep_bias = None, False
        if link.bias is not None and link.bias.requires_grad:
            dbias, keep_bias = builder.gradient(link.bias)
        parts = [(dweight, dbias, keep)]
        if dbias is not None and (dweight is None or keep_bias != keep):
            unwanted = builder.buffer(f"d{dot}weight, unwanted", (outputs, inputs))
            parts = [(dweight, None, keep), (unwanted, dbias, keep_bias)]
        for to_weight, to_bias, adds in parts:
            if to_weight is not None:
                sizes = (rows, inputs, outputs, int(adds), zeros)
                operands = {"dy": dy, "x": x.buffer, "dweight": to_weight, "dbias": to_bias}
                builder.add("linear_grad_weight", "backward", operands, sizes)
        if not wanted:
            return None
        dx = builder.derivative(x.buffer, (rows, inputs))
        operands = {"dy": dy, "weight": weight, "dx": dx}
        builder.add("linear_grad_input", "backward", operands, (rows, inputs, outputs, 0))
        return dx

    return Value(y, (*x.shape[:-1], outputs)), backward


def _same(builder: Builder, link: Module, name: str, x: Value) -> tuple[Value, Backward]:
    return x, lambda dy, _wanted: dy


def _flatten(builder: Builder, link: Flatten, name: str, x: Value) -> tuple[Value, Backward]:
    start, end = link.dimensions(x.shape)
    flat = (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :])
    return Value(x.buffer, flat), lambda dy, _wanted: dy


def _activation(kind: str) -> Callable[..., tuple[Value, Backward]]:
    def lower(builder: Builder, link: Any, name: str, x: Value) -> tuple[Value, Backward]:
        slope = _slope(link, builder.dtype) if kind == "leaky_relu" else 0.0
        number, size = ACTIVATIONS.index(kind), math.prod(x.shape)
        label = f"{name}.y" if name else "y"
        by_output = kind != "leaky_relu" or slope >= 0  # whether y tells the derivative
        if by_output and builder.last_is("linear", "y", x.buffer):
            y = Buffer(label, x.buffer.array, x.shape)
            builder.amend({"y": y}, kind, slope)
        else:
            y = builder.buffer(label, x.shape)
            builder.add("activation", "forward", {"x": x.buffer, "y": y}, (size, number), slope=slope)
        reference = y if by_output else x.buffer

        def backward(dy: Buffer, _wanted: bool) -> Buffer:
            if builder.last_is("linear_grad_input", "dx", dy):
                builder.amend({"reference": reference}, kind, slope)
            else:
                operands = {"dy": dy, "reference": reference, "dx": dy}
                builder.add("activation_grad", "backward", operands, (size, number), slope=slope)
            return dy

        return Value(y, x.shape), backward

    return lower


def _slope(link: Any, dtype: DType) -> float:
    slope = float(link.negative_slope)
    with np.errstate(over="ignore"):
        if isinstance(link.negative_slope, np.generic) or not np.isfinite(dtype.type(slope)):
            raise NotLoweredError(f"{link!r} has a slope that is no finite {dtype}")
    return slope


def _softmax(log: int) -> Callable[..., tuple[Value, Backward]]:
    def lower(builder: Builder, link: Any, name: str, x: Value) -> tuple[Value, Backward]:
        axis = link.axis(x.shape) % len(x.shape)
        if not x.shape[axis]:
            raise NotLoweredError(f"{link!r} has nothing to sum up in the shape {x.shape}")
        sizes = (math.prod(x.shape[:axis]), x.shape[axis], math.prod(x.shape[axis + 1 :]), log)
        y = builder.buffer(f"{name}.y" if name else "y", x.shape)
        builder.add("softmax", "forward", {"x": x.buffer, "y": y}, sizes)

        def backward(dy: Buffer, _wanted: bool) -> Buffer:
            builder.add("softmax_grad", "backward", {"dy": dy, "y": y, "dx": dy}, sizes)
            return dy

        return Value(y, x.shape), backward

    return lower


def _dropout(builder: Builder, link: Dropout, name: str, x: Value) -> tuple[Value, Backward]:
    if not (builder.training and link.training) or link.p == 0:
        return _same(builder, link, name, x)
    n, dot = math.prod(x.shape), f"{name}." if name else ""
    y, mask = builder.buffer(f"{dot}y", x.shape), builder.buffer(f"{dot}mask", x.shape)
    stream = builder.stream(random.resolve(link.generator))
    builder.add("dropout", "forward", {"x": x.buffer, "y": y, "mask": mask}, (n,), p=link.p, stream=stream)

    def backward(dy: Buffer, _wanted: bool) -> Buffer:
        builder.add("multiply", "backward", {"a": dy, "b": mask, "out": dy}, (n,))
        return dy

    return Value(y, x.shape), backward


LINKS: dict[type, Callable[..., tuple[Value, Backward]]] = {
    Linear: _linear,
    Identity: _same,
    Flatten: _flatten,
    Dropout: _dropout,
    Tanh: _activation("tanh"),
    Sigmoid: _activation("sigmoid"),
    ReLU: _activation("relu"),
    LeakyReLU: _activation("leaky_relu"),
    Softmax: _softmax(0),
    LogSoftmax: _softmax(1),
}
