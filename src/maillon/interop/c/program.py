"""What a header is made of: values, steps that compute them, constants, and the memory that all of it needs."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from maillon.typing import Array, DType

TOKEN = re.compile(r"@(\d+)@")
"""A buffer in a line of a step: it gets its name when it is known where it lies."""


class RefusedError(NotImplementedError):
    """What cannot be written in C; `link` and `path` are added on the way out."""


@dataclass(eq=False)
class Buffer:
    """Values that lie together. kind: "input" and "output" are the caller's, "state" too; "work" is the function's."""

    number: int
    size: int
    kind: str = "work"
    name: str = ""
    integer: bool = False


@dataclass(frozen=True, eq=False)
class Value:
    """An array of the network, as C has it: contiguous, from `offset` of its buffer on. Its batch is 1."""

    buffer: Buffer
    shape: tuple[int, ...]
    offset: int = 0

    @property
    def size(self) -> int:
        return prod(self.shape)

    def at(self, *terms: object) -> str:
        """C for one element: `x.at("i")`. The terms are added up, and those that are 0 left out."""
        return f"@{self.buffer.number}@[{plus(self.offset, *terms)}]"

    @property
    def pointer(self) -> str:
        return f"@{self.buffer.number}@" + f" + {self.offset}" * bool(self.offset)

    def viewed(self, shape: Sequence[int]) -> "Value":
        return Value(self.buffer, tuple(shape), self.offset)


@dataclass(eq=False)
class Step:
    """Lines of C that read some buffers and write others; inplace: the output may lie where the input lay."""

    note: str
    lines: list[str]
    reads: list[Buffer]
    writes: list[Buffer]
    inplace: bool = False


@dataclass
class Constant:
    name: str
    ctype: str
    literals: list[str]
    bytes: int


@dataclass
class Program:
    """What the links write themselves into, one after the other."""

    name: str
    dtype: DType
    steps: list[Step] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    constants: dict[Any, Constant] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict)
    stepwise: bool = False
    """Whether one dimension of the input counts steps, of which each call is one."""
    shown: dict[str, str] = field(default_factory=dict)
    """What to call each link, by its path."""
    note: str = ""
    """The link that is being written, for the comment of its steps."""
    path: str = ""
    made: Any = None
    """What the link gave for the example: its shape is the output's."""

    def begin(self, path: str, made: Any) -> None:
        """The link at this path is written now."""
        self.path, self.made = path, made
        self.note = f"{path}: {self.shown[path]}" if path else self.shown[path]

    # Numbers

    @property
    def real(self) -> str:
        return "float" if self.dtype == np.float32 else "double"

    def function(self, name: str) -> str:
        """A function of math.h for the program's numbers: expf or exp."""
        return name + "f" * (self.dtype == np.float32)

    def number(self, value: float) -> str:
        """A literal that reads back as the same number."""
        given = float(self.dtype.type(value))
        if not np.isfinite(given):  # INFINITY and NAN are floats
            infinite, none = ("INFINITY", "NAN") if self.dtype == np.float32 else ("HUGE_VAL", "(double)NAN")
            return none if np.isnan(given) else f"-{infinite}" if given < 0 else infinite
        text = format(given, ".9g" if self.dtype == np.float32 else ".17g")
        if text.lstrip("-").isdigit():
            text += ".0"
        return text + "f" * (self.dtype == np.float32)

    def constant(self, label: str, values: Array) -> str:
        """The name of an array of constants; one that is there already is not written twice."""
        held = np.ascontiguousarray(values, self.dtype)
        literals = list(map(self.number, held.ravel().tolist()))
        return self._constant(label, self.real, held, literals)

    def table(self, label: str, values: Array) -> str:
        """The name of an array of small integers."""
        fits = next(kind for kind in ("uint8", "int16", "int32") if np.array_equal(values, values.astype(kind)))
        ctype = {"uint8": "unsigned char", "int16": "short", "int32": "int"}[fits]
        held = np.ascontiguousarray(values, fits)
        return self._constant(label, ctype, held, list(map(str, held.ravel().tolist())))

    def _constant(self, label: str, ctype: str, held: Array, literals: list[str]) -> str:
        key = (ctype, held.tobytes())
        if key not in self.constants:
            self.constants[key] = Constant(self._unique(label), ctype, literals, held.nbytes)
        return self.constants[key].name

    def _unique(self, label: str) -> str:
        name = identifier(f"{self.name}_{self.path}_{label}")
        taken = {constant.name for constant in self.constants.values()}
        while name in taken:
            name += "_"
        return name

    def helper(self, name: str, code: str) -> str:
        """A static function of its own, written once, where a step calls it; its name."""
        full = f"{self.name}_{name}"
        self.helpers.setdefault(full, code.replace("NAME", full).replace("REAL", self.real))
        return full

    # Values and steps

    def buffer(self, size: int, kind: str = "work", name: str = "", integer: bool = False) -> Buffer:
        self.buffers.append(Buffer(len(self.buffers), size, kind, name, integer))
        return self.buffers[-1]

    def value(self, shape: Sequence[int]) -> Value:
        return Value(self.buffer(prod(shape)), tuple(shape))

    def state(self, label: str, shape: Sequence[int]) -> Value:
        """What a recurrent link keeps from one call to the next."""
        name = identifier(f"state_{self.path}_{label}")
        taken = {buffer.name for buffer in self.buffers}
        while name in taken:
            name += "_"
        return Value(self.buffer(prod(shape), "state", name), tuple(shape))

    def step(
        self, lines: Sequence[str], reads: Iterable[Value], writes: Iterable[Value], inplace: bool = False
    ) -> None:
        sources, targets = ([value.buffer for value in several] for several in (reads, writes))
        self.steps.append(Step(self.note, list(lines), sources, targets, inplace))

    def elementwise(self, x: Value, expression: str, *before: str) -> Value:
        """y = the expression of v, for each v of x."""
        y = self.value(x.shape)
        body = [f"const {self.real} v = {x.at('i')};", *before, f"{y.at('i')} = {expression};"]
        self.step([loop("i", x.size), *body, "}"], [x], [y], inplace=True)
        return y


