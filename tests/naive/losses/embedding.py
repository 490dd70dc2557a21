"""The losses between vectors, pair after pair."""

import math
from typing import Any

from maillon.typing import Array
from naive.losses.elements import Elements, rows


def cosine(loss: Any, first: Array, second: Array, target: Array) -> Elements:
    """1 − cos for what is alike, max(0, cos − Δ) for what is not."""
    values = []
    for (a, _), (b, (y,)) in zip(rows(first, target), rows(second, target), strict=True):
        length = math.sqrt((sum(x * x for x in a) + 1e-12) * (sum(x * x for x in b) + 1e-12))
        c = sum(x * z for x, z in zip(a, b, strict=True)) / length
        values.append(1 - c if y == 1 else max(0.0, c - loss.margin))
    return values, first.shape[:-1], len(values)


def triplet(loss: Any, anchor: Array, positive: Array, negative: Array) -> Elements:
    """max(0, Δ + d(a, p) − d(a, n))."""

    def distance(one: list[float], other: list[float]) -> float:
        sizes = [abs(a - b + loss.eps) for a, b in zip(one, other, strict=True)]
        return max(sizes) if math.isinf(loss.p) else sum(size**loss.p for size in sizes) ** (1 / loss.p)

    values = []
    width = anchor.shape[-1]
    for a, p, n in zip(*(array.reshape(-1, width).tolist() for array in (anchor, positive, negative)), strict=True):
        far = min(distance(a, n), distance(p, n)) if loss.swap else distance(a, n)
        values.append(max(0.0, loss.margin + distance(a, p) - far))
    return values, anchor.shape[:-1], len(values)
