"""Data sets, made-up data, and what prepares both for learning."""

from maillon.data.batches import Batches, batches
from maillon.data.errors import DataError, DataFileError, DataNotFoundError
from maillon.data.fetch import fetch
from maillon.data.idx import read_idx
from maillon.data.mnist import ImageData, fashion_mnist, mnist
from maillon.data.sources import Status, status
from maillon.data.synthetic import linear_data, two_clusters
from maillon.data.transforms import Stats, add_noise, normalize, one_hot, train_test_split

__all__ = [
    "Batches",
    "DataError",
    "DataFileError",
    "DataNotFoundError",
    "ImageData",
    "Stats",
    "Status",
    "add_noise",
    "batches",
    "fashion_mnist",
    "fetch",
    "linear_data",
    "mnist",
    "normalize",
    "one_hot",
    "read_idx",
    "status",
    "train_test_split",
    "two_clusters",
]
