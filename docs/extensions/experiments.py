"""A chapter of the report in its short form, for the scripts of docs/experiments."""

import contextlib
import html
import importlib
import io
import re
import shutil
import textwrap

from gallery import folder

from maillon.report import CHAPTERS
from maillon.report.chapter import Chapter, Settings

LABEL = re.compile(r'(?:aria-label|alt)="([^"]*)"')


class Experiment:
    """A chapter that was run in its short form."""

    def __init__(self, name: str) -> None:
        self.folder = folder(name)
        shutil.rmtree(self.folder, ignore_errors=True)
        settings = Settings(quick=True, seed=10, out=self.folder / "all")
        with contextlib.redirect_stdout(io.StringIO()):  # how long each training took
            self.chapter: Chapter = importlib.import_module(CHAPTERS[name]).run(settings)

    @property
    def data(self) -> str:
        """Where the data are from, and why they are not the report's where they are not."""
        reason = self.chapter.stand_in_reason
        lines = [f"Data: {self.chapter.source}"] + [f"Not the report's data: {reason}"] * bool(reason)
        return "\n".join(textwrap.fill(line, 90) for line in lines)

    def show(self, name: str) -> None:
        """Hands a figure of the chapter to the page, with the words that describe it."""
        block = next(block for block in self.chapter.blocks if block.anchor == f"{self.chapter.name}-{name}")
        words = LABEL.search(block.content)
        assert words is not None, name
        (self.folder / f"{name}.txt").write_text(html.unescape(words[1]), encoding="utf-8")
        shutil.copy(self.folder / "all" / "figures" / f"{name}.png", self.folder / f"{name}.png")

    def claims(self, *items: str) -> "Claims":
        """What the report says and what was measured, of all figures and tables or of those named."""
        return Claims(self.chapter, items)


class Claims:
    """A table: the report's claims, what was measured, the verdict and why."""

    def __init__(self, chapter: Chapter, items: tuple[str, ...]) -> None:
        self.claims = [claim for claim in chapter.claims if not items or claim.item in items]

    def _repr_html_(self) -> str:
        rows = [[c.item, _shown(c.report, c.unit), _shown(c.measured, c.unit), c.verdict, c.why] for c in self.claims]
        header = ["", "report", "here", "verdict", "why"]
        lines = ["".join(f"<th>{_marked(cell)}</th>" for cell in header)]
        lines += ["".join(f"<td>{_marked(cell)}</td>" for cell in row) for row in rows]
        table = "".join(f"<tr>{line}</tr>" for line in lines)
        return f'<div class="pst-scrollable-table-container"><table class="table">{table}</table></div>'


def _shown(value: object, unit: str = "") -> str:
    if isinstance(value, list):
        return ", ".join(_shown(element) for element in value)
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"{text} {unit}".strip()


def _marked(text: str) -> str:
    """Plain text in which code stands between backquotes, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
