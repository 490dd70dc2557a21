"""Embedding: shapes of indices, the padding row, rows that are shortened, gradients by frequency."""

import itertools

from beside import Case
from catalogue.rows import labels

SHAPES = [(), (1,), (7,), (3, 5), (2, 3, 2), (0,), (2, 0), (1, 64)]
OPTIONS = [
    {},
    {"padding_idx": 0},
    {"padding_idx": 2},
    {"padding_idx": -1},
    {"max_norm": 1.0},
    {"max_norm": 0.5, "norm_type": 1.0},
    {"max_norm": 0.9, "norm_type": float("inf")},
    {"max_norm": 0.8, "norm_type": 3.0, "padding_idx": -2},
    {"scale_grad_by_freq": True},
    {"scale_grad_by_freq": True, "padding_idx": 1, "max_norm": 1.5},
]

CASES = [
    Case("Embedding", (4, 3), options, (labels(4, *shape),), drawn="near", steps=steps)
    for options, (shape, steps) in itertools.product(OPTIONS, [*((shape, 0) for shape in SHAPES), ((6,), 2)])
]
