"""A plan's buffers laid into one array with guards between them, for fuzz.py."""

import ctypes
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from maillon.engine.plan import Buffer, Plan, address
from maillon.engine.table import OPERATIONS
from maillon.nesting import mapped
from maillon.typing import Array

GUARD = 320  # bytes before and after every piece of memory
SPARE = 4096  # bytes that mutants take further buffers from


def pieces(buffers: list[Buffer]) -> list[tuple[int, int]]:
    """The memory of the buffers, as disjoint ranges of addresses."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted((address(b.array), address(b.array) + b.array.nbytes) for b in buffers):
        if merged and begin < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


class Arena:
    """A copy of a plan whose buffers lie in one array, each piece of memory between guards."""

    def __init__(self, plan: Plan, rng: np.random.Generator) -> None:
        buffers = list({id(b): b for b in [*plan.buffers(), *plan.outputs, plan.result] if b is not None}.values())
        ranges = pieces(buffers)
        room = sum(end - begin + GUARD + 192 for begin, end in ranges) + SPARE + 3 * GUARD
        self.bytes = rng.integers(0, 256, room, np.uint8)
        self.open: list[tuple[int, int]] = []  # what is not guard
        places = []
        at = GUARD
        for begin, end in ranges:
            start = self._aligned(at) + 8 * int(rng.integers(0, 8))
            source = (ctypes.c_uint8 * (end - begin)).from_address(begin)
            self.bytes[start : start + end - begin] = np.frombuffer(source, np.uint8)
            self.open.append((start, start + end - begin))
            places.append(start)
            at = start + end - begin + GUARD
        self.spare = self._aligned(at)
        self.open.append((self.spare, self.spare + SPARE))
        moved = {id(b): self._moved(b, ranges, places) for b in buffers}
        self.moved = {id(b.array): moved[id(b)].array for b in buffers}
        operations = [
            replace(o, operands={name: moved[id(b)] for name, b in o.operands.items()}) for o in plan.operations
        ]
        self.plan = replace(
            plan,
            operations=operations,
            inputs=[moved[id(b)] for b in plan.inputs],
            output=mapped(lambda b: moved[id(b)], plan.output),
            result=None if plan.result is None else moved[id(plan.result)],
        )

    def _aligned(self, at: int) -> int:
        return at + -(address(self.bytes) + at) % 64

    def _moved(self, buffer: Buffer, ranges: list[tuple[int, int]], places: list[int]) -> Buffer:
        begin = address(buffer.array)
        number = next(i for i, r in enumerate(ranges) if r[0] <= begin and begin + buffer.array.nbytes <= r[1])
        start = places[number] + begin - ranges[number][0]
        array = self.bytes[start : start + buffer.array.nbytes].view(buffer.array.dtype).reshape(buffer.array.shape)
        return replace(buffer, array=array)

    def extra(self, size: int, dtype: Any) -> Array:
        """Memory that no operation uses yet."""
        nbytes = size * np.dtype(dtype).itemsize
        return self.bytes[self.spare : self.spare + nbytes].view(dtype)

    def writable(self, plan: Plan, kinds: tuple[str, ...] = ()) -> Array:
        """Which bytes the plan's operations may change, or those of the named operands only."""
        mask = np.zeros(self.bytes.size, bool)
        for operation in plan.operations:
            if operation.call is not None:  # one in NumPy writes whole arrays
                for name in () if kinds else operation.written:
                    array = operation.operands[name].array
                    start = address(array) - address(self.bytes)
                    mask[start : start + array.nbytes] = True
                continue
            kind = OPERATIONS[operation.kind]
            for operand, elements in zip(kind.operands, kind.extents(*operation.sizes.values()), strict=True):
                buffer = operation.operands.get(operand.name)
                if buffer is None or "w" not in operand.access or (kinds and operand.name not in kinds):
                    continue
                start = address(buffer.array) - address(self.bytes)
                extent = elements * buffer.array.itemsize
                mask[start : start + min(extent, buffer.array.nbytes)] = True
        for buffer in plan.buffers():
            if buffer.read_only or not buffer.array.flags.writeable:
                start = address(buffer.array) - address(self.bytes)
                mask[start : start + buffer.array.nbytes] = False
        return mask

    def guards(self) -> Iterator[tuple[int, int]]:
        end = 0
        for begin, until in self.open:
            yield end, begin
            end = until
        yield end, self.bytes.size

    def poison(self, on: bool) -> None:
        """Under the AddressSanitizer: whether the guards may be touched at all."""
        function = _SANITIZER[0 if on else 1]
        for begin, end in self.guards() if function else ():
            function(ctypes.c_void_p(address(self.bytes) + begin), ctypes.c_size_t(end - begin))


def _sanitizer() -> tuple[Any, Any]:
    library = ctypes.CDLL(None)
    try:
        return library.__asan_poison_memory_region, library.__asan_unpoison_memory_region
    except AttributeError:
        return None, None


_SANITIZER = _sanitizer()
