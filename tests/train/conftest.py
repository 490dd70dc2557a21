"""Small networks and data that every test of training may use."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from cores import require_core, without_core

import maillon as m
from maillon.typing import Array

Data = tuple[Array, Array]


@pytest.fixture(autouse=True, params=["numpy", "native"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every test of training holds for either engine: what "auto" takes."""
    if request.param == "native":
        require_core()
        yield "native"
    else:
        with without_core():
            yield "numpy"


@pytest.fixture
def line() -> Data:
    """20 rows of 3 numbers, and a linear function of them."""
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    return x, (x @ np.array([[1.0], [-2.0], [0.5]], dtype=np.float32)).astype(np.float32)


@pytest.fixture
def classes() -> Data:
    """30 rows of 4 numbers, and one of three labels for each."""
    numbers = np.random.default_rng(1)
    labels = np.arange(30) % 3
    return (numbers.normal(size=(30, 4)) + 2 * labels[:, None]).astype(np.float32), labels


@pytest.fixture
def make_linear() -> Callable[[], m.Linear]:
    """Networks 3–1 that all begin alike."""
    return lambda: m.Linear(3, 1, generator=m.Generator(5))


@pytest.fixture
def make_classifier() -> Callable[[], m.Sequential]:
    """Networks 4–6–3 with a dropout that all begin alike."""

    def make() -> m.Sequential:
        generator = m.Generator(6)
        return m.Sequential(
            m.Linear(4, 6, generator=generator), m.Tanh(), m.Dropout(0.2), m.Linear(6, 3, generator=generator)
        )

    return make
