"""Layer, RMS and group normalisation."""

import itertools

from beside import Case
from catalogue.rows import normal

LAST: list[tuple[int | tuple[int, ...] | list[int], tuple[int, ...]]] = [
    (5, (5,)),
    (5, (4, 5)),
    ([5], (2, 3, 5)),
    (5, (0, 5)),
    ((3, 4), (3, 4)),
    ((3, 4), (2, 3, 4)),
    ([2, 3, 4], (2, 2, 3, 4)),
    ((3, 4), (2, 1, 3, 3, 4)),
    (64, (16, 64)),
]
GROUPED = [(1, 6), (2, 6), (3, 6), (6, 6)]
PLACES = [(4, 6), (3, 6, 5), (1, 6, 2), (2, 6, 3, 4), (2, 6, 2, 3, 2), (0, 6, 4), (2, 6, 1)]

CASES = [
    *(
        Case("LayerNorm", (shape, eps), options, (normal(*given),))
        for (shape, given), eps, options in itertools.product(
            LAST,
            (1e-5, 1e-1),
            ({}, {"bias": False}, {"elementwise_affine": False}, {"elementwise_affine": False, "bias": False}),
        )
    ),
    *(
        Case("RMSNorm", (shape, eps), {"elementwise_affine": affine}, (normal(*given),))
        for (shape, given), eps, affine in itertools.product(LAST, (None, 1e-5, 1e-1), (True, False))
    ),
    *(
        Case("GroupNorm", (*groups, eps), options, (normal(*shape),))
        for groups, shape, eps, options in itertools.product(
            GROUPED, PLACES, (1e-5, 1e-1), ({}, {"bias": False}, {"affine": False})
        )
        if shape != (1, 6, 2) or eps == 1e-1
    ),
    *(
        Case(name, args, {}, (normal(*shape),), training=False)
        for name, args in (("LayerNorm", (6,)), ("RMSNorm", (6,)), ("GroupNorm", (3, 6)))
        for shape in ((2, 6), (2, 6, 6), (2, 6, 2, 6))
    ),
]
