"""Networks and histories as a notebook shows them."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

import maillon as m
from maillon.train.curve import curve_svg


class Cells(HTMLParser):
    """The texts of the cells, row by row, and whether every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def rows(shown: object) -> list[list[str]]:
    page = shown._repr_html_()  # type: ignore[attr-defined]
    cells = Cells(re.sub(r"<svg.*?</svg>", "", page))
    assert cells.open == []
    return cells.rows


def test_a_chain_is_a_table_of_its_links() -> None:
    network = m.Sequential(m.Linear(2, 4), m.Tanh(), m.Linear(4, 1), m.Sigmoid())
    assert rows(network) == [
        ["", "link", "output", "parameters"],
        ["0", "Linear(2, 4)", "4 features", "12"],
        ["1", "Tanh()", "", ""],
        ["2", "Linear(4, 1)", "1 features", "5"],
        ["3", "Sigmoid()", "", ""],
    ]
    assert "Sequential: 17 parameters, float32<" in network._repr_html_()


def test_links_inside_are_indented_frozen_ones_marked_and_shared_ones_counted_once() -> None:
    first = m.Linear(2, 2)
    first.bias.requires_grad = False  # type: ignore[union-attr]
    frozen = m.Conv2d(1, 8, 3).requires_grad_(False)
    network = m.Sequential({"body": m.Residual(first), "again": first.share(), "seen": frozen})
    assert rows(network)[1:] == [
        ["body", "Residual", "", ""],
        ["  link", "Linear(2, 2)", "2 features", "6 (2 frozen)"],
        ["again", "Linear(2, 2)", "2 features", ""],
        ["seen", "Conv2d(1, 8, 3)", "8 channels", "80 (frozen)"],
    ]
    assert "Sequential: 4 parameters, float32; 82 more are frozen<" in network._repr_html_()


def test_a_single_link_is_a_row() -> None:
    assert rows(m.Linear(3, 4))[1:] == [["", "Linear(3, 4)", "4 features", "16"]]
    assert rows(m.MSELoss())[1:] == [["", "MSELoss()", "", ""]]


def test_the_text_of_links_is_escaped() -> None:
    class Named(m.Module):
        def __repr__(self) -> str:
            return "<script>alert('&')</script>"

    network = m.Sequential({"<b>": Named()})
    assert rows(network)[1] == ["<b>", "<script>alert('&')</script>", "", ""]
    assert "<script" not in network._repr_html_()
    assert "<b>" not in network._repr_html_()


def history(losses: list[float], **more: list[float]) -> m.History:
    made = m.History(["epoch", "loss", *more])
    for i, loss in enumerate(losses):
        made.append(epoch=i + 1, loss=loss, **{name: values[i] for name, values in more.items()})
    return made


def test_a_history_shows_its_last_rows() -> None:
    shown = history([1 / (i + 1) for i in range(8)])
    assert rows(shown) == [
        ["epoch", "loss"],
        ["4", "0.25"],
        ["5", "0.2"],
        ["6", "0.16667"],
        ["7", "0.14286"],
        ["8", "0.125"],
    ]
    assert "The last 5 of 8 epochs:" in shown._repr_html_()
    assert "History(8 epochs, 0 steps, 0 s, loss 0.125)" in shown._repr_html_()
    assert "The last" not in history([1.0, 0.5])._repr_html_()
    assert rows(m.History(["loss"])) == []


def drawn(shown: m.History) -> ElementTree.Element:
    svg = re.search(r"<svg.*?</svg>", shown._repr_html_())
    assert svg is not None
    return ElementTree.fromstring(svg.group())


def texts(svg: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in svg.iter("text")]


def points(svg: ElementTree.Element) -> list[list[tuple[float, float]]]:
    lines = [line.get("points", "").split() for line in svg.iter("polyline")]
    return [[(float(x), float(y)) for x, y in (point.split(",") for point in line)] for line in lines]


def test_a_history_draws_its_losses_with_labelled_axes() -> None:
    svg = drawn(history([4.0, 2.0, 1.0], val_loss=[3.0, 2.5, 0.5], accuracy=[0.1, 0.2, 0.3]))
    assert texts(svg) == ["0.5", "4", "1", "3", "epoch", "loss", "loss", "val_loss"]
    assert svg.get("aria-label") == "loss over 3 epochs: loss from 4 to 1; val_loss from 3 to 0.5"
    loss, validation = points(svg)
    assert loss[0] == (68.0, 22.0)
    assert validation[-1] == (448.0, 160.0)
    assert loss[1][1] == pytest.approx(160 - 138 * (2 - 0.5) / 3.5, abs=0.06)
    assert svg.get("fill") == "currentColor"
    assert "#000" not in ElementTree.tostring(svg, encoding="unicode")


def test_losses_that_fall_by_decades_are_drawn_by_their_logarithm() -> None:
    svg = drawn(history([1.0, 0.1, 0.01]))
    assert "loss (logarithmic)" in texts(svg)
    assert points(svg) == [[(68.0, 22.0), (258.0, 91.0), (448.0, 160.0)]]
    assert "loss (logarithmic)" not in texts(drawn(history([1.0, 0.0])))


def test_what_is_not_finite_is_a_gap() -> None:
    lines = points(drawn(history([4.0, 2.0, float("nan"), 1.0, float("inf"), 1.0])))
    assert [len(line) for line in lines] == [2, 1, 1]


def test_what_cannot_be_drawn_is_not() -> None:
    assert curve_svg({"loss": [1.0]}, "loss") == ""
    assert curve_svg({"loss": [float("nan")] * 3}, "loss") == ""
    assert curve_svg({}, "loss") == ""
    assert points(drawn(history([2.0, 2.0]))) == [[(68.0, 91.0), (448.0, 91.0)]]


def test_many_epochs_are_a_short_line_that_ends_at_the_last() -> None:
    (line,) = points(drawn(history([1.0 / (i + 1) for i in range(10_000)])))
    assert len(line) <= 402
    assert line[-1] == (448.0, 160.0)
