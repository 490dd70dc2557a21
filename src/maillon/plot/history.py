"""The course of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maillon.plot.axes import axes
from maillon.plot.style import BLUE, VERMILION
from maillon.train.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def history(
    h: History | Sequence[float],
    ax: Axes | None = None,
    column: str = "loss",
    label: str | None = None,
    **line: Any,
) -> Axes:
    """Draw a column of a history against the epochs, and its validation beside it where there is one.

    Parameters
    ----------
    h : History or sequence of float
        What `fit` returns, or the list of losses that `sgd` returns.
    ax : Axes, optional
        Where to draw; None makes a new figure.
    column : str
        'loss', or the name of a metric.
    label : str, optional
        The name in the legend; None is "training", or no legend where nothing stands beside.
    **line : Any
        Handed on to matplotlib's `plot`, for the training's curve.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    KeyError
        When the history has no such column.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> history([0.9, 0.5, 0.4], Figure().add_subplot()).get_ylabel()
    'loss'
    """
    ax = axes(ax)
    losses = h[column] if isinstance(h, History) else list(h)
    epochs = range(1, len(losses) + 1)
    validation = f"val_{column}"
    both = isinstance(h, History) and validation in h
    ax.plot(epochs, losses, **{"color": BLUE, "label": label or ("training" if both else None), **line})
    if isinstance(h, History) and both:
        ax.plot(epochs, h[validation], color=VERMILION, linestyle="--", label="validation")
    if both or label:
        ax.legend()
    ax.locator_params(axis="x", integer=True)
    ax.set(xlabel="epoch", ylabel=column.replace("_", " "))
    return ax
