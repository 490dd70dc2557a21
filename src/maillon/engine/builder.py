"""The builder: plain operations over values, one after the other, and the chain rule backwards through them.

What lowers a link adds the operations of its forward with `add` and says with `differentiate` how those of its
backward are added. Nothing is fused, nothing shares memory yet: `passes.py` does that afterwards. A value may be used
as often as one likes; its gradients are added up.
"""

import inspect
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from maillon import random
from maillon.engine.memory import Gradients, Memory, aligned
from maillon.engine.plan import Buffer, NotLoweredError as NotLoweredError, Operation  # noqa: PLC0414
from maillon.engine.table import OPERATIONS
from maillon.nn import Loss, Module, Parameter
from maillon.nn.support.errors import shown
from maillon.typing import Array, DType


class Value:
    """What flows through a network: a buffer, read as an array of this shape."""

    __slots__ = ("buffer", "shape")

    def __init__(self, buffer: Buffer, shape: tuple[int, ...]) -> None:
        self.buffer, self.shape = buffer, shape

    def reshaped(self, shape: Iterable[int]) -> "Value":
        """The same numbers in another shape: no operation, and its gradient is the same numbers too."""
        return Value(self.buffer, tuple(shape))

    @property
    def size(self) -> int:
        return self.buffer.size

    @property
    def real(self) -> bool:
        """Whether it can have a gradient: no labels, indices or masks."""
        return self.buffer.dtype.kind == "f"


Tree = Any
"""A Value, None where an optional input or output is absent, or a tuple of such."""

Lowering = Callable[..., Tree]
"""From the builder, a link and its inputs (Trees) to its output."""

Losses = dict[str, Any]
"""What every loss's operation is given: `sample_weight`, `result`, `divisor`."""

LINKS: dict[type[Module], Lowering] = {}
LOSSES: dict[type[Loss], Callable[..., None]] = {}
LOWERINGS: dict[str, Callable[..., Any]] = {}
"""What lowers links and losses by their classes' names: a family does not open the files of all its links. From here
`families` takes it into LINKS and LOSSES, where the classes are met."""


def lowers(*kinds: str, trees: bool = False) -> Callable[[Lowering], Lowering]:
    """What follows lowers links of exactly these classes of `maillon.nn`: `f(builder, link, *inputs, **named)`.

    trees: whether it takes tuples of values; else each input is a Value or None.
    """

    def take(function: Lowering) -> Lowering:
        names, needed, any_number = _inputs_of(function)

        @wraps(function)
        def lower(b: Builder, link: Module, /, *inputs: Tree, **named: Tree) -> Tree:
            if not trees and (tuple in map(type, inputs) or tuple in map(type, named.values())):
                raise NotLoweredError(f"{shown(link)} does not take tuples")
            whole = len(inputs) == len(names) and not named
            if not (whole or any_number) and (
                len(inputs) > len(names) or not needed <= {*names[: len(inputs)], *named}
            ):
                raise NotLoweredError(f"{shown(link)} does not take {len(inputs) + len(named)} inputs")
            return function(b, link, *inputs, **named)

        LOWERINGS.update(dict.fromkeys(kinds, lower))
        return function

    return take


def _inputs_of(lowering: Any) -> tuple[tuple[str, ...], set[str], bool]:
    """The names of the inputs that a function takes after builder and link, of those it needs, and whether it takes any
    number. What `inspect` tells takes thirty times as long."""
    code = lowering.__code__
    names = code.co_varnames[2 : code.co_argcount]
    needed = names[: len(names) - len(lowering.__defaults__ or ())]
    return names, set(needed), bool(code.co_flags & inspect.CO_VARARGS)


