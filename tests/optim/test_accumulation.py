"""Gradients gathered over several mini-batches, rules that look twice, and running averages of the weights."""

from typing import Any

import numpy as np
import pytest

import maillon
from maillon import optim
from maillon.random import Generator
from maillon.train import ExponentialMovingAverage

DRAW = Generator(2)
X = DRAW.normal((24, 3), dtype=np.float64)
Y = DRAW.normal((24, 2), dtype=np.float64)


def network() -> maillon.Module:
    generator = Generator(7)
    first = maillon.Linear(3, 4, generator=generator)
    return maillon.Sequential(first, maillon.Tanh(), maillon.Linear(4, 2, generator=generator)).to("float64")


def weights(of: maillon.Module) -> np.ndarray[Any, Any]:
    return np.concatenate([parameter.data.ravel() for parameter in of.parameters()])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("rule", [optim.SGD(lr=0.01, momentum=0.9), optim.Adam(lr=0.01)], ids=["SGD", "Adam"])
@pytest.mark.parametrize("clip", [{}, {"clip_grad_norm": 0.1}, {"clip_grad_value": 0.05}], ids=str)
def test_small_batches_gathered_are_a_large_one(reduction: str, rule: optim.Rule, clip: dict[str, float]) -> None:
    loss = maillon.MSELoss(reduction=reduction)
    large, small = network(), network()
    maillon.fit(large, loss, X, Y, rule=rule, batch_size=12, epochs=3, shuffle=False, engine="numpy", **clip)
    history = maillon.fit(
        small, loss, X, Y, rule=rule, batch_size=4, accumulate=3, epochs=3, shuffle=False, engine="numpy", **clip
    )
    np.testing.assert_allclose(weights(small), weights(large), rtol=1e-12, atol=1e-14)
    assert history.steps == 18


def test_what_is_left_over_moves_the_parameters_at_the_end_of_the_epoch() -> None:
    by_fit, by_sgd, by_hand = network(), network(), network()
    maillon.fit(by_fit, maillon.MSELoss(), X, Y, rule=0.1, batch_size=8, accumulate=2, shuffle=False, engine="numpy")
    maillon.sgd(
        maillon.Optim(by_sgd, maillon.MSELoss(), 0.1, accumulate=2), X, Y, batch_size=8, epochs=1, shuffle=False
    )
    steps = maillon.Optim(by_hand, maillon.MSELoss(), 0.1)
    steps.step(X[:16], Y[:16])
    steps.step(X[16:], Y[16:])
    np.testing.assert_allclose(weights(by_fit), weights(by_hand), rtol=1e-12)
    np.testing.assert_array_equal(weights(by_fit), weights(by_sgd))


def test_a_step_that_fails_drops_what_was_gathered() -> None:
    learner = maillon.Optim(network(), maillon.MSELoss(), 0.1, accumulate=2)
    before = weights(learner.network)
    learner.step(X, Y)
    with pytest.raises(maillon.NonFiniteLossError):
        learner.step(X, Y * np.inf)
    np.testing.assert_array_equal(weights(learner.network), before)
    learner.flush()
    np.testing.assert_array_equal(weights(learner.network), before)


