"""Links for tables: Scale, PeriodicEmbedding."""

from naive.linear import tabular as naive

import maillon as M
from catalogue.rows import Row, normal
from maillon.nn import Module

BEYOND_TORCH = {"Scale", "PeriodicEmbedding"}


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
    Row("PeriodicEmbedding", lambda: M.PeriodicEmbedding(3), (normal(5, 3),), naive.periodic, wrong=WRONG),
    Row("PeriodicEmbedding of two outputs", lambda: M.PeriodicEmbedding(2, 3, 2, 1.0), (normal(4, 2),), naive.periodic),
    Row("PeriodicEmbedding of sequences", lambda: M.PeriodicEmbedding(3, 1, 5, 0.5), (normal(2, 5, 3),), naive.periodic,
        wrong=WRONG),
    Row("PeriodicEmbedding of one sample", lambda: M.PeriodicEmbedding(3, 4, 3, 0.5), (normal(3),), naive.periodic,
        batched=False),
]
# fmt: on
