"""Embedding: what is refused, and where its gradient is not the derivative on purpose."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.nn import LinkDtypeError, LinkValueError
from maillon.random import Generator


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: maillon.Embedding(0, 3),
            ValueError,
            "Embedding: expected num_embeddings to be an integer ≥ 1, got 0.",
        ),
        (
            lambda: maillon.Embedding(4, 1.5),
            ValueError,
            "Embedding: expected embedding_dim to be an integer ≥ 1, got 1.5.",
        ),
        (
            lambda: maillon.Embedding(4, 3, padding_idx=4),
            ValueError,
            "Embedding: expected padding_idx to be an integer in -4 … 3, got 4.",
        ),
        (
            lambda: maillon.Embedding(4, 3, max_norm=-1.0),
            ValueError,
            "Embedding: expected max_norm to be a number ≥ 0, got -1.0.",
        ),
        (
            lambda: maillon.Embedding(4, 3, sparse=True),
            NotImplementedError,
            "Embedding: sparse=True is not supported: a gradient here is an array as large as its parameter. "
            "Leave sparse out.",
        ),
        (
            lambda: maillon.Embedding(4, 3, device="cuda"),
            NotImplementedError,
            "Embedding: device='cuda' is not supported: maillon computes on the CPU. Leave device out.",
        ),
        (
            lambda: maillon.Embedding.from_pretrained(np.zeros(3)),
            ValueError,
            "Embedding: expected embeddings with 2 dimensions, got shape (3,).",
        ),
        (
            lambda: maillon.Embedding(4, 3, _weight=np.zeros((3, 4))),
            ValueError,
            "Embedding: expected _weight of shape (4, 3), got (3, 4).",
        ),
        (
            lambda: maillon.Embedding(4, 3)(np.array([0, 4])),
            LinkValueError,
            "Embedding(4, 3): expected indices x in 0 … 3, got 4. num_embeddings is the size of the dictionary.",
        ),
        (
            lambda: maillon.Embedding(4, 3)(np.array(-1)),
            LinkValueError,
            "Embedding(4, 3): expected indices x in 0 … 3, got -1. num_embeddings is the size of the dictionary.",
        ),
        (
            lambda: maillon.Embedding(4, 3)(np.array([0.0])),
            LinkDtypeError,
            "Embedding(4, 3): expected x to be a NumPy array of indices, of an integer dtype, got float64. "
            "Convert it with numpy.asarray(x, dtype='int64').",
        ),
        (
            lambda: maillon.Embedding(4, 3)([0]),
            LinkDtypeError,
            "Embedding(4, 3): expected x to be a NumPy array of indices, of an integer dtype, got list. "
            "Convert it with numpy.asarray(x, dtype='int64').",
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
        "Embedding(4, 3)",
        "Embedding(4, 3, padding_idx=1, scale_grad_by_freq=True)",
        "Embedding(4, 3, max_norm=1.0, norm_type=1.0, dtype='float64')",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


def test_a_padding_row_is_0_and_stays() -> None:
    link = maillon.Embedding(4, 3, padding_idx=-2, dtype="float64")
    assert link.padding_idx == 2
    assert not link.weight.data[2].any()
    assert link.weight.data[[0, 1, 3]].all()
    assert not link(np.array([2, 2])).any()
    link.forget()
    link(np.array([2, 0, 2]))
    assert link.backward(np.ones((3, 3))) is None
    np.testing.assert_array_equal(link.weight.grad, [[1] * 3, [0] * 3, [0] * 3, [0] * 3])


def test_the_frequency_divides() -> None:
    link = maillon.Embedding(3, 2, scale_grad_by_freq=True, dtype="float64")
    link(np.array([[0, 2], [2, 2]]))
    link.backward(np.array([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]]))
    np.testing.assert_array_equal(link.weight.grad, [[1, 2], [0, 0], [5, 6]])


def test_long_rows_are_shortened_where_they_are_used() -> None:
    rows = np.array([[3.0, 4.0], [0.3, 0.4], [30.0, 40.0]])
    link = maillon.Embedding.from_pretrained(rows, max_norm=1.0, freeze=False)
    held = link.weight.data
    y = link(np.array([0, 1, 0]))
    np.testing.assert_allclose(y, [[0.6, 0.8], [0.3, 0.4], [0.6, 0.8]], rtol=1e-7)
    assert link.weight.data is held
    np.testing.assert_allclose(held, [[0.6, 0.8], [0.3, 0.4], [30, 40]], rtol=1e-7)
    assert rows[0, 0] == 3


def test_rows_that_are_given_can_be_frozen() -> None:
    link = maillon.Embedding.from_pretrained(np.eye(3))
    assert not link.weight.requires_grad
    link(np.array([1]))
    link.backward(np.ones((1, 3)))
    assert link.weight.grad is None
    assert maillon.Embedding.from_pretrained(np.eye(3), freeze=False).weight.requires_grad


def test_any_integers_are_indices_and_may_change_afterwards() -> None:
    link = maillon.Embedding(300, 2, dtype="float64")
    for dtype in (np.uint8, np.int32, np.int64):
        x = np.array([7, 200], dtype)
        np.testing.assert_array_equal(link(x), link.weight.data[[7, 200]])
        x[:] = 0
        link.zero_grad()
        link.backward(np.ones((2, 2)))
        assert np.flatnonzero(link.weight.grad[:, 0]).tolist() == [7, 200]


def test_weights_come_from_the_generator_given() -> None:
    state = maillon.random.default_generator().get_state()
    one, other = (maillon.Embedding(20, 5, generator=Generator(4)) for _ in range(2))
    np.testing.assert_array_equal(one.weight.data, other.weight.data)
    assert maillon.random.default_generator().get_state() == state
