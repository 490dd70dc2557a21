"""Rates from `maillon.find_lr` against the best of a grid of fifteen, on thirty problems; and beside two peers' rules.

    python benchmarks/find_lr.py [--development] [--only BEGINNING] [--out FILE]

What counts, fixed before anything was measured. A training "comes to" its loss over all of its rows after a fixed
number of epochs, in evaluation mode; of three seeds (the network's first parameters and the order of the rows) the
median is taken; a training that diverges comes to infinity. The grid: fifteen rates from 1e-6 to 10, two a decade. A
finder is asked for each seed by itself, of that seed's network, and its rate trains that network; no rate counts as
infinity. L* is the loss of the best rate of the grid, L0 the smaller one of two losses that need no training: that of
the start and that of the best constant. A finder's shortfall is (L - L*) / (L0 - L*), and it is good when that is at
most 0.05. Beside it the stricter L <= 1.05 L* is counted, which says little where L* is nearly 0.

`CASES` are trainings in which there is nothing to find, or which fool finders; None means that no rate is right.
"""

import argparse
import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from peers.lr_cases import CASES
from peers.lr_problems import Problem
from peers.lr_rules import PEERS
from peers.lr_sets import DEVELOPMENT, MEASURED
from peers.results import RESULTS, heading, listed, machine, short, significant, table, version, write
from scipy.optimize import minimize

import maillon as m
from maillon.random import Generator
from maillon.typing import Array

GRID = np.logspace(-6, 1, 15)
SEEDS = (0, 1, 2)
LIMIT, WANTED = 0.05, 27
OURS = "maillon.find_lr"


def comes_to(problem: Problem, rate: float | None, seed: int, x: Array, y: Array) -> float:
    """The loss over all rows after the training."""
    if rate is None:
        return math.inf
    m.manual_seed(seed)
    network, loss = problem.build(), problem.loss()
    how: dict[str, Any] = {"batch_size": problem.batch_size, "epochs": problem.epochs, "progress": False}
    try:
        with np.errstate(all="ignore"):
            m.fit(network, loss, x, y, rule=problem.rule(rate), generator=Generator(seed), **how)
            value = m.evaluate(network, loss, x, y)["loss"]
    except m.NonFiniteLossError:
        return math.inf
    return value if math.isfinite(value) else math.inf


def untrained(problem: Problem, x: Array, y: Array) -> float:
    """The smaller one of the loss of the start and that of the best constant."""
    starts = []
    for seed in SEEDS:
        m.manual_seed(seed)
        starts.append(m.evaluate(problem.build(), problem.loss(), x, y)["loss"])
    shape, loss = m.predict(problem.build(), x[:1]).shape[1:], problem.loss()

    def of_constant(values: Array) -> tuple[float, Array]:
        prediction = np.ascontiguousarray(np.broadcast_to(values.reshape(shape).astype(np.float32), (len(y), *shape)))
        value = float(loss(prediction, y))
        return value, loss.backward().sum(axis=0).ravel().astype(float)

    best = minimize(of_constant, np.zeros(math.prod(shape)), jac=True, method="L-BFGS-B")
    return float(min(np.median(starts), best.fun))


def asked(problem: Problem, seed: int, x: Array, y: Array) -> tuple[dict[str, float | None], Any, float]:
    """The rates that the finders find for this seed's network; what ours says, and its seconds."""
    m.manual_seed(seed)
    network, loss = problem.build(), problem.loss()
    begun = time.perf_counter()
    found = m.find_lr(network, loss, x, y, rule=problem.rule(1.0), batch_size=problem.batch_size)
    seconds = time.perf_counter() - begun
    optim = m.Optim(copy.deepcopy(network), loss, problem.rule(1.0))
    rates = {name: peer(optim, x, y, problem.batch_size, seed) for name, peer in PEERS.items()}
    return {OURS: found.lr, **rates}, found, seconds


def measured(problem: Problem) -> dict[str, Any]:
    x, y = problem.data()
    grid = [float(np.median([comes_to(problem, rate, seed, x, y) for seed in SEEDS])) for rate in GRID.tolist()]
    best, reference = min(grid), untrained(problem, x, y)
    finders = [asked(problem, seed, x, y) for seed in SEEDS]
    result: dict[str, Any] = {
        "problem": problem.name,
        "untrained": significant(reference),
        "grid": [significant(loss) if math.isfinite(loss) else None for loss in grid],
        "best": significant(best),
        "best_rate": significant(float(GRID[int(np.argmin(grid))])),
        "steps": [found.total_steps for _, found, _ in finders],
        "seconds": [significant(seconds) for *_, seconds in finders],
        "reasons": [found.reason for _, found, _ in finders],
    }
    for name in (OURS, *PEERS):
        rates = [found[name] for found, *_ in finders]
        loss = float(np.median([comes_to(problem, rate, s, x, y) for rate, s in zip(rates, SEEDS, strict=True)]))
        short_of = (loss - best) / (reference - best)
        result[name] = {
            "rates": [None if rate is None else significant(rate) for rate in rates],
            "loss": significant(loss) if math.isfinite(loss) else None,
            "shortfall": significant(short_of) if math.isfinite(loss) else None,
            "good": short_of <= LIMIT,
            "strictly": loss <= (1 + LIMIT) * best,
        }
    return result


