"""Samplers that propose, pruners that stop, a study that stays the user's."""

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from scipy.stats import loguniform, norm, randint, uniform

import maillon as m
from maillon.sweeping.sweep import sweep
from tests.sweeping.conftest import Data
from tests.sweeping.networks import classifier

SPACE = {"lr": loguniform(1e-4, 1.0), "width": range(2, 9, 2), "p": uniform(0, 0.5), "batch_size": randint(8, 32)}
OPTIONS: Any = {"loss": m.CrossEntropyLoss(), "n": 40, "epochs": 4, "validation_split": 0.3}


def tpe() -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=0, n_startup_trials=8)


def test_a_sampler(classes: Data) -> None:
    tables = []
    for threads in (1, 3):
        m.set_num_threads(threads)
        try:
            result = sweep(classifier, SPACE, *classes, sampler=tpe(), **OPTIONS)
        finally:
            m.set_num_threads(None)
        assert len(result) == 40 and all(trial.state == "done" for trial in result)
        tables.append([(trial.settings, trial.seed, trial.score) for trial in result])
    assert tables[0] == tables[1]
    settings = [trial.settings for trial in result]
    assert all(s["width"] in range(2, 9, 2) and 0 <= s["p"] <= 0.5 and 8 <= s["batch_size"] < 32 for s in settings)


def test_a_study_is_asked_and_told(classes: Data) -> None:
    study = optuna.create_study(sampler=tpe(), pruner=optuna.pruners.NopPruner())
    result = sweep(classifier, SPACE, *classes, sampler=study, **OPTIONS)
    assert [trial.value for trial in study.trials] == [trial.score for trial in result]
    assert [trial.params for trial in study.trials] == [trial.settings for trial in result]
    assert study.best_value == result.best.score
    more = sweep(classifier, SPACE, *classes, sampler=study, **OPTIONS)
    assert len(study.trials) == 80 and len(more) == 40


def test_a_pruner_stops_at_rungs(classes: Data) -> None:
    study = optuna.create_study(
        sampler=tpe(), pruner=optuna.pruners.MedianPruner(n_startup_trials=5), direction="maximize"
    )
    options = OPTIONS | {"metrics": "accuracy", "monitor": "val_accuracy", "epochs": 9}
    result = sweep(classifier, SPACE, *classes, sampler=study, **options)
    pruned = [trial.state is TrialState.PRUNED for trial in study.trials]
    assert 3 < sum(pruned) < 37
    assert pruned == [trial.state == "stopped" for trial in result]
    for told, trial in zip(study.trials, result, strict=True):
        assert list(told.intermediate_values) == [1, 2, 4, 8, 9][: len(trial.rungs)]


def test_failures_are_told(classes: Data) -> None:
    def build(width: int) -> m.Sequential:
        if width == 4:
            raise ZeroDivisionError
        return classifier(width)

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), pruner=optuna.pruners.NopPruner())
    result = sweep(build, {"width": [3, 4, 5]}, *classes, sampler=study, error_score=float("nan"), **OPTIONS)
    failed = [trial.settings["width"] == 4 for trial in result]
    assert any(failed) and failed == [trial.state is TrialState.FAIL for trial in study.trials]


def test_values_that_optuna_does_not_know(classes: Data) -> None:
    space = {"rule": [m.Adam(), m.SGD(lr=0.1)], "lr": optuna.distributions.FloatDistribution(0.01, 0.1)}
    result = sweep(classifier, space, *classes, sampler=tpe(), **OPTIONS)
    assert {type(trial.settings["rule"]) for trial in result} == {m.Adam, m.SGD}
    with pytest.raises(TypeError, match=r"Optuna has no distribution like space\['lr'\], norm"):
        sweep(classifier, {"lr": norm(0, 1)}, *classes, sampler=tpe(), **OPTIONS)
    study = optuna.create_study(direction="maximize")
    with pytest.raises(ValueError, match="val_loss is to minimize, and the study has"):
        sweep(classifier, SPACE, *classes, sampler=study, **OPTIONS)


def test_a_sampler_with_nothing_more_to_propose(classes: Data) -> None:
    """GridSampler ends its study, which outside of Optuna's own loop is an error."""
    space = {"width": [3, 4], "p": [0.0, 0.1]}
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(space), pruner=optuna.pruners.NopPruner())
    result = sweep(classifier, space, *classes, sampler=study, **OPTIONS | {"n": 4})
    assert len({tuple(trial.settings.values()) for trial in result}) == 4
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 4


@pytest.mark.parametrize("error", [False, True])
def test_a_sweep_that_ends_early_tells_what_is_done(classes: Data, error: bool) -> None:
    study = optuna.create_study(sampler=tpe(), pruner=optuna.pruners.NopPruner())

    def look(result: m.Sweep, trial: m.sweeping.Trial) -> None:
        if len(result) == 4 and error:
            raise ZeroDivisionError
        if len(result) == 4:
            result.stop()

    try:
        sweep(classifier, SPACE, *classes, sampler=study, on_trial=look, **OPTIONS)
    except ZeroDivisionError:
        assert error
    states = [trial.state for trial in study.trials]
    assert states.count(TrialState.COMPLETE) >= 4 and TrialState.FAIL in states and TrialState.RUNNING not in states
