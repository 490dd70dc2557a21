"""The report's autoencoder, its one long training, and what is kept of it on the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from maillon.nn import Linear, Module, MSELoss, Sequential, Sigmoid, Tanh
from maillon.optim import Optim
from maillon.random import Generator
from maillon.report.chapter import Chapter, finished
from maillon.report.images import ImageSplit
from maillon.train import fit, predict
from maillon.typing import Array

WIDTHS = (784, 256, 64, 2, 64, 256, 784)
ENCODER = 5  # links up to the two numbers: three Linear, two Tanh between
BATCH_SIZE = 2048
RATE = 0.5

GROUPS = {"tops": (0, 2, 3, 4, 6), "trousers": (1,), "shoes": (5, 7, 9), "bags": (8,)}


def autoencoder(generator: Generator, widths: Sequence[int] = WIDTHS) -> Sequential:
    """Linear links with Tanh between them and Sigmoid at the end, so that pixels stay between 0 and 1."""
    links: list[Module] = []
    for inputs, outputs in pairwise(widths):
        links += [Linear(inputs, outputs, generator=generator), Tanh()]
    return Sequential(*links[:-1], Sigmoid())


@dataclass
class Stage:
    """What the autoencoder makes of the test part after some epochs: reconstructions, and codes in the plane."""

    epochs: int
    reconstructions: Array
    codes: Array


@dataclass
class Trained:
    """The network, the loss of each epoch, and its stages: untrained, after the report's epochs, at the end."""

    network: Sequential
    losses: Array
    before: Stage
    after: Stage
    longer: Stage


def train(chapter: Chapter, split: ImageSplit) -> tuple[Trained, Sequential]:
    """One training, first to the report's epochs and then on to the 3000 that it suggests.

    The draws are those of `manual_seed`, the network, then one `randperm` an epoch, as in PyTorch. Returns what
    was kept, and the network as it was after the report's epochs, which the figures are about.
    """
    settings = chapter.settings
    generator = settings.generator()
    network = autoencoder(generator)
    optim = Optim(network, MSELoss(), RATE)
    losses: list[float] = []
    stages = [stage(network, split, 0)]
    reported = autoencoder(settings.generator())
    for until in (settings.epochs(2000, 20), settings.epochs(3000, 30)):
        done = len(losses)
        with chapter.training(f"autoencoder, epochs {done + 1} to {until}"):
            history = finished(
                fit(
                    optim,
                    split.x_train,
                    split.x_train,
                    batch_size=BATCH_SIZE,
                    epochs=until - done,
                    generator=generator,
                )
            )
        losses += history["loss"]
        if not done:
            reported.load_state_dict(network.state_dict())
        stages.append(stage(network, split, until))
    return Trained(network, np.array(losses), *stages), reported


def stage(network: Sequential, split: ImageSplit, epochs: int) -> Stage:
    return Stage(epochs, predict(network, split.x_test), encode(network, split.x_test))


def encode(network: Sequential, x: Array) -> Array:
    """The two numbers of each image: the encoder's last Linear, before the Tanh that leads to the decoder."""
    codes: Array = predict(network[:ENCODER], x)
    return codes


def group_labels(labels: Array) -> Array:
    """The place in `GROUPS` of each label's group."""
    place = {label: index for index, members in enumerate(GROUPS.values()) for label in members}
    return np.array([place[int(label)] for label in labels])


def one_of_each(labels: Array) -> list[int]:
    """The place of the first image of each class."""
    return [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]
