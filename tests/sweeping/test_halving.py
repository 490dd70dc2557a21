"""Successive halving: its rungs, who goes on, and that those end as if nobody had looked."""

import threading
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.sweeping import planners
from maillon.sweeping.planners import Halving, Order, Rungs
from maillon.sweeping.sweep import sweep
from maillon.sweeping.task import Job, Outcome
from tests.sweeping.conftest import Data
from tests.sweeping.networks import classifier
from tests.sweeping.test_sweep import SPACE, alone, state


@pytest.mark.parametrize(
    ("factor", "first", "trials", "epochs", "rungs"),
    [
        (3, None, 27, 27, [1, 3, 9, 27]),
        (3, None, 9, 27, [3, 9, 27]),
        (3, None, 1000, 20, [3, 7, 20]),
        (2, None, 1, 10, [10]),
        (2, None, 2, 1, [1]),
        (4, 1, 1000, 20, [1, 4, 20]),
        (3, 2, 27, 20, [2, 6, 20]),
        (3, 20, 27, 20, [20]),
    ],
)
def test_rungs(factor: int, first: int | None, trials: int, epochs: int, rungs: list[int]) -> None:
    assert Halving(factor, first).rungs(trials, epochs) == rungs


def played(halving: Halving, costs: list[float], epochs: int = 9, width: int = 1) -> dict[int, int]:
    """How far each comes whose score is always the same; `width` run at a time, the last one begun ends first."""
    trials = iter([({}, 0)] * len(costs))
    planner = Rungs(halving, trials, len(costs), epochs, Order("loss", 1))
    far: dict[int, int] = {}
    running: list[Job] = []
    while True:
        while len(running) < width and (job := planner.next()) is not None:
            running.append(job)
        if not running:
            return far
        job = running.pop()
        assert job.until > far.get(job.number, 0)
        far[job.number] = job.until
        planner.take(Outcome(job, scores={"loss": costs[job.number]}))


@pytest.mark.parametrize("width", [1, 2, 9, 50])
def test_the_best_go_on(width: int) -> None:
    costs = list(np.random.default_rng(0).permutation(27) / 27.0)
    far = played(Halving(3), costs, 27, width)
    order = np.argsort(costs)
    expected = {
        int(number): 27 if rank < 1 else 9 if rank < 3 else 3 if rank < 9 else 1 for rank, number in enumerate(order)
    }
    assert far == expected


@pytest.mark.parametrize("width", [1, 3, 8])
def test_asynchronous_rungs(width: int) -> None:
    """Nobody goes on who is not among the best third of those seen at that moment; one in three does, in the end."""
    numbers = np.random.default_rng(1)
    for _ in range(20):
        costs = list(numbers.random(40))
        far = played(Halving(3, min_epochs=1, asynchronous=True), costs, 9, width)
        assert len(far) == 40
        reached = [sum(epoch >= rung for epoch in far.values()) for rung in (1, 3, 9)]
        assert reached[0] == 40 and reached[1] == 40 // 3 and reached[2] == (40 // 3) // 3


def test_no_score_does_not_go_on() -> None:
    assert played(Halving(2, min_epochs=1), [float("nan"), float("nan"), 1.0], 4) == {0: 1, 1: 1, 2: 4}
    assert played(Halving(2, min_epochs=1), [float("nan")] * 3, 4) == {0: 1, 1: 1, 2: 1}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("most", [1024, 1, 0])
