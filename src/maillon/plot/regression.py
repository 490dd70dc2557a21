"""A fitted curve over its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maillon.plot.axes import Model, axes, values
from maillon.plot.style import BLUE, VERMILION
from maillon.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def regression(model: Model, x: Array, y: Array, ax: Axes | None = None, label: str = "fit") -> Axes:
    """Draws the data as points and the model's prediction as a line through their range.

    `x` and `y` are of shape `(N,)` or `(N, 1)`; `model` is a network with one input and one output, or any
    function from `(M, 1)` to `(M, 1)`.

    >>> from matplotlib.figure import Figure
    >>> ax = regression(np.square, np.array([0.0, 3.0]), np.array([0.0, 9.0]), Figure().add_subplot())
    >>> float(ax.lines[0].get_ydata()[-1])
    9.0
    """
    ax = axes(ax)
    flat = np.ravel(x)
    line = np.linspace(flat.min(), flat.max(), 100)
    ax.scatter(flat, np.ravel(y), s=9, color=BLUE, alpha=0.6, linewidths=0, label="data")
    ax.plot(line, np.ravel(values(model, line.reshape(-1, 1))), color=VERMILION, label=label)
    ax.set(xlabel="x", ylabel="y")
    ax.legend(loc="best")
    return ax
