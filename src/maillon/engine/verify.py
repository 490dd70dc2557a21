"""The verifier: what it lets through, the core carries out without looking.

Everything the core reads or writes passes here: `verify` a plan's operations and buffers, `verify_training` the data
that mini-batches are copied from and the order of the rows, `verify_sums` and `verify_record` what a slice writes
beside. PlanError says what is wrong.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import zip_longest

import numpy as np

from maillon.engine.plan import PARTS, Buffer, Operation, Plan, PlanError, address
from maillon.engine.table import OPERATIONS
from maillon.typing import Array, DType

_OF_NOTHING = 2**20
"""The largest size that no operand has: a kernel may walk along it although there is nothing, which takes 1 ms."""

Span = tuple[int, int]
"""The addresses where memory begins and ends; (0, 0) where there is none."""


@cache
def _ends(kind: str) -> bool:
    """Whether an operation of this kind is a loss."""
    spec = OPERATIONS.get(kind)
    return spec is not None and spec.decides and "result" in spec.names


@cache
def _operands(kind: str) -> list[tuple[str, bool, DType | None]]:
    """Each operand's name, whether it may be absent, and its dtype, None for the plan's."""
    return [(o.name, o.optional, None if o.dtype is None else np.dtype(o.dtype)) for o in OPERATIONS[kind].operands]


def verify(plan: Plan, known: Sequence[Operation] = ()) -> None:
    """PlanError unless every operation stays within its buffers and writes only what it may.

    known: operations that are verified already, in another plan of the same dtype.
    """
    if plan.dtype not in (np.float32, np.float64):
        raise PlanError(f"expected float32 or float64, got {plan.dtype}")
    buffers = plan.buffers()
    for buffer in buffers:
        _verify_buffer(buffer)
    for output in plan.outputs:
        _verify_buffer(output)
        if output.array.size != math.prod(output.shape) or output.array.dtype.kind not in "fib":
            raise PlanError(f"the output is {output.array.size} of {output.array.dtype}, not {output!r}")
    if plan.result is not None and (plan.result.array.dtype != np.float64 or plan.result.array.size < 2):
        raise PlanError("the result must be the loss and what its mean was divided by")
    _gathering(plan)
    spans = {buffer: _span(buffer) for buffer in buffers}
    kept = [buffer for buffer in buffers if buffer.read_only]
    apart = _apart(spans.values())
    verified, operations = set(map(id, known)), [*plan.operations, *plan.passing]
    for place, (operation, follower) in enumerate(zip_longest(operations, operations[1:])):
        try:
            if id(operation) not in verified:
                _verify_operation(operation, plan)
            if operation.sizes.get("passes"):
                _verify_passing(operation, follower, spans)
            if not apart or kept or len(set(operation.operands.values())) < len(operation.operands):
                _verify_aliases(operation, spans, kept)
        except PlanError as error:
            raise PlanError(f"operation {place}, {operation.kind}: {error}") from None


def verify_training(
    whole: Plan, rest: Plan | None, data: Sequence[tuple[str, Array]], rows: int, order: Array | None
) -> None:
    """PlanError unless mini-batches of these data can be copied to where both plans read them, in this order.

    data: by name, a row a sample, for each of the plans' inputs. rest: the plan of the last, shorter mini-batch.
    order: where the order of the rows is drawn, None when they are not shuffled.
    """
    short = 0 if rest is None else rest.rows
    if not 1 <= whole.rows <= rows or rows % whole.rows != short:
        raise PlanError(f"plans of {whole.rows} and {short} rows do not make up {rows}")
    if whole.result is None or (rest is not None and _place(rest.result) != _place(whole.result)):
        raise PlanError("the plans of one training must leave their loss at one place")
    if rest is not None and _gathering(rest) != _gathering(whole):
        raise PlanError("the plans of one training must gather their gradients at one place, or not at all")
    plans = [whole] if rest is None else [whole, rest]
    for plan in plans:
        if len(plan.inputs) != len(data):
            raise PlanError(f"expected {len(plan.inputs)} arrays of data, got {len(data)}")
    for place, (name, array) in enumerate(data):
        _verify_data(name, array, rows)
        for plan in plans:
            _verify_batch(name, array, plan, plan.inputs[place], whole.inputs[place])
        for buffer in whole.inputs:
            if _overlap(_memory(address(array), array.nbytes), _span(buffer)):
                raise PlanError(f"{name} overlaps {buffer.name}")
    if order is not None:
        _verify_order(order, plans, data, rows)


def verify_sums(ends: Array, epochs: int) -> None:
    """PlanError unless three numbers for each of so many epochs have room."""
    _verify_written("the sums of the epochs", ends, np.dtype(np.float64), 3 * epochs)


def verify_record(whole: Plan, room: Array, steps: int) -> None:
    """PlanError unless the outputs of so many steps have room."""
    _verify_written("the record", room, whole.dtype, steps * whole.output.array.size)
    if whole.output.array.size % whole.rows or whole.output.array.dtype != whole.dtype:
        raise PlanError(f"the output is no row for each of {whole.rows} rows")


def verify_schedule(rows: Array, options: Array) -> None:
    """PlanError unless each row fills the options of a rule."""
    if rows.dtype != np.float64 or rows.ndim != 2 or not rows.flags.c_contiguous or rows.shape[1] != options.size:
        raise PlanError(f"expected rows of {options.size} options in C order, got {rows.dtype} {rows.shape}")


def _gathering(plan: Plan) -> int | None:
    """Where a plan has the divisor of gathered gradients, which it then clears once and later divides once.

    The core goes by these places, and its threads read the loss while the first of them goes on.
    """
    found = [one for one in plan.operations if one.kind in ("clear", "divide") or _is_loss(one)]
    first, *others = ["loss" if _is_loss(one) else one.kind for one in found] or ["loss"]
    if first != "loss" or others not in ([], ["clear", "divide"]):
        raise PlanError("expected one loss, and after it one clear and one divide, or neither")
    return _place(found[2].operands.get("divisor")) if others else None


def _is_loss(operation: Operation) -> bool:
    return _ends(operation.kind) or (operation.kind == "python" and operation.part == "loss")


def _verify_buffer(buffer: Buffer) -> None:
    array = buffer.array
    if type(array) is np.ndarray and array.flags.carray and array.dtype.isnative:  # all of what follows, for most
        return
    if type(array) is not np.ndarray or not array.flags.c_contiguous or not array.flags.aligned:
        raise PlanError(f"buffer {buffer.name}: expected an aligned array in C order")
    if not array.dtype.isnative:
        raise PlanError(f"buffer {buffer.name}: expected the machine's byte order")
    if not buffer.read_only and not array.flags.writeable:
        raise PlanError(f"buffer {buffer.name}: expected an array that may be written to")


def _verify_data(name: str, array: Array, rows: int) -> None:
    if type(array) is not np.ndarray or not array.flags.c_contiguous or not array.dtype.isnative:
        raise PlanError(f"{name}: expected an array in C order and the machine's byte order")
    if array.ndim == 0 or len(array) < rows:
        raise PlanError(f"{name}: expected at least {rows} rows, got the shape {array.shape}")


def _verify_batch(name: str, array: Array, plan: Plan, buffer: Buffer, first: Buffer) -> None:
    """A mini-batch's rows fill the buffer that the plan reads them from, the same in all plans."""
    if buffer.address != first.address:
        raise PlanError(f"the plans of one training must read {buffer.name} at one place")
    if buffer.array.dtype != array.dtype or buffer.array.size * len(array) != array.size * plan.rows:
        raise PlanError(f"{plan.rows} of {len(array)} rows of {name} do not fill {buffer!r}")
    if buffer.read_only:
        raise PlanError(f"{buffer.name} is read-only, and mini-batches are copied to it")


