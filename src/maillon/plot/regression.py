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
    """Draw the data as points and the model's prediction as a line through their range.

    Parameters
    ----------
    model : Module or callable
        A network with one input and one output, or a function from (M, 1) to (M, 1).
    x : array
        (N,) or (N, 1).
    y : array
        (N,) or (N, 1).
    ax : Axes, optional
        Where to draw; None makes a new figure.
    label : str
        The name of the line in the legend.

    Returns
    -------
    Axes
        What was drawn on.

    Examples
    --------
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
