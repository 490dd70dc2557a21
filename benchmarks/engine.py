"""Trainings: maillon's engines against every peer, µs per step, in turn, each in a process of its own.

    python benchmarks/engine.py [--repeats N] [--workloads linear,digits] [--grid all|quick|none]
                                [--cells w8-b1,w64-b32-d2] [--out FILE] [--figure FILE]

Each round asks every side for 0.1 to 0.3 s of training, one after the other; all start from the same weights, in
float32, by plain SGD, with a new order in each epoch. Before the rounds each peer tries its variants (threads, fused
or not, unrolled or not) and keeps the fastest. After them each one's loss is compared with ours: nobody wins by not
learning. Written: the JSON, the tables beside it as .md and, where all workloads ran, the README's figure.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from peers import report
from peers.referee import BY_HAND, EAGER, NATIVE, SCAN, SIDES, PeerError, Process, Table, cores
from peers.results import RESULTS, machine, short, write
from peers.workloads import WORKLOADS, Workload, cell, grid

TARGET, CELL_TARGET = 0.2, 0.1  # seconds a side trains in each round
PEAK_SIZE = 2048
FIGURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "speed.png"
QUICK = [cell(width, batch, depth) for width in (8, 64, 256, 1024) for batch in (1, 32, 1024) for depth in (1, 4)]
ON_THE_GRID = (EAGER, SCAN, BY_HAND, NATIVE)


class Peak:
    """What a large product reaches here, asked in each round."""

    def __init__(self) -> None:
        self.process = Process("peers.by_numpy")
        self.gflops: list[float] = []
        for _ in range(3):
            self()

    def __call__(self) -> None:
        seconds = self.process.ask("ask", "product", PEAK_SIZE, cores(), 1)
        self.gflops.append(2e-9 * PEAK_SIZE**3 / seconds)


def measured(table: Table, workload: Workload, repeats: int, peak: Peak) -> dict[str, Any]:
    """One workload's or cell's entry. A workload's rounds measure the peak too; for the cells it is the median."""
    if workload.kind == "grid":
        seats = table.measure(workload, repeats, CELL_TARGET)
        peaks = [statistics.median(peak.gflops)] * repeats
    else:
        seats = table.measure(workload, repeats, TARGET, beside=peak)
        peaks = peak.gflops[-repeats:]
    result = report.summary(workload, seats, peaks)
    for name, side in result["sides"].items():
        if "missing" in side:
            print(f"{workload.name:<26}{name:<24}  missing: {side['missing']}")
            continue
        times = f"{short(side['ratio']['median'])}×" if side["ratio"] else ""
        percent = f"{side['percent_of_peak']['median']:.0f} %"
        print(f"{workload.name:<26}{name:<24}{short(side['us']['median']):>10} µs{times:>10}{percent:>7}", flush=True)
    return result


def description(table: Table) -> dict[str, Any]:
    """Versions of all sides, and what maillon says of its engine."""
    versions = table.versions()
    ours = next(side for side in SIDES if side.name == NATIVE)
    native = table.process(ours, next(iter(ours.variants(WORKLOADS["linear"]))))
    try:
        engine = native.ask("ask", "info")
    except PeerError as error:
        engine = {"missing": str(error)}
    return {"machine": machine(), "versions": versions, "engine": engine}


def run(arguments: argparse.Namespace, names: list[str], cells: list[Workload]) -> dict[str, Any]:
    """Measure, and write after each workload, so that an interrupted run leaves what it has."""
    peak = Peak()
    say = _tell if arguments.verbose else lambda words: None
    result: dict[str, Any] = {}

    def keep(miss: list[str]) -> None:
        result["misses"] += miss
        result["peak_gflops"] = report.peak_of(peak.gflops)
        write(arguments.out, result, report.markdown(result))

    with Table(SIDES, say) as table:
        result = description(table) | {"repeats": arguments.repeats, "workloads": {}, "grid": [], "misses": []}
        for name in names:
            found = measured(table, WORKLOADS[name], arguments.repeats, peak)
            result["workloads"][name] = found
            keep(report.misses(name, found))
    with Table([side for side in SIDES if side.name in ON_THE_GRID], say) as table:
        for workload in cells:
            found = measured(table, workload, arguments.repeats, peak)
            result["grid"].append(found)
            keep(report.cell_misses(found))
    peak.process.end()
    return result


def _tell(words: str) -> None:
    print(time.strftime("%X"), words, file=sys.stderr, flush=True)


def chosen(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> tuple[list[str], list[Workload]]:
    names = list(WORKLOADS) if arguments.workloads == "all" else arguments.workloads.split(",")
    names = [name for name in names if name and name != "none"]
    if not set(names) <= set(WORKLOADS):
        parser.error(f"--workloads: expected some of {', '.join(WORKLOADS)}, or all or none, got {arguments.workloads}")
    cells = {"all": list(grid()), "quick": QUICK, "none": []}[arguments.grid]
    if arguments.cells:
        beginnings = tuple(f"{part}-" for part in arguments.cells.split(","))
        cells = [one for one in grid() if f"{one.name}-".startswith(beginnings)]
        if not cells:
            parser.error(f"--cells: no cell begins so; they are called like {cell(8, 1, 1).name}")
    return names, cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="rounds, at least 2 (default: 7)")
    parser.add_argument("--workloads", default="all", help=f"some of {', '.join(WORKLOADS)}; or all, none")
    parser.add_argument("--grid", choices=("all", "quick", "none"), default="all")
    parser.add_argument("--cells", default="", help="beginnings of cells' names, in place of --grid")
    parser.add_argument("--out", type=Path, default=RESULTS / "engine.json")
    parser.add_argument("--figure", type=Path, help="the figure's file (default: in docs/, with the default --out)")
    parser.add_argument("--verbose", action="store_true", help="say what is being prepared, on the error stream")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    result = run(arguments, *chosen(arguments, parser))
    print(*report.markdown(result), sep="\n")
    figure = arguments.figure or (FIGURE if arguments.out == RESULTS / "engine.json" else None)
    if figure is not None and set(result["workloads"]) == set(WORKLOADS):
        from peers.figure import draw

        draw(result, figure)
    if result["misses"]:
        print(f"{len(result['misses'])} limits missed", file=sys.stderr)


if __name__ == "__main__":
    main()
