"""Links and losses with one mistake each, and the rule that the mistake breaks. Each file is a family."""

import importlib
import pkgutil

from mutants.table import MUTANTS, Mutant

FAMILIES = [importlib.import_module(f"mutants.{module.name}") for module in pkgutil.iter_modules(__path__)]

__all__ = ["FAMILIES", "MUTANTS", "Mutant"]
