"""Chapter 4 of the report: ten classes, MNIST, and what its text leaves open about the loss."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib.figure import Figure

from maillon.nn import CrossEntropyLoss, Sequential
from maillon.plot.classification import confusion_matrix
from maillon.plot.network import network as draw_network
from maillon.plot.style import use
from maillon.report import mnist_figures as figures, mnist_variants as variants
from maillon.report.chapter import Chapter, Settings
from maillon.report.images import ImageSplit, counts_table, digits, samples
from maillon.report.measures import entropy
from maillon.report.mnist_trainings import (
    BATCH_SIZE,
    CLASSES,
    LEAST_ACCURACY,
    RATE,
    Classroom,
    classifier,
    probabilities,
    report_epochs,
)
from maillon.report.verdicts import because, judged
from maillon.typing import Array

REPORT_COUNTS = (1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978)
REPORT_PROPORTIONS = (10.01, 11.27, 9.91, 10.32, 9.8, 9.63, 10.14, 10.70, 9.44, 9.78)
SHOWN = 5
OPEN_NINE = (0.50, 0.24)  # the report's p(9) and p(4)
WORTH_WHILE = 0.005  # half a point of accuracy, twice its standard error on 10,000 images
STANDSTILL = 0.01  # a loss has converged when 50 epochs make less of its whole fall


@dataclass
class Beliefs:
    """What the network believes of the test images, before, after the report's epochs, and after twice as many."""

    before: Array
    after: Array
    doubled: Array


def run(settings: Settings) -> Chapter:
    """Trains the report's classifier, and the readings of its text that compete."""
    with use():
        chapter = Chapter("mnist", "Ten classes: MNIST", settings)
        split = digits(settings.seed)
        chapter.source = split.source
        if split.shortfall:
            chapter.stand_in(split.shortfall)
        _data(chapter, split)
        _network(chapter)
        room = Classroom(chapter, split)
        beliefs = _main_training(room)
        _predictions(room, beliefs)
        _confusion(chapter, split, beliefs.after.argmax(axis=1))
        _entropy(room, beliefs)
        _convergence(room, beliefs)
        variants.literally(room)
        variants.averaged(room)
        variants.normal(room)
        variants.overview(room)
    return chapter


def _data(chapter: Chapter, split: ImageSplit) -> None:
    chapter.text(
        f"{len(split.y_train):,} images to learn from, {len(split.y_test):,} to test on, 28 × 28 pixels from 0 to 1, "
        "flattened to 784 numbers. The report trains on the first 10,000 images of MNIST's training file; "
        "it tests, here, on all 10,000 images of the test file."
    )
    counts = np.bincount(split.y_train, minlength=CLASSES)
    counts_table(chapter, "Table 2", counts, REPORT_COUNTS, REPORT_PROPORTIONS, split.class_names)
    same = int((counts == REPORT_COUNTS).sum())
    chapter.claim(
        "mnist-table2-counts",
        "Table 2",
        REPORT_COUNTS,
        counts,
        "holds" if same == CLASSES else "differs",
        f"{same} of the {CLASSES} counts are the report's; they are those of the first {len(split.y_train):,} images.",
        "images",
    )
    share = 100 * counts[5] / counts.sum()
    fits = abs(share - REPORT_PROPORTIONS[5]) < 0.005
    chapter.claim(
        "mnist-table2-class5",
        "Table 2, class 5",
        REPORT_PROPORTIONS[5],
        round(float(share), 2),
        "holds" if fits else "cannot hold",
        f"The table's own count, 863 of 10,000, is {863 / 100:.2f} %, not 9.63 %: a digit is misprinted. "
        f"Counted here: {counts[5]} of {counts.sum():,}.",
        "%",
    )
    chapter.figure(
        "figure-10",
        samples(split),
        "Digits of the training part, two of each class.",
        "Figure 10",
    )


def _network(chapter: Chapter) -> None:
    network = classifier(chapter.settings.generator())
    size = sum(parameter.data.size for parameter in network.parameters())
    ax = draw_network(network, loss=CrossEntropyLoss(reduction="sum"))
    chapter.figure(
        "figure-11",
        cast(Figure, ax.figure),
        f"The classifier, {size:,} parameters. Its softmax is part of the loss; further down it also runs as a link.",
        "Figure 11",
    )
    chapter.text(
        f"Trained in mini-batches of {BATCH_SIZE} at rate {RATE:g}. The text does not say whether the cross-entropy "
        "of a mini-batch is summed or averaged: at this rate only the **sum** learns (see below). Weights and "
        "biases start as PyTorch's do, uniform within ±1/√fan_in."
    )


