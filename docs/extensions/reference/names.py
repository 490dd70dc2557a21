"""Which public names the reference has, and on which page of a family each is listed."""

import ast
import importlib
import inspect
import re
import sys
from functools import cache
from pathlib import Path

LIST = re.compile(r"^```\{names\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def listed(folder: Path) -> list[tuple[str, str]]:
    """Each name in the lists of the pages in this folder, with its page, as often as it stands there."""
    found = []
    for page in sorted(folder.glob("*.md")):
        for block in LIST.findall(page.read_text(encoding="utf-8")):
            found += [(name, page.stem) for name in block.split()]
    return found


@cache
def addresses(folder: Path) -> dict[str, str]:
    """Where the short names lead: to the shortest of those that end in it."""
    found: dict[str, str] = {}
    for name, _ in listed(folder):
        short = name.rpartition(".")[2]
        if short not in found or name.count(".") < found[short].count("."):
            found[short] = name
    return found


def resolve(name: str) -> object:
    """What a dotted name names: a name in a module."""
    room, _, last = name.rpartition(".")
    return getattr(importlib.import_module(room), last)


def described(name: str) -> tuple[str, str]:
    """The room in which a constant is made, and the string that follows it there: what it is, in words."""
    room, _, last = name.rpartition(".")
    importlib.import_module(room)
    under = sorted(other for other in sys.modules if other == room or other.startswith(f"{room}."))
    for module in under:
        file = getattr(sys.modules[module], "__file__", None) or ""
        body = ast.parse(Path(file).read_text(encoding="utf-8")).body if file.endswith(".py") else []
        for node, after in zip(body, [*body[1:], None], strict=True):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if last in [target.id for target in targets if isinstance(target, ast.Name)]:
                value = after.value if isinstance(after, ast.Expr) else None
                text = value.value if isinstance(value, ast.Constant) else ""
                return module, inspect.cleandoc(str(text))
    return room, ""


def page_of(name: str, names: list[str]) -> str:
    """The file name of a name's page; `summary` and `Summary` differ where upper and lower case are one."""
    same = [other for other in names if other.lower() == name.lower()]
    return name if len(same) == 1 or name.rpartition(".")[2][0].isupper() else f"{name}-function"
