"""The losses beyond the basic ones, one number after the other."""

import itertools
import math
from typing import Any

import numpy as np

from maillon.typing import Array
from naive import Elements, paired


def huber(bound: float, scale: float = 1.0) -> Any:
    """A parabola up to the bound, lines beyond; with the scale 1 / β it is SmoothL1Loss."""

    def value(p: float, y: float) -> float:
        size = abs(p - y)
        return scale * (size**2 / 2 if size <= bound else bound * size - bound**2 / 2)

    return paired(value)


def divergence(loss: Any, prediction: Array, target: Array) -> Elements:
    """y (log y − x)."""
    values = []
    for x, t in zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True):
        y = math.exp(t) if loss.log_target else t
        values.append(y * (math.log(y) - x) if y else 0.0)
    batch = prediction.shape[0] if prediction.ndim else 1
    return values, prediction.shape, batch if loss.reduction == "batchmean" else prediction.size


def poisson(loss: Any, prediction: Array, target: Array) -> Elements:
    """λ − y log λ, and Stirling's log y!."""
    values = []
    for x, y in zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True):
        value = math.exp(x) - y * x if loss.log_input else x - y * math.log(x + loss.eps)
        if loss.full and y > 1:
            value += y * math.log(y) - y + math.log(2 * math.pi * y) / 2
        values.append(value)
    return values, prediction.shape, prediction.size


def gaussian(loss: Any, mean: Array, target: Array, var: Any) -> Elements:
    """½ (log v + (μ − y)² / v)."""
    values = []
    for index in np.ndindex(mean.shape):
        v = max(_at(var, index), loss.eps)
        value = (math.log(v) + (float(mean[index]) - _at(target, index)) ** 2 / v) / 2
        values.append(value + (math.log(2 * math.pi) / 2 if loss.full else 0.0))
    return values, mean.shape, mean.size


def _at(value: Any, index: tuple[int, ...]) -> float:
    """The number that belongs to a place of the prediction: a dimension may be 1, or the last one absent."""
    shape = np.shape(value)
    place = tuple(0 if n == 1 else i for i, n in zip(index, shape, strict=False))
    return float(np.asarray(value)[place])


def hinge(loss: Any, prediction: Array, target: Array) -> Elements:
    """x for what is alike, max(0, Δ − x) for what is not."""
    return paired(lambda x, y: x if y == 1 else max(0.0, loss.margin - x))(loss, prediction, target)


def ranking(loss: Any, first: Array, second: Array, target: Array) -> Elements:
    """max(0, −y (x₁ − x₂) + Δ)."""
    columns = zip(first.ravel().tolist(), second.ravel().tolist(), target.ravel().tolist(), strict=True)
    return [max(0.0, loss.margin - y * (a - b)) for a, b, y in columns], first.shape, first.size


SOFT_MARGIN = paired(lambda x, y: math.log(1 + math.exp(-y * x)))


def _rows(scores: Array, target: Array) -> Any:
    """Sample after sample: the scores, and the target."""
    rows = scores.reshape(-1, scores.shape[-1]).tolist() if scores.size else []
    return zip(rows, target.reshape(len(rows), -1).tolist(), strict=True)


def multi_margin(loss: Any, scores: Array, target: Array) -> Elements:
    """w_t / C Σ_{j≠t} max(0, Δ − x_t + x_j)^p."""
    values = []
    for row, (label,) in _rows(scores, target):
        total = sum(max(0.0, loss.margin - row[label] + x) ** loss.p for j, x in enumerate(row) if j != label)
        values.append((1.0 if loss.weight is None else float(loss.weight[label])) * total / len(row))
    return values, scores.shape[:-1], len(values)


def multi_label_margin(_loss: Any, scores: Array, target: Array) -> Elements:
    """1 / C Σ_t Σ_i max(0, 1 − x_t + x_i), up to the first −1."""
    values = []
    for row, listed in _rows(scores, target):
        right = listed[: [*listed, -1].index(-1)]
        rest = [x for i, x in enumerate(row) if i not in right]
        values.append(sum(max(0.0, 1 - row[t] + x) for t in right for x in rest) / len(row))
    return values, scores.shape[:-1], len(values)


def multi_label_soft(loss: Any, scores: Array, target: Array) -> Elements:
    """−1 / C Σ w (y log p + (1 − y) log(1 − p))."""
    values = []
    for row, wanted in _rows(scores, target):
        weight = [1.0] * len(row) if loss.weight is None else loss.weight.tolist()
        terms = (
            w * (y * math.log(1 + math.exp(-x)) + (1 - y) * math.log(1 + math.exp(x)))
            for x, y, w in zip(row, wanted, weight, strict=True)
        )
        values.append(sum(terms) / len(row))
    return values, scores.shape[:-1], len(values)


def cosine(loss: Any, first: Array, second: Array, target: Array) -> Elements:
    """1 − cos for what is alike, max(0, cos − Δ) for what is not."""
    values = []
    for (a, _), (b, (y,)) in zip(_rows(first, target), _rows(second, target), strict=True):
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


def read(path: tuple[int, ...], blank: int) -> list[int]:
    """What a path reads as: without repetitions, then without blanks."""
    return [c for c, _ in itertools.groupby(path) if c != blank]


def ctc(loss: Any, log_probs: Array, targets: Array, input_lengths: Any, target_lengths: Any) -> Elements:
    """−log of the sum over every path that reads as the target."""
    single = log_probs.ndim == 2
    batch = log_probs[:, None] if single else log_probs
    ends, sizes = (np.reshape(lengths, batch.shape[1]).tolist() for lengths in (input_lengths, target_lengths))
    values = []
    for n, (end, size) in enumerate(zip(ends, sizes, strict=True)):
        begin = sum(sizes[:n])
        labels = (targets[n, :size] if targets.ndim == 2 else targets[begin : begin + size]).tolist()
        total = 0.0
        for path in itertools.product(range(batch.shape[-1]), repeat=end):
            if read(path, loss.blank) == labels:
                total += math.exp(sum(float(batch[t, n, c]) for t, c in enumerate(path)))
        value = -math.log(total) if total else 0.0 if loss.zero_infinity else math.inf
        values.append(value / max(1, size) if loss.averages else value)
    return values, () if single else (len(values),), len(values)