def _main_training(room: Classroom) -> Beliefs:
    settings = room.chapter.settings
    epochs = report_epochs(settings)
    seen: dict[int, Array] = {}

    def remember(epoch: int, network: Sequential) -> None:
        seen[epoch] = probabilities(network, room.split.x_test)

    room.train(
        "summed",
        "summed, uniform weights",
        (epochs, 2 * epochs),
        loss=CrossEntropyLoss(reduction="sum"),
        after=remember,
    )
    course = room.courses["summed"]
    reached = course.accuracies[epochs]
    room.chapter.claim(
        "mnist-accuracy",
        "4.3, the network has learnt",
        "has learnt the optimal weights",
        round(100 * reached, 2),
        judged(settings, reached >= LEAST_ACCURACY),
        because(
            settings,
            f"{reached:.2%} of the {len(room.split.y_test):,} test images after {epochs} epochs, "
            f"{course.accuracies[0]:.2%} before; {LEAST_ACCURACY:.0%} was asked for.",
        ),
        "% of the test images",
    )
    return Beliefs(seen[0], seen[epochs], seen[2 * epochs])


def open_nine(beliefs: Array, labels: Array) -> int:
    """The test image nearest to the report's open 9: a 9, taken for a 9 at 0.50, with 4 second at 0.24.

    Where no 9 has 4 for its second class, the nearest of all images of class 9 is taken.
    """
    nines = np.flatnonzero(labels == 9)
    first, second = np.argsort(-beliefs[nines], axis=1)[:, :2].T
    alike = nines[(first == 9) & (second == 4)]
    among = alike if len(alike) else nines
    distance = np.abs(beliefs[among][:, [9, 4]] - OPEN_NINE).sum(axis=1)
    return int(among[distance.argmin()])


def _predictions(room: Classroom, beliefs: Beliefs) -> None:
    chapter, split = room.chapter, room.split
    settings, epochs = chapter.settings, report_epochs(chapter.settings)
    nine = open_nine(beliefs.after, split.y_test)
    shown = [*range(SHOWN - 1), nine]
    labels = split.y_test[shown]
    chapter.heading("Five test digits, before and after")
    chapter.figure(
        "figure-12",
        figures.predictions(split.x_test[shown], labels, beliefs.before[shown], beliefs.after[shown], epochs),
        "The predicted probabilities; hatching and star mark the true class. Four digits are the first of the test "
        f"part; the last, number {nine}, is the 9 whose probabilities come nearest to those of the report's open 9.",
        "Figure 12",
    )
    right = int((beliefs.after[shown].argmax(axis=1) == labels).sum())
    first = int((beliefs.after[:SHOWN].argmax(axis=1) == split.y_test[:SHOWN]).sum())
    chapter.claim(
        "mnist-fig12-five-right",
        "Figure 12",
        f"{SHOWN} of {SHOWN} right after training",
        f"{right} of {SHOWN}",
        judged(settings, right == SHOWN),
        because(
            settings,
            f"{right} of the five shown are right. The 9 was sought out, so count the first five test images too: "
            f"{first} of {SHOWN}.",
        ),
    )
    nines = split.y_test == 9
    p9, p4 = (float(beliefs.after[nine, label]) for label in (9, 4))
    near = abs(p9 - OPEN_NINE[0]) + abs(p4 - OPEN_NINE[1]) < 0.1
    doubtful = int((nines & (beliefs.after[:, 9] > 0.4) & (beliefs.after[:, 9] < 0.6)).sum())
    chapter.claim(
        "mnist-fig12-open-nine",
        "Figure 12, the open 9",
        list(OPEN_NINE),
        [round(p9, 2), round(p4, 2)],
        judged(settings, near),
        because(
            settings,
            f"Test image {nine} gets {p9:.2f} for 9 and {p4:.2f} for 4. The report's image is not named, so the "
            f"nearest was sought; {doubtful} of the {int(nines.sum())} nines lie between 0.4 and 0.6.",
        ),
        "p(9), p(4)",
    )


