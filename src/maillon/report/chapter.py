"""What a chapter of the report is made of: paragraphs, figures, tables and claims, in order."""

import base64
import io
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import ScalarFormatter

from maillon.plot.style import use
from maillon.random import Generator
from maillon.report.numbers import spelled
from maillon.report.svg import PAPER, inline_svg
from maillon.train import History

Verdict = Literal["holds", "differs", "cannot hold", "not comparable"]
Value: TypeAlias = str | float | list[Any]

LARGEST_SVG = 400_000  # bytes; above, the page embeds the PNG instead
DOTS_PER_INCH = 150


@dataclass(frozen=True)
class Claim:
    """One sentence of the report, beside what was measured here."""

    id: str
    chapter: str
    item: str
    report: Value
    measured: Value
    unit: str
    verdict: Verdict
    why: str


@dataclass(frozen=True)
class Settings:
    """What a run is told: quick or in full, its seed, and the folder it writes to."""

    quick: bool
    seed: int
    out: Path

    def epochs(self, full: int, quick: int) -> int:
        """The number of epochs of this run."""
        return quick if self.quick else full

    def generator(self) -> Generator:
        """A fresh generator in the state of the run's seed."""
        return Generator(self.seed)


@dataclass(frozen=True)
class Block:
    """One piece of a chapter; `kind` is text, heading, figure, table or html, and the template knows each."""

    kind: Literal["text", "heading", "figure", "table", "html"]
    content: str = ""
    item: str = ""
    anchor: str = ""
    width: int = 0
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    caption: str = ""


class Chapter:
    """The ordered blocks, claims and trainings of one chapter.

    Texts, captions, cells and reasons are plain text in which `code` stands between backquotes and **bold**
    between double asterisks; everything else is shown as it is written.
    """

    def __init__(self, name: str, title: str, settings: Settings) -> None:
        self.name = name
        self.title = title
        self.settings = settings
        self.source = ""
        self.stand_in_reason = ""
        self.error = ""
        self.seconds = 0.0
        self.blocks: list[Block] = []
        self.trainings: list[tuple[str, float]] = []
        self._claims: list[Claim] = []

    def state(self) -> dict[str, Any]:
        """All of the chapter but its settings and figure files, as JSON can hold it."""
        plain = {name: getattr(self, name) for name in ("name", "title", "source", "stand_in_reason", "seconds")}
        return plain | {
            "blocks": [asdict(block) for block in self.blocks],
            "trainings": self.trainings,
            "claims": [asdict(claim) for claim in self._claims],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], settings: Settings) -> "Chapter":
        """The chapter of which `state` was taken."""
        chapter = cls(state["name"], state["title"], settings)
        chapter.source, chapter.stand_in_reason = state["source"], state["stand_in_reason"]
        chapter.seconds = state["seconds"]
        chapter.blocks = [
            Block(**block | {"header": tuple(block["header"]), "rows": tuple(map(tuple, block["rows"]))})
            for block in state["blocks"]
        ]
        chapter.trainings = [(label, seconds) for label, seconds in state["trainings"]]
        chapter._claims = [Claim(**claim) for claim in state["claims"]]
        return chapter

    @property
    def claims(self) -> list[Claim]:
        """The claims in order; on a stand-in none of them can be compared."""
        if not self.stand_in_reason:
            return list(self._claims)
        note = "Measured on other data than the report's. "
        return [replace(claim, verdict="not comparable", why=note + claim.why) for claim in self._claims]

    def text(self, paragraph: str) -> None:
        self.blocks.append(Block("text", paragraph))

    def heading(self, text: str) -> None:
        self.blocks.append(Block("heading", text))

    def html(self, fragment: str) -> None:
        """Puts trusted HTML on the page as it is; it must not ask for anything outside the page."""
        self.blocks.append(Block("html", fragment))

    def table(self, caption: str, header: Sequence[object], rows: Sequence[Sequence[object]], item: str = "") -> None:
        cells = tuple(tuple(str(cell) for cell in row) for row in rows)
        header_cells = tuple(str(cell) for cell in header)
        self.blocks.append(Block("table", item=item, header=header_cells, rows=cells, caption=caption))

    def figure(self, name: str, fig: Figure, caption: str, item: str = "", *, alt: str) -> None:
        """Writes `figures/<name>.svg` and `.png` and embeds the figure; the figure is closed afterwards.

        Parameters
        ----------
        alt
            What the figure shows, with its numbers, for readers who cannot see it.

        Raises
        ------
        ValueError
            For a name used twice in the chapter.
        """
        anchor = f"{self.name}-{name}"
        if any(block.anchor == anchor for block in self.blocks):
            raise ValueError(f"figure {name!r} stands twice in chapter {self.name!r}. Give the second its own name.")
        folder = self.settings.out / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        svg, png = _render(fig, salt=anchor)
        (folder / f"{name}.svg").write_bytes(svg)
        (folder / f"{name}.png").write_bytes(png)
        label = spelled(f"{item}: {alt}" if item else alt)
        if len(svg) <= LARGEST_SVG:
            content = inline_svg(svg.decode(), prefix=anchor, label=label)
        else:
            content = _image(png, label)
        width = round(fig.get_figwidth() * 96)
        self.blocks.append(Block("figure", content, item, anchor, width, caption=caption))
        fig.clear()
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            pyplot.close(fig)

    def claim(
        self,
        id: str,
        item: str,
        report: object,
        measured: object,
        verdict: Verdict,
        why: str,
        unit: str = "",
    ) -> None:
        """Sets the report's value beside ours; NumPy numbers and arrays become plain ones.

        Raises:
            ValueError: for a verdict that is none of the four, and for an id used twice in the chapter.
        """
        if verdict not in get_args(Verdict):
            raise ValueError(f"claim {id!r}: expected a verdict among {get_args(Verdict)}, got {verdict!r}.")
        if any(claim.id == id for claim in self._claims):
            raise ValueError(f"claim {id!r} stands twice in chapter {self.name!r}. Give the second its own id.")
        self._claims.append(Claim(id, self.name, item, _plain(report), _plain(measured), unit, verdict, why))

    def stand_in(self, reason: str) -> None:
        """Marks the chapter as run on other data than the report's: none of its claims is comparable."""
        self.stand_in_reason = reason

    @contextmanager
    def training(self, label: str) -> Iterator[None]:
        """Measures a training and writes a line about it when it ends.

        Inside, `fit` draws its own live bar where there is a terminal.
        """
        begin = time.perf_counter()
        yield
        seconds = time.perf_counter() - begin
        self.trainings.append((label, seconds))
        sys.stdout.write(f"  {self.name}: {label} {'.' * max(3, 60 - len(label))} {seconds:.2f} s\n")
        sys.stdout.flush()


