"""Single links, timed forward and backward on one thread: what they are and what they are given."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from peers.workloads import Array

ATTEMPTS = 5


@dataclass(frozen=True)
class Link:
    """A constructor call that maillon.nn and torch.nn share, and the shape of its input; itself: given three times."""

    title: str
    name: str
    args: tuple[Any, ...]
    shape: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    inputs: int = 1

    def x(self) -> Array:
        return normal(0, self.shape)


LINKS = {
    "convolution": Link("Conv2d 3×3, 16→32, on 32×16×28×28", "Conv2d", (16, 32, 3), (32, 16, 28, 28), {"padding": 1}),
    "lstm": Link("LSTM 64→64, 32 steps, batch 32", "LSTM", (64, 64), (32, 32, 64)),
    "normalization": Link("LayerNorm 256, on 32×64×256", "LayerNorm", (256,), (32, 64, 256)),
    "attention": Link(
        "MultiheadAttention 4 × 64, length 64, batch 16",
        "MultiheadAttention",
        (256, 4),
        (16, 64, 256),
        {"batch_first": True},
        3,
    ),
}


def normal(seed: int, shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def timed(step: Callable[[], Any], seconds: float) -> float:
    """Seconds of one step: the median of several attempts, which together take about as long as asked."""
    step()
    begun = time.perf_counter()
    step()
    times = max(1, round(seconds / ATTEMPTS / (time.perf_counter() - begun)))
    attempts = []
    for _ in range(ATTEMPTS):
        begun = time.perf_counter()
        for _ in range(times):
            step()
        attempts.append((time.perf_counter() - begun) / times)
    return statistics.median(attempts)