def lowers_loss(*kinds: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """What follows lowers losses of exactly these classes of `maillon.nn`: `f(builder, loss, prediction, target, own)`.

    It adds operations with `**own` among their operands, and lets them write the gradients into `builder.grad(…)` of
    what the builder `wants`.
    """

    def take(function: Callable[..., None]) -> Callable[..., None]:
        LOWERINGS.update(dict.fromkeys(kinds, function))
        return function

    return take


def values_of(tree: Tree) -> tuple[Value, ...]:
    """The values of a tree, in order."""
    if isinstance(tree, tuple):
        return tuple(value for part in tree for value in values_of(part))
    return () if tree is None else (tree,)


Mark = tuple[tuple[int, ...], dict[Module, str], dict[Buffer, int]]
"""How far a builder has come: the lengths of its lists, what runs in NumPy, how many gradients each value has."""


Inside = tuple[str, tuple[tuple[str, str], ...], Module | None]
"""Where a builder is: the scope, the path, the link that is being lowered."""


class _Record(NamedTuple):
    """What was computed, and how its gradients go on from there."""

    outputs: tuple[Value, ...]
    backward: Callable[..., None]
    scope: str
    parameters: tuple[Parameter, ...]


class Builder:
    """The operations so far.

    Parameters
    ----------
    dtype : dtype
        float32 or float64, of all real values.
    memory : Memory
        Where what outlives a plan lies.
    gradients : Gradients, optional
        Where the gradients of parameters go; None for a prediction, which has none.
    """

    def __init__(self, dtype: DType, memory: Memory, gradients: Gradients | None = None) -> None:
        self.dtype = dtype
        self.memory = memory
        self.gradients = gradients
        self.operations: list[Operation] = []
        self.effects: list[Operation] = []
        self.streams: list[random.Generator] = []
        self.changing: list[Array] = []  # what effects change
        self.sparse: set[Buffer] = set()  # data that are mostly zeros: products leave them out
        self.scope = ""  # the place of the link that is being lowered
        self.path: tuple[tuple[str, str], ...] = ()  # the same, each name with the class of the link that it is in
        self.own: dict[Module, str] = {}  # links and losses that run in NumPy, with the reason
        self.part = "forward"
        self._link: Module | None = None
        self._learning: set[Buffer] = set()  # values that something which learns stands before
        self._records: list[_Record] = []
        self._contributions: dict[Buffer, list[Buffer]] = {}
        self._lists: tuple[list[Any], ...] = (
            self.operations,
            self.effects,
            self.streams,
            self.changing,
            self._records,
        )
        self.adding = False  # gradients of parameters are added to what there is
        self._written: set[int] = set()  # gradients that a first operation has set, and others add to

    @property
    def training(self) -> bool:
        return self.gradients is not None

    def enter(self, name: str, link: Module) -> Inside:
        """Begin to lower a link, of that name in the one that is being lowered; `leave` takes what this gives."""
        before = self.scope, self.path, self._link
        self.scope = f"{self.scope}.{name}" if self.scope and name else self.scope or name
        if self._link is not None:
            self.path = (*self.path, (type(self._link).__name__, name))
        self._link = link
        return before

    def leave(self, before: Inside) -> None:
        """That link is lowered, or cannot be."""
        self.scope, self.path, self._link = before

    def mark(self) -> Mark:
        """How far it has come, for `back_to`."""
        gradients = {buffer: len(parts) for buffer, parts in self._contributions.items()}
        return tuple(map(len, self._lists)), dict(self.own), gradients

    def back_to(self, mark: Mark) -> None:
        """Forget all that was added since then."""
        for each, length in zip(self._lists, mark[0], strict=True):
            del each[length:]
        self.own = mark[1]
        self._contributions = {buffer: self._contributions[buffer][:length] for buffer, length in mark[2].items()}

    def at(self, link: Module) -> str:
        """The link that is being lowered, and where it stands."""
        return f"[{self.scope}] {link!r}" if self.scope else repr(link)

    def _named(self, name: str) -> str:
        return f"{self.scope}.{name}" if self.scope else name

    # Values

    def local(self, name: str, shape: tuple[int, ...], dtype: Any = None) -> Value:
        """A new value of the plan's own, in the plan's dtype unless another is given."""
        kind = self.dtype if dtype is None else np.dtype(dtype)
        return Value(Buffer.local(self._named(name), math.prod(shape), kind, shape), shape)

    def given(self, name: str, shape: tuple[int, ...], dtype: DType) -> Value:
        """A value that the plan is given: its memory has a name, and stays its own."""
        size = math.prod(shape)
        return Value(Buffer(name, self.memory.take(name, size, dtype), shape), shape)

    def constant(self, name: str, values: Any, dtype: Any = None) -> Value:
        """A copy of values that do not change, in the plan's dtype unless another is given."""
        values = np.asarray(values)
        array = aligned(values.size, self.dtype if dtype is None else np.dtype(dtype))
        array[:] = values.reshape(-1)
        return Value(Buffer(name, array, values.shape, read_only=True), values.shape)

    def parameter(self, name: str, parameter: Parameter) -> Value:
        """The parameter's own array, updated in place."""
        known = self.memory.parameters.get(id(parameter))
        if known is None:
            name = self._named(name)
            if type(parameter) is not Parameter:
                raise NotLoweredError(f"{name} is a {type(parameter).__name__}, not a Parameter")
            known = Buffer(name, self._own(name, parameter.data), parameter.data.shape)
            self.memory.parameters[id(parameter)] = known
        return Value(known, known.shape)

    def state(self, name: str, array: Array, dtype: Any = None) -> Value:
        """An array of the link's own, such as a running mean: read in place, changed by effects only."""
        data = self._own(self._named(name), array, dtype)
        if not any(data is known for known in self.changing):
            self.changing.append(data)
        return Value(Buffer(self._named(name), data, data.shape), data.shape)

    def changed(self, parameter: Value) -> Value:
        """A parameter that effects change, be it learnt or not."""
        data = parameter.buffer.array
        if not any(data is known for known in self.changing):
            self.changing.append(data)
        return parameter

    def _own(self, name: str, array: Array, dtype: Any = None) -> Array:
        wanted = self.dtype if dtype is None else np.dtype(dtype)
        if array.dtype != wanted:
            raise NotLoweredError(f"{name} is {array.dtype}, not {wanted}")
        if type(array) is not np.ndarray or not array.flags.carray:
            raise NotLoweredError(f"{name} is not an aligned, writable array in C order")
        return array

    def slice(self, value: Value, start: int, shape: tuple[int, ...]) -> Value:
        """A run of elements of a parameter, or of its gradient, as a value of its own. Not for values that flow."""
        buffer = value.buffer
        part = buffer.array.reshape(-1)[start : start + math.prod(shape)]
        return Value(Buffer(f"{buffer.name}[{start}:]", part, shape, buffer.read_only), shape)

    def stream(self, generator: random.Generator) -> int:
        """The number of a generator among those the plan draws from."""
        if generator not in self.streams:
            self.streams.append(generator)
        return self.streams.index(generator)

    # Operations

    def add(self, kind: str, stream: int | None = None, /, **fields: Any) -> None:
        """An operation, its operands (Values; absent ones None or left out), sizes and numbers by name.

        Sizes and numbers that are left out are 0; a workspace comes by itself.
        """
        self.operations.append(self._operation(kind, self.part, stream, fields))

    def python(self, work: Callable[[], bool], label: str, reads: Iterable[Any], writes: Iterable[Any]) -> None:
        """An operation that is a function in Python; False, or an exception, ends the step. label: how it is shown."""
        operands = {
            f"{letter}{place}": value.buffer if isinstance(value, Value) else value
            for letter, values in (("r", reads), ("w", writes))
            for place, value in enumerate(values)
        }
        self.operations.append(Operation("python", self.part, operands, {}, {}, None, work, label))

    def effect(self, kind: str, /, **fields: Any) -> None:
        """An operation that changes what outlives the step: it runs once the loss is known to be finite."""
        self.effects.append(self._operation(kind, "effects", None, fields))

    def _operation(self, kind: str, part: str, stream: int | None, fields: dict[str, Any]) -> Operation:
        spec = OPERATIONS[kind]
        operands: dict[str, Buffer] = {}
        sizes, numbers = dict.fromkeys(spec.sizes, 0), dict.fromkeys(spec.numbers, 0.0)
        for name, value in fields.items():
            if name in sizes:
                sizes[name] = value
            elif name in numbers:
                numbers[name] = float(value)
            elif name not in spec.names:
                raise TypeError(f"operation {kind} has no {', '.join(sorted(fields.keys() - spec.fields))}.")
            elif value is not None:
                operands[name] = value.buffer if type(value) is Value else value
        if "workspace" in spec.names and "workspace" not in operands:
            place = spec.places.index("workspace")
            size = spec.extents(*sizes.values())[place]
            operand = spec.operands[place]
            operands["workspace"] = Buffer.local(
                "workspace", size, self.dtype if operand.dtype is None else np.dtype(operand.dtype), (size,)
            )
        return Operation(kind, part, operands, sizes, numbers, stream)

    # Gradients

    def differentiate(
        self,
        backward: Callable[..., None],
        outputs: Tree,
        inputs: Iterable[Tree],
        parameters: Iterable[Parameter | None] = (),
        unreached: Collection[Parameter] = (),
    ) -> None:
        """How ∂loss/∂outputs goes on to the inputs and parameters, those `unreached` excepted.

        `backward` is called with a Value for each output, None where an output has no gradient, and not at all when
        none has one or when nothing learns there. It lets operations write into `grad(x)` of each input that the
        builder `wants`, and into `parameter_grad(p)`.
        """
        if not self.training:
            return
        learnt = tuple(parameter for parameter in parameters if parameter is not None and parameter.requires_grad)
        if learnt or any(self.wants(value) for tree in inputs for value in values_of(tree)):
            made = values_of(outputs)
            self._learning.update(value.buffer for value in made if value.real)
            reached = tuple(each for each in learnt if not any(each is other for other in unreached))
            self._records.append(_Record(made, backward, self.scope, reached))

    def wants(self, value: Value | None) -> bool:
        """Whether ∂loss/∂value is of use: something that learns stands before it."""
        return value is not None and value.buffer in self._learning

    def learn(self, value: Value) -> None:
        """Let the gradient of an input be wanted."""
        self._learning.add(value.buffer)

    def grad(self, value: Value) -> Value:
        """A new value for an operation to write ∂loss/∂value to, as far as it comes from one use of the value."""
        buffer = Buffer.local(f"d{value.buffer.name}", value.size, self.dtype, value.shape)
        self._contributions.setdefault(value.buffer, []).append(buffer)
        return Value(buffer, value.shape)

    def pass_on(self, value: Value, gradient: Value) -> None:
        """∂loss/∂value, as far as it comes from one use, is what there is already."""
        if self.wants(value):
            self._contributions.setdefault(value.buffer, []).append(gradient.buffer)

    def parameter_grad(self, parameter: Parameter | None) -> tuple[Buffer | None, bool]:
        """Where ∂loss/∂parameter goes, None where nobody wants it, and whether to add to what is there."""
        if self.gradients is None or parameter is None or not parameter.requires_grad:
            return None, False
        keep = self.adding or id(parameter) in self._written or self.gradients.adds(parameter)
        self._written.add(id(parameter))
        return self.gradients.buffer(parameter), keep

    def reaches(self, parameter: Parameter) -> bool:
        """Whether an operation writes ∂loss/∂parameter."""
        return id(parameter) in self._written

    def gradient_of(self, value: Value) -> Value | None:
        """The sum of all that its uses have contributed; None where there is none."""
        contributions = self._contributions.pop(value.buffer, None)
        if contributions is None:
            return None
        total = Value(contributions[0], value.shape)
        for more in contributions[1:]:
            out = Value(Buffer.local(f"d{value.buffer.name}", value.size, self.dtype, value.shape), value.shape)
            self.add("add", a=total, b=more, out=out, n=value.size)
            total = out
        return total

    def walk_back(self) -> None:
        """Add the operations of the whole backward."""
        self.part = "backward"
        for record in reversed(self._records):
            gradients = [self.gradient_of(output) for output in record.outputs]
            if any(gradient is not None for gradient in gradients):
                self.scope = record.scope
                record.backward(*gradients)
        self.scope = ""
        self._reach_all()
        self._records.clear()  # they hold the builder, which holds them: nothing else would free its memory at once

    def _reach_all(self) -> None:
        """Zeros for parameters of links whose output nobody uses, as NumPy has: a rule moves these too."""
        for record in self._records:
            for parameter in record.parameters:
                if not self.reaches(parameter):
                    buffer, keep = self.parameter_grad(parameter)
                    if buffer is not None and not keep:
                        self.add("fill", y=buffer, n=buffer.size, value=0.0)


def floating(link: Module, x: Tree) -> Value:
    """The input, if it is one array of real numbers; NumPy refuses others with words of its own."""
    if not isinstance(x, Value) or not x.real:
        raise NotLoweredError(f"{link!r} takes one array of real numbers")
    return x


def sizes_around(shape: tuple[int, ...], axis: int) -> Mapping[str, int]:
    """The shape seen as (outer, size, inner) around one axis."""
    return {"outer": math.prod(shape[:axis]), "size": shape[axis], "inner": math.prod(shape[axis + 1 :])}
