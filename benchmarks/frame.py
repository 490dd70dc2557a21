"""What the frame costs: `fit` in NumPy against a hand-written NumPy loop of the same network, in turn, in one run.

    python benchmarks/frame.py [--repeats N] [--out FILE]

Both sides start from the same weights, see the same rows in the same order, do the same float32 arithmetic, sum the
epoch's loss, and are compared at the end: the weights must agree. The hand-written loops are written as one would:
the derivative fused where that is shorter, no gradient of the data, updates in place, the order shuffled anew for
each epoch by NumPy's own generator.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import maillon
from maillon import nn
from maillon.engine import info
from maillon.train import fit
from maillon.typing import Array

Orders = Iterable[Array]  # the rows of each epoch
Weights = list[Array]  # weight, bias, weight, bias … of the Linear links
Loop = Callable[[Weights, Array, Array, Orders, int], float]


def linear_by_hand(weights: Weights, x: Array, y: Array, orders: Orders, batch_size: int) -> float:
    """1–1, mean squared error."""
    lr = np.float32(0.01)
    weight, bias = weights
    for order in orders:
        xs, ys, total = x[order], y[order], 0.0
        for i in range(0, len(xs), batch_size):
            xb = xs[i : i + batch_size]
            error = xb @ weight.T + bias - ys[i : i + batch_size]
            total += float((error * error).sum())
            dy = error * np.float32(2 / error.size)
            weight -= lr * (dy.T @ xb)
            bias -= lr * dy.sum(axis=0)
    return total / y.size


def binary_by_hand(weights: Weights, x: Array, y: Array, orders: Orders, batch_size: int) -> float:
    """2–4–1: Tanh, Sigmoid, mean squared error."""
    lr = np.float32(0.01)
    w1, b1, w2, b2 = weights
    for order in orders:
        xs, ys, total = x[order], y[order], 0.0
        for i in range(0, len(xs), batch_size):
            xb = xs[i : i + batch_size]
            h = np.tanh(xb @ w1.T + b1)
            p = 1 / (1 + np.exp(-(h @ w2.T + b2)))
            error = p - ys[i : i + batch_size]
            total += float((error * error).sum())
            dz = error * np.float32(2 / error.size) * (p * (1 - p))
            dh = (dz @ w2) * (1 - h * h)
            w2 -= lr * (dz.T @ h)
            b2 -= lr * dz.sum(axis=0)
            w1 -= lr * (dh.T @ xb)
            b1 -= lr * dh.sum(axis=0)
    return total / y.size


def digits_by_hand(weights: Weights, x: Array, y: Array, orders: Orders, batch_size: int) -> float:
    """784–100–10: Sigmoid, cross-entropy summed over the mini-batch."""
    lr = np.float32(1e-4)
    w1, b1, w2, b2 = weights
    for order in orders:
        total = 0.0
        for i in range(0, len(order), batch_size):
            rows = order[i : i + batch_size]
            xb, yb = x[rows], y[rows]
            h = 1 / (1 + np.exp(-(xb @ w1.T + b1)))
            z = h @ w2.T + b2
            z -= z.max(axis=1, keepdims=True)
            p = np.exp(z)
            normal = p.sum(axis=1, keepdims=True)
            labelled = (np.arange(len(rows)), yb)
            total += float((np.log(normal[:, 0]) - z[labelled]).sum())
            p /= normal
            p[labelled] -= 1
            dh = (p @ w2) * (h * (1 - h))
            w2 -= lr * (p.T @ h)
            b2 -= lr * p.sum(axis=0)
            w1 -= lr * (dh.T @ xb)
            b1 -= lr * dh.sum(axis=0)
    return total


def autoencoder_by_hand(weights: Weights, x: Array, y: Array, orders: Orders, batch_size: int) -> float:
    """784–256–64–2–64–256–784: Tanh between, Sigmoid last, mean squared error against the input."""
    lr = np.float32(0.5)
    last = len(weights) // 2 - 1
    for order in orders:
        total = 0.0
        for i in range(0, len(order), batch_size):
            xb = x[order[i : i + batch_size]]
            outputs = [xb]
            for k in range(last + 1):
                z = outputs[-1] @ weights[2 * k].T
                z += weights[2 * k + 1]
                outputs.append(np.tanh(z, out=z) if k < last else 1 / (1 + np.exp(-z)))
            p = outputs[-1]
            error = p - xb
            total += float((error * error).sum())
            dz = error * np.float32(2 / error.size) * (p * (1 - p))
            for k in range(last, -1, -1):
                h, weight = outputs[k], weights[2 * k]
                dh = (dz @ weight) * (1 - h * h) if k else None
                weight -= lr * (dz.T @ h)
                weights[2 * k + 1] -= lr * dz.sum(axis=0)
                dz = dh
    return total / x.size


@dataclass(frozen=True)
class Case:
    name: str
    limit: float
    links: Callable[[], list[nn.Module]]
    loss: Callable[[], nn.Loss]
    lr: float
    samples: int
    batch_size: int
    epochs: int
    by_hand: Loop


def _chain(sizes: list[int], between: type[nn.Module], last: list[nn.Module]) -> list[nn.Module]:
    links: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        links += [nn.Linear(fan_in, fan_out), between()]
    return [*links[:-1], *last]


CASES = [
    Case("linear 1–1", 3.0, lambda: [nn.Linear(1, 1)], nn.MSELoss, 0.01, 100, 1, 30, linear_by_hand),
    Case(
        "binary 2–4–1",
        3.0,
        lambda: _chain([2, 4, 1], nn.Tanh, [nn.Sigmoid()]),
        nn.MSELoss,
        0.01,
        160,
        1,
        15,
        binary_by_hand,
    ),
    Case(
        "digits 784–100–10",
        1.25,
        lambda: _chain([784, 100, 10], nn.Sigmoid, []),
        lambda: nn.CrossEntropyLoss(reduction="sum"),
        1e-4,
        10_000,
        100,
        5,
        digits_by_hand,
    ),
    Case(
        "autoencoder 784–…–2–…–784",
        1.25,
        lambda: _chain([784, 256, 64, 2, 64, 256, 784], nn.Tanh, [nn.Sigmoid()]),
        nn.MSELoss,
        0.5,
        8_000,
        2048,
        2,
        autoencoder_by_hand,
    ),
]


def data_of(case: Case, inputs: int) -> tuple[Array, Array]:
    """Made data of the case's shapes: the time does not depend on what they mean."""
    numbers = np.random.default_rng(10)
    x = numbers.random((case.samples, inputs), dtype=np.float32)
    if case.by_hand is autoencoder_by_hand:
        return x, x
    if case.by_hand is digits_by_hand:
        return x, numbers.integers(0, 10, case.samples)
    return x, (x[:, :1] > 0.5).astype(np.float32)


