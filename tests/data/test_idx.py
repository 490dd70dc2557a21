import gzip
import struct

import numpy as np
import pytest

from maillon.data import DataError, DataFileError, read_idx

KINDS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx(array, kind):
    head = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(KINDS[kind]).tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (0, 3)])
def test_reads_every_type_plain_and_compressed(tmp_path, kind, pack, shape):
    values = (np.arange(np.prod(shape)).reshape(shape) - (0 if kind == 0x08 else 3)) * 1.0
    path = tmp_path / "some.idx"
    path.write_bytes(pack(idx(values, kind)))
    read = read_idx(path)
    assert read.dtype == np.dtype(KINDS[kind]).newbyteorder("=")
    assert read.dtype.isnative
    assert read.flags.writeable
    assert read.shape == shape
    np.testing.assert_array_equal(read, values)


def test_takes_a_text_for_a_path(tmp_path):
    (tmp_path / "a").write_bytes(idx(np.array([1, 2]), 0x08))
    assert read_idx(str(tmp_path / "a")).tolist() == [1, 2]


GOOD = idx(np.arange(6).reshape(2, 3), 0x0B)
WRONG_FILES = {
    "empty": (
        b"",
        "expected an IDX file, which begins 00 00, a type of 08, 09, 0b, 0c, 0d, 0e and a number of dimensions ≥ 1,"
        " got an empty file. Pass a file such as train-images-idx3-ubyte.gz.",
    ),
    "another format": (
        b"\x89PNG\r\n",
        "expected an IDX file, which begins 00 00, a type of 08, 09, 0b, 0c, 0d, 0e and a number of dimensions ≥ 1,"
        " got 89 50 4e 47. Pass a file such as train-images-idx3-ubyte.gz.",
    ),
    "unknown type": (
        b"\0\0\x0a\x01" + GOOD[4:],
        "expected an IDX file, which begins 00 00, a type of 08, 09, 0b, 0c, 0d, 0e and a number of dimensions ≥ 1,"
        " got 00 00 0a 01. Pass a file such as train-images-idx3-ubyte.gz.",
    ),
    "no dimensions": (
        b"\0\0\x08\0\x01",
        "expected an IDX file, which begins 00 00, a type of 08, 09, 0b, 0c, 0d, 0e and a number of dimensions ≥ 1,"
        " got 00 00 08 00. Pass a file such as train-images-idx3-ubyte.gz.",
    ),
    "truncated header": (
        GOOD[:9],
        "expected 12 bytes of IDX header, got 9 bytes in all. The file is truncated: fetch it again.",
    ),
    "truncated data": (
        GOOD[:-1],
        "expected 12 bytes of data for shape (2, 3) of int16, got 11. The file is truncated: fetch it again.",
    ),
    "trailing bytes": (
        GOOD + b"..",
        "expected 12 bytes of data for shape (2, 3) of int16, got 14. Bytes trail behind the data: fetch it again.",
    ),
    "truncated gzip": (
        gzip.compress(GOOD)[:-9],
        "expected a whole gzip file, got one that cannot be decompressed"
        " (Compressed file ended before the end-of-stream marker was reached). Delete it and fetch it again.",
    ),
}


@pytest.mark.parametrize(("content", "message"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_wrong_files_are_named_with_what_was_expected_and_got(tmp_path, content, message):
    path = tmp_path / "wrong.gz"
    path.write_bytes(content)
    with pytest.raises(DataFileError) as caught:
        read_idx(path)
    assert str(caught.value) == f"{path}: {message}"
    assert isinstance(caught.value, DataError)
    assert isinstance(caught.value, ValueError)
    assert path.read_bytes() == content


@pytest.mark.parametrize("place", [12, -6], ids=["deflate stream", "checksum"])
def test_a_flipped_bit_in_a_compressed_file_is_found(tmp_path, place):
    content = bytearray(gzip.compress(idx(np.arange(200), 0x0C)))
    content[place] ^= 0x55
    path = tmp_path / "flipped.gz"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match="expected a whole gzip file, got one that cannot be decompressed"):
        read_idx(path)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.idx"):
        read_idx(tmp_path / "nothing.idx")
