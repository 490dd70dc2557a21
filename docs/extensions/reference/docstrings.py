"""Docstrings, which are plain text for a terminal, made ready for the site: formulas in mathematics."""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from maillon.nn import Module
from maillon.optim import LRScheduler, Rule
from reference import names
from reference.display import Display, Line, blocks, defined
from reference.sentences import Piece, pieces, words
from reference.tex import in_text

UNDERLINE = re.compile(r"-{3,}$")
NAME = re.compile(r"(?<![\w.])[A-Z](?=\w*[A-Z0-9])\w+(?!\w)")
"""What is a name and no word, wherever it stands: two capitals, or a capital and a digit."""

NOWHERE: Mapping[str, str] = {}
MARKS = re.compile(r"(?<!\\)([*|\\]|_(?=\W|$))")
FORMULAS_IN = ("maillon.nn.init", "maillon.nn.utils")
"""Rooms whose functions are described by formulas."""


def process(app: Any, what: str, name: str, value: object, options: Any, lines: list[str]) -> None:
    """Rewrite the lines of a docstring in place, before numpydoc reads its sections."""
    with_formulas = is_described_by_formulas(value)
    links = {} if app is None else names.addresses(Path(app.srcdir) / "reference")
    links = {short: full for short, full in links.items() if full != name}
    made: list[str] = []
    for heading, body in sections(lines):
        made += heading
        made += (
            body if heading[:1] in (["Examples"], ["See Also"]) else _section(heading[:1], body, with_formulas, links)
        )
        if not heading:
            made += _picture(app, name)
    lines[:] = made


def _picture(app: Any, name: str) -> list[str]:
    """The picture of a name, after its formulas."""
    short = name.removeprefix("maillon.")
    words, wide = getattr(app, "reference_pictures", {}).get(short, ("", False))
    if not words:
        return []
    lines = [f".. figure:: /reference/api/pictures/{short}.svg", f"   :alt: {words}"]
    lines += [f"   :figclass: made-by-links{' wide' if wide else ''}", "", f"   {escaped(words)}"]
    return ["", *lines, ""]


def escaped(text: str) -> str:
    """Marks that reStructuredText would take for its own."""
    return MARKS.sub(r"\\\1", text)


def signature(app: Any, what: str, name: str, value: object, options: Any, shown: str, returned: str) -> Any:
    """The signature without defaults that are objects without a name: the argument is wanted."""
    return (re.sub(r"=<[^>]*>", "", shown), returned) if shown else None


def formulas(value: object) -> list[Line]:
    """The formulas of the summary of a class or function, in order."""
    summary = next(sections((inspect.getdoc(value) or "").splitlines()))[1]
    texts = [" ".join(line.strip() for line in paragraph) for paragraph in paragraphs(summary)]
    return [line for text in texts for line in defined(pieces(text))]


def is_described_by_formulas(value: object) -> bool:
    """Links, losses, rules, schedules and initialisers."""
    kinds = (Module, Rule, LRScheduler)
    if inspect.isclass(value):
        return issubclass(value, kinds)
    return getattr(value, "__module__", "") in FORMULAS_IN


def sections(lines: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """The heading (two lines, none for the summary) and the body of each section."""
    places = range(len(lines) - 1)
    starts = [place for place in places if lines[place][:1].isalpha() and UNDERLINE.match(lines[place + 1])]
    ends = [*starts, len(lines)]
    yield [], lines[: ends[0]]
    for start, end in zip(starts, ends[1:], strict=True):
        yield lines[start : start + 2], lines[start + 2 : end]


def _section(heading: list[str], body: list[str], with_formulas: bool, links: Mapping[str, str]) -> list[str]:
    made: list[str] = []
    for paragraph in paragraphs(body):
        first = paragraph[0]
        indent = first[: len(first) - len(first.lstrip())]
        if (
            not first.strip()
            or first.lstrip().startswith((">>>", "...", "- ", "* ", ".. "))
            or _is_name(heading, first)
        ):
            made += paragraph
        else:
            text = " ".join(line.strip() for line in paragraph)
            display = with_formulas and not heading
            parts = pieces(text) if with_formulas and heading != ["References"] else words(text)
            made += [
                indent + line.strip() if line.strip() and not line.startswith(" ") else line
                for line in _paragraph(parts, display, links)
            ]
    return made


def _is_name(heading: list[str], line: str) -> bool:
    """Whether it is a line `name : type` of a section of parameters."""
    return bool(heading) and heading not in (["Notes"], ["References"]) and not line.startswith(" ")


def paragraphs(lines: list[str]) -> Iterator[list[str]]:
    """Lines of the same indent that follow one another; an empty line is a paragraph of its own."""
    held: list[str] = []
    for line in lines:
        same = (
            held and line.strip() and _indent(line) == _indent(held[0]) and not line.lstrip().startswith(("- ", "* "))
        )
        if not same:
            if held:
                yield held
            held = []
        held.append(line)
        if not line.strip():
            yield held
            held = []
    if held:
        yield held


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _paragraph(parts: list[Piece], display: bool, links: Mapping[str, str]) -> list[str]:
    if not display:
        return [inline(parts, links)]
    made: list[str] = []
    for block in blocks(parts):
        if isinstance(block, Display):
            made += ["", ".. math::", "   :no-wrap:", "", rf"   \[{block.tex()}\]", ""]
        else:
            made.append(inline(block, links).strip())
    return made[1:] if made[:1] == [""] else made


def inline(parts: list[Piece], links: Mapping[str, str] = NOWHERE) -> str:
    """Pieces of a sentence as reStructuredText; links: where names in it lead."""
    shown = ""
    for part in parts:
        if part.tree is not None:
            shown += _joined(shown, f":math:`{in_text(part.tree)}`")
        elif part.kind == "code":
            whole = part.text.startswith(("``", ":")) or part.text.endswith("_")
            name = part.text.strip("`")
            code = part.text if whole else _link(name, links) if name in links else f"`{part.text}`"
            shown += _joined(shown, code)
        else:
            last = 0
            for match in NAME.finditer(part.text):
                if match.group() in links:
                    shown += _words(shown, part.text[last : match.start()])
                    shown += _joined(shown, _link(match.group(), links))
                    last = match.end()
            shown += _words(shown, part.text[last:])
    return shown


def _link(name: str, links: Mapping[str, str]) -> str:
    return f":py:obj:`{name} <{links[name]}>`"


def _words(before: str, text: str) -> str:
    return rf"\ {escaped(text)}" if before.endswith("`") and text[:1].isalnum() else escaped(text)


def _joined(before: str, role: str) -> str:
    """Markup must not touch a letter before it."""
    return rf"\ {role}" if before[-1:].isalnum() or before.endswith("`") else role
