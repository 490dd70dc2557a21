"""The figures of the chapter on MNIST."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from maillon.plot.images import image_grid, probability_bars
from maillon.plot.style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from maillon.report.images import SIDE
from maillon.report.mnist_trainings import Course
from maillon.typing import Array

COLOURS = {"summed": BLUE, "normal": PURPLE, "literal": ORANGE, "averaged": VERMILION}
STYLES = {"summed": "-", "normal": "-.", "literal": ":", "averaged": "--"}


def predictions(images: Array, labels: Array, before: Array, after: Array, epochs: int) -> Figure:
    """A row a digit: the image, and the probabilities of its classes before and after training."""
    figure, axes = plt.subplots(
        len(images), 3, figsize=(7.4, 1.55 * len(images) + 0.5), width_ratios=(1, 2.2, 2.2), layout="constrained"
    )
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        image_grid(image.reshape(1, SIDE, SIDE), ax=axes[row, 0])
        for ax, probabilities in ((axes[row, 1], before[row]), (axes[row, 2], after[row])):
            probability_bars(probabilities, int(label), ax=ax)
            best = int(probabilities.argmax())
            ax.set_title(
                f"predicts {best}, p = {probabilities[best]:.2f}",
                fontsize=8,
                color="black" if best == label else VERMILION,
            )
            if row < len(images) - 1:
                ax.set_xlabel("")
        axes[row, 2].set_ylabel("")
    axes[0, 1].annotate(
        "before training", (0.5, 1.28), xycoords="axes fraction", ha="center", fontsize=10, fontweight="bold"
    )
    axes[0, 2].annotate(
        f"after {epochs} epochs", (0.5, 1.28), xycoords="axes fraction", ha="center", fontsize=10, fontweight="bold"
    )
    return figure


def losses(courses: dict[str, Course], report_epochs: int) -> Figure:
    """Cross-entropy per image and epoch: the report's training and its continuation, then all the variants."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.4), layout="constrained")
    course = np.array(courses["summed"].losses)
    epochs = np.arange(1, len(course) + 1)
    left.plot(epochs[:report_epochs], course[:report_epochs], color=BLUE, label=f"{report_epochs} epochs")
    left.plot(epochs[report_epochs:], course[report_epochs:], "--", color=GREEN, label="continued beyond the report")
    left.set(xlabel="epoch", ylabel="cross-entropy per image (nats)", ylim=(0, None), title="The report's training")
    left.legend()
    for name, other in courses.items():
        values = other.losses[:report_epochs]
        style = {"color": COLOURS[name], "linestyle": STYLES[name], "linewidth": 3 if name == "literal" else 1.4}
        right.plot(np.arange(1, len(values) + 1), values, label=other.label, **style)
    right.axhline(np.log(10), color=GREY, linewidth=0.8)
    right.text(
        report_epochs, np.log(10), "ln 10: all ten equally probable", ha="right", va="bottom", fontsize=7, color=GREY
    )
    right.set(xlabel="epoch", ylabel="cross-entropy per image (nats)", yscale="log", title="What the text leaves open")
    right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    right.yaxis.set_minor_locator(NullLocator())
    right.yaxis.set_major_formatter("{x:g}")
    right.legend()
    return figure


def entropies(before: Array, after: Array, epochs: int) -> Figure:
    """How uncertain the network is of each test image, before and after."""
    figure, ax = plt.subplots(figsize=(5.6, 3.0), layout="constrained")
    bins = np.linspace(0, np.log(10), 47).tolist()
    ax.hist(before, bins, color=GREY, alpha=0.8, hatch="//", label=f"before training, mean {before.mean():.2f}")
    ax.hist(after, bins, color=BLUE, alpha=0.7, label=f"after {epochs} epochs, mean {after.mean():.2f}")
    ax.axvline(np.log(10), color=VERMILION, linestyle="--", linewidth=1, label="ln 10 = 2.30, the greatest possible")
    ax.set(xlabel="entropy of the ten probabilities (nats)", ylabel="test images", yscale="log")
    ax.legend()
    return figure
