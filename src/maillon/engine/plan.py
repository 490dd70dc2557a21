"""Plan: a chain, its loss and its rule for one shape of mini-batch, as a flat list of operations over named buffers.

`print(plan)` shows it. The verifier is the one entry to the core: what it lets through, the core carries out without
looking.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.engine.operations import ACTIVATIONS, ELEMENT_LOSSES, NUMBER_OF, OPERATIONS, REDUCTIONS
from maillon.typing import Array, DType

PARTS = ("forward", "loss", "backward", "clip", "update")
_CHOICES = {"activation": ACTIVATIONS, "loss": ELEMENT_LOSSES, "reduction": REDUCTIONS}


class NotLoweredError(Exception):
    """What the core does not do, and why: the reason is a sentence about it."""


class PlanError(NotLoweredError, ValueError):
    """A plan that the core must not be given, and why: NumPy does the work, as for whatever cannot be lowered."""


@dataclass(frozen=True, eq=False)
class Buffer:
    """A named piece of memory: `array` in C order, shown with `shape`. read_only: the plan must not write it."""

    name: str
    array: Array
    shape: tuple[int, ...]
    read_only: bool = False

    def __repr__(self) -> str:
        return f"{self.name} ({'×'.join(map(str, self.shape)) or '1'})"


@dataclass(frozen=True)
class Operation:
    """One operation: operands by name (absent ones left out), sizes and numbers by name."""

    kind: str
    part: str
    operands: Mapping[str, Buffer]
    sizes: Mapping[str, int]
    numbers: Mapping[str, float] = field(default_factory=dict)
    stream: int | None = None

    @property
    def flops(self) -> int:
        return OPERATIONS[self.kind].flops(dict(self.sizes))

    @property
    def bytes(self) -> int:
        """What it reads and writes, without its workspace."""
        sizes = dict(self.sizes)
        touched = 0
        for operand in OPERATIONS[self.kind].operands:
            buffer = self.operands.get(operand.name)
            if buffer is not None and operand.name != "workspace":
                touched += operand.extent(sizes) * buffer.array.itemsize * len(operand.access)
        return touched

    def __str__(self) -> str:
        spec = OPERATIONS[self.kind]
        written = [self.operands[o.name] for o in spec.operands if "w" in o.access and _shown(self, o.name)]
        read = [self.operands[o.name] for o in spec.operands if o.access == "r" and _shown(self, o.name)]
        options = [f"{name}={_choice(name, value)}" for name, value in self.sizes.items() if _option(name, value)]
        options += [f"{name}={value:g}" for name, value in self.numbers.items() if value]
        text = ", ".join(map(repr, written)) + " ← " * bool(read) + ", ".join(map(repr, read))
        return f"{text}  [{', '.join(options)}]" if options else text


_SHAPES = ("n", "rows", "inputs", "outputs", "outer", "size", "inner", "classes", "columns")
_HIDDEN = ("workspace", "row_totals", "options", "count")


def _shown(operation: Operation, name: str) -> bool:
    return name in operation.operands and name not in _HIDDEN


def _option(name: str, value: int) -> bool:
    return name not in _SHAPES and (bool(value) or name in ("loss", "reduction")) and (name, value) != ("flags", 1)


def _choice(name: str, value: int) -> str:
    return _CHOICES[name][value] if name in _CHOICES else str(value)


@dataclass
class Plan:
    """Operations in the order of a step, over buffers.

    subject: what was lowered. inputs: the buffers that a mini-batch is copied to. output: the network's output, with
    its shape. result: the loss and what its mean was divided by, after each step. streams: generators that operations
    draw from, by their number.
    """

    subject: tuple[Any, ...]
    dtype: DType
    rows: int
    operations: list[Operation]
    inputs: list[Buffer]
    output: Buffer
    result: Buffer | None = None
    streams: list[Any] = field(default_factory=list)

    @property
    def flops(self) -> int:
        """Additions and multiplications of a step."""
        return sum(operation.flops for operation in self.operations)

    @property
    def bytes(self) -> int:
        """What the operations of a step read and write."""
        return sum(operation.bytes for operation in self.operations)

    def buffers(self) -> Iterator[Buffer]:
        """Every buffer once, in order of first use."""
        seen: dict[int, Buffer] = {id(buffer): buffer for buffer in self.inputs}
        for operation in self.operations:
            for buffer in operation.operands.values():
                seen.setdefault(id(buffer), buffer)
        return iter(seen.values())

    def words_drawn(self, stream: int) -> int:
        """The words that a step draws from a stream."""
        return sum(operation.sizes["n"] for operation in self.operations if operation.stream == stream)

    def __str__(self) -> str:
        memory = sum(buffer.array.nbytes for buffer in self.buffers())
        lines = [
            f"Plan of {', '.join(map(repr, self.subject))}",
            f"{self.rows} rows, {self.dtype}, {len(self.operations)} operations, {_metric(self.flops)}FLOP and "
            f"{_metric(self.bytes)}B moved a step, {_metric(memory)}B of buffers",
        ]
        width = max((len(operation.kind) for operation in self.operations), default=0)
        for part in PARTS:
            there = [operation for operation in self.operations if operation.part == part]
            lines += [part] * bool(there)
            for operation in there:
                cost = f"{_metric(operation.flops)}FLOP {_metric(operation.bytes)}B"
                lines.append(f"  {operation.kind:<{width}}  {cost:>18}  {operation}")
        return "\n".join(lines)


def _metric(number: float) -> str:
    """1234567 as "1.2 M"."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.3g} {prefix}"
    return f"{number:.3g} "


