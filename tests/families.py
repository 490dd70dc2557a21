"""The families of links, under the same names in every room of the tests: catalogue, naive, mutants, sweeps, fixtures.

A family is a file, or a folder whose files are its parts.
"""

import importlib
import pkgutil
from types import ModuleType

FAMILIES = ("linear", "activations", "losses", "spatial", "norms", "sequence", "joints", "rules")


def modules(room: ModuleType) -> dict[str, ModuleType]:
    """All files of a room's families, by their dotted path in it."""
    prefix = f"{room.__name__}."
    paths = [module.name.removeprefix(prefix) for module in pkgutil.walk_packages(room.__path__, prefix)]
    listed = sorted(path for path in paths if path.split(".")[0] in FAMILIES)
    return {path: importlib.import_module(prefix + path) for path in listed}
