"""The losses over classes, sample after sample."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

from maillon.typing import Array
from naive.activations import log_softmax
from naive.losses.elements import Elements


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
