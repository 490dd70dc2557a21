"""Schedules in `fit`: by epochs, by steps, by a score; in NumPy as in the core."""

from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.optim import lr_scheduler
from maillon.random import Generator

DRAW = Generator(3)
X = DRAW.normal((24, 3), dtype=np.float64)
Y = DRAW.normal((24, 2), dtype=np.float64)


def network() -> m.Module:
    return m.Linear(3, 2, generator=Generator(1)).to("float64")


def rates(engine: str, **options: Any) -> tuple[list[float], list[float], m.History]:
    """The rate of each step, those of the history, and the history."""
    seen: list[float] = []
    watch = m.Callback()
    watch.on_step_end = lambda state: seen.append(state.optim.rule.param_groups[0]["lr"])  # type: ignore[method-assign]
    history = m.fit(
        network(),
        m.MSELoss(),
        X,
        Y,
        rule=m.SGD(lr=1.0, momentum=0.5),
        batch_size=8,
        callbacks=watch,
        engine=engine,
        progress=False,
        **options,
    )
    return seen, list(history["lr"]), history


engines = pytest.mark.parametrize("engine", ["numpy", "native"])


@engines
@pytest.mark.usefixtures("core")
def test_a_recipe_goes_by_epochs(engine: str) -> None:
    steps, epochs, _ = rates(engine, epochs=4, schedule=lr_scheduler.StepLR(step_size=2, gamma=0.1))
    assert epochs == pytest.approx([1.0, 1.0, 0.1, 0.1])
    assert steps == pytest.approx(np.repeat(epochs, 3))


@engines
@pytest.mark.usefixtures("core")
def test_the_one_cycle_goes_by_steps(engine: str) -> None:
    cycle = lr_scheduler.OneCycleLR(max_lr=0.5, epochs=4, steps_per_epoch=3)
    steps, _, history = rates(engine, epochs=4, schedule=cycle)
    rule = m.SGD([m.Parameter(np.ones(1))], lr=1.0, momentum=0.5)
    expected = cycle.bind(rule)
    by_hand = []
    for _ in range(12):
        by_hand.append(expected.get_last_lr()[0])
        expected.step()
    assert steps == pytest.approx(by_hand)
    assert history.steps == 12


@engines
@pytest.mark.usefixtures("core")
def test_any_schedule_may_go_by_steps(engine: str) -> None:
    steps, _, _ = rates(engine, epochs=1, schedule=lr_scheduler.ExponentialLR(gamma=0.5), schedule_by="step")
    assert steps == pytest.approx([1.0, 0.5, 0.25])
    steps, _, _ = rates(engine, epochs=2, schedule=lambda step: 1 / (1 + step), schedule_by="step")
    assert steps == pytest.approx([1 / (1 + step) for step in range(6)])


def test_gathered_steps_count_once() -> None:
    steps, _, _ = rates(
        "numpy", epochs=2, accumulate=2, schedule=lr_scheduler.ExponentialLR(gamma=0.5), schedule_by="step"
    )
    assert steps == pytest.approx([1.0, 1.0, 0.5, 0.25, 0.25, 0.125])  # the third of an epoch is left over, and moves


@engines
@pytest.mark.usefixtures("core")
def test_a_plateau_of_the_validation_loss(engine: str) -> None:
    plateau = lr_scheduler.ReduceLROnPlateau(factor=0.5, patience=0, threshold=0.9)
    _, epochs, _ = rates(engine, epochs=4, schedule=plateau, validation_data=(X, Y))
    assert epochs == pytest.approx([1.0, 1.0, 0.5, 0.25])


@engines
@pytest.mark.usefixtures("core")
def test_both_engines_move_alike_and_the_momentum_with_the_rate(engine: str) -> None:
    cycle = lr_scheduler.CyclicLR(base_lr=0.01, max_lr=0.2, step_size_up=4)
    results = []
    for chosen in ("numpy", engine):
        learner = m.Optim(network(), m.MSELoss(), m.SGD(lr=1.0, momentum=0.5))
        m.fit(learner, X, Y, batch_size=8, epochs=5, schedule=cycle, engine=chosen, shuffle=False)
        assert learner.rule.param_groups[0]["momentum"] != 0.5
        results.append(learner.network.state_dict()["weight"])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-10)


def test_a_schedule_of_the_rule_goes_on_in_the_next_fit() -> None:
    learner = m.Optim(network(), m.MSELoss(), m.SGD(lr=1.0))
    schedule = lr_scheduler.ExponentialLR(learner.rule, gamma=0.5)
    first = m.fit(learner, X, Y, epochs=2, schedule=schedule)
    second = m.fit(learner, X, Y, epochs=2, schedule=schedule)
    assert [*first["lr"], *second["lr"]] == pytest.approx([1.0, 0.5, 0.25, 0.125])
    assert schedule.last_epoch == 4


