"""Which lines of code a user sees of an error or a warning: their own, and the function they called.

MAILLON_FULL_TRACEBACK=1 in the environment shows every frame.
"""

import dis
import functools
import inspect
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, TracebackType
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_HERE = str(Path(__file__).parent) + os.sep
_RAISE = dis.opmap["RAISE_VARARGS"]
_SHORTENED = "_maillon_shortened"
_here = threading.local()


def shorten(error: Exception, door: bool = True) -> None:
    """Leave the frames of this library out of the error's traceback, from the frame that caught it inwards.

    Only where one of our checks raised it, with a `raise` of ours: any other error keeps every frame, for whoever must
    find its cause. Frames of the user's own code stay. Call it where the error is caught, then `raise`.
    door: keep the frame that caught it.
    """
    frames = _entries(error.__traceback__)
    if os.environ.get("MAILLON_FULL_TRACEBACK") or not frames:
        return
    if not getattr(error, _SHORTENED, False):
        last = frames[-1]
        if not _ours(last.tb_frame.f_code) or last.tb_frame.f_code.co_code[last.tb_lasti] != _RAISE:
            return
        setattr(error, _SHORTENED, True)
    kept = [entry for entry in frames[1:] if not _ours(entry.tb_frame.f_code)]
    chain: TracebackType | None = None
    for entry in reversed([*frames[:1], *kept] if door else kept):
        chain = TracebackType(chain, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    error.__traceback__ = chain
    if error.__context__ is not None and _inside(error.__context__):
        error.__suppress_context__ = True


def _inside(error: BaseException) -> bool:
    """Whether no frame of the user's saw the error: one of ours was caught by ours."""
    frames = _entries(error.__traceback__)
    return bool(frames) and all(_ours(entry.tb_frame.f_code) for entry in frames)


def short_traceback(function: Callable[P, R]) -> Callable[P, R]:
    """A public function whose errors about a wrong call end at it."""
    behind = _behind

    def door(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            behind(error)
            raise

    # doctest looks for examples in the functions that have their module's globals
    made = FunctionType(door.__code__, function.__globals__, function.__name__, None, door.__closure__)
    return cast(Callable[P, R], functools.update_wrapper(made, function))


def _behind(error: Exception) -> None:
    """Shorten, and leave out the frame of `door` itself."""
    if error.__traceback__ is not None and not os.environ.get("MAILLON_FULL_TRACEBACK"):
        error.__traceback__ = error.__traceback__.tb_next
        shorten(error, door=shell() is None)  # IPython shows many lines around each frame


def shell() -> object | None:
    """IPython's shell, where there is one: nothing is imported to find out."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None


@contextmanager
def gathered_warnings() -> Iterator[dict[str, type[Warning]]]:
    """Inside the block, in this thread, what `warn` would say is gathered, for another thread to say."""
    before, _here.gathered = getattr(_here, "gathered", None), {}
    try:
        yield _here.gathered
    finally:
        _here.gathered = before


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """A warning about the user's line that led here."""
    gathered = getattr(_here, "gathered", None)
    if gathered is not None:
        gathered[message] = category
        return
    frame, level = inspect.currentframe(), 1
    while frame is not None and _ours(frame.f_code):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level - 1 if frame is None else level)


def users_line() -> str:
    """Where the user's code called: ``train.py, line 12``."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_back is not None and _ours(frame.f_code):
        frame = frame.f_back
    return "" if frame is None else f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"


def _entries(traceback: TracebackType | None) -> list[TracebackType]:
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    return entries


def _ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_HERE)
