"""Sweeps at random: every network and history is, to the bit, that of `fit` alone."""

import random
from typing import Any

import pytest

import maillon as m
from maillon.sweeping.sweep import sweep
from tests.sweeping.random_sweeps import alone, case
from tests.sweeping.test_sweep import state

EPOCHS = 4


@pytest.mark.filterwarnings("ignore::maillon.engine.FallbackWarning")
@pytest.mark.parametrize("number", range(120))
def test_bits(number: int) -> None:
    r = random.Random(-1 - number)
    given = case(number)
    halving = r.choice([None, None, m.Halving(2, 1), m.Halving(2, 1, asynchronous=True), 3])
    threads, validated = r.choice([1, 2, 3]), given.options.get("callbacks") or r.random() < 0.4
    held_out: dict[str, Any] = {"validation_split": 0.3} if validated and given.y is not None else {}
    m.set_num_threads(threads)
    try:
        result = sweep(
            given.build, given.settings, given.x, given.y, loss=given.loss, epochs=EPOCHS, halving=halving, keep=None,
            error_score=float("nan"), progress=False, **held_out, **given.options,
        )  # fmt: skip
    finally:
        m.set_num_threads(None)
    for trial in result:
        assert trial.state != "cut"
        if trial.state == "stopped":
            continue
        try:
            network, history = alone(given, trial, EPOCHS, **held_out)
        except Exception as error:
            assert str(trial.error) == str(error)
            continue
        assert trial.error is None, trial.error
        for column in ("epoch", "loss", "lr"):
            assert history[column] == trial.history[column], (trial, column)
        assert state(network) == state(trial.network), trial
        assert trial.engine == history.engine
