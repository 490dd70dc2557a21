"""What turns a sentence about a picture into a number: plateaus, entropies, groups in a plane."""

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from maillon.typing import Array


def entropy(probabilities: Array) -> Array:
    """−Σ p·ln p of each row, in nats; 0·ln 0 is 0.

    Examples
    --------
    >>> entropy(np.array([[1.0, 0.0], [0.5, 0.5]])).round(4)
    array([0.    , 0.6931])
    """
    from scipy.special import entr

    total: Array = entr(probabilities.astype(np.float64)).sum(axis=-1)
    return total


WINDOW, FALL = 50, 0.01
"""A loss stands still where 50 epochs lower it by less than 1 %; nothing less counts as converged, or as a plateau."""


def last_fall(losses: Array, window: int = WINDOW) -> float:
    """The share of the loss that the last `window` epochs remove; of half the epochs where there are fewer.

    Examples
    --------
    >>> last_fall(np.array([8.0, 4.0, 4.0, 3.0]), window=2)
    0.25
    """
    losses = np.asarray(losses, dtype=np.float64)
    start = losses[-1 - min(window, len(losses) // 2)]
    return float((start - losses[-1]) / start)


def plateau(losses: Array, window: int = WINDOW, fall: float = FALL) -> tuple[int, int] | None:
    """First and last epoch of the longest time in which `window` epochs lower the loss by less than `fall`.

    Epochs count from 1. A plateau that reaches the last epoch ends there; None when there is none at all.

    Examples
    --------
    >>> plateau(np.array([4.0, 3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 0.5]), window=1)
    (3, 6)
    """
    losses = np.asarray(losses, dtype=np.float64)
    flat = losses[window:] > (1 - fall) * losses[:-window]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(int)))
    if not len(edges):
        return None
    starts, ends = edges[::2], edges[1::2]
    longest = int((ends - starts).argmax())
    return int(starts[longest]) + 1, int(ends[longest]) + window


def fives_right(right: Array) -> float:
    """The share of the sets of five, one after the other, that are right in all five places; `right` is boolean.

    Examples
    --------
    >>> fives_right(np.array([True] * 9 + [False]))
    0.5
    """
    whole = right[: len(right) // 5 * 5].reshape(-1, 5)
    return float(whole.all(axis=1).mean())


def smoothness(images: Array) -> float:
    """Correlation of horizontal neighbours within images: near 0 for noise, near 1 for pictures.

    >>> round(smoothness(np.array([[[0.0, 0.1, 0.2, 0.3]], [[0.9, 0.8, 0.7, 0.6]]])), 2)
    1.0
    """
    return float(np.corrcoef(images[..., :-1].ravel(), images[..., 1:].ravel())[0, 1])


def dispersion(codes: Array) -> float:
    """Root mean square distance from the centroid.

    >>> dispersion(np.array([[-1.0, 0.0], [1.0, 0.0]]))
    1.0
    """
    return float(np.sqrt(((codes - codes.mean(axis=0)) ** 2).sum(axis=1).mean()))


def separation(first: Array, second: Array) -> tuple[float, float]:
    """How well two clouds are apart: share of points nearer to their own centroid, and the mean silhouette.

    A point's silhouette is (b − a) / max(a, b), a being its mean distance to the others of its own cloud
    and b to those of the other one: 1 far apart, 0 mixed.
    Source: P. J. Rousseeuw, *Silhouettes* (1987).

    >>> separation(np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([[9.0, 0.0], [9.0, 1.0]]))[0]
    1.0
    """
    silhouettes, nearer = [], []
    for own, other in ((first, second), (second, first)):
        within = cdist(own, own).sum(axis=1) / max(len(own) - 1, 1)
        across = cdist(own, other).mean(axis=1)
        silhouettes.append((across - within) / np.maximum(np.maximum(across, within), 1e-12))
        to_own = ((own - own.mean(axis=0)) ** 2).sum(axis=1)
        to_other = ((own - other.mean(axis=0)) ** 2).sum(axis=1)
        nearer.append(to_own < to_other)
    return float(np.concatenate(nearer).mean()), float(np.concatenate(silhouettes).mean())


def neighbour_share(codes: Array, known: Array, wanted: Array, neighbours: int = 15) -> float:
    """Share of the nearest known points that are wanted ones, over all codes; `wanted` is boolean.

    >>> known = np.array([[0.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    >>> neighbour_share(np.array([[0.1, 0.0]]), known, np.array([True, False, True]), 2)
    0.5
    """
    return float(wanted[_nearest(codes, known, neighbours)].mean())


def between(codes: Array, start: Array, end: Array) -> Array:
    """Which codes lie between two clouds: inside the circle that has the clouds' centroids at its two ends.

    Seen from such a point the centroids are on opposite sides, more than 90° apart.

    Examples
    --------
    >>> ends = np.array([[0.0, 0.0]]), np.array([[4.0, 0.0]])
    >>> between(np.array([[1.0, 1.0], [1.0, 5.0], [-1.0, 0.0]]), *ends)
    array([ True, False, False])
    """
    inside: Array = ((codes - start.mean(axis=0)) * (codes - end.mean(axis=0))).sum(axis=1) < 0
    return inside


def share_within(codes: Array, cloud: Array, bulk: float = 0.9) -> float:
    """Share of codes in the ellipse about a cloud that holds `bulk` of it: nearer to its centre than its outliers are.

    Examples
    --------
    >>> cloud = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0], [9.0, 9.0]])
    >>> share_within(np.array([[1.0, 1.0], [8.0, 0.0]]), cloud, bulk=0.8)
    0.5
    """
    centre = cloud.mean(axis=0)
    spread = np.linalg.pinv(np.atleast_2d(np.cov(cloud.T)))

    def distance(points: Array) -> Array:
        away = points - centre
        squared: Array = ((away @ spread) * away).sum(axis=1)
        return squared

    return float((distance(codes) <= np.quantile(distance(cloud), bulk)).mean())


def _nearest(codes: Array, known: Array, neighbours: int) -> Array:
    _, index = cKDTree(known).query(codes, k=list(range(1, min(neighbours, len(known)) + 1)))
    return np.asarray(index)