def tried(name: str, make: Callable[[], Any]) -> dict[str, Any]:
    """A case, by all finders."""
    case = make()
    optim = m.Optim(case.network, case.loss, case.rule)
    found = m.find_lr(optim, case.x, case.y, **case.options)
    batch_size = case.options.get("batch_size", 32)
    within = {"least": case.options["min_lr"], "most": case.options["max_lr"]} if "min_lr" in case.options else {}
    peers = {peer: rule(optim, case.x, case.y, batch_size, 0, **within) for peer, rule in PEERS.items()}
    rates = {finder: None if rate is None else significant(rate) for finder, rate in {OURS: found.lr, **peers}.items()}
    right = {finder: case.right(rate) for finder, rate in rates.items()}
    return {"case": name, "wanted": case.wanted, "rates": rates, "right": right, "reason": found.reason}


def in_words(rate: float | None) -> str:
    return "none" if rate is None else f"{rate:.2g}"


def problem_row(one: dict[str, Any]) -> list[str]:
    cells = [one["problem"], in_words(one["best_rate"])]
    for name in (OURS, *PEERS):
        found = one[name]
        amount = "∞" if found["shortfall"] is None else f"{found['shortfall']:.3f}"
        cells.append(f"{' '.join(map(in_words, found['rates']))}: {amount}{'' if found['good'] else ' ✗'}")
    return cells


def case_row(one: dict[str, Any]) -> list[str]:
    cells = [f"{in_words(one['rates'][name])}{'' if one['right'][name] else ' ✗'}" for name in (OURS, *PEERS)]
    return [one["case"], one["wanted"], *cells]


def report(result: dict[str, Any]) -> list[str]:
    problems = result["problems"]
    lines = heading("Rates from find_lr, and the best of a grid of fifteen", result)
    lines += ["The rates found for three seeds, and how far the loss that they come to falls short of the best of the"]
    lines += ["grid, as a part of what training gains. ✗: more than 0.05. In full: `../find_lr.py`.", ""]
    lines += table(["problem", "best of the grid", OURS, *PEERS], map(problem_row, problems))
    lines += ["", "| | good | L ≤ 1.05 L* |", "| --- | --: | --: |"]
    for name in (OURS, *PEERS):
        good, strictly = (sum(one[name][kind] for one in problems) for kind in ("good", "strictly"))
        lines.append(f"| {name} | {good} of {len(problems)} | {strictly} |")
    steps, seconds = (sorted(value for one in problems for value in one[kind]) for kind in ("steps", "seconds"))
    lines += ["", f"Steps of find_lr: median {steps[len(steps) // 2]}, at most {steps[-1]}; seconds: median "]
    lines[-1] += f"{short(seconds[len(seconds) // 2])}, at most {short(seconds[-1])} (beside other work)."
    lines += ["", "## Cases that fool finders", ""]
    lines += table(["case", "right", OURS, *PEERS], map(case_row, result["cases"]))
    return lines + listed(f"Limits missed ({WANTED} of 30)", result["misses"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--development", action="store_true", help="the problems that find_lr was made on")
    parser.add_argument("--only", default="", help="problems by the beginning of their name")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    chosen = [
        one for one in (DEVELOPMENT if arguments.development else MEASURED) if one.name.startswith(arguments.only)
    ]
    problems = []
    for problem in chosen:
        problems.append(measured(problem))
        print(*problem_row(problems[-1]), sep=" | ", flush=True)
    cases = [tried(name, make) for name, make in CASES.items()]
    good = sum(one[OURS]["good"] for one in problems)
    result = {
        "machine": machine(),
        "versions": {"maillon": version("maillon") or m.__version__, "numpy": np.__version__},
        "limit": LIMIT,
        "wanted": WANTED,
        "problems": problems,
        "cases": cases,
        "misses": [f"{good} problems"] * (len(chosen) == len(MEASURED) and good < WANTED)
        + [f"{one['case']}: {in_words(one['rates'][OURS])}" for one in cases if not one["right"][OURS]],
    }
    lines = report(result)
    out = arguments.out or (None if arguments.development or arguments.only else RESULTS / "find_lr.json")
    if out is not None:
        write(out, result, lines)
    print(*lines, sep="\n")


if __name__ == "__main__":
    main()
