"""What is done to data before learning: scale, encode, disturb, split."""

from typing import Literal, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from maillon.random import Generator, resolve
from maillon.typing import Array, DTypeLike


class Stats(NamedTuple):
    """Mean and standard deviation, of a shape that broadcasts against the data they were taken of.

    Parameters
    ----------
    mean : ndarray
        The mean.
    std : ndarray
        The standard deviation; 1 where it is 0.
    """

    mean: Array
    std: Array


@overload
def normalize(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = ...,
    *,
    stats: Stats | None = ...,
    return_stats: Literal[False] = ...,
) -> Array: ...
@overload
def normalize(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = ...,
    *,
    stats: Stats | None = ...,
    return_stats: Literal[True],
) -> tuple[Array, Stats]: ...
def normalize(
    x: npt.ArrayLike,
    axis: int | tuple[int, ...] | None = 0,
    *,
    stats: Stats | None = None,
    return_stats: bool = False,
) -> Array | tuple[Array, Stats]:
    """Standardise data: (x − mean) / std, both taken over `axis`.

    A constant column becomes 0: its std counts as 1.

    Parameters
    ----------
    x : array
        Floating data keep their dtype, integers become float32.
    axis : int or tuple of int, optional
        The axes to go over: 0 is each column's own mean, None is one for all numbers.
    stats : Stats, optional
        Mean and std to use instead: treat test data as the training data were.
    return_stats : bool
        Whether to return the mean and the std too.

    Returns
    -------
    ndarray, or tuple of ndarray and Stats
        The data, of the same shape; mean and std are computed in float64.

    Raises
    ------
    ValueError
        For data that are empty, NaN or infinite.

    Examples
    --------
    >>> normalize([[0.0, 5.0], [2.0, 5.0]])
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    values = _finite("normalize", x)
    if stats is None:
        wide = values.astype(np.float64)
        constant = wide.max(axis, keepdims=True) == wide.min(axis, keepdims=True)
        mean = np.where(constant, wide.max(axis, keepdims=True), wide.mean(axis, keepdims=True))
        stats = Stats(mean, np.where(constant, 1.0, wide.std(axis, keepdims=True)))
    elif stats.mean.shape != (expected := values.max(axis, keepdims=True).shape):
        raise ValueError(
            f"normalize: expected stats of shape {expected} for data of shape {values.shape}, got {stats.mean.shape}."
            " Pass those of training data with the same columns, and the same axis."
        )
    normal = ((values - stats.mean) / stats.std).astype(values.dtype)
    return (normal, stats) if return_stats else normal


def one_hot(labels: npt.ArrayLike, classes: int | None = None, dtype: DTypeLike = np.float32) -> Array:
    """A row of zeros with a single one for each label, at the label's place.

    Parameters
    ----------
    labels : array of int
        Integers from 0 to classes − 1, of any shape (*).
    classes : int, optional
        How many there are; None takes the largest label + 1.
    dtype : dtype
        Of the result.

    Returns
    -------
    ndarray
        (*, classes).

    Raises
    ------
    TypeError
        For labels that are not integers.
    ValueError
        For labels out of range.

    Examples
    --------
    >>> one_hot([2, 0])
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    places = np.asarray(labels)
    if places.dtype.kind not in "iu":
        raise TypeError(f"one_hot: expected integer labels, got {places.dtype}. Convert with labels.astype(int).")
    if classes is None:
        if places.size == 0:
            raise ValueError("one_hot: expected at least one label, got none. Pass classes=.")
        classes = int(places.max()) + 1
    wrong = (places < 0) | (places >= classes)
    if wrong.any():
        raise ValueError(
            f"one_hot: expected labels from 0 to {classes - 1}, got {places[wrong][0]}."
            " Labels count from 0; pass classes= if there are more."
        )
    hot: Array = np.zeros((*places.shape, classes), dtype)
    np.put_along_axis(hot, places[..., None].astype(np.intp), 1, axis=-1)
    return hot


def add_noise(x: npt.ArrayLike, scale: float, generator: Generator | None = None) -> Array:
    """Add noise of the law N(0, scale²) to every number, without clipping.

    Parameters
    ----------
    x : array of float
        float32 or float64, of any shape.
    scale : float
        The standard deviation, ≥ 0.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    ndarray
        Of the same shape and dtype.

    Raises
    ------
    TypeError
        For integers.
    ValueError
        For a scale below 0.
    """
    values = np.asarray(x)
    if values.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(
            f"add_noise: expected float32 or float64 data, got {values.dtype}."
            " Scale pixels first: images.astype(np.float32) / 255."
        )
    if not (scale >= 0 and np.isfinite(scale)):
        raise ValueError(f"add_noise: expected a finite scale ≥ 0, got {scale}. It is a standard deviation.")
    noisy: Array = values + resolve(generator).normal(values.shape, 0.0, scale, values.dtype)
    return noisy


def train_test_split(
    *arrays: npt.ArrayLike,
    test_size: float = 0.2,
    shuffle: bool = True,
    generator: Generator | None = None,
) -> tuple[Array, ...]:
    """Cut each array in two along its first axis: x_train, x_test, y_train, y_test, … in scikit-learn's order.

    Parameters
    ----------
    *arrays : array
        Of one length n ≥ 2.
    test_size : float
        The part of n to test on, between 0 and 1, rounded to whole samples; at least one on each side.
    shuffle : bool
        Whether to permute first, by one `generator.randperm(n)`: its beginning is for training, its end for the
        test. False gives views.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Returns
    -------
    tuple of ndarray
        Two for each array.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> train_test_split([10, 11, 12, 13, 14], shuffle=False)
    (array([10, 11, 12, 13]), array([14]))
    """
    if not arrays:
        raise ValueError("train_test_split: expected at least one array, got none. Pass x, or x and y.")
    columns = [np.asarray(array) for array in arrays]
    lengths = [len(column) if column.ndim else 0 for column in columns]
    if len(set(lengths)) != 1:
        raise ValueError(
            f"train_test_split: expected arrays of one length, got lengths {', '.join(map(str, lengths))}."
            " Pass one row a sample in each."
        )
    n = lengths[0]
    if n < 2:
        raise ValueError(f"train_test_split: expected at least 2 samples, got {n}. One is needed on each side.")
    if not 0 < test_size < 1:
        raise ValueError(
            f"train_test_split: expected test_size between 0 and 1 exclusive, got {test_size}."
            " It is a part of the whole: 0.2 for a fifth."
        )
    cut = n - min(max(round(n * test_size), 1), n - 1)
    order = resolve(generator).randperm(n) if shuffle else None
    first, last = (slice(None, cut), slice(cut, None)) if order is None else (order[:cut], order[cut:])
    return tuple(column[rows] for column in columns for rows in (first, last))


def _finite(where: str, x: npt.ArrayLike) -> Array:
    """`x` as floating numbers, none of them missing."""
    values: Array = np.asarray(x)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"{where}: expected real numbers, got {values.dtype}. Convert with x.astype(float).")
    if values.size == 0:
        raise ValueError(f"{where}: expected at least one number, got shape {values.shape}. Pass some data.")
    if values.dtype.kind != "f":
        return values.astype(np.float32)
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise ValueError(
            f"{where}: expected finite numbers, got {wrong.sum()} that are NaN or infinite, the first at index"
            f" {tuple(int(i[0]) for i in np.nonzero(wrong))}. Remove or replace them."
        )
    return values
