"""Links for tables: how they begin, what they refuse, and angles of many turns."""

import math
from collections.abc import Callable

import numpy as np
import pytest

import maillon as m
from maillon.nn import LinkDtypeError, LinkShapeError


def test_an_embedding_begins_as_in_the_reference() -> None:
    """RealMLP's: N(0, sigma²), U(±π), and twice U(±1/√hidden)."""
    link = m.PeriodicEmbedding(200, 16, 4, generator=m.Generator(1))
    frequency, phase, weight, bias = (parameter.data for parameter in link.parameters())
    assert (frequency.shape, phase.shape, weight.shape, bias.shape) == ((200, 16), (200, 16), (200, 3, 16), (200, 3))
    assert abs(frequency.mean()) < 0.01
    assert abs(frequency.std() - 0.1) < 0.01
    for uniform, bound in ((phase, math.pi), (weight, 0.25), (bias, 0.25)):
        assert 0.97 * bound < np.abs(uniform).max() <= bound
        assert abs(uniform.mean()) < 0.1 * bound
        assert abs(uniform.std() - bound / math.sqrt(3)) < 0.05 * bound


def test_features_stand_first_in_their_embeddings() -> None:
    x = np.arange(6.0).reshape(2, 3)
    y = m.PeriodicEmbedding(3, out=5, dtype="float64")(x)
    np.testing.assert_array_equal(y.reshape(2, 3, 5)[..., 0], x)


def test_whole_turns_change_nothing() -> None:
    """In float32 the angle 2π · 1048576.25 has no digit after the point left."""
    link = m.PeriodicEmbedding(1, hidden=1, out=2)
    for parameter, value in zip(link.parameters(), (1.0, 0.5, 1.0, 0.0), strict=True):
        parameter.data[...] = value
    near, far = (link(np.array([[turns]], np.float32))[0, 1] for turns in (0.25, 1048576.25))
    assert near == far == np.cos(np.float32(math.pi / 2) + np.float32(0.5))


def test_what_they_are_made_of_is_shown() -> None:
    assert repr(m.Scale(3)) == "Scale(3)"
    assert repr(m.PeriodicEmbedding(3)) == "PeriodicEmbedding(3)"
    assert repr(m.PeriodicEmbedding(3, 8, sigma=0.5)) == "PeriodicEmbedding(3, hidden=8, sigma=0.5)"


WRONG_MADE: list[tuple[Callable[[], m.Module], str]] = [
    (lambda: m.Scale(0), "Scale: expected num_features to be an integer ≥ 1, got 0."),
    (lambda: m.PeriodicEmbedding(3, 0), "PeriodicEmbedding: expected hidden to be an integer ≥ 1, got 0."),
    (lambda: m.PeriodicEmbedding(3, out=1), "PeriodicEmbedding: expected out to be an integer ≥ 2, got 1."),
    (
        lambda: m.PeriodicEmbedding(3, sigma=-0.1),
        "PeriodicEmbedding: expected sigma to be a number ≥ 0, got -0.1.",
    ),
]


@pytest.mark.parametrize(("make", "message"), WRONG_MADE, ids=[message[:50] for _, message in WRONG_MADE])
def test_a_wrong_link_is_refused_when_it_is_made(make: Callable[[], m.Module], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


def test_a_wrong_input_is_told() -> None:
    for link in (m.Scale(3), m.PeriodicEmbedding(3)):
        with pytest.raises(LinkShapeError) as wrong_shape:
            link(np.ones((2, 4), np.float32))
        assert str(wrong_shape.value) == (
            f"{link!r}: expected x of shape (*, 3), got (2, 4). The last dimension must be num_features = 3."
        )
        with pytest.raises(LinkDtypeError) as wrong_dtype:
            link(np.ones((2, 3)))
        assert str(wrong_dtype.value).startswith(f"{link!r}: expected x of dtype float32, got float64.")
