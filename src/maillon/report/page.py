"""The page: one HTML file that asks for nothing outside itself."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from maillon.report.chapter import Chapter, Value, Verdict
from maillon.report.numbers import spelled

MARKS: dict[str, str] = {"holds": "✓", "differs": "≠", "cannot hold": "✕", "not comparable": "–"}
VERDICTS: tuple[str, ...] = get_args(Verdict)


def render(chapters: Sequence[Chapter], results: Mapping[str, Any]) -> str:
    """The page of these chapters; `results` is what `results.json` holds."""
    environment = Environment(
        loader=PackageLoader("maillon.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(inline=inline, spelled=spelled, value=show, quoted=quoted, slug=slug, duration=duration)
    return environment.get_template("page.html.j2").render(
        chapters=chapters,
        results=results,
        verdicts=VERDICTS,
        marks=MARKS,
        counts={chapter.name: count(chapter) for chapter in chapters},
        totals={verdict: sum(count(chapter)[verdict] for chapter in chapters) for verdict in VERDICTS},
    )


def inline(text: str) -> Markup:
    """Plain text to HTML: `code` between backquotes, **bold** between double asterisks, numbers in the page's style.

    Examples
    --------
    >>> inline("a < b, `x`, **not**")
    Markup('a &lt; b, <code>x</code>, <strong>not</strong>')
    """
    pieces = re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", text)
    return Markup("").join(_marked(piece) for piece in pieces)


def _marked(piece: str) -> Markup:
    if piece.startswith("`") and len(piece) > 2:
        return Markup(f"<code>{escape(piece[1:-1])}</code>")
    if piece.startswith("**") and len(piece) > 4:
        return Markup(f"<strong>{escape(spelled(piece[2:-2]))}</strong>")
    return Markup(escape(spelled(piece)))


def show(value: Value, unit: str = "") -> str:
    """A claim's value as a reader wants it: four digits, lists in a row, the unit behind numbers.

    Examples
    --------
    >>> show([0.94217, -0.95], "m"), show("within a metre", "m")
    ('0.9422, −0.95 m', 'within a metre')
    """
    return spelled(_shown(value, unit, digits=4))


def quoted(value: Value, unit: str = "") -> str:
    """A value of the report, with all the digits that it prints.

    Examples
    --------
    >>> quoted(94.875, "points")
    '94.875 points'
    """
    return spelled(_shown(value, unit, digits=12))


def _shown(value: Value, unit: str, digits: int) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        text = ", ".join(_shown(element, "", digits) for element in value)
    else:
        text = str(value) if isinstance(value, int) else f"{value:.{digits}g}"
        if "e" in text and 1 <= abs(value) < 1e7:
            text = f"{value:.0f}"
        elif 0 < abs(value) < 1e-3:
            text = f"{value:.{digits - 1}e}"
            text = re.sub(r"\.?0*e", "e", text)
    return f"{text} {unit}" if unit else text


def slug(verdict: str) -> str:
    return verdict.replace(" ", "-")


def duration(seconds: float) -> str:
    """Seconds, or minutes and seconds from two minutes on.

    Examples
    --------
    >>> duration(0.034), duration(12.34), duration(150)
    ('0.03 s', '12.3 s', '2 min 30 s')
    """
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def count(chapter: Chapter) -> dict[str, int]:
    """How many of the chapter's claims came to each verdict."""
    verdicts = [claim.verdict for claim in chapter.claims]
    return {verdict: verdicts.count(verdict) for verdict in get_args(Verdict)}