def _verify_order(order: Array, plans: Sequence[Plan], data: Sequence[tuple[str, Array]], rows: int) -> None:
    """The order is drawn anew in each epoch: it may overlap nothing."""
    _verify_written("the order", order, np.dtype(np.int64), rows)
    if any(len(array) < order.size for _, array in data):
        raise PlanError(f"the order of {order.size} rows leads beyond the data")
    begin, end = _memory(address(order), order.nbytes)
    others = [(name, address(array), array.nbytes) for name, array in data]
    others += [(buffer.name, buffer.address, buffer.array.nbytes) for plan in plans for buffer in plan.buffers()]
    for name, other, nbytes in others:
        if other < end and begin < other + nbytes and nbytes:
            raise PlanError(f"the order overlaps {name}")


def _verify_written(name: str, array: Array, dtype: np.dtype, size: int) -> None:
    flags = array.flags
    if array.dtype != dtype or not (flags.c_contiguous and flags.aligned and flags.writeable):
        raise PlanError(f"{name}: expected {dtype} in C order that may be written to")
    if array.size < size:
        raise PlanError(f"{name}: expected room for {size} elements, got {array.size}")


def _verify_operation(operation: Operation, plan: Plan) -> None:
    spec = OPERATIONS.get(operation.kind)
    if spec is None or operation.part not in PARTS:
        raise PlanError("there is no such operation")
    if (operation.kind == "python") != (operation.call is not None):
        raise PlanError("a function belongs to an operation in Python, and to no other")
    if operation.call is not None:
        return
    sizes, numbers = operation.sizes, operation.numbers
    if tuple(sizes) != spec.sizes or tuple(numbers) != spec.numbers:
        raise PlanError(f"expected sizes {spec.sizes} and numbers {spec.numbers}")
    for (name, least, end), value in zip(spec.bounds, sizes.values(), strict=True):
        if not isinstance(value, int) or not least <= value < end:
            raise PlanError(f"size {name} is {value!r}")
    for number in numbers.values():
        if not isinstance(number, float) or not math.isfinite(number):
            raise PlanError(f"numbers are {dict(numbers)}")
    there = type(operation.stream) is int and 0 <= operation.stream < len(plan.streams)
    if not (there if spec.stream else operation.stream is None):
        raise PlanError(f"stream {operation.stream} is not there")
    _verify_operands(operation, plan.dtype)
    if not spec.must:
        return
    given = (*sizes.values(), *map(operation.operands.__contains__, spec.places))
    if not spec.holds(*given):
        broken = next(text for text, holds in spec.conditions if not holds(*given))
        raise PlanError(f"it does not hold that {broken}")


