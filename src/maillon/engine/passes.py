"""Passes: they make a plan's plain operations better, and give its values memory.

`leave_out` spares an operation what nobody reads; `derive_first` takes derivatives of activations before the gradient
of a max pool; `fuse` lets products apply the activation that follows them, or the derivative of the one before;
`go_in_place` lets an operation write over what nobody reads any more; `place` gives buffers the same memory where their
lives do not overlap. Each goes by how often a value is used, and none changes a result. `passing` finds the gradients
that need no memory, since a rule takes them part by part, and `pass_on` puts the two together.
"""

from bisect import insort
from collections.abc import Iterable, Sequence
from functools import cache

from maillon.engine.memory import Memory
from maillon.engine.plan import Buffer, Operation
from maillon.engine.table import OPERATIONS
from maillon.nn.support.outline import ALIGNMENT

_BESIDE = 2**17  # bytes: so little is not worth sharing memory
_FEW_ROWS, _LARGE = 8, 2**11
"""Rows up to which the gradient of a weight costs its memory rather than its arithmetic, and numbers in a weight from
which on they do not stay in the nearest cache."""


@cache
def _within(kind: str) -> list[tuple[str, str]]:
    """The operands that may be others."""
    return [(operand.name, operand.within) for operand in OPERATIONS[kind].operands if operand.within]


def passing(operations: list[Operation], updates: list[Operation]) -> list[Operation]:
    """Of the operations, those that compute the gradient of a weight for its rule alone: in `updates`, and no other.

    Few rows, a large weight: then what such a gradient costs is to be written and read.
    """
    few = [one for one in operations if one.kind == "linear_grad_weight" and one.sizes["rows"] <= _FEW_ROWS]
    if not few or any(update.part != "update" for update in updates):  # all gradients are looked at together
        return []
    uses = _uses(operations + updates)
    changed = {update.operands[name] for update in updates for name in update.written}
    order = {operands["grad"]: place for place, update in enumerate(updates) if "grad" in (operands := update.operands)}
    found = []
    for operation in few:
        operands = operation.operands
        weight, bias = operands["dweight"], operands.get("dbias")
        taken = order.get(weight)
        if taken is None or weight.size < _LARGE or uses[weight] != 2 or not OPERATIONS[updates[taken].kind].in_parts:
            continue
        if operands["dy"] in changed or operands["x"] in changed:
            continue
        if bias is None or (uses[bias] == 2 and order.get(bias, -1) > taken):
            found.append(operation)
    return found


def pass_on(operations: list[Operation], passing: list[Operation], updates: list[Operation]) -> list[Operation]:
    """All operations, those that are passing with the updates that take their gradients. They stand at the end."""
    passes = {
        operation.operands["dweight"]: operation.altered(part="update", sizes={**operation.sizes, "passes": 1})
        for operation in passing
    }
    whole = operations[: len(operations) - len(passing)]
    for update in updates:
        grad = update.operands.get("grad")
        if grad in passes:
            whole.append(passes[grad])
        whole.append(update)
    return whole


def improve(
    operations: list[Operation], kept: Iterable[Buffer], memory: Memory, passing: Sequence[Operation] = ()
) -> list[Operation]:
    """The operations as they will run, all their buffers with memory.

    kept: what must be there at the end. passing: operations that go there, and may be carried out once more then.
    """
    outputs = {*kept, *(one.operands[name] for one in passing for name in ("dy", "x"))}
    if passing:
        last = {id(one) for one in passing}
        operations = [one for one in operations if id(one) not in last] + list(passing)
    improved, becomes = go_in_place(fuse(derive_first(leave_out(operations, outputs), outputs), outputs), outputs)
    place(improved, outputs, memory)
    for written, buffer in becomes.items():  # whoever holds the value itself finds it too
        written.put(buffer.array)
    return improved


