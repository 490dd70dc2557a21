"""Links for tables in the core: shapes, and gradients of parameters that are frozen or used twice."""

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