def _confusion(chapter: Chapter, split: ImageSplit, decided: Array) -> None:
    epochs = report_epochs(chapter.settings)
    matrix = confusion_matrix(decided, split.y_test)
    chapter.figure(
        "confusion",
        cast(Figure, matrix.figure),
        f"Confusion matrix on the {len(split.y_test):,} test images after {epochs} epochs.",
    )


def _entropy(room: Classroom, beliefs: Beliefs) -> None:
    chapter, settings = room.chapter, room.chapter.settings
    epochs = report_epochs(settings)
    before, after = entropy(beliefs.before), entropy(beliefs.after)
    start = room.courses["summed"].accuracies[0]
    chapter.heading("The outputs' entropy")
    chapter.figure(
        "entropy",
        figures.entropies(before, after, epochs),
        "How uncertain the network is of each test image. A certain answer has entropy 0.",
    )
    lower = float((after < before).mean())
    chapter.claim(
        "mnist-entropy",
        "4.3, entropy",
        "falls much with training",
        [round(float(before.mean()), 3), round(float(after.mean()), 3)],
        judged(settings, after.mean() < before.mean() / 2),
        because(
            settings,
            f"The mean over the test images goes from {before.mean():.2f} to {after.mean():.2f} nats; "
            f"it is lower for {lower:.1%} of them. Half was the threshold for 'much'.",
        ),
        "nats, before and after",
    )
    most = float(before.mean() / np.log(CLASSES))
    random = abs(start - 1 / CLASSES) < 0.1 and most > 0.9
    chapter.claim(
        "mnist-before-random",
        "4.3, before training",
        "totally random",
        round(100 * start, 2),
        "holds" if random else "differs",
        f"Before training {start:.1%} of the test images are right, with chance at 10 %, and the entropy is {most:.0%} "
        f"of the greatest possible: {'the network knows nothing' if random else 'more than chance explains'}.",
        "% of the test images",
    )


def _convergence(room: Classroom, beliefs: Beliefs) -> None:
    chapter, settings, course = room.chapter, room.chapter.settings, room.courses["summed"]
    epochs = report_epochs(settings)
    losses = np.array(course.losses)
    window = min(50, epochs // 2)
    fall = losses[epochs - 1 - window] - losses[epochs - 1]
    part, relative = fall / (losses[0] - losses[epochs - 1]), fall / losses[epochs - 1 - window]
    chapter.claim(
        "mnist-fig13-converged",
        "Figure 13",
        "converged by 500 epochs",
        round(100 * float(part), 2),
        judged(settings, part < STANDSTILL),
        because(
            settings,
            f"The last {window} of {epochs} epochs make {part:.1%} of the whole fall of the loss, "
            f"{'less' if part < STANDSTILL else 'more'} than the {STANDSTILL:.0%} that an eye could see. They still "
            f"lower it by {relative:.1%}: it reaches {losses[epochs - 1]:.3f} and, {epochs} epochs later, "
            f"{losses[-1]:.3f}.",
        ),
        f"% of the fall, in the last {window} epochs",
    )
    gain = course.accuracies[2 * epochs] - course.accuracies[epochs]
    pays = gain > WORTH_WHILE
    test = [_test_loss(belief, room.split.y_test) for belief in (beliefs.after, beliefs.doubled)]
    chapter.claim(
        "mnist-more-epochs",
        "4.3, more epochs",
        "more than 500 would not pay",
        round(100 * gain, 2),
        judged(settings, not pays),
        because(
            settings,
            f"From {epochs} to {2 * epochs} epochs the test accuracy goes from {course.accuracies[epochs]:.2%} to "
            f"{course.accuracies[2 * epochs]:.2%} and the test loss from {test[0]:.3f} to {test[1]:.3f}: they "
            f"{'do pay' if pays else 'hardly pay'}, with {WORTH_WHILE:.1%} as the threshold.",
        ),
        "points of test accuracy",
    )


def _test_loss(beliefs: Array, labels: Array) -> float:
    loss = CrossEntropyLoss(from_logits=False)
    return float(loss(beliefs, labels.astype(np.int64)))
