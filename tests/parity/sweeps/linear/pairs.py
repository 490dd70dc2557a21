"""Bilinear, CosineSimilarity, PairwiseDistance: batches, dimensions, broadcasting."""

import itertools
import math

import numpy as np
from beside import Case
from catalogue.rows import normal

PAIRS = [
    ((4, 3), (4, 3)),
    ((1, 3), (4, 3)),
    ((4, 1), (4, 3)),
    ((2, 4, 3), (4, 3)),
    ((2, 4, 3), (2, 1, 3)),
    ((0, 3), (0, 3)),
    ((2, 1, 5, 3), (1, 4, 1, 3)),
]
ZERO = np.array([[0.0, 0.0, 0.0], [1e-9, -2e-9, 2e-9], [1.0, 2.0, -2.0], [0.3, 0.0, 0.4]])
OTHER = np.array([[0.0, 0.0, 0.0], [1.0, -1.0, 2.0], [1.0, 2.0, -2.0], [3.0, -4.0, 0.0]])

CASES = [
    *(
        Case("Bilinear", (in1, in2, out), {"bias": bias}, (normal(*batch, in1), normal(*batch, in2)))
        for in1, in2, out, bias, batch in itertools.product(
            (1, 3), (2, 4), (1, 5), (True, False), ((), (4,), (0,), (2, 3))
        )
    ),
    *(
        Case("CosineSimilarity", (dim,), options, (normal(*one), normal(*other)))
        for one, other in PAIRS
        for dim in range(-max(len(one), len(other)), max(len(one), len(other)))
        for options in ({}, {"eps": 1e-3})
    ),
    Case("CosineSimilarity", (0,), {}, (normal(6), normal(6))),
    *(
        Case("CosineSimilarity", (), {"eps": eps}, inputs, note=f"zeros {place}")
        for eps in (1e-8, 1e-3, 0.5, 10.0)
        for place, inputs in enumerate(((ZERO, OTHER), (OTHER, ZERO), (ZERO, ZERO)))
    ),
    *(
        Case("PairwiseDistance", (p,), {"keepdim": keepdim, "eps": eps}, (normal(*one), normal(*other)))
        for p, (keepdim, eps), (one, other) in itertools.product(
            (0.5, 1, 1.5, 2.0, 3.0, math.inf, -1, -math.inf), ((False, 1e-6), (True, 0.1)), [*PAIRS[::2], ((5,), (5,))]
        )
    ),
    *(
        Case("PairwiseDistance", (p,), {"eps": eps}, (ZERO, OTHER), note="equal places")
        for p in (0, 0.5, 1, 1.5, 2.0, 3.0, math.inf, -1, -2.0, -math.inf)
        for eps in (0.0, 1e-6)
    ),
]
