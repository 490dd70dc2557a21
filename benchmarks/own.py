"""A link of the user's own among links of the core: µs a step of an MLP with one Swish that the core does not know.

    python benchmarks/own.py [--repeats N] [--out FILE]

In turn: 32–64–64–3 with that Swish after the first Linear and a ReLU after the second, trained by `fit` with Adam in
the core; the same without the Swish; the Swish alone, forward and backward in NumPy; the whole in NumPy. The core hands
the Swish copies of its arrays, and goes on with what it makes of them: that must cost no more than the limit.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from peers.results import RESULTS, heading, listed, machine, quartiles, short, table, write

import maillon as m
from maillon.typing import Array

BATCHES = (1, 32, 128)
SHARE, BESIDE = 1.3, 10.0
"""Of what the rest costs in the core, and µs beside what the link costs in NumPy."""
TARGET = 0.15  # seconds of each side in a round
WITH, WITHOUT, LINK, NUMPY = "with the Swish", "without it", "the Swish alone", "all in NumPy"


class Swish(m.Module):
    """y = x σ(x), as a user would write it."""

    def forward(self, x: Array) -> Array:
        s = 1 / (1 + np.exp(-x))
        return self.keep(x * s, x, s)

    def backward(self, grad_output: Array) -> Array:
        x, s = self.release(grad_output)
        return grad_output * (s + x * s * (1 - s))


def trainer(batch: int, engine: str, *own: m.Module) -> Callable[[int], float]:
    """Seconds for so many steps of `fit`."""
    generator = m.Generator(1)
    x, y = generator.randn((batch * 8, 32)), generator.randn((batch * 8, 3))
    links = [m.Linear(32, 64, generator=generator), *own, m.Linear(64, 64, generator=generator), m.ReLU()]
    optim = m.Optim(m.Sequential(*links, m.Linear(64, 3, generator=generator)), m.MSELoss(), m.Adam())

    def steps(number: int) -> float:
        history = m.fit(optim, x, y, batch_size=batch, epochs=max(1, number // 8), engine=engine, progress=False)
        return sum(history["seconds"]) * number / history.steps

    return steps


def alone(batch: int) -> Callable[[int], float]:
    """Seconds for so many times forward and backward of the link."""
    link, x, grad = Swish(), m.Generator(2).randn((batch, 64)), m.Generator(3).randn((batch, 64))

    def times(number: int) -> float:
        begun = time.perf_counter()
        for _ in range(number):
            link(x)
            link.backward(grad)
        return time.perf_counter() - begun

    return times


def measured(batch: int, repeats: int) -> dict[str, Any]:
    """µs of each side, all in turn; the limit and what is over it, round by round."""
    sides = {
        WITH: trainer(batch, "native", Swish()),
        WITHOUT: trainer(batch, "native"),
        LINK: alone(batch),
        NUMPY: trainer(batch, "numpy", Swish()),
    }
    numbers = {name: max(8, round(64 * TARGET / side(64))) for name, side in sides.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            times[name].append(1e6 * side(numbers[name]) / numbers[name])
    rounds = zip(times[WITH], times[WITHOUT], times[LINK], strict=True)
    beside = [whole - link - SHARE * rest for whole, rest, link in rounds]
    return {"us": {name: quartiles(values) for name, values in times.items()}, "beside": quartiles(beside)}


def misses(found: dict[str, Any]) -> list[str]:
    return [
        f"batch {batch}: {one['beside']['median']:.1f} µs beside the link and {SHARE} times the rest, limit {BESIDE:g}"
        for batch, one in found.items()
        if one["beside"]["median"] > BESIDE
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="rounds, at least 2 (default: 9)")
    parser.add_argument("--out", type=Path, default=RESULTS / "own.json")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    warnings.simplefilter("ignore", m.engine.FallbackWarning)
    found = {str(batch): measured(batch, arguments.repeats) for batch in BATCHES}
    result = {"machine": machine(), "repeats": arguments.repeats, "batches": found, "misses": misses(found)}
    rows = [
        [batch, *(short(one["us"][name]["median"]) for name in one["us"]), f"{one['beside']['median']:.1f}"]
        for batch, one in found.items()
    ]
    head = ["batch", *found[str(BATCHES[0])]["us"], f"beside the link and {SHARE} × the rest"]
    lines = heading("A Swish of the user's own in 32–64–64–3 under Adam, µs a step", result) + table(head, rows)
    lines += listed("Limits missed", result["misses"])
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
