"""Networks that are no chains of what the core knows: they run in NumPy, and what stands in the way is named."""

from collections.abc import Callable

import numpy as np
import pytest
from cores import require_core

import maillon as m
from maillon.engine import FallbackWarning
from maillon.train import stepping

NUMBERS = np.random.default_rng(3)
IMAGE = NUMBERS.normal(size=(20, 3)).astype(np.float32)
TEXT = NUMBERS.normal(size=(20, 2)).astype(np.float32)
PRICE = IMAGE[:, :1] * 2 - TEXT[:, 1:]


@pytest.fixture(autouse=True)
def _core() -> None:
    require_core()


def two_inputs() -> m.Graph:
    nodes = {"both": (m.Concat(), "image", "text"), "y": (m.Linear(5, 1), "both")}
    return m.Graph(["image", "text"], nodes, "y")


CONTAINERS: dict[str, tuple[Callable[[], m.Module], str]] = {
    "graph": (lambda: m.Graph("x", {"y": (m.Linear(3, 1), "x")}, "y"), "Graph(…)"),
    "residual": (lambda: m.Sequential(m.Residual(m.Linear(3, 3)), m.Linear(3, 1)), "[0] Residual(Linear(3, 3))"),
    "parallel": (
        lambda: m.Sequential(m.Linear(3, 3), m.Parallel(m.Tanh(), m.ReLU()), m.Concat(), m.Linear(6, 1)),
        "[1] Parallel(…)",
    ),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_what_the_core_does_not_know_runs_in_numpy_and_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, shown = CONTAINERS[name]
    monkeypatch.setattr(stepping, "_told", set())
    said = f"{shown} is not among the links it knows"
    with pytest.raises(RuntimeError) as caught:
        m.fit(make(), m.MSELoss(), IMAGE, PRICE, engine="native")
    assert str(caught.value) == f"engine='native': {said}. Pass engine='auto' to train in NumPy where it must."
    with pytest.raises(RuntimeError) as caught:
        m.predict(make(), IMAGE, engine="native")
    assert str(caught.value) == f"engine='native': {said}. Pass engine='auto' to compute in NumPy where it must."
    with pytest.warns(FallbackWarning) as told:
        history = m.fit(make(), m.MSELoss(), IMAGE, PRICE, engine="auto")
    assert [str(each.message) for each in told] == [f"fit runs in NumPy, not in the compiled core: {said}."]
    assert history.engine == "numpy"


def test_a_network_of_several_inputs_is_named() -> None:
    for call in (
        lambda: m.fit(two_inputs(), m.MSELoss(), (IMAGE, TEXT), PRICE, engine="native"),
        lambda: m.predict(two_inputs(), (IMAGE, TEXT), engine="native"),
        lambda: m.evaluate(two_inputs(), m.MSELoss(), (IMAGE, TEXT), PRICE, engine="native"),
    ):
        with pytest.raises(RuntimeError, match=r"^engine='native': Graph\(…\) is not among the links it knows\. Pass"):
            call()
