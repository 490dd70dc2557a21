"""What a checkpoint a second costs a training of 784–100–10 on 60 000 rows, and how long the writing of one takes.

    python benchmarks/checkpoint.py [--pairs N] [--seconds S] [--out FILE]

Trainings with and without are done in turn, each of the same number of epochs; the limit is on the median of the pairs'
ratios. What is compared is the time from the first epoch to the end; the data's fingerprint, once before that, is told
apart.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from peers.results import RESULTS, heading, listed, machine, quartiles, short, table, write

import maillon
from maillon.saving import files
from maillon.train import snapshot

LIMIT = 1.02
ROWS, BATCH = 60_000, 100
RULES = {"SGD": lambda: maillon.SGD(lr=0.1), "Adam": lambda: maillon.Adam(lr=1e-3)}


class Clock(maillon.Callback):
    """When the first epoch begins and the last one has ended."""

    def on_train_begin(self, state: maillon.train.State) -> None:
        self.begun = time.perf_counter()

    def on_train_end(self, state: maillon.train.State) -> None:
        self.seconds = time.perf_counter() - self.begun

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        pass


@contextmanager
def measured(owner: Any, name: str, times: list[float]) -> Iterator[None]:
    """How long each call of a function takes, in milliseconds."""
    original = getattr(owner, name)

    def timed(*given: Any) -> Any:
        begun = time.perf_counter()
        result = original(*given)
        times.append(1e3 * (time.perf_counter() - begun))
        return result

    with patch.object(owner, name, timed):
        yield


def trained(rule: str, data: tuple[Any, Any], epochs: int, **options: Any) -> tuple[float, float]:
    """The seconds of a training from its first epoch on, and those of the whole call."""
    generator, clock = maillon.Generator(1), Clock()
    links = [
        maillon.Linear(784, 100, generator=generator),
        maillon.Tanh(),
        maillon.Linear(100, 10, generator=generator),
    ]
    network, begun = maillon.Sequential(*links), time.perf_counter()
    more = {"batch_size": BATCH, "epochs": epochs, "progress": False, "callbacks": clock, **options}
    maillon.fit(network, maillon.CrossEntropyLoss(), *data, rule=RULES[rule](), **more)
    return clock.seconds, time.perf_counter() - begun


def measure(rule: str, data: tuple[Any, Any], pairs: int, seconds: float, folder: Path) -> dict[str, Any]:
    """The pairs of one rule."""
    epochs = max(1, round(seconds / trained(rule, data, 1)[0]))
    ratios, prints = [], []
    times: dict[str, list[float]] = {"describing": [], "bytes": [], "file": [], "flush": []}
    kept = maillon.Checkpoint(folder / f"{rule}.safetensors", every=timedelta(seconds=1))
    for _ in range(pairs):
        without, _ = trained(rule, data, epochs)
        with (
            measured(snapshot, "captured", times["describing"]),
            measured(files, "tensor_bytes", times["bytes"]),
            measured(files, "replace_file", times["file"]),
            measured(os, "fsync", times["flush"]),
        ):
            with_them, whole = trained(rule, data, epochs, checkpoint=kept)
        ratios.append(with_them / without)
        prints.append(1e3 * (whole - with_them))
    written = len(times["bytes"]) / pairs
    flushes = sum(times["flush"]) / len(times["bytes"])
    return {
        "rule": rule,
        "epochs": epochs,
        "bytes": Path(kept.path).stat().st_size,
        "checkpoints": written,
        "ratio": quartiles(ratios),
        "fingerprint_ms": statistics.median(prints),
        "describing_ms": statistics.median(times["describing"]),
        "bytes_ms": statistics.median(times["bytes"]),
        "file_ms": sum(times["file"]) / len(times["bytes"]) - flushes,
        "flush_ms": flushes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9, help="trainings with and without, at least 2 (default: 9)")
    parser.add_argument("--seconds", type=float, default=6.0, help="about how long each takes (default: 6)")
    parser.add_argument("--out", type=Path, default=RESULTS / "checkpoint.json")
    arguments = parser.parse_args()
    if arguments.pairs < 2:
        parser.error(f"expected --pairs ≥ 2, for quartiles, got {arguments.pairs}")
    numbers = np.random.default_rng(0)
    data = numbers.random((ROWS, 784), dtype=np.float32), numbers.integers(0, 10, ROWS)
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(rule, data, arguments.pairs, arguments.seconds, Path(folder)) for rule in RULES]
    result: dict[str, Any] = {"machine": machine(), "engine": maillon.engine.info()["engine"], "limit": LIMIT}
    result["trainings"] = found
    result["misses"] = [
        f"{one['rule']}: {one['ratio']['median']:.3f}×" for one in found if one["ratio"]["median"] > LIMIT
    ]
    head = ["rule", "file", "written", "with / without", "describing", "bytes", "file", "flush", "fingerprint, once"]
    rows = []
    for one in found:
        ratio = f"{one['ratio']['median']:.3f} ({one['ratio']['q1']:.3f} to {one['ratio']['q3']:.3f})"
        parts = ("describing_ms", "bytes_ms", "file_ms", "flush_ms", "fingerprint_ms")
        cells = [f"{one['bytes'] / 1e6:.2f} MB", f"{one['checkpoints']:.1f}", ratio]
        rows.append([one["rule"], *cells, *(f"{short(one[part])} ms" for part in parts)])
    lines = heading("A checkpoint a second: 784–100–10, batch 100, 60 000 rows", result)
    lines += [*table(head, rows), *listed(f"Limits missed ({LIMIT}×)", result["misses"])]
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
