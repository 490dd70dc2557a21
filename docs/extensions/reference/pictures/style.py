"""How the reference's pictures look: white paper, Okabe and Ito's colours, two kinds of line."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

VALUE, SLOPE, THIRD = "#0072B2", "#D55E00", "#009E73"
SIZE = 9.0
"""Points of ordinary text."""


def figure(width: float, height: float, panels: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A figure of so many inches, and its axes."""
    made = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    return made, made.subplots(1, panels, **options)


def curves(x: Any, value: Any, slope: Any, across: str, names: tuple[str, str]) -> Figure:
    """A function and its derivative on one pair of axes."""
    made, ax = figure(5.0, 3.1)
    ax.axhline(0, color="0.75", linewidth=0.8)
    ax.axvline(0, color="0.75", linewidth=0.8)
    ax.plot(x, _broken(value), color=VALUE, linewidth=2, label=names[0])
    ax.plot(x, _broken(slope), color=SLOPE, linewidth=2, linestyle="--", label=names[1])
    ax.set_xlabel(across)
    ax.set_xlim(x[0], x[-1])
    ax.legend(frameon=False, loc="best")
    ax.spines[["top", "right"]].set_visible(False)
    return made


def _broken(y: Any) -> Any:
    """Jumps are gaps, not steep lines."""
    shown = np.array(y, float)
    steps = np.abs(np.diff(shown))
    usual = max(np.quantile(steps, 0.99), 1e-9)
    shown[1:][steps > 20 * usual] = np.nan
    return shown


def cells(ax: Axes, array: Any, title: str, mark: Any = None) -> None:
    """An array of two dimensions, each number in a square of its grey; those in `mark` have a border."""
    grid = np.atleast_2d(np.asarray(array, float))
    low = min(0.0, float(grid.min()))
    high = max(float(grid.max()), low + 1e-9)
    ax.imshow(grid, cmap="Greys", vmin=low, vmax=low + 2.2 * (high - low))
    rows, columns = grid.shape
    for row in range(rows):
        for column in range(columns):
            number = grid[row, column]
            size = min(SIZE, 62 / max(rows, columns, 6))
            ax.text(column, row, _number(number), ha="center", va="center", fontsize=size)
            if mark is not None and np.atleast_2d(mark)[row, column]:
                box = Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor=SLOPE, linewidth=1.2)
                ax.add_patch(box)
    ax.set_title(title, fontsize=SIZE + 1)
    ax.set_xticks(np.arange(-0.5, columns), minor=True)
    ax.set_yticks(np.arange(-0.5, rows), minor=True)
    ax.grid(which="minor", color="0.85", linewidth=0.5)
    ax.tick_params(which="both", length=0, labelleft=False, labelbottom=False)
    ax.spines[:].set_color("0.6")


def _number(value: float) -> str:
    shown = f"{value:.0f}" if value == round(value) else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"
    return shown.replace("-", "−").removeprefix("−") if shown in ("-0", "-0.0") else shown.replace("-", "−")
