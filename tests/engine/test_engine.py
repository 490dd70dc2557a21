"""Which engine runs, and what it says of itself."""

import os

import pytest

from maillon import engine


@pytest.mark.parametrize("name", ["auto", "numpy"])
def test_numpy_is_what_there_is(name: str) -> None:
    assert engine.choose(name) == "numpy"


def test_native_says_that_it_is_not_there() -> None:
    with pytest.raises(RuntimeError, match=r"^engine='native': this version of maillon has no compiled core\. Pass"):
        engine.choose("native")


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^engine: expected 'auto', 'numpy' or 'native', got 'gpu'\.$"):
        engine.choose("gpu")


def test_the_threads_are_those_the_environment_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert engine.info() == {"engine": "numpy", "instruction_set": None, "threads": 3}


@pytest.mark.parametrize("value", ["", "0", "many"])
def test_without_a_setting_the_threads_are_the_processors(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.setenv(variable, value)
    assert engine.info()["threads"] == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert engine.info()["threads"] == 7
