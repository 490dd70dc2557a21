"""Chapter 3 of the report: Sequential against PyTorch, then Optim and SGD() against the loop written by hand."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from maillon import plot
from maillon.nn import HalfMSELoss, Linear, MSELoss
from maillon.optim import Optim
from maillon.plot.style import VERMILION, use
from maillon.random import Generator
from maillon.report import binary, slopes
from maillon.report.chapter import Chapter, Settings, finished, verdict_of
from maillon.report.slopes import BATCH_SIZES, RATE, RATES, Course, by_hand, line
from maillon.report.table1_claims import table_1
from maillon.train import State, fit, sgd
from maillon.typing import Array

FIGURE_8_EPOCHS = 50

Trainer = Callable[[Linear, Array, Array, float, Generator, int, int], Course]


def run(settings: Settings) -> Chapter:
    chapter = Chapter("encapsulation", "Encapsulation", settings)
    chapter.source = (
        "made here: for Table 1 the two clusters of chapter 2, 160 points to train on and 40 to test on, always of "
        "seed 10; for Figures 8 and 9 the normalised line of chapter 1."
    )
    chapter.text(
        "A network by hand is fine for two links, and tedious for twenty. `Sequential` chains links, `Optim` makes one "
        "learning step of forward, backward and update, and `sgd` cuts the data into mini-batches and steps through "
        "them. Each is compared with what it replaces."
    )
    table_1(chapter)
    x, y = slopes.normalised_data(settings.generator())
    _figure_8(chapter, x, y)
    _figure_9(chapter, x, y)
    _seeds(chapter)
    return chapter


# Three other ways to train what `slopes.by_hand` trains


def by_step(
    network: Linear, x: Array, y: Array, rate: float, generator: Generator, epochs: int, batch_size: int
) -> Course:
    """The loop by hand, its inside replaced by `Optim.step`."""
    optim = Optim(network, HalfMSELoss(), rate)
    course = Course(network)
    for _ in range(epochs):
        order = generator.randperm(len(x))
        total = 0.0
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            total += optim.step(x[batch], y[batch]) * len(batch)
        course.losses.append(total / len(x))
        course.slopes.append(course.slope)
    return course


def by_sgd(
    network: Linear, x: Array, y: Array, rate: float, generator: Generator, epochs: int, batch_size: int
) -> Course:
    """The report's SGD(), asked for one epoch at a time to see the slope in between."""
    optim = Optim(network, HalfMSELoss(), rate)
    course = Course(network)
    for _ in range(epochs):
        course.losses += sgd(optim, x, y, batch_size, 1, generator=generator)
        course.slopes.append(course.slope)
    return course


def by_fit(
    network: Linear, x: Array, y: Array, rate: float, generator: Generator, epochs: int, batch_size: int
) -> Course:
    """`fit` in NumPy."""
    course = Course(network)
    optim = Optim(network, HalfMSELoss(), rate)

    def look(state: State) -> None:
        course.slopes.append(course.slope)

    history = finished(
        fit(optim, x, y, batch_size=batch_size, epochs=epochs, generator=generator, engine="numpy", callbacks=look)
    )
    course.losses += history["loss"]
    return course


def same_bits(a: Course, b: Course) -> bool:
    """Whether two trainings agree bit for bit: every loss, every slope, and the final parameters."""
    parameters = zip(a.network.parameters(), b.network.parameters(), strict=True)
    return (
        a.losses == b.losses
        and a.slopes == b.slopes
        and all(p.data.tobytes() == q.data.tobytes() for p, q in parameters)
    )


def difference(a: Course, b: Course) -> float:
    """The largest difference of any loss or slope."""
    return float(np.abs(np.subtract([a.losses, a.slopes], [b.losses, b.slopes])).max())


# Figure 8


def _figure_8(chapter: Chapter, x: Array, y: Array) -> None:
    chapter.heading("Optim against the loop by hand")
    with chapter.training(f"by hand, {FIGURE_8_EPOCHS} epochs"):
        hand = by_hand(line(), x, y, RATE, chapter.settings.generator(), FIGURE_8_EPOCHS)
    with chapter.training(f"Optim.step, {FIGURE_8_EPOCHS} epochs"):
        step = by_step(line(), x, y, RATE, chapter.settings.generator(), FIGURE_8_EPOCHS, 1)
    optimum = float((x * y).mean())
    chapter.figure(
        "figure-8",
        slopes.three_panels({"by hand": hand, "Optim.step": step}, x, y, optimum),
        "The line of chapter 1 learnt twice, 50 epochs at rate 0.01 with mini-batches of 1: above with `forward`, "
        "`backward` and `update_parameters` called by hand, below with `Optim.step`.",
        item="Figure 8",
        alt=slopes.panels_alt({"by hand": hand, "Optim.step": step}, optimum),
    )
    same = same_bits(hand, step)
    chapter.claim(
        "figure-8-same-curves",
        "Figure 8",
        "exactly the same curves",
        "the same bits" if same else f"up to {difference(hand, step):.2g} apart",
        verdict_of(same),
        f"All {FIGURE_8_EPOCHS} losses, all slopes and the final parameters compared bit for bit in float32: "
        f"{'no bit' if same else 'some'} differs; the largest difference is {difference(hand, step):.2g}.",
    )


