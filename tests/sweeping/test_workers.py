"""Sweeps on other processes: the same bits on every backend, and a worker that dies costs its chunk alone."""

import threading
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

import maillon as m
from maillon.sweeping import workers
from maillon.sweeping.sweep import sweep
from tests.sweeping.conftest import Data
from tests.sweeping.networks import Deadly, classifier
from tests.sweeping.test_sweep import SPACE, state

OPTIONS: Any = {"loss": m.CrossEntropyLoss(), "n": 24, "epochs": 4, "validation_split": 0.3, "keep": None}


def table(result: m.Sweep) -> list[Any]:
    return [(t.number, t.state, t.scores, t.epochs, *map(state, t.networks)) for t in result]


@pytest.fixture
def here(classes: Data) -> list[Any]:
    return table(sweep(classifier, SPACE, *classes, **OPTIONS))


def test_processes(classes: Data, here: list[Any]) -> None:
    assert table(sweep(classifier, SPACE, *classes, n_jobs=2, **OPTIONS)) == here


def test_halving_in_processes(classes: Data) -> None:
    halved = OPTIONS | {"halving": 2}
    found = [table(sweep(classifier, SPACE, *classes, **way, **halved)) for way in ({}, {"n_jobs": 2})]
    assert found[0] == found[1]


def test_threads_of_joblib(classes: Data, here: list[Any]) -> None:
    with joblib.parallel_config("threading"):
        assert table(sweep(classifier, SPACE, *classes, n_jobs=2, **OPTIONS)) == here


def test_a_dask_cluster(classes: Data, here: list[Any], tmp_path: Path) -> None:
    """Two worker processes; one of them is killed in the middle."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        assert table(sweep(classifier, SPACE, *classes, n_jobs=-1, **OPTIONS)) == here
        deadly = Deadly(tmp_path / "died")
        space = {"number": list(range(24))}
        options = OPTIONS | {"n": None}
        assert table(sweep(deadly, space, *classes, n_jobs=-1, **options)) == table(
            sweep(deadly, space, *classes, **options)
        )
        assert deadly.flag.exists()


def test_a_worker_that_dies_costs_its_chunk(classes: Data, tmp_path: Path) -> None:
    deadly = Deadly(tmp_path / "died")
    space, options = {"number": list(range(24))}, OPTIONS | {"n": None}
    found = table(sweep(deadly, space, *classes, n_jobs=2, **options))
    assert deadly.flag.exists()
    assert found == table(sweep(deadly, space, *classes, **options))


def test_a_training_that_always_kills_its_worker(classes: Data, tmp_path: Path) -> None:
    deadly = Deadly(tmp_path / "died", always=13)
    space, options = {"number": list(range(16))}, OPTIONS | {"n": None}
    result = sweep(deadly, space, *classes, n_jobs=2, error_score=float("nan"), **options)
    assert [trial.number for trial in result if trial.state == "failed"] == [13]
    with pytest.raises(RuntimeError, match="its worker died each time, also with nothing else to do"):
        sweep(deadly, space, *classes, n_jobs=2, **options)


def test_errors_come_from_the_worker(classes: Data) -> None:
    def build(number: int) -> m.Sequential:
        if number == 9:
            raise ZeroDivisionError("nine")
        return classifier()

    with pytest.raises(ZeroDivisionError, match="nine"):
        sweep(build, {"number": list(range(12))}, *classes, n_jobs=2, **OPTIONS | {"n": None})


def test_time_limit(classes: Data) -> None:
    result = sweep(classifier, SPACE, *classes, n_jobs=2, time_limit=1.5, **OPTIONS | {"n": 100, "epochs": 10**7})
    assert result.timed_out and {trial.state for trial in result} == {"cut"}


def test_chunks_are_of_a_second(classes: Data) -> None:
    from maillon.sweeping.space import Receivers
    from maillon.sweeping.task import Job, Task
    from maillon.train.fit import fit

    receivers = Receivers(classifier, fit, None, [])
    task = Task(
        classifier, m.CrossEntropyLoss(), receivers, (*classes, None), epochs=1, validation=None, split=0.0,
        folds=None, options={}, metrics=(), engine="auto", each_epoch=False,
    )  # fmt: skip
    pool = workers.Workers(task, 2, np.inf)
    jobs = [Job(number, {}, 0, 1) for number in range(1000)]
    pool._seconds = [0.01]
    assert [len(chunk) for chunk in pool._chunks(jobs)] == [100] * 10
    pool._seconds = [5.0]
    assert len(pool._chunks(jobs)) == 1000
    pool._seconds = [1e-5]
    assert [len(chunk) for chunk in pool._chunks(jobs)] == [500, 500]


@pytest.mark.parametrize("error_score", ["raise", float("nan")])
def test_what_cannot_be_sent(classes: Data, error_score: Any) -> None:
    lock = threading.Lock()

    def build(number: int) -> m.Sequential:
        with lock:
            return classifier()

    options = OPTIONS | {"n": None, "error_score": error_score}
    with pytest.raises(TypeError, match=r"sent to other processes, and this cannot be: .*lock' object. Leave out"):
        sweep(build, {"number": list(range(12))}, *classes, n_jobs=2, **options)


def slow(number: int) -> m.Sequential:
    time.sleep(0.05 if number > 10 else 0.0)
    return classifier()


def test_a_sweep_that_ends_keeps_the_chunks_under_way(classes: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.Workers, "_chunks", lambda _, jobs: [jobs[:10], jobs[10:]])

    def look(result: m.Sweep, trial: m.sweeping.Trial) -> None:
        if trial.number == 1:
            result.stop()

    options = OPTIONS | {"n": None, "on_trial": look}
    result = sweep(slow, {"number": list(range(21))}, *classes, n_jobs=2, **options)
    assert [trial.number for trial in result] == list(range(21))
    assert {trial.state for trial in result} == {"done"}


def test_workers_for_a_space_without_end(classes: Data) -> None:
    """There is no list of all of them; and those that have never begun are no trials."""
    result = sweep(classifier, SPACE, *classes, n_jobs=2, time_limit=0.2, **OPTIONS | {"n": 10**12})
    assert result.timed_out and all(trial.histories for trial in result)


def test_other_processes_know_the_default_dtype(classes: Data) -> None:
    m.set_default_dtype("float64")
    try:
        found = [sweep(classifier, SPACE, *classes, **way, **OPTIONS) for way in ({}, {"n_jobs": 2})]
    finally:
        m.set_default_dtype("float32")
    assert {network.dtype for result in found for trial in result for network in trial.networks} == {np.dtype("f8")}
    assert table(found[0]) == table(found[1])
