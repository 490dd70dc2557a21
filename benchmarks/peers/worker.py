"""A peer's process: `python -m peers.worker MODULE`, asked by pickled tuples on stdin, answering on stdout.

It sleeps in `read` while others are measured. What libraries print goes to stderr, away from the answers.
"""

import importlib
import os
import pickle
import sys
import time
from importlib import metadata
from typing import Any

from peers.workloads import Workload


class Worker:
    """Holds one training, opened, and carries it out as asked."""

    def __init__(self, module: str) -> None:
        self.module = importlib.import_module(module)
        self.trainer: Any = None

    def versions(self) -> dict[str, str]:
        return {name: _version(name) for name in self.module.VERSIONS}

    def open(self, workload: Workload, options: dict[str, Any]) -> float:
        """Make the training ready; the seconds by which a first epoch is longer than a second: compilation."""
        self.workload = workload
        self.trainer = None  # frees what the last one held
        self.trainer = self.module.Trainer(workload, options)
        first = self.run(1)
        return max(0.0, first - self.run(1))

    def run(self, epochs: int) -> float:
        """Seconds that `epochs` take, from the initial weights."""
        self.trainer.reset()
        begun = time.perf_counter()
        self.trainer.train(epochs)
        return time.perf_counter() - begun

    def calibrate(self, target: float) -> tuple[int, float]:
        """How many epochs take about `target` seconds, and the seconds of a step."""
        epochs, seconds = 1, self.run(1)
        while seconds < target / 2:
            epochs = max(epochs + 1, min(16 * epochs, round(epochs * target / max(seconds, 1e-9))))
            seconds = self.run(epochs)
        return epochs, seconds / epochs / self.workload.steps

    def learnt(self) -> float:
        """The mean loss after the workload's `check_epochs`."""
        self.run(self.workload.check_epochs)
        return self.workload.mean_loss(self.trainer.weights())

    def cold(self, workload: Workload, options: dict[str, Any], epochs: int) -> float:
        """Seconds of a first training, with whatever it compiles."""
        self.trainer = self.module.Trainer(workload, options)
        return self.run(epochs)

    def policy(self, options: dict[str, Any]) -> list[float]:
        """Prepare the answering of one sample; the answer."""
        self.loop, answer = self.module.policy(options)
        self.loop(3)
        return [float(value) for value in answer]

    def calls(self, n: int) -> float:
        """Seconds that n answers take."""
        begun = time.perf_counter()
        self.loop(n)
        return time.perf_counter() - begun

    def ask(self, method: str, *values: Any) -> Any:
        """A function of the peer's module, for what is no training."""
        return getattr(self.module, method)(*values)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # run from its sources
        return str(importlib.import_module(name).__version__)


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    worker = None
    while True:
        try:
            method, *values = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if worker is None:
                worker = Worker(sys.argv[1])
            answer = ("done", getattr(worker, method)(*values))
        except Exception as error:  # whatever a peer raises is its answer, and named in the table
            answer = ("failed", f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}")
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
