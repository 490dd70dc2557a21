"""Convolution, its transpose, Unfold and Fold."""

import itertools

from beside import Case
from catalogue.rows import normal

OPTIONS = [
    {},
    {"stride": 2},
    {"stride": 3, "padding": 1},
    {"padding": 2},
    {"padding": "same"},
    {"padding": "valid"},
    {"padding": "same", "dilation": 2},
    {"dilation": 2, "padding": 1},
    {"dilation": 3, "padding": 3, "stride": 2},
    {"groups": 2},
    {"groups": 4, "padding": 1},
    {"groups": 2, "stride": 2, "dilation": 2, "padding": 2, "bias": False},
    {"bias": False, "padding": "same"},
]
MODES = [
    {"padding_mode": mode, **more}
    for mode in ("reflect", "replicate", "circular")
    for more in (
        {"padding": 2},
        {"padding": "same"},
        {"padding": "same", "dilation": 2, "groups": 2},
        {"padding": "valid"},
        {"padding": 3, "stride": 2, "bias": False},
    )
]
SHAPES = {1: [(2, 4, 9), (4, 9), (1, 4, 8), (0, 4, 9)], 2: [(2, 4, 8, 9), (4, 8, 9), (1, 4, 9, 7), (0, 4, 8, 9)]}
PAIRS = [
    ((3, 2), {}),
    ((1, 4), {"stride": (2, 1), "padding": (1, 0)}),
    ((3, 3), {"stride": (1, 3), "dilation": (2, 1), "padding": (0, 4)}),
    ((5, 1), {"padding": "same", "dilation": (1, 3)}),
    ((4, 2), {"padding": "same", "padding_mode": "reflect"}),
    ((2, 4), {"padding": "same", "padding_mode": "circular", "dilation": (2, 1)}),
    ((4, 3), {"padding": (5, 1), "padding_mode": "replicate", "groups": 4}),
    ((2, 2), {"stride": (2, 2), "groups": 2}),
    ((8, 7), {}),
]
BACK = [
    {},
    {"stride": 2},
    {"stride": 3, "padding": 1, "output_padding": 2},
    {"padding": 2},
    {"dilation": 2, "output_padding": 1},
    {"stride": 2, "dilation": 3, "padding": 3, "output_padding": 2},
    {"groups": 2},
    {"groups": 4, "stride": 2, "output_padding": 1, "bias": False},
    {"stride": 4},
    {"stride": 4, "padding": 1, "output_padding": 3, "groups": 2, "dilation": 2},
]
BACK_SHAPES = {1: [(2, 4, 5), (4, 6), (1, 4, 7), (0, 4, 5)], 2: [(2, 4, 5, 4), (4, 6, 4), (1, 4, 4, 5), (0, 4, 5, 4)]}
BACK_PAIRS = [
    ((3, 2), {}),
    ((1, 4), {"stride": (2, 1), "padding": (0, 1), "output_padding": (1, 0)}),
    ((3, 3), {"stride": (1, 3), "dilation": (2, 1), "padding": (0, 3), "output_padding": (1, 2)}),
    ((5, 1), {"dilation": (1, 3), "padding": (2, 0), "bias": False}),
    ((4, 3), {"padding": (3, 1), "groups": 4, "stride": (3, 2)}),
]
SIZES = [
    ("ConvTranspose1d", {"stride": 2}, (2, 4, 5), [(11,), (12,), (2, 6, 12)]),
    ("ConvTranspose1d", {"stride": 3, "padding": 1}, (4, 5), [(13,), (14,), (6, 15)]),
    ("ConvTranspose2d", {"stride": 2}, (2, 4, 3, 4), [(7, 9), (8, 10), (2, 6, 8, 9)]),
    ("ConvTranspose2d", {"stride": (3, 1), "padding": (1, 0)}, (4, 3, 4), [(7, 6), (9, 6), (6, 8, 6)]),
]
WINDOWS = [
    (2, {}),
    (3, {"padding": 1}),
    ((2, 3), {"stride": 2}),
    ((3, 1), {"dilation": 2, "padding": (1, 2)}),
    ((1, 4), {"stride": (3, 1), "padding": (0, 2), "dilation": (1, 2)}),
    (2, {"stride": 2}),
    (1, {}),
    (1, {"stride": 3}),
]
IMAGES = [(2, 3, 6, 7), (3, 6, 7), (1, 1, 6, 7), (0, 3, 6, 7)]


def columns(image: tuple[int, ...], kernel: int | tuple[int, int], options: dict[str, object]) -> tuple[int, ...]:
    """The shape that Unfold makes of the image."""
    sides = [kernel, kernel] if isinstance(kernel, int) else list(kernel)
    windows = 1
    for place, (size, side) in enumerate(zip(image[-2:], sides, strict=True)):
        stride, padding, dilation = (
            value if isinstance(value, int) else value[place]  # type: ignore[index]
            for value in (options.get("stride", 1), options.get("padding", 0), options.get("dilation", 1))
        )
        windows *= (size + 2 * padding - dilation * (side - 1) - 1) // stride + 1
    return (*image[:-3], image[-3] * sides[0] * sides[1], windows)


EVEN = [options for options in OPTIONS if options.get("padding") != "same"]  # PyTorch warns of its own copy there

CASES = [
    *(
        Case(f"Conv{dims}d", (4, 8, 3), options, (normal(*shape),))
        for dims in (1, 2)
        for options, shape in [
            *itertools.product(OPTIONS + MODES, SHAPES[dims][:2]),
            *itertools.product(OPTIONS[:6] + MODES[::5], SHAPES[dims][2:]),
        ]
    ),
    *(
        Case(f"Conv{dims}d", (4, 8, 2), options, (normal(*SHAPES[dims][0]),))
        for dims in (1, 2)
        for options in EVEN[1:] + MODES[1::2]
    ),
    *(
        Case("Conv2d", (4, 4, kernel), options, (normal(*shape),))
        for kernel, options in PAIRS
        for shape in SHAPES[2][:3]
    ),
    *(Case("Conv1d", (1, out, 1), {}, (normal(2, 1, 4),)) for out in (1, 3)),
    *(Case("Conv2d", (3, out, 1), {"stride": 2}, (normal(2, 3, 4, 5),)) for out in (1, 3)),
    *(
        Case(f"ConvTranspose{dims}d", (4, 8, kernel), options, (normal(*shape),))
        for dims in (1, 2)
        for kernel, options, shape in itertools.product((3, 4), BACK, BACK_SHAPES[dims])
    ),
    *(
        Case("ConvTranspose2d", (4, 4, kernel), options, (normal(*shape),))
        for kernel, options in BACK_PAIRS
        for shape in BACK_SHAPES[2][:3]
    ),
    *(
        Case(name, (4, 6, 3), options, (normal(*shape),), {"output_size": size})
        for name, options, shape, sizes in SIZES
        for size in sizes
    ),
    *(
        Case("Unfold", (kernel,), options, (normal(*shape),))
        for (kernel, options), shape in itertools.product(WINDOWS, IMAGES)
    ),
    *(
        Case("Fold", (shape[-2:], kernel), options, (normal(*columns(shape, kernel, options)),))
        for (kernel, options), shape in itertools.product(WINDOWS, IMAGES)
    ),
    *(Case("Fold", (4, 2, 1, 1, 2), {}, (normal(*shape),)) for shape in ((2, 8, 9), (8, 9))),
    *(Case("Unfold", (2, 1, 1, 2), {}, (normal(*shape),)) for shape in ((2, 3, 4, 4), (3, 4, 4))),
]
