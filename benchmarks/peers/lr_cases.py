"""Trainings in which there is no rate to find, or which fool a finder of rates."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import maillon as m
from maillon.typing import Array


@dataclass
class Case:
    """right: whether a rate, or none, is right; wanted: which are, in words."""

    network: Any
    loss: Any
    rule: Any
    x: Array
    y: Array
    wanted: str
    right: Callable[[float | None], bool]
    options: dict[str, Any] = field(default_factory=dict)


class Same(m.Loss):
    """The same loss whatever is predicted."""

    def elements(self, *inputs: Any) -> tuple[Array, tuple[Any, ...]]:
        return np.ones_like(inputs[0]), (inputs[0],)

    def elements_backward(self, grad_elements: Array, *kept: Any) -> Array:
        return np.zeros_like(kept[0]) * grad_elements


def _sine(rows: int = 300) -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, 5))
    y = np.sin(2 * x[:, :1]) + 0.1 * rng.standard_normal((rows, 1))
    return x.astype(np.float32), y.astype(np.float32)


def _network(outputs: int = 1) -> Any:
    m.manual_seed(0)
    return m.Sequential(m.Linear(5, 32), m.Tanh(), m.Linear(32, outputs))


def _none(wanted: str = "none", **changes: Any) -> Case:
    x, y = _sine()
    given = {"network": _network(), "loss": m.MSELoss(), "rule": m.Adam(lr=1.0), "x": x, "y": y, **changes}
    return Case(wanted=wanted, right=lambda rate: rate is None, **given)


def _between(least: float, most: float, **changes: Any) -> Case:
    case = _none(f"{least:g} to {most:g}", **changes)
    case.right = lambda rate: rate is not None and least <= rate <= most
    return case


def clean() -> Case:
    """What it would be without any of the troubles below."""
    return _between(0.01, 0.2)


def spike() -> Case:
    """One row of 300 has a target fifty times as large as all others."""
    y = _sine()[1]
    y[7] = 50
    return _between(0.01, 0.2, y=y)


def spike_in_x() -> Case:
    """One row of 300 has inputs a thousand times as large."""
    x = _sine()[0]
    x[7] *= 1000
    return _between(0.01, 0.2, x=x)


def flat_start() -> Case:
    """The last link begins at nearly zero, so that the loss stays as it is for the first steps."""
    network = _network()
    network[2].weight.data *= 1e-4
    network[0].weight.data *= 1e-3
    return _between(0.003, 0.2, network=network)


def diverges_at_once() -> Case:
    """Plain gradient descent on inputs of a million: 1e-13 or so would be right, which is far out of the range."""
    x, y = _sine()
    return _none(network=m.Linear(5, 1), rule=m.SGD(lr=1.0), x=1e6 * x, y=y)


def diverges_early() -> Case:
    """Plain gradient descent on inputs of thousands: rates above 1e-6 or so diverge."""
    x, _ = _sine()
    m.manual_seed(0)
    y = x.sum(axis=1, keepdims=True)
    return _between(1e-8, 1.2e-6, network=m.Linear(5, 1), rule=m.SGD(lr=1.0), x=1000 * x, y=y)


def noise() -> Case:
    """The targets have nothing to do with x."""
    return _none(y=np.random.default_rng(2).standard_normal((300, 1)).astype(np.float32))


def noise_around_five() -> Case:
    """The same, around 5: the loss falls far, but all that can be learnt is a constant."""
    return _none(y=(5 + np.random.default_rng(3).standard_normal((300, 1))).astype(np.float32))


def noisy_labels() -> Case:
    """Three classes, drawn by lot."""
    y = np.random.default_rng(4).integers(3, size=300)
    return _none(network=_network(3), loss=m.CrossEntropyLoss(), y=y)


def trained() -> Case:
    """A linear network at its optimum."""
    x, _ = _sine()
    y = x @ np.float32([[1], [2], [0], [-1], [3]]) + 1
    m.manual_seed(0)
    network = m.Linear(5, 1)
    network.weight.data[...] = [[1, 2, 0, -1, 3]]
    network.bias.data[...] = 1
    y = y + np.random.default_rng(5).standard_normal(y.shape).astype(np.float32)
    m.fit(network, m.MSELoss(), x, y, rule=m.LBFGS(lr=1.0), batch_size=300, epochs=20, progress=False)
    return _none(network=network, x=x, y=y)


def constant_loss() -> Case:
    """The loss depends on nothing."""
    return _none(loss=Same())


def range_too_low() -> Case:
    """All rates of the range are too small."""
    return _none(options={"min_lr": 1e-8, "max_lr": 1e-5})


def range_too_high() -> Case:
    """All rates of the range are too large."""
    return _none(rule=m.SGD(lr=1.0), options={"min_lr": 3.0, "max_lr": 100.0})


CASES: dict[str, Callable[[], Case]] = {
    "no trouble": clean,
    "a spike among the targets": spike,
    "a spike among the inputs": spike_in_x,
    "a flat start": flat_start,
    "divergence at once": diverges_at_once,
    "divergence but at the smallest rates": diverges_early,
    "noise": noise,
    "noise around a constant": noise_around_five,
    "labels by lot": noisy_labels,
    "trained already": trained,
    "a constant loss": constant_loss,
    "the range too low": range_too_low,
    "the range too high": range_too_high,
}
