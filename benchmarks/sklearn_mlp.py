"""Twenty programs with scikit-learn's perceptrons, and the same with only the import changed: score and seconds.

    python benchmarks/sklearn_mlp.py [--seeds N] [--only NAMES] [--out FILE]

In turn: each program runs with sklearn.neural_network and with maillon.sklearn, once for each seed. The score is the
mean over the seeds, "the same" where it is no less than SAME below scikit-learn's. The time is the sum of all seeds.
"""

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from peers.results import RESULTS, heading, listed, machine, short, table, write
from peers.scripts import SCRIPTS, Script
from sklearn import neural_network

import maillon.sklearn

SAME = 0.005
"""What the score of a program may lose and be the same: a test sample in 200."""
AS_GOOD, FASTER = 19 / 20, 3.0
"""The part of the programs whose score is the same or better, and how many times faster all of them together."""
SIDES = {"scikit-learn": neural_network, "maillon": maillon.sklearn}


def measured(script: Script, seeds: int) -> dict[str, Any]:
    """Score and seconds of each side, all in turn."""
    scores: dict[str, list[float]] = {name: [] for name in SIDES}
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    for seed in range(seeds):
        for name, module in SIDES.items():
            begun = time.perf_counter()
            scores[name].append(float(script(module, seed)))
            seconds[name].append(time.perf_counter() - begun)
    return {
        "scores": scores,
        "seconds": seconds,
        "score": {name: float(np.mean(values)) for name, values in scores.items()},
        "time": {name: float(np.sum(values)) for name, values in seconds.items()},
    }


def gain(found: dict[str, Any]) -> float:
    return found["score"]["maillon"] - found["score"]["scikit-learn"]


def misses(found: dict[str, Any]) -> list[str]:
    worse = [name for name, one in found.items() if gain(one) < -SAME]
    total = {side: sum(one["time"][side] for one in found.values()) for side in SIDES}
    times = total["scikit-learn"] / total["maillon"]
    missed = []
    if len(worse) > (1 - AS_GOOD) * len(found):
        missed.append(f"worse scores in {', '.join(worse)}: more than one in twenty")
    if times < FASTER:
        missed.append(f"{times:.2f} times faster in total, limit {FASTER:g}")
    return missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="how often each program runs (default: 3)")
    parser.add_argument("--only", default="", help="some programs, by the beginnings of their names, with ; between")
    parser.add_argument("--out", type=Path, default=RESULTS / "sklearn_mlp.json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
    chosen = [script for script in SCRIPTS if script.__name__.startswith(tuple(arguments.only.split(";")))]
    chosen[0](maillon.sklearn, 0)  # what the first training imports
    found = {}
    for script in chosen:
        one = found[script.__name__] = measured(script, arguments.seeds)
        ratio = one["time"]["scikit-learn"] / one["time"]["maillon"]
        print(f"{script.__name__:32} {one['score']['maillon']:.4f} ({gain(one):+.4f}) {ratio:.2f}×", flush=True)
    about = {**machine(), "scikit-learn": sklearn.__version__}
    result = {"machine": about, "seeds": arguments.seeds, "scripts": found, "misses": misses(found)}
    rows = [
        [name.replace("_", " "), *(f"{one['score'][side]:.4f}" for side in SIDES),
         *(short(one["time"][side]) for side in SIDES), f"{one['time']['scikit-learn'] / one['time']['maillon']:.1f}×"]
        for name, one in found.items()
    ]  # fmt: skip
    total = [sum(one["time"][side] for one in found.values()) for side in SIDES]
    rows.append(["all", "", "", *map(short, total), f"{total[0] / total[1]:.1f}×"])
    head = ["program", "score, scikit-learn", "score, maillon", "s, scikit-learn", "s, maillon", "faster"]
    lines = heading("Twenty programs with only the import changed", result) + table(head, rows)
    lines += listed("Limits missed", result["misses"])
    write(arguments.out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
