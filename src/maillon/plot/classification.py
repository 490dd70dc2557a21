"""What a classifier decides: where in the plane, and how often it is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from maillon import train
from maillon.plot.axes import Model, axes, values
from maillon.plot.style import COLOURS, MARKERS
from maillon.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def classes(scores: Array, threshold: float = 0.5) -> Array:
    """The class of each row of scores: above the threshold for one column, the largest for several."""
    scores = scores.reshape(len(scores), -1)
    if scores.shape[1] == 1:
        return (scores[:, 0] >= threshold).astype(np.int64)
    return scores.argmax(axis=1)


def decision_regions(
    model: Model,
    x: Array,
    y: Array,
    ax: Axes | None = None,
    threshold: float = 0.5,
    resolution: int = 300,
    labels: Sequence[str] | None = None,
) -> Axes:
    """Colour the plane by the class that the model decides for, under the points in the colours of their classes.

    A point that is decided wrongly is ringed.

    Parameters
    ----------
    model : Module or callable
        A network, or a function, from points (M, 2) to scores, (M, 1) or (M, classes).
    x : array
        The points, (N, 2).
    y : array of int
        Their classes, (N,) or (N, 1).
    ax : Axes, optional
        Where to draw; None makes a new figure.
    threshold : float
        The score, in [0, 1], from which a single output means class 1.
    resolution : int
        Grid points along each axis.
    labels : sequence of str, optional
        The names of the classes; None takes their numbers.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        When the points are not in the plane.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> right = lambda points: (points[:, :1] > 0).astype(float)
    >>> ax = decision_regions(right, [[-1.0, 0.0], [1.0, 0.5]], [0, 1], Figure().add_subplot())
    >>> ax.get_xlabel()
    '$x_1$'
    """
    points = np.asarray(x)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"decision_regions: expected x of shape (N, 2), got {points.shape}.")
    ax = axes(ax)
    truth = np.ravel(y).astype(np.int64)
    decided = classes(values(model, points), threshold)
    columns, rows = _grid(points, resolution)
    ground = classes(values(model, np.column_stack([columns.ravel(), rows.ravel()])), threshold)
    count = max(int(truth.max()), int(ground.max()), 1) + 1
    levels = np.arange(count + 1) - 0.5
    colours = [COLOURS[label % len(COLOURS)] for label in range(count)]
    ax.contourf(columns, rows, ground.reshape(rows.shape), levels=levels, colors=colours, alpha=0.18)
    names = [f"class {label}" for label in range(count)] if labels is None else labels
    for label, name in enumerate(names):
        mine = points[truth == label]
        marker = MARKERS[label % len(MARKERS)]
        ax.scatter(mine[:, 0], mine[:, 1], s=16, marker=marker, color=colours[label], linewidths=0, label=name)
    wrong = points[decided != truth]
    ax.scatter(wrong[:, 0], wrong[:, 1], s=52, facecolors="none", edgecolors="black", linewidths=0.9, label="wrong")
    ax.grid(visible=False)
    ax.set(xlabel="$x_1$", ylabel="$x_2$")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=count + 1, handletextpad=0.2)
    return ax


def _grid(points: Array, resolution: int) -> tuple[Array, Array]:
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.06 * np.maximum(high - low, 1e-6)
    first, second = np.linspace(low - margin, high + margin, resolution).T
    columns, rows = np.meshgrid(first, second)
    return columns, rows


def confusion_matrix(
    prediction: Array, target: Array, ax: Axes | None = None, labels: Sequence[str] | None = None
) -> Axes:
    """Draw how often each class (column) was decided for, for every true class (row).

    Parameters
    ----------
    prediction : array
        Labels (N,), or scores (N, 1) or (N, classes), as for the metric of the same name.
    target : array
        The true labels, (N,) or (N, 1), or one-hot.
    ax : Axes, optional
        Where to draw; None makes a new figure.
    labels : sequence of str, optional
        The names of the classes; None takes their numbers.

    Returns
    -------
    Axes
        What was drawn on.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), Figure().add_subplot())
    >>> [cell.get_text() for cell in ax.texts]
    ['1', '1', '0', '1']
    """
    counts = train.confusion_matrix(prediction, target, None if labels is None else len(labels))
    ax = axes(ax)
    names = [str(label) for label in range(len(counts))] if labels is None else list(labels)
    ax.imshow(counts, cmap="Blues", vmin=0, vmax=1.25 * counts.max())
    for (row, column), cell in np.ndenumerate(counts):
        colour = "white" if cell > 0.75 * counts.max() else "#222222"
        ax.text(column, row, str(cell), ha="center", va="center", color=colour)
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.grid(visible=False)
    ax.set(xlabel="decided", ylabel="true")
    return ax
