"""The progress bar: one for the whole training, with its loss, its metrics and the time left."""

import os
import sys
import time
from collections.abc import Mapping
from html import escape
from typing import Any, Protocol

from maillon.tracebacks import shell
from maillon.train.history import Number

_EVERY_S = 0.1


def wanted(progress: bool | None) -> bool:
    """Whether to show a bar.

    Parameters
    ----------
    progress : bool or None
        What the user said; None: where the error stream is a terminal, and in a notebook, unless the environment has
        tqdm's own TQDM_DISABLE.
    """
    if progress is not None:
        return bool(progress)
    if os.environ.get("TQDM_DISABLE"):
        return False
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _in_notebook() -> bool:
    """Whether IPython runs here with a kernel behind a page."""
    return getattr(shell(), "kernel", None) is not None


class Drawn(Protocol):
    """Where a bar is drawn."""

    def draw(self, done: int, total: int | None, title: str, numbers: Mapping[str, str]) -> None: ...

    def close(self) -> None: ...


def drawn(total: int | None, begun: int = 0, unit: str = "step") -> Drawn:
    """A bar on the error stream, or on a notebook's page."""
    return _Notebook(begun, unit) if _in_notebook() else _Terminal(total, begun, unit)


class Bar:
    """Steps done of all steps, drawn at most ten times a second.

    Parameters
    ----------
    epochs : int
        How many there are to be.
    steps : int or None
        The steps of one epoch; None while nobody knows.
    begun : int
        The steps that were done before: the time left is judged by those that follow.
    """

    def __init__(self, epochs: int, steps: int | None, begun: int = 0) -> None:
        self.epochs = epochs
        self._total = None if steps is None else steps * epochs
        self._drawn = drawn(self._total, begun)
        self._next = 0.0
        self._numbers: dict[str, Number] = {}

    @property
    def due(self) -> bool:
        """Whether it is time to draw again."""
        return time.monotonic() >= self._next

    def show(self, epoch: int, done: int, numbers: Mapping[str, Number]) -> None:
        """Draw `done` steps, and these numbers beside the others last shown."""
        self._next = time.monotonic() + _EVERY_S
        self._numbers |= numbers
        shown = {name: f"{value:.4g}" for name, value in self._numbers.items()}
        self._drawn.draw(done, self._total, f"epoch {epoch}/{self.epochs}", shown)

    def epoch_end(self, epoch: int, done: int, row: Mapping[str, Number]) -> None:
        """As `show`, and the steps of a whole epoch are known from now on."""
        if self._total is None:
            self._total = done * self.epochs // max(1, epoch)
        self.show(epoch, done, row)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._drawn.close()


class _Terminal:
    """A line of text that is written over."""

    def __init__(self, total: int | None, begun: int, unit: str) -> None:
        from tqdm import tqdm

        self._tqdm: Any = tqdm(total=total, initial=begun, unit=unit, dynamic_ncols=True, mininterval=0)

    def draw(self, done: int, total: int | None, title: str, numbers: Mapping[str, str]) -> None:
        self._tqdm.total = total
        self._tqdm.set_description(title, refresh=False)
        self._tqdm.set_postfix(numbers, refresh=False)
        self._tqdm.update(done - self._tqdm.n)

    def close(self) -> None:
        self._tqdm.close()


class _Notebook:
    """A `<progress>` element in the output of the cell, put there anew each time."""

    def __init__(self, before: int, unit: str) -> None:
        from IPython.display import display

        self._begun, self._before, self._unit = time.monotonic(), before, unit
        self._bundle = _bundle(before, None, "", {}, 0.0, before, unit)
        self._handle: Any = display(self._bundle, raw=True, display_id=True)

    def draw(self, done: int, total: int | None, title: str, numbers: Mapping[str, str]) -> None:
        bundle = _bundle(done, total, title, numbers, time.monotonic() - self._begun, self._before, self._unit)
        if self._handle is not None:
            self._handle.update(bundle, raw=True)

    def close(self) -> None:
        """Nothing is left to do: the last state stays."""


def _bundle(
    done: int,
    total: int | None,
    title: str,
    numbers: Mapping[str, str],
    seconds: float,
    before: int = 0,
    unit: str = "step",
) -> dict[str, str]:
    """The bar as HTML, and as a line of text where no page shows it. before: the steps done before these seconds."""
    share = "" if not total else f"{done / total:.0%}"
    left = f"{_time(seconds * (total - done) / (done - before))} left" if total and before < done < total else ""
    said = [title, share, f"{done} of {total} {unit}s" if total else f"{done} {unit}s", _time(seconds), left]
    text = ", ".join(part for part in [*said, *(f"{name} {value}" for name, value in numbers.items())] if part)
    state = f' value="{done}" max="{total}"' if total else ""
    bar = f'<progress{state} style="width:14em;vertical-align:middle"></progress>'
    html = f'<div>{bar} <span style="font-variant-numeric:tabular-nums">{escape(text)}</span></div>'
    return {"text/html": html, "text/plain": text}


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
