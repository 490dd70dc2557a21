"""Every link of the catalogue, alone, in NumPy and in the core: outputs, gradients, buffers."""

import numpy as np
import pytest
from catalogue import LINKS, Row
from cores import TOLERANCE, walk_alike

import maillon as m
from maillon.engine import families
from maillon.engine.builder import LINKS as KNOWN

pytestmark = pytest.mark.usefixtures("core")

NOT_LOWERED: set[str] = {
    kind.__name__ for row in LINKS for link in row.link().modules() for kind in [type(link)] if kind not in KNOWN
}
"""Links that have no native twin: to be empty."""


def lowered(row: Row) -> bool:
    first = row.inputs()[0]
    if isinstance(first, np.ndarray) and not first.ndim:
        return False  # a single number is nothing that a plan is made for
    return all(type(link) in KNOWN for link in row.link().modules())


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("row", [row for row in LINKS if lowered(row)], ids=lambda row: row.name)
def test_a_link_alone(row: Row, dtype: str) -> None:
    walk_alike(lambda: row.link(dtype), row.inputs(dtype), TOLERANCE[dtype])


def test_every_family_is_listed() -> None:
    assert families.FAMILIES
    assert m.Linear in KNOWN
