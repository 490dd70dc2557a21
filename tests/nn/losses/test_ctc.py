"""CTCLoss against a sum over every alignment, its forms of targets and lengths, and what it refuses."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

import maillon
from maillon.check import check_loss
from maillon.nn import LinkDtypeError, LinkShapeError, LinkValueError
from maillon.random import Generator
from maillon.typing import Array


def log_probs(*shape: int, seed: int = 0) -> Array:
    scores: Array = maillon.LogSoftmax(-1)(Generator(seed).normal(shape, dtype=np.float64))
    return scores


def read(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    """What a path reads as: without repetitions, then without blanks."""
    return tuple(c for c, _ in itertools.groupby(path) if c != blank)


def every_reading(x: Array, blank: int) -> dict[tuple[int, ...], tuple[float, Array]]:
    """For all that (T, C) can read as: its probability, and the derivative of −log of it by the log-probabilities.

    The derivative of the sum of the products is p_t(c) less the share of the paths that are at c at t.
    """
    times, classes = x.shape
    found: dict[tuple[int, ...], tuple[float, Array]] = {}
    for path in itertools.product(range(classes), repeat=times):
        probability = math.exp(sum(x[t, c] for t, c in enumerate(path)))
        total, visits = found.get(read(path, blank), (0.0, np.zeros_like(x)))
        visits = visits.copy()
        visits[np.arange(times), path] += probability
        found[read(path, blank)] = total + probability, visits
    return {word: (total, np.exp(x) - visits / total) for word, (total, visits) in found.items()}


@pytest.mark.parametrize(("times", "classes", "blank"), [(1, 3, 0), (4, 3, 0), (5, 3, 2), (6, 2, 1), (4, 4, 1)])
def test_every_word_has_the_probability_and_the_gradient_of_all_its_alignments(
    times: int, classes: int, blank: int
) -> None:
    x = log_probs(times, classes, seed=times)
    readings = every_reading(x, blank)
    assert sum(total for total, _ in readings.values()) == pytest.approx(1, rel=1e-12)
    loss = maillon.CTCLoss(blank=blank, reduction="none")
    words = list(readings)
    joined = np.array([label for word in words for label in word], np.int64)
    lengths = np.array([len(word) for word in words])
    batch = np.repeat(x[:, None], len(words), axis=1)
    values = loss(batch, joined, np.full(len(words), times), lengths)
    grads = loss.backward()
    for n, (total, gradient) in enumerate(readings.values()):
        assert values[n] == pytest.approx(-math.log(total), rel=1e-12)
        np.testing.assert_allclose(grads[:, n], gradient, rtol=1e-10, atol=1e-12)


def test_the_forms_of_targets_and_lengths_are_one() -> None:
    x, loss = log_probs(7, 2, 4), maillon.CTCLoss(reduction="none")
    padded, joined = np.array([[1, 3, 2], [2, 9, 9]]), np.array([1, 3, 2, 2], np.int32)
    expected = loss(x, padded, np.array([7, 5]), np.array([3, 1]))
    gradient = loss.backward()
    assert not gradient[5:, 1].any()
    for targets, ends, lengths in [
        (joined, (7, 5), (3, 1)),
        (padded, [7, 5], [3, 1]),
        (joined, np.array([7, 5], np.int32), (3, 1)),
    ]:
        np.testing.assert_array_equal(loss(x, targets, ends, lengths), expected)
        np.testing.assert_array_equal(loss.backward(), gradient)
    for ends, lengths in [((7,), (3,)), (np.array(7), np.array(3)), (7, 3)]:
        assert loss(x[:, 0], padded[0], ends, lengths) == expected[0]
        np.testing.assert_array_equal(loss.backward(), gradient[:, 0])
    assert loss(x[:, 0], padded[:1], (7,), (3,)).shape == ()


def test_logits_are_normalised_and_the_gradient_is_that_of_a_softmax_before() -> None:
    """PyTorch's backward gives this gradient too, on the assumption that LogSoftmax stands before the loss."""
    scores = 3 * Generator(2).normal((6, 2, 4), dtype=np.float64) + 5
    link, loss = maillon.LogSoftmax(-1), maillon.CTCLoss()
    y = (np.array([[1, 2], [3, 3]]), (6, 6), (2, 2))
    before = loss(scores, *y)
    gradient = loss.backward()
    assert before == pytest.approx(float(loss(link(scores), *y)), rel=1e-13)
    np.testing.assert_allclose(link.backward(loss.backward()), gradient, rtol=1e-11, atol=1e-14)
    report = check_loss(loss, scores, y[0], np.array(y[1]), np.array(y[2]))
    assert report.worst <= 1e-7


def test_what_cannot_be_read_costs_infinity_or_nothing() -> None:
    x = log_probs(3, 2, 3)
    inputs = (x, np.array([[1, 1, 1], [1, 2, 1]]), (3, 3), (3, 3))  # 1, 1, 1 needs blanks between
    loss = maillon.CTCLoss(reduction="none")
    values = loss(*inputs)
    assert np.isinf(values[0])
    assert np.isfinite(values[1])
    gradient = loss.backward()
    assert np.isnan(gradient[:, 0]).all()
    assert np.isfinite(gradient[:, 1]).all()
    loss = maillon.CTCLoss(reduction="none", zero_infinity=True)
    assert loss(*inputs).tolist() == [0.0, values[1]]
    assert not loss.backward()[:, 0].any()
    assert maillon.CTCLoss(reduction="none")(x, np.zeros((2, 0), int), (0, 3), (0, 0))[0] == 0


