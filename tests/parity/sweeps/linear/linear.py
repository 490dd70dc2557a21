"""Linear, Identity, Flatten, Unflatten."""

import itertools
from collections.abc import Iterator

from beside import Case
from catalogue.rows import normal

SHAPES = [(4, 3), (3,), (2, 5, 3), (1, 3), (0, 3), (2, 2, 2, 3)]


def unflattened() -> Iterator[Case]:
    for sizes, shape in itertools.product(
        [(2, 3), (6,), (-1,), (2, -1), (-1, 2), [3, -1, 1], (1, 6), (1, 2, 3), (6, -1)],
        [(4, 6), (0, 6), (2, 6, 3), (6,)],
    ):
        dim = shape.index(6)
        yield Case("Unflatten", (dim, sizes), {}, (normal(*shape),))
        yield Case("Unflatten", (), {"dim": dim - len(shape), "unflattened_size": sizes}, (normal(*shape),))


CASES = [
    *(
        Case("Linear", (3, out), {"bias": bias}, (normal(*shape),))
        for out, bias, shape in itertools.product((1, 3, 7), (True, False), SHAPES)
    ),
    *(Case("Identity", (), {}, (normal(*shape),)) for shape in SHAPES),
    *(
        Case("Flatten", dims, {}, (normal(*shape),))
        for shape in ((2, 3, 2, 2), (1, 3, 1, 2), (0, 3, 2, 2))
        for dims in ((), (0,), (1, 2), (-2, -1), (0, 1), (2, 3), (-4, -1), (1, 1))
    ),
    *unflattened(),
]