def test_a_recipe_serves_again_and_again() -> None:
    recipe = lr_scheduler.SequentialLR(
        None, [lr_scheduler.LinearLR(start_factor=0.5, total_iters=2), lr_scheduler.ExponentialLR(gamma=0.1)], [2]
    )
    for _ in range(2):
        _, epochs, _ = rates("numpy", epochs=4, schedule=recipe)
        assert epochs == pytest.approx([0.5, 0.75, 1.0, 0.1])


RULE = m.SGD([m.Parameter(np.ones(1))], lr=0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rates("numpy", schedule=lr_scheduler.StepLR), "got <class .*StepLR'>. Did you mean StepLR"),
        (lambda: rates("numpy", schedule_by="step"), "fit: expected a schedule beside schedule_by='step', got none."),
        (
            lambda: rates("numpy", schedule=lambda epoch: 1.0, schedule_by="batch"),
            "fit: expected schedule_by to be 'epoch', 'step' or None, got 'batch'.",
        ),
        (lambda: rates("numpy", schedule=lr_scheduler.StepLR(RULE, 3)), "is of another rule than the one that trains."),
        (
            lambda: rates("numpy", schedule=lr_scheduler.ReduceLROnPlateau(monitor="acuracy"), metrics="mae"),
            "expected monitor to be a score",
        ),
        (
            lambda: rates("numpy", schedule=lr_scheduler.ReduceLROnPlateau(), schedule_by="step"),
            "fit: ReduceLROnPlateau looks at the scores of epochs.",
        ),
        (lambda: lr_scheduler.StepLR(RULE), "StepLR: expected step_size, got none."),
        (lambda: lr_scheduler.StepLR(RULE, 0), "StepLR: expected step_size to be an integer ≥ 1, got 0."),
        (lambda: lr_scheduler.StepLR(step_size=3).step(), "StepLR: a recipe without a rule does not step."),
        (lambda: lr_scheduler.StepLR(RULE, 3).bind(RULE), "StepLR: it has its rule already."),
        (
            lambda: lr_scheduler.StepLR(m.SGD([m.Parameter(np.ones(1))]), 3, last_epoch=2),
            "the groups have no initial_lr",
        ),
        (
            lambda: lr_scheduler.LinearLR(RULE, start_factor=0.0),
            r"expected start_factor to be a number in \(0, 1\], got 0.0",
        ),
        (
            lambda: lr_scheduler.OneCycleLR(RULE, 0.1),
            "expected total_steps, or epochs and steps_per_epoch, got neither.",
        ),
        (
            lambda: lr_scheduler.CyclicLR(RULE, 0.1, 0.2, mode="zigzag"),
            "expected mode to be 'triangular', 'triangular2'",
        ),
        (
            lambda: lr_scheduler.CyclicLR(m.optim.Adagrad([m.Parameter(np.ones(1))]), 0.1, 0.2),
            "CyclicLR: cycle_momentum needs a rule with momentum or betas",
        ),
        (
            lambda: lr_scheduler.ReduceLROnPlateau(RULE, factor=1.0),
            r"expected factor to be a number in \[0, 1\), got 1.0",
        ),
        (lambda: lr_scheduler.ReduceLROnPlateau(RULE).step(), r"expected step\(score\), such as the validation loss"),
        (lambda: lr_scheduler.SequentialLR(RULE, [], []), "SequentialLR: expected at least one schedule, got none."),
        (
            lambda: lr_scheduler.SequentialLR(RULE, [lr_scheduler.StepLR(RULE, 1)], [3]),
            "SequentialLR: expected 0 milestones for 1 schedules, got 1.",
        ),
        (
            lambda: lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(RULE, 1), lr_scheduler.ReduceLROnPlateau(RULE)]),
            r"ChainedScheduler\[1\]: expected a schedule that needs nothing but its step\(\)",
        ),
        (
            lambda: lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(RULE, 1), lr_scheduler.StepLR(step_size=1)]),
            r"ChainedScheduler\[1\]: expected .* to be of the same rule as the others",
        ),
    ],
)
def test_wrong_calls(make: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError, RuntimeError), match=message):
        make()


def test_a_cycle_may_not_be_outlived() -> None:
    schedule = lr_scheduler.OneCycleLR(m.SGD([m.Parameter(np.ones(1))], momentum=0.9), 0.1, total_steps=2)
    schedule.step()
    schedule.step()
    with pytest.raises(ValueError, match="expected at most total_steps = 2 steps, got step 3"):
        schedule.step()


def test_restarts_go_to_any_epoch() -> None:
    rule = m.SGD([m.Parameter(np.ones(1))], lr=1.0)
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(rule, T_0=2, T_mult=2)
    schedule.step(4.0)
    assert schedule.get_last_lr() == pytest.approx([0.5])  # half way through the period of four epochs
    schedule.step(6.5)
    assert schedule.get_last_lr() == pytest.approx([(1 + np.cos(np.pi * 0.5 / 8)) / 2])
    assert repr(schedule).startswith("CosineAnnealingWarmRestarts(T_0=2, T_i=8, T_mult=2")
