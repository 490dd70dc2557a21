"""What a learning step changes beside parameters and gradients, to be put back where the step fails."""

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

from maillon import random
from maillon.nn.module import Module, owners_of_buffers
from maillon.typing import Array

_OURS = "maillon."

_running: ContextVar["Undo | None"] = ContextVar("running", default=None)


def changing(array: Array, rows: Array | None = None) -> None:
    """To be called by a link before a forward of its changes its state: these rows of an array, or all of it."""
    undo = _running.get()
    while undo is not None:
        undo.note(array, rows)
        undo = undo.outer


class Undo:
    """A `with` block after which, where it raises, the modules have the state they had before.

    That is their registered buffers, what links have named by `changing`, and the places in all random streams.
    Links of the library name what they change; of a user's own, all registered buffers are copied beforehand.
    """

    __slots__ = ("_arrays", "_attributes", "_drawn", "_modules", "_token", "outer")

    def __init__(self, *modules: Module) -> None:
        self._modules = modules
        self._arrays: list[tuple[Array, Array | None, Array]] = []
        self._attributes: list[tuple[dict[str, Any], str, Any]] = []
        self._copy()

    def begin_anew(self) -> None:
        """As if the block began here: what was noted so far is forgotten."""
        self._arrays.clear()
        self._attributes.clear()
        self._drawn.begin_anew()
        self._copy()

    def _copy(self) -> None:
        for owner, names in owners_of_buffers(*self._modules):
            if type(owner).__module__.startswith(_OURS):
                continue
            for name in names:
                array = getattr(owner, name)
                self._attributes.append((vars(owner), name, array))
                if array is not None:
                    self.note(array, None)

    def note(self, array: Array, rows: Array | None) -> None:
        self._arrays.append((array, rows, array.copy() if rows is None else array[rows]))

    def drawn_from(self, generator: random.Generator) -> int | None:
        """How many words Python has drawn from it so far; None where its stream was begun anew."""
        return self._drawn.words(generator)

    def __enter__(self) -> Self:
        self.outer = _running.get()
        self._token: Token[Undo | None] = _running.set(self)
        self._drawn = random.Drawn()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drawn.close()
        _running.reset(self._token)
        if kind is None:
            return
        for attributes, name, array in self._attributes:
            attributes[name] = array
        for array, rows, before in reversed(self._arrays):
            array[... if rows is None else rows] = before
        self._drawn.take_back()
