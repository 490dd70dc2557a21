"""Figure 4 of the report: the line through raw data, and why its largest rate diverges."""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from maillon import plot
from maillon.nn import HalfMSELoss
from maillon.optim import NonFiniteLossError, Optim
from maillon.plot.style import BLUE, GREY, VERMILION, use
from maillon.report import slopes
from maillon.report.chapter import Chapter, verdict_of
from maillon.report.slopes import RATES, Course, by_hand, first_within, listed
from maillon.report.verdicts import because, judged
from maillon.typing import Array

RAW_SLOPE = 5.0
ONE_PERCENT = 0.01
DIVERGED = 1e100


@dataclass(frozen=True)
class Divergence:
    """A run that diverges: its slope after each step, the step at which it passes 1e100, and the error that ends it."""

    slopes: list[float]
    passed: int | None
    message: str


@dataclass(frozen=True)
class Raw:
    courses: dict[float, Course]
    divergence: Divergence


def figure_4(chapter: Chapter) -> Raw:
    chapter.heading("Raw data")
    x, y = slopes.raw_data(chapter.settings.generator(), slope=RAW_SLOPE)
    optimum = float((x * y).sum() / (x * x).sum())
    with chapter.training("raw data, rate 0.01, until it diverges"):
        divergence = _diverge(chapter, x, y)
    courses = {}
    epochs = slopes.epochs(chapter.settings)
    for rate in RATES[1:]:
        with chapter.training(f"raw data, rate {rate:g}"):
            generator = chapter.settings.generator()
            courses[rate] = by_hand(slopes.line(bias=False), x, y, rate, generator, epochs)
    growths = {rate: _growth(x, rate) for rate in RATES}
    limit = _largest_stable_rate(x)
    chapter.text(
        "**Figure 4 cannot hold at rate 1e-2.** Without a bias each step multiplies the distance from the optimum by "
        f"1 − ηx², and x goes up to 50. The mean of log|1 − ηx²| over these data is {growths[1e-2]:+.2f} at 1e-2: "
        f"every step makes the error {math.exp(growths[1e-2]):.1f} times larger on average. In float64 through "
        f"`Optim.step` the slope {passing(divergence)}. {divergence.message} At 1e-3 the mean is "
        f"{growths[1e-3]:+.2f}, so it converges, but single factors reach {_largest_factor(x, 1e-3):.1f} in "
        f"absolute value: the slope keeps jumping. On these data rates below {limit:.1e} converge."
    )
    figure = _draw_figure_4(courses, divergence, x, y, optimum)
    caption = (
        "Figure 2 on raw data of true slope 5. At 1e-2 (top row, float64, log scale) the slope grows without bound "
        "within a few epochs; the three smaller rates work."
    )
    alt = (
        f"Four rows of three panels. Rate 0.01: the distance from the best slope grows along a straight line on a "
        f"logarithmic axis; the slope {passing(divergence)}. The others: "
        + slopes.panels_alt({f"rate {rate:g}": course for rate, course in courses.items()}, optimum)
    )
    chapter.figure("figure-4", figure, caption, item="Figure 4", alt=alt)
    chapter.figure(
        "figure-4-growth",
        _draw_growth(x, growths, limit),
        "Why: the mean logarithm of the factor by which a step multiplies the error, against the rate. Above zero "
        "the error grows.",
        item="Figure 4, beside",
        alt="A curve over the learning rate on a logarithmic axis: below zero for small rates, above zero from "
        f"{limit:.1e} on. At the report's rates: "
        + ", ".join(f"{rate:g} {growth:+.4f}" for rate, growth in growths.items())
        + ".",
    )
    _claim_raw(chapter, courses, divergence, growths)
    _claim_fluctuation(chapter, courses, optimum)
    return Raw(courses, divergence)


def _diverge(chapter: Chapter, x: Array, y: Array) -> Divergence:
    """Rate 1e-2 in float64, one `Optim.step` after another, until the loss is no longer a number."""
    network = slopes.line(bias=False, dtype=np.float64)
    optim = Optim(network, HalfMSELoss(), RATES[0])
    generator = chapter.settings.generator()
    x, y = x.astype(np.float64), y.astype(np.float64)
    path: list[float] = []
    message = "The loss stayed finite."
    try:
        with np.errstate(over="ignore"):
            for _ in range(slopes.EPOCHS):
                for sample in generator.randperm(len(x)):
                    optim.step(x[[sample]], y[[sample]])
                    path.append(float(network.weight.data[0, 0]))
    except NonFiniteLossError as error:
        message = f"After {len(path)} steps `Optim` stops: “{error}”"
    passed = next((step for step, slope in enumerate(path, 1) if abs(slope) > DIVERGED), None)
    return Divergence(path, passed, message)


def passing(divergence: Divergence) -> str:
    if divergence.passed is None:
        return "stays below 1e100"
    return f"passes 1e100 after {divergence.passed} steps"


def _growth(x: Array, rate: float) -> float:
    """The mean logarithm of |1 - ηx²|: what a step adds to the logarithm of the error."""
    return float(np.log(np.abs(1 - rate * x.astype(np.float64) ** 2)).mean())


