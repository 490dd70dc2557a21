"""SVGs that stand on one page without getting into each other's way."""

import io
import re

from matplotlib.figure import Figure

from maillon.report.svg import PAPER, inline_svg


def drawn():
    figure = Figure(figsize=(3, 2))
    ax = figure.add_subplot()
    ax.plot([1, 2, 3], marker="o")
    ax.set_title("x")
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    return file.getvalue().decode()


def test_ids_are_unique_and_references_follow():
    source = drawn()
    first, second = (inline_svg(source, prefix, "A curve") for prefix in ("one", "two"))
    ids = [re.findall(r'\bid="([^"]+)"', svg) for svg in (first, second)]
    assert len(ids[0]) > 10 and not set(ids[0]) & set(ids[1])
    for svg, names in zip((first, second), ids, strict=True):
        references = re.findall(r'href="#([^"]+)"', svg) + re.findall(r"url\(#([^)]+)\)", svg)
        assert len(references) > 3 and set(references) <= set(names)


def test_nothing_points_outside():
    svg = inline_svg(drawn(), "one", "A curve")
    for word in ("http", "xmlns", "xlink", "<metadata", "<style", "<?xml", "<!"):
        assert word not in svg
    assert svg.startswith('<svg viewBox="0 0 216 144" role="img" aria-label="A curve" style=')
    assert svg.rstrip().endswith("</svg>")


def test_paper_is_transparent_and_ink_is_the_pages():
    figure = Figure(figsize=(3, 2))
    ax = figure.add_subplot()
    ax.plot([1, 2], color="#0072B2")
    ax.fill_between([0, 1], 1, color="#ffffff")
    for number, patch in enumerate((figure.patch, ax.patch)):
        patch.set_gid(f"{PAPER}{number}")
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    svg = inline_svg(file.getvalue().decode(), "one", "A curve")
    assert svg.count("fill: none") > 2
    assert svg.count("fill: #ffffff") == 1, "what is drawn in white stays white"
    assert "#000000" not in svg and "stroke: var(--figure-ink)" in svg and "stroke: var(--figure-blue)" in svg


def test_a_label_is_escaped_and_a_view_box_may_be_missing():
    svg = inline_svg('<?xml version="1.0"?><svg width="3"><g id="a"/></svg>', "p", 'say "<x>"')
    assert svg == (
        '<svg  role="img" aria-label="say &quot;&lt;x&gt;&quot;" '
        'style="stroke-linejoin:round;stroke-linecap:butt;fill:var(--figure-ink)">'
        '<g id="p-a"/></svg>'
    )
