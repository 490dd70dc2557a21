"""The figures of the chapter on the autoencoder."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maillon.plot.images import image_rows
from maillon.plot.latent import latent_scatter
from maillon.plot.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from maillon.report.images import SIDE
from maillon.typing import Array


def rows(labelled: Mapping[str, Array], titles: Sequence[str]) -> Figure:
    """Rows of images, each with its label: originals over reconstructions."""
    stacks = {label: images.reshape(-1, SIDE, SIDE) for label, images in labelled.items()}
    return cast(Figure, image_rows(stacks, titles).figure)


def losses(mse: Array, constant: float, mean_image: float, reported: int, flat: tuple[int, int] | None) -> Figure:
    """The loss of each epoch, as mean squared error and as its root, with what guessing without looking costs."""
    figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.6), layout="constrained")
    panels = ((axes[0], mse, "mean squared error", 1.0), (axes[1], np.sqrt(mse), "root mean squared error", 0.5))
    for ax, values, name, power in panels:
        _loss_panel(ax, values, reported, flat)
        for baseline, style, what in (
            (constant, "--", "one grey for every pixel"),
            (mean_image, ":", "the mean image"),
        ):
            level = baseline**power
            ax.axhline(level, color=BLACK, linestyle=style, linewidth=1, label=f"{what}: {level:.3f}")
        ax.set(xlabel="epoch", ylabel=f"{name} of a pixel", ylim=(0, 1.3 * values.max()), title=name)
    axes[1].axhline(0.35, color=VERMILION, linewidth=1, linestyle="-.", label="the report's plateau: 0.35")
    for ax in axes:
        ax.legend(ncols=2, fontsize=7, loc="upper right")
    return figure


def _loss_panel(ax: Axes, values: Array, reported: int, flat: tuple[int, int] | None) -> None:
    epochs = np.arange(1, len(values) + 1)
    if flat is not None:
        label = f"plateau: epochs {flat[0]} to {flat[1]}"
        ax.axvspan(*flat, color=ORANGE, alpha=0.2, linewidth=0, label=label)
    ax.plot(epochs[:reported], values[:reported], color=BLUE, label=f"{reported} epochs")
    ax.plot(epochs[reported - 1 :], values[reported - 1 :], "--", color=GREEN, label="continued beyond the report")


def noise(scales: Sequence[float], clean: Sequence[float], noisy: Sequence[float]) -> Figure:
    """The reconstruction's error against the strength of the noise, measured in two ways."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.3), layout="constrained")
    titles = ("against the clean image", "against the noisy input")
    for ax, values, colour, marker, title in zip(axes, (clean, noisy), (BLUE, PURPLE), ("o", "s"), titles, strict=True):
        ax.plot(scales, values, color=colour, marker=marker, markersize=4, label=f"reconstruction {title}")
        ax.set(xlabel="scale c of the noise", ylabel="mean squared error of a pixel", title=title)
    axes[1].plot(scales, np.square(scales), color=GREY, linestyle="--", label="c², the noise itself")
    axes[0].set_ylim(0, 1.1 * max(clean))
    for ax in axes:
        ax.legend(loc="upper left" if ax is axes[1] else "lower right")
    return figure


def latent(codes: Array, labels: Array, groups: Mapping[str, Sequence[int]]) -> Figure:
    return cast(Figure, latent_scatter(codes, labels, groups).figure)
