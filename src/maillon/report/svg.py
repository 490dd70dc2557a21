"""From matplotlib's SVG file to an SVG that can stand in a page beside others, in its light or dark colours."""

import re
from html import escape

PAPER = "paper-"
"""How the ids begin of what is white because paper is: the ground of a figure and of its axes."""

SHADES = {
    "#000000": "--figure-ink",
    "#444444": "--figure-ink",
    "#555555": "--figure-ink",
    "#e4e4e4": "--figure-grid",
    "#f4f4f4": "--figure-box",
    "#eef5fa": "--figure-link",
    "#fcf1ea": "--figure-loss",
    "#7a7a7a": "--figure-grey",
    "#0072b2": "--figure-blue",
}
"""Ink, grid lines, boxes, and what is too dark for a dark page; with the page's name for each in light and in dark."""


def inline_svg(svg: str, prefix: str, label: str) -> str:
    """The `<svg>` element alone, without its namespaces and metadata, every id made unique by `prefix`.

    matplotlib calls the first axes of every figure `axes_1`; two figures on one page would share clip paths
    and glyphs. White paper becomes transparent and ink takes the page's colour, so that the figure can be read on
    a dark page too. `label` is what a screen reader says.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", body)
    body = re.sub(rf'(<g id="{PAPER}\d+">\s*<path [^>]*?)fill: #ffffff', r"\1fill: none", body)
    for shade, name in SHADES.items():
        body = re.sub(rf"(fill|stroke): {shade}\b", rf"\1: var({name})", body)
    body = body.replace("xlink:href=", "href=")
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'href="#', f'href="#{prefix}-', body)
    body = re.sub(r"url\(#", f"url(#{prefix}-", body)
    root, rest = body.split(">", 1)
    view_box = re.search(r'viewBox="[^"]*"', root)
    shape = view_box.group(0) if view_box else ""
    style = "stroke-linejoin:round;stroke-linecap:butt;fill:var(--figure-ink)"
    return f'<svg {shape} role="img" aria-label="{escape(label)}" style="{style}">{rest}'
