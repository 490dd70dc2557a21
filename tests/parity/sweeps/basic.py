"""Linear, Flatten, Identity, the first activations."""

import itertools

import numpy as np
from beside import Case
from catalogue.rows import Draw, normal

SHAPES = [(4, 3), (3,), (2, 5, 3), (1, 3), (0, 3), (2, 2, 2, 3)]


def scaled(factor: float, *shape: int) -> Draw:
    return lambda generator: np.asarray(factor * generator.normal(shape, dtype=np.float64))


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
    *(
        Case(name, (), {}, (scaled(factor, *shape),))
        for name in ("Tanh", "Sigmoid", "ReLU", "LeakyReLU")
        for factor in (1.0, 0.01, 30.0, 0.0)
        for shape in (*SHAPES, ())
    ),
    *(
        Case("Dropout", (p,), {}, (normal(*shape),), training=training)
        for shape in (*SHAPES, ())
        for p, training in ((0.0, True), (1.0, True), (0.3, False), (1.0, False))
    ),
    *(Case("LeakyReLU", (slope,), {}, (normal(*shape),)) for slope in (0.0, 0.3, -1.0, 2.0) for shape in SHAPES[:3]),
    *(
        Case(name, (dim,), {}, (normal(*shape),))
        for name in ("Softmax", "LogSoftmax")
        for shape in SHAPES
        for dim in range(-len(shape), len(shape))
    ),
]
