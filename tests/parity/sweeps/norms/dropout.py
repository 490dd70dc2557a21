"""Dropout of values and of whole channels: as far as no numbers are drawn, and that they are as many."""

from beside import Case
from catalogue.rows import normal

SHAPES = [(4, 3), (3,), (2, 5, 3), (1, 3), (0, 3), (2, 2, 2, 3)]
WIDE = [(4, 3), (3,), (), (2, 3, 2), (0, 3), (1, 2, 3, 2), (2, 1, 2, 2, 2)]

CASES = [
    *(
        Case("Dropout", (p,), {}, (normal(*shape),), training=training)
        for shape in (*SHAPES, ())
        for p, training in ((0.0, True), (1.0, True), (0.3, False), (1.0, False))
    ),
    *(
        Case(name, (p,), {}, (normal(*shape),), training=training, note="training" if training else "")
        for name, shapes in (
            ("Dropout1d", ((2, 3, 4), (3, 4), (1, 1, 1), (0, 3, 2))),
            ("Dropout2d", ((2, 3, 4, 2), (1, 2, 1, 1), (0, 3, 2, 2), (3, 1, 2, 5))),
            ("AlphaDropout", WIDE[:5]),
            ("FeatureAlphaDropout", ((2, 3, 4, 2), (2, 3), (2, 3, 4), (1, 2, 1, 2, 3))),
        )
        for shape in shapes
        for p, training in ((0.5, False), (0.2, False), (0.0, True), (1.0, True), (1.0, False))
    ),
]
