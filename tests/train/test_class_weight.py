"""Class weights: a factor on each sample's loss, by its class."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.class_weight import compute_sample_weight

import maillon as m
from maillon.typing import Array

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
LABELS = np.random.default_rng(1).choice(3, size=40, p=[0.7, 0.2, 0.1])
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]
SHARES = (ONE_HOT + 0.1).astype(np.float32) / np.float32(1.3)
BINARY = (LABELS > 0).astype(np.float32)[:, None]
OWN = 2.0 ** (np.arange(40) % 3 - 1)  # products with them are exact
WEIGHTS = np.array([0.5, 2.0, 3.0])
AS_DICT = {0: 0.5, 1: 2, np.int64(2): 3.0}


def trained(loss: m.Loss, y: Any, **options: Any) -> tuple[list[bytes], list[float]]:
    """The weights after three epochs, and the losses."""
    outputs = 1 if isinstance(loss, m.BCELoss | m.BCEWithLogitsLoss) else 3
    links: list[m.Module] = [m.Linear(4, outputs, generator=m.Generator(1))]
    links += [m.Sigmoid()] if isinstance(loss, m.BCELoss) else [m.LogSoftmax()] if isinstance(loss, m.NLLLoss) else []
    network = m.Sequential(*links)
    options = {"rule": 0.1, "batch_size": 7, "epochs": 3, "generator": m.Generator(2)} | options
    history = m.fit(network, loss, X, y, **options)
    return [value.tobytes() for value in network.state_dict().values()], history["loss"]


CASES: dict[str, tuple[m.Loss, Any, Any, Array]] = {
    "labels": (m.CrossEntropyLoss(), LABELS, WEIGHTS, WEIGHTS[LABELS]),
    "dict": (m.CrossEntropyLoss(), LABELS, AS_DICT, WEIGHTS[LABELS]),
    "list": (m.CrossEntropyLoss(), LABELS, WEIGHTS.tolist(), WEIGHTS[LABELS]),
    "series": (m.CrossEntropyLoss(), pd.Series(LABELS), pd.Series(WEIGHTS), WEIGHTS[LABELS]),
    "balanced": (m.CrossEntropyLoss(), LABELS, "balanced", compute_sample_weight("balanced", LABELS)),
    "the loss's own weight too": (m.CrossEntropyLoss([1, 2, 3]), LABELS, WEIGHTS, WEIGHTS[LABELS]),
    "sums": (m.CrossEntropyLoss(reduction="sum"), LABELS, WEIGHTS, WEIGHTS[LABELS]),
    "one-hot": (m.CrossEntropyLoss(), ONE_HOT, WEIGHTS, WEIGHTS[LABELS]),
    "balanced one-hot": (m.CrossEntropyLoss(), ONE_HOT, "balanced", compute_sample_weight("balanced", LABELS)),
    "probabilities": (m.CrossEntropyLoss(), SHARES, WEIGHTS, SHARES @ WEIGHTS),
    "NLLLoss": (m.NLLLoss(), LABELS, AS_DICT, WEIGHTS[LABELS]),
    "MultiMarginLoss": (m.MultiMarginLoss(), LABELS, AS_DICT, WEIGHTS[LABELS]),
    "BCEWithLogitsLoss": (m.BCEWithLogitsLoss(), BINARY, [1, 5], 1 + 4 * BINARY[:, 0]),
    "BCELoss": (m.BCELoss(), BINARY > 0, {0: 1, 1: 5}, 1 + 4 * BINARY[:, 0]),
    "a binary series": (m.BCEWithLogitsLoss(), pd.Series(BINARY[:, 0]), {0: 1, 1: 5}, 1 + 4 * BINARY[:, 0]),
    "balanced binary": (
        m.BCEWithLogitsLoss(),
        BINARY,
        "balanced",
        compute_sample_weight("balanced", BINARY[:, 0]),
    ),
}


@pytest.mark.filterwarnings("ignore::maillon.engine.FallbackWarning")
@pytest.mark.parametrize("case", CASES)
def test_class_weights_are_sample_weights(case: str) -> None:
    loss, y, given, factors = CASES[case]
    plain = trained(loss, y)
    alone = trained(loss, y, class_weight=given)
    assert alone == trained(loss, y, sample_weight=factors)
    assert alone != plain
    assert trained(loss, y, class_weight=given, sample_weight=OWN) == trained(loss, y, sample_weight=factors * OWN)


def test_they_are_as_keras_and_scikit_learn_mean_them() -> None:
    """The loss of a mini-batch is Σ wᵢ lᵢ / n."""
    network = m.Linear(4, 3, generator=m.Generator(1))
    each = m.CrossEntropyLoss(reduction="none")(network(X), LABELS)
    history = m.fit(network, m.CrossEntropyLoss(), X, LABELS, class_weight=WEIGHTS, rule=0.0, batch_size=40)
    assert history["loss"][0] == pytest.approx(np.mean(WEIGHTS[LABELS] * each), rel=1e-6)


def test_ignored_labels_have_no_class() -> None:
    y = np.where(np.arange(40) < 5, -100, LABELS)
    factors = np.ones(40)
    factors[5:] = compute_sample_weight("balanced", y[5:])
    loss = m.CrossEntropyLoss()
    assert trained(loss, y, class_weight="balanced") == trained(loss, y, sample_weight=factors)


def test_classes_that_do_not_occur_need_no_weight() -> None:
    y = np.where(LABELS == 2, 0, LABELS)
    expected = trained(m.CrossEntropyLoss(), y, sample_weight=WEIGHTS[y])
    assert trained(m.CrossEntropyLoss(), y, class_weight={0: 0.5, 1: 2.0}) == expected
    balanced = compute_sample_weight("balanced", y)
    expected = trained(m.CrossEntropyLoss(), y, sample_weight=balanced)
    assert trained(m.CrossEntropyLoss(), y, class_weight="balanced") == expected


def test_validation_is_not_weighted_and_not_counted() -> None:
    network = m.Linear(4, 3, generator=m.Generator(1))
    history = m.fit(
        network,
        m.CrossEntropyLoss(),
        X,
        LABELS,
        class_weight="balanced",
        validation_split=0.25,
        rule=0.0,
        batch_size=30,
    )
    loss = m.CrossEntropyLoss(reduction="none")
    learnt = compute_sample_weight("balanced", LABELS[:30]) * loss(network(X[:30]), LABELS[:30])
    assert history["loss"][0] == pytest.approx(learnt.mean(), rel=1e-6)
    assert history["val_loss"][0] == pytest.approx(loss(network(X[30:]), LABELS[30:]).mean(), rel=1e-6)


@pytest.mark.parametrize("given", [AS_DICT, WEIGHTS])
def test_mini_batches_are_weighted_one_by_one(given: Any) -> None:
    def batches(weights: Array) -> list[tuple[Array, ...]]:
        return [(X[i : i + 8], LABELS[i : i + 8], weights[i : i + 8]) for i in range(0, 40, 8)]

    networks = [m.Linear(4, 3, generator=m.Generator(1)) for _ in range(2)]
    m.fit(networks[0], m.CrossEntropyLoss(), batches(OWN), class_weight=given)
    m.fit(networks[1], m.CrossEntropyLoss(), batches(OWN * WEIGHTS[LABELS]))
    assert networks[0].weight.data.tobytes() == networks[1].weight.data.tobytes()


NEEDS_CLASSES = (
    "fit: class_weight needs one class, or probabilities of classes, in each row of {}, got others in its shape {}. "
    "Use sample_weight, or the loss's own weight or pos_weight."
)
WRONG: dict[str, tuple[m.Loss, Any, Any, str]] = {
    "a word": (
        m.CrossEntropyLoss(),
        LABELS,
        "balance",
        "fit: expected class_weight to be a dict, an array or 'balanced', got 'balance'.",
    ),
    "an unknown class": (
        m.CrossEntropyLoss(),
        LABELS,
        {0: 1, 1: 1, 2: 1, 3: 1},
        "fit: expected the keys of class_weight to be classes, 0…2, got 3.",
    ),
    "no class": (
        m.CrossEntropyLoss(),
        LABELS,
        {"cat": 1},
        "fit: expected the keys of class_weight to be classes, 0, 1, …, got 'cat'.",
    ),
    "a missing class": (
        m.CrossEntropyLoss(),
        LABELS,
        {0: 1, 1: 1},
        "fit: class_weight has no weight for class 2, which occurs in y. Give it one: 1 changes nothing.",
    ),
    "too few": (
        m.CrossEntropyLoss(),
        LABELS,
        [1, 2],
        "fit: expected class_weight to hold 3 numbers, one a class, got 2.",
    ),
    "a table": (
        m.CrossEntropyLoss(),
        LABELS,
        [[1, 2, 3]],
        "fit: expected class_weight to hold one number a class, got shape (1, 3).",
    ),
    "negative": (
        m.CrossEntropyLoss(),
        LABELS,
        [1, -2, 3],
        "fit: expected class_weight to be numbers ≥ 0 and finite, got -2 for class 1.",
    ),
    "no number": (
        m.CrossEntropyLoss(),
        LABELS,
        {0: "a"},
        "fit: expected class_weight to be numbers ≥ 0 and finite, got 'a' for class 0.",
    ),
    "a loss without classes": (
        m.MSELoss(),
        ONE_HOT,
        WEIGHTS,
        "fit: class_weight needs a loss over classes (CrossEntropyLoss or BCEWithLogitsLoss, for instance), got "
        "MSELoss(). Use sample_weight.",
    ),
    "regression": (m.BCEWithLogitsLoss(), X[:, :1], [1, 2], NEEDS_CLASSES.format("y", (40, 1))),
    "many classes at once": (m.CrossEntropyLoss(), 0.5 + ONE_HOT, WEIGHTS, NEEDS_CLASSES.format("y", (40, 3))),
    "balanced mini-batches": (
        m.CrossEntropyLoss(),
        None,
        "balanced",
        "fit: class_weight='balanced' counts the classes of all samples, which mini-batches given one by one do not "
        "show. Give the weights as a dict or an array.",
    ),
    "a missing class in a mini-batch": (
        m.CrossEntropyLoss(),
        None,
        {0: 1},
        "fit: class_weight has no weight for class 1, which occurs in batch 1 y. Give it one: 1 changes nothing.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_class_weights_change_nothing(case: str) -> None:
    loss, y, given, message = WRONG[case]
    network = m.Linear(4, 1 if isinstance(loss, m.BCEWithLogitsLoss) else 3)
    before = network.weight.data.tobytes()
    x = X if y is not None else [(X, np.where(LABELS == 2, 1, LABELS))]
    with pytest.raises(ValueError) as caught:
        m.fit(network, loss, x, y, class_weight=given)
    assert str(caught.value) == message
    assert network.weight.data.tobytes() == before


@pytest.mark.parametrize("columns", [2, 3])
def test_several_labels_at_once_have_no_class(columns: int) -> None:
    y = (X[:, :columns] > 0).astype(np.float32)
    with pytest.raises(ValueError, match="one class, or probabilities of classes, in each row"):
        m.fit(m.Linear(4, columns), m.BCEWithLogitsLoss(), X, y, class_weight=np.ones(columns))
    one_hot = np.eye(columns, dtype=np.float32)[LABELS % columns]
    m.fit(m.Linear(4, columns), m.BCEWithLogitsLoss(), X, one_hot, class_weight=np.ones(columns))