def loop(name: str, stop: object, start: object = 0, by: int = 1) -> str:
    """The head of a loop, which a line "}" ends."""
    more = f"{name}++" if by == 1 else f"{name} += {by}"
    return f"for (int {name} = {start}; {name} < {stop}; {more}) {{"


def nested(loops: Sequence[tuple[str, int]], body: Sequence[str]) -> list[str]:
    """The body in loops from 0 on, the first of them outermost; what a loop of one would count is written as 0."""
    lines = list(body)
    for name, stop in reversed(loops):
        lines = [re.sub(rf"\b{name}\b", "0", line) for line in lines] if stop == 1 else [loop(name, stop), *lines, "}"]
    return lines


def times(name: str, factor: int) -> str:
    """`i * 3`, or `i`."""
    return name if factor == 1 else f"{name} * {factor}"


def plus(*terms: object) -> str:
    """The sum, without what is 0."""
    text = ""
    for term in map(str, terms):
        if term != "0":
            text += f" - {term[1:]}" if term.startswith("-") and text else f" + {term}" if text else term
    return text or "0"


def flat(*indices: tuple[str, int]) -> str:
    """The place in an array of these (index, size), the last of them side by side; an index of size 1 is 0."""
    text = ""
    for index, size in indices:
        if size > 1:
            text = plus(row(text, size), index) if text else index
    return text or "0"


def row(index: str, size: int) -> str:
    """Where row `index` of rows of this size begins."""
    return times(f"({index})" if " " in index else index, size)


def identifier(text: str) -> str:
    """The text with one underscore for everything that an identifier cannot have."""
    return re.sub(r"[^A-Za-z0-9]+", "_", text)


def refusal(shown: dict[str, str], path: str, why: str) -> NotImplementedError:
    where = f"{path!r}, " if path else ""
    return NotImplementedError(f"to_c: {where}{shown[path]} cannot be written in C: {why}")
