"""Saving and loading a network of a million parameters: ms, beside the flush to the disk.

    python benchmarks/saving.py [--repeats N] [--folder PATH] [--out FILE]

`maillon.save` waits until the disk has the file (fsync); how long that takes is the disk's affair and measured apart.
Beside it stand safetensors' own writer and reader of the same arrays, and pickle, without a flush.
"""

import argparse
import os
import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from peers.results import RESULTS, heading, listed, machine, quartiles, short, table, write
from safetensors.numpy import load_file, save_file

import maillon as m

LIMIT = 20.0  # ms


def wide() -> m.Sequential:
    return m.Sequential(m.Linear(784, 1000), m.ReLU(), m.Linear(1000, 212), m.ReLU(), m.Linear(212, 10))


def deep() -> m.Sequential:
    return m.Sequential(*(link for _ in range(100) for link in (m.Linear(100, 100), m.Tanh())))


def transformer() -> m.TransformerEncoder:
    return m.TransformerEncoder(m.TransformerEncoderLayer(128, 4, 512), 5)


def learning() -> m.Optim:
    optim = m.Optim(wide(), m.CrossEntropyLoss(), m.Adam(lr=1e-3))
    optim.step(np.zeros((1, 784), np.float32), np.zeros(1, np.int64))
    return optim


THINGS: dict[str, Callable[[], Any]] = {
    "784–1000–212–10": wide,
    "100 Linear and Tanh": deep,
    "a transformer of 5 layers": transformer,
    "784–1000–212–10 with Adam's state": learning,
}


class Flush:
    """What `os.fsync` takes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._flush = os.fsync

    def __call__(self, handle: int) -> None:
        begun = time.perf_counter()
        self._flush(handle)
        self.seconds += time.perf_counter() - begun


def timed(call: Callable[[], Any], flush: Flush) -> tuple[float, float]:
    """ms beside the flush, and ms of the flush."""
    flush.seconds, begun = 0.0, time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - begun - flush.seconds), 1e3 * flush.seconds


def measure(thing: Any, folder: Path, repeats: int, flush: Flush) -> dict[str, Any]:
    network = thing.network if isinstance(thing, m.Optim) else thing
    arrays = network.state_dict()
    ours, plain, pickled = folder / "ours", folder / "plain", folder / "pickled"
    calls: dict[str, Callable[[], Any]] = {
        "save": lambda: m.save(thing, ours),
        "load": lambda: m.load(ours),
        "safetensors, save": lambda: save_file(arrays, plain),
        "safetensors, load": lambda: load_file(plain),
        "pickle, save": lambda: pickled.write_bytes(pickle.dumps(thing)),
        "pickle, load": lambda: pickle.loads(pickled.read_bytes()),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(repeats + 1):  # the first opens rooms and files
        for name, call in calls.items():
            times[name].append(timed(call, flush))
    found: dict[str, Any] = {name: quartiles([ms for ms, _ in pairs[1:]]) for name, pairs in times.items()}
    found["flush"] = quartiles([ms for _, ms in times["save"][1:]])
    size = sum(parameter.size for parameter in network.parameters())
    return {"parameters": size, "bytes": ours.stat().st_size, "ms": found}


def misses(things: dict[str, Any]) -> list[str]:
    return [
        f"{name}: {way} {short(one['ms'][way]['median'])} ms, limit {LIMIT:g}"
        for name, one in things.items()
        for way in ("save", "load")
        if one["ms"][way]["median"] > LIMIT
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="rounds, at least 2 (default: 15)")
    parser.add_argument("--folder", type=Path, help="where to write (default: that of temporary files)")
    parser.add_argument("--out", type=Path, default=RESULTS / "saving.json")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    flush = os.fsync = Flush()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        things = {name: measure(make(), Path(folder), arguments.repeats, flush) for name, make in THINGS.items()}
    result = {"machine": machine(), "repeats": arguments.repeats, "things": things, "misses": misses(things)}
    columns = list(next(iter(things.values()))["ms"])
    rows = [
        [name, str(one["parameters"]), *(short(one["ms"][column]["median"]) for column in columns)]
        for name, one in things.items()
    ]
    lines = [*heading("Saving and loading", result), "Medians, ms; `save` beside its flush to the disk.", ""]
    lines += table(["", "parameters", *columns], rows) + listed("Limits missed", result["misses"])
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
