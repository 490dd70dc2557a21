"""Graph, Residual and Parallel train and predict in the core as in NumPy, with several inputs too."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import close, require_core, same_for_both

import maillon as m
from maillon.random import Generator

NUMBERS = np.random.default_rng(3)
IMAGE = NUMBERS.normal(size=(20, 3)).astype(np.float32)
TEXT = NUMBERS.normal(size=(20, 2)).astype(np.float32)
PRICE = IMAGE[:, :1] * 2 - TEXT[:, 1:]


@pytest.fixture(autouse=True)
def _core() -> None:
    require_core()


def linear(inputs: int, outputs: int) -> m.Linear:
    return m.Linear(inputs, outputs, generator=Generator(inputs))


def two_inputs() -> m.Graph:
    nodes = {"both": (m.Concat(), "image", "text"), "y": (linear(5, 1), "both")}
    return m.Graph(["image", "text"], nodes, "y")


CONTAINERS: dict[str, tuple[Callable[[], m.Module], Any]] = {
    "graph": (lambda: m.Graph("x", {"y": (linear(3, 1), "x")}, "y"), IMAGE),
    "residual": (lambda: m.Sequential(m.Residual(linear(3, 3)), linear(3, 1)), IMAGE),
    "parallel": (
        lambda: m.Sequential(linear(3, 3), m.Parallel(m.Tanh(), m.ReLU()), m.Concat(), linear(6, 1)),
        IMAGE,
    ),
    "two inputs": (two_inputs, (IMAGE, TEXT)),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_train_and_predict_as_in_numpy(name: str) -> None:
    make, x = CONTAINERS[name]
    same_for_both(
        lambda: m.Optim(make(), m.MSELoss(), m.Adam(lr=0.01)), x, PRICE, 1e-5, batch_size=8, epochs=3, shuffle=False
    )
    if isinstance(x, tuple):
        return  # predictions from several inputs are NumPy's
    network = make()
    close("prediction", m.predict(network, x, engine="native"), m.predict(network, x, engine="numpy"), 1e-5)
    found, expected = (m.evaluate(network, m.MSELoss(), x, PRICE, engine=on)["loss"] for on in ("native", "numpy"))
    assert found == pytest.approx(expected, rel=1e-5)
