"""Runs the code of the README and of other pages: readme.py README.md docs/*.md.

The ```python blocks of a page run one after the other, in one namespace and an empty folder. Where a ```text block
follows one, it must be what the code printed; numbers may differ by one in the last digit shown.
"""

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def same(expected: str, got: str) -> bool:
    """Whether two texts agree, each number to one in the last digit that is expected."""
    if NUMBER.split(expected) != NUMBER.split(got):
        return False
    for wanted, found in zip(NUMBER.findall(expected), NUMBER.findall(got), strict=True):
        digits, _, exponent = wanted.partition("e")
        decimals = len(digits.partition(".")[2])
        unit = 10.0 ** (int(exponent or 0) - decimals) if "." in digits else 0.0
        if abs(float(wanted) - float(found)) > 1.01 * unit:
            return False
    return True


def lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def run(readme: Path) -> tuple[int, int] | None:
    """How many blocks ran, and how many outputs were compared; None where one differs."""
    blocks = FENCE.findall(readme.read_text(encoding="utf-8"))
    namespace: dict[str, object] = {"__name__": "__main__"}
    ran = compared = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number, (language, code) in enumerate(blocks):
            if language != "python":
                continue
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, f"{readme.name}, block {number + 1}", "exec"), namespace)
            ran += 1
            follower, expected = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
            if follower != "text":
                continue
            compared += 1
            if not same(lines(expected), lines(printed.getvalue())):
                print(f"{readme.name}, block {number + 1}, says\n{expected}and printed\n{printed.getvalue()}")
                return None
    print(f"{readme.name}: {ran} pieces of code ran, {compared} outputs as shown")
    return ran, compared


def main(*texts: Path) -> int:
    os.environ.setdefault("MPLBACKEND", "Agg")
    counts = []
    for path in texts:
        count = run(path)
        if count is None:
            return 1
        counts.append(count)
    ran, compared = map(sum, zip(*counts, strict=True))
    return 0 if ran and compared else 1


if __name__ == "__main__":
    sys.exit(main(*(Path(name).resolve() for name in sys.argv[1:])))
