"""The public names of a package, each written down once: in its stub, which type checkers read as it is."""

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path


def attach(package: str, now: bool = False) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package whose `__init__.pyi` imports its public names.

    A name opens its file when it is first asked for; all of them at once with `now`, which a package needs in which
    a name is a file's as well (`train.fit`). What the stub imports with a star are all public names of that package.
    """
    owner = sys.modules[package]
    files = _files(package)

    def __getattr__(name: str) -> object:
        if name not in files:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        file = importlib.import_module(f"{package}.{name}" if files[name] == package else files[name])
        found = file if files[name] == package else getattr(file, name)
        setattr(owner, name, found)
        return found

    def __dir__() -> list[str]:
        return sorted({*vars(owner), *files})

    if now:
        for name in files:
            __getattr__(name)
    return __getattr__, __dir__, sorted(files)


def _files(package: str) -> dict[str, str]:
    """Where each public name stands."""
    source = sys.modules[package].__file__
    assert source is not None
    stub = ast.parse(Path(source).with_suffix(".pyi").read_text(encoding="utf-8"))
    files: dict[str, str] = {}
    for node in stub.body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                names = importlib.import_module(node.module).__all__ if alias.name == "*" else [alias.name]
                files |= dict.fromkeys(names, node.module)
    return files
