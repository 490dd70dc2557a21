"""Every link of the catalogue, alone, in NumPy and in the core: outputs, gradients, buffers."""

import numpy as np
import pytest
from catalogue import LINKS, LOSSES, RULES as CATALOGUED_RULES, Row
from cores import TOLERANCE, walk_alike

from maillon.engine.builder import LINKS as KNOWN, LOSSES as KNOWN_LOSSES
from maillon.engine.families import family_of
from maillon.engine.families.rules import RULES

pytestmark = pytest.mark.usefixtures("core")

NOT_LOWERED: set[str] = set()
"""Links that have no native twin, with the reason."""


def lowered(row: Row) -> bool:
    first = row.inputs()[0]
    if isinstance(first, np.ndarray) and not first.ndim:
        return False  # a single number is nothing that a plan is made for
    return all(type(link) in KNOWN for link in row.link().modules())


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("row", [row for row in LINKS if lowered(row)], ids=lambda row: row.name)
def test_a_link_alone(row: Row, dtype: str) -> None:
    walk_alike(lambda: row.link(dtype), row.inputs(dtype), TOLERANCE[dtype])


def test_every_link_has_a_native_twin() -> None:
    kinds = {type(link) for row in LINKS for link in row.link().modules()}
    assert {kind.__name__ for kind in kinds - KNOWN.keys()} == NOT_LOWERED


def test_every_loss_and_rule_has_one() -> None:
    assert {type(row.link()).__name__ for row in LOSSES} - {kind.__name__ for kind in KNOWN_LOSSES} == set()
    assert {row.rule.__name__ for row in CATALOGUED_RULES} - {kind.__name__ for kind in RULES} == set()


@pytest.mark.parametrize("kind", [*KNOWN, *KNOWN_LOSSES], ids=lambda kind: kind.__name__)
def test_its_class_says_which_family_to_import(kind: type) -> None:
    lowering = KNOWN.get(kind) or KNOWN_LOSSES[kind]
    assert lowering.__module__ == f"maillon.engine.families.{family_of(kind)}"
