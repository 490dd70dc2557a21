"""Activations: every option, shapes with and without a batch, the kinks, far out."""

import itertools
from typing import Any

import numpy as np
from beside import Case
from catalogue.rows import Draw, normal

FIRST = [(4, 3), (3,), (2, 5, 3), (1, 3), (0, 3), (2, 2, 2, 3)]
SHAPES = [(4, 3), (3,), (), (2, 3, 2), (0, 3), (1, 2, 3, 2), (2, 1, 2, 2, 2)]


def spread(*shape: int) -> Draw:
    """From −8 to 8: on both sides of all kinks."""
    return lambda generator: generator.uniform(shape, -8, 8, dtype=np.float64)


KINKS = np.array([-6, -3, -2, -1, -0.75, -0.5, -0.25, -0.0, 0, 0.25, 0.5, 0.75, 1, 2, 3, 6], dtype=np.float64)
FAR = np.array([-1e4, -200, -100, -50, -30, -20.001, -20, 20, 20.001, 30, 50, 100, 200, 1e4])

POINTWISE: list[tuple[str, list[tuple[tuple[Any, ...], dict[str, Any]]]]] = [
    ("ELU", [((), {}), ((2.0,), {}), ((), {"alpha": 0.3}), ((-0.7,), {}), ((0.0,), {})]),
    ("SELU", [((), {}), ((False,), {})]),
    ("CELU", [((), {}), ((2.0,), {}), ((), {"alpha": 0.3}), ((1,), {})]),
    ("GELU", [((), {}), (("none",), {}), ((), {"approximate": "tanh"})]),
    ("SiLU", [((), {}), ((), {"inplace": False})]),
    ("Mish", [((), {}), ((), {"inplace": False})]),
    (
        "Softplus",
        [
            ((), {}),
            ((2,), {}),
            ((1.3,), {}),
            ((2, -100), {}),
            ((0.5, 1.0), {}),
            ((), {"threshold": 3}),
            ((-1.5, 2), {}),
        ],
    ),
    ("Softsign", [((), {})]),
    ("LogSigmoid", [((), {})]),
    ("Tanhshrink", [((), {})]),
    (
        "Hardtanh",
        [((), {}), ((-2, 0.5), {}), ((0.25, 0.75), {}), ((), {"max_val": 3.0}), ((-3.0, -1.0), {}), ((-0.3, 0.7), {})],
    ),
    ("ReLU6", [((), {}), ((), {"inplace": False})]),
    ("Hardsigmoid", [((), {}), ((False,), {})]),
    ("Hardswish", [((), {}), ((False,), {})]),
    ("Threshold", [((0.0, 0.0), {}), ((0.1, 20.0), {}), ((-1.0, -2.0), {}), ((2.0, 10.0), {}), ((1, 0), {})]),
    ("Hardshrink", [((), {}), ((2.0,), {}), ((), {"lambd": 0.0}), ((-0.5,), {}), ((0.3,), {})]),
    ("Softshrink", [((), {}), ((0.3,), {}), ((), {"lambd": 0.0}), ((1,), {})]),
    ("RReLU", [((), {}), ((0.1, 0.9), {}), ((-0.5, 0.5), {}), ((), {"upper": 1.0}), ((0.3, 0.3), {})]),
    ("PReLU", [((), {}), ((1, 0.1), {}), ((), {"init": -0.5}), ((1,), {"init": 0})]),
]


def scaled(factor: float, *shape: int) -> Draw:
    return lambda generator: np.asarray(factor * generator.normal(shape, dtype=np.float64))


CASES = [
    *(
        Case(name, (), {}, (scaled(factor, *shape),))
        for name in ("Tanh", "Sigmoid", "ReLU", "LeakyReLU")
        for factor in (1.0, 0.01, 30.0, 0.0)
        for shape in (*FIRST, ())
    ),
    *(Case("LeakyReLU", (slope,), {}, (normal(*shape),)) for slope in (0.0, 0.3, -1.0, 2.0) for shape in FIRST[:3]),
    *(
        Case(name, (dim,), {}, (normal(*shape),))
        for name in ("Softmax", "LogSoftmax")
        for shape in FIRST
        for dim in range(-len(shape), len(shape))
    ),
    *(
        Case(name, args, options, (draw,), note=note)
        for name, made in POINTWISE
        for args, options in made
        for draw, note in [
            *((spread(*shape), "") for shape in SHAPES),
            (normal(5, 4), ""),
            (KINKS, "kinks"),
            (FAR, "far"),
        ]
    ),
    *(
        Case(name, (), {}, (draw(*shape),))
        for name in ("Softsign", "LogSigmoid", "Tanhshrink")
        for shape in ((7,), (1,), (2, 0), (3, 1, 4), (1, 1), (30, 20))
        for draw in (spread, normal)
    ),
    *(
        Case("RReLU", args, {}, (spread(*shape),), training=training, steps=steps)
        for args in ((), (0.1, 0.9), (-0.5, 0.5))
        for shape in SHAPES[:4]
        for training, steps in ((False, 0), (True, 2))
    ),
    *(
        Case("PReLU", (channels,), options, (spread(*shape),))
        for channels, options in itertools.product((2, 3), ({}, {"init": 0.7}, {"init": -1.0}))
        for shape in ((4, channels), (2, channels, 3), (2, channels, 2, 3), (0, channels, 2), (1, channels, 2, 1, 2))
    ),
    *(
        Case("GLU", (dim,) if dim != -1 else (), {}, (spread(*shape),))
        for shape in ((4,), (3, 4), (4, 2, 6), (2, 4, 2, 2), (0, 2), (2, 0))
        for dim in range(-len(shape), len(shape))
        if shape[dim] % 2 == 0
    ),
    *(
        Case("Softmin", (dim,), {}, (spread(*shape),))
        for shape in ((), (3,), (4, 3), (2, 5, 3), (1, 3), (0, 3), (2, 2, 2, 3))
        for dim in (range(-len(shape), len(shape)) if shape else (0, -1))
    ),
    *(
        Case("Softmax2d", (), {}, (draw(*shape),))
        for draw in (spread, normal)
        for shape in (
            (2, 3, 2, 2),
            (3, 4, 5),
            (1, 3, 1, 1),
            (0, 3, 2, 2),
            (1, 1, 2),
            (2, 5, 1, 3),
            (5, 2, 3),
            (4, 1, 2, 2),
        )
    ),
]
