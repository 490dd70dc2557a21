"""A training beside other work: ms per epoch of 784–100–10 with the default threads, with one, and with always two.

    python benchmarks/busy.py [--repeats N] [--epochs N] [--busy 0,1,2,3] [--out FILE]

Beside it run 0 to 3 endless Python loops, or a second training with the default threads. The three settings have a
process each and train in turn. The limit: the default takes at most 1.25 times as long as the better of the two others.
"""

import argparse
import contextlib
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peers.referee import PAUSE, Process
from peers.results import RESULTS, heading, listed, machine, quartiles, short, table, write
from peers.workloads import WORKLOADS

LIMIT = 1.25
WORKLOAD = dataclasses.replace(WORKLOADS["digits"], hidden="tanh")
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {"threads": None},
    "one thread": {"threads": 1},
    "always two": {"threads": 2, "paced": False},
}
LOOP = "while True: pass"
TRAINING = "a second training"


def train_for_ever() -> None:
    from peers.by_maillon import Trainer

    trainer = Trainer(WORKLOAD, {"engine": "native"})
    while True:
        trainer.train(10)


@contextlib.contextmanager
def beside(what: int | str) -> Iterator[None]:
    """So many busy loops, or a second training, in processes of their own."""
    command = ["-c", LOOP] if isinstance(what, int) else [__file__, "--train-for-ever"]
    others = [subprocess.Popen([sys.executable, *command]) for _ in range(what if isinstance(what, int) else 1)]
    time.sleep(PAUSE if isinstance(what, int) else 3.0)
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure(processes: dict[str, Process], what: int | str, epochs: int, repeats: int) -> dict[str, Any]:
    """ms per epoch of each setting beside this."""
    times: dict[str, list[float]] = {name: [] for name in SETTINGS}
    with beside(what):
        for _ in range(repeats):
            for name, process in processes.items():
                times[name].append(1e3 * process.ask("run", epochs) / epochs)
    result: dict[str, Any] = {"beside": what, "epochs": epochs}
    result |= {name: quartiles(values) | {"largest": round(max(values), 1)} for name, values in times.items()}
    best = min(result[name]["median"] for name in SETTINGS if name != "default")
    result["ratio"] = round(result["default"]["median"] / best, 3)
    return result


def words(what: int | str) -> str:
    return what if isinstance(what, str) else f"{what} busy loop{'s' * (what != 1)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="rounds, at least 2 (default: 9)")
    parser.add_argument("--epochs", default="1,10", help="how long a training is (default: 1,10)")
    parser.add_argument("--busy", default="0,1,2,3", help="how many busy loops (default: 0,1,2,3)")
    parser.add_argument("--out", type=Path, default=RESULTS / "busy.json")
    parser.add_argument("--train-for-ever", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train_for_ever:
        train_for_ever()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    processes = {name: Process("peers.by_maillon") for name in SETTINGS}
    try:
        for name, process in processes.items():
            process.ask("open", WORKLOAD, {"engine": "native", **SETTINGS[name]})
        load = [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None
        loads: list[int | str] = [*map(int, arguments.busy.split(",")), TRAINING]
        lengths = [int(epochs) for epochs in arguments.epochs.split(",")]
        found = [measure(processes, what, epochs, arguments.repeats) for what in loads for epochs in lengths]
        result = {
            "machine": machine(),
            "versions": processes["default"].ask("versions"),
            "engine": processes["default"].ask("ask", "info"),
            "load_before": load,
            "repeats": arguments.repeats,
            "limit": LIMIT,
            "beside": found,
        }
    finally:
        for process in processes.values():
            process.end()
    result["misses"] = [
        f"beside {words(one['beside'])}, {one['epochs']} epochs: {short(one['ratio'])}×"
        for one in found
        if one["ratio"] > LIMIT
    ]
    rows = []
    for one in found:
        cells = [f"{short(one[name]['median'])} ({short(one[name]['largest'])})" for name in SETTINGS]
        rows.append([words(one["beside"]), str(one["epochs"]), *cells, f"{short(one['ratio'])}×"])
    lines = heading("Beside other work: ms per epoch of 784–100–10, batch 100, 10 000 rows", result)
    lines += ["The median and, in brackets, the largest.", ""]
    lines += table(["beside", "epochs of a training", *SETTINGS, "default / better of both"], rows)
    lines += listed(f"Limits missed ({LIMIT}×)", result["misses"])
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
