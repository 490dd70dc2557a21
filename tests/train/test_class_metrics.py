"""Metrics of classes: scikit-learn's values, values by hand, and what is not defined."""

import itertools
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as peer

import maillon as m
from maillon.train import UndefinedMetricError, metrics
from maillon.train.scores import GREATER_IS_BETTER, RunningMetrics
from maillon.typing import Array

Case = tuple[Array, Array]


def softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def several_classes(seed: int, classes: int = 4, decimals: int = 1) -> Case:
    """Probabilities, rounded so that many are equal, and labels of which some are rare."""
    numbers = np.random.default_rng(seed)
    labels = np.minimum(numbers.geometric(0.4, size=60) - 1, classes - 1)
    labels[:classes] = np.arange(classes)
    scores = numbers.normal(size=(60, classes)) + 1.5 * np.eye(classes)[labels]
    return softmax(scores.round(decimals)), labels


def one_column(seed: int) -> Case:
    numbers = np.random.default_rng(seed)
    labels = (numbers.random(50) < 0.3).astype(int)
    labels[:2] = 0, 1
    return (numbers.random(50) * 0.7 + 0.3 * labels).round(1), labels


def multi_hot(seed: int) -> Case:
    numbers = np.random.default_rng(seed)
    target = (numbers.random((40, 5)) < 0.3).astype(int)
    target[:3] = [[1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]]
    return (numbers.random((40, 5)) * 0.8 + 0.2 * target).round(2), target


SEEDS = range(5)


# Multi-hot targets, which went through argmax


