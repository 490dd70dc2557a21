"""The run: chapters in, one page and its numbers out, whatever happens to a chapter."""

import json
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure

from maillon import random
from maillon.report import ReportError
from maillon.report import run as module
from maillon.report.chapter import Chapter
from maillon.report.run import run_report


def toy(name):
    def run(settings):
        chapter = Chapter(name, f"Chapter {name}", settings)
        chapter.source = "made here"
        chapter.text("A **bold** word, `code` & <less>.")
        chapter.heading("Heading")
        figure = Figure(figsize=(3, 2))
        figure.add_subplot().plot([1, 2])
        chapter.figure(f"figure-{name}", figure, "Caption.", item="Figure 1", alt="A line from 1 to 2.")
        chapter.table("A table", ["a", "b"], [["1", "2"]], item="Table 1")
        chapter.html('<i class="given">as it is</i>')
        with chapter.training("rate 0.1"):
            pass
        draw = float(random.default_generator().rand((1,))[0])
        chapter.claim(f"{name}-holds", "Figure 1", 0.95, draw, "holds", "It is so.", unit="m")
        chapter.claim(f"{name}-differs", "Figure 1", "as said", [1, float("nan")], "differs", "It is not <so>.")
        return chapter

    return SimpleNamespace(run=run)


def broken(settings):
    raise ValueError("no <data>")


def stand_in(settings):
    chapter = toy("stand").run(settings)
    chapter.stand_in("The data could not be had.")
    return chapter


@pytest.fixture(autouse=True)
def chapters(monkeypatch):
    modules = {
        "toy_one": toy("one"),
        "toy_two": toy("two"),
        "toy_broken": SimpleNamespace(run=broken),
        "toy_stand": SimpleNamespace(run=stand_in),
    }
    for name, chapter in modules.items():
        monkeypatch.setitem(sys.modules, name, chapter)
    names = {name.removeprefix("toy_"): name for name in modules}
    monkeypatch.setattr(module, "CHAPTERS", names)


