"""One row for every link, loss and rule, in each of its forms. To add a link is to add a row.

Each file of a family (see `families.py`) lists some of LINKS, LOSSES and RULES. `test_battery.py` runs over all rows;
`fixtures/make_torch_links.py` writes what PyTorch makes of them.
"""

import sys
from typing import Any

from families import FAMILIES, modules

from catalogue.rows import Row, RuleRow, cast, drawn, rule_problem


def listed(name: str, *families: str) -> list[Any]:
    """What the files of the families (all of them by default) list under a name."""
    held = modules(sys.modules[__name__]).items()
    chosen = [module for path, module in held if path.split(".")[0] in (families or FAMILIES)]
    return [entry for module in chosen for entry in getattr(module, name, [])]


LINKS: list[Row] = listed("LINKS")
LOSSES: list[Row] = listed("LOSSES")
RULES: list[RuleRow] = listed("RULES")
ROWS = [*LINKS, *LOSSES]

__all__ = ["LINKS", "LOSSES", "ROWS", "RULES", "Row", "RuleRow", "cast", "drawn", "listed", "rule_problem"]
