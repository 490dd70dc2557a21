"""The losses with a margin, sample after sample."""

import math
from typing import Any

from maillon.typing import Array
from naive.losses.elements import Elements, paired, rows


def hinge(loss: Any, prediction: Array, target: Array) -> Elements:
    """x for what is alike, max(0, Δ − x) for what is not."""
    return paired(lambda x, y: x if y == 1 else max(0.0, loss.margin - x))(loss, prediction, target)


def ranking(loss: Any, first: Array, second: Array, target: Array) -> Elements:
    """max(0, −y (x₁ − x₂) + Δ)."""
    columns = zip(first.ravel().tolist(), second.ravel().tolist(), target.ravel().tolist(), strict=True)
    return [max(0.0, loss.margin - y * (a - b)) for a, b, y in columns], first.shape, first.size


SOFT_MARGIN = paired(lambda x, y: math.log(1 + math.exp(-y * x)))


def multi_margin(loss: Any, scores: Array, target: Array) -> Elements:
    """w_t / C Σ_{j≠t} max(0, Δ − x_t + x_j)^p."""
    values = []
    for row, (label,) in rows(scores, target):
        total = sum(max(0.0, loss.margin - row[label] + x) ** loss.p for j, x in enumerate(row) if j != label)
        values.append((1.0 if loss.weight is None else float(loss.weight[label])) * total / len(row))
    return values, scores.shape[:-1], len(values)


def multi_label_margin(_loss: Any, scores: Array, target: Array) -> Elements:
    """1 / C Σ_t Σ_i max(0, 1 − x_t + x_i), up to the first −1."""
    values = []
    for row, listed in rows(scores, target):
        right = listed[: [*listed, -1].index(-1)]
        rest = [x for i, x in enumerate(row) if i not in right]
        values.append(sum(max(0.0, 1 - row[t] + x) for t in right for x in rest) / len(row))
    return values, scores.shape[:-1], len(values)


def multi_label_soft(loss: Any, scores: Array, target: Array) -> Elements:
    """−1 / C Σ w (y log p + (1 − y) log(1 − p))."""
    values = []
    for row, wanted in rows(scores, target):
        weight = [1.0] * len(row) if loss.weight is None else loss.weight.tolist()
        terms = (
            w * (y * math.log(1 + math.exp(-x)) + (1 - y) * math.log(1 + math.exp(x)))
            for x, y, w in zip(row, wanted, weight, strict=True)
        )
        values.append(sum(terms) / len(row))
    return values, scores.shape[:-1], len(values)
