"""What losses take and refuse, and what stands in their repr; their values are the battery's."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.check import check_loss
from maillon.nn import LinkDtypeError, LinkShapeError, LinkStateError, LinkValueError, Loss
from maillon.random import Generator
from maillon.typing import Array

X = Generator(5).normal((4, 3), dtype=np.float64)


class Quartic(Loss):
    """A loss of one's own."""

    def elements(self, prediction: Array, target: Array) -> tuple[Array, tuple[Any, ...]]:
        error = prediction - target
        return error**4, (error,)

    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        return 4 * error**3 * grad_elements


def test_a_loss_of_ones_own() -> None:
    assert check_loss(Quartic(), X, X + 1).rules == tuple(range(1, 9))
    assert check_loss(Quartic(reduction="none"), X, 0 * X, np.array([1.0, 0.0, 2.0, 0.5])).worst <= 1e-7
    assert repr(Quartic(reduction="sum")) == "Quartic(reduction='sum')"


def test_a_loss_that_defines_nothing_says_so() -> None:
    class Empty(Loss):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty has no elements\(\)"):
        Empty()(X, X)
    with pytest.raises(NotImplementedError, match=r"Empty has no elements_backward\(\)"):
        Empty().elements_backward(X)


@pytest.mark.parametrize(
    ("loss", "shown"),
    [
        (maillon.MSELoss(), "MSELoss()"),
        (maillon.BCELoss(weight=[1, 2], reduction="none"), "BCELoss(weight=[1, 2], reduction='none')"),
        (maillon.BCEWithLogitsLoss(pos_weight=[2.0]), "BCEWithLogitsLoss(pos_weight=[2.0])"),
        (maillon.NLLLoss(weight=[1.0, 2.0], ignore_index=0), "NLLLoss(weight=[1.0, 2.0], ignore_index=0)"),
        (
            maillon.CrossEntropyLoss(label_smoothing=0.1, from_logits=False, reduction="sum"),
            "CrossEntropyLoss(reduction='sum', label_smoothing=0.1, from_logits=False)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_repr_rebuilds(loss: Loss, shown: str) -> None:
    assert repr(loss) == shown
    assert repr(eval(shown, NAMES)) == shown


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: maillon.MSELoss(reduction="avg"),
            ValueError,
            "MSELoss: expected reduction to be 'mean', 'sum' or 'none', got 'avg'.",
        ),
        (
            lambda: maillon.L1Loss(size_average=True),
            NotImplementedError,
            "L1Loss: size_average=True is not supported: it was replaced by reduction='mean', 'sum' or 'none'.",
        ),
        (
            lambda: maillon.CrossEntropyLoss(weight=[[1.0]]),
            ValueError,
            "CrossEntropyLoss: expected weight to hold one number a class, got shape (1, 1).",
        ),
        (
            lambda: maillon.BCELoss(weight=[np.inf]),
            ValueError,
            "BCELoss: expected weight to be finite, got [inf].",
        ),
        (
            lambda: maillon.BCEWithLogitsLoss(pos_weight=["a"]),
            TypeError,
            "BCEWithLogitsLoss: expected pos_weight to be real numbers, got dtype <U1.",
        ),
    ],
)
def test_options_that_make_no_sense(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize("epsilon", [-0.1, 1.1])
def test_label_smoothing_is_a_share(epsilon: float) -> None:
    with pytest.raises(ValueError, match="label_smoothing"):
        maillon.CrossEntropyLoss(label_smoothing=epsilon)


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "error", "match"),
    [
        (maillon.MSELoss(), X, X[:, :1], LinkShapeError, r"got \(4, 1\)\. They are compared one by one"),
        (maillon.MSELoss(), X[:, :1], X[:, 0], LinkShapeError, r"Reshape it: target\[:, None\]"),
        (maillon.MSELoss(), X, X.T, LinkShapeError, r"Reshape it: target\.reshape\(4, 3\)"),
        (maillon.MSELoss(), X, X.astype(np.float32), LinkDtypeError, "expected target of dtype float64, got float32"),
        (maillon.MSELoss(), X, [[1.0]], LinkDtypeError, "expected target to be a NumPy array"),
        (maillon.MSELoss(), [1.0], X, LinkDtypeError, "expected prediction to be a NumPy array"),
        (maillon.NLLLoss(), X, X, LinkDtypeError, "expected target of dtype int64, got float64"),
        (maillon.NLLLoss(), X, [0, 1, 2, 1], LinkDtypeError, "expected target to be a NumPy array of dtype int64"),
        (maillon.NLLLoss(), X[0, 0], np.array(0), LinkDtypeError, "expected prediction to be a NumPy array"),
        (maillon.NLLLoss(), np.array(1.0), np.array(0), LinkShapeError, "Give one score a class"),
        (maillon.NLLLoss(weight=[1.0]), X, np.array([0, 1, 2, 1]), LinkShapeError, "Give one number a class"),
        (maillon.CrossEntropyLoss(), X, np.array([0, 1, 2, 3]), LinkValueError, r"got 3 at index \(3,\).*count from 0"),
        (maillon.CrossEntropyLoss(), X, np.array([0, -1, 2, 0]), LinkValueError, r"got -1 at index \(1,\)"),
        (maillon.CrossEntropyLoss(), X, np.array([[0], [1], [2], [0]]), LinkShapeError, r"target\.reshape\(4,\)"),
        (maillon.CrossEntropyLoss(), X, np.ones((4, 3), int), LinkShapeError, "One-hot targets are probabilities"),
        (maillon.CrossEntropyLoss(), X, X.astype(np.float32), LinkDtypeError, "expected target of dtype float64"),
        (maillon.CrossEntropyLoss(), X, X[:, 0], LinkShapeError, "or probabilities of shape"),
        (maillon.CrossEntropyLoss(from_logits=False), 2 * abs(X), np.array([0, 1, 2, 0]), LinkValueError, "End the"),
        (maillon.BCELoss(), X, abs(X) / 9, LinkValueError, r"expected prediction in \[0, 1\], got .* at index"),
        (maillon.BCELoss(), abs(X) / 9, X, LinkValueError, r"expected target in \[0, 1\]"),
        (maillon.BCELoss(weight=[1.0, 2.0]), abs(X) / 9, abs(X) / 9, LinkShapeError, r"broadcasts to \(4, 3\)"),
        (maillon.BCELoss(weight=np.ones((2, 4, 3))), abs(X) / 9, abs(X) / 9, LinkShapeError, "Give one value"),
    ],
)
def test_calls_that_make_no_sense(loss: Loss, prediction: Any, target: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        loss(prediction, target)
    assert loss.kept_output is None


def test_sample_weights_are_one_a_sample() -> None:
    loss = maillon.MSELoss()
    with pytest.raises(LinkShapeError, match=r"expected sample_weight of shape \(4,\), got \(3,\)"):
        loss(X, X, np.ones(3))
    with pytest.raises(LinkDtypeError, match="expected sample_weight of dtype float64, got float32"):
        loss(X, X, np.ones(4, np.float32))
    with pytest.raises(LinkShapeError, match="Give one weight a sample"):
        loss(np.array(1.0), np.array(2.0), np.ones(1))


def test_backward_takes_a_number_and_serves_once() -> None:
    loss = maillon.MSELoss()
    loss(X, 0 * X)
    twice = loss.backward(2.0)
    loss(X, 0 * X)
    np.testing.assert_allclose(twice, 2 * loss.backward())
    with pytest.raises(LinkStateError, match=r"MSELoss\(\): backward\(\) without a forward\(\)"):
        loss.backward()


def test_labels_of_any_integer_type_and_booleans() -> None:
    labels = np.array([0, 1, 2, 1])
    expected = maillon.NLLLoss()(X, labels)
    for dtype in (np.int8, np.uint8, np.int32, np.uint64):
        assert maillon.NLLLoss()(X, labels.astype(dtype)) == expected
        assert maillon.CrossEntropyLoss()(X, labels.astype(dtype)) == maillon.CrossEntropyLoss()(X, labels)
    two = labels < 1
    assert maillon.NLLLoss()(X[:, :2], two) == maillon.NLLLoss()(X[:, :2], two.astype(int))


def test_all_labels_ignored_is_the_mean_of_nothing() -> None:
    loss = maillon.CrossEntropyLoss()
    assert np.isnan(loss(X, np.full(4, -100)))
    assert loss.denominator == 0
    assert not loss.backward().any()


@pytest.mark.parametrize(
    ("loss", "last", "way_out"),
    [
        (maillon.CrossEntropyLoss(), maillon.Softmax(), "from_logits=False"),
        (maillon.CrossEntropyLoss(from_logits=False), maillon.LogSoftmax(), "NLLLoss"),
        (maillon.NLLLoss(), maillon.Softmax(), "Use LogSoftmax"),
        (maillon.BCEWithLogitsLoss(), maillon.Sigmoid(), "Leave the Sigmoid out, or use BCELoss"),
    ],
)
def test_links_that_a_loss_does_not_go_with(loss: Loss, last: Any, way_out: str) -> None:
    with pytest.raises(ValueError, match=way_out):
        loss.check_after(last)
    for other in (maillon.Linear(1, 1), maillon.Tanh()):
        loss.check_after(other)
    maillon.MSELoss().check_after(last)


def test_right_ends_are_let_through() -> None:
    maillon.CrossEntropyLoss(from_logits=False).check_after(maillon.Softmax())
    maillon.NLLLoss().check_after(maillon.LogSoftmax())
    maillon.BCELoss().check_after(maillon.Sigmoid())
