"""The dropouts in the core: the words drawn, what they make of values, and the two ways to draw them."""

from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import pytest
from cores import TOLERANCE, same_for_both, threads, walked_by_core, walked_by_numpy

import maillon as m
from maillon import twister
from maillon.engine import processor
from maillon.random import Generator

pytestmark = pytest.mark.usefixtures("core")

SETS = processor.core().instruction_sets() if processor.core() is not None else ["none"]
SHAPES: dict[type[m.Module], list[tuple[int, ...]]] = {
    m.Dropout: [(1,), (7, 9), (40, 33), (3, 70, 11)],
    m.AlphaDropout: [(5,), (13, 130), (2, 3, 4)],
    m.Dropout1d: [(3, 17), (4, 5, 7)],
    m.Dropout2d: [(6, 9), (3, 20, 4, 9), (5, 9, 40)],
    m.FeatureAlphaDropout: [(6, 9), (3, 20, 4, 9)],
}
ENDS = (0.3, 0.5, 1.0, 1e-9, 0.9999999)


def walked_alike(make: Callable[[Generator], m.Module], shape: tuple[int, ...], dtype: str, skip: int) -> None:
    """Values, gradients and the stream, from the same place in it: the very same bits."""
    x = Generator(1).normal(shape, dtype=np.float64).astype(dtype)
    dy = Generator(2).normal(shape, dtype=np.float64).astype(dtype)
    streams = Generator(4), Generator(4)
    for stream in streams:
        stream.random_raw(skip)
    expected, found = walked_by_numpy(make(streams[0]), (x,), dy), walked_by_core(make(streams[1]), (x,), dy)
    np.testing.assert_array_equal(found.output, expected.output)
    np.testing.assert_array_equal(found.grads[0], expected.grads[0])
    assert streams[0].get_state() == streams[1].get_state()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("chosen", SETS)
@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_the_same_words_make_the_same_masks(
    dtype: str, chosen: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILLON_ISA", chosen)
    with patch.object(twister, "is_readable", lambda: known):
        for kind, shapes in SHAPES.items():
            for place, shape in enumerate(shapes):
                for p in ENDS:
                    walked_alike(lambda stream, kind=kind, p=p: kind(p, generator=stream), shape, dtype, 311 * place)  # type: ignore[misc]


def test_threads_share_what_channels_become() -> None:
    for number in (1, 2, 3):
        with threads(number, worth=0):
            walked_alike(lambda stream: m.Dropout2d(0.4, generator=stream), (20, 30, 9, 9), "float32", 620)
            walked_alike(lambda stream: m.Dropout(0.4, generator=stream), (200, 300), "float32", 623)


@pytest.mark.parametrize("kind", list(SHAPES))
def test_nothing_is_drawn_where_nothing_is_dropped(kind: type[m.Module]) -> None:
    shape, stream = SHAPES[kind][-1], Generator(3)
    for link in (kind(0.0, generator=stream), kind(0.5, generator=stream).eval()):
        x = np.ones(shape, np.float32)
        np.testing.assert_array_equal(walked_by_core(link, (x,), x).output, x)
    assert stream.get_state() == Generator(3).get_state()


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_a_training_draws_the_same_words(dtype: str) -> None:
    x = Generator(1).normal((50, 3, 4), dtype=np.float64).astype(dtype)
    y = Generator(2).normal((50, 2), dtype=np.float64).astype(dtype)

    def make() -> m.Optim:
        own = Generator(9)
        links = [m.Dropout1d(0.2), m.Flatten(), m.AlphaDropout(0.1, generator=own), m.Linear(12, 8, generator=own)]
        links += [m.Dropout(0.3), m.Tanh(), m.Dropout(0.3, generator=own), m.Linear(8, 2, generator=own)]
        return m.Optim(m.Sequential(*links).to(dtype), m.MSELoss(), m.SGD(lr=0.1))

    same_for_both(make, x, y, 10 * TOLERANCE[dtype], batch_size=12, epochs=3)


def test_what_numpy_refuses_is_numpys() -> None:
    for link, shape in ((m.Dropout1d(), (4,)), (m.Dropout2d(), (4,)), (m.FeatureAlphaDropout(), (4,))):
        with pytest.raises(m.engine.NotLoweredError, match="does not take the shape"):
            walked_by_core(link, (np.ones(shape, np.float32),), np.ones(shape, np.float32))
