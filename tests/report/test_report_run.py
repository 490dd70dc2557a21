"""The run: chapters in, one page and its numbers out, whatever happens to a chapter."""

import json
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure

from maillon import random
from maillon.report import ReportError, ReportInterrupted, kept as kept_module, run as module
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
        f"Failed: broken (ValueError: no <data>). The page has the other chapters: {tmp_path / 'index.html'}. They "
        "are kept: the same command runs only what failed."
    )
    text, results = read(tmp_path)
    assert "<strong>This chapter failed.</strong> <code>ValueError: no &lt;data&gt;</code>" in text
    assert "<strong>Chapter Broken failed</strong>" in text and "It is so." in text
    assert results["chapters"][0]["error"] == "ValueError: no <data>"
    assert "Traceback" in capsys.readouterr().err


def test_the_page_names_no_folder_of_this_machine(tmp_path, monkeypatch):
    def lost(settings):
        raise FileNotFoundError(2, "No such file", "/home/ada/data/digits.gz")

    monkeypatch.setitem(sys.modules, "toy_broken", SimpleNamespace(run=lost))
    with pytest.raises(ReportError):
        run_report(["broken", "one"], quick=True, out=tmp_path, seed=5)
    text, results = read(tmp_path)
    assert results["chapters"][0]["error"] == "FileNotFoundError: [Errno 2] No such file: 'digits.gz'"
    assert "/home" not in text and str(tmp_path) not in text


def test_a_stand_in_is_flagged(tmp_path):
    text, results = read(run_report(["stand"], quick=True, out=tmp_path, seed=5).parent)
    assert "This chapter runs on other data.</strong> The data could not be had." in text
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


@pytest.fixture
def counted(monkeypatch):
    """How often each chapter has run; the second one can be interrupted."""
    runs = {"one": 0, "two": 0}

    def counting(name):
        def run(settings):
            runs[name] += 1
            if runs.get("stop") == name:
                Chapter(name, name, settings).figure("half", Figure(), "Half.", alt="Half.")
                raise KeyboardInterrupt
            return toy(name).run(settings)

        return SimpleNamespace(run=run)

    for name in ("one", "two"):
        monkeypatch.setitem(sys.modules, f"toy_{name}", counting(name))
    return runs


def interrupted_in_two(out, counted, **settings):
    counted["stop"] = "two"
    with pytest.raises(ReportInterrupted) as error:
        run_report(["one", "two"], out=out, **{"quick": True, "seed": 5, **settings})
    del counted["stop"]
    return str(error.value)


def test_an_interrupted_run_goes_on_from_what_it_has_finished(tmp_path, counted, capsys):
    message = interrupted_in_two(tmp_path / "out", counted)
    assert message == (
        "Finished and kept: 1 of 2 chapters. The same command goes on from there; with --fresh it begins anew."
    )
    assert not (tmp_path / "out" / "index.html").exists()
    text, results = read(run_report(["one", "two"], quick=True, out=tmp_path / "out", seed=5).parent)
    assert counted == {"one": 1, "two": 2}
    assert "[1/2] one: kept from an interrupted run, 2 claims\n" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["figures", "index.html", "results.json"]
    whole_text, whole_results = read(run_report(["one", "two"], quick=True, out=tmp_path / "at once", seed=5).parent)
    assert results["claims"] == whole_results["claims"]
    figures = [sorted(path.name for path in (tmp_path / out / "figures").iterdir()) for out in ("out", "at once")]
    assert figures[0] == figures[1] and "half.svg" not in figures[0]
    assert len(text) == pytest.approx(len(whole_text), abs=20), "the same but for the times"


def test_after_the_page_nothing_is_kept(tmp_path, counted):
    for _ in range(2):
        run_report(["one", "two"], quick=True, out=tmp_path, seed=5)
    assert counted == {"one": 2, "two": 2}


@pytest.mark.parametrize(("quick", "seed"), [(True, 6), (False, 5)])
def test_other_settings_begin_anew_and_leave_the_kept_chapters(quick, seed, tmp_path, counted):
    interrupted_in_two(tmp_path, counted)
    run_report(["one"], quick=quick, out=tmp_path, seed=seed)
    assert counted["one"] == 2
    run_report(["one"], quick=True, out=tmp_path, seed=5, force=True)
    assert counted["one"] == 2, "those of the interrupted run are still there"


def test_other_versions_begin_anew(tmp_path, counted, monkeypatch, capsys):
    interrupted_in_two(tmp_path, counted)
    monkeypatch.setattr(kept_module, "versions", lambda: {"maillon": "99"})
    run_report(["one"], quick=True, out=tmp_path, seed=5)
    assert counted["one"] == 2
    assert "The chapters of an interrupted run are of other versions; they run again.\n" in capsys.readouterr().out


def test_a_changed_library_begins_anew(tmp_path, counted, monkeypatch):
    library = tmp_path / "library"
    library.mkdir()
    (library / "nn.py").write_text("1")
    monkeypatch.setattr(kept_module.maillon, "__file__", str(library / "__init__.py"))
    interrupted_in_two(tmp_path / "out", counted)
    (library / "nn.py").write_text("2")
    run_report(["one"], quick=True, out=tmp_path / "out", seed=5)
    assert counted["one"] == 2


