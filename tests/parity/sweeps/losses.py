"""Every loss under its reductions, options and shapes; on its kinks as well, where a choice of slope shows."""

import itertools
from typing import Any

import numpy as np
from beside import Case
from catalogue.rows import Draw, distribution, labels, normal, unit

SHAPES = [(4, 3), (3,), (), (2, 3, 4), (1, 1), (2, 1, 2, 3), (0, 3)]
REDUCTIONS = ("mean", "sum", "none")


def whole(*shape: int) -> Draw:
    """Small integers, as real numbers: differences are often 0 or on a kink."""
    return lambda generator: generator.randint(-2, 3, shape).astype(np.float64)


def counts(*shape: int) -> Draw:
    return lambda generator: generator.randint(0, 7, shape).astype(np.float64)


def scaled(draw: Draw, factor: float) -> Draw:
    return lambda generator: factor * draw(generator)


def each(**options: tuple[Any, ...]) -> list[dict[str, Any]]:
    """All combinations, with every reduction."""
    options = {"reduction": REDUCTIONS} | options
    return [dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())]


def elementwise(name: str, choices: list[dict[str, Any]], *draws: Any) -> list[Case]:
    """All options; all shapes; and each draw of prediction and target with both."""
    return [
        Case(name, (), options, (draw(*shape), target(*shape)))
        for draw, target in draws
        for options, shape in [*((options, (4, 3)) for options in choices), *zip(itertools.cycle(choices), SHAPES)]
    ]


def log_unit(*shape: int) -> Draw:
    return lambda generator: np.asarray(np.log(unit(*shape)(generator)))


def gaussians() -> list[Case]:
    """Every way to give the variance, and a target with a dimension of 1."""
    ways = [
        ((4, 3), (4, 3), (4, 3)), ((4, 3), (4, 3), (4, 1)), ((4, 3), (4, 3), (1, 3)), ((4, 3), (4, 3), (4,)),
        ((3,), (3,), (3,)), ((3,), (3,), (1,)), ((3,), (3,), ()), ((), (), ()), ((2, 3, 4), (2, 3, 4), (2, 3)),
        ((2, 3, 4), (2, 3, 4), (2, 1, 4)), ((2, 3, 4), (2, 3, 4), (1, 3, 4)), ((2, 3, 4), (2, 1, 4), (2, 3, 4)),
        ((4, 3), (4, 1), (1, 3)), ((1, 3), (1, 3), (1, 1)), ((1, 1), (1, 1), (1, 1)), ((1, 3), (1, 3), (1,)),
    ]  # fmt: skip
    found = [
        Case("GaussianNLLLoss", (), options, (normal(*mean), normal(*target), unit(*var)))
        for (mean, target, var), options in itertools.product(ways, each(full=(False, True), eps=(1e-6, 0.4)))
    ]
    return found + [
        Case("GaussianNLLLoss", (), options, (normal(4, 3), normal(4, 3), 0.7)) for options in each(full=(False, True))
    ]


REGRESSION = [
    *elementwise("HuberLoss", each(delta=(1.0, 0.3, 2.0)), (normal, normal), (whole, whole)),
    *elementwise("SmoothL1Loss", each(beta=(1.0, 0.3, 2.0, 0.0)), (normal, normal), (whole, whole)),
    *elementwise("KLDivLoss", each(reduction=(*REDUCTIONS, "batchmean")), (log_unit, unit), (log_unit, counts)),
    *elementwise(
        "KLDivLoss",
        each(reduction=(*REDUCTIONS, "batchmean"), log_target=(True,)),
        (log_unit, log_unit),
        (normal, normal),
    ),
    *elementwise(
        "PoissonNLLLoss",
        each(log_input=(True,), full=(False, True)),
        (normal, counts),
        (normal, unit),
    ),
    *elementwise("PoissonNLLLoss", each(log_input=(False,), full=(False, True), eps=(1e-8, 0.1)), (unit, counts)),
    *gaussians(),
]

MATRICES = [(4, 3), (3,), (1, 3), (0, 3), (5, 1)]


def signs(*shape: int) -> Draw:
    return lambda generator: np.asarray(2.0 * generator.randint(0, 2, shape) - 1)


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


def embeddings() -> list[Case]:
    return [
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


def log_shares(*shape: int) -> Draw:
    return lambda generator: np.log(distribution(-1, *shape)(generator))


def words(classes: int, *shape: int, blank: int = 0) -> Draw:
    """Labels that are not the blank."""
    return lambda generator: (generator.randint(1, classes, shape) + blank) % classes


def sequences() -> list[Case]:
    """Padded and joined targets, single samples; lengths of each kind; too short for the target at times."""
    found = []
    for options in each(blank=(0, 3), zero_infinity=(False, True)):
        blank = options["blank"]
        batch, padded, joined = log_shares(9, 3, 5), words(5, 3, 4, blank=blank), words(5, 7, blank=blank)
        single, word = log_shares(9, 5), words(5, 3, blank=blank)
        ways = [
            (batch, padded, (9, 9, 9), (4, 3, 1)), (batch, padded, np.array([9, 7, 3]), np.array([4, 3, 1])),
            (batch, padded, (9, 5, 1), (0, 2, 0)), (batch, joined, (9, 8, 7), (3, 4, 0)),
            (batch, joined, np.array([9, 9, 9]), np.array([1, 3, 3])), (batch, padded, (9, 2, 1), (4, 4, 2)),
            (single, word, (9,), (3,)), (single, word, np.array(7), np.array(3)), (single, word, (2,), (3,)),
        ]  # fmt: skip
        found += [Case("CTCLoss", (), options, way) for way in ways]
    return found


CASES = [*sequences(), *REGRESSION, *hinges(), *margins(), *embeddings()]
