"""The declaration of an operation: what it reads, writes, needs and costs, as one row of data.

From a row come the listing of a plan, the verifier, the fuzzer, and the C++ struct that the kernel in
`native/families/` is given (`header.py`). The rows stand in `engine/families/`, each beside the lowering that uses it.
Extents, costs and conditions are expressions of the row's sizes, in Python's syntax.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

_ACCESS = ("r", "w", "rw")
_MOST = 2**40  # that a size may be


def product_workspace(m: int, n: int, k: int) -> int:
    """The elements that a product (m × k)·(k × n) packs its factors into; native/gemm.hpp lays them out."""
    return 0 if m <= 12 or m * n * k <= 2**18 else (m + n + 128) * min(k, 384)


_FUNCTIONS: dict[str, Any] = {"product_workspace": product_workspace, "max": max, "min": min, "__builtins__": {}}


class Operand(NamedTuple):
    """A buffer that an operation touches.

    Written in a row as "name: access [dtype] extent [in other]", with "name?" where it may be absent. access: r, w or
    rw. dtype: the plan's own unless one is named. extent: elements. within: the operand whose very buffer it may be,
    element by element; with no other may what is written overlap.
    """

    name: str
    access: str
    extent: str
    dtype: str | None = None
    optional: bool = False
    within: str | None = None

    @classmethod
    def of(cls, text: str) -> "Operand":
        name, rest = (part.strip() for part in text.split(":", 1))
        access, rest = rest.split(" ", 1)
        extent, _, within = rest.partition(" in ")
        first, _, after = extent.partition(" ")
        dtype = first if first in ("float64", "int64", "bool") else None
        if access not in _ACCESS:
            raise ValueError(f"operand {text!r}: expected the access r, w or rw, got {access!r}.")
        optional = name.endswith("?")
        return cls(name.removesuffix("?"), access, after if dtype else extent, dtype, optional, within.strip() or None)


class Size(NamedTuple):
    """A whole number that an operation is given: "name", with "name>0" at least 1, with "name<2" a choice or flag.

    "name±" is any number of 64 bits.
    """

    name: str
    least: int = 0
    end: int = _MOST

    @classmethod
    def of(cls, text: str) -> "Size":
        if text.endswith("±"):
            return cls(text[:-1], -(2**63), 2**63)
        name, more, least = text.partition(">")
        name, less, end = name.partition("<")
        return cls(name, int(least) + 1 if more else 0, int(end) if less else _MOST)


@dataclass(frozen=True)
class Choice:
    """What a size chooses among: the C++ enum's name, and the names of its values."""

    enum: str
    values: tuple[str, ...]

    def __getitem__(self, value: str) -> int:
        return self.values.index(value)


