"""The compiled core, where there is one: its instruction set, and how many threads it may use."""

import importlib
import os
from functools import cache
from typing import Any

_WORTH_THREADS = 1.5e6
"""Floating-point operations of a step from which a second thread pays."""

TRIAL_S = 0.02
"""Seconds that a number of threads is tried for, and between two trials of the larger one."""
AGAIN_S = 1.0
_MUCH_SLOWER = 0.7

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
    """How many threads a training uses: all it may, unless one has proved faster.

    On a processor that other programs use too, threads wait for each other longer than they help. Results do not
    depend on their number, so the faster number is found by trying, and tried again from time to time.
    """

    def __init__(self, flops: float) -> None:
        self._flops = flops
        self._rates: dict[int, float] = {}  # steps a second, by the number of threads
        self._steps, self._seconds, self._since = 0, 0.0, 0.0
        self._trying: int | None = None

    def threads(self) -> int:
        """For the next slice."""
        most = threads_for(self._flops)
        if most == 1:
            return 1
        if self._trying not in (1, most):
            self._trying = most
        return self._trying or most

    @property
    def seconds(self) -> float | None:
        """How long the next slice is to be at most, when it is a trial."""
        return TRIAL_S if len(self._rates) < 2 or self._since > AGAIN_S else None

    def note(self, threads: int, steps: int, seconds: float) -> None:
        """What a slice with so many threads did."""
        most = threads_for(self._flops)
        if most == 1 or not steps:
            return
        self._steps, self._seconds, self._since = self._steps + steps, self._seconds + seconds, self._since + seconds
        if self._seconds < TRIAL_S:
            return
        before = self._rates.get(threads)
        rate = self._rates[threads] = self._steps / self._seconds
        self._steps, self._seconds = 0, 0.0
        other = 1 if threads == most else most
        slower = before is not None and rate < _MUCH_SLOWER * before
        if other not in self._rates or slower or (threads == 1 and self._since > AGAIN_S):
            self._trying, self._since = other, 0.0
        else:
            self._trying = max((most, 1), key=lambda count: self._rates.get(count, 0.0))
