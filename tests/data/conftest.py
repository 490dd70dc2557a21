"""Two small data sets, published here in place of MNIST and Fashion-MNIST."""

import dataclasses
import gzip
import hashlib
import struct
from pathlib import Path

import pytest

from maillon.data import sources
from maillon.data.sources import DATA_SETS, PARTS, file_name


def idx_bytes(shape, values, kind=0x08):
    return bytes([0, 0, kind, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + bytes(values)


def contents(first_pixel):
    """The IDX bytes of four parts: six training and two test images of 2×2."""
    made = {}
    for part, n in zip(PARTS, (6, 6, 2, 2), strict=True):
        if part.endswith("images"):
            made[part] = idx_bytes((n, 2, 2), [(first_pixel + i) % 256 for i in range(4 * n)])
        else:
            made[part] = idx_bytes((n,), [(first_pixel + i) % 10 for i in range(n)])
    return made


@dataclasses.dataclass
class World:
    """Where the tests look for data: nothing is there to begin with."""

    cache: Path
    debian: Path
    parts: dict

    def write(self, folder, parts, compressed=True):
        """Write parts as the files of a data set; returns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for part, content in parts.items():
            name = file_name(part) if compressed else file_name(part).removesuffix(".gz")
            (folder / name).write_bytes(gzip.compress(content) if compressed else content)
        return folder


@pytest.fixture
def world(tmp_path, monkeypatch):
    parts = {"mnist": contents(3), "fashion-mnist": contents(100)}
    for name, made in parts.items():
        checksums = {part: hashlib.sha256(content).hexdigest() for part, content in made.items()}
        tiny = dataclasses.replace(DATA_SETS[name], checksums=checksums, mirrors=())
        monkeypatch.setitem(DATA_SETS, name, tiny)
    debian = tmp_path / "usr" / "fashion-mnist"
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", debian)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("MAILLON_DATA", raising=False)
    return World(tmp_path / "xdg" / "maillon", debian, parts)