def verify(plan: Plan) -> None:
    """PlanError unless every operation stays within its buffers and writes only what it may."""
    if plan.dtype not in (np.float32, np.float64):
        raise PlanError(f"expected float32 or float64, got {plan.dtype}")
    for buffer in (*plan.buffers(), plan.output):
        _verify_buffer(buffer)
    if plan.output.array.size != math.prod(plan.output.shape) or plan.output.array.dtype != plan.dtype:
        raise PlanError(f"the output is {plan.output.array.size} of {plan.output.array.dtype}, not {plan.output!r}")
    if plan.result is not None and (plan.result.array.dtype != np.float64 or plan.result.array.size < 2):
        raise PlanError("the result must be the loss and what its mean was divided by")
    kept = [buffer for buffer in plan.buffers() if buffer.read_only]
    for place, operation in enumerate(plan.operations):
        try:
            _verify_operation(operation, plan)
            _verify_kept(operation, kept)
        except PlanError as error:
            raise PlanError(f"operation {place}, {operation.kind}: {error}") from None


def _verify_buffer(buffer: Buffer) -> None:
    array = buffer.array
    if type(array) is not np.ndarray or not array.flags.c_contiguous or not array.flags.aligned:
        raise PlanError(f"buffer {buffer.name}: expected an aligned array in C order")
    if not array.dtype.isnative:
        raise PlanError(f"buffer {buffer.name}: expected the machine's byte order")
    if not buffer.read_only and not array.flags.writeable:
        raise PlanError(f"buffer {buffer.name}: expected an array that may be written to")


def _verify_operation(operation: Operation, plan: Plan) -> None:
    spec = OPERATIONS.get(operation.kind)
    if spec is None or operation.part not in PARTS:
        raise PlanError("there is no such operation")
    sizes = dict(operation.sizes)
    if tuple(sizes) != spec.sizes or tuple(operation.numbers) != spec.numbers:
        raise PlanError(f"expected sizes {spec.sizes} and numbers {spec.numbers}")
    choices = dict(spec.limits)
    for name, value in sizes.items():
        free = name == "ignore_index"
        if not isinstance(value, int) or (not free and not 0 <= value < choices.get(name, 2**40)):
            raise PlanError(f"size {name} is {value!r}")
        if free and not -(2**63) <= value < 2**63:
            raise PlanError(f"size {name} is {value!r}")
    if not all(isinstance(value, float) and math.isfinite(value) for value in operation.numbers.values()):
        raise PlanError(f"numbers are {dict(operation.numbers)}")
    streams = range(len(plan.streams)) if spec.stream else (None,)
    if operation.stream not in streams:
        raise PlanError(f"stream {operation.stream} is not there")
    _verify_operands(operation, plan, sizes)


