"""The README's figure, from engine.json: µs per step of every side on the four workloads.

python -m peers.figure ENGINE.json SPEED.png      (in benchmarks/)
"""

import json
import sys
from pathlib import Path
from typing import Any

from peers.referee import BY_HAND, COMPILED, EAGER, EPOCH, NATIVE, NUMPY, SCAN, SKLEARN
from peers.results import short

# Okabe and Ito's colours, which colour-blind readers tell apart; ours are dark and strong, the points are named anyhow
COLOURS = {
    NATIVE: "#0072B2",
    NUMPY: "#56B4E9",
    SCAN: "#009E73",
    EPOCH: "#8FD3BE",
    BY_HAND: "#E69F00",
    SKLEARN: "#F0E442",
    COMPILED: "#CC79A7",
    EAGER: "#D55E00",
}
STYLE = {"font.size": 9, "font.family": "DejaVu Sans", "axes.spines.top": False, "axes.spines.right": False}


def draw(result: dict[str, Any], path: Path) -> None:
    """A panel for each workload, a point for each side, on a logarithmic axis."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 5.4), layout="constrained")
        panels = figure.subplots(2, 2, sharey=True).ravel()
        for panel, workload in zip(panels, result["workloads"].values(), strict=True):
            _panel(panel, workload)
        for panel in panels[2:]:
            panel.set_xlabel("µs per training step (log scale, less is better)")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)


def _panel(panel: Any, workload: dict[str, Any]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    names = list(COLOURS)
    measured = [workload["sides"][name].get("us", {}).get("median") for name in names]
    known = [value for value in measured if value is not None]
    low, high = min(known), max(known)
    left = low / 2
    panel.set_xscale("log")
    panel.set_xlim(left, high * (high / left) ** 0.55)  # room for the numbers beside the last point
    for place, (name, value) in enumerate(zip(names, measured, strict=True)):
        bold = "bold" if name == NATIVE else "normal"
        if value is None:
            panel.annotate("— missing", (left, place), (4, 0), textcoords="offset points", va="center", color="#444444")
            continue
        panel.hlines(place, left, value, color=COLOURS[name], linewidth=3)
        panel.plot(value, place, "o", color=COLOURS[name], markersize=8, markeredgecolor="#333333", markeredgewidth=0.6)
        label = _label(workload, name, value)
        panel.annotate(label, (value, place), (8, 0), textcoords="offset points", va="center", weight=bold)
    subs = (1,) if high > 100 * low else (1, 2, 5)
    panel.xaxis.set_major_locator(LogLocator(subs=subs))
    panel.xaxis.set_major_formatter(lambda tick, _: f"{tick:,.10g}".replace(",", " "))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color="#E4E4E4", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.set_title(workload["name"], loc="left", fontsize=10)


def _label(workload: dict[str, Any], name: str, value: float) -> str:
    side = workload["sides"][name]
    if name == workload["ratios_to"] or not side["ratio"]:
        return short(value)
    return f"{short(value)}  ({short(side['ratio']['median'])}×)"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
