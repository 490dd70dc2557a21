"""Where a name's code stands, which rows of the catalogue prove it, and whether the core knows it."""

import inspect
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import maillon
from maillon.engine import families
from maillon.engine.builder import LOWERINGS
from maillon.engine.families.rules import RULES
from reference import names

ROOT = Path(__file__).resolve().parents[3]
MANY = 12


@cache
def rows() -> dict[type, list[tuple[str, str]]]:
    """The rows of each class: the file of the catalogue, under `tests/catalogue/`, and the row's name."""
    sys.path.insert(0, str(ROOT / "tests"))
    try:
        for file, module in _files():
            for row in (*getattr(module, "LINKS", ()), *getattr(module, "LOSSES", ())):
                _found[type(row.link())].append((file, row.name))
            for row in getattr(module, "RULES", ()):
                _found[row.rule].append((file, row.name))
    finally:
        sys.path.remove(str(ROOT / "tests"))
    return _found


_found: dict[type, list[tuple[str, str]]] = defaultdict(list)


def _files() -> Iterator[tuple[str, ModuleType]]:
    import catalogue
    from families import modules

    for path, module in modules(catalogue).items():
        file = Path(module.__file__ or "")
        if file.name != "__init__.py" or any(hasattr(module, name) for name in ("LINKS", "LOSSES", "RULES")):
            yield path, module


def catalogue_file(path: str) -> str:
    """Where a file of the catalogue stands in the repository."""
    return f"tests/catalogue/{path.replace('.', '/')}.py"


def source_file(value: object) -> tuple[str, str] | None:
    """The file of a class or function, from the repository's root, and its module."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(value))  # type: ignore[arg-type]
    except TypeError:
        return None
    package = Path(maillon.__file__).parent
    if file is None or not Path(file).is_relative_to(package):
        return None
    path = Path(file).relative_to(package)
    module = ".".join(("maillon", *path.with_suffix("").parts)).removesuffix(".__init__")
    return f"src/maillon/{path.as_posix()}", module


def in_core(value: object) -> str | None:
    """The file of the engine that takes a link, loss or rule to the core; None where nothing does."""
    families.load()
    if not inspect.isclass(value):
        return None
    if value in RULES:
        return "src/maillon/engine/families/rules.py"
    lowering = LOWERINGS.get(value.__name__)
    if lowering is None or getattr(maillon, value.__name__, None) is not value:
        return None
    found = source_file(inspect.unwrap(getattr(lowering, "function", lowering)))
    return found[0] if found else None


def fields(name: str, value: object) -> list[str]:
    """Lines of reStructuredText: the file, the rows, the core."""
    lines = []
    found = source_file(value) or source_file(sys.modules[names.described(name)[0]])
    if found is not None:
        path, module = found
        known = inspect.isclass(value) or inspect.isfunction(value)
        address = f"../../_modules/{module.replace('.', '/')}.html"
        lines.append(f":File: `{path} <{address}>`__" if known else f":File: ``{path}``")
    proved = rows().get(value, []) if inspect.isclass(value) else []
    for file in dict.fromkeys(file for file, _ in proved):
        of_it = [row for other, row in proved if other == file]
        shown = ", ".join(f"``{row}``" for row in of_it[:MANY])
        more = f" and {len(of_it) - MANY} more" if len(of_it) > MANY else ""
        count = "1 row" if len(of_it) == 1 else f"{len(of_it)} rows"
        lines.append(f":Catalogue: :doc:`{catalogue_file(file)} <catalogue/{file}>`, {count}: {shown}{more}")
    core = in_core(value)
    if core or proved:
        lines.append(f":Core: runs there, by ``{core}``" if core else ":Core: not there; it runs in NumPy")
    return lines
