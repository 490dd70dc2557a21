"""Pictures of pictures: grids, rows of pairs, and the probabilities a classifier gives to each class."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maillon.plot.style import BLUE, VERMILION
from maillon.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL_SIZE = 8


def image_grid(
    images: Array,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 10,
    ax: "Axes | None" = None,
    **imshow: Any,
) -> "Axes":
    """Draw images side by side, row by row, each under its title.

    Parameters
    ----------
    images : array
        Grey images, (n, height, width); 0 is black and 1 white.
    titles : sequence of str, optional
        One short text an image.
    columns : int
        Images in a row, ≥ 1.
    ax : Axes, optional
        Where to draw; None makes a new figure.
    **imshow : Any
        Handed on to matplotlib's `imshow`.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        When the images are not of that shape, or the titles are not one an image.

    Examples
    --------
    >>> ax = image_grid(np.zeros((3, 28, 28)), ["a", "b", "c"], columns=2)
    >>> [text.get_text() for text in ax.texts]
    ['a', 'b', 'c']
    """
    images = _stack(images, "image_grid")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"image_grid: expected one title for each of the {len(images)} images, got {len(titles)}.")
    columns = max(1, min(columns, len(images)))
    rows = [images[start : start + columns] for start in range(0, len(images), columns)]
    ax = _new_axes(0.9 * columns, (1.2 if titles else 1.0) * len(rows)) if ax is None else ax
    step = _mosaic(ax, rows, gap=0.3 if titles else 0.08, imshow=imshow)
    for index, title in enumerate(titles or ()):
        row, column = divmod(index, columns)
        ax.text(column * step[1] + 0.5, row * step[0] - 0.03, title, ha="center", va="bottom", fontsize=LABEL_SIZE)
    return ax


def image_rows(
    rows: Mapping[str, Array],
    titles: Sequence[str] | None = None,
    *,
    ax: "Axes | None" = None,
    **imshow: Any,
) -> "Axes":
    """Draw one labelled row of images above the other: originals over reconstructions.

    Parameters
    ----------
    rows : dict of str to array
        For each row its label and its images, (n, height, width), with the same n in all rows.
    titles : sequence of str, optional
        One short text a column, above the first row.
    ax : Axes, optional
        Where to draw; None makes a new figure.
    **imshow : Any
        Handed on to matplotlib's `imshow`.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        When there is no row, the rows differ in length, or the titles are not one a column.

    Examples
    --------
    >>> ax = image_rows({"original": np.zeros((2, 8, 8)), "copy": np.zeros((2, 8, 8))}, ["a", "b"])
    >>> [text.get_text() for text in ax.texts]
    ['original', 'copy', 'a', 'b']
    """
    stacks = {label: _stack(images, "image_rows") for label, images in rows.items()}
    lengths = {len(images) for images in stacks.values()} | ({len(titles)} if titles is not None else set())
    if len(lengths) != 1 or not stacks:
        raise ValueError(
            f"image_rows: expected rows of one length, and one title a column, got lengths {sorted(lengths)}."
        )
    columns = lengths.pop()
    ax = _new_axes(0.9 * columns + 1.1, 0.95 * len(stacks) + 0.2) if ax is None else ax
    step = _mosaic(ax, list(stacks.values()), gap=0.06, imshow=imshow)
    for row, label in enumerate(stacks):
        ax.text(-0.12, row * step[0] + 0.5, label, ha="right", va="center", fontsize=LABEL_SIZE)
    for column, title in enumerate(titles or ()):
        ax.text(column * step[1] + 0.5, -0.06, title, ha="center", va="bottom", fontsize=LABEL_SIZE)
    return ax


def probability_bars(
    probabilities: Array,
    true_class: int,
    class_names: Sequence[str] | None = None,
    *,
    ax: "Axes | None" = None,
    **bar: Any,
) -> "Axes":
    """Draw the probability that a classifier gives to each class, the true one marked by colour, hatch and star.

    Parameters
    ----------
    probabilities : array
        Numbers in [0, 1], (classes,).
    true_class : int
        The index of the true class.
    class_names : sequence of str, optional
        One name a class; None takes the indices.
    ax : Axes, optional
        Where to draw; None makes a new figure.
    **bar : Any
        Handed on to matplotlib's `bar`.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        When the probabilities are not one row, or the true class is none of them.

    Examples
    --------
    >>> ax = probability_bars(np.array([0.1, 0.7, 0.2]), true_class=1)
    >>> [round(float(bar.get_height()), 1) for bar in ax.patches]
    [0.1, 0.7, 0.2]
    """
    probabilities = np.asarray(probabilities)
    if probabilities.ndim != 1 or not 0 <= true_class < len(probabilities):
        raise ValueError(
            "probability_bars: expected probabilities of shape (classes,) and a true class among them, "
            f"got shape {probabilities.shape} and class {true_class}."
        )
    ax = _new_axes(3.2, 2.2) if ax is None else ax
    names = [str(name) for name in (class_names or range(len(probabilities)))]
    colors = [BLUE] * len(names)
    colors[true_class] = VERMILION
    bars = ax.bar(range(len(names)), probabilities, **{"color": colors, **bar})
    bars[true_class].set_hatch("//")
    ax.text(
        true_class,
        float(probabilities[true_class]) + 0.02,
        "★",
        ha="center",
        va="bottom",
        color=VERMILION,
        fontsize=LABEL_SIZE,
    )
    ax.set(ylim=(0, 1.12), yticks=(0, 0.5, 1), xlabel="class", ylabel="probability")
    ax.set_xticks(range(len(names)), names)
    ax.tick_params(labelsize=LABEL_SIZE)
    return ax


def _stack(images: Array, where: str) -> Array:
    images = np.asarray(images)
    if images.ndim != 3 or not len(images):
        raise ValueError(
            f"{where}: expected images of shape (n, height, width), got {images.shape}; "
            "flat ones fit after images.reshape(-1, 28, 28)."
        )
    return images


def _new_axes(width: float, height: float) -> "Axes":
    from matplotlib import pyplot as plt

    ax: Axes = plt.subplots(figsize=(width, height), layout="constrained")[1]
    return ax


def _mosaic(ax: "Axes", rows: Sequence[Array], gap: float, imshow: Mapping[str, Any]) -> tuple[float, float]:
    """Put the rows of images on one canvas, each one unit wide and high; return the steps down and across."""
    height, width = rows[0].shape[1:]
    down, across = height + round(gap * height), width + max(1, round(0.06 * width))
    columns = max(len(row) for row in rows)
    canvas = np.full((down * len(rows) - (down - height), across * columns - (across - width)), np.nan)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            canvas[i * down : i * down + height, j * across : j * across + width] = image
    extent = (0, canvas.shape[1] / width, canvas.shape[0] / height, 0)
    defaults: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    ax.imshow(np.ma.masked_invalid(canvas), extent=extent, aspect=height / width, **{**defaults, **imshow})
    ax.set_axis_off()
    return down / height, across / width
