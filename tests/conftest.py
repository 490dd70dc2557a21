"""What every test stands on: a strict NumPy, and a global generator that no test leaves changed."""

import linecache
import os
import re
import signal
import sys
from collections.abc import Iterator
from typing import IO

import numpy as np
import pytest
from cores import require_core
from sampling import (
    pytest_collection_modifyitems,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

from maillon.random import default_generator

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
]


@pytest.fixture(autouse=True, scope="session")
def control_c_is_heard() -> Iterator[None]:
    """A run in the background inherits an ignored SIGINT; the tests that press Ctrl-C need Python's own handler."""
    previous = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.fixture(scope="session")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[IO[str], IO[str]] | None]:
    """Two files that the workers of pytest-xdist lock; None where a single process runs the tests."""
    if "PYTEST_XDIST_WORKER" not in os.environ or sys.platform == "win32":
        yield None
        return
    folder = tmp_path_factory.getbasetemp().parent
    with (folder / "entrance").open("a") as entrance, (folder / "machine").open("a") as machine:
        yield entrance, machine


@pytest.fixture(autouse=True)
def share_of_the_machine(request: pytest.FixtureRequest, gates: tuple[IO[str], IO[str]] | None) -> Iterator[None]:
    """Tests run beside each other; one that is marked `alone` waits for those under way and keeps others out."""
    if gates is None or sys.platform == "win32":
        yield
        return
    import fcntl

    entrance, machine = gates
    mode = fcntl.LOCK_EX if request.node.get_closest_marker("alone") else fcntl.LOCK_SH
    fcntl.flock(entrance, mode)
    fcntl.flock(machine, mode)
    if mode == fcntl.LOCK_SH:
        fcntl.flock(entrance, fcntl.LOCK_UN)
    yield
    fcntl.flock(machine, fcntl.LOCK_UN)
    fcntl.flock(entrance, fcntl.LOCK_UN)


@pytest.fixture(autouse=True)
def no_press_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first Ctrl-C of a test is a first one, however soon it follows the last of another test."""
    monkeypatch.setattr("maillon.train.interrupt._pressed", float("-inf"))


def raise_but_for_products(kind: str, flag: int) -> None:
    """OpenBLAS' kernels also compute on what earlier products left beyond the ends of their buffers, and drop it: after
    a product of matrices the flag of an invalid value says nothing about the numbers that went in."""
    caller = sys._getframe(1)
    line = linecache.getline(caller.f_code.co_filename, caller.f_lineno)
    if not re.search(r" @ |matmul|vecdot|einsum|tensordot|\.dot\(", line):
        raise FloatingPointError(f"{kind} encountered in: {line.strip()}")


@pytest.fixture(autouse=True)
def strict_numpy() -> Iterator[None]:
    with np.errstate(divide="raise", over="raise", invalid="call", call=raise_but_for_products):
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
