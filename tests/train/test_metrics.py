"""Metrics: values by hand, and shapes that do not go together."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from maillon.train import metrics
from maillon.train.scores import score
from maillon.typing import Array


def test_accuracy_over_classes() -> None:
    scores = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.9, 0.0, 0.1]])
    labels = np.array([1, 0, 0, 0])
    assert metrics.accuracy(scores, labels) == 0.75
    assert metrics.accuracy(scores, np.eye(3)[labels]) == 0.75
    assert metrics.accuracy(scores.tolist(), labels.tolist()) == 0.75


def test_accuracy_over_classes_of_pixels() -> None:
    scores = np.random.default_rng(0).normal(size=(4, 3, 5, 2))
    labels = scores.argmax(axis=1)
    labels[0, 0, 0] = (labels[0, 0, 0] + 1) % 3
    assert metrics.accuracy(scores, labels) == pytest.approx(39 / 40)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("target_shape", [(4,), (4, 1)])
def test_accuracy_of_one_column_is_a_threshold(shape: tuple[int, ...], target_shape: tuple[int, ...]) -> None:
    probabilities = np.array([0.5, 0.49, 0.9, 0.1]).reshape(shape)
    assert metrics.accuracy(probabilities, np.array([1, 0, 0, 0]).reshape(target_shape)) == 0.75
    logits = np.array([0.0, -0.1, 3.0, -2.0]).reshape(shape)
    assert metrics.accuracy(logits, np.array([1.0, 0.0, 0.0, 0.0]).reshape(target_shape), threshold=0) == 0.75


def test_the_confusion_matrix_has_the_truth_in_rows() -> None:
    truth = np.array([0, 0, 1, 2, 2, 2])
    found = np.array([0, 1, 1, 2, 2, 0])
    expected = [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    assert metrics.confusion_matrix(found, truth).tolist() == expected
    assert metrics.confusion_matrix(np.eye(3)[found], truth).tolist() == expected
    assert metrics.confusion_matrix(np.eye(3)[found], np.eye(3)[truth]).tolist() == expected
    assert metrics.confusion_matrix(np.eye(4)[found], truth).shape == (4, 4)
    assert metrics.confusion_matrix(found, truth, classes=5).sum() == 6
    assert metrics.confusion_matrix([True, True], [True, True]).tolist() == [[0, 0], [0, 2]]
    one_column = metrics.confusion_matrix(np.array([[0.1], [0.8]]), np.array([0.0, 1.0]))
    assert (one_column.tolist(), one_column.dtype) == ([[1, 0], [0, 1]], np.int64)
    assert metrics.confusion_matrix(np.eye(3)[found], truth.astype(float)).tolist() == expected


@pytest.mark.parametrize(
    ("prediction", "target", "classes", "message"),
    [
        (
            [0, 3],
            [0, 1],
            3,
            "confusion_matrix: expected labels from 0 to 2, got 3. Number the classes from 0, or pass classes= "
            "larger than the largest label.",
        ),
        (
            [0, 1],
            [0, -1],
            None,
            "confusion_matrix: expected labels from 0 to 1, got -1. Number the classes from 0, or pass classes= "
            "larger than the largest label.",
        ),
        (
            np.eye(3)[:2],
            [0.0, 0.5],
            None,
            "confusion_matrix: expected target to hold class labels, whole numbers, got 0.5. Pass integer labels, "
            "or scores with one column per class.",
        ),
        (
            [],
            [],
            None,
            "confusion_matrix: expected at least one prediction, got shape (0,). There is nothing to average.",
        ),
    ],
)
def test_labels_that_are_none(prediction: Any, target: Any, classes: int | None, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        metrics.confusion_matrix(prediction, target, classes)
    assert str(caught.value) == message


def test_no_integer_labels_of_no_rows() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    with pytest.raises(ValueError, match=r"at least one prediction, got shape \(0,\)"):
        metrics.confusion_matrix(nothing, nothing)


def test_errors_and_determination_by_their_definitions() -> None:
    numbers = np.random.default_rng(2)
    target = numbers.normal(size=50)
    prediction = target + numbers.normal(size=50) / 3
    differences = [float(p - t) for p, t in zip(prediction, target, strict=True)]
    squares = math.fsum(d * d for d in differences)
    mean = math.fsum(target) / 50
    expected = {
        metrics.mean_squared_error: squares / 50,
        metrics.root_mean_squared_error: math.sqrt(squares / 50),
        metrics.mean_absolute_error: math.fsum(map(abs, differences)) / 50,
        metrics.r2_score: 1 - squares / math.fsum((float(t) - mean) ** 2 for t in target),
    }
    for metric, value in expected.items():
        assert metric(prediction, target) == pytest.approx(value, rel=1e-12)


def test_errors_by_hand() -> None:
    prediction, target = np.array([[1.0], [4.0]], dtype=np.float32), [[1.0], [1.0]]
    assert metrics.mean_squared_error(prediction, target) == 4.5
    assert metrics.root_mean_squared_error(prediction, target) == pytest.approx(4.5**0.5)
    assert metrics.mean_absolute_error(prediction, target) == 1.5
    assert metrics.r2_score([0.0, 4.0], [1.0, 3.0]) == 0.0


def test_a_constant_target_has_nothing_to_explain() -> None:
    assert metrics.r2_score([2.0, 2.0], [2.0, 2.0]) == 1.0
    assert metrics.r2_score([2.0, 3.0], [2.0, 2.0]) == -np.inf


@pytest.mark.parametrize(
    "metric",
    [
        metrics.mean_squared_error,
        metrics.root_mean_squared_error,
        metrics.mean_absolute_error,
        metrics.r2_score,
    ],
)
def test_nothing_is_broadcast(metric: Callable[[Any, Any], float]) -> None:
    with pytest.raises(ValueError) as caught:
        metric(np.ones((3, 1)), np.ones(3))
    assert str(caught.value) == (
        f"{metric.__name__}: expected prediction and target of one shape, got (3, 1) and (3,). "
        "Reshape one of them: nothing is broadcast."
    )
    with pytest.raises(ValueError, match=r"at least one prediction, got shape \(0,\)\. There is nothing to average\.$"):
        metric(np.ones(0), np.ones(0))


@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (
            np.ones((4, 1)),
            np.ones(3),
            "accuracy: expected a target of shape (4,) for a prediction of shape (4, 1), got (3,). "
            "One column is a decision between two classes.",
        ),
        (
            np.ones((4, 3)),
            np.ones((4, 2)),
            "accuracy: expected a target of shape (4,) (labels) or (4, 3) (one-hot or multi-hot) for a "
            "prediction of shape (4, 3), got (4, 2). Give one target for each row of the prediction.",
        ),
        (
            np.ones((0, 3)),
            np.ones(0),
            "accuracy: expected at least one prediction, got shape (0, 3). There is nothing to average.",
        ),
        (1.0, 1.0, "accuracy: expected at least one prediction, got shape (). There is nothing to average."),
    ],
)
def test_accuracy_says_which_shapes_go_together(prediction: Any, target: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        metrics.accuracy(prediction, target)
    assert str(caught.value) == message


def test_a_metric_gives_one_real_number() -> None:
    def columns(prediction: Array, target: Array) -> Any:
        return prediction.mean(axis=0)

    with pytest.raises(TypeError) as caught:
        score("columns", columns, np.ones((4, 2)), np.ones((4, 2)))
    assert str(caught.value) == ("metric columns: expected one real number, got ndarray of shape (2,). Average it.")
    with pytest.raises(TypeError, match="got complex of shape"):
        score("phase", lambda prediction, target: 1j, 0, 0)  # type: ignore[arg-type,return-value]
    assert score("one", lambda prediction, target: np.float32(0.5), 0, 0) == 0.5  # type: ignore[arg-type,return-value]
