"""Images small in number, made on the spot: ten classes told apart by one bright block each."""

import numpy as np

from maillon.random import Generator
from maillon.report.chapter import Settings
from maillon.report.images import ImageSplit

NAMES = tuple(f"article {label}" for label in range(10))


def blocks(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` images of each class in turn, 784 pixels each, and their labels."""
    labels = np.tile(np.arange(10), count)
    images = 0.3 * Generator(seed).rand((len(labels), 28, 28))
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 4)
        image[9 * row : 9 * row + 8, 7 * column : 7 * column + 6] += 0.6
    return images.reshape(len(labels), -1), labels.astype(np.int64)


def small_split(shortfall: str = "") -> ImageSplit:
    return ImageSplit(*blocks(12, 1), *blocks(8, 2), NAMES, "made on the spot", shortfall)


class ShortSettings(Settings):
    """A run that counts as a full one and takes a hundredth of the epochs."""

    def epochs(self, full: int, quick: int) -> int:
        return full // 100
