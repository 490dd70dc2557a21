"""Links and losses with one mistake each, and the rule that the mistake breaks, by family; contract.py is of none."""

import sys

from families import modules

from mutants import contract
from mutants.table import MUTANTS, Mutant

FILES = [contract, *modules(sys.modules[__name__]).values()]
"""Each enters its mutants into the table as it is imported."""

__all__ = ["FILES", "MUTANTS", "Mutant"]
