"""From matplotlib's SVG file to an SVG that can stand in a page beside others."""

import re
from html import escape


def inline_svg(svg: str, prefix: str, label: str) -> str:
    """The `<svg>` element alone, without its namespaces and metadata, every id made unique by `prefix`.

    matplotlib calls the first axes of every figure `axes_1`; two figures on one page would share clip paths
    and glyphs. `label` is what a screen reader says.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", body)
    body = body.replace("xlink:href=", "href=")
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'href="#', f'href="#{prefix}-', body)
    body = re.sub(r"url\(#", f"url(#{prefix}-", body)
    root, rest = body.split(">", 1)
    view_box = re.search(r'viewBox="[^"]*"', root)
    shape = view_box.group(0) if view_box else ""
    style = "stroke-linejoin:round;stroke-linecap:butt"
    return f'<svg {shape} role="img" aria-label="{escape(label)}" style="{style}">{rest}'
