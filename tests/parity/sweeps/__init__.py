"""Wide sweeps of constructor options and input shapes; each file is a family and lists its CASES."""

import importlib
import pkgutil

from beside import Case

CASES: list[Case] = [
    case
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name)
    for case in importlib.import_module(f"sweeps.{module.name}").CASES
]
