"""Plan: a chain, its loss and its rule for one shape of mini-batch, as a flat list of operations over named buffers.

`print(plan)` shows it. What the core is given passes engine/verify.py before.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import Any

from maillon.engine import processor
from maillon.engine.table import OPERATIONS
from maillon.messages import metric
from maillon.random import Generator
from maillon.typing import Array, DType

PARTS = ("forward", "loss", "clear", "effects", "backward", "divide", "clip", "update")
_WHEN = {"clear": ", at the first mini-batch gathered", "divide": ", at the last one, as all below"}


class NotLoweredError(Exception):
    """What the core does not do, and why: the reason is a sentence about it."""


class WholeError(NotLoweredError):
    """What leaves the whole network to NumPy: no single link can run there in the middle of a plan."""


class PlanError(NotLoweredError, ValueError):
    """A plan that the core must not be given, and why: NumPy does the work, as for whatever cannot be lowered."""


@dataclass(eq=False)  # not frozen: that takes five times as long to make, and plans are made for every training
class Buffer:
    """A named piece of memory: `array` in C order, shown with `shape`. read_only: the plan must not write it.

    A local one is the plan's own and has no array before `put`. address: where the values lie.
    """

    name: str
    array: Array
    shape: tuple[int, ...]
    read_only: bool = False
    is_local: bool = field(init=False, default=False)
    size: int = field(init=False)
    dtype: DType = field(init=False)
    address: int = field(init=False)

    def __post_init__(self) -> None:
        self.put(self.array)

    @classmethod
    def local(cls, name: str, size: int, dtype: DType, shape: tuple[int, ...]) -> "Buffer":
        """One that gets its memory later."""
        made = cls.__new__(cls)
        made.name, made.size, made.dtype, made.shape = name, size, dtype, shape
        made.read_only, made.is_local = False, True
        return made

    def put(self, array: Array) -> None:
        """Let the values lie there."""
        self.array, self.is_local = array, False
        self.size, self.dtype, self.address = array.size, array.dtype, address(array)

    def __repr__(self) -> str:
        return f"{self.name} ({'×'.join(map(str, self.shape)) or '1'})"


@dataclass
class Operation:
    """One operation: operands by name (absent ones left out), sizes and numbers by name.

    call: what a `python` operation does. label: how that is shown.
    """

    kind: str
    part: str
    operands: Mapping[str, Buffer]
    sizes: Mapping[str, int]
    numbers: Mapping[str, float] = field(default_factory=dict)
    stream: int | None = None
    call: Callable[[], bool] | None = None
    label: str = ""

    def altered(self, **fields: Any) -> "Operation":
        """A copy with other values of these fields; `dataclasses.replace` takes four times as long."""
        made = Operation.__new__(Operation)
        made.__dict__.update(self.__dict__, **fields)
        return made

    @property
    def written(self) -> list[str]:
        """The operands that it writes."""
        if self.call is not None:
            return [name for name in self.operands if name[0] == "w"]
        return [operand.name for operand in OPERATIONS[self.kind].written if operand.name in self.operands]

    @property
    def flops(self) -> int:
        return OPERATIONS[self.kind].flops(*self.sizes.values())

    @property
    def bytes(self) -> int:
        """What it reads and writes, without its workspace."""
        if self.call is not None:
            return sum(buffer.size * buffer.dtype.itemsize for buffer in self.operands.values())
        touched, kind = 0, OPERATIONS[self.kind]
        for operand, extent in zip(kind.operands, kind.extents(*self.sizes.values()), strict=True):
            buffer = self.operands.get(operand.name)
            if buffer is not None and operand.name != "workspace":
                touched += extent * buffer.dtype.itemsize * len(operand.access)
        return touched

    def __str__(self) -> str:
        if self.call is not None:
            sides = [", ".join(repr(b) for name, b in self.operands.items() if name[0] == side) for side in "wr"]
            return f"{sides[0]} ← {sides[1]}  [{self.label}]"
        spec = OPERATIONS[self.kind]
        written = [self.operands[o.name] for o in spec.operands if "w" in o.access and _shown(self, o.name)]
        read = [self.operands[o.name] for o in spec.operands if o.access == "r" and _shown(self, o.name)]
        options = [
            f"{name}={_choice(self.kind, name, value)}" for name, value in self.sizes.items() if _option(name, value)
        ]
        options += [f"{name}={value:g}" for name, value in self.numbers.items() if value]
        text = ", ".join(map(repr, written)) + " ← " * bool(read) + ", ".join(map(repr, read))
        return f"{text}  [{', '.join(options)}]" if options else text


_SHAPES: tuple[str, ...] = ("n", "rows", "inputs", "outputs", "outer", "size", "inner", "classes", "columns")
_SHAPES += ("planes", "height", "width", "out_height", "out_width", "values", "places", "blocks")
_SHAPES += ("row_taps", "column_taps", "run_begin", "run_end", "run_from")
_SHAPES += ("samples", "channels", "slices", "parts", "count", "times", "inputs1", "inputs2")
_HIDDEN: tuple[str, ...] = ("workspace", "row_totals", "options", "count")
_HIDDEN += tuple(f"{axis}_{table}" for axis in ("row", "column") for table in ("starts", "places", "weights"))


def _shown(operation: Operation, name: str) -> bool:
    return name in operation.operands and name not in _HIDDEN


def _option(name: str, value: int) -> bool:
    return name not in _SHAPES and (bool(value) or name in ("loss", "reduction")) and (name, value) != ("flags", 1)


def _choice(kind: str, name: str, value: int) -> str:
    choice = OPERATIONS[kind].choices.get(name)
    return str(value) if choice is None else choice.values[value]


@dataclass
class Plan:
    """Operations in the order of a step, over buffers.

    Parameters
    ----------
    subject : tuple
        What was lowered.
    dtype : dtype
        float32 or float64.
    rows : int
        Of a mini-batch.
    operations : list of Operation
        In their order.
    inputs : list of Buffer
        Where a mini-batch is copied to.
    output : Buffer or tuple
        The network's output, with its shape; a tuple of them, nested as the network nests them.
    result : Buffer, optional
        The loss, and what its mean was divided by, after each step.
    streams : list of Generator
        What operations draw from, by their number.
    own : dict of Module to str
        The links and losses that run in NumPy, with the reason.
    changing : list of array
        What operations change, beside what they compute, before they move parameters: running statistics, gradients
        that add up over several steps.
    passing : list of Operation
        What computes the gradients that a step passes on to its rule and leaves nowhere: after it they can be written.
    """

    subject: tuple[Any, ...]
    dtype: DType
    rows: int
    operations: list[Operation]
    inputs: list[Buffer]
    output: Any
    result: Buffer | None = None
    streams: list[Any] = field(default_factory=list)
    own: Mapping[Any, str] = field(default_factory=dict)
    changing: list[Array] = field(default_factory=list)
    passing: list[Operation] = field(default_factory=list)

    @property
    def outputs(self) -> list[Buffer]:
        """Those of the output, in order."""
        return list(_leaves(self.output))

    @property
    def flops(self) -> int:
        """Additions and multiplications of a step."""
        return sum(operation.flops for operation in self.operations)

    @property
    def bytes(self) -> int:
        """What the operations of a step read and write."""
        return sum(operation.bytes for operation in self.operations)

    def buffers(self) -> list[Buffer]:
        """Every buffer once, in order of first use."""
        used = chain.from_iterable(operation.operands.values() for operation in [*self.operations, *self.passing])
        return list(dict.fromkeys(chain(self.inputs, used)))

    def __str__(self) -> str:
        memory = sum(buffer.array.nbytes for buffer in self.buffers())
        lines = [
            f"Plan of {', '.join(map(repr, self.subject))}",
            f"{self.rows} rows, {self.dtype}, {len(self.operations)} operations, {metric(self.flops)}FLOP and "
            f"{metric(self.bytes)}B moved a step, {metric(memory)}B of buffers",
        ]
        lines += [f"in NumPy: {reason}" for reason in dict.fromkeys(self.own.values())]
        width = max((len(operation.kind) for operation in self.operations), default=0)
        for part in PARTS:
            there = [operation for operation in self.operations if operation.part == part]
            lines += [part + _WHEN.get(part, "")] * bool(there)
            for operation in there:
                cost = f"{metric(operation.flops)}FLOP {metric(operation.bytes)}B"
                lines.append(f"  {operation.kind:<{width}}  {cost:>18}  {operation}")
        return "\n".join(lines)


def _leaves(tree: Any) -> Iterator[Buffer]:
    if isinstance(tree, tuple):
        for part in tree:
            yield from _leaves(part)
    elif tree is not None:
        yield tree


Row = tuple[int, bytes | Callable[[], bool], float, int, bool, bool]


def table(plan: Plan) -> list[Row]:
    """The operations as the core reads them.

    The kind's number (-1: a function to call), the fields as in its struct or the function, its work, its stream (-1:
    none), whether one thread does it, whether it may end the step.
    """
    rows: list[Row] = []
    for operation in plan.operations:
        kind, form = OPERATIONS[operation.kind], _form(operation.kind)
        if operation.call is not None:
            rows.append((-1, operation.call, 0.0, -1, True, True))
            continue
        buffers = map(operation.operands.get, _names(operation.kind))
        addresses = [0 if buffer is None else buffer.address for buffer in buffers]
        sizes = operation.sizes.values()
        fields = form.pack(*addresses, *sizes, *operation.numbers.values())
        stream = -1 if operation.stream is None else operation.stream
        rows.append((number_of(operation.kind), fields, float(kind.work(*sizes)), stream, kind.alone, kind.decides))
    return rows


@cache
def _names(kind: str) -> tuple[str, ...]:
    return tuple(operand.name for operand in OPERATIONS[kind].operands)


@cache
def _form(kind: str) -> struct.Struct:
    spec = OPERATIONS[kind]
    return struct.Struct(f"={len(spec.operands)}Q{len(spec.sizes)}q{len(spec.numbers)}d{'8x' * spec.stream}")


@cache
def number_of(kind: str) -> int:
    """The core's number of an operation. RuntimeError where the two sides were not built from the same row."""
    words = _words_in_core()
    if words.get(kind) != OPERATIONS[kind].words:
        from maillon.engine.families import load  # what they are made of needs this file

        load()
        here = {name: row.words for name, row in OPERATIONS.items() if name != "python"}
        wrong = sorted(name for name in words.keys() | here if words.get(name) != here.get(name))
        raise RuntimeError(
            f"the compiled core is of another version: it has other operations {', '.join(wrong)}. "
            "Build it anew: install maillon again, or `make native` in its repository."
        )
    return list(words).index(kind)


@cache
def _words_in_core() -> dict[str, int]:
    return dict(processor.core().operations())


def address(array: Array) -> int:
    """Where an array's values lie."""
    core = processor.core()
    begin: int = array.__array_interface__["data"][0] if core is None else core.address(array)
    return begin


def stream_of(generator: Generator) -> Any:
    """The generator's words for the core, which locks them for each block that it draws."""
    bits = generator.bit_generator
    return processor.core().Stream(bits.capsule, bits.lock, address(generator.wanted), generator.twister)
