"""The probability of a text, path after path."""

import itertools
import math
from typing import Any

import numpy as np

from maillon.typing import Array
from naive.losses.elements import Elements


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
