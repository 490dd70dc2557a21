"""What estimators are given, as arrays: samples, weights, random numbers, threads."""

import math
import pickle
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight

from maillon.engine.processor import using_num_threads
from maillon.random import Generator
from maillon.typing import Array

DENSE_BYTES = 2**29
"""How large a sparse matrix may become when it is made dense as a whole: half a GiB."""
_ROWS = 1024  # of a sparse matrix, made dense at a time


def is_sparse(x: Any) -> bool:
    """Whether it is a sparse matrix or array of SciPy's."""
    return bool(sparse.issparse(x))


def dense(x: Any) -> Array:
    """Rows in C order; a sparse matrix with its zeros."""
    return np.ascontiguousarray(x.toarray() if is_sparse(x) else x)


def too_large(x: Any) -> bool:
    """Whether a sparse matrix is made dense mini-batch by mini-batch only."""
    return bool(is_sparse(x) and x.shape[0] * x.shape[1] * x.dtype.itemsize > DENSE_BYTES)


def parts(x: Any) -> Iterator[Array]:
    """The rows of x, those of a sparse matrix some at a time; one part at least."""
    if not is_sparse(x):
        yield x
        return
    for start in range(0, max(x.shape[0], 1), _ROWS):
        yield dense(x[start : start + _ROWS])


def weights_of(sample_weight: Any, class_weight: Any, x: Any, y: Array) -> Array | None:
    """The factor on each sample's loss, float64; None where all are 1.

    Raises
    ------
    ValueError
        For weights that are negative or all zero, and for classes that do not occur.
    """
    weights = None
    if sample_weight is not None:
        weights = _check_sample_weight(sample_weight, x, dtype=np.float64)
        if (weights < 0).any():
            i = int(np.argmax(weights < 0))
            raise ValueError(f"sample_weight: expected numbers ≥ 0, got {weights[i]} for sample {i}.")
    if class_weight is not None:
        by_class = compute_sample_weight(class_weight, y)
        weights = by_class if weights is None else weights * by_class
    if weights is not None and not weights.any():
        raise ValueError("sample_weight: expected at least one number > 0, got only zeros: nothing is to be learnt.")
    return weights


def generator_of(random_state: np.random.RandomState) -> Generator:
    """A generator whose seed comes of where scikit-learn's random state stands, which is left as it is."""
    return Generator(zlib.crc32(pickle.dumps(random_state.get_state(legacy=False))))


class Orders:
    """The order of the rows of each epoch: scikit-learn's, drawn from its random state.

    Parameters
    ----------
    random_state : numpy.random.RandomState
        What is drawn from: one permutation an epoch, of the order before.
    """

    def __init__(self, random_state: np.random.RandomState) -> None:
        self.random_state = random_state
        self.order: Array | None = None

    def __call__(self, rows: int) -> Array:
        """The order of the next epoch."""
        permutation = np.arange(rows)
        self.random_state.shuffle(permutation)
        self.order = permutation if self.order is None else self.order[permutation]
        return self.order


@contextmanager
def threads(n_jobs: int | None) -> Iterator[None]:
    """Let the core use so many threads meanwhile; None leaves it as it is, -1 allows all processors."""
    if n_jobs is None:
        yield
        return
    with using_num_threads(None if n_jobs == -1 else int(n_jobs)):
        yield


class DenseBatches:
    """The mini-batches of a sparse matrix that is too large to be made dense as a whole: each by itself.

    Parameters
    ----------
    x : sparse matrix
        The samples.
    y : array
        The targets.
    weight : array or None
        A factor for each sample.
    size : int
        Samples of a mini-batch.
    order : callable or False
        The order of the rows of an epoch, from their number; False as they come.
    drop_last : bool
        Whether to leave out a short last mini-batch.
    """

    def __init__(self, x: Any, y: Array, weight: Array | None, size: int, order: Any, drop_last: bool) -> None:
        self.x, self.y, self.weight, self.size, self.order = x, y, weight, size, order
        self.rows = x.shape[0] - (x.shape[0] % size if drop_last else 0)

    def __len__(self) -> int:
        return math.ceil(self.rows / self.size)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        order = self.order(self.x.shape[0]) if self.order else np.arange(self.x.shape[0])
        for start in range(0, self.rows, self.size):
            rows = order[start : min(start + self.size, self.rows)]
            weight = () if self.weight is None else (self.weight[rows],)
            yield (dense(self.x[rows]), self.y[rows], *weight)
