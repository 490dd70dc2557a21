"""A run of the report: chapter after chapter, then one page, its figures and its numbers."""

import importlib
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from maillon.random import using
from maillon.report import CHAPTERS, ReportError, ReportInterrupted
from maillon.report.chapter import Chapter
from maillon.report.kept import Kept, only_run, replace_file
from maillon.report.machine import machine, versions, without_paths
from maillon.report.page import render

FULL_TITLE = "<title>maillon: the report</title>"


def run_report(
    chapters: Sequence[str], *, quick: bool, out: Path, seed: int, force: bool = False, fresh: bool = False
) -> Path:
    """Runs the chapters and writes `index.html`, `results.json` and `figures/` into `out`.

    Every chapter is kept as soon as it is finished; a run that was interrupted goes on from there at the next call
    with the same settings. Every file is written beside its place and renamed, the page last.

    Parameters
    ----------
    chapters
        Their names, in the order in which they run.
    quick
        Fewer epochs.
    out
        The folder to write to.
    seed
        The seed of every random draw.
    force
        Lets a quick run overwrite a full report.
    fresh
        Forgets the chapters that an interrupted run has kept.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ReportError
        Before any training: for an unknown chapter, a folder that cannot be written to or that another run writes
        to, and a quick run that would overwrite a full report. After the page is written: for a chapter that failed.
    ReportInterrupted
        After Ctrl-C.
    """
    unknown = [name for name in chapters if name not in CHAPTERS]
    if unknown:
        raise ReportError(f"There is no chapter {unknown[0]!r}. There are: {', '.join(CHAPTERS)}.")
    if quick and not force and _holds_full_report(out):
        raise ReportError(
            f"{out} holds a full report, and --quick would overwrite it. Write to another folder with --out, or "
            "overwrite the full report with --force."
        )
    _check_writable(out)
    with only_run(out):
        kept = Kept(out, quick=quick, seed=seed)
        if fresh:
            kept.clear()
        elif kept.stale:
            _say("The chapters of an interrupted run are of other versions; they run again.")
        return _run(chapters, kept, out)


def _run(chapters: Sequence[str], kept: Kept, out: Path) -> Path:
    done: list[Chapter] = []
    try:
        for index, name in enumerate(chapters, 1):
            done.append(_chapter(name, f"[{index}/{len(chapters)}] {name}", kept))
    except KeyboardInterrupt:
        finished = sum(not chapter.error for chapter in done)
        if not finished:
            raise
        raise ReportInterrupted(
            f"Finished and kept: {finished} of {len(chapters)} chapters. The same command goes on from there; with "
            "--fresh it begins anew."
        ) from None
    results = _results(done, kept)
    text = json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    for name in chapters:
        for figure in kept.figures(name):
            replace_file(out / "figures" / figure.name, figure.read_bytes())
    page = out / "index.html"
    replace_file(out / "results.json", text)
    replace_file(page, render(done, results))
    failed = [f"{chapter.name} ({chapter.error})" for chapter in done if chapter.error]
    if failed:
        raise ReportError(
            f"Failed: {', '.join(failed)}. The page has the other chapters: {page}. They are kept: the same command "
            "runs only what failed."
        )
    kept.discard(*chapters)
    return page


def _holds_full_report(out: Path) -> bool:
    try:
        if json.loads((out / "results.json").read_text(encoding="utf-8"))["quick"] is False:
            return True
    except (OSError, ValueError, KeyError, TypeError):
        pass  # the page itself may tell
    try:
        return FULL_TITLE in (out / "index.html").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def _check_writable(out: Path) -> None:
    try:
        (out / "figures").mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReportError(f"Cannot write to {out}: {reason}. Choose another folder with --out.") from error


def _chapter(name: str, place: str, kept: Kept) -> Chapter:
    """The chapter, run unless it is kept; one that raises becomes a chapter that says so."""
    finished = kept.chapter(name)
    if finished is not None:
        _say(f"{place}: kept from an interrupted run, {len(finished.claims)} claims")
        return finished
    _say(place)
    settings = kept.attempt()
    begin = time.perf_counter()
    try:
        module = importlib.import_module(CHAPTERS[name])
        with using(settings.generator()):
            chapter: Chapter = module.run(settings)
    except Exception as error:
        sys.stderr.write(traceback.format_exc())
        chapter = Chapter(name, name.capitalize(), settings)
        chapter.error = without_paths(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        kept.give_up(settings)
        raise
    chapter.seconds = time.perf_counter() - begin
    if chapter.error:
        kept.give_up(settings)
    else:
        kept.keep(name, chapter)
    _say(f"{place}: {len(chapter.claims)} claims, {chapter.seconds:.1f} s")
    return chapter


def _results(chapters: list[Chapter], kept: Kept) -> dict[str, Any]:
    return {
        "versions": versions(),
        "machine": machine(),
        "seed": kept.seed,
        "quick": kept.quick,
        "seconds": round(sum(chapter.seconds for chapter in chapters), 3),
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


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