def derive_first(operations: list[Operation], kept: set[Buffer]) -> list[Operation]:
    """The derivative of an activation before a max pool is taken of the pool's output, before its gradient is spread.

    That goes only to where x was the greatest, and there x is y: f'(x) of what is spread is f'(y) of what is not yet,
    which is less, and x need not be kept.
    """
    pools = {op.operands["places"]: op for op in operations if op.kind == "max_pool" and "places" in op.operands}
    if not pools:
        return operations
    uses = _uses(operations)
    spread: dict[Buffer, Operation] = {}
    moved: list[Operation] = []
    for operation in operations:
        operands = operation.operands
        if operation.kind == "max_pool_grad" and uses[operands["dx"]] == 2 and operands["dx"] not in kept:
            spread[operands["dx"]] = operation
        before = spread.get(operands["dy"]) if operation.kind == "activation_grad" else None
        pool = None if before is None else pools.get(before.operands["places"])
        if before is not None and pool is not None and pool.operands["x"] is operands["reference"]:
            y = pool.operands["y"]
            dy = Buffer.local(f"d{y.name}, derived", y.size, y.dtype, y.shape)
            own = {**operands, "dy": before.operands["dy"], "reference": y, "dx": dy}
            moved = [other for other in moved if other is not before]
            moved.append(operation.altered(operands=own, sizes={**operation.sizes, "n": y.size}))
            moved.append(before.altered(operands={**before.operands, "dy": dy, "dx": operands["dx"]}))
        else:
            moved.append(operation)
    return moved


def _uses(operations: list[Operation]) -> dict[Buffer, int]:
    """How often each buffer is an operand."""
    uses: dict[Buffer, int] = {}
    for operation in operations:
        for buffer in operation.operands.values():
            uses[buffer] = uses.get(buffer, 0) + 1
    return uses


def leave_out(operations: list[Operation], kept: set[Buffer]) -> list[Operation]:
    """What an operation can do without writing (`spares` in its row), and nobody reads, it does not write."""
    if not any(OPERATIONS[operation.kind].spares for operation in operations):
        return operations
    uses = _uses(operations)
    needed = []
    for operation in operations:
        idle = [
            name
            for name in OPERATIONS[operation.kind].spares
            if (buffer := operation.operands.get(name)) is not None
            and buffer.is_local
            and uses[buffer] == 1
            and buffer not in kept
        ]
        if idle:
            operands = {name: buffer for name, buffer in operation.operands.items() if name not in idle}
            operation = operation.altered(operands=operands)  # noqa: PLW2901
        needed.append(operation)
    return needed


def fuse(operations: list[Operation], kept: set[Buffer]) -> list[Operation]:
    """Activations, and derivatives of activations, become part of the product before them, where nobody else reads it.

    Only for products that can apply one (`epilogue` in their row), and activations that need but one number.
    """
    if not any(operation.kind in ("activation", "activation_grad") for operation in operations):
        return operations
    uses = _uses(operations)
    made: dict[Buffer, int] = {}  # by which operation of those kept so far, where that could have an epilogue
    fused: list[Operation] = []
    for operation in operations:
        kind, operands = OPERATIONS[operation.kind], operation.operands
        forward, backward = operation.kind == "activation", operation.kind == "activation_grad"
        if forward or backward:
            source = operands["x" if forward else "dy"]
            at = made.get(source)
            if at is not None and uses[source] == 2 and source not in kept:
                product = fused[at]
                written = OPERATIONS[product.kind].epilogue
                numbers = operation.numbers
                alone = not any(numbers[name] for name in "bcd")
                if written is not None and alone and ("reference" in OPERATIONS[product.kind].names) == backward:
                    own = {**product.operands, written: operands["y" if forward else "dx"]}
                    if backward:
                        own["reference"] = operands["reference"]
                    sizes = {**product.sizes, "activation": operation.sizes["activation"]}
                    given = {**product.numbers, "slope": numbers["a"]}
                    fused[at] = product.altered(operands=own, sizes=sizes, numbers=given)
                    continue
        if kind.epilogue is not None and not operation.sizes["activation"]:
            made[operands[kind.epilogue]] = len(fused)
        fused.append(operation)
    return fused


