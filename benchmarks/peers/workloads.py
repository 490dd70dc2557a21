"""What every side trains: four named workloads and the cells of a grid, with data and initial weights."""

import functools
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1024)
BATCHES = (1, 8, 32, 128, 1024)
DEPTHS = (1, 2, 3, 4)
EPOCH_FLOPS = 2e9  # an epoch of a grid's cell is no longer than this, so that the large ones end


@dataclass(frozen=True)
class Workload:
    """A training: Linear links of these sizes, `hidden` between them, `last` at the end, plain SGD in float32."""

    name: str
    sizes: tuple[int, ...]
    hidden: str  # "tanh" or "sigmoid"
    last: str  # "sigmoid", or "" for none
    loss: str  # "mse", a mean, or "cross-entropy", a sum over the mini-batch
    lr: float
    rows: int
    batch: int
    kind: str  # what the data are: "line", "clusters", "digits", "images" or "grid"
    check_epochs: int  # how long each side trains before the losses are compared

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.rows // self.batch)

    @property
    def flops(self) -> int:
        """Those of a step's matrix products: forward, weights' gradients, and inputs' but the first link's."""
        products = [a * b for a, b in itertools.pairwise(self.sizes)]
        return 2 * self.batch * (3 * sum(products) - products[0])

    def weights(self) -> list[Array]:
        """Initial weight (out, in) and bias (out) of each Linear, uniform on ±1/√in; the same on every side."""
        numbers = np.random.default_rng(10)
        values = []
        for fan_in, fan_out in itertools.pairwise(self.sizes):
            bound = fan_in**-0.5
            for shape in ((fan_out, fan_in), (fan_out,)):
                values.append(numbers.uniform(-bound, bound, shape).astype(np.float32))
        return values

    def data(self) -> tuple[Array, Array]:
        """x (rows, in) in float32, and y: float32 of the output's shape, or int64 labels."""
        return _DATA[self.kind](self)

    @property
    def source(self) -> str:
        """The data, in words."""
        return "MNIST" if self.kind in ("digits", "images") and _mnist() is not None else "made"

    def mean_loss(self, weights: list[Array]) -> float:
        """The loss of these weights over all the data, a mean, by one formula for every side."""
        x, y = self.data()
        for k, (weight, bias) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
            x = x @ weight.T + bias
            function = self.hidden if k < len(self.sizes) - 2 else self.last
            if function:
                x = np.tanh(x) if function == "tanh" else 1 / (1 + np.exp(-x))
        if self.loss == "mse":
            return float(np.mean((x - y) ** 2, dtype=np.float64))
        x = x - x.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(x)), y], dtype=np.float64))


def _line(workload: Workload) -> tuple[Array, Array]:
    numbers = np.random.default_rng(1)
    x = numbers.uniform(-1, 1, (workload.rows, 1)).astype(np.float32)
    return x, 2 * x + 1 + 0.1 * numbers.standard_normal(x.shape, np.float32)


def _clusters(workload: Workload) -> tuple[Array, Array]:
    numbers = np.random.default_rng(2)
    y = (np.arange(workload.rows) % 2).astype(np.float32)[:, None]
    return numbers.standard_normal((workload.rows, 2), np.float32) + 2 * y - 1, y


def _digits(workload: Workload) -> tuple[Array, Array]:
    found = _mnist()
    if found is not None:
        return found[0][: workload.rows], found[1][: workload.rows]
    numbers = np.random.default_rng(3)
    y = numbers.integers(0, 10, workload.rows)
    strokes = numbers.random((10, workload.sizes[0]), np.float32) * (numbers.random((10, workload.sizes[0])) < 0.19)
    return (strokes[y] * numbers.random((workload.rows, workload.sizes[0]), np.float32)).astype(np.float32), y


def _images(workload: Workload) -> tuple[Array, Array]:
    x, _ = _digits(workload)
    return x, x


def _grid(workload: Workload) -> tuple[Array, Array]:
    numbers = np.random.default_rng(4)
    x = numbers.uniform(-1, 1, (workload.rows, workload.sizes[0])).astype(np.float32)
    return x, np.tanh(x[:, :8].sum(axis=1, keepdims=True))


_DATA = {"line": _line, "clusters": _clusters, "digits": _digits, "images": _images, "grid": _grid}


@functools.cache
def _mnist() -> tuple[Array, Array] | None:
    """The training images, 0 to 1, in rows, and their labels, where MAILLON_DATA has them."""
    if not os.environ.get("MAILLON_DATA"):
        return None
    from maillon.data import DataNotFoundError, mnist

    try:
        found = mnist(download=False)
    except DataNotFoundError:
        return None
    return found.train_images.reshape(-1, 784).astype(np.float32) / 255, found.train_labels


WORKLOADS = {
    "linear": Workload("linear 1–1, batch 1", (1, 1), "tanh", "", "mse", 0.01, 100, 1, "line", 10),
    "binary": Workload("2–4–1, batch 1", (2, 4, 1), "tanh", "sigmoid", "mse", 0.01, 160, 1, "clusters", 20),
    "digits": Workload(
        "784–100–10, batch 100", (784, 100, 10), "sigmoid", "", "cross-entropy", 1e-4, 10_000, 100, "digits", 3
    ),
    "autoencoder": Workload(
        "autoencoder, batch 2048",
        (784, 256, 64, 2, 64, 256, 784),
        "tanh",
        "sigmoid",
        "mse",
        0.5,
        8192,
        2048,
        "images",
        3,
    ),
}


POLICY = Workload("policy 8–64–64–2", (8, 64, 64, 2), "tanh", "", "mse", 0.01, 1, 1, "grid", 1)


def cell(width: int, batch: int, depth: int) -> Workload:
    """`depth` hidden Tanh links of `width`, from `width` inputs to 1 output, mean squared error."""
    sizes = (*[width] * (depth + 1), 1)
    one = Workload(f"w{width}-b{batch}-d{depth}", sizes, "tanh", "", "mse", 0.1 / width, batch, batch, "grid", 2)
    steps = int(min(256, 8192 // batch, EPOCH_FLOPS // one.flops))
    return Workload(one.name, sizes, "tanh", "", "mse", one.lr, max(2, steps) * batch, batch, "grid", 2)


def grid() -> Iterator[Workload]:
    """All cells, the small ones first."""
    for width, depth, batch in itertools.product(WIDTHS, DEPTHS, BATCHES):
        yield cell(width, batch, depth)