def test_the_core_leaves_accumulation_to_numpy() -> None:
    history = maillon.fit(network(), maillon.MSELoss(), X, Y, rule=0.1, accumulate=2, epochs=1)
    assert history.engine == "numpy"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: maillon.Optim(network(), maillon.MSELoss(), 0.1, accumulate=0),
            "expected accumulate to be an integer ≥ 1",
        ),
        (
            lambda: maillon.Optim(network(), maillon.MSELoss(), optim.LBFGS(), accumulate=2),
            "expected accumulate=1 with LBFGS, which looks at one loss.",
        ),
        (
            lambda: maillon.fit(maillon.Optim(network(), maillon.MSELoss(), 0.1), X, Y, accumulate=2),
            "fit: an Optim has its own attributes, got accumulate=2 beside it.",
        ),
        (lambda: ExponentialMovingAverage(network(), decay=1.0), r"expected decay to be a number in \[0, 1\), got 1.0"),
        (
            lambda: optim.Adam(lr=0.1, fused=True),
            "Adam: fused=True is not supported: it chooses among PyTorch's kernels.",
        ),
        (lambda: optim.AdamW(decoupled_weight_decay=False), "AdamW: expected decoupled_weight_decay=True, got False."),
        (lambda: optim.Rprop(etas=(1.2, 0.5)), r"Rprop: expected etas to be \(η⁻, η⁺\) with 0 < η⁻ < 1 < η⁺"),
        (lambda: optim.LBFGS(line_search_fn="wolfe"), "LBFGS: expected line_search_fn to be None or 'strong_wolfe'"),
        (lambda: optim.Adadelta(rho=1.5), r"Adadelta: expected rho to be a number in \[0, 1\], got 1.5"),
        (lambda: optim.RMSprop(alfa=0.9), r"RMSprop: unknown options \['alfa'\]"),
        (
            lambda: optim.LBFGS(network().parameters()).step(),
            r"LBFGS: expected step\(closure\): it evaluates the loss several times.",
        ),
        (
            lambda: optim.LBFGS([{"params": [p]} for p in network().parameters()]),
            "LBFGS: expected one group of parameters, got several.",
        ),
    ],
)
def test_wrong_calls(make: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError, NotImplementedError), match=message):
        make()


def test_a_step_returns_what_the_closure_gave() -> None:
    parameter = maillon.Parameter(np.array([2.0]))

    def closure() -> float:
        parameter.grad = 2 * parameter.data
        return 4.0

    assert optim.SGD([parameter], lr=0.25).step(closure) == 4.0
    assert parameter.data == [1.0]


def test_lbfgs_in_fit_and_its_state() -> None:
    learner = maillon.Optim(network(), maillon.MSELoss(), optim.LBFGS(max_iter=4, line_search_fn="strong_wolfe"))
    history = maillon.fit(learner, X, Y, batch_size=24, epochs=10)
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    twin = maillon.Optim(network(), maillon.MSELoss(), optim.LBFGS(max_iter=4, line_search_fn="strong_wolfe"))
    twin.network.load_state_dict(learner.network.state_dict())
    twin.rule.load_state_dict(learner.rule.state_dict())
    for one in (learner, twin):
        one.step(X, Y)
    np.testing.assert_array_equal(weights(learner.network), weights(twin.network))


def test_the_running_average_of_the_weights() -> None:
    learner = maillon.Optim(network(), maillon.MSELoss(), 0.1)
    average = ExponentialMovingAverage(learner.network, decay=0.8)
    seen = []
    record = maillon.Callback()
    record.on_step_end = lambda state: seen.append(weights(state.network))  # type: ignore[method-assign]
    maillon.fit(learner, X, Y, batch_size=8, epochs=4, callbacks=[record, average])
    expected = seen[0]
    for later in seen[1:]:
        expected = 0.8 * expected + 0.2 * later
    np.testing.assert_allclose(weights(average.network), expected, rtol=1e-12)
    own = weights(learner.network)
    with average.averaged() as lent:
        np.testing.assert_array_equal(weights(lent), weights(average.network))
    np.testing.assert_array_equal(weights(learner.network), own)
    again = ExponentialMovingAverage(learner.network)
    again.load_state_dict(average.state_dict())
    assert again.steps == average.steps == 12
    np.testing.assert_array_equal(weights(again.network), weights(average.network))


def test_an_average_follows_one_network() -> None:
    average = ExponentialMovingAverage(network())
    with pytest.raises(ValueError, match="follows another network"):
        maillon.fit(network(), maillon.MSELoss(), X, Y, callbacks=average)


def test_an_average_counts_the_moves_not_the_mini_batches() -> None:
    learner = network()
    average = maillon.train.ExponentialMovingAverage(learner, decay=0.5)
    taken = []

    def note(state: maillon.train.callbacks.State) -> None:
        taken.append(state.network.state_dict()["0.weight"].copy())

    for _ in range(2):
        maillon.fit(
            learner, maillon.MSELoss(), X, Y, rule=0.1, batch_size=4, accumulate=10**6, callbacks=[average, note]
        )
    assert average.steps == 2
    np.testing.assert_allclose(average.network.state_dict()["0.weight"], (taken[0] + taken[1]) / 2, rtol=1e-5)
