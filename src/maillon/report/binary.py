"""Chapter 2 of the report: two clusters told apart by a 2–4–1 network, after 20 and after 200 epochs."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import linprog
from scipy.stats import norm

from maillon import plot
from maillon.data import train_test_split, two_clusters
from maillon.nn import Linear, Module, MSELoss, Sequential, Sigmoid, Tanh
from maillon.plot.style import use
from maillon.random import Generator
from maillon.report.chapter import Chapter, Settings, finished, verdict_of
from maillon.report.measures import FALL, WINDOW
from maillon.train import History, accuracy, fit, predict
from maillon.typing import Array

STD = 1.0
CENTRES = ((1.0, 2.0), (3.0, 5.0))
RATE = 0.01
SHORT, LONG = 20, 200
MANY, FEW = 0.10, 0.10  # shares of mistakes: "a rather large proportion" above, "a few" below
CLASSES = ("negative", "positive")


@dataclass(frozen=True)
class Data:
    """The points and their classes, 160 to train on and 40 to test on."""

    x: Array
    y: Array
    x_test: Array
    y_test: Array


@dataclass(frozen=True)
class Model:
    """A trained network, its history and its share of mistakes in both parts of the data."""

    network: Module
    history: History
    train_errors: float
    test_errors: float


def clusters(generator: Generator) -> Data:
    """The report's 200 points, split 160 to 40."""
    x, y = two_clusters(100, std=STD, means=CENTRES, generator=generator)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, shuffle=False)
    return Data(x_train, y_train, x_test, y_test)


def classifier(generator: Generator) -> Sequential:
    """2–4–1: Linear, Tanh, Linear, Sigmoid, with PyTorch's initial weights."""
    return Sequential(Linear(2, 4, generator=generator), Tanh(), Linear(4, 1, generator=generator), Sigmoid())


def run(settings: Settings) -> Chapter:
    chapter = Chapter("binary", "Two clusters", settings)
    chapter.source = (
        "made here: 100 points N((1, 2), I), the positive class, and 100 points N((3, 5), I), the negative one, "
        "shuffled; 160 to train on, 40 to test on."
    )
    generator = settings.generator()
    data = clusters(generator)
    _set_up(chapter)
    short = _train(chapter, classifier(generator), data, SHORT, generator)
    _draw(chapter, short, data, "figure-6", "Figure 6", SHORT)
    long = _train(chapter, classifier(generator), data, LONG, generator)
    _draw(chapter, long, data, "figure-7", "Figure 7", LONG)
    straight = Sequential(Linear(2, 1, generator=generator), Sigmoid())
    line = _train(chapter, straight, data, settings.epochs(LONG, 40), generator, "one link, ")
    _claim_short(chapter, short, long)
    _claim_long(chapter, short, long)
    _claim_separable(chapter, data, long, line)
    return chapter


def _set_up(chapter: Chapter) -> None:
    chapter.text(
        "A hidden layer and two activations: `Linear(2, 4)`, `Tanh()`, `Linear(4, 1)`, `Sigmoid()`, trained with "
        "`MSELoss` one point at a time at rate 0.01, in a new order every epoch. Two independent networks start from "
        "PyTorch’s initial law, one for 20 epochs and one for 200; a score of ½ or more means the positive class."
    )
    chapter.text(
        "**Where the text contradicts itself.** Figure 6 is called 20 epochs in its caption and in the plan, but 10 in "
        "the paragraph about it; the second network learns for 100 epochs in the plan and 200 in Figure 7. The "
        "captions are followed here. The spread of the clusters is not given; 1 is taken."
    )
    network = classifier(Generator(0))
    with use():
        figure = Figure(figsize=plot.network_size(network))
        plot.network(network, figure.add_axes((0, 0, 1, 1)), loss=MSELoss())
    chapter.figure(
        "figure-5",
        figure,
        "The 2–4–1 network and its 17 parameters.",
        item="Figure 5",
        alt="A column of boxes: 2 numbers in, Linear to 4, Tanh, Linear to 1, Sigmoid, then MSELoss. Arrows forward "
        "carry values, arrows backward gradients.",
    )


def _train(chapter: Chapter, network: Module, data: Data, epochs: int, generator: Generator, label: str = "") -> Model:
    with chapter.training(f"{label}{epochs} epochs"):
        history = finished(
            fit(network, MSELoss(), data.x, data.y, rule=RATE, batch_size=1, epochs=epochs, generator=generator)
        )
    train_errors = 1 - accuracy(predict(network, data.x), data.y)
    test_errors = 1 - accuracy(predict(network, data.x_test), data.y_test)
    return Model(network, history, train_errors, test_errors)


def _draw(chapter: Chapter, model: Model, data: Data, name: str, item: str, epochs: int) -> None:
    with use():
        figure = Figure(figsize=(9.6, 7.6), layout="constrained")
        (regions, loss), (train, test) = figure.subplots(2, 2)
        x, y = np.concatenate([data.x, data.x_test]), np.concatenate([data.y, data.y_test])
        plot.decision_regions(model.network, x, y, regions, labels=CLASSES)
        regions.set_title("decision and points")
        plot.history(model.history, loss)
        loss.set_title("mean squared error")
        parts = (
            (train, "train", data.x, data.y, model.train_errors),
            (test, "test", data.x_test, data.y_test, model.test_errors),
        )
        for ax, part, inputs, target, errors in parts:
            plot.confusion_matrix(predict(model.network, inputs), target, ax, labels=CLASSES)
            ax.set_title(f"{part}: {len(target)} points, {100 * errors:.1f} % wrong")
    chapter.figure(
        name,
        figure,
        f"After {epochs} epochs: what the network decides over the plane, with all points in the colour and shape of "
        "their class and its mistakes ringed; loss per epoch; confusion matrices.",
        item=item,
        alt=f"Four panels after {epochs} epochs. A plane cut in two by a boundary between {len(y)} points of two "
        f"classes; a loss curve from {model.history['loss'][0]:.3f} to {model.history['loss'][-1]:.3f}; two confusion "
        f"matrices with {round(len(data.y) * model.train_errors)} of {len(data.y)} training points and "
        f"{round(len(data.y_test) * model.test_errors)} of {len(data.y_test)} test points beside the diagonal.",
    )


