"""The scripts that judge the README and the report are judged too: what they must let pass and what not."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / ".ci"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ci_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


README = script("readme")
CLAIMS = script("claims")
BRANCHES = script("branches")
LINKS = script("links")


@pytest.mark.parametrize(
    ("expected", "got", "agree"),
    [
        ("loss 0.123", "loss 0.124", True),
        ("loss 0.123", "loss 0.125", False),
        ("loss 1.5e-07", "loss 1.6e-07", True),
        ("loss 1.5e-07", "loss 1.5e-06", False),
        ("3 epochs", "4 epochs", False),
        ("loss 0.1", "cost 0.1", False),
        ("-0.5", "0.5", False),
        ("0.5 0.5", "0.5", False),
    ],
)
def test_numbers_agree_to_one_in_the_last_digit(expected: str, got: str, agree: bool) -> None:
    assert README.same(expected, got) is agree


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nx = 1.5\n```\n```python\nprint(x)\n```\n\n```text\n1.5\n```\n", 0),
        ("```python\nprint(1)\n```\n```text\n2\n```\n", 1),
        ("```python\nprint(1)\n```\n", 1),
        ("no code at all\n", 1),
    ],
    ids=["as shown", "another output", "nothing to compare", "no code"],
)
def test_the_code_of_a_readme_is_run(text: str, code: int, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text)
    assert README.main(readme) == code


def test_the_code_of_several_pages_is_run_each_by_itself(tmp_path: Path) -> None:
    pages = [tmp_path / name for name in ("README.md", "links.md", "pictures.md")]
    pages[0].write_text("```python\nx = 1\nprint(x)\n```\n```text\n1\n```\n")
    pages[1].write_text("```python\nprint('x' in globals())\n```\n```text\nFalse\n```\n")
    pages[2].write_text("no code at all\n")
    assert README.main(*pages) == 0
    pages[1].write_text("```python\nprint(2)\n```\n```text\n1\n```\n")
    assert README.main(*pages) == 1


def whole_report(folder: Path) -> dict[str, Any]:
    """A folder that holds a report with which nothing is wrong, and its results."""
    chapters = sorted(CLAIMS.CHAPTERS)
    values = {"item": "Figure 1", "report": 1.0, "measured": 0.0, "unit": "", "verdict": "holds", "why": "It does."}
    claims = [{"id": f"c{i}", "chapter": chapters[i % 5], **values} for i in range(30)]
    (folder / "figures").mkdir()
    for name in ("index.html", "figures/one.svg", "figures/one.png"):
        (folder / name).write_text("x")
    states = [{"name": name, "stand_in": None, "error": None} for name in chapters]
    return {"versions": {}, "machine": {}, "seed": 10, "seconds": 1.0, "chapters": states, "claims": claims}


def judged(folder: Path, results: dict[str, Any], real: bool = True) -> int:
    (folder / "results.json").write_text(json.dumps(results))
    code: int = CLAIMS.main(folder, real)
    return code


def test_a_whole_report_passes(tmp_path: Path) -> None:
    assert judged(tmp_path, whole_report(tmp_path)) == 0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("measured", None, "report: c7: nothing in ['measured']"),
        ("why", "", "report: c7: nothing in ['why']"),
        ("verdict", "perhaps", "report: c7: unknown verdict 'perhaps'"),
        ("id", "c8", "report: the claim c8 stands 2 times"),
    ],
)
def test_a_faulty_claim_fails(
    field: str, value: object, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = whole_report(tmp_path)
    results["claims"][7][field] = value
    assert judged(tmp_path, results) == 1
    assert capsys.readouterr().out.splitlines()[0] == message


def test_a_missing_claim_chapter_or_figure_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = whole_report(tmp_path)
    results["claims"] = [claim for claim in results["claims"] if claim["chapter"] != "mnist"]
    (tmp_path / "figures" / "one.png").unlink()
    assert judged(tmp_path, results) == 1
    assert capsys.readouterr().out.splitlines()[:3] == [
        "report: expected at least 30 claims, got 24",
        "report: no claim of the chapter mnist",
        "report: figure one has no .png",
    ]


def test_a_stand_in_fails_where_the_data_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = whole_report(tmp_path)
    results["chapters"][0]["stand_in"] = "Nothing answers."
    assert judged(tmp_path, results, real=False) == 0
    assert judged(tmp_path, results) == 1
    assert "report: autoencoder ran on a stand-in: Nothing answers." in capsys.readouterr().out


def test_a_failed_chapter_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = whole_report(tmp_path)
    results["chapters"][0]["error"] = "ValueError: no"
    assert judged(tmp_path, results, real=False) == 1
    assert capsys.readouterr().out.splitlines()[0] == "report: autoencoder failed: ValueError: no"


@pytest.mark.parametrize(("covered", "code"), [(95, 0), (94, 1)])
def test_branches_below_95_percent_fail(covered: int, code: int, tmp_path: Path) -> None:
    summary = {"num_branches": 100, "covered_branches": covered, "missing_branches": 100 - covered}
    path = tmp_path / "coverage.json"
    path.write_text(json.dumps({"files": {"a.py": {"summary": summary}}}))
    assert BRANCHES.main(path) == code


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="b.html#there">b</a> <a href="#here">a</a> <p id="here">', ""),
        ('<a href="b.html#gone">b</a>', "a.html: leads nowhere: b.html#gone"),
        ('<a href="c.html">c</a>', "a.html: leads nowhere: c.html"),
        ('<a href="#gone">a</a>', "a.html: leads nowhere: #gone"),
        ('<img src="a.png" alt="A curve that falls">', ""),
        ('<img src="b.png" alt="A curve that falls">', "a.html: leads nowhere: b.png"),
        ('<img src="a.png" alt="">', "a.html: a picture has no words: a.png"),
        ('<img src="a.png">', "a.html: a picture has no words: a.png"),
        ('<script src="https://elsewhere.example/a.js"></script>', "a.html: fetches https://elsewhere.example/a.js"),
        ('<a href="https://elsewhere.example/">there</a>', ""),
    ],
)
def test_the_links_of_a_site_are_followed(body: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(body, encoding="utf-8")
    (tmp_path / "b.html").write_text('<h1 id="there">B</h1>', encoding="utf-8")
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "template.html").write_text('<a href="{{ nowhere }}">', encoding="utf-8")
    faults, hosts = LINKS.faults_of_links(tmp_path)
    assert faults == ([fault] if fault else [])
    assert set(hosts) <= {"elsewhere.example"}
