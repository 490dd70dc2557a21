"""What reconstructions show, judged by their error and by a classifier that was trained on the originals."""

from dataclasses import dataclass

import numpy as np

from maillon.nn import CrossEntropyLoss, Linear, Module, ReLU, Sequential
from maillon.optim import Adam
from maillon.report.chapter import Chapter, finished
from maillon.report.images import ImageSplit
from maillon.train import fit, predict
from maillon.typing import Array

EPOCHS = 20
CLEARLY_BETTER = 0.75  # of the mean image's squared error, at most
RECOGNISED = 0.75  # of the classifier's score on originals, at least
LOST = 0.5  # of the same score, at most


@dataclass(frozen=True)
class Seen:
    """How some reconstructions look: their error beside the mean image's, and the classifier's scores.

    The score is the share of the images that are named right; for one class it is the F1 score, which also counts
    the images of other classes that are taken for it.
    """

    error: float
    mean_image: float
    originals: float
    reconstructions: float

    @property
    def ratio(self) -> float:
        """The error as a share of what the mean image costs."""
        return self.error / self.mean_image

    @property
    def kept(self) -> float:
        """The score on the reconstructions, as a share of that on the originals."""
        return self.reconstructions / self.originals if self.originals else 0.0

    @property
    def well(self) -> bool:
        """Clearly better than the mean image, and recognised nearly as well as the originals."""
        return self.ratio <= CLEARLY_BETTER and self.kept >= RECOGNISED

    @property
    def lost(self) -> bool:
        """No better than the mean image, or recognised half as well as the originals at most."""
        return self.ratio >= 1 or self.kept <= LOST

    def __str__(self) -> str:
        return (
            f"The squared error is {self.ratio:.2f} of the mean image's; a classifier trained on originals scores "
            f"{self.reconstructions:.1%} on the reconstructions and {self.originals:.1%} on the originals"
        )


class Judge:
    """Looks at reconstructions of one split's test images."""

    def __init__(self, split: ImageSplit, classifier: Module) -> None:
        self.split = split
        self.classifier = classifier
        self.mean_image = split.x_train.mean(axis=0)
        self.originals_named = self.names(split.x_test)

    def names(self, images: Array) -> Array:
        """The class that the classifier sees in each image."""
        named: Array = predict(self.classifier, images).argmax(axis=1)
        return named

    def look(self, reconstructions: Array, label: int | None = None) -> Seen:
        """How the reconstructions of all test images look, or those of one class."""
        labels = self.split.y_test
        chosen = np.ones(len(labels), dtype=bool) if label is None else labels == label
        originals = self.split.x_test[chosen]

        def score(named: Array) -> float:
            if label is None:
                return float((named == labels).mean())
            right = (chosen & (named == label)).sum()
            return float(2 * right / (chosen.sum() + (named == label).sum()))

        return Seen(
            float(np.square(reconstructions[chosen] - originals).mean()),
            float(np.square(self.mean_image - originals).mean()),
            score(self.originals_named),
            score(self.names(reconstructions)),
        )


def classifier_of_originals(chapter: Chapter, split: ImageSplit) -> Sequential:
    """A small network that learns the classes from the training images themselves."""
    generator = chapter.settings.generator()
    pixels, classes = split.x_train.shape[1], len(split.class_names)
    network = Sequential(Linear(pixels, 100, generator=generator), ReLU(), Linear(100, classes, generator=generator))
    with chapter.training(f"classifier of originals, {EPOCHS} epochs"):
        finished(
            fit(
                network,
                CrossEntropyLoss(),
                split.x_train,
                split.y_train,
                rule=Adam(lr=1e-3),
                batch_size=100,
                epochs=EPOCHS,
                generator=generator,
            )
        )
    return network
