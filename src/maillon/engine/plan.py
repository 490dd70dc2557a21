"""Plan: a chain, its loss and its rule for one shape of mini-batch, as a flat list of operations over named buffers.

`print(plan)` shows it. What the core is given passes engine/verify.py before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maillon.engine import processor
from maillon.engine.operations import ACTIVATIONS, ELEMENT_LOSSES, NUMBER_OF, OPERATIONS, REDUCTIONS
from maillon.typing import Array, DType

PARTS = ("forward", "loss", "clear", "backward", "divide", "clip", "update")
_WHEN = {"clear": ", at the first mini-batch gathered", "divide": ", at the last one, as all below"}
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

    @property
    def address(self) -> int:
        """Where the values lie: looked up once, for it takes a while."""
        known: int | None = self.__dict__.get("_address")
        if known is None:
            known = self.__dict__["_address"] = address(self.array)
        return known

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
    output : Buffer
        The network's output, with its shape.
    result : Buffer, optional
        The loss, and what its mean was divided by, after each step.
    streams : list of Generator
        What operations draw from, by their number.
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
            lines += [part + _WHEN.get(part, "")] * bool(there)
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


def tables(plan: Plan) -> tuple[Array, Array, Array]:
    """The operations as the core reads them: int64 rows, their numbers, and the buffers' addresses."""
    core = processor.core()
    widths: tuple[int, int, int] = (core.BUFFERS, core.SIZES, core.NUMBERS)
    buffers = list(plan.buffers())
    places = {id(buffer): place for place, buffer in enumerate(buffers)}
    rows, numbers = [], []
    for operation in plan.operations:
        operands = operation.operands
        held = [
            places[id(operands[operand.name])] if operand.name in operands else -1
            for operand in OPERATIONS[operation.kind].operands
        ]
        stream = -1 if operation.stream is None else operation.stream
        row = [NUMBER_OF[operation.kind], *_filled(held, widths[0], -1)]
        rows.append([*row, *_filled(operation.sizes.values(), widths[1], -1), stream])
        numbers.append(_filled(operation.numbers.values(), widths[2], 0.0))
    return (
        np.array(rows, np.int64).reshape(len(rows), 2 + widths[0] + widths[1]),
        np.array(numbers, np.float64).reshape(len(rows), widths[2]),
        np.array([buffer.address for buffer in buffers], np.uint64),
    )


def _filled(values: Iterable[Any], width: int, rest: Any) -> list[Any]:
    there = list(values)
    return there + [rest] * (width - len(there))


def address(array: Array) -> int:
    """Where an array's values lie."""
    return int(array.__array_interface__["data"][0])
