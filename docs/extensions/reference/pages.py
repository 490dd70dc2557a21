"""The pages of the reference: one for each public name, written anew where it has changed."""

import inspect
import pprint
from pathlib import Path

from reference import docstrings, names, proofs
from reference.sentences import words

FOLDER = "api"


def write(folder: Path) -> None:
    """Write the page of every name that the pages in this folder list, and remove what is not listed any more."""
    every = [name for name, _ in names.listed(folder)]
    made = folder / FOLDER
    wanted = {made / f"{names.page_of(name, every)}.rst": page(name) for name in every}
    files = {file for rows in proofs.rows().values() for file, _ in rows}
    wanted |= {made / "catalogue" / f"{file}.rst": catalogue_page(file) for file in files}
    for old in set(made.rglob("*.rst")) - set(wanted):
        old.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def page(name: str) -> str:
    """The page of one name, as reStructuredText."""
    value = names.resolve(name)
    title = [name, "=" * len(name), ""]
    if not inspect.isclass(value) and not inspect.isfunction(value):
        return "\n".join([*title, *constant(name, value), "", *proofs.fields(name, value), ""])
    lines = [*title, f".. auto{'class' if inspect.isclass(value) else 'function'}:: {name}"]
    if inspect.isclass(value):
        lines += ["   :members:"]
    return "\n".join([*lines, "", *proofs.fields(name, value), ""])


def constant(name: str, value: object) -> list[str]:
    """What a constant is, and its value."""
    shown = pprint.pformat(value, width=100, sort_dicts=False).splitlines()
    code = [".. code-block:: python", "", *[f"   {line}" for line in shown]]
    text = docstrings.inline(words(names.described(name)[1]))
    return [f".. py:data:: {name}", "", *[f"   {line}".rstrip() for line in (text, "", *code)]]


def catalogue_page(file: str) -> str:
    """A file of the catalogue, as it is."""
    path = proofs.catalogue_file(file)
    title = f"The catalogue: {path}"
    about = "Rows that prove links, losses and rules: each is tried by the whole battery, ``tests/test_battery.py``."
    lines = [
        ":orphan:",
        "",
        title,
        "=" * len(title),
        "",
        about,
        "",
        f".. literalinclude:: /../{path}",
        "   :linenos:",
        "",
    ]
    return "\n".join(lines)
