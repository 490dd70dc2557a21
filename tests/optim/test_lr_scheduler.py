"""LambdaLR: the rate as a function of the epoch."""

from collections.abc import Callable

import numpy as np
import pytest

from maillon import SGD, Adam, Parameter
from maillon.optim import LambdaLR, Rprop, Rule, lr_scheduler


def bound() -> SGD:
    return SGD([{"params": [Parameter(np.ones(1))]}, {"params": [Parameter(np.ones(1))], "lr": 1.0}], lr=0.1)


def test_rates_follow_the_function_from_the_initial_ones() -> None:
    rule = bound()
    schedule = LambdaLR(rule, lambda epoch: 0.5**epoch)
    assert schedule.get_last_lr() == [0.1, 1.0]
    schedule.step()
    schedule.step()
    assert schedule.get_last_lr() == [0.025, 0.25] == [group["lr"] for group in rule.param_groups]
    assert schedule.last_epoch == 2


def test_the_first_factor_applies_at_once_and_groups_have_functions_of_their_own() -> None:
    schedule = LambdaLR(bound(), [lambda epoch: 2.0, lambda epoch: 1 + epoch])
    assert schedule.get_last_lr() == [0.2, 1.0]
    schedule.step()
    assert schedule.get_last_lr() == [0.2, 2.0]


def test_the_state_goes_on_where_it_was() -> None:
    schedule = LambdaLR(bound(), lambda epoch: 1 / (1 + epoch))
    schedule.step()
    other = LambdaLR(bound(), lambda epoch: 1 / (1 + epoch))
    other.load_state_dict(schedule.state_dict())
    schedule.step()
    other.step()
    assert other.get_last_lr() == schedule.get_last_lr()
    rates = [0.1 / 3, 1.0 / 3]
    assert other.state_dict() == {
        "base_lrs": [0.1, 1.0],
        "last_epoch": 2,
        "_last_lr": pytest.approx(rates),
        "lr_lambdas": [None, None],
    }


def test_what_it_refuses() -> None:
    with pytest.raises(TypeError) as caught:
        LambdaLR(Adam(), lambda epoch: 1.0)
    assert str(caught.value).startswith("LambdaLR: expected a bound rule, got Adam(lr=0.001")
    assert str(caught.value).endswith("Bind it: rule.bind(parameters).")
    with pytest.raises(TypeError, match="expected a bound rule, got 3"):
        LambdaLR(3, lambda epoch: 1.0)
    with pytest.raises(ValueError, match="LambdaLR: expected one function for each of 2 groups, got 1"):
        LambdaLR(bound(), [lambda epoch: 1.0])


def test_a_rate_below_zero_changes_nothing() -> None:
    rule = bound()
    schedule = LambdaLR(rule, [lambda epoch: 0.5, lambda epoch: 1.0 - epoch * 2])
    with pytest.raises(
        ValueError, match="LambdaLR: expected the rate of epoch 1 to be a number ≥ 0 and finite, got -1"
    ):
        schedule.step()
    assert [group["lr"] for group in rule.param_groups] == [0.05, 1.0]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            lambda: LambdaLR(bound(), 0.9),
            TypeError,
            "LambdaLR: expected lr_lambda to be a function of the epoch, or several, got 0.9.",
        ),
        (
            lambda: lr_scheduler.MultiStepLR(bound(), 30),
            TypeError,
            "MultiStepLR: expected milestones to be several epochs, got 30.",
        ),
        (
            lambda: lr_scheduler.OneCycleLR(bound(), "fast", 10),
            ValueError,
            "OneCycleLR: expected max_lr to be a number, got 'fast'.",
        ),
        (
            lambda: lr_scheduler.ChainedScheduler(3),
            TypeError,
            "ChainedScheduler: expected schedulers to be a list, got 3.",
        ),
        (lambda: Rprop(etas=0.5), ValueError, "Rprop: expected etas to be two numbers, got 0.5."),
        (lambda: SGD(dampening="no"), ValueError, "SGD: expected dampening to be a number, got 'no'."),
        (
            lambda: Adam(learning_rate=0.1),
            TypeError,
            "Adam: unknown options ['learning_rate']. See help(Adam) for those it has.",
        ),
        (
            lambda: bound().add_param_group([Parameter(np.ones(1))]),
            TypeError,
            "SGD: expected a group, {'params': …}, got list.",
        ),
        (
            lambda: bound().load_state_dict({"weight": np.ones(1)}),
            ValueError,
            "SGD.load_state_dict: expected the keys 'state' and 'param_groups', got ['weight']. "
            "Give what a rule's state_dict() returned, not a network's.",
        ),
    ],
)
def test_wrong_calls(wrong: Callable[[], Rule], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        wrong()
    assert str(caught.value) == message
