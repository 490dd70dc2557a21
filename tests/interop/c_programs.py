"""Headers compiled and run: many functions in one program, which reads their inputs and writes their outputs."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maillon.interop.c import Header
from maillon.typing import Array

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow", "-Wdouble-promotion"]
SANITIZED = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


@dataclass
class Written:
    """A header, and what each call of its function is given: an array for each pointer."""

    header: Header
    calls: list[list[Array]]
    dtype: str


def compiled(folder: Path, source: str, compiler: str, *flags: str) -> Path:
    """The program; the compiler's words in the error where there is one."""
    (folder / "main.c").write_text(source)
    language = ["-x", "c++", "-Wall", "-Wextra", "-Werror", "-pedantic"] if compiler.endswith("++") else STRICT
    command = [compiler, *language, *flags, "main.c", "-o", "main", "-lm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return folder / "main"


def ran(folder: Path, written: Sequence[Written], compiler: str = "gcc", *flags: str) -> list[list[list[Array]]]:
    """For each header, for each call, the outputs: flat arrays."""
    program = compiled(folder, main(written), compiler, *(flags or ("-O2",)))
    given = b"".join(array.tobytes() for one in written for call in one.calls for array in call)
    done = subprocess.run([program], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[:4000]
    data, place, results = done.stdout, 0, []
    for one in written:
        sizes = [int(np.prod(shape)) for shape in one.header.outputs.values()]
        calls: list[Any] = []
        for _ in one.calls:
            parts = []
            for size in sizes:
                parts.append(np.frombuffer(data, one.dtype, size, place))
                place += parts[-1].nbytes
            calls.append(parts)
        results.append(calls)
    assert place == len(data)
    return results


def main(written: Sequence[Written]) -> str:
    """Each array has a block of memory of its own, and those that are written begin with NaN."""
    lines = ["#include <stdio.h>", "#include <stdlib.h>", "#include <string.h>"]
    lines += [f'#include "{one.header.path.name}"' for one in written]
    lines += ["int main(void) {"]
    for one in written:
        name = one.header.signature.removeprefix("static void ").partition("(")[0]
        real = "float" if one.dtype == "float32" else "double"
        kinds = {
            pointer: "int" if f"const int *{pointer}" in one.header.signature else real for pointer in one.header.inputs
        }
        arrays = {**kinds, **({"state": real} if one.header.state else {}), **dict.fromkeys(one.header.outputs, real)}
        lines += ["{"]
        sizes = {each: f"{name.upper()}_{each.upper()}" for each in arrays}
        lines += [
            f"{kind} *{each} = ({kind} *)malloc({sizes[each]} * sizeof({kind}));" for each, kind in arrays.items()
        ]
        lines += [f"if (!({' && '.join(arrays)})) {{ return 1; }}"]
        if one.header.state:
            lines += [f"memset(state, 0, {sizes['state']} * sizeof({real}));"]
        lines += [f"for (int call = 0; call < {len(one.calls)}; call++) {{"]
        for each, kind in kinds.items():
            lines += [f"if (fread({each}, sizeof({kind}), {sizes[each]}, stdin) != {sizes[each]}) {{ return 2; }}"]
        for each in one.header.outputs:
            lines += [f"memset({each}, 255, {sizes[each]} * sizeof({real}));"]
        lines += [f"{name}({', '.join(arrays)});"]
        for each in one.header.outputs:
            lines += [f"if (fwrite({each}, sizeof({real}), {sizes[each]}, stdout) != {sizes[each]}) {{ return 3; }}"]
        lines += ["}", *(f"free({each});" for each in arrays), "}"]
    return "\n".join([*lines, "return 0;", "}", ""])
