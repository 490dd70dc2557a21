"""One sample through an 8–64–64–2 Tanh policy, as a control loop asks for it: µs per call, from Python.

    python benchmarks/predictor.py [--repeats N] [--out FILE]

`maillon.compile` checks shape and dtype and returns an array. Each peer gets its own kind of array, ready made, and
one thread; all sides answer in turn, each in a process of its own, and must give the same two numbers.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from peers.referee import PAUSE, PeerError, Process
from peers.results import RESULTS, heading, listed, machine, quartiles, short, table, write

LIMIT = 3.0  # µs
OURS = "maillon.compile, native"
SIDES: dict[str, tuple[str, dict[str, Any]]] = {
    OURS: ("peers.by_maillon", {"engine": "native"}),
    "maillon, network(x)": ("peers.by_maillon", {"engine": "numpy"}),
    "NumPy by hand": ("peers.by_numpy", {}),
    "ONNX Runtime": ("peers.by_onnx", {}),
    "JAX, jitted": ("peers.by_jax", {}),
    "PyTorch, traced": ("peers.by_torch", {"mode": "traced"}),
    "PyTorch, compiled": ("peers.by_torch", {"mode": "compiled"}),
    "PyTorch, eager": ("peers.by_torch", {"mode": "eager"}),
}
ONE_THREAD = (("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1"), ("NPROC", "1"))
TARGET = 0.1  # seconds of calls in each round


def measure(repeats: int, sides: dict[str, tuple[str, dict[str, Any]]] = SIDES) -> dict[str, Any]:
    """µs per call of each side, or why it is missing; and the versions."""
    found: dict[str, Any] = {}
    versions: dict[str, str] = {}
    processes, counts, answers = {}, {}, {}
    for name, (module, options) in sides.items():
        process = Process(module, ONE_THREAD)
        try:
            answers[name] = process.ask("policy", options)
            versions |= process.ask("versions")
            n = 100
            while (seconds := process.ask("calls", n)) < TARGET / 4:
                n *= 4
            counts[name] = max(1, round(n * TARGET / seconds))
        except PeerError as error:
            found[name] = {"missing": str(error)}
            process.end()
        else:
            processes[name] = process
    times: dict[str, list[float]] = {name: [] for name in processes}
    for _ in range(repeats):
        for name, process in processes.items():
            time.sleep(PAUSE)
            times[name].append(1e6 * process.ask("calls", counts[name]) / counts[name])
    for process in processes.values():
        process.end()
    expected = answers["NumPy by hand"]
    for name, values in times.items():
        np.testing.assert_allclose(answers[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)
        found[name] = {"us": quartiles(values), "calls_per_repeat": counts[name]}
    return {"sides": {name: found[name] for name in sides}, "versions": versions}


def misses(sides: dict[str, Any]) -> list[str]:
    ours = sides[OURS]
    if "missing" in ours:
        return [f"no limit can be held, {OURS} is missing"]
    median = ours["us"]["median"]
    return [] if median <= LIMIT else [f"{OURS}: {short(median)} µs, limit {LIMIT} µs"]


def rows_of(sides: dict[str, Any]) -> tuple[list[list[str]], list[str]]:
    """The rows of the table, and who is missing."""
    rows, absent = [], []
    for name, side in sides.items():
        if "missing" in side:
            rows.append([name, "—", "—"])
            absent.append(f"{name}: {side['missing']}")
        else:
            us = side["us"]
            rows.append([name, short(us["median"]), f"{short(us['q1'])}–{short(us['q3'])}"])
    return rows, absent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="rounds, at least 2 (default: 9)")
    parser.add_argument("--out", type=Path, default=RESULTS / "predictor.json")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    result = {"machine": machine(), "repeats": arguments.repeats, **measure(arguments.repeats)}
    result["misses"] = misses(result["sides"])
    rows, absent = rows_of(result["sides"])
    lines = heading("One sample through 8–64–64–2", result) + table(["", "µs per call", "quartiles"], rows)
    lines += listed("Missing", absent) + listed("Limits missed", result["misses"])
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
