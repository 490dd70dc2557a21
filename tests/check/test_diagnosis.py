"""Each hypothesis on a wrong gradient, by itself: what it says, and that it says nothing of what it cannot explain."""

from typing import Any

import numpy as np
import pytest

from maillon.check.diagnosis.case import Case, named_factor, same, some_of
from maillon.check.diagnosis.diagnose import diagnose, how_large
from maillon.random import Generator
from maillon.typing import Array

DRAW = Generator(23)
X = DRAW.normal((5, 3), dtype=np.float64)
W = DRAW.normal((3, 2), dtype=np.float64)
DELTA = DRAW.normal((5, 2), dtype=np.float64)


def of_input(got: Any, **more: Any) -> str | None:
    """The diagnosis of a gradient with respect to x of y = x W, where δ Wᵀ is right."""
    jacobian = np.einsum("nm,jk->njmk", np.eye(5), W)
    return diagnose(Case(jacobian, DELTA, np.asarray(got), {"delta": DELTA, "W": W, "x": X}, X @ W, X, **more))


def of_weight(got: Any) -> str | None:
    """The same with respect to W, where xᵀ δ is right."""
    jacobian = np.einsum("nj,kl->jknl", X, np.eye(2))
    case = Case(jacobian, DELTA, np.asarray(got), {"delta": DELTA, "x": X}, X @ W, X, parameter=True)
    return diagnose(case)


@pytest.mark.parametrize(
    ("got", "sentence"),
    [
        (np.zeros((5, 3)), "It is zero everywhere."),
        (-DELTA @ W.T, "The sign is wrong."),
        (2 * DELTA @ W.T, "It is 2 times what it should be. A factor 2 too much, or added twice."),
        (0.5 * DELTA @ W.T, "It is 0.5 times what it should be. A factor 2 is missing."),
        (
            5 * DELTA @ W.T,
            "It is 5 times what it should be. 5 is the number of examples in the batch: a sum in place of a mean.",
        ),
        (
            DELTA @ W.T / 3,
            "It is 0.3333 times what it should be. It is divided by the number of inputs, 3: a mean in place of a sum.",
        ),
        (
            DELTA @ W.T / np.sqrt(3),
            "It is 0.5774 times what it should be. It is divided by the square root of the number of inputs, 3, once"
            " too often.",
        ),
        (-7 * DELTA @ W.T, "It is -7 times what it should be. The sign is wrong too."),
        (np.pi * DELTA @ W.T, "It is 3.142 times what it should be."),
        (np.ones_like(DELTA) @ W.T, "It is not multiplied by delta."),
        (DELTA**2 @ W.T, "It is multiplied by delta twice."),
        (DELTA @ W.T + X, "x is added to what is right."),
        (DELTA @ W.T - X, "x is missing: what is right less x came."),
        (DELTA @ W.T + 3 * X, "3 · x is added to what is right."),
        (DELTA @ W.T * X, "It is multiplied by x once too often."),
        (DELTA @ W.T / X, "A factor x is missing."),
        ((DELTA @ W.T).T, "It is transposed."),
        ((DELTA @ W.T).T + 1, "Its shape is that of the transposed array."),
        ((DELTA @ W.T).sum(axis=0), "It is summed over axis 0: nothing is to be summed there."),
        ((DELTA @ W.T).mean(axis=0), "It is averaged over axis 0: nothing is to be averaged there."),
        ((DELTA @ W.T).sum(), "It is summed over all axes: one number is left."),
        (DELTA @ W.T * np.nan, "15 of its 15 elements are NaN or infinite, the first at [0, 0]."),
        (DELTA[::-1] @ W.T, "It is flipped along axes 0."),
        (np.cos(X), None),
        (np.array("text"), None),
    ],
)
def test_of_an_inputs_gradient(got: Array, sentence: str | None) -> None:
    assert of_input(got) == sentence


def changed(place: Any, value: Any) -> Array:
    got = X.T @ DELTA
    got[place] = value
    return got


