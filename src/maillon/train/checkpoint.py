"""Checkpoints: a training under way in one file, from which it goes on to the bit."""

import errno
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from maillon.nesting import leaf_names, leaves
from maillon.nn.support import arguments
from maillon.optim.door import Data
from maillon.typing import Array

# `maillon.saving` opens where a checkpoint is written or read: learning does without.


class NoStateWarning(UserWarning):
    """A checkpoint keeps nothing of a callback, which has no `state_dict`; said once of each."""


class Checkpoint:
    """When and where `fit` writes what it takes to go on: ``fit(…, checkpoint=Checkpoint("run.safetensors"))``.

    Parameters
    ----------
    path : str or path
        The file of the newest checkpoint. Each is written beside, flushed to the disk and renamed: there is always a
        whole one. Without `resume` a training replaces the file of an earlier one.
    every : str, int or timedelta
        "epoch", a number of steps ≥ 1, or how much time between two. At the end of the training one is written in any
        case, after Ctrl-C as well.
    keep : int
        How many to keep, ≥ 1: older ones are called after their step, ``run-300.safetensors``. Only files that a
        checkpoint of this training was written to are ever removed.

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
        self.every: str | int | timedelta = every
        if isinstance(every, timedelta):
            if every <= timedelta(0):
                raise ValueError(f"Checkpoint: expected every to be a time > 0, got {every!r}.")
        elif every != "epoch":
            if not arguments.is_integer(every) or int(every) < 1:
                raise ValueError(
                    f"Checkpoint: expected every to be 'epoch', a number of steps ≥ 1 or a timedelta, got {every!r}."
                )
            self.every = int(every)
        self.path = path
        self.keep = arguments.integer("Checkpoint", "keep", keep)

    def __repr__(self) -> str:
        return f"Checkpoint({os.fspath(self.path)!r}, every={self.every!r}, keep={self.keep!r})"


Content = Callable[[list[str]], tuple[dict[str, Array], dict[str, Any]]]
"""Gives the tensors and the description to write, told the names of the older files."""


class Keeper:
    """A checkpoint at work in one training; without one it does nothing."""

    def __init__(self, checkpoint: Checkpoint | None) -> None:
        self._checkpoint = checkpoint
        self._older: list[str] = []
        self._written: tuple[int, int] | None = None  # the steps and epochs of the newest
        self._when = time.monotonic()

    @property
    def active(self) -> bool:
        """Whether any are written."""
        return self._checkpoint is not None

    def begin(self, content: Content) -> None:
        """Before the first step: OSError where nothing can be written; TypeError for what a file cannot hold."""
        if self._checkpoint is not None:
            _require_writable(self._checkpoint.path)
            content([])

    def resumed(self, path: str | os.PathLike[str], step: int, epochs: int, older: list[Any]) -> None:
        """The training goes on from the file of this step; where it goes on in another file, that one is of no step."""
        if self._checkpoint is not None and _same_file(path, self._checkpoint.path):
            self._written = step, epochs
            self._older = [name for name in older if isinstance(name, str) and self._is_older(name)]

    def _is_older(self, name: str) -> bool:
        """Whether an older checkpoint would be called so: what a file says is not to be trusted with removals."""
        assert self._checkpoint is not None
        path = Path(self._checkpoint.path)
        return re.fullmatch(f"{re.escape(path.stem)}-[0-9]+{re.escape(path.suffix)}", name) is not None

    def most_steps(self, step: int) -> int | None:
        """How many steps until the next one is due, None where steps do not decide."""
        every = self._checkpoint.every if self._checkpoint is not None else None
        return every - step % every if isinstance(every, int) else None

    @property
    def by_epoch(self) -> bool:
        """Whether one is due after each epoch."""
        return self._checkpoint is not None and self._checkpoint.every == "epoch"

    def due(self, step: int, ended: int) -> bool:
        """Whether it is time for one, after this step, with which so many epochs have ended."""
        if self._checkpoint is None:
            return False
        every = self._checkpoint.every
        if isinstance(every, timedelta):
            return time.monotonic() - self._when >= every.total_seconds()
        if isinstance(every, int):
            return step % every == 0 and (self._written is None or step != self._written[0])
        return ended > 0

    def write(self, step: int, epochs: int, content: Content) -> None:
        """Write now, unless that is what was written last."""
        if self._checkpoint is None or self._written == (step, epochs):
            return
        from maillon.saving.files import replace_file, tensor_bytes

        path, keep = Path(self._checkpoint.path), self._checkpoint.keep
        older = self._older
        if keep > 1 and self._written is not None and self._written[0] != step and path.exists():
            name = f"{path.stem}-{self._written[0]}{path.suffix}"
            self._second_name(path, path.with_name(name))
            older = [*(known for known in older if known != name), name]
        replace_file(path, tensor_bytes(*content(older)))
        many = max(0, len(older) - keep + 1)
        for name in older[:many]:
            with suppress(OSError):
                path.with_name(name).unlink()
        self._older, self._written, self._when = older[many:], (step, epochs), time.monotonic()

    def _second_name(self, path: Path, other: Path) -> None:
        """The same file under another name; a copy where the file system has no such thing."""
        if other.exists():
            if other.name not in self._older and not _is_checkpoint(other):
                raise FileExistsError(
                    f"checkpoint: {os.fspath(other)!r}, where an older one would be kept, is there and is none. Give "
                    "Checkpoint another path."
                )
            other.unlink()
        try:
            os.link(path, other)
        except OSError:
            import shutil

            try:
                shutil.copy2(path, other)
            except OSError as error:
                with suppress(OSError):
                    other.unlink()
                raise _unwritten(other, error) from None


def _require_writable(path: str | os.PathLike[str]) -> None:
    """OSError where `path` cannot be written, by a trial beside it."""
    from maillon.saving.files import replace_file

    target = Path(path).resolve()
    if target.is_dir() or not target.parent.is_dir():
        replace_file(path, b"")  # raises
    if target.exists() and not os.access(target, os.W_OK):
        raise _unwritten(path, PermissionError(errno.EACCES, ""))
    trial = target.with_name(f".{target.name[:40]}.trial")
    try:
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise _unwritten(path, error) from None


def _unwritten(path: str | os.PathLike[str], error: OSError) -> OSError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return type(error)(error.errno, f"checkpoint: {os.fspath(path)!r} cannot be written: {reason}.")


def _same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def _is_checkpoint(path: Path) -> bool:
    try:
        return read_checkpoint(path) is not None
    except (OSError, ValueError):
        return False


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]] | None:
    """What a checkpoint holds, None where there is no file; FileError for any other file."""
    from maillon.saving.files import FileError, read_tensors
    from maillon.saving.saving import checked_kind

    if not Path(path).exists():
        return None
    tensors, description = read_tensors(path)
    shown = os.fspath(path)
    try:
        kind = "plain tensors" if description is None else checked_kind(description)
    except FileError as error:
        raise FileError(f"resume: {shown!r}: {str(error).removesuffix('.')}.") from None
    if kind != "checkpoint":
        found = kind if description is None else f"a saved {kind}"
        raise FileError(
            f"resume: expected a checkpoint of fit in {shown!r}, got {found}. load() reads it, and fit goes on with "
            "what that gives."
        )
    return tensors, description


# What a training is: compared before it goes on


def hash_of(data: Any) -> str:
    """The bytes, shapes and dtypes of nested arrays."""
    import hashlib

    digest = hashlib.blake2b(digest_size=16)
    for name, array in zip(leaf_names(data, ""), leaves(data), strict=True):
        digest.update(repr((name, None if array is None else (array.shape, str(array.dtype)))).encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()


def data_hashes(data: Data | None, kind: str = "") -> dict[str, str | None]:
    """Those of inputs, targets and weights."""
    parts = (None, None, None) if data is None else (data.x, data.y, data.weight)
    names = tuple(kind + name for name in _HASHED)
    return {name: None if given is None else hash_of(given) for name, given in zip(names, parts, strict=True)}


def require_same(
    path: str | os.PathLike[str], ours: Mapping[str, Any], description: Mapping[str, Any], *, exact: bool
) -> None:
    """ValueError, naming what differs, unless the file is of this very training."""
    from maillon.saving.files import FileError

    shown = os.fspath(path)
    theirs = description.get("identity")
    if not isinstance(theirs, Mapping) or not isinstance(theirs.get("version"), str):
        raise FileError(f"resume: {shown!r} does not say which training it is of. It was changed.")
    names = [name for name in ours if name in theirs]
    different = [name for name in names if ours[name] != theirs[name]]
    if ours.keys() != theirs.keys() and "version" not in different:
        raise FileError(f"resume: {shown!r} does not say which training it is of. It was changed.")
    loose = [name for name in different if name in _LOOSE]
    if not different or (not exact and different == loose):
        return
    if different == loose:
        way_out = "The bits may differ then: pass resume_exact=False to go on all the same."
    else:
        way_out = "Call fit as that training was called, or begin anew in another file."
        different = different if exact else [name for name in different if name not in loose]
    told = [words for name in different for words in _differences(name, theirs[name], ours[name])]
    more = f"; and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
    raise ValueError(f"resume: {shown!r} is of another training: {'; '.join(told[:_MOST_TOLD])}{more}. {way_out}")


_LOOSE = ("version", "NumPy", "engine")  # what decides about the last bits alone
_HASHED = ("x", "y", "sample or class weight")
_MOST_TOLD = 8
_LONGEST = 80  # characters of a value that is shown


def _differences(name: str, theirs: Any, ours: Any) -> Iterator[str]:
    """What differs, in words, at the innermost places of two descriptions."""
    parts = [_parts(value) for value in (theirs, ours)]
    classes = [value.get("class") if isinstance(value, Mapping) else None for value in (theirs, ours)]
    alike = classes[0] == classes[1]
    if alike and parts[0] is not None and parts[1] is not None and parts[0].keys() == parts[1].keys():
        for key, inner in parts[0].items():
            yield from _differences(f"{name}.{key}" if key else name, inner, parts[1][key])
    elif theirs != ours:
        yield _difference(name, theirs, ours)


def _parts(value: Any) -> dict[str, Any] | None:
    """The named parts of a description; None for a single value."""
    if isinstance(value, list) and value and all(isinstance(inner, Mapping) for inner in value):
        return {str(place): inner for place, inner in enumerate(value)}
    if not isinstance(value, Mapping):
        return None
    if "class" in value:
        config, replaced = value.get("config"), value.get("replaced")
        named = config if isinstance(config, Mapping) else _parts(config) or {}
        return dict(named) | (dict(replaced) if isinstance(replaced, Mapping) else {})
    if list(value) == ["dict"]:
        return {str(key): inner for key, inner in value["dict"]}
    return {"": next(iter(value.values()))} if len(value) == 1 else dict(value)


def _difference(name: str, theirs: Any, ours: Any) -> str:
    if name.removeprefix("validation ") in _HASHED:
        no = "there was" if theirs is None else "there is"
        return f"{no} no {name}" if None in (theirs, ours) else f"{name} is other data"
    shown = [_shown(value) for value in (theirs, ours)]
    if shown[0] == shown[1] or max(map(len, shown)) > _LONGEST:
        return f"{name} is not the same"
    return f"{name} was {shown[0]}, and is {shown[1]}"


def _shown(value: Any) -> str:
    """A description in the words of a call, where that is short."""
    if isinstance(value, Mapping) and "class" in value:
        config = _parts(value) or {}
        inner = ", ".join(f"{key}={_shown(given)}" for key, given in config.items())
        return f"{value['class']}({inner if len(inner) < _LONGEST // 2 else '…'})"
    if isinstance(value, Mapping) and len(value) == 1:
        return _shown(next(iter(value.values())))
    return repr(value)
