"""Build the notebooks of the course: each of course/*.md becomes four, in two languages, with and without solutions.

A source is Markdown in blocks. `::: en` and `::: fr` to `:::` are text, the same in two languages; `::: en answer` is
text of the solutions only. A fenced `python` block is a cell. What is said after `python` on its first line:

    nothing          a cell that is given; given=NAME where another source takes it up
    task=NAME        what the student starts from; in the solutions, `solution=NAME` stands in its place
    solution=NAME    the answer
    check=NAME       the cell that checks it
    needs=NAME,NAME  an experiment, run once these checks are right
    hidden=NAME      a given cell, shown folded
    from=FILE:NAME   the cell NAME of another source, its solution for a task; empty here, shown folded

In code, `[[hello|bonjour]]` is `hello` in English and `bonjour` in French. `course/checking.py` is the first code cell
of every notebook.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
LANGUAGES = ("en", "fr")
KINDS = ("student", "solutions")
TAKEN_UP = {"given", "hidden", "solution"}
FENCE = re.compile(r"```python(?: (task|solution|check|needs|from|given|hidden)=(\S+))?")
TEXT = re.compile(r"::: (en|fr)( answer)?")
CHOICE = re.compile(r"\[\[((?:(?!\[\[|\]\]).)+?)\|((?:(?!\[\[).)*?)\]\]")


@dataclass(frozen=True)
class Block:
    """A part of a source. `kind` is text, answer, given or what is said after `python`; `name` its language or task."""

    kind: str
    name: str
    text: str
    line: int


def sources() -> list[Path]:
    return sorted(HERE.glob("[0-9]*.md"))


def blocks(path: Path) -> list[Block]:
    """The blocks of a source; ValueError, with the line, where it is not in the form above."""
    found: list[Block] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        text, code = TEXT.fullmatch(lines[at]), FENCE.fullmatch(lines[at])
        if not text and not code:
            if lines[at].strip():
                raise ValueError(f"{path.name}:{at + 1}: outside of a block: {lines[at]!r}")
            at += 1
            continue
        mark = ":::" if text else "```"
        if mark not in lines[at + 1 :]:
            raise ValueError(f"{path.name}:{at + 1}: the block does not end")
        end = lines.index(mark, at + 1)
        kind, name = ("answer" if text[2] else "text", text[1]) if text else (code[1] or "given", code[2] or "")
        found.append(Block(kind, name, "\n".join(lines[at + 1 : end]).strip("\n"), at + 1))
        at = end + 1
    _whole(path.name, found)
    return found


def _whole(name: str, found: list[Block]) -> None:
    """Every text is there in both languages, and every task has one solution and one check, in this order."""
    texts = [block for block in found if block.kind in {"text", "answer"}]
    for english, french in zip(texts[::2], [*texts[1::2], None], strict=False):
        if french is None or (english.name, french.name, french.kind) != ("en", "fr", english.kind):
            raise ValueError(f"{name}:{english.line}: expected the text in English, then the same in French")
    steps = [(block.kind, block.name) for block in found if block.kind in {"task", "solution", "check"}]
    tasks = [block.name for block in found if block.kind == "task"]
    if steps != [(kind, task) for task in tasks for kind in ("task", "solution", "check")]:
        raise ValueError(f"{name}: expected a task, its solution and its check, task by task; got {steps}")


def french(text: str) -> str:
    """French with narrow spaces, where no line breaks, beside « » and before : ; ! ?; not in code and formulas."""
    parts = re.split(r"(`[^`]*`|\$\$.*?\$\$|\$[^$]*\$)", text, flags=re.DOTALL)
    spaced = [re.sub(r"(?<=«) | (?=[:;!?»])", "\u202f", part) for part in parts[::2]]
    return "".join(part for pair in zip(spaced, [*parts[1::2], ""], strict=True) for part in pair)


def spoken(text: str, language: str) -> str:
    """Code in one language."""
    return CHOICE.sub(lambda choice: choice[1] if language == "en" else french(choice[2]), text)


def code(block: Block, language: str) -> str:
    """The cell of a block of code."""
    text = block.text
    if block.kind == "from":
        file, task = block.name.split(":")
        (text,) = (b.text for b in blocks(HERE / f"{file}.md") if b.name == task and b.kind in TAKEN_UP)
    if block.kind == "needs":
        text = f"%%needs {block.name.replace(',', ' ')}\n{text}"
    return spoken(text, language)


def setup(language: str) -> str:
    return spoken((HERE / "checking.py").read_text(encoding="utf-8"), language).rstrip()


def notebook(path: Path, language: str, kind: str) -> nbformat.NotebookNode:
    """One notebook of a source. The metadata `course` of a cell says its kind and task."""
    left_out = {"solution", "answer"} if kind == "student" else {"task"}
    cells = []
    for block in blocks(path):
        if block.kind in left_out or (block.kind in {"text", "answer"} and block.name != language):
            continue
        if block.kind in {"text", "answer"}:
            cells.append(nbformat.v4.new_markdown_cell(french(block.text) if language == "fr" else block.text))
        else:
            cells.append(nbformat.v4.new_code_cell(code(block, language)))
        cells[-1].metadata["course"] = {"kind": block.kind, "name": block.name}
        if block.kind in {"hidden", "from"}:
            cells[-1].metadata["jupyter"] = {"source_hidden": True}
    first = next(place for place, cell in enumerate(cells) if cell.cell_type == "code")
    hidden = {"jupyter": {"source_hidden": True}, "course": {"kind": "setup", "name": ""}}
    cells.insert(first + 1, nbformat.v4.new_code_cell(setup(language), metadata=hidden))
    for place, cell in enumerate(cells):
        cell.id = f"cell-{place}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    nbformat.validate(made)
    return made


def file_name(path: Path, language: str, kind: str) -> str:
    """The name of a notebook, its own: several may be downloaded into one folder."""
    return f"{path.stem}_{language}{'_solution' if kind == 'solutions' else ''}.ipynb"


def build(folder: Path) -> list[Path]:
    """Write all notebooks to folder/{en,fr}/{student,solutions}; those that are there and the same are left alone."""
    written = []
    for path in sources():
        for language in LANGUAGES:
            for kind in KINDS:
                target = folder / language / kind / file_name(path, language, kind)
                text = nbformat.writes(notebook(path, language, kind)) + "\n"
                if not target.exists() or target.read_text(encoding="utf-8") != text:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_text(text, encoding="utf-8")
                written.append(target)
    return written


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "build" / "course"
    print(f"{len(build(place))} notebooks in {place}")
