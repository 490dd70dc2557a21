"""One sample through an 8–64–64–2 Tanh policy as the C of `to_c`, called from C: µs per call.

    python benchmarks/c_export.py [--repeats N] [--out FILE]

Beside it stand the ways from Python of `predictor.py`, measured in turn: `maillon.compile` and `network(x)`. Every side
must give the same two numbers.
"""

import argparse
import shutil
import subprocess
from pathlib import Path
from typing import Any

import predictor
from peers.results import RESULTS, heading, listed, machine, table, write

LEVELS = {"-O2": ["-O2"], "-O3 -march=native": ["-O3", "-march=native"]}
C_SIDES: dict[str, tuple[str, dict[str, Any]]] = {
    f"C, {compiler} {name}": ("peers.by_c", {"compiler": compiler, "flags": flags})
    for compiler in ("gcc", "clang")
    for name, flags in LEVELS.items()
}
DOUBLE = {"compiler": "gcc", "flags": LEVELS["-O3 -march=native"], "dtype": "float64"}
SIDES = {
    **C_SIDES,
    "C in double, gcc -O3 -march=native": ("peers.by_c", DOUBLE),
    **{name: predictor.SIDES[name] for name in (predictor.OURS, "maillon, network(x)", "NumPy by hand")},
}


def compilers() -> dict[str, str]:
    """The first line that each compiler says of itself."""
    there = [name for name in ("gcc", "clang") if shutil.which(name)]
    said = {name: subprocess.run([name, "--version"], capture_output=True, text=True, check=True) for name in there}
    return {name: result.stdout.splitlines()[0] for name, result in said.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="rounds, at least 2 (default: 9)")
    parser.add_argument("--out", type=Path, default=RESULTS / "c_export.json")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    measured = predictor.measure(arguments.repeats, SIDES)
    result = {"machine": machine(), "compilers": compilers(), "repeats": arguments.repeats, **measured}
    rows, absent = predictor.rows_of(result["sides"])
    lines = heading("One sample through 8–64–64–2, in C", result)
    lines += [f"{name}: {said}." for name, said in result["compilers"].items()]
    lines += ["", *table(["", "µs per call", "quartiles"], rows), *listed("Missing", absent)]
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
