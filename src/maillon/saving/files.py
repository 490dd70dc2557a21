"""Files: tensors and one description in the safetensors format, written whole or not at all.

Format: https://github.com/huggingface/safetensors#format. No code is ever run by reading one.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from maillon.typing import Array

KEY = "maillon"
"""The one key of the file's metadata that is ours: the order of several keys would not be the same in each file."""

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


def replace_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write beside, flush to the disk, then rename: at any moment there is the old file or the new one, whole."""
    import tempfile

    target = Path(path).resolve()  # a link stays one
    if target.is_dir():
        raise IsADirectoryError(f"save: expected the name of a file, got the folder {os.fspath(path)!r}.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"save: there is no folder {os.fspath(Path(path).parent)!r}. Make it first.")
    try:
        handle, beside = tempfile.mkstemp(".tmp", f".{target.name[:100]}.", target.parent)
    except OSError as error:
        raise _unwritten(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(_permissions(target))
        Path(beside).replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            Path(beside).unlink()
        if isinstance(error, OSError):
            raise _unwritten(path, error) from None
        raise
    with contextlib.suppress(OSError), _folder(target.parent) as folder:  # some file systems have no flush of folders
        os.fsync(folder)


def _unwritten(path: str | os.PathLike[str], error: OSError) -> OSError:
    text = f"save: {os.fspath(path)!r} could not be written: {error.strerror}. What was there before is unchanged."
    return type(error)(error.errno, text)


def _permissions(target: Path) -> int:
    """Those of the file that is replaced, else what a new file gets here."""
    try:
        return target.stat().st_mode & 0o7777
    except OSError:
        mask = os.umask(0o022)
        os.umask(mask)
        return 0o666 & ~mask


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
        raise FileError(
            f"load: {shown!r} is not a whole safetensors file ({error}). It was cut short, changed, or is of another "
            "kind."
        ) from None
    description = _description(shown, content)
    del content
    return {name: _array(shown, name, info) for name, info in sorted(listed, key=lambda one: one[0])}, description


def _content(path: str | os.PathLike[str]) -> bytes:
    file, shown = Path(path), os.fspath(path)
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"load: there is no file {shown!r}.") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"load: expected a file, got the folder {shown!r}.") from None
    except OSError as error:
        raise type(error)(error.errno, f"load: {shown!r} could not be read: {error.strerror}.") from None


def _description(shown: str, content: bytes) -> Any:
    """The header has been checked by then, but for what its metadata say."""
    size = int.from_bytes(content[:8], "little")
    text = json.loads(content[8 : 8 + size]).get("__metadata__", {}).get(KEY)
    if text is None:
        return None
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_key_twice)
    except (ValueError, RecursionError) as error:
        raise FileError(f"load: the description in {shown!r} is no JSON of ours ({error}). It was changed.") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _array(shown: str, name: str, info: Mapping[str, Any]) -> Array:
    """A tensor with memory of its own; bfloat16, which NumPy has not, as float32."""
    dtype, shape = info["dtype"], tuple(info["shape"])
    if dtype == "BF16":
        return (np.frombuffer(info["data"], "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if dtype not in _DTYPES:
        raise FileError(f"load: {name!r} in {shown!r} is of dtype {dtype}, which NumPy has not. Convert the file.")
    array = np.frombuffer(info["data"], np.dtype(_DTYPES[dtype]).newbyteorder("<"))
    try:
        return array.astype(array.dtype.newbyteorder("="), copy=not array.flags.writeable).reshape(shape)
    except ValueError as error:
        raise FileError(f"load: {name!r} in {shown!r} has a shape that NumPy has not ({error}).") from None
