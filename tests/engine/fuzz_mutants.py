"""What may be wrong with a plan, at random, for fuzz.py."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from fuzz_memory import SPARE, Arena

from maillon.engine.plan import PARTS, Operation, Plan
from maillon.engine.table import OPERATIONS, Operand
from maillon.typing import Array

HUGE = (2**31 - 1, 2**31, 2**39, 2**40 - 1, 2**40, 2**62, 2**63)
STRANGE = (float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 1e-320, 0.0, -1.0, 1.0, 2.0, 1, True)


def operands_of(operation: Operation) -> tuple[Operand, ...]:
    """Those of its kind, or of any where a mutation has made up a kind."""
    return OPERATIONS.get(operation.kind, OPERATIONS["linear"]).operands


@dataclass
class Mutation:
    """One change of a plan; `what` tells it."""

    arena: Arena
    plan: Plan
    rng: np.random.Generator
    what: str = ""

    def pick(self, values: Any) -> Any:
        values = list(values)
        return values[int(self.rng.integers(len(values)))]

    def operation(self) -> int:
        return int(self.rng.integers(len(self.plan.operations)))

    def put(self, place: int, what: str, **changes: Any) -> None:
        operation = replace(self.plan.operations[place], **changes)
        self.what = f"operation {place}, {self.plan.operations[place].kind}: {what}"
        self.plan.operations[place] = operation

    def kind(self) -> None:
        place = self.operation()
        old, kind = (
            self.plan.operations[place],
            self.pick([*[name for name in OPERATIONS if name != "python"], "no such"]),
        )
        spec = OPERATIONS.get(kind, OPERATIONS["linear"])
        buffers = list(self.plan.buffers())
        operands = {o.name: old.operands.get(o.name, self.pick(buffers)) for o in spec.operands}
        sizes = {name: old.sizes.get(name, self.pick([0, 1, 2, *old.sizes.values()])) for name in spec.sizes}
        numbers = {name: old.numbers.get(name, 0.5) for name in spec.numbers}
        stream = self.pick([None, 0])
        self.put(
            place, f"becomes {kind} {sizes}", kind=kind, operands=operands, sizes=sizes, numbers=numbers, stream=stream
        )

    def size(self) -> None:
        place = self.operation()
        sizes = dict(self.plan.operations[place].sizes)
        for _ in range(int(self.rng.integers(1, 4)) if sizes else 0):
            name = self.pick(sizes)
            old = int(sizes[name])
            near = [0, 1, 2, old - 1, old + 1, old * 2, old * 64, old // 2, -old, -1]
            sizes[name] = self.pick([self.pick(near), self.pick(near), self.pick(HUGE), 0, 1.0 * old, str(old)])
        if sizes and self.rng.random() < 0.05:
            sizes.pop(self.pick(sizes))
        self.put(place, f"sizes {sizes}", sizes=sizes)

    def empty(self) -> None:
        """Sizes whose product is zero, the others large."""
        place = self.operation()
        sizes = {
            name: self.pick([0, 0, 1, 2, 1000, 2**20, 2**39])
            if name in ("n", "rows", "inputs", "outputs", "outer", "size", "inner", "classes", "columns")
            else value
            for name, value in self.plan.operations[place].sizes.items()
        }
        operation = self.plan.operations[place]
        optional = {o.name for o in operands_of(operation) if o.optional and o.name != "labels"}
        operands = {n: b for n, b in operation.operands.items() if n not in optional or self.rng.random() < 0.3}
        self.put(place, f"sizes {sizes} with {list(operands)}", sizes=sizes, operands=operands)

    def number(self) -> None:
        place = self.operation()
        numbers = dict(self.plan.operations[place].numbers)
        if numbers:
            numbers[self.pick(numbers)] = self.pick(STRANGE)
        self.put(place, f"numbers {numbers}", numbers=numbers)

    def operands(self) -> None:
        """Dropped, exchanged, one twice, any other buffer of the plan."""
        place = self.operation()
        old = self.plan.operations[place].operands
        operands, one, other = dict(old), self.pick(old), self.pick(old)
        spec = [o.name for o in operands_of(self.plan.operations[place])]
        way = self.pick(["drop", "exchange", "alias", "foreign", "more"])
        if way == "drop":
            operands.pop(one)
        elif way == "exchange":
            operands[one], operands[other] = old[other], old[one]
        elif way == "alias":
            operands[one] = old[other]
        else:
            operands[self.pick([*spec, "stranger"]) if way == "more" else one] = self.pick(self.plan.buffers())
        self.put(place, f"{way} {one} {other}", operands=operands)

    def array(self) -> None:
        """An operand's memory: shorter, shifted, of another dtype, order or width, or not to be written."""
        place = self.operation()
        operands = dict(self.plan.operations[place].operands)
        name = self.pick(operands)
        buffer = operands[name]
        flat = buffer.array.reshape(-1)
        other = self.pick([np.float32, np.float64, np.int64, np.float16, np.uint8, np.complex128])
        raw = self.arena.extra(SPARE, np.uint8)
        frozen = flat.view()
        frozen.flags.writeable = False
        changed: dict[str, Callable[[], Array]] = {
            "shorter": lambda: flat[: max(0, flat.size - int(self.rng.integers(1, 9)))],
            "later": lambda: flat[1:],
            "none": lambda: flat[:0],
            "every other": lambda: flat[::2],
            "backwards": lambda: flat[::-1],
            "other dtype": lambda: raw[: min(SPARE, flat.size * np.dtype(other).itemsize)].view(other),
            "seen as other": lambda: flat[: flat.nbytes // 16 * 16 // flat.itemsize].view(other),
            "other order": lambda: flat.view(flat.dtype.newbyteorder()),
            "askew": lambda: raw[1 : 1 + min(SPARE // 16, flat.size) * flat.itemsize].view(flat.dtype),
            "frozen": lambda: frozen,
            "subclass": lambda: flat.view(np.ma.MaskedArray),
            "again": lambda: flat,
            "two-dimensional": lambda: np.asfortranarray(flat[: flat.size // 2 * 2].reshape(-1, 2)),
        }
        way = self.pick(changed)
        operands[name] = replace(buffer, array=changed[way](), read_only=self.pick([False, buffer.read_only, True]))
        self.put(place, f"{name} {way} {other.__name__}", operands=operands)

    def stream(self) -> None:
        place = self.operation()
        stream = self.pick([None, -1, 0, 1, 2, 2**40, 0.0])
        self.put(place, f"stream {stream}", stream=stream, part=self.pick([*PARTS, "elsewhere"]))

    def order(self) -> None:
        operations = self.plan.operations
        one, other = self.operation(), self.operation()
        way = self.pick(["leave out", "twice", "exchange", "dtype", "rows"])
        self.what = f"{way} {one} {other}"
        if way == "leave out":
            del operations[one]
        elif way == "twice":
            operations.insert(other, operations[one])
        elif way == "exchange":
            operations[one], operations[other] = operations[other], operations[one]
        elif way == "dtype":
            self.dtype(np.dtype(self.pick(["float32", "float64", "float16", "int64", "complex64"])))
        else:
            self.plan.rows = self.pick([0, -1, 1, 2**40])

    def dtype(self, dtype: np.dtype[Any]) -> None:
        """All numbers seen as others."""
        old, self.plan.dtype = self.plan.dtype, dtype
        seen = {}
        for buffer in self.plan.buffers():
            flat = buffer.array.reshape(-1)
            fits = flat.dtype == old and not flat.nbytes % dtype.itemsize and flat.flags.contiguous
            seen[id(buffer)] = replace(buffer, array=flat.view(dtype)) if fits else buffer
        for place, operation in enumerate(self.plan.operations):
            operands = {name: seen[id(buffer)] for name, buffer in operation.operands.items()}
            self.plan.operations[place] = replace(operation, operands=operands)

    def values(self) -> None:
        """Numbers that nobody expects, in a buffer that operations read."""
        operation: Operation = self.plan.operations[self.operation()]
        name = self.pick(operation.operands)
        array = operation.operands[name].array.reshape(-1)
        self.what = f"values of {operation.kind}'s {name}"
        strange: list[Any] = [0, 1, -1, 2**62, -(2**63), 2**63 - 1, -100, array.size]
        if array.dtype != np.int64:
            strange = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0, -0.0, 1.0, 2.0]
        if name == "count":
            strange = [value for value in strange if value != 2**63 - 1]  # steps that no training takes
        known = array.dtype in (np.int64, np.float32, np.float64) and array.flags.writeable and array.size
        for _ in range(int(self.rng.integers(1, 5)) if known else 0):
            array[int(self.rng.integers(array.size))] = self.pick(strange)


WAYS = (
    *("kind", "size", "size", "empty", "empty", "number", "operands", "operands"),
    *("array", "array", "stream", "order", "values", "values"),
)


def mutate(arena: Arena, rng: np.random.Generator) -> tuple[Plan, str]:
    """One to three changes of the arena's plan."""
    plan = replace(arena.plan, operations=list(arena.plan.operations))
    told = []
    for _ in range(int(rng.integers(1, 4))):
        if plan.operations and all(operation.operands for operation in plan.operations):
            mutation = Mutation(arena, plan, rng)
            getattr(mutation, mutation.pick(WAYS))()
            told.append(mutation.what)
    return plan, "; ".join(told)
