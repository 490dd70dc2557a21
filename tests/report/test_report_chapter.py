"""A chapter collects blocks in order, writes figures, and says what its claims are worth."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from maillon.random import Generator
from maillon.report import chapter as module
from maillon.report.chapter import Chapter, Settings, finished, verdict_of
from maillon.train import History

mpl.use("Agg")


@pytest.fixture
def chapter(tmp_path):
    return Chapter("toy", "A toy", Settings(quick=False, seed=3, out=tmp_path))


def drawn(values=(1, 2, 1)):
    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot(values)
    return figure


def test_settings_choose_the_epochs_and_seed_a_generator(tmp_path):
    full, quick = (Settings(quick, 7, tmp_path) for quick in (False, True))
    assert (full.epochs(200, 20), quick.epochs(200, 20)) == (200, 20)
    assert (full.generator().random_raw(4) == Generator(7).random_raw(4)).all()


def test_blocks_keep_their_order(chapter):
    chapter.text("one")
    chapter.heading("two")
    chapter.table("three", ["a", 1], [[1, 2.5], ["x", None]], item="Table 9")
    chapter.html("<b>four</b>")
    assert [block.kind for block in chapter.blocks] == ["text", "heading", "table", "html"]
    table = chapter.blocks[2]
    assert table.header == ("a", "1") and table.rows == (("1", "2.5"), ("x", "None"))
    assert (table.item, table.caption, chapter.blocks[3].content) == ("Table 9", "three", "<b>four</b>")


def test_a_figure_is_written_twice_and_embedded_as_svg(chapter, tmp_path):
    chapter.figure("curve", drawn(), "A caption.", item="Figure 2", alt="A <curve> to -0.5, 1e-4.")
    assert (tmp_path / "figures" / "curve.svg").read_text().startswith("<?xml")
    assert (tmp_path / "figures" / "curve.png").read_bytes().startswith(b"\x89PNG")
    (block,) = chapter.blocks
    assert (
        block.content.startswith("<svg ") and 'aria-label="Figure 2: A &lt;curve&gt; to −0.5, 10⁻⁴."' in block.content
    )
    assert (block.item, block.anchor, block.width) == ("Figure 2", "toy-curve", 288)


def test_a_large_figure_is_embedded_as_png(chapter, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_SVG", 100)
    chapter.figure("curve", drawn(), "A caption.", alt='A "curve".')
    assert chapter.blocks[0].content.startswith('<img src="data:image/png;base64,')
    assert 'alt="A &quot;curve&quot;."' in chapter.blocks[0].content


def test_a_pyplot_figure_is_closed(chapter):
    from matplotlib import pyplot

    figure, ax = pyplot.subplots()
    ax.plot([1, 2])
    chapter.figure("curve", figure, "A curve.", alt="A curve.")
    assert not pyplot.fignum_exists(figure.number) and not figure.axes


def test_figures_need_no_pyplot(chapter, monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    chapter.figure("curve", drawn(), "A curve.", alt="A curve.")
    assert "matplotlib.pyplot" not in sys.modules


def test_the_same_figure_is_the_same_bytes(tmp_path):
    files = []
    for part in ("a", "b"):
        folder = tmp_path / part
        Chapter("toy", "A toy", Settings(False, 3, folder)).figure("curve", drawn(), "A curve.", alt="A curve.")
        files.append((folder / "figures" / "curve.svg").read_bytes())
    assert files[0] == files[1]


def test_a_name_stands_once(chapter):
    chapter.figure("curve", drawn(), "A curve.", alt="A curve.")
    with pytest.raises(ValueError) as error:
        chapter.figure("curve", drawn(), "Another.", alt="Another.")
    assert str(error.value) == "figure 'curve' stands twice in chapter 'toy'. Give the second its own name."
    chapter.claim("fits", "Figure 2", 1, 1, "holds", "It does.")
    with pytest.raises(ValueError) as error:
        chapter.claim("fits", "Figure 2", 1, 1, "holds", "It does.")
    assert str(error.value) == "claim 'fits' stands twice in chapter 'toy'. Give the second its own id."


def test_a_verdict_is_one_of_four(chapter):
    with pytest.raises(ValueError) as error:
        chapter.claim("fits", "Figure 2", 1, 1, "true", "It does.")
    assert str(error.value) == (
        "claim 'fits': expected a verdict among ('holds', 'differs', 'cannot hold', 'not comparable'), got 'true'."
    )
    assert (verdict_of(True), verdict_of(False)) == ("holds", "differs")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("text", "text"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.array([[1.0, 2.0]]), [[1.0, 2.0]]),
        ((1, "two", np.float64(3)), [1, "two", 3.0]),
        (float("inf"), "inf"),
        (np.nan, "nan"),
        (True, "yes"),
        (np.bool(False), "no"),
    ],
)
def test_what_is_claimed_becomes_plain(chapter, value, plain):
    chapter.claim("fits", "Figure 2", value, value, "holds", "It does.", unit="m")
    (claim,) = chapter.claims
    assert (claim.report, claim.measured, claim.unit, claim.chapter) == (plain, plain, "m", "toy")
    assert type(claim.measured) is type(plain)


def test_what_is_no_number_is_refused(chapter):
    with pytest.raises(TypeError):
        chapter.claim("fits", "Figure 2", object(), 1, "holds", "It does.")


def test_nothing_is_comparable_on_a_stand_in(chapter):
    chapter.claim("before", "Figure 2", 1, 1, "holds", "It does.")
    chapter.stand_in("The data could not be had.")
    chapter.claim("after", "Figure 2", 1, 2, "differs", "It does not.")
    assert [claim.verdict for claim in chapter.claims] == ["not comparable"] * 2
    assert chapter.claims[1].why == "Measured on other data than the report's. It does not."
    assert chapter.claims[1].measured == 2


def test_a_training_is_timed_and_told(chapter, capsys):
    with chapter.training("rate 0.1"):
        pass
    ((label, seconds),) = chapter.trainings
    assert label == "rate 0.1" and 0 <= seconds < 1
    assert capsys.readouterr().out.startswith("  toy: rate 0.1 ....")


def test_a_training_that_fails_is_not_told(chapter, capsys):
    with pytest.raises(ZeroDivisionError), chapter.training("rate 0.1"):
        raise ZeroDivisionError
    assert chapter.trainings == [] and capsys.readouterr().out == ""


def test_control_c_in_a_training_ends_the_report() -> None:
    history = History(["epoch", "loss"])
    assert finished(history) is history
    history.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        finished(history)
