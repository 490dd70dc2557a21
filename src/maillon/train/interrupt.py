"""Ctrl-C, taken between two steps instead of inside one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether Ctrl-C was pressed."""

    __slots__ = ("requested",)

    def __init__(self) -> None:
        self.requested = False

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """The signal handler: the first Ctrl-C asks, the second one insists."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Inside the block the first SIGINT only sets `requested`; the second raises KeyboardInterrupt at once.

    Python lets the main thread alone handle signals: in other threads, and where SIGINT is ignored or not handled
    by Python, nothing is changed. The handler there was is put back at the end.
    """
    interrupt = Interrupt()
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt.handle)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, previous)
