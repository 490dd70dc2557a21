"""From what was measured to what engine.json says: ratios, percent of peak, limits missed."""

from collections.abc import Sequence
from typing import Any

from peers.referee import BY_HAND, EAGER, EPOCH, NATIVE, NUMPY, SCAN, Seat
from peers.results import heading, listed, quartiles, short, significant, table
from peers.workloads import Workload

JAX = (EPOCH, SCAN)
LIMITS = {  # what the issue asks: × PyTorch eager, × JAX at its best, % of the peak of a large product
    "linear": (800, 1.5, 0),
    "binary": (800, 1.5, 0),
    "digits": (4, 2.5, 70),
    "autoencoder": (1.9, 1.3, 80),
}
OTHER_LOSS = {("clusters", "scikit-learn")}  # learns by log loss, so its squared error may differ
Result = dict[str, Any]


def summary(workload: Workload, seats: Sequence[Seat], peaks: Sequence[float]) -> Result:
    """One workload's entry. peaks: GFLOP/s of a large product in each round."""
    ours = next(
        (seat for name in (NATIVE, NUMPY) for seat in seats if seat.side.name == name and not seat.missing), None
    )
    start = workload.mean_loss(workload.weights())
    sides = {}
    for seat in seats:
        if seat.missing is not None:
            sides[seat.side.name] = {"missing": seat.missing}
            continue
        sides[seat.side.name] = {
            "us": quartiles(seat.microseconds),
            "ratio": quartiles([a / b for a, b in zip(seat.microseconds, ours.microseconds, strict=True)])
            if ours is not None
            else None,
            "percent_of_peak": quartiles(
                [100 * workload.flops / us / 1e3 / peak for us, peak in zip(seat.microseconds, peaks, strict=True)]
            ),
            "variant": str(seat.variant),
            "variants_us": seat.tried,
            "steps_per_repeat": seat.epochs * workload.steps,
            "compilation_s": round(seat.compilation_s, 3),
            "loss": significant(seat.loss or 0.0),
            "agrees": _agrees(workload, seat, ours, start),
        }
    return {
        "name": workload.name,
        "sizes": workload.sizes,
        "batch": workload.batch,
        "rows": workload.rows,
        "data": workload.source,
        "flops": workload.flops,
        "start_loss": significant(start),
        "ratios_to": ours.side.name if ours is not None else None,
        "sides": sides,
    }


def _agrees(workload: Workload, seat: Seat, ours: Seat | None, start: float) -> bool:
    """Whether the side learnt, and as much as ours: each shuffles in its own way."""
    if seat.loss is None or not seat.loss < start:
        return False
    if ours is None or ours.loss is None or (workload.kind, seat.side.name) in OTHER_LOSS:
        return True
    return abs(seat.loss - ours.loss) <= 0.1 * abs(start - ours.loss) + 0.002 * start


def ratio(result: Result, names: Sequence[str]) -> float | None:
    """That of the fastest of these peers; None where it was not measured."""
    sides = [result["sides"].get(name, {}) for name in names]
    found = [side["ratio"]["median"] for side in sides if side.get("ratio")]
    return min(found, default=None)


def misses(key: str, result: Result) -> list[str]:
    """The limits of a named workload that do not hold, each with what was measured."""
    if result["ratios_to"] != NATIVE:
        return [f"{result['name']}: no limit can be held, {NATIVE} is missing"]
    torch, jax, peak = LIMITS[key]
    found = []
    for words, limit, got in (
        ("× PyTorch eager", torch, ratio(result, [EAGER])),
        ("× JAX at its best", jax, ratio(result, JAX)),
        (" % of peak", peak, result["sides"][NATIVE]["percent_of_peak"]["median"]),
    ):
        if got is None:
            found.append(f"{result['name']}: {words.strip()} not measured, limit {limit}")
        elif got < limit:
            found.append(f"{result['name']}: {short(got)}{words}, limit {limit}")
    return found + disagreements(result)


def cell_limits(sizes: Sequence[int], batch: int) -> tuple[float, float]:
    """× PyTorch eager, × the best peer."""
    width = sizes[0]
    return (10 if width <= 64 and batch <= 32 else 0), (1.0 if width <= 256 else 0.95)


