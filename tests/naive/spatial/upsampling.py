"""Images of another size, one output after the other: every input with a weight of its place along each axis."""

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from maillon.typing import Array


def resampled(*sizes: int, scales: tuple[float, ...] = ()) -> Callable[[Any, Array], Array]:
    """The output of these sizes; scales: those that the places come from, where they are not the sizes'."""

    def naive(link: Any, x: Array) -> Array:
        space = x.shape[2:]
        steps = [Fraction(n, out) for n, out in zip(space, sizes, strict=True)]
        steps = [1 / Fraction(scale) for scale in scales] or steps
        rows = [
            [weights(link, i, n, out, step) for i in range(out)]
            for n, out, step in zip(space, sizes, steps, strict=True)
        ]
        y = np.zeros((*x.shape[:2], *sizes))
        for channel in np.ndindex(x.shape[:2]):
            for output in np.ndindex(sizes):
                for seen in itertools.product(*(row[i].items() for row, i in zip(rows, output, strict=True))):
                    weight = math.prod(factor for _, factor in seen)
                    y[(*channel, *output)] += weight * float(x[(*channel, *(j for j, _ in seen))])
        return y

    return naive


def weights(link: Any, i: int, size: int, outputs: int, step: Fraction) -> dict[int, float]:
    """What output i takes of each input along an axis."""
    if link.mode == "nearest":
        return {math.floor(i * step): 1.0}
    if link.mode == "nearest-exact":
        return {math.floor((i + Fraction(1, 2)) * step): 1.0}
    if link.mode == "area":
        seen = range(math.floor(Fraction(i * size, outputs)), math.ceil(Fraction((i + 1) * size, outputs)))
        return {j: 1 / len(seen) for j in seen}
    aligned = Fraction(i * (size - 1), max(outputs - 1, 1))
    place = float(aligned if link.align_corners else (i + Fraction(1, 2)) * step - Fraction(1, 2))
    if link.mode != "bicubic":
        return {j: max(0.0, 1 - abs(min(max(place, 0.0), size - 1.0) - j)) for j in range(size)}
    taken: dict[int, float] = {}
    for j in range(math.floor(place) - 3, math.floor(place) + 5):
        inside = min(max(j, 0), size - 1)
        taken[inside] = taken.get(inside, 0.0) + keys(abs(place - j), -0.75)
    return taken


def keys(d: float, a: float) -> float:
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def shuffled(link: Any, x: Array) -> Array:
    r = link.upscale_factor
    *batch, channels, height, width = x.shape
    y = np.zeros((*batch, channels // r**2, r * height, r * width))
    for index in np.ndindex(y.shape):
        *sample, c, row, column = index
        y[index] = x[(*sample, c * r**2 + row % r * r + column % r, row // r, column // r)]
    return y


def unshuffled(link: Any, x: Array) -> Array:
    r = link.downscale_factor
    *batch, channels, height, width = x.shape
    y = np.zeros((*batch, channels * r**2, height // r, width // r))
    for index in np.ndindex(x.shape):
        *sample, c, row, column = index
        y[(*sample, c * r**2 + row % r * r + column % r, row // r, column // r)] = x[index]
    return y
