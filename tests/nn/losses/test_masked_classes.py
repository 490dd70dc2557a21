"""Classes masked by −∞: they cost nothing where they are not the label, in both engines."""

from typing import Any

import numpy as np
import pytest
from cores import of_core, of_numpy

import maillon as m

INF = np.inf
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@every_dtype
def test_a_masked_class_does_not_count(dtype: str) -> None:
    logits, label = np.array([[0.0, 1.0, -INF]], dtype), np.array([0])
    loss = m.CrossEntropyLoss()
    np.testing.assert_allclose(loss(logits, label), 1.3132616875182228, rtol=1e-6)
    np.testing.assert_allclose(loss.backward(), [[-0.731058579, 0.731058579, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(m.CrossEntropyLoss()(logits[0], np.array(0)), 1.3132616875182228, rtol=1e-6)
    assert m.NLLLoss()(np.array([[-0.5, -1.0, -INF]], dtype), np.array([1])) == 1.0
    assert m.NLLLoss()(np.array([-0.5, -1.0, -INF], dtype), np.array(1)) == 1.0
    places = np.stack([logits[0], logits[0]], axis=1)[None]  # (N, C, d)
    np.testing.assert_allclose(loss(places, np.array([[0, 1]])), (1.3132616875 + 0.3132616875) / 2, rtol=1e-6)
    np.testing.assert_allclose(
        m.CrossEntropyLoss(np.array([1.0, 2.0, 3.0]), reduction="none")(places, np.array([[0, 1]])),
        [[1.3132616875, 0.626523375]],
        rtol=1e-6,
    )


@every_dtype
def test_an_ignored_label_costs_nothing_whatever_the_scores(dtype: str) -> None:
    for scores in ([0.0, 1.0, -INF], [-INF, 0.0, 1.0], [-INF, -INF, 0.0]):
        row = np.array([scores, [0.0, 0.0, 0.0]], dtype)
        for loss in (
            m.CrossEntropyLoss(reduction="none"),
            m.CrossEntropyLoss(reduction="none", label_smoothing=0.1),
            m.NLLLoss(reduction="none"),
        ):
            values = loss(row, np.array([-100, 1]))
            assert values[0] == 0
            assert np.isfinite(values[1])
            assert np.isfinite(loss.backward()).all()


def test_a_label_that_is_masked_costs_infinitely_much() -> None:
    assert m.CrossEntropyLoss()(np.array([[0.0, 1.0, -INF]]), np.array([2])) == INF
    assert m.NLLLoss()(np.array([[0.0, 1.0, -INF]]), np.array([2])) == INF
    assert m.CrossEntropyLoss(label_smoothing=0.1)(np.array([[0.0, 1.0, -INF]]), np.array([0])) == INF


def test_no_label_can_be_ignored_beside_probabilities() -> None:
    logits, target = np.zeros((2, 3)), np.full((2, 3), 1 / 3)
    for index in (0, 2, 7):
        with pytest.raises(ValueError) as caught:
            m.CrossEntropyLoss(ignore_index=index)(logits, target)
        assert str(caught.value) == (
            f"CrossEntropyLoss(ignore_index={index}): expected integer class labels with ignore_index ≥ 0, got "
            "probabilities (float64 of shape (2, 3)), among which no label can be ignored. Leave ignore_index out."
        )
        with pytest.raises(ValueError, match="ignore_index ≥ 0"):
            network = m.Sequential(m.Linear(2, 3))
            m.fit(network, m.CrossEntropyLoss(ignore_index=index), np.zeros((2, 2)), target, epochs=1, rule=0.1)
    assert np.isfinite(m.CrossEntropyLoss(ignore_index=-1)(logits, target))


LOSSES: dict[str, Any] = {
    "plain": lambda classes: m.CrossEntropyLoss(),
    "sum, ignored": lambda classes: m.CrossEntropyLoss(reduction="sum", ignore_index=1),
    "weighted": lambda classes: m.CrossEntropyLoss(np.linspace(0.5, 3, classes), ignore_index=0),
    "smoothed": lambda classes: m.CrossEntropyLoss(label_smoothing=0.1, ignore_index=0, reduction="sum"),
    "likelihood": lambda classes: m.NLLLoss(ignore_index=1),
}


def masked(loss: m.Loss, classes: int, inner: int | None, dtype: str) -> m.Optim:
    """A network whose class 2 is −∞: by its bias, or for places by an overflow."""
    generator = m.Generator(0)
    network = m.Sequential(m.Linear(3, classes if inner is None else inner, generator=generator, dtype=dtype))
    if inner is None:
        network[0].bias.data[2] = -INF
    else:
        network[0].weight.data[...] = 10
    if isinstance(loss, m.NLLLoss):
        network.append(m.LogSoftmax(1))
    return m.Optim(network, loss, m.SGD(lr=0.1))


@pytest.mark.usefixtures("core")
@every_dtype
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("classes", "inner"), [(4, None), (6, None), (19, None), (4, 5), (6, 1)])
def test_the_core_takes_masked_classes_alike(name: str, classes: int, inner: int | None, dtype: str) -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(7, 3) if inner is None else (7, classes, 3)).astype(dtype)
    labels = random.choice([0, 1, 3], size=(7,) if inner is None else (7, inner))
    if inner is not None:
        x[:, 2] = -np.finfo(dtype).max / 2
    found, expected = (masked(LOSSES[name](classes), classes, inner, dtype) for _ in range(2))
    with np.errstate(over="ignore", invalid="ignore"):
        if name == "smoothed":  # every class counts but for labels that are ignored
            labels = np.zeros_like(labels)
        losses = [of_core(found, x, labels, None), of_numpy(expected, x, labels, None)]
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5 if dtype == "float32" else 1e-12)
    for one, other in zip(found.network.parameters(), expected.network.parameters(), strict=True):
        np.testing.assert_allclose(one.grad, other.grad, rtol=1e-4, atol=1e-5 if dtype == "float32" else 1e-12)