def go_in_place(operations: list[Operation], kept: set[Buffer]) -> tuple[list[Operation], dict[Buffer, Buffer]]:
    """What an operation may write over what it reads is written there, if that is its last use.

    With the operations the buffers that have become others.
    """
    last: dict[Buffer, int] = {}
    for number, operation in enumerate(operations):
        for buffer in operation.operands.values():
            last[buffer] = number
    becomes: dict[Buffer, Buffer] = {}
    improved = []
    for number, operation in enumerate(operations):
        pairs = _within(operation.kind)
        if not pairs and becomes.keys().isdisjoint(operation.operands.values()):
            improved.append(operation)
            continue
        operands = {name: becomes.get(buffer, buffer) for name, buffer in operation.operands.items()}
        for name, within in pairs:  # none for one in Python, which gets copies
            written, read = operands.get(name), operands.get(within)
            if written is None or read is None or written is read:
                continue
            alike = written.size == read.size and written.dtype == read.dtype
            free = written.is_local and read.is_local and last[read] == number
            alone = sum(buffer is read for buffer in operands.values()) == 1
            if alike and free and alone and written not in kept and read not in kept:
                becomes[written] = operands[name] = read
                last[read] = last[written]
        improved.append(operation.altered(operands=operands) if operands != operation.operands else operation)
    return improved, becomes


def place(operations: list[Operation], kept: set[Buffer], memory: Memory) -> None:
    """Give every local buffer its memory."""
    end = len(operations)
    first: dict[Buffer, int] = {}
    last: dict[Buffer, int] = {}
    for number, operation in enumerate(operations):
        for buffer in operation.operands.values():
            if buffer.is_local:
                first.setdefault(buffer, number)
                last[buffer] = number
    for buffer in kept:
        if buffer.is_local:
            first.setdefault(buffer, 0)
            last[buffer] = end
    offsets, total = _offsets(first, last)
    arena = memory.arena(total)
    for buffer, offset in offsets.items():
        buffer.put(arena[offset : offset + buffer.size * buffer.dtype.itemsize].view(buffer.dtype))


def _offsets(first: dict[Buffer, int], last: dict[Buffer, int]) -> tuple[dict[Buffer, int], int]:
    """Where each buffer begins in the arena, and how large that is: first fit among the gaps of those that live."""
    sizes = {buffer: -(-buffer.size * buffer.dtype.itemsize // ALIGNMENT) * ALIGNMENT for buffer in first}
    offsets: dict[Buffer, int] = {}
    if sum(sizes.values()) <= _BESIDE:
        total = 0
        for buffer, size in sizes.items():
            offsets[buffer], total = total, total + size
        return offsets, total
    ends: dict[int, list[Buffer]] = {}
    gaps: list[tuple[int, int]] = []  # (begin, end), in order
    total, now = 0, 0
    for buffer in sorted(first, key=first.__getitem__):
        while now < first[buffer]:
            for dead in ends.pop(now, ()):
                _release(gaps, offsets[dead], offsets[dead] + sizes[dead])
            now += 1
        size = sizes[buffer]
        for number, (begin, until) in enumerate(gaps):
            if until - begin >= size:
                offsets[buffer] = begin
                gaps[number : number + 1] = [(begin + size, until)] if until - begin > size else []
                break
        else:
            if gaps and gaps[-1][1] == total:  # the last gap grows
                total = gaps.pop()[0]
            offsets[buffer], total = total, total + size
        ends.setdefault(last[buffer], []).append(buffer)
    return offsets, total


def _release(gaps: list[tuple[int, int]], begin: int, end: int) -> None:
    """A gap more, joined with its neighbours."""
    if begin == end:
        return
    insort(gaps, (begin, end))
    at = gaps.index((begin, end))
    if at + 1 < len(gaps) and gaps[at + 1][0] == end:
        gaps[at : at + 2] = [(begin, gaps[at + 1][1])]
    if at and gaps[at - 1][1] == begin:
        gaps[at - 1 : at + 1] = [(gaps[at - 1][0], gaps[at][1])]
