"""Every notebook runs to its end: the solutions are right, and in the student's each check says what is not written."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest
from course.harness import NOTEBOOKS, build
from jupyter_client.manager import KernelManager

from course import harness

NOT_WRITTEN = {"en": "is not written yet", "fr": "n'est pas encore écrit"}
CASES = [(stem, language, kind) for stem in NOTEBOOKS for language in build.LANGUAGES for kind in build.KINDS]


@pytest.fixture(scope="module")
def kernel() -> Iterator[tuple[Any, Any]]:
    """One kernel for all: to start one, and to import what the notebooks need, takes longer than to run them."""
    manager = KernelManager(kernel_name="python3", transport="ipc")
    shown = os.environ | {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline"
    }  # as in a notebook: none stays open
    manager.start_kernel(extra_arguments=["--HistoryManager.enabled=False"], env=shown)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def ran(notebook: Any, kernel: tuple[Any, Any]) -> list[tuple[str, str, str]]:
    """Of each cell of code: its kind, its task and what it printed. An error in a cell ends the test."""
    forget = nbformat.v4.new_code_cell("%reset -f\nimport warnings\nwarnings.simplefilter('error')")
    notebook.cells.insert(0, forget)
    manager, client = kernel
    runner = nbclient.NotebookClient(notebook, km=manager, timeout=60)
    runner.kc = client
    runner.execute()
    cells = [cell for cell in notebook.cells[1:] if cell.cell_type == "code"]
    said = ["".join(output.get("text", "") for output in cell.outputs) for cell in cells]
    return [(*cell.metadata["course"].values(), text) for cell, text in zip(cells, said, strict=True)]


@pytest.mark.parametrize(("stem", "language", "kind"), CASES, ids=map("-".join, CASES))
def test_a_notebook_runs_and_its_checks_say_what_they_must(
    stem: str, language: str, kind: str, kernel: tuple[Any, Any]
) -> None:
    cells = ran(build.notebook(NOTEBOOKS[stem], language, kind), kernel)
    checks = {name: text for kind_of_cell, name, text in cells if kind_of_cell == "check"}
    left_out = [text for _, _, text in cells if text.startswith("…")]
    assert list(checks) == harness.tasks(stem)
    for name, text in checks.items():
        if kind == "solutions":
            assert re.fullmatch(rf"✓ {name}(: right|\u202f: juste)\n", text)
        else:
            assert re.fullmatch(rf"✗ {name}\u202f?: [\w.]+ {re.escape(NOT_WRITTEN[language])}\n", text)
    assert len(left_out) == (0 if kind == "solutions" else sum(kind == "needs" for kind, _, _ in cells))


@pytest.mark.parametrize("stem", NOTEBOOKS)
def test_both_languages_speak_of_the_same_code_and_formulas(stem: str) -> None:
    english, french = (build.notebook(NOTEBOOKS[stem], language, "solutions").cells for language in build.LANGUAGES)
    for one, other in zip(english, french, strict=True):
        assert one.cell_type == other.cell_type
        said, dit = (set(re.findall(r"`[^`]+`", cell.source)) for cell in (one, other))
        assert said == dit or one.cell_type == "code"
        assert one.source.count("$$") == other.source.count("$$")
        assert not re.search(r"\[\[\w.*\|.*\]\]", one.source + other.source)


WRONG = {
    "text": "outside of a block: 'text'",
    "::: en\nhello\n:::": "expected the text in English, then the same in French",
    "::: en\nhello\n:::\n::: fr answer\nbonjour\n:::": "expected the text in English, then the same in French",
    "::: en\nhello": "the block does not end",
    "```python task=a\n```": "expected a task, its solution and its check, task by task; got [('task', 'a')]",
}


@pytest.mark.parametrize("source", WRONG)
def test_a_source_that_is_not_in_the_form_is_refused_with_its_place(source: str, tmp_path: Path) -> None:
    path = tmp_path / "01_wrong.md"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"^01_wrong\.md:.*{re.escape(WRONG[source])}"):
        build.blocks(path)


def test_building_twice_leaves_the_files_alone(tmp_path: Path) -> None:
    written = build.build(tmp_path)
    assert len(written) == 4 * len(NOTEBOOKS)
    times = [path.stat().st_mtime_ns for path in written]
    assert [path.stat().st_mtime_ns for path in build.build(tmp_path)] == times
    assert all(nbformat.read(path, 4).cells for path in written)
