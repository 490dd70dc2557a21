"""Checkpoints: a training under way in one file, from which it goes on to the bit."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from maillon.nesting import leaf_names, leaves
from maillon.nn.support import arguments
from maillon.optim.door import Data
from maillon.saving.files import FileError, read_tensors, replace_file, tensor_bytes
from maillon.saving.values import Tensors


class Checkpoint:
    """When and where `fit` writes what it takes to go on: ``fit(…, checkpoint=Checkpoint("run.safetensors"))``.

    Parameters
    ----------
    path : str or path
        The file of the newest checkpoint. Each is written beside, flushed to the disk and renamed: there is always a
        whole one.
    every : str, int or timedelta
        "epoch", a number of steps ≥ 1, or how much time between two. At the end of the training one is written in any
        case, after Ctrl-C as well.
    keep : int
        How many to keep, ≥ 1: older ones are called after their step, ``run-300.safetensors``.

    Raises
    ------
    ValueError, TypeError
        For another `every` or `keep`.

    See Also
    --------
    maillon.fit : Its `resume` goes on from such a file.
    maillon.load : Gives the Optim of such a file, with its network.

    Examples
    --------
    >>> Checkpoint("run.safetensors", every=100, keep=3)
    Checkpoint('run.safetensors', every=100, keep=3)
    """

    def __init__(self, path: str | os.PathLike[str], every: str | int | timedelta = "epoch", keep: int = 1) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"Checkpoint: expected path to be a file's name, got {type(path).__name__}.")
        if isinstance(every, timedelta):
            if every <= timedelta(0):
                raise ValueError(f"Checkpoint: expected every to be a time > 0, got {every!r}.")
        elif every != "epoch" and (not arguments.is_integer(every) or int(every) < 1):
            raise ValueError(
                f"Checkpoint: expected every to be 'epoch', a number of steps ≥ 1 or a timedelta, got {every!r}."
            )
        self.path = path
        self.every = every
        self.keep = arguments.integer("Checkpoint", "keep", keep)

    def __repr__(self) -> str:
        return f"Checkpoint({os.fspath(self.path)!r}, every={self.every!r}, keep={self.keep!r})"


class Keeper:
    """A checkpoint at work in one training; without one it does nothing.

    content: gives the tensors and the description to write, told the names of the older files.
    """

    def __init__(
        self, checkpoint: Checkpoint | None, content: Callable[[list[str]], tuple[Tensors, dict[str, Any]]]
    ) -> None:
        self._checkpoint = checkpoint
        self._content = content
        self._older: list[str] = []
        self._written: int | None = None  # the step of the newest
        self._when = time.monotonic()

    @property
    def active(self) -> bool:
        """Whether any are written."""
        return self._checkpoint is not None

    def resumed(self, step: int, older: list[str]) -> None:
        """The training goes on from the file of this step."""
        self._written, self._older = step, older

    def most_steps(self, step: int) -> int | None:
        """How many steps until the next one is due, None where steps do not decide."""
        every = self._checkpoint.every if self._checkpoint is not None else None
        return every - step % every if isinstance(every, int) else None

    @property
    def by_epoch(self) -> bool:
        """Whether one is due after each epoch."""
        return self._checkpoint is not None and self._checkpoint.every == "epoch"

    def after(self, step: int, epochs: int) -> None:
        """Some steps are done, and with them so many epochs: write where it is time."""
        if self._checkpoint is None or not self._due(step, epochs):
            return
        self.write(step)

    def _due(self, step: int, epochs: int) -> bool:
        assert self._checkpoint is not None
        every = self._checkpoint.every
        if isinstance(every, timedelta):
            return time.monotonic() - self._when >= every.total_seconds()
        return step % every == 0 and step != self._written if isinstance(every, int) else epochs > 0

    def write(self, step: int) -> None:
        """Write now."""
        if self._checkpoint is None:
            return
        path = Path(self._checkpoint.path)
        older = self._older
        if self._checkpoint.keep > 1 and self._written not in (None, step) and path.exists():
            name = f"{path.stem}-{self._written}{path.suffix}"
            _second_name(path, path.with_name(name))
            older = [*(known for known in older if known != name), name]
        gone, older = older[: max(0, len(older) - self._checkpoint.keep + 1)], older[-self._checkpoint.keep + 1 :]
        older = older if self._checkpoint.keep > 1 else []
        replace_file(path, tensor_bytes(*self._content(older)))
        for name in gone:
            with suppress(OSError):
                path.with_name(name).unlink()
        self._older, self._written, self._when = older, step, time.monotonic()


def _second_name(path: Path, other: Path) -> None:
    """The same file under another name; a copy where the file system has no such thing."""
    with suppress(FileNotFoundError):
        other.unlink()
    try:
        os.link(path, other)
    except OSError:
        shutil.copy2(path, other)


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[Tensors, dict[str, Any]] | None:
    """What a checkpoint holds, None where there is no file; FileError for any other file."""
    if not Path(path).exists():
        return None
    tensors, description = read_tensors(path)
    kind = description.get("kind") if isinstance(description, Mapping) else None
    if kind != "checkpoint":
        found = "plain tensors" if kind is None else f"a saved {kind}"
        raise FileError(
            f"resume: expected a checkpoint of fit in {os.fspath(path)!r}, got {found}. load() reads it, and fit goes "
            "on with what that gives."
        )
    return tensors, description


# What a training is: compared before it goes on


def hash_of(data: Any) -> str:
    """The bytes, shapes and dtypes of nested arrays."""
    digest = hashlib.blake2b(digest_size=16)
    for name, array in zip(leaf_names(data, ""), leaves(data), strict=True):
        digest.update(repr((name, None if array is None else (array.shape, str(array.dtype)))).encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()


def data_hash(data: Data | None) -> str | None:
    """That of inputs, targets and weights."""
    return None if data is None else hash_of((data.x, data.y, data.weight))


def require_same(path: str | os.PathLike[str], ours: Mapping[str, Any], theirs: Any, *, exact: bool) -> None:
    """ValueError, naming what differs, unless the file is of this very training."""
    shown = os.fspath(path)
    if not isinstance(theirs, Mapping) or theirs.keys() != ours.keys():
        raise FileError(f"resume: {shown!r} does not say which training it is of. It was changed.")
    loose = () if exact else ("version", "engine")
    if different := [name for name in ours if name not in loose and ours[name] != theirs[name]]:
        told = [_difference(name, ours[name], theirs[name]) for name in different]
        way_out = "Call fit as that training was called, or begin anew in another file."
        if all(name in ("version", "engine") for name in different):
            way_out = "The bits may differ then: pass resume_exact=False to go on all the same."
        raise ValueError(f"resume: {shown!r} is of another training: {'; '.join(told)}. {way_out}")


def _difference(name: str, ours: Any, theirs: Any) -> str:
    if all(isinstance(value, str | int | float | bool | list | None) for value in (ours, theirs)):
        short = [text if len(text) < 60 else f"{text[:57]}…" for text in map(repr, (theirs, ours))]
        if not name.startswith(("data", "validation data")):
            return f"{name} was {short[0]}, and is {short[1]}"
    return f"the {name} is another"
