"""The finished chapters of a run that has not ended: kept beside the page until it has."""

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import maillon
from maillon.data.sources import status
from maillon.engine import info
from maillon.report import ReportError
from maillon.report.chapter import Chapter, Settings
from maillon.report.machine import versions

FOLDER = ".unfinished"
SOURCES = (".py", ".html", ".css", ".j2", ".json", ".so", ".pyd")


class Kept:
    """A folder in `.unfinished` for one choice of `--quick` and `--seed`, with a folder for each finished chapter.

    What was made by other versions is stale and is forgotten, and so is a chapter that ran on a stand-in where the
    data sets on this machine have changed since. The data sets themselves cannot change: every file is verified.
    """

    def __init__(self, out: Path, *, quick: bool, seed: int) -> None:
        self.quick = quick
        self.seed = seed
        self.folder = out / FOLDER / f"{'quick' if quick else 'full'}-{seed}"
        self.origin = _origin()
        self.stale = (self.folder / "origin.json").exists() and _read(self.folder / "origin.json") != self.origin
        if self.stale:
            self.clear()
        for attempt in self.folder.glob(".attempt-*"):  # what a killed run was at
            shutil.rmtree(attempt, ignore_errors=True)

    def attempt(self) -> Settings:
        """The settings of a chapter that begins, with an empty folder to write to."""
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.folder / "origin.json", json.dumps(self.origin))
        return Settings(self.quick, self.seed, Path(tempfile.mkdtemp(prefix=".attempt-", dir=self.folder)))

    def keep(self, name: str, chapter: Chapter) -> None:
        """Keeps a finished chapter: `chapter(name)` gives it again from now on."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        state = {"chapter": chapter.state(), "data": _data() if chapter.stand_in_reason else None}
        folder = chapter.settings.out
        replace_file(folder / "chapter.json", json.dumps(state))
        folder.rename(self.folder / name)

    def give_up(self, attempt: Settings) -> None:
        """Removes what an attempt has written, and the folder itself where it keeps no chapter."""
        shutil.rmtree(attempt.out, ignore_errors=True)
        self.discard()

    def chapter(self, name: str) -> Chapter | None:
        """The chapter that an earlier run finished, or None."""
        state = _read(self.folder / name / "chapter.json")
        if state is None or (state["data"] is not None and state["data"] != _data()):
            return None
        return Chapter.from_state(state["chapter"], Settings(self.quick, self.seed, self.folder / name))

    def figures(self, name: str) -> list[Path]:
        """The files of a kept chapter's figures."""
        return sorted((self.folder / name / "figures").glob("*"))

    def discard(self, *names: str) -> None:
        """Forgets these chapters."""
        for name in names:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        if not any(path.is_dir() for path in self.folder.glob("*")):
            self.clear()

    def clear(self) -> None:
        """Forgets every chapter."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Holds the folder for one run at a time; a run that was killed holds nothing. Leaves no empty folder behind.

    Raises
    ------
    ReportError
        If another run writes to the folder.
    """
    place = out / FOLDER
    place.mkdir(exist_ok=True)
    with (place / "lock").open("w") as lock:
        if not _locked(lock.fileno()):
            raise ReportError(f"Another run writes to {out}. Wait for it, or choose another folder with --out.")
        try:
            yield
        finally:
            (place / "lock").unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # it holds chapters
                place.rmdir()


def replace_file(path: Path, content: str | bytes) -> None:
    """Writes a file beside its place and renames it, so that a reader never meets half of it."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    part.replace(path)


def _locked(file: int) -> bool:
    if find_spec("fcntl") is None:  # on Windows
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def _origin() -> dict[str, Any]:
    """What decides the results beside the settings: versions, engine, and the library's own files."""
    engine = info()
    return {
        "versions": versions(),
        "engine": [engine["engine"], engine["instruction_set"]],
        "library": _digest(Path(maillon.__file__).parent),
    }


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in SOURCES):
        digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _data() -> list[list[Any]]:
    return [[data_set.name, data_set.here] for data_set in status()]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
