"""The C++ structs of operations, written from their rows: `python -m maillon.engine.header native/operations`.

The headers are committed, so that the build needs no Python package; a test holds them equal to the rows.
"""

import sys
from pathlib import Path
from types import ModuleType

from maillon.engine.families import load
from maillon.engine.table import Kind, Operand

_CPP = {None: "T", "float64": "double", "int64": "int64_t", "bool": "uint8_t"}


def header(family: ModuleType) -> str:
    """The header of one family."""
    name = family.__name__.rpartition(".")[2]
    lines = [
        f"// Written by `make operations` from src/maillon/engine/families/{name}.py: change that, and run it again.",
        "#pragma once",
        "",
        '#include "../program.hpp"',
        '#include "choices.hpp"',
        "",
        "namespace maillon::op {",
        "",
    ]
    for kind in family.OPERATIONS.values():
        lines += [*_struct(kind), ""]
    return "\n".join([*lines, "} // namespace maillon::op", ""])


def _struct(kind: Kind) -> list[str]:
    lines = [f"// {kind.about}", f"template <class T> struct {camel(kind.name)} {{"]
    lines += [_field(operand) for operand in kind.operands]
    lines += [f"    {type_} {', '.join(names)};" for type_, names in _by_type(kind)]
    if kind.numbers:
        lines.append(f"    double {', '.join(kind.numbers)};")
    if kind.stream:
        lines.append("    WordStream* words;")
    return [*lines, *_part(kind), "};"]


def _part(kind: Kind) -> list[str]:
    """The function that makes the operation one on some of its elements."""
    if not kind.in_parts:
        return []
    name = camel(kind.name)
    lines = [
        "",
        "    // The same for its elements begin … begin + elements - 1, whose gradient lies at `from`.",
        f"    {name} part(int64_t begin, int64_t elements, const T* from) const {{",
        f"        {name} some = *this;",
        "        some.n = elements;",
        "        some.grad = from;",
    ]
    for operand in kind.operands:
        if operand.extent == "n" and operand.name != "grad":
            there = f"if (some.{operand.name} != nullptr) " * operand.optional
            lines.append(f"        {there}some.{operand.name} += begin;")
    return [*lines, "        return some;", "    }"]


def choices() -> str:
    """The header of all enums."""
    found = (choice for family in load() for kind in family.OPERATIONS.values() for choice in kind.choices.values())
    lines = [
        "// Written by `make operations`, as the other headers here.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "",
    ]
    enums = [f"enum class {choice.enum} : int64_t {{ {', '.join(choice.values)} }};" for choice in dict.fromkeys(found)]
    return "\n".join([*lines, "namespace maillon::choice {", "", *enums, "", "} // namespace maillon::choice", ""])


def _by_type(kind: Kind) -> list[tuple[str, list[str]]]:
    """Runs of sizes of one type."""
    runs: list[tuple[str, list[str]]] = []
    for name in kind.sizes:
        type_ = f"choice::{kind.choices[name].enum}" if name in kind.choices else "int64_t"
        if runs and runs[-1][0] == type_:
            runs[-1][1].append(name)
        else:
            runs.append((type_, [name]))
    return runs


def _field(operand: Operand) -> str:
    const = "const " * ("w" not in operand.access)
    optional = "may be null; " * operand.optional
    return f"    {const}{_CPP[operand.dtype]}* {operand.name}; // {optional}{operand.access} {operand.extent}"


def camel(name: str) -> str:
    """linear_grad_input → LinearGradInput."""
    return "".join(part.capitalize() for part in name.split("_"))


def headers() -> dict[str, str]:
    """The text of all headers by their file's name."""
    made = {f"{family.__name__.rpartition('.')[2]}.hpp": header(family) for family in load()}
    return {**made, "choices.hpp": choices()}


def write(folder: Path) -> None:
    """All headers, into `folder`."""
    for name, text in headers().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
