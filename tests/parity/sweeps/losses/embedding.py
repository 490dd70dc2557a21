"""The losses between vectors."""

from beside import Case
from catalogue.rows import normal

from sweeps.losses import MATRICES, each, signs, whole

CASES = [
    *(
        Case("CosineEmbeddingLoss", (), options, (draw(*shape), draw(*shape), signs(*shape[:-1])))
        for options in each(margin=(0.0, 0.4, -0.5))
        for draw in (normal, whole)
        for shape in MATRICES
    ),
    *(
        Case("TripletMarginLoss", (), options, (normal(*shape), normal(*shape), normal(*shape)))
        for options in each(p=(2.0, 1.0, 0.5, 1.5, -1.0, float("inf")), swap=(False, True), margin=(1.0, 3.0))
        for shape in ((4, 3), (2, 3, 4))[: 1 + (options["reduction"] == "none")]
    ),
    *(
        Case("TripletMarginLoss", (), options, (whole(*shape), whole(*shape), whole(*shape)))
        for options in each(eps=(0.0, 0.25), p=(1.0, 2.0, float("inf")), swap=(False, True), margin=(1.0,))
        for shape in ((6, 2),)
    ),
    *(
        Case("TripletMarginLoss", (), options, (normal(*shape), normal(*shape), normal(*shape)))
        for options in each()
        for shape in MATRICES
    ),
]
