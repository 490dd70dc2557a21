"""The losses of regression."""

import itertools

import numpy as np
from beside import Case
from catalogue.rows import Draw, normal, unit

from sweeps.losses import REDUCTIONS, each, elementwise, whole


def counts(*shape: int) -> Draw:
    return lambda generator: generator.randint(0, 7, shape).astype(np.float64)


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


CASES = [
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