def cell_misses(result: Result) -> list[str]:
    """The limits that a cell of the grid does not hold."""
    if result["ratios_to"] != NATIVE:
        return [f"{result['name']}: no limit can be held, {NATIVE} is missing"]
    torch, best = cell_limits(result["sizes"], result["batch"])
    found = []
    for words, limit, got in (
        ("PyTorch eager", torch, ratio(result, [EAGER])),
        ("the best peer", best, ratio(result, [EAGER, SCAN, BY_HAND])),
    ):
        if got is None or got < limit:
            found.append(f"{result['name']}: {'—' if got is None else short(got)}× {words}, limit {limit}")
    return found + disagreements(result)


def disagreements(result: Result) -> list[str]:
    """The sides that did not learn what ours did."""
    return [
        f"{result['name']}: {name} ends at a loss of {side['loss']}, from {result['start_loss']}: not what ours learns"
        for name, side in result["sides"].items()
        if "missing" not in side and not side["agrees"]
    ]


def missing(result: Result) -> list[str]:
    """The sides that could not take part, and why."""
    return [f"{name}: {side['missing']}" for name, side in result["sides"].items() if "missing" in side]


def markdown(result: Result) -> list[str]:
    """The tables a reader sees."""
    lines = heading("Training: µs per step", result)
    lines += [
        f"Peak: {short(result['peak_gflops']['median'])} GFLOP/s, a NumPy product of two 2048×2048 float32 matrices on "
        f"all cores. Median of {result['repeats']} rounds, all sides in turn in each; in brackets the quartiles, then "
        "the time over ours and, from 1 on, the percent of the peak. A peer runs on one thread or "
        "on all, whichever is faster.",
        "",
    ]
    workloads = list(result["workloads"].values())
    if workloads:
        names = list(workloads[0]["sides"])
        rows = [[name, *(_entry(workload["sides"][name]) for workload in workloads)] for name in names]
        lines += table(["", *(workload["name"] for workload in workloads)], rows)
        lines += ["", *_compilations(workloads)]
    if result["grid"]:
        names = list(result["grid"][0]["sides"])
        lines += [
            "",
            "## Grid",
            "",
            "wWIDTH-bBATCH-dDEPTH: µs per step of ours, and the time of each peer over it.",
            "",
        ]
        rows = [[cell["name"], *(_cell_entry(cell, name) for name in names)] for cell in result["grid"]]
        lines += table(["cell", *names], rows)
    everything = [*workloads, *result["grid"]]
    where: dict[str, list[str]] = {}
    for one in everything:
        for words in missing(one):
            where.setdefault(words, []).append(one["name"])
    lines += listed("Missing", [f"{words} ({'; '.join(names)})" for words, names in where.items()])
    return lines + listed("Limits missed", result["misses"])


def _entry(side: Result) -> str:
    if "missing" in side:
        return "—"
    us, times = side["us"], side["ratio"]
    words = f"**{short(us['median'])}** ({short(us['q1'])}–{short(us['q3'])})"
    if times is not None:
        words += f" {short(times['median'])}×"
    percent = side["percent_of_peak"]["median"]
    return f"{words} {percent:.0f} %" if percent >= 1 else words


def _cell_entry(cell: Result, name: str) -> str:
    side = cell["sides"][name]
    if "missing" in side:
        return "—"
    if name == cell["ratios_to"] or not side["ratio"]:
        return f"{short(side['us']['median'])} µs"
    return f"{short(side['ratio']['median'])}×"


def _compilations(workloads: Sequence[Result]) -> list[str]:
    """Compilation is not in the steps: said apart."""
    words = []
    for name in workloads[0]["sides"]:
        seconds = [one["sides"][name].get("compilation_s", 0.0) for one in workloads]
        if name.startswith("JAX") or name.endswith("compiled"):
            words.append(f"{name}: {', '.join(f'{s:.1f}' for s in seconds)} s")
    return [f"Compilation, not in the figures above: {'; '.join(words)}."] if words else []


def peak_of(peaks: Sequence[float]) -> dict[str, float]:
    return quartiles(peaks) if peaks else {"q1": 0.0, "median": 0.0, "q3": 0.0}
