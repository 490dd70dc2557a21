"""Bilinear, CosineSimilarity, PairwiseDistance: what is refused, and places where a norm has no derivative."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.nn import LinkDtypeError, LinkShapeError

A43 = np.zeros((4, 3))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: maillon.Bilinear(0, 2, 3),
            ValueError,
            "Bilinear: expected in1_features to be an integer ≥ 1, got 0.",
        ),
        (
            lambda: maillon.Bilinear(1, 2, 3, device="cuda"),
            NotImplementedError,
            "Bilinear: device='cuda' is not supported: maillon computes on the CPU. Leave device out.",
        ),
        (
            lambda: maillon.Bilinear(2, 3, 1, dtype="float64")(A43, A43),
            LinkShapeError,
            "Bilinear(2, 3, 1, dtype='float64'): expected input1 of shape (*, 2), got (4, 3). "
            "The last dimension must be in1_features = 2.",
        ),
        (
            lambda: maillon.Bilinear(3, 3, 1, dtype="float64")(A43, A43[:2]),
            LinkShapeError,
            "Bilinear(3, 3, 1, dtype='float64'): expected input2 of shape (4, 3), got (2, 3). "
            "The batches of both must be alike.",
        ),
        (
            lambda: maillon.Bilinear(3, 3, 1)(A43.astype("float32"), A43),
            LinkDtypeError,
            "Bilinear(3, 3, 1): expected input2 of dtype float32, got float64. "
            "Convert it with input2.astype('float32').",
        ),
        (
            lambda: maillon.CosineSimilarity(0.5),
            ValueError,
            "CosineSimilarity: expected dim to be an integer, got 0.5.",
        ),
        (
            lambda: maillon.CosineSimilarity(eps=-1.0),
            ValueError,
            "CosineSimilarity: expected eps to be a number ≥ 0, got -1.0.",
        ),
        (
            lambda: maillon.CosineSimilarity(2)(A43, A43),
            LinkShapeError,
            "CosineSimilarity(dim=2): expected x with a dimension 2, got shape (4, 3). dim must be in -2 … 1.",
        ),
        (
            lambda: maillon.CosineSimilarity()(A43, A43[:2]),
            LinkShapeError,
            "CosineSimilarity(): expected x2 of shape (4, 3), like x1, or one that broadcasts with it, got (2, 3). "
            "Dimensions may differ where one is 1.",
        ),
        (
            lambda: maillon.PairwiseDistance("2"),
            ValueError,
            "PairwiseDistance: expected p to be a number, got '2'.",
        ),
        (
            lambda: maillon.PairwiseDistance()(np.array(1.0), np.array(2.0)),
            LinkShapeError,
            "PairwiseDistance(): expected x with a dimension, got shape (). A single vector has shape (D,).",
        ),
        (
            lambda: maillon.PairwiseDistance()(A43, A43.astype("float32")),
            LinkDtypeError,
            "PairwiseDistance(): expected x2 of dtype float64, got float32. Convert it with x2.astype('float64').",
        ),
    ],
)
def test_what_makes_no_sense(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "shown",
    [
        "Bilinear(2, 3, 4, bias=False)",
        "CosineSimilarity(dim=0, eps=0.1)",
        "PairwiseDistance(p=1.0, keepdim=True)",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


def test_a_vector_of_zeros_is_like_nothing() -> None:
    link = maillon.CosineSimilarity(eps=0.5)
    zero, other = np.zeros((1, 2)), np.array([[3.0, 4.0]])
    assert link(zero, other) == 0
    dzero, dother = link.backward(np.ones(1))
    np.testing.assert_allclose(dzero, [[1.2, 1.6]])  # other / (5 · 0.5)
    np.testing.assert_array_equal(dother, [[0, 0]])


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, np.inf, -1.0, -np.inf])
def test_equal_vectors_have_no_distance_and_no_gradient(p: float) -> None:
    link = maillon.PairwiseDistance(p, eps=0.0)
    x = np.array([[1.0, 2.0]])
    assert link(x, x.copy()) == 0
    for grad in link.backward(np.ones(1)):
        assert not grad.any()


@pytest.mark.parametrize("p", [0.5, 2.0, 100.0, -100.0])
def test_no_power_overflows(p: float) -> None:
    link = maillon.PairwiseDistance(p)
    y = link(np.array([[1e4, 1e4]], np.float32), np.array([[-1e4, -1e4]], np.float32))
    np.testing.assert_allclose(y, 2e4 * 2 ** (1 / p), rtol=1e-5)
    for grad in link.backward(np.ones(1, np.float32)):
        assert np.isfinite(grad).all()


def test_how_many_differ() -> None:
    """p = 0: a number that steps, so its gradient is 0."""
    link = maillon.PairwiseDistance(0, eps=0.0)
    np.testing.assert_array_equal(link(np.array([[1.0, 2.0, 3.0]]), np.array([1.0, 0.0, 0.0])), [2])
    dx1, dx2 = link.backward(np.ones(1))
    assert (dx1.shape, dx2.shape) == ((1, 3), (3,))
    assert not dx1.any()
