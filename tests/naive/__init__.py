"""Every value once more, by plain loops over Python numbers: slow, obvious, and independent of the links."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from maillon.nn import Loss, Module
from maillon.typing import Array

Elements = tuple[list[float], tuple[int, ...], float]
"""A loss's elements, their shape, and what their mean is divided by."""


def by_value(function: Callable[[float], float]) -> Callable[[Module, Array], Array]:
    """A function applied to one number after the other."""

    def naive(_link: Module, x: Array) -> Array:
        return np.array([function(value) for value in x.ravel().tolist()]).reshape(x.shape)

    return naive


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def leaky(slope: float) -> Callable[[Module, Array], Array]:
    return by_value(lambda x: x if x > 0 else slope * x)


def same(_link: Module, x: Array) -> Array:
    return x


def affine(x: Array, weight: list[list[float]], bias: list[float] | None) -> Array:
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1]).tolist()
    outputs = [
        [
            sum(w * v for w, v in zip(ws, row, strict=True)) + (0.0 if bias is None else bias[place])
            for place, ws in enumerate(weight)
        ]
        for row in rows
    ]
    return np.array(outputs).reshape(*x.shape[:-1], len(weight))


def linear(link: Any, x: Array) -> Array:
    return affine(x, link.weight.data.tolist(), None if link.bias is None else link.bias.data.tolist())


def flattened(*shape: int) -> Callable[[Module, Array], Array]:
    """The values one after the other, in the shape written down in the catalogue (-1: the batch)."""

    def naive(_link: Module, x: Array) -> Array:
        values = [x[index] for index in itertools.product(*map(range, x.shape))]
        return np.array(values).reshape(shape)

    return naive


def dropped(p: float, words: Callable[[int], list[int]]) -> Callable[[Module, Array], Array]:
    """Word k of the generator decides about value k: dropped when its low 24 bits are below p."""

    def naive(_link: Module, x: Array) -> Array:
        kept = [(word % 2**24) / 2**24 >= np.float32(p) for word in words(x.size)]
        scale = 1 / (1 - p) if p < 1 else 0.0
        values = [value * scale if keep else 0.0 for value, keep in zip(x.ravel().tolist(), kept, strict=True)]
        return np.array(values).reshape(x.shape)

    return naive


def along(axis: int, function: Callable[[list[float]], list[float]]) -> Callable[[Module, Array], Array]:
    """A function of the values along an axis, slice after slice."""

    def naive(_link: Module, x: Array) -> Array:
        if x.ndim == 0:
            return np.array(function([x.item()])[0])
        output = np.empty(x.shape)
        place = axis % x.ndim
        for index in itertools.product(*(range(n) for i, n in enumerate(x.shape) if i != place)):
            where = (*index[:place], slice(None), *index[place:])
            output[where] = function(x[where].tolist())
        return output

    return naive


def softmax(values: list[float]) -> list[float]:
    return [1 / sum(math.exp(other - value) for other in values) for value in values]


def log_softmax(values: list[float]) -> list[float]:
    return [-math.log(sum(math.exp(other - value) for other in values)) for value in values]


def chain(*links: Callable[[Any, Array], Array]) -> Callable[[Any, Array], Array]:
    """The naive formulas of a Sequential's links, one after the other."""

    def naive(network: Any, x: Array) -> Array:
        for link, formula in zip(network, links, strict=True):
            x = formula(link, x)
        return x

    return naive