def _verify_operands(operation: Operation, real: DType) -> None:
    operands, there = operation.operands, 0
    extents = OPERATIONS[operation.kind].extents(*operation.sizes.values())
    for (name, optional, own), needed in zip(_operands(operation.kind), extents, strict=True):
        buffer = operands.get(name)
        if buffer is None:
            if not optional:
                raise PlanError(f"operand {name} is missing")
            continue
        there += 1
        array, dtype = buffer.array, real if own is None else own
        if array.dtype != dtype:
            raise PlanError(f"operand {name} is {array.dtype}, not {dtype}")
        if array.size < needed:
            raise PlanError(f"operand {name} needs {needed} elements, {buffer.name} has {array.size}")
    if max(operation.sizes.values(), default=0) > _OF_NOTHING:
        largest = max(_OF_NOTHING, *extents)
        for size, value in zip(OPERATIONS[operation.kind].bounds, operation.sizes.values(), strict=True):
            if value > largest and size.least >= 0:
                raise PlanError(f"size {size.name} is {value}, and no operand has as many elements")
    if there != len(operands):
        unknown = operands.keys() - OPERATIONS[operation.kind].names
        raise PlanError(f"there are no operands {sorted(unknown)}")


def _verify_aliases(operation: Operation, spans: dict[Buffer, Span], kept: list[Buffer]) -> None:
    """What is written overlaps nothing else the operation touches, unless it is the very buffer it may be, and nothing
    that must stay as it is, under another name either."""
    operands = operation.operands
    touched = [(name, *spans[buffer]) for name, buffer in operands.items()]
    may = {operand.name: operand.within for operand in OPERATIONS[operation.kind].written}
    for written in operation.written:
        within = may.get(written)
        begin, end = spans[operands[written]]
        for name, first, last in touched:
            if begin < last and first < end and name != written and not (name == within and begin == first):
                raise PlanError(f"{written} overlaps {name}")
        for buffer in kept:
            if _overlap((begin, end), spans[buffer]):
                raise PlanError(f"operand {written} would overwrite {buffer.name}")


def _verify_passing(operation: Operation, update: Operation | None, spans: dict[Buffer, Span]) -> None:
    """What computes a gradient part by part stands before the rule that takes the whole of it, and neither touches what
    the other one changes."""
    operands, sizes = operation.operands, operation.sizes
    spec = None if update is None else OPERATIONS.get(update.kind)
    if update is None or spec is None or not spec.in_parts or update.operands.get("grad") is not operands["dweight"]:
        raise PlanError("its gradient passes to no rule")
    if update.sizes["n"] != sizes["inputs"] * sizes["outputs"]:
        raise PlanError("its gradient is not like the parameter")
    for one, other in ((update, operation), (operation, update)):  # both are carried out at once
        for written in one.written:
            for name, buffer in other.operands.items():
                apart = not _overlap(spans[one.operands[written]], spans[buffer])
                if not apart and buffer is not operands["dweight"]:
                    raise PlanError(f"{written} of {one.kind} would overwrite {name} of {other.kind}")


def _apart(spans: Iterable[Span]) -> bool:
    """Whether no two of them overlap: then operands do so only where one buffer stands for both."""
    last = 0
    for begin, end in sorted(spans):
        if begin < last:
            return False
        last = end
    return True


def _memory(begin: int, nbytes: int) -> Span:
    return (begin, begin + nbytes) if nbytes else (0, 0)


def _span(buffer: Buffer) -> Span:
    return _memory(buffer.address, buffer.array.nbytes)


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _place(buffer: Buffer | None) -> int | None:
    return None if buffer is None else buffer.address
