"""What every test stands on: a strict NumPy, and a global generator that no test leaves changed."""

import signal
from collections.abc import Iterator

import numpy as np
import pytest
from cores import require_core

from maillon.random import default_generator


@pytest.fixture(autouse=True, scope="session")
def control_c_is_heard() -> Iterator[None]:
    """A run in the background inherits an ignored SIGINT; the tests that press Ctrl-C need Python's own handler."""
    previous = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.fixture(autouse=True)
def no_press_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first Ctrl-C of a test is a first one, however soon it follows the last of another test."""
    monkeypatch.setattr("maillon.train.interrupt._pressed", float("-inf"))


@pytest.fixture(autouse=True)
def strict_numpy() -> Iterator[None]:
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield


@pytest.fixture(autouse=True)
def same_global_generator() -> Iterator[None]:
    """Every test begins with the same stream, whatever was drawn before it, and leaves none of its own."""
    generator = default_generator()
    state = generator.get_state()
    generator.manual_seed(0)
    yield
    generator.set_state(state)


@pytest.fixture(scope="session")
def core() -> None:
    """For tests that need the compiled core."""
    require_core()
