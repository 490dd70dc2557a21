"""What is written down: the machine, quartiles, who missed which limit."""

import json
import platform
import statistics
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from peers.referee import cores

RESULTS = Path(__file__).resolve().parents[1] / "results"


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """First quartile, median and third, to four significant digits."""
    parts = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return {name: significant(value) for name, value in zip(("q1", "median", "q3"), parts, strict=True)}


def significant(value: float) -> float:
    return float(f"{value:.4g}")


def short(value: float) -> str:
    """Three digits, as a reader wants them: 0.0712, 12.3, 36 000."""
    if value >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}".replace(",", " ")
    return f"{value:#.3g}".rstrip(".")


def machine() -> dict[str, Any]:
    """Processor, cores, system, and the versions all sides share."""
    blas: Any = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[index]
    return {
        "processor": _processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "blas": f"{blas['name']} {blas['version']}",
    }


def version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table, its first column to the left and the others to the right."""
    lines = [list(head), ["---", *["--:"] * (len(head) - 1)], *map(list, rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def write(path: Path, result: dict[str, Any], lines: Iterable[str]) -> None:
    """The JSON, and beside it the tables in Markdown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def heading(title: str, result: dict[str, Any]) -> list[str]:
    """The title, and on what the figures below were measured."""
    here = result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in result.get("versions", {}).items())
    words = [f"# {title}", "", f"{here['processor']}, {here['cores']} cores, {here['system']}; Python {here['python']}"]
    words[-1] += f", {here['blas']}, {versions}." if versions else f", {here['blas']}."
    return [*words, ""]


def listed(title: str, items: Sequence[str]) -> list[str]:
    return ["", f"## {title}", "", *(f"- {item}" for item in items or ["none"])]
