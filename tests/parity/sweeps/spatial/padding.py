"""Padding of one and of two dimensions."""

import itertools

from beside import Case
from catalogue.rows import normal

LINES = [(2, 3, 5), (3, 5), (1, 1, 6), (0, 3, 5)]
IMAGES = [(2, 3, 5, 6), (3, 5, 6), (1, 1, 6, 5), (0, 3, 5, 6)]
ONE = [0, 1, 4, (1, 2), (0, 3), (4, 0), (2, 4), -1, (-1, 2), (2, -1), (-3, -1)]
TWO = [
    0,
    1,
    4,
    (1, 2, 3, 4),
    (0, 3, 0, 0),
    (0, 0, 2, 1),
    (4, 0, 1, 3),
    -1,
    (-1, 2, 0, 1),
    (1, 0, 2, -2),
    (-2, -2, -1, 0),
]
KINDS = ["ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad"]

CASES = [
    *(
        Case(f"{kind}{dims}d", (padding,), {}, (normal(*shape),))
        for kind in KINDS
        for dims, paddings, shapes in ((1, ONE, LINES), (2, TWO, IMAGES))
        for padding, shape in itertools.product(paddings, shapes)
    ),
    *(
        Case(f"ConstantPad{dims}d", (padding, value), {}, (normal(*shape),))
        for dims, paddings, shapes in ((1, ONE, LINES[:2]), (2, TWO, IMAGES[:2]))
        for padding, shape, value in itertools.product(paddings, shapes, (2.5, -1))
    ),
    *(Case("ReplicationPad1d", (padding,), {}, (normal(2, 3, 5),)) for padding in (9, (-6, 7), (7, -6))),
    *(
        Case("ReplicationPad2d", (padding,), {}, (normal(2, 3, 5, 5),))
        for padding in (9, (0, 0, -6, 7), (-2, -3, 0, 1))
    ),
    *(Case("CircularPad1d", (padding,), {}, (normal(2, 3, 5),)) for padding in (5, (5, 0), (-5, 0), (-2, 3))),
    *(Case("CircularPad2d", (padding,), {}, (normal(2, 3, 5, 4),)) for padding in ((4, 4, 5, 5), (0, 4, -2, 3))),
    *(
        Case(f"ZeroPad{dims}d", (padding,), {}, (normal(*shape),))
        for dims, padding, shape in (
            (1, 2, (5,)),
            (1, 1, (2, 1, 2, 3)),
            (1, (-5, 0), (2, 5)),
            (1, 7, (2, 5)),
            (2, 2, (4, 5)),
            (2, (1, -1, 2, 0), (2, 1, 2, 3, 4)),
            (2, 1, (2, 3, 0, 4)),
        )
    ),
    *(Case("ZeroPad1d", (), {"padding": [1, 2]}, (normal(2, 3),)) for _ in range(1)),
]