def _verify_operands(operation: Operation, plan: Plan, sizes: dict[str, int]) -> None:
    spec = OPERATIONS[operation.kind]
    known = {operand.name for operand in spec.operands}
    if unknown := operation.operands.keys() - known:
        raise PlanError(f"there are no operands {sorted(unknown)}")
    for operand in spec.operands:
        buffer = operation.operands.get(operand.name)
        if buffer is None:
            if not operand.optional:
                raise PlanError(f"operand {operand.name} is missing")
            continue
        dtype = plan.dtype if operand.kind == "real" else np.dtype(operand.kind)
        if buffer.array.dtype != dtype:
            raise PlanError(f"operand {operand.name} is {buffer.array.dtype}, not {dtype}")
        if buffer.array.size < operand.extent(sizes):
            raise PlanError(
                f"operand {operand.name} needs {operand.extent(sizes)} elements, {buffer.name} has {buffer.array.size}"
            )
    _verify_choices(operation)
    _verify_aliases(operation)


def _verify_choices(operation: Operation) -> None:
    """What the kernels take for granted beyond sizes."""
    there = operation.operands.keys()
    for name in ("inputs", "outputs", "size", "classes"):
        if not operation.sizes.get(name, 1):
            raise PlanError(f"{name} is 0")
    if operation.kind == "linear_grad_input" and operation.sizes["activation"] and "reference" not in there:
        raise PlanError("an activation's derivative needs its reference")
    if operation.kind == "class_loss" and ("labels" in there) == ("distribution" in there):
        raise PlanError("expected either labels or a distribution")
    if operation.kind == "class_loss" and operation.sizes["flags"] & 2 and "labels" not in there:
        raise PlanError("a likelihood needs labels")


def _verify_aliases(operation: Operation) -> None:
    """What is written overlaps nothing else the operation touches, unless it is the very buffer it may be."""
    operands = OPERATIONS[operation.kind].operands
    there = [(operand, operation.operands[operand.name]) for operand in operands if operand.name in operation.operands]
    for operand, buffer in there:
        if "w" not in operand.access:
            continue
        for other, array in ((o.name, b.array) for o, b in there if o is not operand):
            same = other == operand.within and address(buffer.array) == address(array)
            if not same and np.may_share_memory(buffer.array, array):
                raise PlanError(f"{operand.name} overlaps {other}")


def _verify_kept(operation: Operation, kept: list[Buffer]) -> None:
    """Nothing writes to what must stay as it is, under another name either."""
    for operand in OPERATIONS[operation.kind].operands if kept else ():
        buffer = operation.operands.get(operand.name)
        if buffer is None or "w" not in operand.access:
            continue
        for other in kept:
            if np.may_share_memory(buffer.array, other.array):
                raise PlanError(f"operand {operand.name} would overwrite {other.name}")


def tables(plan: Plan) -> tuple[Array, Array, Array]:
    """The operations as the core reads them: int64 rows, their numbers, and the buffers' addresses."""
    core = processor.core()
    buffers = list(plan.buffers())
    places = {id(buffer): place for place, buffer in enumerate(buffers)}
    table = np.full((len(plan.operations), 2 + core.BUFFERS + core.SIZES), -1, np.int64)
    numbers = np.zeros((len(plan.operations), core.NUMBERS))
    for row, number, operation in zip(table, numbers, plan.operations, strict=True):
        row[0] = NUMBER_OF[operation.kind]
        for i, operand in enumerate(OPERATIONS[operation.kind].operands):
            if operand.name in operation.operands:
                row[1 + i] = places[id(operation.operands[operand.name])]
        sizes = list(operation.sizes.values())
        row[1 + core.BUFFERS : 1 + core.BUFFERS + len(sizes)] = sizes
        row[-1] = -1 if operation.stream is None else operation.stream
        number[: len(operation.numbers)] = list(operation.numbers.values())
    return table, numbers, np.array([address(buffer.array) for buffer in buffers], np.uint64)


def address(array: Array) -> int:
    """Where an array's values lie."""
    return int(array.__array_interface__["data"][0])
