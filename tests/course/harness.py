"""The notebooks' tasks without a kernel: given cells and answers are run in this process, and the checks are read."""

import contextlib
import functools
import importlib.util
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("course_build", ROOT / "course" / "build.py")
assert SPEC
assert SPEC.loader
build = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build)
NOTEBOOKS = {path.stem: path for path in build.sources()}
Namespace = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """The solution with parts replaced, or a text of its own. `words` are what the check must say."""

    notebook: str
    task: str
    name: str
    changes: tuple[tuple[str, str], ...] = ()
    text: str = ""
    words: str = ""

    @property
    def code(self) -> str:
        code = self.text or cell(self.notebook, "solution", self.task)
        for old, new in self.changes:
            assert code.count(old) == 1, f"{self}: {old!r} stands {code.count(old)} times in the solution"
            code = code.replace(old, new)
        return code

    def __str__(self) -> str:
        return f"{self.notebook.partition('_')[0]} {self.task}: {self.name}"


@functools.cache
def blocks(notebook: str) -> list[Any]:
    return build.blocks(NOTEBOOKS[notebook])


def tasks(notebook: str) -> list[str]:
    return [block.name for block in blocks(notebook) if block.kind == "task"]


def cell(notebook: str, kind: str, task: str, language: str = "en") -> str:
    (found,) = (block for block in blocks(notebook) if (block.kind, block.name) == (kind, task))
    return build.code(found, language)


def run(code: str, name: str, namespace: Namespace) -> str:
    """Run a cell as a notebook does, but quietly; what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        exec(compile(code, f"<{name}>", "exec"), namespace)
    return printed.getvalue().strip()


@functools.cache
def _before(notebook: str, task: str, language: str) -> Namespace:
    """What a notebook holds at a task, all answers before it being right."""
    namespace: Namespace = {"__name__": "__main__"}
    mpl.use("agg")
    started = False
    for block in blocks(notebook):
        if (block.kind, block.name) == ("task", task):
            return namespace
        if block.kind in {"given", "hidden", "from", "solution", "check"}:
            said = run(build.code(block, language), f"{notebook} {block.kind} {block.name}", namespace)
            assert block.kind != "check" or said.startswith("✓"), said
        if block.kind == "given" and not started:
            run(build.setup(language), "setup", namespace)
            started = True
    raise KeyError(task)


def verdict(notebook: str, task: str, code: str, language: str = "en") -> str:
    """What the check of a task says of an answer."""
    namespace = dict(_before(notebook, task, language))
    # Functions look up names where they were defined: those of the answer and the check in a namespace of their own.
    run(code, f"{notebook} {task}", namespace)
    return run(cell(notebook, "check", task, language), f"{notebook} check {task}", namespace)


class Answers:
    """The wrong and the right answers to a notebook, as a file of `answers` enters them."""

    def __init__(self, notebook: str) -> None:
        self.notebook = notebook
        self.wrong_ones: list[Answer] = []
        self.right_ones: list[Answer] = []

    def wrong(self, task: str, name: str, words: str, *changes: tuple[str, str], text: str = "") -> None:
        """A realistic mistake: `changes` to the solution, or a `text` of its own; `words`, a pattern, must be said."""
        self.wrong_ones.append(Answer(self.notebook, task, name, changes, text, words))

    def right(self, task: str, name: str, *changes: tuple[str, str], text: str = "") -> None:
        """The same in another style."""
        self.right_ones.append(Answer(self.notebook, task, name, changes, text))
