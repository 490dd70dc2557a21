"""Links for tables: Scale."""

from naive.linear import tabular as naive

import maillon as M
from catalogue.rows import Row, normal
from maillon.nn import Module

BEYOND_TORCH = {"Scale"}


def scale(features: int) -> Module:
    """Away from its start, where all weights are 1."""
    link = M.Scale(features)
    link.weight.data[...] = normal(features)(M.random.default_generator())
    return link


WRONG = ((normal(4, 5),), (normal(),), (normal(3, 4),))

# fmt: off
LINKS = [
    Row("Scale", lambda: scale(3), (normal(5, 3),), naive.scaled, wrong=WRONG),
    Row("Scale of one feature", lambda: scale(1), (normal(70, 1),), naive.scaled),
    Row("Scale of sequences", lambda: scale(3), (normal(2, 5, 3),), naive.scaled, wrong=WRONG),
    Row("Scale of one sample", lambda: scale(3), (normal(3),), naive.scaled, batched=False),
]
# fmt: on