class Tags(HTMLParser):
    """Checks that tags nest, and collects ids and addresses."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.addresses = [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.addresses += [attributes[name] for name in ("href", "src") if name in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(out):
    return (out / "index.html").read_text(encoding="utf-8"), json.loads((out / "results.json").read_text())


def test_the_page_and_the_numbers(tmp_path, capsys):
    page = run_report(["one", "two"], quick=False, out=tmp_path / "new" / "folder", seed=5)
    assert page == tmp_path / "new" / "folder" / "index.html"
    text, results = read(page.parent)
    assert sorted(path.name for path in page.parent.iterdir()) == ["figures", "index.html", "results.json"]
    assert sorted(path.name for path in (page.parent / "figures").iterdir()) == [
        "figure-one.png", "figure-one.svg", "figure-two.png", "figure-two.svg",
    ]  # fmt: skip
    assert {"versions", "machine", "seed", "quick", "seconds", "chapters", "claims"} == set(results)
    assert (results["seed"], results["quick"]) == (5, False)
    assert [chapter["name"] for chapter in results["chapters"]] == ["one", "two"]
    assert results["chapters"][0] | {"seconds": 0, "trainings": []} == {
        "name": "one", "title": "Chapter one", "source": "made here", "stand_in": None, "error": None,
        "seconds": 0, "trainings": [],
    }  # fmt: skip
    assert results["chapters"][0]["trainings"][0]["label"] == "rate 0.1"
    assert "This is a quick run." not in text
    out = capsys.readouterr().out
    assert "[1/2] one\n" in out and "[2/2] two: 2 claims" in out


def test_claims_are_complete(tmp_path):
    run_report(["one"], quick=False, out=tmp_path, seed=5)
    _, results = read(tmp_path)
    for claim in results["claims"]:
        assert set(claim) == {"id", "chapter", "item", "report", "measured", "unit", "verdict", "why"}
    assert results["claims"][1]["measured"] == [1, "nan"]


def test_the_page_is_whole_html_and_asks_for_nothing(tmp_path):
    text, _ = read(run_report(["one", "two"], quick=True, out=tmp_path, seed=5).parent)
    tags = Tags()
    tags.feed(text)
    assert tags.open == [] and len(tags.ids) == len(set(tags.ids))
    local = {address[1:] for address in tags.addresses if address.startswith("#")}
    assert local <= set(tags.ids) and {"one", "two", "top", "colophon"} <= local
    assert all(address.startswith(("#", "data:")) for address in tags.addresses)
    assert "http://" not in text and "https://" not in text and "@import" not in text
    assert "default-src 'none'" in text


def test_the_page_shows_everything(tmp_path):
    text, _ = read(run_report(["one"], quick=True, out=tmp_path, seed=5).parent)
    for piece in (
        "This is a quick run.",
        "A <strong>bold</strong> word, <code>code</code> &amp; &lt;less&gt;.",
        "<h3>Heading</h3>",
        "<b>Figure 1.</b> Caption.",
        "<b>Table 1.</b> A table",
        '<i class="given">as it is</i>',
        "1 training, 0.00 s",
        "0.95 m",
        "It is not &lt;so&gt;.",
        '<span class="verdict differs">',
        'id="claim-one-holds"',
    ):
        assert piece in text


def test_a_chapter_is_the_same_alone_or_among_others(tmp_path):
    run_report(["one", "two"], quick=True, out=tmp_path / "both", seed=5)
    run_report(["two"], quick=True, out=tmp_path / "alone", seed=5)
    both, alone = (read(tmp_path / part)[1]["claims"] for part in ("both", "alone"))
    assert both[2:] == alone


def test_a_chapter_that_fails_costs_only_itself(tmp_path, capsys):
    with pytest.raises(ReportError) as error:
        run_report(["broken", "one"], quick=True, out=tmp_path, seed=5)
    assert str(error.value) == (
        f"Failed: broken (ValueError: no <data>). The page has the other chapters: {tmp_path / 'index.html'}"
    )
    text, results = read(tmp_path)
    assert "<strong>This chapter failed.</strong> <code>ValueError: no &lt;data&gt;</code>" in text
    assert "<strong>Chapter Broken failed</strong>" in text and "It is so." in text
    assert results["chapters"][0]["error"] == "ValueError: no <data>"
    assert "Traceback" in capsys.readouterr().err


def test_a_stand_in_is_flagged(tmp_path):
    text, results = read(run_report(["stand"], quick=True, out=tmp_path, seed=5).parent)
    assert "This chapter runs on a stand-in.</strong> The data could not be had." in text
    assert results["chapters"][0]["stand_in"] == "The data could not be had."
    assert {claim["verdict"] for claim in results["claims"]} == {"not comparable"}


def test_an_unknown_chapter_is_named(tmp_path):
    with pytest.raises(ReportError) as error:
        run_report(["three"], quick=True, out=tmp_path, seed=5)
    assert str(error.value) == "There is no chapter 'three'. There are: one, two, broken, stand."
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_stops_the_run_before_it_begins(tmp_path, capsys):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ReportError) as error:
        run_report(["one"], quick=True, out=tmp_path / "file", seed=5)
    assert str(error.value).startswith(f"Cannot write to {tmp_path / 'file'}: ")
    assert str(error.value).endswith(" Choose another folder with --out.")
    assert capsys.readouterr().out == "" and (tmp_path / "file").read_text() == "kept"


def test_what_lies_in_the_folder_stays(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "mine.txt").write_text("kept")
    (tmp_path / "index.html").write_text("old")
    run_report(["one"], quick=True, out=tmp_path, seed=5)
    assert (tmp_path / "figures" / "mine.txt").read_text() == "kept"
    assert read(tmp_path)[0].startswith("<!doctype html>")


def test_an_interrupted_run_leaves_the_old_page(tmp_path, monkeypatch):
    def interrupted(settings):
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "toy_one", SimpleNamespace(run=interrupted))
    (tmp_path / "index.html").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        run_report(["one"], quick=True, out=tmp_path, seed=5)
    assert (tmp_path / "index.html").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures", "index.html"]


def test_the_global_generator_is_left_alone(tmp_path):
    before = random.default_generator().get_state()
    run_report(["one"], quick=True, out=tmp_path, seed=5)
    assert str(random.default_generator().get_state()) == str(before)