def test_accuracy_of_a_multi_hot_target_counts_elements() -> None:
    prediction = [[0.9, 0.8, 0.1], [0.2, 0.7, 0.4], [0.1, 0.2, 0.3]]
    target = [[1, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert metrics.accuracy(prediction, target) == pytest.approx(8 / 9)
    assert metrics.accuracy(np.log(prediction), target, threshold=np.log(0.35)) == 1.0
    signs = 2 * np.array(target) - 1
    assert metrics.accuracy(prediction, signs) == pytest.approx(8 / 9)


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracy_of_a_multi_hot_target_is_the_mean_over_its_columns(seed: int) -> None:
    prediction, target = multi_hot(seed)
    columns = [peer.accuracy_score(target[:, i], prediction[:, i] >= 0.5) for i in range(5)]
    assert metrics.accuracy(prediction, target) == pytest.approx(np.mean(columns))
    pixels = prediction.T.reshape(1, 5, 8, 5), target.T.reshape(1, 5, 8, 5)
    assert metrics.accuracy(*pixels) == pytest.approx(np.mean(columns))


def test_one_hot_and_probabilities_stay_the_largest() -> None:
    prediction = [[0.4, 0.3, 0.3], [0.1, 0.1, 0.8]]
    assert metrics.accuracy(prediction, [[1, 0, 0], [0, 0, 1]]) == 1.0
    assert metrics.accuracy(prediction, [[0.6, 0.2, 0.2], [0.4, 0.3, 0.3]]) == 0.5
    assert metrics.accuracy(prediction, [[1.0, 0.0, 0.0], [0.4, 0.3, 0.3]]) == 0.5


@pytest.mark.parametrize("batch_size", [1, 3, 7, 40])
@pytest.mark.parametrize("kind", ["multi-hot", "one-hot", "probabilities"])
def test_one_mini_batch_does_not_tell_what_the_target_is(batch_size: int, kind: str) -> None:
    """Each mini-batch of one row may look one-hot."""
    prediction, target = multi_hot(0)
    order = np.argsort(target.sum(axis=1) != 1, kind="stable")
    prediction, target = prediction[order], target[order]
    if kind != "multi-hot":
        target = np.eye(5)[target.argmax(axis=1)]
    if kind == "probabilities":
        target[-1] = [0.1, 0.2, 0.3, 0.4, 0.0]
    running = RunningMetrics({"accuracy": metrics.accuracy})
    for start in range(0, 40, batch_size):
        rows = slice(start, start + batch_size)
        running.add(prediction[rows], target[rows], len(target[rows]))
    assert running.values()["accuracy"] == pytest.approx(metrics.accuracy(prediction, target))


@pytest.mark.parametrize("loss", [m.BCEWithLogitsLoss(), m.MultiLabelSoftMarginLoss()])
def test_where_the_loss_reads_logits_the_decision_is_at_zero(loss: m.Loss) -> None:
    prediction, target = multi_hot(1)
    logits = prediction - 0.5
    found = m.evaluate(m.Identity(), loss, logits, target, metrics=["accuracy", "f1_macro"])
    assert found["accuracy"] == pytest.approx(metrics.accuracy(prediction, target))
    assert found["f1_macro"] == pytest.approx(metrics.f1_score(prediction, target, "macro"))
    signs = m.evaluate(m.Identity(), m.SoftMarginLoss(), logits[:, :1], 2.0 * target[:, :1] - 1, metrics="accuracy")
    assert signs["accuracy"] == pytest.approx(metrics.accuracy(prediction[:, :1], target[:, :1]))


def test_labels_beside_labels() -> None:
    assert metrics.accuracy([1, 0, 2], [1, 0, 1]) == pytest.approx(2 / 3)
    assert metrics.balanced_accuracy_score([1, 0, 2], [1, 0, 1]) == 0.75
    assert metrics.f1_score([1, 0, 2], [1, 0, 1], "micro") == pytest.approx(2 / 3)


# Beside scikit-learn


@pytest.mark.parametrize("seed", SEEDS)
def test_balanced_accuracy_is_scikit_learns(seed: int) -> None:
    scores, labels = several_classes(seed)
    expected = peer.balanced_accuracy_score(labels, scores.argmax(axis=1))
    assert metrics.balanced_accuracy_score(scores, labels) == pytest.approx(expected, rel=1e-12)
    assert metrics.balanced_accuracy_score(scores, np.eye(4)[labels]) == pytest.approx(expected, rel=1e-12)
    scores, labels = one_column(seed)
    expected = peer.balanced_accuracy_score(labels, scores >= 0.6)
    assert metrics.balanced_accuracy_score(scores[:, None], labels, 0.6) == pytest.approx(expected, rel=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one class is predicted that is not there
        expected = peer.balanced_accuracy_score([0, 0, 1], [0, 2, 1])
    assert metrics.balanced_accuracy_score([0, 2, 1], [0, 0, 1]) == expected == 0.75


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_f1_is_scikit_learns(seed: int, average: str) -> None:
    scores, labels = several_classes(seed)
    expected = peer.f1_score(labels, scores.argmax(axis=1), average=average)
    assert metrics.f1_score(scores, labels, average) == pytest.approx(expected, rel=1e-12)
    wider = np.hstack([scores, np.zeros((60, 2))])  # two classes that nobody knows
    assert metrics.f1_score(wider, labels, average) == pytest.approx(expected, rel=1e-12)
    scores, labels = one_column(seed)
    expected = peer.f1_score(labels, scores >= 0.5, average=average)
    assert metrics.f1_score(scores, labels, average) == pytest.approx(expected, rel=1e-12)
    scores, target = multi_hot(seed)
    expected = peer.f1_score(target, scores >= 0.5, average=average, zero_division=0)
    assert metrics.f1_score(scores, target, average) == pytest.approx(expected, rel=1e-12)
    target[:, 1:] = 0
    target[:2, 0] = 1
    scores[:, 2] = 0
    expected = peer.f1_score(target, scores >= 0.5, average=average, zero_division=0)
    assert metrics.f1_score(scores, target, average) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_f1_of_two_classes_is_scikit_learns(seed: int) -> None:
    scores, labels = one_column(seed)
    expected = peer.f1_score(labels, scores >= 0.5)
    assert metrics.f1_score(scores, labels) == pytest.approx(expected, rel=1e-12)
    two = np.column_stack([1 - scores, scores])
    expected = peer.f1_score(labels, two.argmax(axis=1))
    assert metrics.f1_score(two, labels) == pytest.approx(expected, rel=1e-12)
    assert metrics.f1_score(two, np.eye(2)[labels]) == pytest.approx(expected, rel=1e-12)


def test_f1_of_a_class_that_nobody_knows_is_zero() -> None:
    assert metrics.f1_score([0.1, 0.2], [0, 0]) == peer.f1_score([0, 0], [0, 0], zero_division=0) == 0
    assert metrics.f1_score([[0.1, 0.2]], [[0, 0]], "weighted") == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_area_under_the_curve_is_scikit_learns(seed: int) -> None:
    scores, labels = several_classes(seed)
    expected = peer.roc_auc_score(labels, scores, multi_class="ovr", average="macro")
    assert metrics.roc_auc_score(scores, labels) == pytest.approx(expected, rel=1e-12)
    assert metrics.roc_auc_score(scores, np.eye(4)[labels]) == pytest.approx(expected, rel=1e-12)
    scores, labels = one_column(seed)
    expected = peer.roc_auc_score(labels, scores)
    assert metrics.roc_auc_score(scores, labels) == pytest.approx(expected, rel=1e-12)
    assert metrics.roc_auc_score(100 * scores[:, None] - 7, 2 * labels - 1) == pytest.approx(expected, rel=1e-12)
    assert metrics.roc_auc_score(np.column_stack([1 - scores, scores]), labels) == pytest.approx(expected, rel=1e-12)
    scores, target = multi_hot(seed)
    expected = peer.roc_auc_score(target, scores, average="macro")
    assert metrics.roc_auc_score(scores, target) == pytest.approx(expected, rel=1e-12)


def test_the_area_counts_pairs_and_ties_as_half() -> None:
    scores, labels = one_column(9)
    pairs = list(itertools.product(scores[labels == 1], scores[labels == 0]))
    assert len(set(scores)) < len(scores)
    by_hand = np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs])
    assert metrics.roc_auc_score(scores, labels) == pytest.approx(by_hand, rel=1e-12)
    assert metrics.roc_auc_score([0.5] * 4, [0, 1, 0, 1]) == 0.5
    assert metrics.roc_auc_score([-np.inf, np.inf, 0.0], [0, 1, 1]) == 1.0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_is_scikit_learns(seed: int, k: int) -> None:
    scores, labels = several_classes(seed, classes=7, decimals=0)
    expected = peer.top_k_accuracy_score(labels, scores, k=k, labels=range(7))
    assert metrics.top_k_accuracy_score(scores, labels, k) == pytest.approx(expected, rel=1e-12)
    assert metrics.top_k_accuracy_score(scores, np.eye(7)[labels], k) == pytest.approx(expected, rel=1e-12)
    images = scores.reshape(6, 10, 7).transpose(0, 2, 1)
    assert metrics.top_k_accuracy_score(images, labels.reshape(6, 10), k) == pytest.approx(expected, rel=1e-12)
    if k == 5:
        assert metrics.top_k_accuracy_score(scores, labels) == pytest.approx(expected, rel=1e-12)


# What is refused


SEVERAL = np.array([[1, 1, 0], [0, 1, 0]])
SCORES = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: metrics.balanced_accuracy_score(SCORES, SEVERAL),
            "balanced_accuracy_score: expected one class a row, got a target with several (multi-hot), for which it is "
            "not defined. Look at one column at a time: prediction[:, i], target[:, i].",
        ),
        (
            lambda: metrics.confusion_matrix(SCORES, SEVERAL),
            "confusion_matrix: expected one class a row, got a target with several (multi-hot), for which it is not "
            "defined. Look at one column at a time: prediction[:, i], target[:, i].",
        ),
        (
            lambda: metrics.top_k_accuracy_score(SCORES, SEVERAL, 2),
            "top_k_accuracy_score: expected one class a row, got a target with several (multi-hot), for which it is "
            "not defined. Take f1_score or roc_auc_score.",
        ),
        (
            lambda: metrics.top_k_accuracy_score(SCORES, [0, 1]),
            "top_k_accuracy_score: expected more than k=5 classes, got 3 of them: each row would count as right. Take "
            "a smaller k (functools.partial(top_k_accuracy_score, k=…) as metric), or accuracy.",
        ),
        (
            lambda: metrics.top_k_accuracy_score([0.1, 0.2], [0, 1], 1),
            "top_k_accuracy_score: expected more than k=1 classes, got one column, a decision between two classes: "
            "each row would count as right. Take a smaller k (functools.partial(top_k_accuracy_score, k=…) as metric), "
            "or accuracy.",
        ),
        (
            lambda: metrics.top_k_accuracy_score(SCORES, [0, 1], 0),
            "top_k_accuracy_score: expected k, an integer ≥ 1, got 0.",
        ),
        (
            lambda: metrics.f1_score(SCORES, [0, 1]),
            "f1_score: expected two classes with average='binary', got 3 classes. Pass average='macro', 'micro' or "
            "'weighted'; as a metric by name: 'f1_macro', 'f1_micro' or 'f1_weighted'.",
        ),
        (
            lambda: metrics.f1_score(SCORES, SEVERAL),
            "f1_score: expected two classes with average='binary', got 3 columns of decisions. Pass average='macro', "
            "'micro' or 'weighted'; as a metric by name: 'f1_macro', 'f1_micro' or 'f1_weighted'.",
        ),
        (
            lambda: metrics.f1_score(SCORES, [0, 1], "samples"),
            "f1_score: expected average to be one of binary, macro, micro, weighted, got 'samples'.",
        ),
        (
            lambda: metrics.f1_score(SCORES, [0, 3], "macro"),
            "f1_score: expected labels from 0 to 2, got 3. Number the classes from 0, a column of scores for each.",
        ),
        (
            lambda: metrics.roc_auc_score(SCORES, [0, -1]),
            "roc_auc_score: expected labels from 0 to 2, got -1. Number the classes from 0, and give the network one "
            "column for each.",
        ),
        (
            lambda: metrics.roc_auc_score(SCORES, SCORES),
            "roc_auc_score: expected a target of 0 and 1, got other numbers. Give labels, say.",
        ),
        (
            lambda: metrics.roc_auc_score([0.1, np.nan], [0, 1]),
            "roc_auc_score: expected numbers as scores, got 1 that are NaN.",
        ),
        (
            lambda: metrics.roc_auc_score([0.1, 0.9], [1, 1]),
            "roc_auc_score: expected rows of class 1 and rows of others, got 2 and 0. The area is not defined without "
            "both: give data that holds them.",
        ),
        (
            lambda: metrics.roc_auc_score(SCORES, [0, 1]),
            "roc_auc_score: expected rows of class 2 and rows of others, got 0 and 2. The area is not defined without "
            "both: give data that holds them.",
        ),
    ],
)
def test_what_a_metric_refuses(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == message
    assert isinstance(caught.value, UndefinedMetricError) == ("not defined without" in message)


# In a training


NOT_MEANS = ("r2", "rmse", "f1", "roc_auc", "balanced_accuracy")
MEANS = ("accuracy", "mse", "mae")


def answers() -> tuple[Array, Array]:
    numbers = np.random.default_rng(3)
    x = numbers.normal(size=(47, 3)).astype(np.float32)
    return x, (x[:, :1] + numbers.normal(size=(47, 1)) > 0.5).astype(np.float32)


def test_an_epoch_is_measured_whole_not_averaged_over_mini_batches() -> None:
    """With a rate of 0 the network stays what it is: the epoch's values are those of `evaluate`."""
    x, y = answers()
    network = m.Sequential(m.Linear(3, 1, generator=m.Generator(1)), m.Sigmoid())

    def spread(prediction: Array, target: Array) -> float:
        return float(np.std(prediction - target))

    named = [*NOT_MEANS, *MEANS, spread]
    for batch_size in (1, 2, 10, 47):
        history = m.fit(network, m.BCELoss(), x, y, rule=0.0, batch_size=batch_size, epochs=2, metrics=named)
        expected = m.evaluate(network, m.BCELoss(), x, y, metrics=named)
        assert list(expected) == ["loss", *NOT_MEANS, *MEANS, "spread"]
        for name in (*NOT_MEANS, *MEANS, "spread"):
            np.testing.assert_allclose(history[name], expected[name], rtol=1e-6, err_msg=name)


def test_top_k_and_areas_of_logits_in_a_training() -> None:
    numbers = np.random.default_rng(5)
    labels = np.arange(60) % 8
    x = (numbers.normal(size=(60, 6)) + labels[:, None] / 4).astype(np.float32)
    network = m.Linear(6, 8, generator=m.Generator(2))
    named = ["top_k", "roc_auc", "f1_macro", "balanced_accuracy", partial(metrics.top_k_accuracy_score, k=2)]
    history = m.fit(network, m.CrossEntropyLoss(), x, labels, rule=0.0, batch_size=7, metrics=named)
    logits = m.predict(network, x)
    assert history["top_k"] == [pytest.approx(peer.top_k_accuracy_score(labels, logits, k=5))]
    assert history["metric_5"] == [pytest.approx(peer.top_k_accuracy_score(labels, logits, k=2))]
    # scikit-learn wants sums of 1 to many digits
    expected = peer.roc_auc_score(labels, softmax(logits.astype(float)), multi_class="ovr")
    assert history["roc_auc"] == [pytest.approx(expected, rel=1e-4)]
    assert history["f1_macro"] == [pytest.approx(peer.f1_score(labels, logits.argmax(axis=1), average="macro"))]


def test_predictions_are_those_before_each_step_and_are_copied() -> None:
    x, y = answers()
    seen: list[Array] = []

    class Reusing(m.Module):
        """Puts each output into the same array."""

        def __init__(self) -> None:
            self.inner = m.Linear(3, 1, generator=m.Generator(1))
            self.room = np.zeros((10, 1), np.float32)

        def forward(self, x: Array) -> Any:
            out = self.room[: len(x)]
            out[...] = self.inner(x)
            seen.append(out.copy())
            return self.keep(out)

        def backward(self, grad_output: Array) -> Any:
            self.release(grad_output)
            return self.inner.backward(grad_output)

    history = m.fit(Reusing(), m.MSELoss(), x, y, rule=0.1, batch_size=10, shuffle=False, metrics="r2")
    steps = [part for part in seen if len(part) in (10, 7)][-5:]
    assert history["r2"] == [pytest.approx(metrics.r2_score(np.concatenate(steps), y))]


def test_what_is_not_defined_is_an_error_in_evaluate_and_nan_in_fit() -> None:
    x, _ = answers()
    ones = np.ones((47, 1))
    network = m.Sequential(m.Linear(3, 1, generator=m.Generator(1)), m.Sigmoid())
    with pytest.raises(UndefinedMetricError):
        m.evaluate(network, m.BCELoss(), x, ones, metrics="roc_auc")
    with pytest.warns(UserWarning) as caught:
        history = m.fit(
            network,
            m.BCELoss(),
            x,
            ones,
            batch_size=10,
            metrics=["roc_auc", "accuracy"],
            validation_data=(x[:4], ones[:4]),
        )
    because = (
        "roc_auc is nan: roc_auc_score: expected rows of class 1 and rows of others, got {} and 0. The area is not "
        "defined without both: give data that holds them."
    )
    messages = [str(warning.message) for warning in caught if "nan" in str(warning.message)]
    assert messages == [because.format(47), because.format(4)]
    assert {warning.filename for warning in caught} == {__file__}
    assert np.isnan(history["roc_auc"] + history["val_roc_auc"]).all()
    assert len(history) == 1


def test_a_metric_that_does_not_fit_is_refused_at_the_first_mini_batch() -> None:
    steps: list[int] = []

    class Count(m.Callback):
        def on_step_end(self, state: m.train.State) -> None:
            steps.append(state.step)

    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    network = m.Linear(4, 3, generator=m.Generator(1))
    with pytest.raises(ValueError, match=r"^f1_score: expected two classes with average='binary', got 3 classes"):
        m.fit(network, m.CrossEntropyLoss(), x, np.arange(30) % 3, batch_size=5, metrics="f1", callbacks=[Count()])
    assert len(steps) <= 1


def test_a_target_that_looks_one_sided_at_first_is_no_error() -> None:
    x, y = answers()
    order = np.argsort(y[:, 0], kind="stable")
    network = m.Sequential(m.Linear(3, 1, generator=m.Generator(1)), m.Sigmoid())
    history = m.fit(network, m.BCELoss(), x[order], y[order], rule=0.0, batch_size=5, shuffle=False, metrics="roc_auc")
    assert history["roc_auc"] == [pytest.approx(peer.roc_auc_score(y, m.predict(network, x)))]


def test_mini_batches_of_several_lengths_have_means_and_no_more() -> None:
    rows = [np.random.default_rng(i).normal(size=(4, 3, i)).astype(np.float32) for i in (2, 5)]
    batches = [(x, 2 * x) for x in rows]

    class Scale(m.Module):
        def __init__(self) -> None:
            self.factor = m.Parameter(np.ones(1, np.float32))

        def forward(self, x: Array) -> Any:
            return self.keep(self.factor.data * x, x)

        def backward(self, grad_output: Array) -> Any:
            (x,) = self.release(grad_output)
            self.factor.grad = (grad_output * x).sum().reshape(1)
            return self.factor.data * grad_output

    history = m.fit(Scale(), m.MSELoss(), batches, rule=0.0, metrics="mae")
    whole = np.concatenate([np.abs(x).reshape(-1) for x in rows])
    assert history["mae"] == [pytest.approx(whole.mean(), rel=1e-6)]
    with pytest.raises(ValueError) as caught:
        m.fit(Scale(), m.MSELoss(), batches, rule=0.0, metrics="r2")
    assert str(caught.value) == (
        "fit: the metric r2 is taken over a whole epoch, and its mini-batches have predictions or targets of shapes "
        "that do not fit together. Make them alike but for the rows, or take a mean: accuracy, top_k, mse, mae, rmse."
    )


def test_early_stopping_knows_which_scores_grow() -> None:
    assert {"accuracy", "r2", "roc_auc", "f1", "f1_macro", "balanced_accuracy", "top_k"} <= GREATER_IS_BETTER
    for name in sorted(GREATER_IS_BETTER):
        with pytest.raises(ValueError, match=r"is the better the greater it is\. Pass mode='max'\.$"):
            m.EarlyStopping(f"val_{name}")
    assert not GREATER_IS_BETTER & {"mae", "mse", "rmse", "mean_squared_error"}
