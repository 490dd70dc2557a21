"""NumPy by hand: the loops of frame.py, and one for chains of any depth."""

import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from frame import Orders, autoencoder_by_hand, binary_by_hand, digits_by_hand, linear_by_hand

from peers.workloads import POLICY, Array, Workload

VERSIONS = ("numpy",)


def grid_by_hand(weights: list[Array], x: Array, y: Array, orders: Orders, batch_size: int, lr: float) -> float:
    """Tanh between, nothing last, mean squared error."""
    rate = np.float32(lr)
    last = len(weights) // 2 - 1
    for order in orders:
        total = 0.0
        for i in range(0, len(order), batch_size):
            rows = order[i : i + batch_size]
            outputs = [x[rows]]
            for k in range(last + 1):
                z = outputs[-1] @ weights[2 * k].T
                z += weights[2 * k + 1]
                outputs.append(np.tanh(z, out=z) if k < last else z)
            error = outputs[-1] - y[rows]
            total += float((error * error).sum())
            dz = error * np.float32(2 / error.size)
            for k in range(last, -1, -1):
                h, weight = outputs[k], weights[2 * k]
                dh = (dz @ weight) * (1 - h * h) if k else None
                weight -= rate * (dz.T @ h)
                weights[2 * k + 1] -= rate * dz.sum(axis=0)
                dz = dh
    return total / y.size


BY_HAND = {
    "line": (linear_by_hand, 0.01),
    "clusters": (binary_by_hand, 0.01),
    "digits": (digits_by_hand, 1e-4),
    "images": (autoencoder_by_hand, 0.5),
}


@functools.cache
def square(n: int) -> tuple[Array, Array]:
    """Two n×n matrices."""
    numbers = np.random.default_rng(5)
    return numbers.standard_normal((n, n), np.float32), numbers.standard_normal((n, n), np.float32)


def product(n: int, threads: int, times: int) -> float:
    """Seconds of one product of two n×n matrices, in float32."""
    from threadpoolctl import threadpool_limits

    a, b = square(n)
    with threadpool_limits(threads):
        begun = time.perf_counter()
        for _ in range(times):
            a @ b
        return (time.perf_counter() - begun) / times


def policy(_: dict[str, Any]) -> tuple[Callable[[int], None], Array]:
    """The sample's way through the network, written out."""
    w1, b1, w2, b2, w3, b3 = POLICY.weights()
    x = POLICY.data()[0][0]

    def answer(x: Array) -> Array:
        return w3 @ np.tanh(w2 @ np.tanh(w1 @ x + b1) + b2) + b3

    def loop(n: int) -> None:
        for _ in range(n):
            answer(x)

    return loop, answer(x)


class Trainer:
    def __init__(self, workload: Workload, options: dict[str, Any]) -> None:
        from threadpoolctl import threadpool_limits

        self.limits = threadpool_limits(options["threads"])
        self.workload = workload
        self.x, self.y = workload.data()
        self.start = workload.weights()
        if workload.kind != "grid" and BY_HAND[workload.kind][1] != workload.lr:
            raise ValueError(f"{workload.name}: frame.py's loop has another rate than {workload.lr}.")

    def reset(self) -> None:
        self.now = [value.copy() for value in self.start]

    def train(self, epochs: int) -> None:
        numbers, work = np.random.default_rng(0), self.workload
        orders = (numbers.permutation(work.rows) for _ in range(epochs))
        if work.kind == "grid":
            grid_by_hand(self.now, self.x, self.y, orders, work.batch, work.lr)
        else:
            BY_HAND[work.kind][0](self.now, self.x, self.y, orders, work.batch)

    def weights(self) -> list[Array]:
        return self.now
