"""The command line: what it passes on, and every way of mistyping it, word for word."""

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maillon
from maillon import cli
from maillon.data.errors import DataNotFoundError
from maillon.data.sources import DATA_SETS, Status
from maillon.report import CHAPTERS, ReportError, ReportInterrupted, run

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def maillon_command(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the command line asks of the report, in place of minutes of training."""
    asked: list[tuple[Any, ...]] = []

    def run_report(chapters: list[str], *, quick: bool, out: Path, seed: int, force: bool, fresh: bool) -> Path:
        asked.append((chapters, quick, out, seed, force, fresh))
        return out / "index.html"

    monkeypatch.setattr(run, "run_report", run_report)
    return asked


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run_report(*_: object, **__: object) -> Path:
        raise error

    monkeypatch.setattr(run, "run_report", run_report)


def test_report_runs_every_chapter_by_default(maillon_command: Run, runs: list[tuple[Any, ...]]) -> None:
    assert maillon_command("report") == (0, "report/index.html\n", "")
    assert runs == [(list(CHAPTERS), False, Path("report"), 10, False, False)]


def test_words_and_options_come_in_any_order(maillon_command: Run, runs: list[tuple[Any, ...]]) -> None:
    code, out, _ = maillon_command("report", "mnist", "--quick", "linear", "--out", "there", "--seed=3", "mnist")
    assert (code, out) == (0, "there/index.html\n")
    assert runs == [(["linear", "mnist"], True, Path("there"), 3, False, False)]


def test_force_and_fresh_are_passed_on(maillon_command: Run, runs: list[tuple[Any, ...]]) -> None:
    maillon_command("report", "linear", "--force", "--fresh")
    assert runs == [(["linear"], False, Path("report"), 10, True, True)]


def test_a_full_report_is_not_overwritten_by_a_quick_one(maillon_command: Run, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"quick": false}')
    assert maillon_command("report", "--quick", "--out", str(tmp_path)) == (
        2,
        "",
        f"maillon report: {tmp_path} holds a full report, and --quick would overwrite it. Write to another folder with "
        "--out, or overwrite the full report with --force.\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_an_interrupted_report_says_what_is_kept(maillon_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ReportInterrupted("Finished and kept: 1 of 2 chapters."))
    assert maillon_command("report") == (
        130,
        "",
        "\nmaillon report: interrupted. Finished and kept: 1 of 2 chapters.\n",
    )


MISTYPED = [
    ("data fecth", "maillon data: There is no command 'fecth'. Did you mean 'fetch'?"),
    ("data --all", "maillon data: There is no option '--all'. There are: -h, --help."),
    ("data fetch minst", "maillon data: There is no data set 'minst'. Did you mean 'mnist'?"),
    ("data fetch --from debain", "maillon data: There is no source 'debain'. Did you mean 'debian'?"),
    ("data fetch --form debian", "maillon data: There is no option '--form'. Did you mean '--from'?"),
    ("reprot", "maillon: There is no command 'reprot'. Did you mean 'report'?"),
    ("frobnicate", "maillon: There is no command 'frobnicate'. There are: report, data, show, convert."),
    ("--verison", "maillon: There is no option '--verison'. Did you mean '--version'?"),
    ("report mnits", "maillon report: There is no chapter 'mnits'. Did you mean 'mnist'?"),
    ("report MNIST", "maillon report: There is no chapter 'MNIST'. Did you mean 'mnist'?"),
    (
        "report xyzzy",
        "maillon report: There is no chapter 'xyzzy'. There are: linear, binary, encapsulation, mnist, autoencoder.",
    ),
    ("report --quik", "maillon report: There is no option '--quik'. Did you mean '--quick'?"),
    ("report --sede=3", "maillon report: There is no option '--sede=3'. Did you mean '--seed'?"),
    ("report --qui", "maillon report: There is no option '--qui'. Did you mean '--quick'?"),
    ("report --out", "maillon report: argument --out: expected one argument. See maillon report -h."),
    (
        "report --seed ten",
        "maillon report: argument --seed: expected a whole number from 0 to 2**32 - 1, got 'ten'."
        " See maillon report -h.",
    ),
    (
        "report --seed -1",
        "maillon report: argument --seed: expected a whole number from 0 to 2**32 - 1, got '-1'."
        " See maillon report -h.",
    ),
]


@pytest.mark.parametrize(("line", "message"), MISTYPED, ids=[line for line, _ in MISTYPED])
def test_a_mistake_is_one_line_and_code_2(
    line: str, message: str, maillon_command: Run, runs: list[tuple[Any, ...]]
) -> None:
    assert maillon_command(*line.split()) == (2, "", message + "\n")
    assert runs == []


def test_an_unwritable_folder_is_one_line_before_any_training(maillon_command: Run, tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("mine")
    code, out, err = maillon_command("report", "--out", str(occupied))
    assert (code, out) == (2, "")
    assert err == (f"maillon report: Cannot write to {occupied}: Not a directory. Choose another folder with --out.\n")
    assert occupied.read_text() == "mine"


@pytest.mark.parametrize("error", [ReportError("No room left."), OSError("No room left.")], ids=repr)
def test_a_failing_report_is_one_line(error: Exception, maillon_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, error)
    assert maillon_command("report") == (2, "", "maillon report: No room left.\n")


def test_a_missing_extra_names_what_to_install(maillon_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ModuleNotFoundError("No module named 'matplotlib.pyplot'", name="matplotlib.pyplot"))
    message = (
        "maillon report: matplotlib is missing. Install what the report needs, in the project's folder: "
        "pip install '.[report]'\n"
    )
    assert maillon_command("report") == (2, "", message)


def test_a_bug_keeps_its_traceback(maillon_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ModuleNotFoundError("No module named 'maillon.gone'", name="maillon.gone"))
    with pytest.raises(ModuleNotFoundError):
        maillon_command("report")


def test_control_c_is_one_line_and_code_130(maillon_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    assert maillon_command("report") == (130, "", "\nmaillon report: interrupted.\n")


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """What the command line asks to fetch, in place of the network; MNIST cannot be had."""
    asked: list[tuple[str, str | None]] = []

    def fetch(name: str, source: str | None = None) -> Path:
        asked.append((name, source))
        if name == "mnist":
            raise DataNotFoundError("mnist is nowhere.\n  tried here\n  tried there")
        return Path("cache", name)

    monkeypatch.setattr(importlib.import_module("maillon.data.fetch"), "fetch", fetch)
    return asked


def test_fetch_brings_what_it_can(maillon_command: Run, fetched: list[tuple[str, str | None]]) -> None:
    code, out, err = maillon_command("data", "fetch")
    assert (code, out) == (2, "fashion-mnist: cache/fashion-mnist\n")
    assert err == "maillon data: mnist is nowhere; tried here; tried there\n"
    assert fetched == [(name, None) for name in DATA_SETS]


def test_fetch_takes_a_name(maillon_command: Run, fetched: list[tuple[str, str | None]]) -> None:
    expected = (0, "fashion-mnist: cache/fashion-mnist\n", "")
    assert maillon_command("data", "fetch", "fashion-mnist") == expected
    assert fetched == [("fashion-mnist", None)]


def test_fetch_from_a_source_brings_what_it_has(maillon_command: Run, fetched: list[tuple[str, str | None]]) -> None:
    assert maillon_command("data", "fetch", "--from", "debian")[0] == 0
    assert fetched == [("fashion-mnist", "debian")]


def test_data_says_what_is_here(maillon_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = (
        Status("mnist", True, "the user cache /c/mnist", (Path("/c/mnist/images.gz"),), ("MAILLON_DATA",)),
        Status("fashion-mnist", False, "", (), ("MAILLON_DATA (not set)", "the user cache: no such folder")),
    )
    monkeypatch.setattr(importlib.import_module("maillon.data.sources"), "status", lambda: found)
    code, out, err = maillon_command("data")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "mnist: here, from the user cache /c/mnist",
        "  /c/mnist/images.gz",
        "fashion-mnist: not here",
        "  MAILLON_DATA (not set)",
        "  the user cache: no such folder",
        "Fetch what is missing: maillon data fetch",
    ]


def test_version_names_what_it_stands_on(maillon_command: Run) -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    code, out, _ = maillon_command("--version")
    assert code == 0
    info = maillon.engine.info()
    threads = "1 thread" if info["threads"] == 1 else f"{info['threads']} threads"
    engine = f"numpy, {threads}" if info["engine"] == "numpy" else f"native, {info['instruction_set']}, {threads}"
    assert out == f"maillon {maillon.__version__} (Python {python}, NumPy {np.__version__}, engine: {engine})\n"


@pytest.mark.parametrize("words", [[], ["-h"], ["report", "-h"], ["data", "-h"], ["data", "fetch", "-h"]])
def test_help_has_examples_that_parse(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert cli.main(words) == 0
    except SystemExit as end:
        assert end.code == 0
    text = capsys.readouterr().out
    examples = re.findall(r"^  maillon (.+?)(?:  .*)?$", text.partition("examples:")[2], re.MULTILINE)
    assert examples
    for example in examples:
        assert example.split()[0] in cli.COMMANDS


def test_python_m_maillon_is_maillon() -> None:
    result = subprocess.run([sys.executable, "-m", "maillon", "reprot"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "maillon: There is no command 'reprot'. Did you mean 'report'?\n"
