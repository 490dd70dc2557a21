"""Table 1 of the report: one 2–4–1 network trained here and in PyTorch, from the report's weights."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from maillon.data import two_clusters
from maillon.nn import Linear, MSELoss, Sequential, Sigmoid, Tanh
from maillon.optim import Optim
from maillon.random import Generator
from maillon.train import accuracy, sgd
from maillon.typing import Array

SEED = 10
RATE = 0.01
TRAIN, TEST = 160, 40
EPOCHS = (0, 10, 20, 200)
DTYPES = ("float32", "float64")
GOLDEN = Path(__file__).parent / "golden" / "table1.json"

PRINTED = {
    0: (1.33, 0.72, -1.54, -0.01, 0.62, -0.72, 0.27, 0.11, 1.33, 0.72, -1.54, -0.01),
    10: (1.29, 0.64, -1.45, -0.01, 0.55, -0.81, 0.52, 0.11, 1.15, 0.78, -1.48, -0.03),
    200: (1.22, -0.95, -0.28, 0.34, 0.40, -1.01, 1.27, 0.11, -0.59, 1.47, -0.93, -0.91),
}
"""The report's weights by epochs: layer 1 input by input, then layer 2."""

PRINTED_SCORES = {0: 27.5, 10: 37.5, 200: 97.5}
"""The report's scores by epochs, in per cent."""


@dataclass(frozen=True)
class Setting:
    """What the text leaves open about Table 1: whether the points are standardised, and the batch size."""

    name: str
    standardised: bool
    batch_size: int


AS_FIGURE_6 = Setting("as Figure 6: raw points, batch 1", standardised=False, batch_size=1)
POINTED_TO = Setting("standardised points, batch 10", standardised=True, batch_size=10)
SETTINGS = {"as_figure_6": AS_FIGURE_6, "pointed_to": POINTED_TO}


@dataclass(frozen=True)
class Snapshot:
    """The twelve weights in the report's order, and the score on the 40 test points, in per cent."""

    weights: tuple[float, ...]
    score: float


def initial_weights() -> tuple[Array, Array]:
    """The report's: `RandomState(10).randn`, drawn afresh for each layer, input × output."""
    return np.random.RandomState(SEED).randn(2, 4), np.random.RandomState(SEED).randn(4, 1)


def points(setting: Setting, seed: int = SEED) -> tuple[Array, Array]:
    """The 200 points and classes in float64, the last 40 to test on.

    Standardised means by one mean and one deviation for both coordinates: with these the printed weights agree best.
    """
    x, y = two_clusters(100, generator=Generator(seed), dtype=np.float64)
    return (x - x.mean()) / x.std() if setting.standardised else x, y


def network(dtype: str) -> Sequential:
    """2–4–1 without biases, from the report's weights."""
    links = Linear(2, 4, bias=False, dtype=dtype), Linear(4, 1, bias=False, dtype=dtype)
    for link, weights in zip(links, initial_weights(), strict=True):
        link.weight.data[:] = weights.T
    return Sequential(links[0], Tanh(), links[1], Sigmoid())


def with_sequential(
    setting: Setting, dtype: str, epochs: Sequence[int] = EPOCHS, seed: int = SEED
) -> dict[int, Snapshot]:
    """The snapshots after these epochs, trained by `Sequential` and `sgd`."""
    x, y = (array.astype(dtype) for array in points(setting, seed))
    net = network(dtype)
    optim = Optim(net, MSELoss(), RATE)
    generator = Generator(seed)
    snapshots = {}
    for epoch in range(max(epochs) + 1):
        if epoch:
            sgd(optim, x[:TRAIN], y[:TRAIN], setting.batch_size, 1, generator=generator)
        if epoch in epochs:
            layers = [parameter.data for parameter in net.parameters()]
            snapshots[epoch] = _snapshot(layers, net(x[TRAIN:]), y[TRAIN:])
    return snapshots


def with_pytorch(setting: Setting, dtype: str, epochs: Sequence[int] = EPOCHS) -> dict[int, Snapshot]:
    """The same by PyTorch, from the same weights, on the same data in the same order; needs torch."""
    import torch

    real = getattr(torch, dtype)
    x, y = (torch.tensor(array, dtype=real) for array in points(setting))
    links = [torch.nn.Linear(2, 4, bias=False, dtype=real), torch.nn.Linear(4, 1, bias=False, dtype=real)]
    for link, weights in zip(links, initial_weights(), strict=True):
        link.weight.data = torch.tensor(weights.T.copy(), dtype=real)
    net = torch.nn.Sequential(links[0], torch.nn.Tanh(), links[1], torch.nn.Sigmoid())
    loss, rule = torch.nn.MSELoss(), torch.optim.SGD(net.parameters(), lr=RATE, foreach=False)
    generator = Generator(SEED)
    snapshots = {}
    for epoch in range(max(epochs) + 1):
        if epoch:
            order = torch.tensor(generator.randperm(TRAIN))
            for start in range(0, TRAIN, setting.batch_size):
                batch = order[start : start + setting.batch_size]
                rule.zero_grad()
                loss(net(x[batch]), y[batch]).backward()
                rule.step()
        if epoch in epochs:
            layers = [link.weight.detach().numpy() for link in links]
            snapshots[epoch] = _snapshot(layers, net(x[TRAIN:]).detach().numpy(), y[TRAIN:].numpy())
    return snapshots


def _snapshot(layers: list[Array], scores: Array, target: Array) -> Snapshot:
    weights = np.concatenate([layer.T.ravel() for layer in layers])
    return Snapshot(tuple(weights.tolist()), round(100 * accuracy(scores, target), 2))


def pytorch_or_golden(key: str, dtype: str, epochs: Sequence[int]) -> dict[int, Snapshot]:
    """PyTorch's snapshots: computed live where torch is installed, else those that `golden/` keeps."""
    if find_spec("torch") is not None:
        return with_pytorch(SETTINGS[key], dtype, epochs)
    kept = json.loads(GOLDEN.read_text(encoding="utf-8"))["snapshots"][key][dtype]
    return {epoch: Snapshot(tuple(kept[str(epoch)]["weights"]), kept[str(epoch)]["score"]) for epoch in epochs}


def where_from() -> str:
    """A sentence on what PyTorch's numbers are."""
    if find_spec("torch") is not None:
        import torch

        return f"PyTorch {torch.__version__}, run live"
    return f"PyTorch {json.loads(GOLDEN.read_text(encoding='utf-8'))['torch']}, values kept with the package"


def golden() -> dict[str, Any]:
    """What `golden/table1.json` holds, made by PyTorch now."""
    import torch

    return {
        "torch": str(torch.__version__),
        "snapshots": {
            key: {
                dtype: {
                    str(epoch): {"weights": list(snapshot.weights), "score": snapshot.score}
                    for epoch, snapshot in with_pytorch(setting, dtype).items()
                }
                for dtype in DTYPES
            }
            for key, setting in SETTINGS.items()
        },
    }


def distance(a: Sequence[float], b: Sequence[float]) -> float:
    """The largest difference between two rows of weights."""
    return float(np.abs(np.subtract(a, b)).max())