def test_far_out_scores_stay_finite() -> None:
    scores = 1e4 * Generator(2).normal((6, 2, 4), dtype=np.float64)
    for dtype in ("float32", "float64"):
        loss = maillon.CTCLoss()
        value = loss(scores.astype(dtype), np.array([[1, 2], [3, 3]]), (6, 6), (2, 2))
        gradient = loss.backward()
        assert (value.dtype, gradient.dtype) == (dtype, dtype)
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


def test_the_mean_is_one_a_label() -> None:
    x, targets = log_probs(6, 2, 4), np.array([[1, 2, 3], [2, 0, 0]])
    each = maillon.CTCLoss(reduction="none")(x, targets, (6, 6), (3, 1))
    loss = maillon.CTCLoss()
    assert loss(x, targets, (6, 6), (3, 1)) == pytest.approx((each[0] / 3 + each[1]) / 2)
    assert loss.denominator == 2
    weighted = loss(x, targets, (6, 6), (3, 1), np.array([0.0, 2.0]))
    assert weighted == pytest.approx(each[1])


def test_a_network_learns_to_spell() -> None:
    """Rows of 4 numbers, one a time: it is to say 1 where they are positive, 2 where negative, once a run."""
    maillon.manual_seed(0)

    class TimeFirst(maillon.Module):
        def __init__(self) -> None:
            self.inner = maillon.Sequential(maillon.Linear(1, 8), maillon.Tanh(), maillon.Linear(8, 3))

        def forward(self, x: Array) -> Any:
            return self.inner(x.swapaxes(0, 1)[..., None])

        def backward(self, grad_output: Array) -> Array:
            grad: Array = self.inner.backward(grad_output)[..., 0].swapaxes(0, 1)
            return grad

    x = np.array([[3.0, 2, -1, -2], [-3, -1, 1, 2], [1, 3, 2, 1], [-2, -1, -3, -1]])
    y = (np.array([[1, 2], [2, 1], [1, 0], [2, 0]]), np.full(4, 4), np.array([2, 2, 1, 1]))
    network, loss = TimeFirst(), maillon.CTCLoss()
    history = maillon.fit(network, loss, x, y, rule=maillon.Adam(lr=0.05), epochs=150)
    assert history["loss"][-1] < 0.05 < history["loss"][0]
    assert maillon.evaluate(network, loss, x, y)["loss"] < 0.05
    said = network(x.astype(np.float32)).argmax(-1).T.tolist()
    assert [read(tuple(path), 0) for path in said] == [(1, 2), (2, 1), (1,), (2,)]


X = log_probs(4, 2, 3)


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (
            (X[0, 0], np.array([1]), (4,), (1,)),
            LinkShapeError,
            "expected log_probs of shape (T, N, C) or (T, C), got (3,). Time comes first, with T ≥ 1, the classes "
            "last.",
        ),
        (
            (X, np.array([[1, 2]]), (4, 4), (2, 2)),
            LinkShapeError,
            "expected targets of shape (2, S) or (4,), got (1, 2). Give each sample a row, or all labels one after the "
            "other.",
        ),
        (
            (X, np.array([1, 2, 1]), (4, 4), (2, 2)),
            LinkShapeError,
            "expected targets of shape (2, S) or (4,), got (3,). Give each sample a row, or all labels one after the "
            "other.",
        ),
        (
            (X, np.array([1, 2]), (4,), (1, 1)),
            LinkShapeError,
            "expected input_lengths of shape (2,), got (1,). Give one length a sample.",
        ),
        ((X, np.array([1, 2]), (4, 5), (1, 1)), LinkValueError, "expected input_lengths in 0…4, got 5."),
        ((X, np.array([[1], [2]]), (4, 4), (1, 2)), LinkValueError, "expected target_lengths in 0…1, got 2."),
        ((X, np.array([1, 2]), (4, 4), (3, -1)), LinkValueError, "expected target_lengths ≥ 0, got -1."),
        (
            (X, np.array([[1, 2], [2, 0]]), (4, 4), (2, 2)),
            LinkValueError,
            "expected labels in 0…2 (3 classes) that are not the blank, got 0 in sample 1.",
        ),
        (
            (X, np.array([1, 3]), (4, 4), (1, 1)),
            LinkValueError,
            "expected labels in 0…2 (3 classes) that are not the blank, got 3 in sample 1.",
        ),
        (
            (X, np.array([1.0, 2.0]), (4, 4), (1, 1)),
            LinkDtypeError,
            "expected targets of dtype int64, got float64. Convert it with targets.astype('int64').",
        ),
        (
            (X, np.array([1, 2]), (4, 4), (1.0, 1.0)),
            LinkDtypeError,
            "expected target_lengths of dtype int64, got float64. Convert it with target_lengths.astype('int64').",
        ),
    ],
)
def test_calls_that_make_no_sense(inputs: Any, error: type[Exception], message: str) -> None:
    loss = maillon.CTCLoss()
    with pytest.raises(error) as caught:
        loss(*inputs)
    assert str(caught.value) == f"CTCLoss(): {message}"
    assert loss.kept_output is None


def test_options_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match=r"^CTCLoss: expected blank to be an integer ≥ 0, got -1\.$"):
        maillon.CTCLoss(blank=-1)
    with pytest.raises(LinkValueError, match=r"^CTCLoss\(blank=3\): expected more than 3 classes, got 3\.$"):
        maillon.CTCLoss(blank=3)(X, np.array([1, 2]), (4, 4), (1, 1))
    shown = "CTCLoss(blank=2, reduction='sum', zero_infinity=True)"
    assert repr(maillon.CTCLoss(2, "sum", True)) == shown
