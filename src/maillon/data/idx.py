"""The IDX format, in which MNIST and Fashion-MNIST are published."""

import gzip
import math
import struct
import zlib
from os import PathLike
from pathlib import Path

import numpy as np

from maillon.data.errors import DataFileError
from maillon.typing import Array

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | PathLike[str]) -> Array:
    """Read the array that an IDX file holds, plain or compressed with gzip.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    ndarray
        Of the type that the file says, in the machine's own byte order.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    DataFileError
        For a file that is truncated, corrupt, or no IDX file.

    Notes
    -----
    The format: two zero bytes, one for the type (unsigned and signed bytes, int16, int32, float32, float64), one for
    the number of dimensions d; d sizes of 4 bytes each; the values in C order; all of it big-endian.

    References
    ----------
    Y. LeCun, The MNIST database, "File formats".

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "three.idx")
    ...     size = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
    ...     read_idx(path)
    array([7, 8, 9], dtype=uint8)
    """
    return parse_idx(read_decompressed(path), path)


def read_decompressed(path: str | PathLike[str]) -> bytes:
    """The bytes of a file, decompressed where they are gzip's."""
    return decompressed(Path(path).read_bytes(), path)


def decompressed(content: bytes, path: str | PathLike[str]) -> bytes:
    """`content`, decompressed where it begins as gzip's does, whatever `path` ends in; `path` is for the message."""
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataFileError(
            f"{path}: expected a whole gzip file, got one that cannot be decompressed ({error})."
            " Delete it and fetch it again."
        ) from error


def parse_idx(content: bytes, path: str | PathLike[str]) -> Array:
    """The array that the bytes of an IDX file hold; `path` is for the messages."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES or content[3] == 0:
        raise DataFileError(
            f"{path}: expected an IDX file, which begins 00 00, a type of {_types()} and a number of dimensions ≥ 1,"
            f" got {content[:4].hex(' ') or 'an empty file'}. Pass a file such as train-images-idx3-ubyte.gz."
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataFileError(
            f"{path}: expected {start} bytes of IDX header, got {len(content)} bytes in all. The file is truncated:"
            " fetch it again."
        )
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    kind = np.dtype(IDX_TYPES[content[2]])
    expected, got = math.prod(shape) * kind.itemsize, len(content) - start
    if got != expected:
        state = "The file is truncated" if got < expected else "Bytes trail behind the data"
        raise DataFileError(
            f"{path}: expected {expected} bytes of data for shape {shape} of {kind.name}, got {got}."
            f" {state}: fetch it again."
        )
    return np.frombuffer(content, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))


def _types() -> str:
    return ", ".join(f"{code:02x}" for code in IDX_TYPES)
