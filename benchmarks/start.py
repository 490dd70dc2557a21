"""What a beginning costs: a short training in a fresh process, `fit`'s first step, and `import maillon`.

    python benchmarks/start.py [--repeats N] [--out FILE]

End to end: 200 epochs of 1–1 and of 2–4–1 in a process that has imported its library, made the data and done nothing
else; JAX's compilation is in the time, its import and the making of its arrays are not. First step: from the call of
`fit` to the end of the first step, in a fresh process too. Import: whole processes, `import numpy` and
`import maillon` in turn.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from peers.referee import EPOCH, NATIVE, SCAN, PeerError, Process
from peers.results import RESULTS, heading, listed, machine, quartiles, short, table, write
from peers.workloads import WORKLOADS

EPOCHS = 200
COLD = {
    NATIVE: ("peers.by_maillon", {"engine": "native"}),
    SCAN: ("peers.by_jax", {"mode": "scan"}),
    EPOCH: ("peers.by_jax", {"mode": "epoch"}),
}
TIMES_JAX = 50
FIRST_STEP_MS = 5.0
FIRST_STEPS = ("linear", "binary", "digits")  # the autoencoder's step alone takes longer
FAMILY_STEP_MS = 10.0
FAMILIES = (
    *("MLP, AdamW", "MLP, BatchNorm1d, ReLU, Dropout", "MLP, LayerNorm, GELU", "Embedding, MLP", "Conv2d, 28×28"),
    *("Conv2d, BatchNorm2d, 16×16", "Conv1d, 64 long", "LSTM 16→64, 32 steps", "GRU 8→32, 20 steps"),
    "transformer, 32 wide",
)
IMPORT_MS = 60.0


def once(module: str, *question: Any) -> tuple[float, dict[str, str]]:
    """The answer of a fresh process, and the versions it has."""
    process = Process(module)
    try:
        versions = process.ask("versions")
        return process.ask(*question), versions
    finally:
        process.end()


def end_to_end(key: str, repeats: int, versions: dict[str, str]) -> dict[str, Any]:
    """Seconds of the short training, each side in turn, and JAX's best over ours."""
    seconds: dict[str, list[float]] = {name: [] for name in COLD}
    result: dict[str, Any] = {}
    for _ in range(repeats):
        for name, (module, options) in COLD.items():
            try:
                value, found = once(module, "cold", WORKLOADS[key], options, EPOCHS)
            except PeerError as error:
                result[name] = {"missing": str(error)}
                continue
            seconds[name].append(value)
            versions |= found
    result |= {name: {"ms": quartiles([1e3 * s for s in values])} for name, values in seconds.items() if values}
    jax = [values for name, values in seconds.items() if name != NATIVE and values]
    if seconds[NATIVE] and jax:
        best = min(jax, key=statistics.median)
        result["ratio"] = quartiles([a / b for a, b in zip(best, seconds[NATIVE], strict=True)])
    return result


def first_steps(repeats: int) -> dict[str, Any]:
    """Milliseconds to the end of the first step."""
    steps = {}
    for module, keys in (("peers.by_maillon", FIRST_STEPS), ("peers.cases_by_maillon", FAMILIES)):
        for key in keys:
            once(module, "ask", "first_step", key)  # writes bytecode, if nobody has
            steps[key] = quartiles([1e3 * once(module, "ask", "first_step", key)[0] for _ in range(repeats)])
    return steps


def imports(repeats: int) -> dict[str, Any]:
    """Milliseconds of a process that imports NumPy, of one that imports maillon, and their difference."""
    times: dict[str, list[float]] = {"numpy": [], "maillon": []}
    for i in range(repeats + 1):
        for module, values in times.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=os.environ)
            if i:  # the first round writes bytecode and warms the disk's cache
                values.append(1e3 * (time.perf_counter() - begun))
    beyond = [b - a for a, b in zip(*times.values(), strict=True)]
    return {name: quartiles(values) for name, values in times.items()} | {"beyond": quartiles(beyond)}


def misses(result: dict[str, Any]) -> list[str]:
    found = []
    for key, one in result["end_to_end"].items():
        if "ratio" not in one:
            found.append(f"{key}: end to end not compared, {NATIVE} or JAX is missing")
        elif one["ratio"]["median"] < TIMES_JAX:
            found.append(f"{key}: end to end {short(one['ratio']['median'])}× JAX, limit {TIMES_JAX}")
    for key, one in result["first_step_ms"].items():
        limit = FIRST_STEP_MS if key in FIRST_STEPS else FAMILY_STEP_MS
        if one["median"] > limit:
            found.append(f"{key}: first step after {short(one['median'])} ms, limit {limit:g}")
    beyond = result["import_ms"]["beyond"]["median"]
    if beyond > IMPORT_MS:
        found.append(f"import maillon: {short(beyond)} ms beyond NumPy, limit {IMPORT_MS}")
    return found


def markdown(result: dict[str, Any]) -> list[str]:
    lines = heading("Beginnings", result)
    lines += [f"{EPOCHS} epochs in a fresh process, ms; JAX with its compilation.", ""]
    rows, absent = [], []
    for key, one in result["end_to_end"].items():
        cells = []
        for name in COLD:
            cells.append(short(one[name]["ms"]["median"]) if "ms" in one[name] else "—")
            if "missing" in one[name]:
                absent.append(f"{key}: {name}: {one[name]['missing']}")
        ratio = f"{short(one['ratio']['median'])}×" if "ratio" in one else "—"
        rows.append([WORKLOADS[key].name, *cells, ratio])
    lines += table(["", *COLD, "JAX's best over ours"], rows)
    lines += ["", "From the call of `fit` to the end of the first step, ms.", ""]
    names = {key: workload.name for key, workload in WORKLOADS.items()}
    steps = [(names.get(key, key), one) for key, one in result["first_step_ms"].items()]
    lines += table(["", "median", "q3"], [[name, short(one["median"]), short(one["q3"])] for name, one in steps])
    lines += ["", "A process that imports, ms.", ""]
    lines += table(
        ["", "median", "q3"], [[k, short(v["median"]), short(v["q3"])] for k, v in result["import_ms"].items()]
    )
    return lines + listed("Missing", absent) + listed("Limits missed", result["misses"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="rounds, at least 2 (default: 7)")
    parser.add_argument("--out", type=Path, default=RESULTS / "start.json")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    versions: dict[str, str] = {}
    found = {key: end_to_end(key, arguments.repeats, versions) for key in ("linear", "binary")}
    result = {"machine": machine(), "versions": versions, "repeats": arguments.repeats, "end_to_end": found}
    result |= {"first_step_ms": first_steps(arguments.repeats), "import_ms": imports(2 * arguments.repeats)}
    result["misses"] = misses(result)
    lines = markdown(result)
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
