"""A run of the report: chapter after chapter, then one page, its figures and its numbers."""

import importlib
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from maillon.random import using
from maillon.report import ReportError
from maillon.report.chapter import Chapter, Settings
from maillon.report.machine import machine, versions
from maillon.report.page import render

CHAPTERS: dict[str, str] = {
    "linear": "maillon.report.linear",
    "binary": "maillon.report.binary",
    "encapsulation": "maillon.report.encapsulation",
    "mnist": "maillon.report.mnist",
    "autoencoder": "maillon.report.autoencoder",
}
"""The chapters in the report's order, and the module that runs each."""


def run_report(chapters: Sequence[str], *, quick: bool, out: Path, seed: int) -> Path:
    """Runs the chapters and writes `index.html`, `results.json` and `figures/` into `out`.

    Everything is written beside and moved into place at the end, so that a reader never meets half a page.

    Raises:
        ReportError: for an unknown chapter, a folder that cannot be written to (before any training), and,
            after the page is written, a chapter that failed.
    """
    unknown = [name for name in chapters if name not in CHAPTERS]
    if unknown:
        raise ReportError(f"There is no chapter {unknown[0]!r}. There are: {', '.join(CHAPTERS)}.")
    workshop = _workshop(out)
    try:
        settings = Settings(quick, seed, workshop)
        begin = time.perf_counter()
        done = [_run_chapter(name, index, len(chapters), settings) for index, name in enumerate(chapters, 1)]
        results = _results(done, settings, time.perf_counter() - begin)
        text = json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        (workshop / "results.json").write_text(text, encoding="utf-8")
        (workshop / "index.html").write_text(render(done, results), encoding="utf-8")
        _publish(workshop, out)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    page = out / "index.html"
    failed = [f"{chapter.name} ({chapter.error})" for chapter in done if chapter.error]
    if failed:
        raise ReportError(f"Failed: {', '.join(failed)}. The page has the other chapters: {page}")
    return page


def _workshop(out: Path) -> Path:
    """An empty folder inside `out`, on its file system."""
    try:
        (out / "figures").mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".report-", dir=out))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReportError(f"Cannot write to {out}: {reason}. Choose another folder with --out.") from error


def _run_chapter(name: str, index: int, count: int, settings: Settings) -> Chapter:
    """The chapter; one that raises becomes a chapter that says so."""
    _say(f"[{index}/{count}] {name}")
    begin = time.perf_counter()
    try:
        module = importlib.import_module(CHAPTERS[name])
        with using(settings.generator()):
            chapter: Chapter = module.run(settings)
    except Exception as error:
        sys.stderr.write(traceback.format_exc())
        chapter = Chapter(name, name.capitalize(), settings)
        chapter.error = f"{type(error).__name__}: {error}"
    chapter.seconds = time.perf_counter() - begin
    _say(f"[{index}/{count}] {name}: {len(chapter.claims)} claims, {chapter.seconds:.1f} s")
    return chapter


def _results(chapters: list[Chapter], settings: Settings, seconds: float) -> dict[str, Any]:
    return {
        "versions": versions(),
        "machine": machine(),
        "seed": settings.seed,
        "quick": settings.quick,
        "seconds": round(seconds, 3),
        "chapters": [_chapter_results(chapter) for chapter in chapters],
        "claims": [asdict(claim) for chapter in chapters for claim in chapter.claims],
    }


def _chapter_results(chapter: Chapter) -> dict[str, Any]:
    return {
        "name": chapter.name,
        "title": chapter.title,
        "source": chapter.source,
        "stand_in": chapter.stand_in_reason or None,
        "error": chapter.error or None,
        "seconds": round(chapter.seconds, 3),
        "trainings": [{"label": label, "seconds": round(took, 4)} for label, took in chapter.trainings],
    }


def _publish(workshop: Path, out: Path) -> None:
    """Moves the files into place, the page last; what else lies in `out` stays."""
    figures = sorted((workshop / "figures").glob("*"))
    for path in [*figures, workshop / "results.json", workshop / "index.html"]:
        path.replace(out / path.relative_to(workshop))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