def measure(case: Case, repeats: int) -> dict[str, object]:
    """Seconds per step of both sides, one repeat of each in turn."""
    maillon.manual_seed(10)
    network = nn.Sequential(*case.links())
    start = network.state_dict()
    x, y = data_of(case, network[0].weight.shape[1])
    steps = case.epochs * -(-case.samples // case.batch_size)
    ours: list[float] = []
    by_hand: list[float] = []
    for repeat in range(repeats + 1):
        begun = time.perf_counter()
        numbers = np.random.default_rng(repeat)
        orders = (numbers.permutation(case.samples) for _ in range(case.epochs))
        weights = [value.copy() for value in start.values()]
        case.by_hand(weights, x, y, orders, case.batch_size)
        middle = time.perf_counter()
        network.load_state_dict(start)
        fit(
            network,
            case.loss(),
            x,
            y,
            rule=case.lr,
            batch_size=case.batch_size,
            epochs=case.epochs,
            engine="numpy",
            progress=False,
        )
        end = time.perf_counter()
        if repeat:  # the first round warms both sides up
            by_hand.append((middle - begun) / steps)
            ours.append((end - middle) / steps)
    agree(case, network, start, x, y)
    ratios = [a / b for a, b in zip(ours, by_hand, strict=True)]
    return {
        "case": case.name,
        "batch_size": case.batch_size,
        "steps_per_repeat": steps,
        "by_hand_us": quartiles([1e6 * seconds for seconds in by_hand]),
        "fit_us": quartiles([1e6 * seconds for seconds in ours]),
        "ratio": quartiles(ratios),
        "limit": case.limit,
    }


def agree(case: Case, network: nn.Sequential, start: dict[str, Array], x: Array, y: Array) -> None:
    """Both sides must have learnt the same: one epoch of each, in the same order."""
    weights = [value.copy() for value in start.values()]
    order = maillon.Generator(1).randperm(case.samples)
    loss = case.by_hand(weights, x, y, [order], case.batch_size)
    network.load_state_dict(start)
    numbers = maillon.Generator(1)
    history = fit(
        network, case.loss(), x, y, rule=case.lr, batch_size=case.batch_size, generator=numbers, engine="numpy"
    )
    np.testing.assert_allclose(history["loss"][-1], loss, rtol=1e-4)
    for one, other in zip(network.parameters(), weights, strict=True):
        np.testing.assert_allclose(one.data, other, rtol=1e-3, atol=1e-5)


def quartiles(values: list[float]) -> dict[str, float]:
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"q1": round(low, 4), "median": round(median, 4), "q3": round(high, 4)}


def machine() -> dict[str, object]:
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")),
        platform.processor(),
    )
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[index]
    return {
        "cpu": cpu,
        "processors": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "maillon": maillon.__version__,
        **info("numpy"),
    }


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="how often each side is measured (default: 15)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "frame.json")
    parser.add_argument("cases", nargs="*", help="beginnings of the cases' names (default: all)")
    arguments = parser.parse_args()
    if arguments.repeats < 2:
        parser.error(f"expected --repeats ≥ 2, for quartiles, got {arguments.repeats}")
    chosen = [case for case in CASES if not arguments.cases or case.name.startswith(tuple(arguments.cases))]
    if not chosen:
        parser.error(f"no case begins so; there are {', '.join(case.name for case in CASES)}")
    print(f"{'network':<28}{'batch':>6}{'by hand µs':>14}{'fit µs':>12}{'ratio':>8}{'limit':>8}")
    results = []
    for case in chosen:
        result = measure(case, arguments.repeats)
        results.append(result)
        by_hand, ours, ratio = (result[key]["median"] for key in ("by_hand_us", "fit_us", "ratio"))
        print(f"{case.name:<28}{case.batch_size:>6}{by_hand:>14.1f}{ours:>12.1f}{ratio:>8.2f}{case.limit:>8.2f}")
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps({"machine": machine(), "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