def _fall(history: History, last: int = 5) -> float:
    """The share of the loss that an epoch removes, over the last ones."""
    losses = history["loss"]
    return (losses[-1 - last] - losses[-1]) / losses[-1 - last] / last


def _claim_short(chapter: Chapter, short: Model, long: Model) -> None:
    falls = [_fall(short.history), _fall(long.history)]
    faster, pace = falls[0] > 5 * abs(falls[1]), falls[0] * WINDOW
    chapter.claim(
        "figure-6-still-falling",
        "Figure 6",
        "at the last of 20 epochs the loss is still falling",
        [100 * fall for fall in falls],
        verdict_of(faster and pace > FALL),
        "Share of the loss that an epoch removes, over the last five, after 20 and after 200 epochs: the first is "
        f"{'more' if faster else 'not more'} than five times the second. At its pace {WINDOW} epochs would take "
        f"{'more' if pace > FALL else 'less'} than {FALL:.0%} off.",
        unit="% per epoch",
    )
    errors = (160 * short.train_errors + 40 * short.test_errors) / 200
    many = errors > MANY
    chapter.claim(
        "figure-6-many-errors",
        "Figure 6",
        "a rather large proportion is misclassified",
        round(100 * errors, 2),
        verdict_of(many),
        f"Mistakes among all 200 points after 20 epochs; more than {100 * MANY:.0f} % counts as a large proportion. It "
        "depends on the initial weights and on the spread of the clusters, which the report does not give.",
        unit="%",
    )


def _claim_long(chapter: Chapter, short: Model, long: Model) -> None:
    worst = max(long.train_errors, long.test_errors)
    chapter.claim(
        "figure-7-diagonal",
        "Figure 7",
        "both confusion matrices are strongly diagonal",
        [round(100 * (1 - errors), 3) for errors in (long.train_errors, long.test_errors)],
        verdict_of(worst < FEW),
        f"Share on the diagonal, train and test, after 200 epochs; {100 * (1 - FEW):.0f} % and more counts as strong.",
        unit="%",
    )
    mistakes = round(160 * long.train_errors + 40 * long.test_errors)
    some = 0 < mistakes < FEW * 200
    chapter.claim(
        "figure-7-few-errors-remain",
        "Figure 7",
        "a few false positives and false negatives remain",
        mistakes,
        verdict_of(some),
        f"Mistakes among the 200 points after 200 epochs; the best possible rule makes "
        f"{100 * _least_error():.1f} % on average, for the clusters overlap.",
        unit="points",
    )
    shares = [round((160 * model.train_errors + 40 * model.test_errors) / 2, 2) for model in (short, long)]
    better = shares[1] < shares[0]
    chapter.claim(
        "figure-7-better-than-6",
        "Section 2.2",
        "200 epochs classify much better than 20",
        shares,
        verdict_of(shares[1] <= shares[0] / 2),
        f"Mistakes among all points after 20 and after 200 epochs: {'fewer' if better else 'not fewer'} with more "
        "epochs; half as many counts as much better.",
        unit="%",
    )


def _least_error() -> float:
    """The error of the best rule for two normal laws of equal spread: half their distance is in the tail."""
    distance = float(np.linalg.norm(np.subtract(*CENTRES)))
    return float(norm.cdf(-distance / (2 * STD)))


def separable(x: Array, y: Array) -> bool:
    """Whether a straight line separates the two classes: whether some (w, b) has ±(w·x + b) ≥ 1 at all points."""
    signs = np.where(y.reshape(-1, 1) > 0.5, 1.0, -1.0)
    rows = -signs * np.column_stack([x, np.ones(len(x))])
    free = [(None, None)] * rows.shape[1]
    return bool(linprog(np.zeros(rows.shape[1]), A_ub=rows, b_ub=-np.ones(len(x)), bounds=free).status == 0)


def _claim_separable(chapter: Chapter, data: Data, long: Model, line: Model) -> None:
    separated = separable(np.concatenate([data.x, data.x_test]), np.concatenate([data.y, data.y_test]))
    counts = [round(160 * model.train_errors + 40 * model.test_errors) for model in (long, line)]
    need = counts[1] > 2 * counts[0]
    chapter.claim(
        "not-linearly-separable",
        "Section 2",
        "the two classes are not linearly separable",
        "a line separates them" if separated else "no line separates them",
        verdict_of(not separated),
        "Decided by a linear programme over all 200 points. A single `Linear(2, 1)` and a `Sigmoid()` make "
        f"{counts[1]} mistakes after {len(line.history)} epochs, the 2–4–1 network {counts[0]} after {LONG}: "
        f"{'the hidden layer is needed' if need else 'the best frontier of these clusters is itself a straight line'}.",
    )