class Kind:
    """One kind of operation.

    Parameters
    ----------
    name : str
        Its name; the kernel in native/families/ has the same.
    about : str
        What it does, in a formula.
    operands : sequence of str
        As `Operand` has them.
    sizes : sequence of str
        As `Size` has them.
    numbers : sequence of str
        Finite numbers it is given.
    choices : dict of str to Choice
        The sizes that choose among something.
    flops : str
        Additions and multiplications, an expression of the sizes.
    work : str, optional
        What it takes, counted in flops: whether threads share it goes by this. None: flops.
    must : sequence of str
        What must hold, expressions of the sizes and of the operands' names, which say whether they are there.
    stream : bool
        It draws random words.
    alone : bool
        One thread does it.
    decides : bool
        It may end the step: a loss that is not finite, an index out of range.
    epilogue : str, optional
        The operand to which it can apply an activation (sizes `activation`, numbers `slope`): what it is given a
        `reference` for is the derivative of one.
    spares : sequence of str
        Optional operands that it need not write where nobody reads them.
    in_parts : bool
        Some of its n elements can be done alone, by a `grad` that lies elsewhere.
    """

    def __init__(
        self,
        name: str,
        about: str,
        operands: Sequence[str],
        sizes: Sequence[str],
        numbers: Sequence[str] = (),
        *,
        choices: Mapping[str, Choice] | None = None,
        flops: str = "0",
        work: str | None = None,
        must: Sequence[str] = (),
        stream: bool = False,
        alone: bool = False,
        decides: bool = False,
        epilogue: str | None = None,
        spares: Sequence[str] = (),
        in_parts: bool = False,
    ) -> None:
        self.name = name
        self.about = about
        self._texts = tuple(operands), tuple(sizes)  # read when they are needed: a training needs few of all rows
        self.choices = dict(choices or {})
        self.numbers = tuple(numbers)
        self.must = tuple(must)
        self.stream, self.alone, self.decides = stream, alone, decides
        self.epilogue, self.spares, self.in_parts = epilogue, tuple(spares), in_parts
        self.flops_text, self.work_text = flops, work or flops

    @cached_property
    def operands(self) -> tuple[Operand, ...]:
        return tuple(map(Operand.of, self._texts[0]))

    @cached_property
    def bounds(self) -> tuple[Size, ...]:
        return tuple(map(self._size, self._texts[1]))

    @cached_property
    def sizes(self) -> tuple[str, ...]:
        return tuple(size.name for size in self.bounds)

    @cached_property
    def places(self) -> tuple[str, ...]:
        return tuple(operand.name for operand in self.operands)

    @cached_property
    def names(self) -> frozenset[str]:
        """Those of the operands."""
        return frozenset(self.places)

    @cached_property
    def fields(self) -> frozenset[str]:
        """Operands, sizes and numbers."""
        if twice := self.names.intersection(self.sizes):
            raise ValueError(f"operation {self.name}: {sorted(twice)} are both operands and sizes.")
        return self.names.union(self.sizes, self.numbers)

    @cached_property
    def written(self) -> tuple[Operand, ...]:
        return tuple(operand for operand in self.operands if "w" in operand.access)

    def _size(self, text: str) -> Size:
        choice = self.choices.get(text)
        return Size.of(text) if choice is None else Size(text, 0, len(choice.values))

    @cached_property
    def extents(self) -> Callable[..., tuple[int, ...]]:
        """The elements of all operands, from the values of the sizes."""
        return self._compiled(f"({', '.join(operand.extent for operand in self.operands)},)")

    @cached_property
    def flops(self) -> Callable[..., int]:
        return self._compiled(self.flops_text)

    @cached_property
    def work(self) -> Callable[..., int]:
        return self._compiled(self.work_text)

    @cached_property
    def conditions(self) -> tuple[tuple[str, Callable[..., bool]], ...]:
        """What must hold: its text, and a function of the sizes' values and of which operands are there."""
        return tuple((text, self._compiled(text, ", ".join(self.places))) for text in self.must)

    @cached_property
    def holds(self) -> Callable[..., bool]:
        """Whether all of that does."""
        return self._compiled(" and ".join(f"({text})" for text in self.must) or "True", ", ".join(self.places))

    @cached_property
    def words(self) -> int:
        """The fields of its C++ struct, 8 bytes each."""
        return len(self.operands) + len(self.sizes) + len(self.numbers) + self.stream

    def _compiled(self, expression: str, more: str = "") -> Callable[..., Any]:
        arguments = ", ".join((*self.sizes, more)).rstrip(", ")
        made: Callable[..., Any] = eval(f"lambda {arguments}: {expression}", _FUNCTIONS)
        return made

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"


class _Rows(dict[str, Kind]):
    def __missing__(self, name: str) -> Kind:
        from maillon.engine.families import load  # they need this file

        load()
        if name not in self:
            raise KeyError(name)
        return self[name]


OPERATIONS = _Rows()
"""All rows by name, filled by the families; a row that is not there yet brings them all."""

OPERATIONS["python"] = Kind("python", "a link or loss of the user's own, in NumPy", (), (), alone=True, decides=True)


def declare(*kinds: Kind) -> Mapping[str, Kind]:
    """Take rows into OPERATIONS; returns them by name."""
    for kind in kinds:
        if kind.name in OPERATIONS:
            raise ValueError(f"operation {kind.name}: there are two of that name.")
        OPERATIONS[kind.name] = kind
    return {kind.name: kind for kind in kinds}
