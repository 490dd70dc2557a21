"""Padding, up-sampling and pixel shuffles of many options and sizes, in NumPy and in the core."""

from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, walk_alike, walked_by_core, walked_by_numpy

import maillon as m
from maillon import engine
from maillon.engine import processor
from maillon.engine.builder import Builder, NotLoweredError
from maillon.engine.families.padding import Axis, resampled
from maillon.engine.lowering import finish, lower_child
from maillon.engine.memory import Memory
from maillon.engine.plan import Plan, table
from maillon.engine.verify import verify
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")
both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


def drawn(case: int, rank: int, dtype: str) -> tuple[np.random.Generator, Array]:
    """A source of options, and x: also empty batches."""
    rng = np.random.default_rng(case)
    outer = [(2, 3), (1, 2), (3, 1), (0, 2)][int(rng.choice(4, p=(0.5, 0.2, 0.2, 0.1)))]
    return rng, rng.normal(size=(*outer, *rng.integers(1, (40, 20, 7)[rank - 1], rank))).astype(dtype)


def walk_or_refuse(kind: str, options: tuple[Any, ...], named: dict[str, Any], x: Array, dtype: str) -> bool:
    """Alike in both engines, unless the link refuses these options or sizes."""
    try:
        getattr(m, kind)(*options, **named)(x)
    except ValueError:
        return False
    walk_alike(lambda: getattr(m, kind)(*options, **named), (x,), TOLERANCE[dtype])
    return True


@both_dtypes
@pytest.mark.parametrize("kind", ["ConstantPad", "ZeroPad", "ReflectionPad", "ReplicationPad", "CircularPad"])
def test_pads(kind: str, dtype: str) -> None:
    """Also negative widths."""
    done = 0
    for case in range(60):
        rank = 1 + case % 2
        rng, x = drawn(case, rank, dtype)
        sides = tuple(rng.integers(-2, 5, 2 * rank).tolist())
        value = (float(rng.choice([0.0, -1.5])),) if kind == "ConstantPad" else ()
        done += walk_or_refuse(
            f"{kind}{rank}d", (sides, *value), {}, x if case % 4 else x[-1:].reshape(-1, *x.shape[2:]), dtype
        )
    assert done > 30


@both_dtypes
def test_borders_that_are_not_finite(dtype: str) -> None:
    x = np.arange(6.0).reshape(1, 2, 3).astype(dtype)
    for value in (np.inf, -np.inf):
        link = m.ConstantPad2d((1, 2, 0, -1), value)
        found, expected = (walked(link, (x,), np.ones_like(link(x))) for walked in (walked_by_core, walked_by_numpy))
        np.testing.assert_array_equal(found.output, expected.output)


@both_dtypes
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"])
def test_upsampling(mode: str, dtype: str) -> None:
    ranks = {"linear": (1,), "bilinear": (2,), "trilinear": (3,), "bicubic": (2,)}.get(mode, (1, 2, 3))
    done = 0
    for case in range(40):
        rank = ranks[case % len(ranks)]
        rng, x = drawn(case, rank, dtype)
        options: dict[str, Any] = {"mode": mode}
        if rng.random() < 0.5:
            options["size"] = tuple(rng.integers(1, 12, rank).tolist())
        else:
            options["scale_factor"] = tuple(rng.uniform(0.4, 3, rank).tolist())
            options["recompute_scale_factor"] = bool(rng.integers(2))
        if mode in ("linear", "bilinear", "trilinear", "bicubic"):
            options["align_corners"] = bool(rng.integers(2))
        done += walk_or_refuse("Upsample", (), options, x, dtype)
    assert done > 25


@both_dtypes
def test_rows_longer_than_what_is_summed_at_once(dtype: str) -> None:
    x = np.random.default_rng(1).normal(size=(1, 2, 3, 2100)).astype(dtype)
    walk_alike(lambda: m.Upsample(size=(5, 2050), mode="bilinear"), (x,), TOLERANCE[dtype])
    walk_alike(lambda: m.AvgPool2d((3, 2), 1), (x,), TOLERANCE[dtype])


@both_dtypes
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_shuffles(factor: int, dtype: str) -> None:
    for shape in ((2, 2 * factor**2, 5, 3), (factor**2, 1, 4), (0, factor**2, 2, 2), (2, 3, factor**2, 2, 1)):
        x = np.random.default_rng(1).normal(size=shape).astype(dtype)
        walk_alike(lambda: m.PixelShuffle(factor), (x,), TOLERANCE[dtype])
        large = m.PixelShuffle(factor)(x)
        walk_alike(lambda: m.PixelUnshuffle(factor), (large,), TOLERANCE[dtype])


def test_an_axis() -> None:
    axis = Axis.of_copies(5, np.array([4, -1, 1, 2, 3, 3, 0]))
    starts, places, weights = axis.table
    assert (starts.tolist(), places.tolist()) == ([0, 1, 1, 2, 3, 4, 5, 6], [4, 1, 2, 3, 3, 0])
    assert weights.tolist() == [1.0] * 6
    assert axis.run == (2, 5, 1)
    assert axis.transposed.table[0].tolist() == [0, 1, 2, 3, 5, 6]
    assert axis.transposed.run == (1, 3, 2)
    assert not axis.is_same
    assert Axis.same(3).is_same
    assert Axis.of_steps(4, 2, []).table[0].tolist() == [0, 0, 0]
    assert Axis.of_steps(4, 2, []).run == (0, 0, 0)


def test_what_is_the_same_costs_nothing() -> None:
    b = Builder(np.dtype(np.float64), Memory())
    x = b.local("x", (2, 3, 4, 5))
    for link in (m.ZeroPad2d(0), m.Upsample(scale_factor=1), m.AvgPool2d(1), m.AdaptiveAvgPool2d(None)):
        assert lower_child(b, link, "", x).buffer is x.buffer
    assert not b.operations


@pytest.mark.parametrize("sources", [[0, 3], [0, -5], [2**62, 0]])
def test_the_core_refuses_places_outside(sources: list[int]) -> None:
    """Tables are data: the verifier does not look into them."""
    b = Builder(np.dtype(np.float64), Memory())
    axis = Axis(3, 2, np.array(sources), np.arange(2), np.full(2, 0.5))
    for axes in ([axis], [axis, Axis.same(3)]):
        b.operations.clear()
        x = b.given("x", (2, 3, 3)[: 1 + len(axes)], b.dtype)
        output = finish(b, resampled(b, x, axes))
        plan = Plan((m.Identity(),), b.dtype, 1, b.operations, [x.buffer], output, None, [])
        verify(plan)
        program = processor.core().Program(engine.instruction_set(), True, 1, table(plan), [])
        assert not program.run(2)


def test_integers_are_left_to_numpy() -> None:
    b = Builder(np.dtype(np.float64), Memory())
    x = b.local("x", (2, 3, 4), np.int64)
    for link in (m.ZeroPad1d(1), m.PixelShuffle(1)):
        assert lower_child(b, link, "", x).buffer.dtype == np.int64
        assert b.own[link] == f"{link!r} is given int64"
    with pytest.raises(NotLoweredError, match=r"^MaxPool1d\(2\) is given int64$"):  # nor does NumPy take them
        lower_child(b, m.MaxPool1d(2), "", x)
