"""The report's made-up data: points along a line, and two clouds of points."""

from collections.abc import Sequence

import numpy as np

from maillon.random import Generator, resolve
from maillon.typing import Array, DTypeLike


def linear_data(
    n: int = 100,
    slope: float = 1.0,
    noise: float = 5.0,
    low: float = 0.0,
    high: float = 50.0,
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> tuple[Array, Array]:
    """Points along a line through the origin: y = slope · x + ε, x uniform on [low, high), ε ~ N(0, noise²).

    Parameters
    ----------
    n : int
        Points, ≥ 1.
    slope : float
        The slope of the line.
    noise : float
        The standard deviation of ε, ≥ 0.
    low : float
        The least x.
    high : float
        Above the largest x.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    tuple of ndarray
        x and y, both (n, 1). x is drawn first, then ε.

    Raises
    ------
    ValueError
        For n < 1, low > high, and a noise below 0.

    Examples
    --------
    >>> x, y = linear_data(3, slope=2.0, noise=0.0, generator=Generator(10))
    >>> bool((y == 2 * x).all()), x.shape
    (True, (3, 1))
    """
    _check_count("linear_data", "n", n)
    if not noise >= 0:
        raise ValueError(f"linear_data: expected noise ≥ 0, got {noise}. It is a standard deviation.")
    generator = resolve(generator)
    x = generator.uniform((n, 1), low, high, dtype)
    error = generator.normal((n, 1), 0.0, noise, dtype)
    return x, x.dtype.type(slope) * x + error


def two_clusters(
    n_per_class: int = 100,
    std: float = 1.0,
    means: Sequence[Sequence[float]] = ((1.0, 2.0), (3.0, 5.0)),
    generator: Generator | None = None,
    dtype: DTypeLike = np.float32,
) -> tuple[Array, Array]:
    """Two clouds of points to tell apart: class 1 is N(means[0], std²), class 0 is N(means[1], std²).

    Parameters
    ----------
    n_per_class : int
        Points in each cloud, ≥ 1.
    std : float
        The standard deviation in every direction, ≥ 0.
    means : two sequences of float
        The two centres, of one dimension d.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    tuple of ndarray
        x (2 · n_per_class, d) and y (2 · n_per_class, 1), shuffled together. Class 1 is drawn first, then class 0, then
        the order.

    Raises
    ------
    ValueError
        For a count, a deviation or means that are none of these.

    Examples
    --------
    >>> x, y = two_clusters(100, generator=Generator(10))
    >>> x.shape, y.shape, int(y.sum())
    ((200, 2), (200, 1), 100)
    """
    _check_count("two_clusters", "n_per_class", n_per_class)
    generator = resolve(generator)
    centres = _two_points(means, dtype)
    points = [centre + generator.normal((n_per_class, centre.size), 0.0, std, dtype) for centre in centres]
    x = np.concatenate(points)
    y = np.repeat(np.array([[1], [0]], dtype), n_per_class, axis=0)
    order = generator.randperm(len(x))
    return x[order], y[order]


def _check_count(where: str, name: str, n: int) -> None:
    if n < 1:
        raise ValueError(f"{where}: expected {name} ≥ 1, got {n}. Ask for at least one point.")


def _two_points(means: Sequence[Sequence[float]], dtype: DTypeLike) -> Array:
    lengths = [len(mean) for mean in means]
    if len(lengths) != 2 or lengths[0] != lengths[1] or lengths[0] == 0:
        raise ValueError(
            f"two_clusters: expected means to be two points of one dimension, got lengths {lengths}."
            " Pass two points such as ((1, 2), (3, 5))."
        )
    return np.array(means, dtype)