def reduced(elements: Callable[..., Elements]) -> Callable[..., Any]:
    """The loss of its elements, under its reduction and with its sample weights."""

    def naive(loss: Loss, *inputs: Any) -> Any:
        count = len(loss.predicted)
        values, shape, denominator = elements(loss, *inputs[:count])
        for sample_weight in inputs[count:]:
            per_sample = len(values) // len(sample_weight)
            values = [value * float(sample_weight[i // per_sample]) for i, value in enumerate(values)]
        if loss.reduction == "none":
            return np.array(values).reshape(shape)
        if loss.reduction == "sum":
            return sum(values)
        return sum(values) / denominator if denominator else math.nan

    return naive


def paired(function: Callable[[float, float], float]) -> Callable[..., Elements]:
    """A loss between one prediction and one target each."""

    def naive(_loss: Loss, prediction: Array, target: Array) -> Elements:
        pairs = zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True)
        return [function(*pair) for pair in pairs], prediction.shape, prediction.size

    return naive


def _spread(factor: Any, shape: tuple[int, ...]) -> list[float]:
    return np.broadcast_to(np.array(1.0 if factor is None else factor), shape).ravel().tolist()


def binary(probability: Callable[[float], float]) -> Callable[..., Elements]:
    """−w (c y log p + (1 − y) log(1 − p))."""

    def naive(loss: Any, prediction: Array, target: Array) -> Elements:
        columns = zip(
            prediction.ravel().tolist(),
            target.ravel().tolist(),
            _spread(loss.weight, prediction.shape),
            _spread(getattr(loss, "pos_weight", None), prediction.shape),
            strict=True,
        )
        values = []
        for score, y, w, c in columns:
            p = probability(score)
            values.append(-w * (c * y * math.log(p) + (1 - y) * math.log(1 - p)))
        return values, prediction.shape, prediction.size

    return naive


def _samples(prediction: Array, target: Array) -> Iterator[tuple[list[float], Any]]:
    """The scores of all classes and the target, sample after sample and place after place."""
    if prediction.ndim == 1:
        yield prediction.tolist(), target.tolist()
        return
    for n in range(prediction.shape[0]):
        for place in itertools.product(*map(range, prediction.shape[2:])):
            scores = [float(prediction[(n, c, *place)]) for c in range(prediction.shape[1])]
            labelled = target.dtype.kind in "iu"
            yield (
                scores,
                int(target[(n, *place)]) if labelled else [float(target[(n, c, *place)]) for c in range(len(scores))],
            )


def cross_entropy(loss: Any, prediction: Array, target: Array) -> Elements:
    """−Σ_c w_c q_c log p_c; q smoothed; ignored labels count for nothing."""
    values, denominator = [], 0.0
    smoothing = loss.label_smoothing
    for scores, wanted in _samples(prediction, target):
        log_p = log_softmax(scores) if loss.from_logits else [math.log(p) for p in scores]
        weight = [1.0] * len(scores) if loss.weight is None else loss.weight.tolist()
        if wanted == loss.ignore_index:
            values.append(0.0)
            continue
        q = [float(c == wanted) for c in range(len(scores))] if isinstance(wanted, int) else wanted
        q = [(1 - smoothing) * share + smoothing / len(q) for share in q]
        values.append(-sum(w * share * log for w, share, log in zip(weight, q, log_p, strict=True)))
        denominator += weight[wanted] if isinstance(wanted, int) else 1.0
    return values, prediction.shape[:1] * (prediction.ndim > 1) + prediction.shape[2:], denominator


def likelihood(loss: Any, prediction: Array, target: Array) -> Elements:
    """−w_t z_t; ignored labels count for nothing."""
    values, denominator = [], 0.0
    for scores, label in _samples(prediction, target):
        weight = 1.0 if loss.weight is None else float(loss.weight[label if label != loss.ignore_index else 0])
        counts = float(label != loss.ignore_index)
        values.append(-weight * counts * scores[label if counts else 0])
        denominator += weight * counts
    return values, prediction.shape[:1] * (prediction.ndim > 1) + prediction.shape[2:], denominator


def sgd(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
) -> float:
    """One number, one step for each gradient."""
    velocity: float | None = None
    for grad in grads:
        g = (-grad if maximize else grad) + weight_decay * p
        velocity = g if velocity is None else momentum * velocity + (1 - dampening) * g
        p -= lr * ((g + momentum * velocity if nesterov else velocity) if momentum else g)
    return p


def adam(
    p: float,
    grads: list[float],
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
) -> float:
    """Algorithm 1 of Kingma and Ba, on one number."""
    m = v = largest = 0.0
    for t, grad in enumerate(grads, start=1):
        g = (-grad if maximize else grad) + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        largest = max(largest, v)
        corrected = (largest if amsgrad else v) / (1 - betas[1] ** t)
        p -= lr * (m / (1 - betas[0] ** t)) / (math.sqrt(corrected) + eps)
    return p
