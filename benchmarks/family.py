"""Every family of links and every rule: µs per step of maillon's core, PyTorch eager and, for MLPs, JAX, in turn.

    python benchmarks/family.py [--rounds N] [--seconds S] [--only "NAME;NAME"] [--no-jax] [--out FILE]

The cases are in `peers/cases.py`, each with what is asked of it. Ours is `fit` as a user calls it, and it counts only
where the core does the whole training; a prepared learner or predictor where the case says so. PyTorch runs on one
thread or on all, whichever is faster, with its mini-batches cut before; its rules in the form that is their default.
Both begin with the same weights, and their losses must agree. LBFGS counts by evaluations of the loss.
"""

import argparse
import math
import statistics
import sys
from pathlib import Path
from typing import Any

from engine import Peak
from peers.cases import AHEAD_OF_JAX, CASES, Case
from peers.referee import Seat, Side, Table, Variant, cores
from peers.results import RESULTS, heading, listed, machine, quartiles, short, significant, table, write

OURS, EAGER, SCAN = "maillon", "PyTorch, eager", "JAX, one jitted scan"
THREADS = sorted({1, cores()})


def _jax(_: Any) -> list[Variant]:
    one = (("NPROC", "1"), ("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false"))
    environments = [one if n == 1 else (("NPROC", str(n)),) for n in THREADS]
    return [Variant({"unroll": unroll}, environment) for environment in environments for unroll in (1, 4)]


SIDES = [
    Side(OURS, "peers.cases_by_maillon", lambda _: [Variant({})]),
    Side(EAGER, "peers.cases_by_torch", lambda _: [Variant({"threads": n}) for n in THREADS]),
]
IN_JAX = Side(SCAN, "peers.cases_by_jax", _jax)


def summary(case: Case, seats: list[Seat], peaks: list[float]) -> dict[str, Any]:
    """The case's entry: of each side µs per step and its time over ours in each round."""
    ours = seats[0]
    sides: dict[str, Any] = {}
    for seat in seats:
        if seat.missing is not None:
            sides[seat.side.name] = {"missing": seat.missing}
            continue
        sides[seat.side.name] = {
            "us": quartiles(seat.microseconds),
            "variant": str(seat.variant),
            "variants_us": seat.tried,
            "steps_per_round": seat.epochs * case.steps,
            "loss": seat.loss,
        }
        if ours.missing is None:
            ratios = [a / b for a, b in zip(seat.microseconds, ours.microseconds, strict=True)]
            sides[seat.side.name]["ratio"] = quartiles(ratios)
    found = {"name": case.name, "batch": case.batch, "rule": case.rule, "options": case.options, "way": case.way}
    found |= {"asked": case.asked, "most_us": case.most, "sides": sides}
    if case.flops and ours.missing is None:
        speed = case.flops / statistics.median(ours.microseconds) / 1e3
        found |= {"flops": case.flops, "percent_of_peak": significant(100 * speed / statistics.median(peaks))}
        found["asked_percent"] = case.percent
    return found


def misses(case: Case, found: dict[str, Any]) -> list[str]:
    """What is asked and does not hold, each with what was measured."""
    sides = found["sides"]
    absent = [f"{case.name}: {name} is missing, {side['missing']}" for name, side in sides.items() if "missing" in side]
    if absent:
        return absent
    missed = []
    for name, asked in ((EAGER, case.asked), (SCAN, AHEAD_OF_JAX)):
        if name in sides and (got := sides[name]["ratio"]["median"]) < asked:
            missed.append(f"{case.name}: {short(got)}× {name}, asked {asked:g}")
    if case.most is not None and (got := sides[OURS]["us"]["median"]) > case.most:
        missed.append(f"{case.name}: {short(got)} µs, asked {case.most:g}")
    if found.get("percent_of_peak", case.percent) < case.percent:
        missed.append(
            f"{case.name}: {short(found['percent_of_peak'])} % of a large product's speed, asked {case.percent:g}"
        )
    return missed + disagreements(case, sides)


