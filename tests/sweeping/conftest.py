"""Small networks and data that every test of sweeps may use."""

import numpy as np
import pytest

from maillon.typing import Array

Data = tuple[Array, Array]


@pytest.fixture
def classes() -> Data:
    """90 rows of 4 numbers, and one of three labels for each."""
    numbers = np.random.default_rng(1)
    labels = np.arange(90) % 3
    return (numbers.normal(size=(90, 4)) + labels[:, None]).astype(np.float32), labels


@pytest.fixture
def line() -> Data:
    """60 rows of 3 numbers, and a linear function of them with noise."""
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(60, 3)).astype(np.float32)
    noise = 0.1 * numbers.normal(size=(60, 1))
    return x, (x @ np.array([[1.0], [-2.0], [0.5]]) + noise).astype(np.float32)
