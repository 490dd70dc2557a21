"""Layer, RMS and group normalisation."""

import itertools

from beside import Case
from catalogue.rows import normal

LAST: list[tuple[int | tuple[int, ...] | list[int], tuple[int, ...]]] = [
    (5, (5,)),
    (5, (4, 5)),
    ([5], (2, 3, 5)),
    (5, (0, 5)),
    ((3, 4), (3, 4)),
    ((3, 4), (2, 3, 4)),
    ([2, 3, 4], (2, 2, 3, 4)),
    ((3, 4), (2, 1, 3, 3, 4)),
    (64, (16, 64)),
]
GROUPED = [(1, 6), (2, 6), (3, 6), (6, 6)]
PLACES = [(4, 6), (3, 6, 5), (1, 6, 2), (2, 6, 3, 4), (2, 6, 2, 3, 2), (0, 6, 4), (2, 6, 1)]
BATCHES = [("BatchNorm1d", (4, 3)), ("BatchNorm1d", (4, 3, 5)), ("BatchNorm1d", (1, 3, 2)), ("BatchNorm1d", (0, 3))]
BATCHES += [("BatchNorm2d", (2, 3, 4, 5)), ("BatchNorm2d", (1, 3, 1, 2)), ("BatchNorm2d", (0, 3, 2, 2))]
INSTANCES = [("InstanceNorm1d", (4, 3, 5)), ("InstanceNorm1d", (3, 7)), ("InstanceNorm1d", (1, 3, 2))]
INSTANCES += [("InstanceNorm2d", (2, 3, 4, 5)), ("InstanceNorm2d", (3, 4, 5)), ("InstanceNorm2d", (1, 3, 1, 2))]
TRACKED = [
    *({"affine": affine, "track_running_stats": track} for affine in (True, False) for track in (True, False)),
    {"affine": True, "bias": False},
    {"affine": True, "track_running_stats": True, "eps": 1e-2, "momentum": None},
    *({"affine": False, "track_running_stats": True, "momentum": momentum} for momentum in (0.0, 0.8, 1.0)),
]
MODES = [(True, 0), (True, 3), (False, 3)]
"""The mode, and how many forwards in training come before."""

CASES = [
    *(
        Case("LayerNorm", (shape, eps), options, (normal(*given),))
        for (shape, given), eps, options in itertools.product(
            LAST,
            (1e-5, 1e-1),
            ({}, {"bias": False}, {"elementwise_affine": False}, {"elementwise_affine": False, "bias": False}),
        )
    ),
    *(
        Case("RMSNorm", (shape, eps), {"elementwise_affine": affine}, (normal(*given),))
        for (shape, given), eps, affine in itertools.product(LAST, (None, 1e-5, 1e-1), (True, False))
    ),
    *(
        Case("GroupNorm", (*groups, 1e-3), options, (normal(*shape),))
        for groups, shape, options in itertools.product(GROUPED, PLACES, ({}, {"bias": False}, {"affine": False}))
    ),
    *(
        Case(name, (3,), options, (normal(*shape),), training=training, steps=steps)
        for (name, shape), options, (training, steps) in itertools.product(BATCHES + INSTANCES, TRACKED, MODES)
    ),
    *(
        Case("InstanceNorm1d", (3,), {"track_running_stats": True}, (normal(*shape),), training=False)
        for shape in ((2, 3, 1), (3, 1))
    ),
    *(
        Case(name, args, {}, (normal(*shape),), training=False)
        for name, args in (("LayerNorm", (6,)), ("RMSNorm", (6,)), ("GroupNorm", (3, 6)))
        for shape in ((2, 6), (2, 6, 6), (2, 6, 2, 6))
    ),
    *(
        Case("LocalResponseNorm", (size, *args), {}, (normal(*shape),))
        for size, args, shape in itertools.product(
            (1, 2, 3, 4, 7),
            ((), (0.5,), (0.5, 0.5, 2.0), (1.0, 1.0, 0.1)),
            ((2, 5, 3), (1, 1, 2), (2, 4, 3, 2), (2, 3, 2, 2, 2), (0, 3, 2)),
        )
    ),
]