def test_a_stand_in_runs_again_where_the_data_has_come(tmp_path, counted, monkeypatch):
    here = [SimpleNamespace(name="mnist", here=False)]
    monkeypatch.setattr(kept_module, "status", lambda: here)
    times = []

    def on_a_stand_in(settings):
        times.append(1)
        return stand_in(settings)

    monkeypatch.setitem(sys.modules, "toy_stand", SimpleNamespace(run=on_a_stand_in))
    for expected in (1, 1, 2):
        if expected == 2:
            here[0] = SimpleNamespace(name="mnist", here=True)
        counted["stop"] = "two"
        with pytest.raises(ReportInterrupted):
            run_report(["one", "stand", "two"], quick=True, out=tmp_path, seed=5)
        assert (len(times), counted["one"]) == (expected, 1)


def test_fresh_begins_anew(tmp_path, counted):
    interrupted_in_two(tmp_path, counted)
    run_report(["one", "two"], quick=True, out=tmp_path, seed=5, fresh=True)
    assert counted == {"one": 2, "two": 2}


def test_a_killed_run_goes_on_too(tmp_path):
    """The process is killed in its second chapter; the third is not reached."""
    code = (
        f"import os, signal, sys, types; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_report_run import toy\n"
        "from maillon.report import run\n"
        "run.CHAPTERS = dict(one='toy_one', two='toy_two')\n"
        "sys.modules['toy_one'] = toy('one')\n"
        "sys.modules['toy_two'] = types.SimpleNamespace(run=lambda settings: os.kill(os.getpid(), signal.SIGKILL))\n"
        f"run.run_report(['one', 'two'], quick=True, out=__import__('pathlib').Path({str(tmp_path)!r}), seed=5)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert (tmp_path / ".unfinished" / "quick-5" / "one" / "chapter.json").is_file()
    run_report(["one", "two"], quick=True, out=tmp_path, seed=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures", "index.html", "results.json"]


def test_after_a_failure_only_what_failed_runs_again(tmp_path, counted, monkeypatch):
    with pytest.raises(ReportError):
        run_report(["one", "broken"], quick=True, out=tmp_path, seed=5)
    monkeypatch.setitem(sys.modules, "toy_broken", toy("broken"))
    run_report(["one", "broken"], quick=True, out=tmp_path, seed=5)
    assert counted["one"] == 1


def test_a_damaged_chapter_runs_again(tmp_path, counted):
    interrupted_in_two(tmp_path, counted)
    (tmp_path / ".unfinished" / "quick-5" / "one" / "chapter.json").write_text("{")
    run_report(["one"], quick=True, out=tmp_path, seed=5)
    assert counted["one"] == 2


def test_one_run_at_a_time(tmp_path):
    with kept_module.only_run(tmp_path), pytest.raises(ReportError) as error:
        run_report(["one"], quick=True, out=tmp_path, seed=5)
    assert str(error.value) == (f"Another run writes to {tmp_path}. Wait for it, or choose another folder with --out.")


@pytest.mark.parametrize("left", ["results.json", "index.html"])
def test_a_quick_run_does_not_overwrite_a_full_report(left, tmp_path, counted):
    run_report(["one"], quick=False, out=tmp_path, seed=5)
    for name in {"results.json", "index.html"} - {left}:
        (tmp_path / name).unlink()
    before = (tmp_path / left).read_bytes()
    with pytest.raises(ReportError) as error:
        run_report(["one"], quick=True, out=tmp_path, seed=5)
    assert str(error.value) == (
        f"{tmp_path} holds a full report, and --quick would overwrite it. Write to another folder with --out, or "
        "overwrite the full report with --force."
    )
    assert counted["one"] == 1 and (tmp_path / left).read_bytes() == before
    run_report(["one"], quick=True, out=tmp_path, seed=5, force=True)
    run_report(["one"], quick=True, out=tmp_path, seed=5)
    run_report(["one"], quick=False, out=tmp_path, seed=5)
    assert counted["one"] == 4, "a quick report may be overwritten by any"


def test_no_file_is_written_in_place(tmp_path, counted, monkeypatch):
    """A page that cannot be moved into place leaves the old one whole."""
    (tmp_path / "index.html").write_text("old")
    replace = Path.replace

    def failing(self, target):
        if Path(target).name == "index.html":
            assert self.read_text(encoding="utf-8").endswith("</html>\n") or self.stat().st_size > 1000
            raise OSError("No space left.")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OSError, match=re.escape("No space left.")):
        run_report(["one"], quick=True, out=tmp_path, seed=5)
    assert (tmp_path / "index.html").read_text() == "old"
    monkeypatch.undo()


def test_the_global_generator_is_left_alone(tmp_path):
    before = random.default_generator().get_state()
    run_report(["one"], quick=True, out=tmp_path, seed=5)
    assert str(random.default_generator().get_state()) == str(before)
