"""The text of a header."""

import re
import textwrap
from collections.abc import Iterable, Sequence

from maillon.interop.c.program import TOKEN, Constant, Program

WIDTH = 110
DECLARES = re.compile("const |float |double |int ")
TIDIED = ((r"([\[(])0 \* \d+ \+ ", r"\1"), (r" \+ 0 \* \d+(?=[\]) ])", ""), (r"([\[(])0 \+ ", r"\1"))
"""What is left of an index where a loop has one turn only: terms that are 0."""


def header(program: Program, signature: str, about: Sequence[str], macros: dict[str, int], work: Sequence[int]) -> str:
    """The whole header: what it is about, sizes, constants, helpers, the function."""
    guard = f"{program.name.upper()}_H"
    body = list(function_lines(program, signature, work))
    text = "\n".join(body)
    helpers = [code for name, code in program.helpers.items() if _names(name, text)]
    used = [constant for constant in program.constants.values() if _names(constant.name, text)]
    parts = [
        comment(about),
        f"#ifndef {guard}\n#define {guard}\n\n#include <math.h>",
        "\n".join(f"#define {name} {size}" for name, size in macros.items()),
        *map(declared, used),
        *("\n".join(indented(code.split("\n"))) for code in helpers),
        text,
        "#endif",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def used_bytes(program: Program) -> int:
    """Of the constants that a step reads."""
    text = "\n".join(line for step in program.steps for line in step.lines)
    return sum(each.bytes for each in program.constants.values() if _names(each.name, text))


def _names(name: str, text: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None


def function_lines(program: Program, signature: str, work: Sequence[int]) -> Iterable[str]:
    lines = [f"{signature} {{"]
    if work:
        arrays = ", ".join(f"w{place}[{size}]" for place, size in enumerate(work))
        lines += wrapped(f"{program.real} {arrays};")
    start = 0
    for buffer in program.buffers:
        if buffer.kind == "state":
            lines.append(f"{program.real} *const {buffer.name} = state{f' + {start}' * bool(start)};")
            start += buffer.size
    names = [buffer.name for buffer in program.buffers]
    for step in program.steps:
        lines.append(f"/* {safe(step.note)} */")
        block = any(DECLARES.match(line) for line in _outside(step.lines))
        lines += ["{"] * block
        lines += [TOKEN.sub(lambda found: names[int(found[1])], line) for line in step.lines]
        lines += ["}"] * block
    return map(tidied, indented([*lines, "}"]))


def _outside(lines: Iterable[str]) -> Iterable[str]:
    """The lines that are in no block."""
    depth = 0
    for line in lines:
        if depth == 0:
            yield line
        depth += line.endswith("{") - line.startswith("}")


def tidied(line: str) -> str:
    for pattern, instead in TIDIED:
        line = re.sub(pattern, instead, line)
    return line


def indented(lines: Iterable[str]) -> list[str]:
    """Four spaces for each brace that is open."""
    depth, result = 0, []
    for line in lines:
        depth -= line.startswith("}")
        result.append("    " * depth + line)
        depth += line.endswith("{")
    return result


def declared(constant: Constant) -> str:
    head = f"static const {constant.ctype} {constant.name}[{len(constant.literals)}] = {{"
    return "\n".join([head, *wrapped(", ".join(constant.literals), "    "), "};"])


def wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def comment(lines: Iterable[str]) -> str:
    return "\n".join(["/*", *(f" * {safe(line)}".rstrip() for line in lines), " */"])


def safe(text: str) -> str:
    """Inside a comment: ASCII, and nothing that ends or begins one, or that a preprocessor of C99 would change."""
    plain = text.encode("ascii", "backslashreplace").decode()
    for found, instead in (("*/", "* /"), ("/*", "/ *"), ("??", "? ?"), ("\n", " ")):
        plain = plain.replace(found, instead)
    return re.sub(r"\s+", " ", plain) if "\n" in text else plain.removesuffix("\\")
