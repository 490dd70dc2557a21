"""On what a report was run: versions and hardware, and nothing that names its owner."""

import os
import platform
import re
from importlib import metadata
from pathlib import Path

PACKAGES = ("maillon", "numpy", "scipy", "matplotlib", "scikit-learn", "torch")


PLACE = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:|~)?(?:[/\\][^\s/\\'\",;:()<>]+){2,}[/\\]?")


def without_paths(text: str) -> str:
    """The text with the last part only of every absolute path: folders say nothing to a reader and may name a person.

    Examples
    --------
    >>> without_paths("cannot read '/home/ada/data/mnist.gz', 3/4 done")
    "cannot read 'mnist.gz', 3/4 done"
    """
    return PLACE.sub(lambda place: re.split(r"[/\\]", place.group().rstrip("/\\"))[-1], text)


def versions() -> dict[str, str | None]:
    """The version of Python and of each package that may have taken part; None where it is not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def machine() -> dict[str, str | int | float | None]:
    """Processor, cores this process may use, memory in GiB, and platform."""
    return {
        "processor": _processor(Path("/proc/cpuinfo")),
        "cores": _cores(),
        "memory_gib": _memory(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _processor(cpuinfo: Path) -> str:
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None