@pytest.mark.parametrize(
    ("got", "sentence"),
    [
        (X[:-1].T @ DELTA[:-1], "The share of the last place of axis 0 of the output is missing."),
        (X[1:].T @ DELTA[1:], "The share of the first place of axis 0 of the output is missing."),
        (np.outer(X[2], DELTA[2]), "It is the gradient of place 2 of axis 0 of the output only."),
        (
            X.T @ DELTA + np.outer(X[-1], DELTA[-1]),
            "The share of the last place of axis 0 of the output is counted twice.",
        ),
        (np.einsum("nj,nk->njk", X, DELTA), "It is not summed over axis 0, the examples of the batch."),
        (np.einsum("nj,nk->jnk", X, DELTA), "It is not summed over axis 1."),
        (changed((2, 1), 7.0), "It is right but at [2, 1]."),
        (changed(0, 7.0), "It is right but in the first place of axis 0."),
        (changed(2, 0.0), "It is right but in the last place of axis 0, where it is zero."),
    ],
)
def test_of_a_parameters_gradient(got: Array, sentence: str) -> None:
    assert of_weight(got) == sentence


def test_of_a_bias() -> None:
    jacobian = np.einsum("nk,kl->knl", np.ones((2, 2)), np.eye(2))
    delta = DELTA[:2]
    for got, sentence in (
        (delta.sum(axis=1), "It is delta summed over axis 1, the wrong one."),
        (delta, "It is not summed over axis 0, the examples of the batch."),
    ):
        assert diagnose(Case(jacobian, delta, got, x=X, parameter=True)) == sentence


def test_of_a_kernel() -> None:
    kernel = DRAW.normal((2, 3, 4), dtype=np.float64)
    jacobian = np.einsum("abc,n->abcn", kernel, np.ones(2))
    delta = np.array([0.25, 0.75])
    for got, sentence in (
        (
            kernel[:, :, ::-1],
            "It is flipped along axes 2: a convolution in place of a cross-correlation, or the reverse.",
        ),
        (kernel, None),
    ):
        found = diagnose(Case(jacobian, delta, got.copy(), parameter=True))
        assert found == (sentence or found)
    square = DRAW.normal((3, 3, 4), dtype=np.float64)
    case = Case(np.einsum("abc,n->abcn", square, np.ones(2)), delta, square.transpose(1, 0, 2), parameter=True)
    assert diagnose(case) == "Its axes 0, 1 are exchanged."


def test_a_border() -> None:
    right = DRAW.normal((2, 6, 6), dtype=np.float64)
    jacobian = np.einsum("abc,n->abcn", right, np.ones(1))
    got = right.copy()
    got[:, 0, :] = got[:, -1, :] = got[:, :, 0] = got[:, :, -1] = 0
    case = Case(jacobian, np.ones(1), got)
    assert diagnose(case) == "It is right but at the border of axes 1, 2 (padding?), where it is zero."


def test_one_number_is_a_multiple_of_any_other() -> None:
    assert diagnose(Case(np.array([[3.0]]), np.array([1.0]), np.array([7.1]), parameter=True)) is None
    assert diagnose(Case(np.array([[3.0]]), np.array([1.0]), np.array([-3.0]), parameter=True)) == "The sign is wrong."
    assert how_large(np.array([7.1]), np.array([3.0])) is None


def test_what_forward_does_not_use() -> None:
    case = Case(np.zeros((3, 5)), np.ones(5), np.ones(3), parameter=True)
    assert diagnose(case) == "The output of forward does not depend on it: it should be zero."


def test_how_large_it_is_where_no_cause_fits() -> None:
    assert how_large(X + np.eye(5, 3), X) == "3 of 15 elements are wrong, by up to 1."
    assert how_large(X[:2], X) is None


def test_other_arrays_are_tried_along_directions() -> None:
    def again(changes: Any, direction: Array) -> Array:
        return np.ravel(direction @ changes.get("W", W))

    jacobian = np.einsum("nm,jk->njmk", np.eye(5), W)
    other = W[::-1]
    case = Case(jacobian, DELTA, DELTA @ other.T, {}, X @ W, X, again)
    assert case.with_other({"W": other})
    assert not case.with_other({"W": W})
    assert not Case(jacobian, DELTA, DELTA @ other.T).with_other({"W": other})


def test_names_of_factors() -> None:
    assert (
        named_factor(1 / 5, (5, 2))
        == "It is divided by the number of examples in the batch, 5: a mean in place of a sum."
    )
    assert named_factor(7.3, (5, 2)) is None
    assert named_factor(1 / 15, (), X) == (
        "It is divided by the number of elements of the output, 15: a mean in place of a sum."
    )


def test_same_and_some_of() -> None:
    assert same(X, X + 1e-9)
    assert not same(X, X + 1e-3)
    assert not same(X, X.T)
    assert list(some_of((1, 2))) == [(1,), (2,), (1, 2)]