def test_bits(classes: Data, asynchronous: bool, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that went on end as by `fit` alone, whether they waited in memory or began anew."""
    monkeypatch.setattr(planners, "_MOST_PAUSED", most)
    x, y = classes
    halving = Halving(2, min_epochs=1, asynchronous=asynchronous)
    result = sweep(classifier, SPACE, x, y, loss=m.CrossEntropyLoss(), n=16, epochs=8, halving=halving, keep=None)
    assert {trial.epochs for trial in result} >= {1, 2, 8}
    assert all((trial.state == "done") == (trial.epochs == 8) for trial in result)
    for trial in result:
        network, history = alone(trial, x, y, 8) if trial.epochs == 8 else (None, None)
        if history is not None and network is not None:
            assert state(network) == state(trial.network)
            assert history["loss"] == trial.history["loss"]
            assert [epoch for epoch, _ in trial.rungs] == halving.rungs(16, 8)


def test_pauses_change_nothing_for_schedules_and_gathered_gradients(classes: Data) -> None:
    x, y = classes
    options: Any = {"loss": m.CrossEntropyLoss(), "epochs": 8, "accumulate": 3, "shuffle": True, "drop_last": True}
    space = {"schedule": [lambda epoch: 0.9**epoch, m.optim.lr_scheduler.OneCycleLR(max_lr=0.1, total_steps=60)]}
    straight = sweep(classifier, space, x, y, **options)
    halved = sweep(classifier, space, x, y, halving=Halving(2, min_epochs=1), **options)
    done = [trial for trial in halved if trial.state == "done"]
    assert done
    for trial in done:
        assert state(trial.network) == state(straight[trial.number].network)


def test_the_best_is_of_those_that_went_furthest(classes: Data) -> None:
    x, y = classes
    result = sweep(
        classifier, SPACE, x, y, loss=m.CrossEntropyLoss(), n=20, epochs=9, halving=3, validation_split=0.3,
        metrics="accuracy", monitor="val_accuracy",
    )  # fmt: skip
    assert result.mode == "max" and result.best.state == "done"
    furthest = [trial.score for trial in result if trial.state == "done"]
    assert result.best.score == max(furthest)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_those_that_wait_take_no_more_than_so_many_bytes(
    classes: Data, asynchronous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planners, "_MOST_BYTES", 10 * 2**10)
    monkeypatch.setattr("maillon.sweeping.task._REDONE_S", 0.0)  # all wait in memory
    most = 0
    hold = Rungs._hold

    def look(self: Rungs, place: Any) -> None:
        nonlocal most
        hold(self, place)
        waiting = [job for scored in self._scored for _, _, job in scored if job.paused]
        most = max(most, sum(course.bytes for job in waiting for course in job.paused))

    monkeypatch.setattr(Rungs, "_hold", look)
    halving = Halving(2, min_epochs=1, asynchronous=asynchronous)
    result = sweep(
        classifier, SPACE, *classes, loss=m.CrossEntropyLoss(), n=24, epochs=8, halving=halving, keep=None, seed=5
    )
    assert 0 < most <= 10 * 2**10
    for trial in result:
        if trial.state == "done":
            assert state(alone(trial, *classes, 8)[0]) == state(trial.network)


def test_plans_of_large_trainings_are_not_kept(classes: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    monkeypatch.setattr("maillon.sweeping.templates.Templates.give", lambda self, key, template: kept.append(template))
    for width, expected in ((10, 3), (100_000, 0)):
        kept.clear()
        sweep(classifier, {"width": [width], "lr": [0.1, 0.2, 0.3]}, *classes, loss=m.CrossEntropyLoss(), epochs=1)
        assert len(kept) == expected


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("redone", [0.0, 1e9])
def test_those_cut_short_keep_what_was_scored(
    classes: Data, redone: float, norm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best one is under way to the last rung when the sweep is stopped."""
    monkeypatch.setattr("maillon.sweeping.task._REDONE_S", redone)

    def look(result: m.Sweep, trial: m.sweeping.Trial) -> None:
        if trial.epochs == 4 and sum(each.epochs == 4 for each in result) == 2:
            threading.Timer(0.2, result.stop).start()

    space = {"lr": [0.001, 0.01, 0.1, 0.2], "norm": [norm], "width": [3, 4]}
    options: Any = {"loss": m.CrossEntropyLoss(), "epochs": 10**7, "keep": None, "on_trial": look}
    result = sweep(classifier, space, *classes, halving=Halving(2, min_epochs=1), **options)
    assert [trial for trial in result if trial.state == "cut"] == [result.best]
    for trial in result:
        network, _ = alone(trial, *classes, trial.rungs[-1][0])
        assert state(network) == state(trial.network)
