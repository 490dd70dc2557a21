"""What every test stands on: a strict NumPy, and a global generator that no test leaves changed."""

from collections.abc import Iterator

import numpy as np
import pytest

from maillon.random import default_generator


@pytest.fixture(autouse=True)
def strict_numpy() -> Iterator[None]:
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield


@pytest.fixture(autouse=True)
def same_global_generator() -> Iterator[None]:
    generator = default_generator()
    state = generator.get_state()
    yield
    generator.set_state(state)
