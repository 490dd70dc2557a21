"""Linear, Flatten, Identity, the first activations."""

import itertools

from beside import Case
from catalogue.rows import normal

SHAPES = [(4, 3), (3,), (2, 5, 3), (1, 3), (0, 3), (2, 2, 2, 3)]

CASES = [
    *(
        Case("Linear", (3, out), {"bias": bias}, (normal(*shape),))
        for out, bias, shape in itertools.product((1, 3, 7), (True, False), SHAPES)
    ),
    *(Case("Identity", (), {}, (normal(*shape),)) for shape in SHAPES),
    *(
        Case("Flatten", dims, {}, (normal(2, 3, 2, 2),))
        for dims in ((), (0,), (1, 2), (-2, -1), (0, 1), (2, 3), (-4, -1), (1, 1))
    ),
    *(Case(name, (), {}, (normal(*shape),)) for name in ("Tanh", "Sigmoid", "ReLU", "LeakyReLU") for shape in SHAPES),
    *(Case("LeakyReLU", (slope,), {}, (normal(*shape),)) for slope in (0.0, 0.3, -1.0, 2.0) for shape in SHAPES[:3]),
    *(
        Case(name, (dim,), {}, (normal(*shape),))
        for name in ("Softmax", "LogSoftmax")
        for shape in SHAPES
        for dim in range(-len(shape), len(shape))
    ),
]
