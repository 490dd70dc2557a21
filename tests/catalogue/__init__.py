"""One row for every link, loss and rule, in each of its forms. To add a link is to add a row.

Each file of this folder is a family, and lists some of LINKS, LOSSES and RULES. `test_battery.py` runs over all rows;
`fixtures/make_torch_links.py` writes what PyTorch makes of them.
"""

import importlib
import pkgutil
from typing import Any

from catalogue.rows import Row, RuleRow, cast, drawn, rule_problem

FAMILIES = {
    name: importlib.import_module(f"catalogue.{name}")
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name != "rows"
}


def _listed(name: str) -> list[Any]:
    return [row for family in FAMILIES.values() for row in getattr(family, name, [])]


LINKS: list[Row] = _listed("LINKS")
LOSSES: list[Row] = _listed("LOSSES")
RULES: list[RuleRow] = _listed("RULES")
ROWS = [*LINKS, *LOSSES]

__all__ = ["FAMILIES", "LINKS", "LOSSES", "ROWS", "RULES", "Row", "RuleRow", "cast", "drawn", "rule_problem"]
