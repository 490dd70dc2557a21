"""The compiled core, where there is one: its instruction set, and how many threads it may use."""

import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_WORTH_THREADS = 1.5e6
"""Floating-point operations of a step from which a second thread pays."""

paced = True
"""Whether a training leaves threads out where it is faster without them; tests and benchmarks switch it off."""

_threads: int | None = None
_here = threading.local()


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
    """Let the core use up to so many threads.

    Parameters
    ----------
    threads : int or None
        At least 1; more than there are processors is allowed. None is the default.

    Notes
    -----
    Results do not depend on it. What is too small to share runs in one thread, and so does a training as long as other
    programs keep its threads from running together. NumPy's own products are not concerned.

    Examples
    --------
    >>> set_num_threads(2); get_num_threads()
    2
    >>> set_num_threads(None)
    """
    global _threads  # noqa: PLW0603 - one setting for the process, as everywhere
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"set_num_threads: expected a whole number ≥ 1 or None, got {threads!r}.")
    _threads = threads


@contextmanager
def alone() -> Iterator[None]:
    """Inside the block, the core computes for this thread without others, which have work of their own."""
    before, _here.alone = getattr(_here, "alone", False), True
    try:
        yield
    finally:
        _here.alone = before


@contextmanager
def using_num_threads(threads: int | None) -> Iterator[None]:
    """`set_num_threads` inside the `with` block; afterwards what was set before."""
    before = _threads
    set_num_threads(threads)
    try:
        yield
    finally:
        set_num_threads(before)


def threads_for(flops: float) -> int:
    """One thread for steps too small to share, else as many as allowed."""
    return 1 if flops < _WORTH_THREADS or getattr(_here, "alone", False) else get_num_threads()
