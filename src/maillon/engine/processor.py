"""The compiled core, where there is one: its instruction set, and how many threads it may use."""

import importlib
import os
from functools import cache
from typing import Any

_WORTH_THREADS = 1.5e6
"""Floating-point operations of a step from which a second thread pays."""

_TRIAL_S = 0.02  # how long a number of threads is watched before it is judged
_AGAIN_S = 0.3  # how long until the other one is tried again
_STALL_S = 0.0005  # a thread that waits in vain more often than that, on average, stalls

_threads: int | None = None


@cache
def core() -> Any:
    """The extension module, None in an installation without it, or with one built for another Python."""
    try:
        return importlib.import_module("maillon.engine._core")
    except ImportError:
        return None


def instruction_set() -> str:
    """The set the core computes with: the best this processor has, or the one that MAILLON_ISA names.

    RuntimeError when MAILLON_ISA names one that is not there.
    """
    available: list[str] = core().instruction_sets()
    wanted = os.environ.get("MAILLON_ISA", "")
    if wanted and wanted not in available:
        raise RuntimeError(
            f"MAILLON_ISA: expected one of {', '.join(available)}, which this processor has, got {wanted!r}. "
            "Leave it unset to take the best."
        )
    return wanted or available[0]


def get_num_threads() -> int:
    """How many threads the core may use.

    What `set_num_threads` said, else the environment variable MAILLON_NUM_THREADS, else as many as the process may
    run on. ValueError when the variable is not a number ≥ 1.
    """
    if _threads is not None:
        return _threads
    named = os.environ.get("MAILLON_NUM_THREADS", "")
    if named:
        if not named.isdecimal() or int(named) < 1:
            raise ValueError(f"MAILLON_NUM_THREADS: expected a whole number ≥ 1, got {named!r}. Or leave it unset.")
        return int(named)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def set_num_threads(threads: int | None) -> None:
    """Let the core use so many threads, at least 1, be they more than there are processors; None: as at the start.

    Results do not depend on it, and what is too small to share runs in one thread. NumPy's products are not concerned.

    >>> set_num_threads(2); get_num_threads()
    2
    >>> set_num_threads(None)
    """
    global _threads  # noqa: PLW0603 - one setting for the process, as everywhere
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"set_num_threads: expected a whole number ≥ 1 or None, got {threads!r}.")
    _threads = threads


def threads_for(flops: float) -> int:
    """One thread for steps too small to share, else as many as allowed."""
    return 1 if flops < _WORTH_THREADS else get_num_threads()


class Pace:
    """How many threads a training uses: all it may, unless one proves faster.

    On a processor that other programs use too, threads wait for each other longer than they help. Results do not
    depend on their number: when threads stall, one is tried, and later on all of them again.
    """

    def __init__(self, flops: float) -> None:
        self._flops = flops
        self._alone = False
        self._rates: dict[bool, float] = {}  # steps a second, alone or not
        self._steps, self._seconds, self._stalls = 0, 0.0, 0
        self._since = 0.0  # seconds since the last change

    def threads(self) -> int:
        """For the next slice."""
        return 1 if self._alone else threads_for(self._flops)

    def note(self, steps: int, seconds: float, stalls: int) -> None:
        """What a slice with as many threads did, and how often one of them waited in vain."""
        self._steps, self._seconds, self._stalls = self._steps + steps, self._seconds + seconds, self._stalls + stalls
        self._since += seconds
        if self._seconds < _TRIAL_S or not self._steps:
            return
        self._rates[self._alone] = self._steps / self._seconds
        stalled = self._stalls > self._seconds / _STALL_S
        self._steps, self._seconds, self._stalls = 0, 0.0, 0
        slower = self._rates[self._alone] < self._rates.get(not self._alone, 0.0)
        untried = stalled and not self._alone and (True not in self._rates or self._since > _AGAIN_S)
        if slower or untried or (self._alone and self._since > _AGAIN_S):
            self._alone, self._since = not self._alone, 0.0
