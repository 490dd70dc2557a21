"""Files: tensors and one description in the safetensors format, written whole or not at all.

Format: https://github.com/huggingface/safetensors#format. No code is ever run by reading one.
"""

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maillon.typing import Array

KEY = "maillon"
"""The one key of the file's metadata that is ours: the order of several keys would not be the same in each file."""

_METADATA = "__metadata__"

_DTYPES = {
    "F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1", "BOOL": "b1",
}  # fmt: skip


class FileError(ValueError):
    """A file does not hold what it should: it is damaged, of another kind, or of a newer version."""


def write_tensors(path: str | os.PathLike[str], tensors: Mapping[str, Array], description: Any = None) -> None:
    """Write a safetensors file, whole or not at all."""
    replace_file(path, tensor_bytes(tensors, description))


def tensor_bytes(tensors: Mapping[str, Array], description: Any = None) -> bytes:
    """A safetensors file: the same content gives the same bytes.

    description: what JSON can hold, kept in the file's metadata.
    """
    from safetensors.numpy import save

    if _METADATA in tensors:
        raise ValueError(f"save: the name {_METADATA!r} is the format's own. Call that array otherwise.")
    metadata = None
    if description is not None:
        text = json.dumps(description, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        metadata = {KEY: text}
    return save({name: _plain(name, array) for name, array in tensors.items()}, metadata)


def _plain(name: str, array: Any) -> Array:
    """In C order and this machine's byte order: safetensors would write others wrongly."""
    value = np.asarray(array)
    if f"{value.dtype.kind}{value.dtype.itemsize}" not in _DTYPES.values():
        raise TypeError(f"save: expected numbers in {name!r}, got dtype {value.dtype}. Convert them first.")
    return np.ascontiguousarray(value, value.dtype.newbyteorder("=")).reshape(value.shape)


def replace_file(path: str | os.PathLike[str], content: bytes, where: str = "save") -> None:
    """Write beside, flush to the disk, then rename: at any moment there is the old file or the new one, whole.

    where: whose errors these are.
    """
    target = _target(path, where)
    try:
        handle, beside = _beside(target)
    except OSError as error:
        raise _unwritten(path, error, where) from None
    with os.fdopen(handle, "wb", buffering=0) as file:
        try:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
            os.fsync(handle)
            if target.exists():
                beside.chmod(stat.S_IMODE(target.stat().st_mode))
            if os.name == "posix":  # while it is locked; elsewhere an open file cannot be renamed
                beside.replace(target)
        except BaseException as error:
            with contextlib.suppress(OSError):
                beside.unlink()
            if isinstance(error, OSError):
                raise _unwritten(path, error, where) from None
            raise
    if os.name != "posix":
        beside.replace(target)
    with contextlib.suppress(OSError), _folder(target.parent) as folder:  # some file systems have no flush of folders
        os.fsync(folder)


def _target(path: str | os.PathLike[str], where: str) -> Path:
    """The file itself where the path is a symbolic link, which stays one; OSError for what no file can replace."""
    shown = os.fspath(path)
    try:
        target = Path(path).resolve()
    except RuntimeError:  # before Python 3.13
        raise OSError(f"{where}: {shown!r} is a symbolic link in a circle.") from None
    if target.is_dir():
        raise IsADirectoryError(f"{where}: expected the name of a file, got the folder {shown!r}.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{where}: there is no folder {os.fspath(Path(path).parent)!r}. Make it first.")
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise OSError(f"{where}: expected the name of a file, and {shown!r} is something else.")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(f"{where}: {shown!r} may not be written. It is unchanged.")
    return target


def _beside(target: Path) -> tuple[int, Path]:
    """A new file in the same folder. What a process that was killed has left there is used again.

    While it is written it is locked: a second writer takes a name of its own.
    """
    usual = target.with_name(f".{target.name[:40]}.tmp")  # a name has at most 255 bytes, a letter at most 4
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with contextlib.suppress(OSError):
        handle = os.open(usual, flags, 0o666)
        if _taken(handle, usual):
            return handle, usual
        os.close(handle)
    own = target.with_name(f".{target.name[:40]}.{os.urandom(6).hex()}.tmp")
    return os.open(own, flags | os.O_EXCL, 0o666), own


def _taken(handle: int, path: Path) -> bool:
    """Whether the file is ours alone now, and empty."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened, there = os.fstat(handle), path.lstat()
        plain = stat.S_ISREG(opened.st_mode) and opened.st_nlink == 1 and opened.st_uid == os.geteuid()
        if not plain or (opened.st_dev, opened.st_ino) != (there.st_dev, there.st_ino):
            return False  # of somebody else, or renamed by another writer meanwhile
        os.ftruncate(handle, 0)
    except OSError:
        return False
    return True


def _unwritten(path: str | os.PathLike[str], error: OSError, where: str) -> OSError:
    text = f"{where}: {os.fspath(path)!r} could not be written: {error.strerror}. What was there before is unchanged."
    return type(error)(error.errno, text)


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Array], Any]:
    """The tensors of a safetensors file, and our description, None where it has none; FileError for any other file."""
    from safetensors import SafetensorError, deserialize

    shown = os.fspath(path)
    content = _content(path)
    try:
        listed = deserialize(content)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise _damaged(shown, str(error)) from None
    description = _description(shown, content)
    del content
    return {name: _array(shown, name, info) for name, info in sorted(listed, key=lambda one: one[0])}, description


def _damaged(shown: str, why: str) -> FileError:
    return FileError(
        f"load: {shown!r} is not a whole safetensors file ({why}). It was cut short, changed, or is of another kind."
    )


def _content(path: str | os.PathLike[str]) -> bytes:
    """All bytes; of what begins like no safetensors file, however large, only the first eight are read."""
    file, shown = Path(path), os.fspath(path)
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "the folder" if stat.S_ISDIR(mode) else "what is none:"
            kind = IsADirectoryError if stat.S_ISDIR(mode) else OSError
            raise kind(f"load: expected a file, got {what} {shown!r}.")
        with file.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            first = opened.read(8)
            header = int.from_bytes(first, "little")
            if len(first) < 8:
                raise _damaged(shown, f"it has {len(first)} bytes")
            if 8 + header > size:
                raise _damaged(shown, f"its header of {header} bytes is longer than the file of {size}")
            opened.seek(0)
            return opened.read()
    except FileNotFoundError:
        raise FileNotFoundError(f"load: there is no file {shown!r}.") from None
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, f"load: {shown!r} could not be read: {error.strerror}.") from None


def _description(shown: str, content: bytes) -> Any:
    """The header has been checked by then, but for names that stand twice and what its metadata say."""
    size = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + size], object_pairs_hook=_no_key_twice)
    except ValueError as error:
        raise _damaged(shown, str(error)) from None
    text = (header.get(_METADATA) or {}).get(KEY)
    if text is None:
        return None
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_no_key_twice)
    except RecursionError:
        raise FileError(f"load: the description in {shown!r} is nested too deeply.") from None
    except ValueError as error:
        raise FileError(f"load: the description in {shown!r} is no JSON of ours ({error}). It was changed.") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _array(shown: str, name: str, info: dict[str, Any]) -> Array:
    """A tensor with memory of its own; bfloat16, which NumPy has not, as float32."""
    dtype, shape, data = info["dtype"], tuple(info["shape"]), info.pop("data")
    if dtype != "BF16" and dtype not in _DTYPES:
        raise FileError(f"load: {name!r} in {shown!r} is of dtype {dtype}, which is not read here. Convert the file.")
    array = np.frombuffer(data, np.dtype(_DTYPES.get(dtype, "u2")).newbyteorder("<"))
    if dtype == "BF16":
        wide = array.astype(np.uint32)
        array = np.left_shift(wide, 16, out=wide).view(np.float32)
    elif dtype == "BOOL":
        array = array.view(np.uint8) != 0  # a byte may be neither 0 nor 1
    try:
        return array.astype(array.dtype.newbyteorder("="), copy=not array.flags.writeable).reshape(shape)
    except ValueError as error:
        raise FileError(f"load: {name!r} in {shown!r} has a shape that NumPy has not ({error}).") from None
