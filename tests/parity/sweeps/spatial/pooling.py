"""Pools: windows of every geometry, adaptive ones, and the way back."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from beside import Case
from catalogue.rows import labels, normal

import maillon
from maillon.typing import Array

IMAGES = [(2, 3, 7, 6), (3, 8, 5), (1, 1, 9, 9), (0, 2, 7, 6)]
SIGNALS = [(2, 3, 9), (3, 8), (1, 1, 11), (0, 2, 9)]
GEOMETRIES_2D = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2},
    {"kernel_size": 3, "stride": 1, "padding": 1},
    {"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 0)},
    {"kernel_size": (2, 4), "stride": 3, "padding": (0, 2)},
    {"kernel_size": 1, "stride": 4},
]
GEOMETRIES_1D = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2},
    {"kernel_size": 3, "stride": 1, "padding": 1},
    {"kernel_size": (4,), "stride": (3,), "padding": (2,)},
    {"kernel_size": 1, "stride": 4},
]
DILATED = [{"dilation": 2}, {"dilation": 3, "return_indices": True}]
AT = [(1, SIGNALS, GEOMETRIES_1D), (2, IMAGES, GEOMETRIES_2D)]


def levels(*shape: int) -> Any:
    """Many equals, some NaN, some infinite."""

    def draw(generator: Any) -> Array:
        drawn = generator.randint(0, 6, shape).astype(float)
        return np.where(drawn == 4, np.nan, np.where(drawn == 5, -np.inf, drawn))

    return draw


def sliding() -> Iterator[Case]:
    for rank, shapes, geometries in AT:
        for geometry, ceil_mode, shape in itertools.product(geometries, (False, True), shapes):
            options = geometry | {"ceil_mode": ceil_mode}
            yield Case(f"MaxPool{rank}d", (), options | {"return_indices": rank != len(shape)}, (normal(*shape),))
            for counted in (True, False):
                yield Case(f"AvgPool{rank}d", (), options | {"count_include_pad": counted}, (normal(*shape),))
        for geometry, more, ceil_mode in itertools.product(geometries[1:3], DILATED, (False, True)):
            options = geometry | more | {"ceil_mode": ceil_mode}
            yield Case(f"MaxPool{rank}d", (), options, (normal(*shapes[2]),))
            yield Case(f"MaxPool{rank}d", (), options, (levels(*shapes[2]),), note="with equals and NaN")
        for geometry in geometries:
            options = geometry | {"return_indices": True}
            yield Case(f"MaxPool{rank}d", (), options, (levels(*shapes[0]),), note="with equals and NaN")
        yield Case(f"MaxPool{rank}d", (3, 2, 1, 1, True, True), {}, (normal(*shapes[0]),))
    yield Case("MaxPool2d", ((2, 3), 1, (1, 0), (3, 1)), {}, (normal(2, 3, 7, 6),))
    for divisor, ceil_mode in itertools.product((1, 3, -2), (False, True)):
        options = {"padding": 1, "ceil_mode": ceil_mode, "divisor_override": divisor}
        yield Case("AvgPool2d", (3, 2), options, (normal(2, 3, 7, 6),))
    yield Case("AvgPool1d", (3, 2, 1, True, False), {}, (normal(2, 3, 9),))
    yield Case("AvgPool2d", ((3, 2), (2, 1), (1, 0), True, False, 5), {}, (normal(2, 3, 9, 7),))


def adaptive() -> Iterator[Case]:
    for rank, shapes, sizes in [
        (1, SIGNALS, [1, 2, 3, 5, 7, 9, 13, 20, (4,)]),
        (2, IMAGES, [1, 3, (4, 2), (None, 5), (1, None), (None, None), (11, 4), (7, 13)]),
    ]:
        for size, shape in itertools.product(sizes, shapes):
            yield Case(f"AdaptiveAvgPool{rank}d", (size,), {}, (normal(*shape),))
            yield Case(f"AdaptiveMaxPool{rank}d", (size,), {"return_indices": True}, (normal(*shape),))
        for size in sizes:
            yield Case(f"AdaptiveMaxPool{rank}d", (size,), {}, (normal(*shapes[0]),))
            yield Case(f"AdaptiveMaxPool{rank}d", (size, True), {}, (levels(*shapes[0]),), note="equals and NaN")


def places(size: int, rank: int, *shape: int) -> Any:
    """Places among `size` values for each of the signals or images: each at most once."""
    channels = len(shape) - rank

    def draw(generator: Any) -> Array:
        count = math.prod(shape[channels:])
        drawn = [generator.randperm(size)[:count] for _ in range(math.prod(shape[:channels]))]
        return np.array(drawn, np.int64).reshape(shape)

    return draw


def back() -> Iterator[Case]:
    for geometry, shape in itertools.product(GEOMETRIES_1D, [(2, 3, 4), (3, 5), (0, 2, 3)]):
        kernel, stride, padding = geometry_of(geometry)
        usual = (shape[-1] - 1) * stride + kernel - 2 * padding
        for more in sorted({0, 1 - stride, stride - 1}):
            size = usual + more
            if size >= shape[-1]:
                named: dict[str, Any] = {"output_size": (size,)} if more else {}
                yield Case("MaxUnpool1d", (), geometry, (normal(*shape), places(size, 1, *shape)), named)
    for shape in ((2, 3, 4), (3, 4), (5, 2, 7)):
        twice = labels(2 * shape[-1], *shape)
        yield Case("MaxUnpool1d", (2,), {}, (normal(*shape), twice), note="into the same places")
        yield Case("MaxUnpool2d", (2,), {}, (normal(*shape, 2), labels(8 * shape[-1], *shape, 2)), note="the same")
    for args, shape in itertools.product(
        [(2,), (3, 2), ((3, 4), (2, 4), (0, 1)), (2, (3, 2), 1)], [(2, 3, 3, 2), (3, 2, 4), (0, 2, 3, 2)]
    ):
        usual = maillon.MaxUnpool2d(*args)(np.zeros(shape), np.zeros(shape, np.int64)).shape
        for more in ((0, 0), (1, 0), (-1, 1)):
            space = tuple(n + d for n, d in zip(usual[-2:], more, strict=True))
            inputs = (normal(*shape), places(math.prod(space), 2, *shape))
            if any(more):
                yield Case("MaxUnpool2d", args, {}, inputs, {"output_size": space})
            else:
                yield Case("MaxUnpool2d", args, {}, inputs)
        inputs = (normal(*shape), places(math.prod(usual[-2:]), 2, *shape))
        whole = usual if len(usual) == 4 else (1, *usual)
        yield Case("MaxUnpool2d", args, {}, inputs, {"output_size": whole})


def geometry_of(geometry: dict[str, Any]) -> tuple[int, int, int]:
    kernel, stride, padding = (geometry.get(name, 0) for name in ("kernel_size", "stride", "padding"))
    kernel, stride, padding = (value[0] if isinstance(value, tuple) else value for value in (kernel, stride, padding))
    return kernel, stride or kernel, padding


CASES = [*sliding(), *adaptive(), *back()]
