"""Which engine runs, and what it says of itself."""

import os
import subprocess
import sys
from typing import Any

import pytest
from cores import without_core

from maillon import engine
from maillon.engine import processor

VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def processors() -> int:
    """Those this process may run on, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*VARIABLES, "MAILLON_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("name", ["auto", "numpy"])
def test_without_a_core_numpy_is_what_there_is(name: str) -> None:
    with without_core():
        assert engine.choose(name) == "numpy"


def test_native_says_that_it_is_not_there() -> None:
    with (
        without_core(),
        pytest.raises(RuntimeError, match=r"^engine='native': this installation of maillon has no compiled core\. Ins"),
    ):
        engine.choose("native")


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^engine: expected 'auto', 'numpy' or 'native', got 'gpu'\.$"):
        engine.choose("gpu")


def test_numpys_threads_are_those_the_environment_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with without_core():
        assert engine.info() == {"engine": "numpy", "instruction_set": None, "threads": 3}


@pytest.mark.parametrize("value", ["", "0", "many"])
def test_without_a_setting_the_threads_are_the_processors(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.setenv(variable, value)
    with without_core():
        assert engine.info()["threads"] == processors()
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 7)
        assert engine.info()["threads"] == 7


# With a core


@pytest.mark.usefixtures("core")
def test_with_a_core_it_is_what_auto_takes() -> None:
    assert [engine.choose(name) for name in engine.ENGINES] == ["native", "numpy", "native"]
    found = engine.info()
    assert found == {
        "engine": "native",
        "instruction_set": processor.core().instruction_sets()[0],
        "threads": processors(),
    }


@pytest.mark.usefixtures("core")
def test_the_cores_threads_are_those_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert engine.info()["threads"] == processors()  # that one is not ours
    monkeypatch.setenv("MAILLON_NUM_THREADS", "9")
    assert engine.get_num_threads() == engine.info()["threads"] == 9
    try:
        engine.set_num_threads(5)
        assert engine.get_num_threads() == engine.info()["threads"] == 5
    finally:
        engine.set_num_threads(None)
    assert engine.get_num_threads() == 9


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_wrong_number_of_threads_in_the_environment_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILLON_NUM_THREADS", value)
    with pytest.raises(ValueError) as caught:
        engine.get_num_threads()
    expected = f"MAILLON_NUM_THREADS: expected a whole number ≥ 1, got {value!r}. Or leave it unset."
    assert str(caught.value) == expected


@pytest.mark.parametrize("value", [0, -2, 1.5, True, "2"])
def test_a_wrong_number_of_threads_is_refused(value: Any) -> None:
    with pytest.raises(ValueError) as caught:
        engine.set_num_threads(value)
    assert str(caught.value) == f"set_num_threads: expected a whole number ≥ 1 or None, got {value!r}."
    assert engine.get_num_threads() == processors()


def test_what_is_too_small_to_share_runs_in_one_thread() -> None:
    engine.set_num_threads(4)
    try:
        assert processor.threads_for(1e3) == 1
        assert processor.threads_for(1e9) == 4
    finally:
        engine.set_num_threads(None)


SAY = "from maillon import engine; print(engine.info()['instruction_set'], engine.info()['threads'])"


def said(**settings: str) -> subprocess.CompletedProcess[str]:
    """What a process with these settings says of its engine."""
    return subprocess.run(
        [sys.executable, "-c", SAY], env=os.environ | settings, capture_output=True, text=True, check=False
    )


@pytest.mark.usefixtures("core")
def test_the_environment_names_the_instruction_set_and_the_threads() -> None:
    last = processor.core().instruction_sets()[-1]
    run = said(MAILLON_ISA=last, MAILLON_NUM_THREADS="3")
    assert (run.stdout, run.returncode) == (f"{last} 3\n", 0)


@pytest.mark.usefixtures("core")
def test_an_instruction_set_that_is_not_there_is_refused() -> None:
    run = said(MAILLON_ISA="sse9")
    available = ", ".join(processor.core().instruction_sets())
    assert run.stderr.splitlines()[-1] == (
        f"RuntimeError: MAILLON_ISA: expected one of {available}, which this processor has, got 'sse9'. "
        "Leave it unset to take the best."
    )


@pytest.mark.usefixtures("core")
def test_a_training_tells_a_wrong_instruction_set_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILLON_ISA", "sse9")
    with pytest.raises(RuntimeError, match=r"^MAILLON_ISA: expected one of "):
        engine.choose("auto")
    assert engine.choose("numpy") == "numpy"
