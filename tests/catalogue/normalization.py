"""Normalisation over the last axes, groups of channels, the batch, each instance."""

from collections.abc import Callable
from typing import Any

from naive import normalization as naive

import maillon as M
from catalogue.rows import NOT_YET, Row, normal
from maillon.nn import Module


def moved(link: Any) -> Any:
    """The same link away from its start, where every weight is 1 and every bias 0."""
    for place, parameter in enumerate(link.parameters()):
        parameter.data[...] = normal(*parameter.shape)(M.random.default_generator()) + place
    return link


def row(name: str, make: Callable[[], Module], formula: Any, torch: Any, *shape: int, **more: Any) -> Row:
    return Row(name, lambda: moved(make()), (normal(*shape),), formula, torch, native=NOT_YET, **more)


LAST_WRONG = ((normal(4, 5),), (normal(),), (normal(3, 4),))
CHANNELS_WRONG = ((normal(4),), (normal(3, 5),), (normal(4, 3, 2),))

# fmt: off
LINKS = [
    row("LayerNorm", lambda: M.LayerNorm(3), naive.layer, lambda t: t.nn.LayerNorm(3), 4, 3, wrong=LAST_WRONG),
    row("LayerNorm of two axes", lambda: M.LayerNorm((3, 2), 1e-3), naive.layer, lambda t: t.nn.LayerNorm((3, 2), 1e-3),
        4, 5, 3, 2, wrong=((normal(2),), (normal(4, 2, 3),))),
    row("LayerNorm bias=False", lambda: M.LayerNorm([5], bias=False), naive.layer,
        lambda t: t.nn.LayerNorm([5], bias=False), 2, 3, 5),
    row("LayerNorm elementwise_affine=False", lambda: M.LayerNorm(6, elementwise_affine=False), naive.layer,
        lambda t: t.nn.LayerNorm(6, elementwise_affine=False), 4, 6),
    row("LayerNorm of one sample", lambda: M.LayerNorm(5), naive.layer, lambda t: t.nn.LayerNorm(5), 5, batched=False),
    row("RMSNorm", lambda: M.RMSNorm(3), naive.root_mean_square, lambda t: t.nn.RMSNorm(3), 4, 3, wrong=LAST_WRONG),
    row("RMSNorm of two axes", lambda: M.RMSNorm((3, 2), 0.1), naive.root_mean_square,
        lambda t: t.nn.RMSNorm((3, 2), 0.1), 4, 3, 2),
    row("RMSNorm elementwise_affine=False", lambda: M.RMSNorm(3, elementwise_affine=False), naive.root_mean_square,
        lambda t: t.nn.RMSNorm(3, elementwise_affine=False), 2, 4, 3),
    row("GroupNorm", lambda: M.GroupNorm(2, 4), naive.group, lambda t: t.nn.GroupNorm(2, 4), 3, 4, 2, 3,
        wrong=CHANNELS_WRONG),
    row("GroupNorm of features", lambda: M.GroupNorm(2, 6, 1e-3), naive.group, lambda t: t.nn.GroupNorm(2, 6, 1e-3),
        4, 6),
    row("GroupNorm bias=False", lambda: M.GroupNorm(1, 3, bias=False), naive.group,
        lambda t: t.nn.GroupNorm(1, 3, bias=False), 2, 3, 4),
    row("GroupNorm affine=False", lambda: M.GroupNorm(3, 3, affine=False), naive.group,
        lambda t: t.nn.GroupNorm(3, 3, affine=False), 2, 3, 5),
]
# fmt: on
