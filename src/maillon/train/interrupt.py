"""Ctrl-C, taken where nothing is lost by it instead of anywhere."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from maillon.tracebacks import users_line

TOGETHER_S = 1.0
"""Two presses within so many seconds stop the program, also where the first one ended a training in between."""

_pressed = float("-inf")  # when Ctrl-C last ended a training


class LeftError(BaseException):
    """Ctrl-C was pressed in the middle of what can be begun anew."""


class Interrupt:
    """Whether Ctrl-C was pressed.

    As a `with` block: inside it the first Ctrl-C raises LeftError, and so does one before it.
    """

    __slots__ = ("_raises", "requested")

    def __init__(self) -> None:
        self.requested = False
        self._raises = False

    def __enter__(self) -> None:
        if self.requested:
            raise LeftError
        self._raises = True

    def __exit__(self, *_raised: object) -> None:
        self._raises = False

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler: the first Ctrl-C asks, a second one raises KeyboardInterrupt.

        Second is any other in the same training, and one that follows at once: a script of many short trainings would
        otherwise lose one of them to each press, and never end.
        """
        global _pressed
        now = time.monotonic()
        if self.requested or now - _pressed < TOGETHER_S:
            raise KeyboardInterrupt
        self.requested, _pressed = True, now
        if self._raises:
            raise LeftError


def tell(where: str, ended: str) -> None:
    """Say on the error stream, once, what Ctrl-C ended, and how to end the whole program."""
    if sys.stderr is not None:
        sys.stderr.write(
            f"{where} ({users_line()}): Ctrl-C ended this {ended}. "
            "Press Ctrl-C twice within a second to stop the whole program.\n"
        )
        sys.stderr.flush()


@contextmanager
def deferred_interrupt(interrupt: Interrupt | None = None) -> Iterator[Interrupt]:
    """Inside the block the first SIGINT only sets `requested`; a second one raises KeyboardInterrupt at once.

    Python lets the main thread alone handle signals: in other threads, and where SIGINT is ignored or not handled
    by Python, nothing is changed. The handler there was is put back at the end. interrupt: one that is known already.
    """
    interrupt = Interrupt() if interrupt is None else interrupt
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt.handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, previous)
