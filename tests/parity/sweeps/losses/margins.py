"""The losses with a margin."""

import numpy as np
from beside import Case
from catalogue.rows import Draw, labels, normal, unit

from sweeps.losses import MATRICES, each, elementwise, signs, whole


def lists(classes: int, *shape: int) -> Draw:
    return lambda generator: generator.randint(-1, classes, shape)


def hinges() -> list[Case]:
    return [
        *elementwise("HingeEmbeddingLoss", each(margin=(1.0, 0.3, -1.0)), (normal, signs), (whole, signs)),
        *elementwise("SoftMarginLoss", each(), (normal, signs), (normal, normal), (whole, signs)),
        *(
            Case("MarginRankingLoss", (), options, (draw(*shape), draw(*shape), target(*shape)))
            for options in each(margin=(0.0, 1.0, -0.5))
            for draw, target in ((normal, signs), (whole, whole), (whole, lambda *shape: labels(2, *shape)))
            for shape in ((4, 3), (3,), ())
        ),
    ]


def margins() -> list[Case]:
    return [
        *(
            Case("MultiMarginLoss", (), options, (draw(*shape), labels(shape[-1], *shape[:-1])))
            for options in each(p=(1, 2), margin=(1.0, 0.3, -0.5), weight=(None, np.array([0.5, 2.0, 3.0])))
            for draw, shape in ((normal, (4, 3)), (whole, (4, 3)), (normal, (3,)), (whole, (1, 3)))
        ),
        *(
            Case("MultiLabelMarginLoss", (), options, (draw(*shape), lists(shape[-1], *shape)))
            for options in each()
            for draw in (normal, whole)
            for shape in (*MATRICES[:3], (5, 1), (6, 7))
        ),
        *(
            Case("MultiLabelSoftMarginLoss", (), options, (draw(*shape), target(*shape)))
            for options in [*each(), *each(weight=(np.array([0.5, 2.0, 3.0]),))]
            for draw, target in ((normal, unit), (whole, lambda *shape: labels(2, *shape)))
            for shape in ((4, 3), (3,), (1, 3), (2, 2, 3), (0, 3))
        ),
    ]


CASES = [*hinges(), *margins()]
