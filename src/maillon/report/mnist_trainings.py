"""The trainings of the chapter on MNIST: one network, one seed, and one after the other what the text leaves open."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from maillon.data import one_hot
from maillon.nn import CrossEntropyLoss, Linear, Loss, Module, Sequential, Sigmoid, Softmax
from maillon.optim import Optim
from maillon.random import Generator
from maillon.report.chapter import Chapter, Settings, finished
from maillon.report.images import ImageSplit
from maillon.train import fit, predict
from maillon.typing import Array

CLASSES = 10
HIDDEN = 100
BATCH_SIZE = 100
RATE = 1e-4
MOST_FIVES = 0.5  # 5 of 5 images right is what to expect of a network that has more than half of all fives right


def report_epochs(settings: Settings) -> int:
    """The epochs of the report's training: 500, or few in a quick run."""
    return settings.epochs(500, 20)


def classifier(generator: Generator) -> Sequential:
    """The report's network without its softmax, which the loss contains."""
    return Sequential(Linear(784, HIDDEN, generator=generator), Sigmoid(), Linear(HIDDEN, CLASSES, generator=generator))


def normal_weights(network: Sequential, generator: Generator) -> Sequential:
    """Every weight drawn anew from N(0, 1), as `randn` gives them; the biases stay."""
    for parameter in network.parameters():
        if parameter.data.ndim == 2:
            parameter.data[...] = generator.randn(parameter.data.shape)
    return network


def probabilities(network: Module, x: Array) -> Array:
    """The probabilities of each image's classes: the softmax of its outputs, shape `(n, 10)`."""
    answer: Array = predict(Sequential(network, Softmax(dim=1)), x)
    return answer


def accuracy(network: Module, x: Array, y: Array) -> float:
    """Share of the images whose greatest output is that of their class."""
    return float((predict(network, x).argmax(axis=1) == y).mean())


@dataclass
class Course:
    """One training: the loss of each epoch, per image, and the test accuracy after some of them."""

    label: str
    losses: list[float] = field(default_factory=list)
    accuracies: dict[int, float] = field(default_factory=dict)

    @property
    def final(self) -> float:
        return self.accuracies[max(self.accuracies)]

    @property
    def learnt(self) -> bool:
        """Whether five test images in a row are more often right than not, at the accuracy of the end."""
        return self.final**5 > MOST_FIVES


class Trainer:
    """Trains classifiers on one split, each from the run's seed, and keeps their losses and accuracies."""

    def __init__(self, chapter: Chapter, split: ImageSplit) -> None:
        self.chapter = chapter
        self.split = split
        self.courses: dict[str, Course] = {}

    def train(
        self,
        name: str,
        label: str,
        epochs: tuple[int, ...],
        *,
        loss: Loss,
        literal: bool = False,
        normal: bool = False,
        after: Callable[[int, Sequential], None] = lambda epoch, network: None,
    ) -> Sequential:
        """Trains a fresh network to each of the epochs in turn; `after` sees it then, and before the first.

        literal: a Softmax link ends the network, and the targets are one-hot. normal: weights from N(0, 1).
        """
        generator = self.chapter.settings.generator()
        network = classifier(generator)
        if normal:
            normal_weights(network, generator)
        chain = Sequential(*network, Softmax(dim=1)) if literal else network
        split, targets = self.split, self.split.y_train
        if literal:
            targets = one_hot(targets, CLASSES)
        optim = Optim(chain, loss, RATE)
        course = self.courses.setdefault(name, Course(label))
        per_image = len(targets) if loss.reduction == "sum" else 1
        for until in (0, *epochs):
            done = len(course.losses)
            if until > done:
                # products this small gain nothing from a second thread, and lose much where processors are busy
                with self.chapter.training(f"{label}, epochs {done + 1} to {until}"), threadpool_limits(1, "blas"):
                    history = finished(
                        fit(
                            optim,
                            split.x_train,
                            targets,
                            batch_size=BATCH_SIZE,
                            epochs=until - done,
                            generator=generator,
                        )
                    )
                course.losses += [value / per_image for value in history["loss"]]
            course.accuracies[until] = accuracy(chain, split.x_test, split.y_test)
            after(until, network)
        return network


def combined_gradient(network: Module, x: Array, y: Array) -> tuple[float, Array, Array]:
    """The gradient at the logits, walked back through the loss and then the Softmax link, beside p − y.

    Both in float64, where rounding hides nothing. Returns their largest difference and the two rows of the first
    image.
    """
    logits = predict(network, x).astype(np.float64)
    truth = one_hot(y, CLASSES).astype(np.float64)
    softmax, loss = Softmax(dim=1), CrossEntropyLoss(from_logits=False, reduction="sum")
    p = softmax(logits)
    loss(p, truth)
    walked = softmax.backward(loss.backward())
    return float(np.abs(walked - (p - truth)).max()), walked[0], (p - truth)[0]
