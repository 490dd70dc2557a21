"""The pages of the reference: one for each public name, written anew where it has changed."""

import inspect
from pathlib import Path

from reference import names

FOLDER = "api"


def write(folder: Path) -> None:
    """Write the page of every name that the pages in this folder list, and remove what is not listed any more."""
    every = [name for name, _ in names.listed(folder)]
    made = folder / FOLDER
    made.mkdir(exist_ok=True)
    wanted = {made / f"{names.page_of(name, every)}.rst": page(name) for name in every}
    for old in set(made.glob("*.rst")) - set(wanted):
        old.unlink()
    for path, text in wanted.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def page(name: str) -> str:
    """The page of one name, as reStructuredText."""
    value = names.resolve(name)
    kind = "class" if inspect.isclass(value) else "function" if inspect.isfunction(value) else "data"
    lines = [name, "=" * len(name), "", f".. auto{kind}:: {name}"]
    if kind == "class":
        lines += ["   :members:"]
    return "\n".join([*lines, ""])
