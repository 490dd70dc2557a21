"""Loss curves of the core against NumPy's: over 1 000 steps where all is smooth, over 20 where kinks part the ways."""

from collections.abc import Callable

import numpy as np
import pytest

import maillon as m
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")


def chain(*sizes: int, link: Callable[[], m.Module], last: m.Module | None = None) -> m.Sequential:
    generator = Generator(6)
    links: list[m.Module] = []
    for i, size in enumerate(sizes[1:]):
        links += [m.Linear(sizes[i], size, generator=generator), link()]
    return m.Sequential(*links[:-1], *([] if last is None else [last]))


SMOOTH: dict[str, tuple[Callable[[], m.Sequential], Callable[[], m.Loss], float]] = {
    "Tanh 8-16-16-4 MSE": (lambda: chain(8, 16, 16, 4, link=m.Tanh), m.MSELoss, 0.05),
    "Tanh 8-32-4 cross-entropy": (lambda: chain(8, 32, 4, link=m.Tanh), m.CrossEntropyLoss, 0.1),
    "Sigmoid 8-16-4 BCE": (lambda: chain(8, 16, 4, link=m.Sigmoid, last=m.Sigmoid()), m.BCELoss, 0.5),
    "Sigmoid 8-8-8 autoencoder": (lambda: chain(8, 8, 8, link=m.Sigmoid, last=m.Sigmoid()), m.HalfMSELoss, 0.5),
}
KINKED: dict[str, tuple[Callable[[], m.Sequential], Callable[[], m.Loss], float]] = {
    "ReLU 8-16-16-4 MSE": (lambda: chain(8, 16, 16, 4, link=m.ReLU), m.MSELoss, 0.02),
    "LeakyReLU 8-16-4 cross-entropy": (lambda: chain(8, 16, 4, link=m.LeakyReLU), m.CrossEntropyLoss, 0.05),
    "Tanh 8-16-4 L1": (lambda: chain(8, 16, 4, link=m.Tanh), m.L1Loss, 0.02),
}


def data(loss: m.Loss, outputs: int, dtype: str) -> tuple[Array, Array]:
    generator = Generator(7)
    x = generator.normal((24, 8), dtype=np.float64).astype(dtype)
    if isinstance(loss, m.CrossEntropyLoss):
        return x, generator.randint(0, outputs, (24,))
    return x, generator.uniform((24, outputs), dtype=np.float64).astype(dtype)


def curves(make: Callable[[], m.Sequential], loss: m.Loss, rule: m.SGD, dtype: str, steps: int) -> tuple[Array, Array]:
    """The loss of each step, by the core and by NumPy."""
    found = []
    for engine in ("native", "numpy"):
        network = make().to(dtype)
        x, y = data(loss, network[-1 if isinstance(network[-1], m.Linear) else -2].out_features, dtype)
        history = m.fit(network, loss, x, y, rule=rule, batch_size=24, epochs=steps, shuffle=False, engine=engine)
        assert history.engine == engine
        found.append(np.array(history["loss"]))
    assert found[1][-1] < found[1][0]
    return found[0], found[1]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-11)])
@pytest.mark.parametrize("name", SMOOTH)
def test_a_thousand_steps_along_a_smooth_chain(name: str, dtype: str, tolerance: float) -> None:
    make, loss, rate = SMOOTH[name]
    found, expected = curves(make, loss(), m.SGD(lr=rate), dtype, 1000)
    apart = np.abs(found - expected) / np.abs(expected)
    assert apart.max() <= tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-11)])
@pytest.mark.parametrize("name", KINKED)
def test_twenty_steps_with_momentum_along_a_kinked_chain(name: str, dtype: str, tolerance: float) -> None:
    make, loss, rate = KINKED[name]
    found, expected = curves(make, loss(), m.SGD(lr=rate, momentum=0.9), dtype, 20)
    np.testing.assert_allclose(found, expected, rtol=tolerance)
