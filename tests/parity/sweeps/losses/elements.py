"""The elementwise losses."""

from typing import Any

import numpy as np
from beside import Case
from catalogue.rows import Draw, normal, unit

from sweeps.losses import each, elementwise, far, whole


def certain(*shape: int) -> Draw:
    """Targets of 0 and 1."""
    return lambda generator: generator.randint(0, 2, shape).astype(np.float64)


def binary(name: str, *draws: Any, **options: tuple[Any, ...]) -> list[Case]:
    """Every weight that broadcasts to (4, 3)."""
    weights = (np.array([0.5, 2.0, 3.0]), np.array([[0.5], [2.0], [0.0], [1.0]]), np.array(2.0), np.full((4, 3), 0.7))
    return [
        *elementwise(name, each(), *draws),
        *(
            Case(name, (), chosen, (draws[0][0](4, 3), draws[0][1](4, 3)), note=str(np.shape(chosen["weight"])))
            for chosen in each(weight=weights, **options)
        ),
    ]


WEIGHTS = np.array([0.5, 2.0, 3.0])

CASES = [
    *elementwise("MSELoss", each(), (normal, normal), (whole, whole), (far, far)),
    *elementwise("L1Loss", each(), (normal, normal), (whole, whole), (far, far)),
    *binary("BCELoss", (unit, unit), (unit, certain), (certain, unit), (certain, certain)),
    *binary("BCEWithLogitsLoss", (normal, unit), (far, certain), (whole, certain), pos_weight=(None, WEIGHTS)),
]
