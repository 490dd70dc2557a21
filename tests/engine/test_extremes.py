"""Options and shapes at the edge: the core means what NumPy means, or leaves it to NumPy and says so."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.engine import FallbackWarning, NotLoweredError, PlanError, step
from maillon.random import Generator
from maillon.train import stepping

pytestmark = pytest.mark.usefixtures("core")

INF, NAN = float("inf"), float("nan")
X = Generator(3).normal((5, 3))
LABELS = np.array([0, 1, 0, 1, 1])


def chain(*more: m.Module) -> m.Sequential:
    return m.Sequential(m.Linear(3, 2, generator=Generator(1)), *more)


def result(function: Callable[[], Any]) -> Any:
    """What it returns, or the error's type and text."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return function()
        except Exception as error:
            return type(error), str(error)


def require_same(found: Any, expected: Any) -> None:
    if isinstance(expected, tuple):
        assert found == expected
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def trained(network: Callable[[], m.Module], loss: m.Loss, x: Any, y: Any, engine: str) -> Any:
    learner = network()
    history = m.fit(learner, loss, x, y, rule=0.1, batch_size=2, epochs=2, generator=Generator(0), engine=engine)
    return np.concatenate([history["loss"], *(parameter.data.ravel() for parameter in learner.parameters())])


NETWORKS: dict[str, tuple[Callable[[], m.Module], str]] = {
    "an infinite slope": (lambda: chain(m.LeakyReLU(INF)), ""),  # that link alone runs in NumPy
    "a slope too large": (lambda: chain(m.LeakyReLU(1e300)), ""),
    "a dimension that is not there": (
        lambda: chain(m.Softmax(2**70)),
        f"Softmax(dim={2**70}): expected x with a dimension {2**70}, got shape (5, 2). dim must be in -2…1",
    ),
    "nothing to flatten": (
        lambda: chain(m.Flatten(1, 0)),
        "Flatten(1, 0): expected x with dimensions 1 to 0, got shape (5, 2). The first dimension is the batch: a "
        "single sample needs x[None]",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_links_at_the_edge_run_as_in_numpy(name: str) -> None:
    make, reason = NETWORKS[name]
    expected = result(lambda: m.predict(make(), X, engine="numpy"))
    require_same(result(lambda: m.predict(make(), X)), expected)
    require_same(result(lambda: m.compile(make())(X)), expected)
    native = result(lambda: m.predict(make(), X, engine="native"))
    if reason:
        text = f"engine='native': {reason}. Pass engine='auto' to compute in NumPy where it must."
        expected = RuntimeError, text
    require_same(native, expected)
    for engine in ("evaluate", "fit"):
        found = [
            result(
                lambda on=on, engine=engine: (
                    trained(make, m.MSELoss(), X, X[:, :2], on)
                    if engine == "fit"
                    else m.evaluate(make(), m.MSELoss(), X, X[:, :2], engine=on)["loss"]
                )
            )
            for on in ("auto", "numpy")
        ]
        require_same(*found)


@pytest.mark.parametrize("dim", [0, -2])
@pytest.mark.parametrize("link", [m.Softmax, m.LogSoftmax])
def test_a_softmax_over_no_rows(link: Callable[[int], m.Module], dim: int) -> None:
    network = chain(link(dim))
    expected = result(lambda: m.predict(network, X[:0], engine="numpy"))
    require_same(result(lambda: m.predict(network, X[:0])), expected)
    require_same(result(lambda: m.compile(network)(X[:0])), expected)
    require_same(result(lambda: m.predict(network, X[:0], engine="native")), expected)


@pytest.mark.parametrize("ignored", [2**63 - 1, 2**63, 2**70, -(2**63), -(2**63) - 1, -(2**70)])
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
def test_labels_to_ignore_that_no_target_can_hold(name: str, ignored: int, monkeypatch: pytest.MonkeyPatch) -> None:
    loss = getattr(m, name)(ignore_index=ignored)
    network = (lambda: chain(m.LogSoftmax(-1))) if name == "NLLLoss" else chain
    expected = trained(network, loss, X, LABELS, "numpy")
    if -(2**63) <= ignored < 2**63:
        require_same(trained(network, loss, X, LABELS, "native"), expected)
        return
    told = f"{loss!r} ignores a label that no target of 64 bits can hold"
    monkeypatch.setattr(stepping, "_told", set())
    with pytest.warns(FallbackWarning) as caught:
        require_same(trained(network, loss, X, LABELS, "native"), expected)
    assert str(caught[0].message) == f"fit runs {name} in NumPy, and the rest in the compiled core: {told}."
    require_same(
        m.evaluate(network(), loss, X, LABELS)["loss"], m.evaluate(network(), loss, X, LABELS, engine="numpy")["loss"]
    )


def test_a_plan_that_the_verifier_refuses_is_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_plan: Any, _known: Any) -> None:
        raise PlanError("operation 0, linear: planted")

    assert issubclass(PlanError, NotLoweredError)
    monkeypatch.setattr(step, "verify", refuse)
    expected = trained(chain, m.MSELoss(), X, X[:, :2], "numpy")
    with pytest.warns(FallbackWarning) as caught:
        found = trained(chain, m.MSELoss(), X, X[:, :2], "auto")
    np.testing.assert_array_equal(found, expected)
    assert str(caught[0].message) == "fit runs in NumPy, not in the compiled core: operation 0, linear: planted."