def _largest_factor(x: Array, rate: float) -> float:
    return float(np.abs(1 - rate * x.astype(np.float64) ** 2).max())


def _largest_stable_rate(x: Array) -> float:
    """The rate at which the mean logarithm crosses zero, by bisection between 1e-4 and 1e-2."""
    low, high = 1e-4, 1e-2
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _growth(x, middle) < 0 else (low, middle)
    return low


def _draw_figure_4(courses: dict[float, Course], divergence: Divergence, x: Array, y: Array, optimum: float) -> Figure:
    with use():
        figure, rows = slopes.panels(len(courses) + 1, 3)
        _draw_divergence(divergence, rows[0], x, y, optimum)
        for (rate, course), row in zip(courses.items(), rows[1:], strict=True):
            slopes.draw_course(f"rate {rate:g}", course, row, optimum)
            plot.regression(course.network, x, y, row[2])
    return figure


def _draw_divergence(divergence: Divergence, row: Array, x: Array, y: Array, optimum: float) -> None:
    steps = range(1, len(divergence.slopes) + 1)
    distance = np.abs(np.array(divergence.slopes) - optimum)
    row[0].semilogy(steps, distance, color=BLUE)
    row[0].set(xlabel="step", ylabel="|slope − least squares|")
    row[0].set_title("rate 0.01", loc="left", fontweight="bold")
    row[1].plot(steps[:20], divergence.slopes[:20], color=BLUE, marker=".")
    row[1].set(xlabel="step", ylabel="slope")
    row[1].set_yscale("symlog", linthresh=10)
    row[1].set_yticks([-1e12, -1e6, 0, 1e6, 1e12])
    row[1].set_title("slope, the first 20 steps")
    row[2].scatter(x, y, s=9, color=BLUE, alpha=0.6, linewidths=0)
    row[2].set(xlabel="x", ylabel="y")
    row[2].set_title("data; no line fits the panel")


def _draw_growth(x: Array, growths: dict[float, float], limit: float) -> Figure:
    rates = np.geomspace(5e-6, 3e-2, 400)
    with use():
        figure = Figure(figsize=(6.4, 3.2), layout="constrained")
        ax = figure.add_subplot()
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.axvline(limit, color=GREY, linestyle=":", linewidth=1)
        ax.semilogx(rates, [_growth(x, rate) for rate in rates], color=BLUE)
        ax.plot(list(growths), list(growths.values()), "o", color=VERMILION, label="the report's rates")
        ax.set(xlabel="learning rate η", ylabel="mean of log|1 − ηx²|")
        ax.legend(loc="upper left")
    return figure


def _claim_raw(
    chapter: Chapter, courses: dict[float, Course], divergence: Divergence, growths: dict[float, float]
) -> None:
    diverged = divergence.passed is not None
    chapter.claim(
        "figure-4-slope-1e-2",
        "Figure 4",
        "within 1 % of 5",
        passing(divergence),
        "cannot hold" if diverged and growths[1e-2] > 0 else "differs",
        f"At rate 0.01 the mean of log|1 − ηx²| is {growths[1e-2]:+.2f}: "
        f"{'the error grows without bound' if growths[1e-2] > 0 else 'the error shrinks'}.",
    )
    for rate, course in courses.items():
        off = abs(course.slope / RAW_SLOPE - 1)
        late = np.array(course.slopes[len(course.slopes) // 2 :])
        chapter.claim(
            f"figure-4-slope-{rate:.0e}".replace("e-0", "e-"),
            "Figure 4",
            "within 1 % of 5",
            course.slope,
            judged(chapter.settings, off < ONE_PERCENT),
            because(
                chapter.settings,
                f"After the last epoch at rate {rate:g} it is {100 * off:.2f} % off; over the last {len(late)} epochs "
                f"its mean is {late.mean():.3f} and its standard deviation {100 * late.std() / RAW_SLOPE:.2f} % of 5.",
            ),
        )


def _claim_fluctuation(chapter: Chapter, courses: dict[float, Course], optimum: float) -> None:
    spreads = [float(np.std(course.slopes[len(course.slopes) // 2 :])) for course in courses.values()]
    many = spreads[0] > 5 * spreads[-1]
    chapter.claim(
        "figure-4-fluctuation",
        "Figure 4",
        "at large rates loss and slope keep fluctuating",
        spreads,
        verdict_of(many),
        f"Standard deviation of the slope over the second half of the epochs at rates {listed(courses)}: the first is "
        f"{spreads[0] / max(spreads[-1], 1e-12):.0f} times the last; more than 5 counts.",
    )
    steps = [first_within(course.steps, optimum) or math.inf for course in courses.values()]
    slower = steps == sorted(steps) and steps[0] < steps[-1]
    chapter.claim(
        "figure-4-smaller-is-slower",
        "Figure 4",
        "the smaller the rate, the slower it converges",
        steps,
        verdict_of(slower),
        f"Steps until 95 % of the way is done, at rates {listed(courses)}, in the "
        f"{'order' if slower else 'opposite of the order'} the report saw.",
        unit="steps",
    )