def verdict_of(holds: bool) -> Verdict:
    """The verdict on a claim that was measured."""
    return "holds" if holds else "differs"


def finished(history: History) -> History:
    """The history of a training that ran to its end; Ctrl-C inside one ends the report, not that training alone."""
    if history.interrupted:
        raise KeyboardInterrupt
    return history


def _render(fig: Figure, salt: str) -> tuple[bytes, bytes]:
    svg, png = io.BytesIO(), io.BytesIO()
    for text in fig.findobj(Text):
        if isinstance(text, Text) and "$" not in text.get_text():
            text.set_text(spelled(text.get_text()))
    for axis in (axis for ax in fig.axes for axis in (ax.xaxis, ax.yaxis)):
        if isinstance(formatter := axis.get_major_formatter(), ScalarFormatter):
            formatter.set_useMathText(True)  # × 10ⁿ rather than 1e-n
    for number, patch in enumerate([fig.patch, *(ax.patch for ax in fig.axes)]):
        patch.set_gid(f"{PAPER}{number}")
    with use(), matplotlib.rc_context({"svg.hashsalt": salt}):
        fig.draw_without_rendering()
        fig.set_layout_engine("none")  # laid out once, for both files
        fig.savefig(svg, format="svg", metadata={"Date": None})
        fig.savefig(png, format="png", dpi=DOTS_PER_INCH)
    return svg.getvalue(), png.getvalue()


def _image(png: bytes, label: str) -> str:
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    return f'<img src="{source}" alt="{escape(label)}">'


def _plain(value: object) -> Value:
    """What JSON can hold: a string, a finite number or a list of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    if isinstance(value, bool | np.bool):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return int(value)
    number = float(value)  # type: ignore[arg-type]  # a non-number raises TypeError here, as it should
    return number if math.isfinite(number) else str(number)
