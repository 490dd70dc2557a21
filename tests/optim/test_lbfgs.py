"""LBFGS: a step that fails leaves everything as it was; what counts is an integer."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import maillon
from maillon import optim
from maillon.random import Generator

X, Y = Generator(2).normal((24, 3), dtype=np.float64), Generator(3).normal((24, 2), dtype=np.float64)


def uphill(parameter: maillon.Parameter, limit: float) -> Callable[[], float]:
    """A closure that raises once the parameter has come too far."""

    def closure() -> float:
        if abs(parameter.data).max() > limit:
            raise maillon.NonFiniteLossError(math.inf, "none")
        parameter.grad = -np.exp(abs(parameter.data)) * np.sign(parameter.data)
        return float(-np.exp(abs(parameter.data)).sum())

    return closure


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
def test_lbfgs_puts_all_back_when_the_loss_is_not_finite(line_search: str | None) -> None:
    parameter = maillon.Parameter(np.array([1.0, -2.0]))
    rule = optim.LBFGS([parameter], lr=1.0, max_iter=30, line_search_fn=line_search)
    data = parameter.data
    with pytest.raises(maillon.NonFiniteLossError):
        rule.step(uphill(parameter, 10.0))
    np.testing.assert_array_equal(parameter.data, [1.0, -2.0])
    assert parameter.data is data
    assert rule.state == {}
    short = optim.LBFGS([parameter], lr=0.1, max_iter=2, line_search_fn=line_search)
    short.step(uphill(parameter, 1e3))
    before, reached = copy.deepcopy(short.state_dict()), parameter.data.copy()
    with pytest.raises(maillon.NonFiniteLossError):
        while True:
            reached, before = parameter.data.copy(), copy.deepcopy(short.state_dict())
            short.step(uphill(parameter, 8.0))
    np.testing.assert_array_equal(parameter.data, reached)
    assert repr(short.state_dict()) == repr(before)


class Quartic(maillon.Loss):
    """Steep enough for a step that is far too long."""

    def elements(self, prediction: Any, target: Any) -> Any:
        error = prediction - target
        return error**4, (error,)

    def elements_backward(self, grad_elements: Any, error: Any) -> Any:
        return 4 * error**3 * grad_elements


def weights(of: maillon.Module) -> np.ndarray[Any, Any]:
    return np.concatenate([parameter.data.ravel() for parameter in of.parameters()])


def test_lbfgs_in_optim_says_the_truth_about_a_loss_that_is_not_finite() -> None:
    network = maillon.Linear(3, 2, dtype="float64", generator=Generator(7))
    learner = maillon.Optim(network, Quartic(), optim.LBFGS(lr=1e90))
    before = weights(network)
    with pytest.raises(maillon.NonFiniteLossError):
        learner.step(X, Y)
    np.testing.assert_array_equal(weights(network), before)


def test_a_rate_of_zero_leaves_no_line_to_search() -> None:
    """As a cosine's schedule ends: the step moves nothing, and the next one goes on."""
    network = maillon.Linear(3, 2, dtype="float64", generator=Generator(7))
    learner = maillon.Optim(network, maillon.MSELoss(), optim.LBFGS(line_search_fn="strong_wolfe", lr=0.0))
    before = weights(network)
    loss = learner.step(X, Y)
    np.testing.assert_array_equal(weights(network), before)
    learner.rule.param_groups[0]["lr"] = 1.0
    assert learner.step(X, Y) == loss
    assert learner.step(X, Y) < loss


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_iter": 2.5}, "LBFGS: expected max_iter to be an integer ≥ 0, got 2.5."),
        ({"max_iter": True}, "LBFGS: expected max_iter to be an integer ≥ 0, got True."),
        ({"max_eval": 2.5}, "LBFGS: expected max_eval to be an integer ≥ 0, got 2.5."),
        ({"history_size": 0}, "LBFGS: expected history_size to be an integer ≥ 1, got 0."),
    ],
)
def test_lbfgs_counts_in_integers(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        optim.LBFGS(**options)
    assert str(caught.value) == message
