"""Pieces of HTML for notebooks: plain elements whose colours follow the page, light or dark."""

from collections.abc import Iterable, Sequence
from html import escape

_FAINT = "border-bottom:1px solid rgba(128,128,128,0.4)"
_CELL = "padding:0.15em 0.7em;white-space:pre;font-family:monospace;"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 0) -> str:
    """A table of texts, which are escaped; the first `left` columns are aligned at the left, the others at the right.

    >>> table(["link"], [["a < b"]], left=1).count("a &lt; b")
    1
    """

    def line(cells: Sequence[str], tag: str, style: str) -> str:
        sides = ["left" if place < left else "right" for place in range(len(cells))]
        texts = [
            f'<{tag} style="{_CELL}text-align:{side};{style}">{escape(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        ]
        return f"<tr>{''.join(texts)}</tr>"

    body = "".join(line(row, "td", "") for row in rows)
    head = line(columns, "th", f"font-weight:bold;{_FAINT}")
    return f'<table style="border-collapse:collapse"><thead>{head}</thead><tbody>{body}</tbody></table>'


def paragraph(text: str) -> str:
    """A line of text, escaped."""
    return f'<div style="margin:0.3em 0">{escape(text)}</div>'


def block(*parts: str) -> str:
    """What a notebook shows as one object."""
    return f"<div>{''.join(parts)}</div>"
