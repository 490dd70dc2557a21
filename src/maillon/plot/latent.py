"""The two-dimensional latent space of an autoencoder: a point an image, a colour and a shape a group."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maillon.plot.style import COLOURS, MARKERS
from maillon.typing import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def latent_scatter(
    codes: Array,
    labels: Array,
    groups: Mapping[str, Sequence[int]] | None = None,
    *,
    ax: "Axes | None" = None,
    **scatter: Any,
) -> "Axes":
    """Draw the latent codes of images, one colour and one marker for each group of classes.

    Parameters
    ----------
    codes : array
        (n, 2).
    labels : array of int
        The class of each image, (n,).
    groups : dict of str to sequence of int, optional
        For each group its name and its classes, at most eight; None takes each class by itself.
    ax : Axes, optional
        Where to draw; None makes a new figure.
    **scatter : Any
        Handed on to matplotlib's `scatter`.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        When the codes are not of shape (n, 2), or there are not as many labels.

    Examples
    --------
    >>> codes = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    >>> ax = latent_scatter(codes, np.array([0, 7, 9]), {"tops": [0], "shoes": [7, 9]})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['tops (1)', 'shoes (2)']
    """
    codes, labels = np.asarray(codes), np.asarray(labels)
    if codes.ndim != 2 or codes.shape[1] != 2 or labels.shape != codes.shape[:1]:
        raise ValueError(
            "latent_scatter: expected codes of shape (n, 2) and labels of shape (n,), "
            f"got {codes.shape} and {labels.shape}."
        )
    if groups is None:
        groups = {str(label): [int(label)] for label in np.unique(labels)}
    if ax is None:
        from matplotlib import pyplot as plt

        ax = plt.subplots(figsize=(6.4, 5.2), layout="constrained")[1]
    for index, (name, classes) in enumerate(groups.items()):
        members = codes[np.isin(labels, list(classes))]
        style = {
            "color": COLOURS[index % len(COLOURS)],
            "marker": MARKERS[index % len(MARKERS)],
            "s": 14,
            "alpha": 0.65,
            "linewidths": 0,
        }
        ax.scatter(members[:, 0], members[:, 1], label=f"{name} ({len(members)})", **{**style, **scatter})
    ax.set(xlabel="latent coordinate 1", ylabel="latent coordinate 2")
    ax.legend(markerscale=1.8)
    return ax
