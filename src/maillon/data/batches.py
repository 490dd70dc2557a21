"""Iteration in mini-batches."""

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from maillon.nesting import leaves, mapped
from maillon.random import Generator, resolve


class Batches:
    """Mini-batches of data, as often as you iterate over them: what `batches` returns.

    Parameters
    ----------
    data : tuple
        What is cut, all of one length.
    batch_size : int
        Rows of a batch, ≥ 1.
    shuffle : bool
        Whether to draw a new order at each iteration.
    generator : Generator or None
        Where the order comes from.
    drop_last : bool
        Whether to leave out a last batch that is not full.
    """

    def __init__(
        self, data: tuple[Any, ...], batch_size: int, shuffle: bool, generator: Generator | None, drop_last: bool
    ) -> None:
        self.data = tuple(mapped(np.asarray, part) for part in data)
        self.samples = _common_length(self.data)
        self.batch_size = _checked_batch_size(batch_size)
        self.shuffle, self.generator, self.drop_last = shuffle, generator, drop_last

    def __len__(self) -> int:
        whole, rest = divmod(self.samples, self.batch_size)
        return whole if self.drop_last or rest == 0 else whole + 1

    def __iter__(self) -> Iterator[Any]:
        order = resolve(self.generator).randperm(self.samples) if self.shuffle else None
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            rows = slice(start, start + self.batch_size)
            chosen = rows if order is None else order[rows]
            batch = tuple(mapped(operator.itemgetter(chosen), part) for part in self.data)
            yield batch if len(batch) > 1 else batch[0]

    def __repr__(self) -> str:
        return (
            f"Batches({self.samples} samples, batch_size={self.batch_size}, shuffle={self.shuffle},"
            f" drop_last={self.drop_last})"
        )


def batches(
    *data: Any,
    batch_size: int,
    shuffle: bool = False,
    generator: Generator | None = None,
    drop_last: bool = False,
) -> Batches:
    """Cut data into mini-batches: ``for x, y in batches(x, y, batch_size=32)``, as often as you like.

    Parameters
    ----------
    *data : array, or nested tuple or dict of arrays
        What is cut, all of one length n along the first axis.
    batch_size : int
        Rows of a batch, ≥ 1.
    shuffle : bool
        Whether to draw a new order at each iteration, by one `generator.randperm(n)`.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.
    drop_last : bool
        Whether to leave out a last batch that is not full.

    Returns
    -------
    Batches
        Yields tuples like `data`, or the batch itself where there is one item; views where nothing is shuffled.
        `len()` is the number of batches.

    Raises
    ------
    ValueError
        For data that are empty or of unequal lengths, and for a batch size below 1.

    Examples
    --------
    >>> [batch.tolist() for batch in batches([1, 2, 3, 4, 5], batch_size=2)]
    [[1, 2], [3, 4], [5]]
    """
    return Batches(data, batch_size, shuffle, generator, drop_last)


def _common_length(data: tuple[Any, ...]) -> int:
    lengths = [len(leaf) if np.ndim(leaf) else 0 for leaf in leaves(data)]
    if not lengths or 0 in lengths:
        raise ValueError(
            f"batches: expected at least one sample in every array, got lengths {lengths}."
            " Pass arrays with one row a sample."
        )
    if len(set(lengths)) > 1:
        raise ValueError(
            f"batches: expected arrays of one length, got lengths {lengths}. Pass one row a sample in each."
        )
    return lengths[0]


def _checked_batch_size(batch_size: int) -> int:
    try:
        size = operator.index(batch_size)
    except TypeError:
        raise TypeError(
            f"batches: expected an integer batch_size, got {batch_size!r}. Pass the number of samples in a batch."
        ) from None
    if size < 1:
        raise ValueError(f"batches: expected batch_size ≥ 1, got {size}. Pass len(x) for a single batch.")
    return size