def disagreements(case: Case, sides: dict[str, Any]) -> list[str]:
    """Whether a side did something else: the losses after the same steps from the same weights differ."""
    ours, theirs = sides[OURS]["loss"], sides[EAGER]["loss"]
    tolerance = 1e-3 if case.exact else 0.05
    losses = f"{case.name}: ends at a loss of {short(ours)}, {EAGER} at {short(theirs)}"
    finite = all(math.isfinite(side["loss"]) for side in sides.values())
    return [] if finite and abs(ours - theirs) <= tolerance * abs(theirs) else [losses]


def row(found: dict[str, Any]) -> list[str]:
    """The case's line of the table."""

    def cell(name: str, key: str) -> str:
        value = found["sides"].get(name, {}).get(key)
        return short(value["median"]) if value else "—"

    ours = found["sides"][OURS].get("us")
    spread = f"{short(ours['median'])} ({short(ours['q1'])}–{short(ours['q3'])})" if ours else "—"
    theirs = found["sides"][EAGER].get("variant", "—").removeprefix("threads=")
    asked = [f"{found['asked']:g}×"]
    asked += [f"{found['most_us']:g} µs"] if found["most_us"] else []
    asked += [f"{found['asked_percent']:g} %"] if found.get("asked_percent") else []
    percent = f"{found['percent_of_peak']:.0f} %" if "percent_of_peak" in found else ""
    times = [f"{cell(name, 'ratio')}×" if cell(name, "ratio") != "—" else "—" for name in (EAGER, SCAN)]
    return [found["name"], spread, cell(EAGER, "us"), theirs, times[0], ", ".join(asked), times[1], percent]


def markdown(result: dict[str, Any]) -> list[str]:
    head = ["", "maillon", "PyTorch", "its threads", "times", "asked", "JAX's times", "of the peak"]
    lines = heading("Every family: µs per step", result)
    lines += [
        f"Median of {result['rounds']} rounds, all sides in turn in each; in brackets the quartiles. A peer runs on "
        f"one thread or on all, whichever is faster. JAX, where it takes part: asked {AHEAD_OF_JAX:g}×. Peak: "
        f"{short(result['peak_gflops']['median'])} GFLOP/s, a NumPy product of two 2048×2048 float32 matrices on all "
        "cores; beside it the products of a step. LBFGS: an evaluation of the loss.",
        "",
    ]
    lines += table(head, [row(found) for found in result["cases"]])
    return lines + listed("Limits missed", result["misses"])


def run(arguments: argparse.Namespace, cases: list[Case]) -> dict[str, Any]:
    """Measure, and write after each case, so that an interrupted run leaves what it has."""
    peak = Peak()
    result: dict[str, Any] = {}
    with Table(SIDES) as two, Table([*SIDES, IN_JAX]) as three:
        versions = (three if arguments.jax else two).versions()
        result = {"machine": machine(), "versions": versions, "rounds": arguments.rounds, "cases": [], "misses": []}
        for case in cases:
            sides = three if case.by_jax and arguments.jax else two
            seats = sides.measure(
                case, arguments.rounds, arguments.seconds, beside=peak if case.flops else lambda: None
            )
            found = summary(case, seats, peak.gflops[-arguments.rounds :])
            result["cases"].append(found)
            result["misses"] += misses(case, found)
            result["peak_gflops"] = quartiles(peak.gflops)
            write(arguments.out, result, markdown(result))
            print(" | ".join(row(found)), flush=True)
    peak.process.end()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="default: 7")
    parser.add_argument("--seconds", type=float, default=0.2, help="of each side's turn (default: 0.2)")
    parser.add_argument("--only", default="", help="beginnings of cases' names; all by default")
    parser.add_argument("--no-jax", dest="jax", action="store_false", help="leave JAX out")
    parser.add_argument("--out", type=Path, default=RESULTS / "families.json")
    arguments = parser.parse_args()
    arguments.out = arguments.out.with_suffix(".json")
    cases = [case for case in CASES.values() if case.name.startswith(tuple(arguments.only.split(";")))]
    if arguments.rounds < 1 or not cases:
        parser.error(f"expected --rounds ≥ 1 and --only some of: {'; '.join(CASES)}")
    result = run(arguments, cases)
    print(*markdown(result), sep="\n")
    if result["misses"]:
        print(f"{len(result['misses'])} limits missed", file=sys.stderr)


if __name__ == "__main__":
    main()
