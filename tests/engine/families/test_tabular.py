"""Links for tables in the core: shapes, numbers far out, and parameters that are frozen or used twice."""

import itertools

import numpy as np
import pytest
from cores import TOLERANCE, walk_alike

import maillon as m
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))
RANDOM = np.random.default_rng(11)


def normal(*shape: int, dtype: str = "float64") -> Array:
    return RANDOM.normal(size=shape).astype(dtype)


def scale(features: int, dtype: str) -> m.Scale:
    link = m.Scale(features, dtype=dtype)
    link.weight.data[...] = np.linspace(-1, 2, features)
    return link


@both_dtypes
@pytest.mark.parametrize("features", [1, 3, 8, 50, 300])
def test_scales_of_all_shapes(features: int, dtype: str) -> None:
    for shape in ((), (0,), (1,), (67,), (3, 5)):
        walk_alike(lambda: scale(features, dtype), (normal(*shape, features, dtype=dtype),), TOLERANCE[dtype])


def periodic(features: int, hidden: int, out: int, dtype: str, sigma: float = 0.5) -> m.PeriodicEmbedding:
    return m.PeriodicEmbedding(features, hidden, out, sigma, dtype=dtype, generator=m.Generator(3))


@both_dtypes
@pytest.mark.parametrize(("features", "hidden", "out"), [(1, 1, 2), (3, 5, 4), (2, 33, 9), (50, 16, 4)])
def test_embeddings_of_all_shapes(features: int, hidden: int, out: int, dtype: str) -> None:
    """Rows by tiles of 128, the last ones by registers of any width."""
    for shape in ((), (0,), (1,), (5,), (31,), (32,), (67,), (128,), (129,), (300,), (3, 11)):
        x = normal(*shape, features, dtype=dtype)
        walk_alike(lambda: periodic(features, hidden, out, dtype), (x,), TOLERANCE[dtype])


@both_dtypes
def test_embeddings_of_large_numbers(dtype: str) -> None:
    """Both take the same whole turns out of an angle, so that they agree however large it is."""
    for size in (1e2, 1e4, 1e6):
        x = size * normal(40, 3, dtype=dtype)
        walk_alike(lambda: periodic(3, 5, 4, dtype), (x.astype(dtype),), TOLERANCE[dtype])


@both_dtypes
def test_an_embedding_with_frozen_parameters_shared_or_inside_a_chain(dtype: str) -> None:
    def embedding(learns: tuple[bool, ...]) -> m.Module:
        link = periodic(4, 3, 3, dtype)
        for parameter, learnt in zip(link.parameters(), learns, strict=True):
            parameter.requires_grad = learnt
        return link

    def twice() -> m.Module:
        first = periodic(4, 3, 3, dtype)
        return m.Sequential(m.Parallel(m.Sequential(m.Tanh(), first), first.share()), m.Multiply())

    def before() -> m.Module:
        return m.Sequential(m.Linear(4, 4, dtype=dtype, generator=m.Generator(1)), periodic(4, 3, 3, dtype))

    x = normal(9, 4, dtype=dtype)
    for learns in itertools.product((True, False), repeat=4):
        walk_alike(lambda: embedding(learns), (x,), TOLERANCE[dtype])  # noqa: B023
    for make in (twice, before):
        walk_alike(make, (x,), TOLERANCE[dtype])


@both_dtypes
def test_a_scale_that_is_frozen_shared_or_inside_a_chain(dtype: str) -> None:
    def twice() -> m.Module:
        first = scale(4, dtype)
        return m.Sequential(m.Linear(3, 4, dtype=dtype, generator=m.Generator(1)), first, m.Tanh(), first.share())

    def frozen() -> m.Module:
        return m.Sequential(
            m.Linear(3, 4, dtype=dtype, generator=m.Generator(1)), scale(4, dtype).requires_grad_(False)
        )

    for make in (twice, frozen):
        walk_alike(make, (normal(9, 3, dtype=dtype),), TOLERANCE[dtype])