# Figure 9


def _figure_9(chapter: Chapter, x: Array, y: Array) -> None:
    chapter.heading("SGD() against the loop by hand")
    epochs = chapter.settings.epochs(slopes.EPOCHS, 10)
    runs = {f"rate {rate:g}": (rate, 1) for rate in RATES} | {f"batch {b}": (RATE, b) for b in BATCH_SIZES}
    ways = {"by hand": _hand, "sgd": by_sgd, "fit(engine='numpy')": by_fit}
    courses: dict[str, dict[str, Course]] = {}
    for way, train in ways.items():
        with chapter.training(f"{way}, {len(runs)} times {epochs} epochs"):
            courses[way] = {
                label: train(line(), x, y, rate, chapter.settings.generator(), epochs, batch_size)
                for label, (rate, batch_size) in runs.items()
            }
    chapter.figure(
        "figure-9",
        _draw_figure_9(courses["by hand"], courses["sgd"]),
        f"The search of Figures 2 and 3 again ({epochs} epochs): the broad line is the loop by hand, the thin one on "
        "top `sgd`.",
        item="Figure 9",
        alt=f"{len(runs)} rows of two panels, loss and slope over {epochs} epochs; in each the thin line of sgd "
        "lies on the broad one of the loop by hand. Slopes at the end: "
        + ", ".join(f"{label} {course.slope:.3f}" for label, course in courses["sgd"].items())
        + ".",
    )
    for way in ("sgd", "fit(engine='numpy')"):
        _claim_same(chapter, way, courses["by hand"], courses[way])


def _hand(
    network: Linear, x: Array, y: Array, rate: float, generator: Generator, epochs: int, batch_size: int
) -> Course:
    return by_hand(network, x, y, rate, generator, epochs, batch_size)


def _draw_figure_9(hand: dict[str, Course], other: dict[str, Course]) -> Figure:
    with use():
        figure, rows = slopes.panels(len(hand), 2, height=2.1)
        for (label, course), row in zip(hand.items(), rows, strict=True):
            for ax, quantity, name in zip(row, ("losses", "slopes"), ("loss", "slope"), strict=True):
                plot.history(getattr(course, quantity), ax, label="by hand", color="#A6CEE8", linewidth=5)
                plot.history(getattr(other[label], quantity), ax, label="sgd", color=VERMILION, linewidth=1)
                ax.set_ylabel(name)
            row[0].set_title(label, loc="left", fontweight="bold")
    return figure


def _claim_same(chapter: Chapter, way: str, hand: dict[str, Course], other: dict[str, Course]) -> None:
    same = [same_bits(hand[label], other[label]) for label in hand]
    worst = max(difference(hand[label], other[label]) for label in hand)
    item = "Figure 9" if way == "sgd" else "Figure 9, with fit"
    chapter.claim(
        f"figure-9-same-as-{way.partition('(')[0]}",
        item,
        "exactly the same results as by hand",
        f"{sum(same)} of {len(same)} the same bits",
        verdict_of(all(same)),
        f"`{way}` over {len(same)} trainings, four rates and three batch sizes: losses, slopes and parameters in "
        f"float32; the largest difference is {worst:.2g}.",
    )


# Seeds


def _seeds(chapter: Chapter) -> None:
    def learn(seed: int) -> Sequence[bytes]:
        generator = Generator(seed)
        data = binary.clusters(generator)
        network = binary.classifier(generator)
        finished(fit(network, MSELoss(), data.x, data.y, rule=RATE, batch_size=10, epochs=5, generator=generator))
        return [parameter.data.tobytes() for parameter in network.parameters()]

    seed = chapter.settings.seed
    with chapter.training("the classifier of chapter 2, three times"):
        first, second, other = learn(seed), learn(seed), learn(seed + 1)
    again, apart = first == second, first != other
    chapter.claim(
        "seed-repeats",
        "Section 6",
        "a seed makes every experiment repeatable",
        "the same bits" if again else "other bits",
        verdict_of(again and apart),
        f"Data, initial weights, order and training of chapter 2’s network from one seed, twice: "
        f"{'every' if again else 'not every'} parameter has the same bits; "
        f"another seed gives {'others' if apart else 'the same'}.",
    )
