"""The report's linear regressions: their data, their network, the loop written by hand, their three panels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maillon import plot
from maillon.data import linear_data, normalize
from maillon.nn import HalfMSELoss, Linear, Loss
from maillon.plot.style import BLUE, GREY, use
from maillon.random import Generator
from maillon.report.chapter import Settings
from maillon.typing import Array, DTypeLike

SAMPLES = 100
NOISE = 5.0
EPOCHS = 200
QUICK_EPOCHS = 40
START = -0.72
RATES = (1e-2, 1e-3, 1e-4, 1e-5)
RATE = 1e-2
BATCH_SIZES = (1, 10, 100)


@dataclass
class Course:
    """What a training left: the network, and its loss and slope after every epoch, its slope after every step."""

    network: Linear
    losses: list[float] = field(default_factory=list)
    slopes: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)

    @property
    def slope(self) -> float:
        return float(self.network.weight.data[0, 0])


def epochs(settings: Settings) -> int:
    """The report's 200 epochs, or a quick run's."""
    return settings.epochs(EPOCHS, QUICK_EPOCHS)


def raw_data(generator: Generator, slope: float) -> tuple[Array, Array]:
    """x uniform in [0, 50] and y = slope · x + N(0, 5²), both of shape (100, 1)."""
    return linear_data(SAMPLES, slope=slope, noise=NOISE, generator=generator)


def normalised_data(generator: Generator) -> tuple[Array, Array]:
    """The same with slope 1, both of mean 0 and standard deviation 1."""
    x, y = raw_data(generator, slope=1.0)
    return normalize(x), normalize(y)


def line(bias: bool = True, dtype: DTypeLike = np.float32) -> Linear:
    """Linear 1→1 as the report must have started it: slope -0.72, bias 0."""
    network = Linear(1, 1, bias=bias, dtype=dtype)
    network.weight.data[:] = START
    if network.bias is not None:
        network.bias.data[:] = 0
    return network


def by_hand(
    network: Linear,
    x: Array,
    y: Array,
    rate: float,
    generator: Generator,
    epochs: int,
    batch_size: int = 1,
    loss: Loss | None = None,
) -> Course:
    """The report's first loop: forward, backward and update called one by one."""
    loss = HalfMSELoss() if loss is None else loss
    course = Course(network)
    for _ in range(epochs):
        order = generator.randperm(len(x))
        total = 0.0
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            prediction = network(x[batch])
            total += float(loss(prediction, y[batch])) * len(batch)
            network.zero_grad()
            network.backward(loss.backward())
            network.update_parameters(rate)
            course.steps.append(course.slope)
        course.losses.append(total / len(x))
        course.slopes.append(course.slope)
    return course


def three_panels(courses: Mapping[str, Course], x: Array, y: Array, optimum: float) -> Figure:
    """One row for each course: loss per epoch, slope per epoch, data with the fitted line."""
    with use():
        figure, rows = panels(len(courses), 3)
        for (label, course), row in zip(courses.items(), rows, strict=True):
            draw_course(label, course, row, optimum)
            plot.regression(course.network, x, y, row[2])
    return figure


def panels_alt(courses: Mapping[str, Course], optimum: float) -> str:
    """What `three_panels` shows, in words."""
    rows = "; ".join(
        f"{label}: loss {course.losses[0]:.3g} to {course.losses[-1]:.3g}, slope {course.slopes[0]:.3f} to "
        f"{course.slope:.3f}"
        for label, course in courses.items()
    )
    return (
        f"{len(courses)} rows of three panels, loss and slope per epoch and the data with the fitted line. From "
        f"the first to the last epoch, {rows}. The best slope is {optimum:.3f}."
    )


def panels(rows: int, columns: int, height: float = 2.45) -> tuple[Figure, Array]:
    """A figure of equal panels with fixed margins, in inches: a layout engine would take longer than the drawing."""
    width, total = 9.6, height * rows
    left, right, below, above, between = 0.62, 0.12, 0.5, 0.32, 0.68
    panel = (width - left - right - (columns - 1) * between) / columns, height - below - above
    figure = Figure(figsize=(width, total))
    grid = {
        "left": left / width,
        "right": 1 - right / width,
        "bottom": below / total,
        "top": 1 - above / total,
        "wspace": between / panel[0],
        "hspace": (below + above) / panel[1],
    }
    return figure, figure.subplots(rows, columns, squeeze=False, gridspec_kw=grid)


def draw_course(label: str, course: Course, row: Array, optimum: float) -> None:
    """The first two panels of a row, and the third one's title."""
    plot.history(course.losses, row[0])
    draw_slopes(course.slopes, row[1], optimum)
    row[0].set_title(label, loc="left", fontweight="bold")
    row[1].set_title(f"slope, at the end {course.slope:.3f} (best {optimum:.3f})".replace("-", "−"))
    row[2].set_title("data and fit")


def draw_slopes(slopes: list[float], ax: Axes, optimum: float) -> None:
    ax.axhline(optimum, color=GREY, linestyle=":", linewidth=1)
    ax.plot(range(1, len(slopes) + 1), slopes, color=BLUE)
    ax.set(xlabel="epoch", ylabel="slope")


def first_within(slopes: list[float], optimum: float, share: float = 0.05) -> int | None:
    """The number of entries until the slope has covered all but `share` of its way; None if it never does."""
    near = np.abs(np.array(slopes) - optimum) <= share * abs(START - optimum)
    return int(near.argmax()) + 1 if near.any() else None


def jaggedness(slopes: list[float]) -> float:
    """How far a curve is from smooth: the mean absolute second difference over its second half."""
    return float(np.abs(np.diff(slopes[len(slopes) // 2 :], 2)).mean())


def listed(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
