"""Losses beside PyTorch where the numbers are at their limits, and where the shapes are."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

import maillon as m

INF = float("inf")
REDUCTIONS = ["mean", "sum", "none"]
MASKS = [(), (2,), (0,), (0, 2), (0, 1, 2, 3)]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"weight": [1.0, 2.0, 0.5, 3.0]},
    {"weight": [1.0, 2.0, 0.0, 3.0]},
    {"ignore_index": 1},
    {"label_smoothing": 0.1},
    {"label_smoothing": 0.1, "weight": [1.0, 2.0, 0.5, 0.0]},
    {"label_smoothing": 0.1, "ignore_index": 3},
]
SHAPES = [((4,), ()), ((6, 4), (6,)), ((3, 4, 5), (3, 5)), ((2, 4, 2, 3), (2, 2, 3))]


def beside(name: str, options: dict[str, Any], scores: Any, target: Any, dtype: str) -> None:
    """Value and gradient of both, NaN and infinity included."""
    weight = options.get("weight")
    ours = getattr(m, name)(**options | ({} if weight is None else {"weight": np.array(weight)}))
    theirs = getattr(torch.nn, name)(
        **options | ({} if weight is None else {"weight": torch.tensor(weight, dtype=getattr(torch, dtype))})
    )
    x = torch.tensor(scores, requires_grad=True)
    expected = theirs(x, torch.tensor(target))
    expected.backward(torch.ones_like(expected))
    with np.errstate(invalid="ignore"):
        found = ours(scores, target)
        grad = ours.backward()
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(grad, x.grad.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["CrossEntropyLoss", "NLLLoss"])
def test_masked_classes(name: str, reduction: str, dtype: str) -> None:
    random = np.random.default_rng(0)
    for (shape, labels), masked, options in itertools.product(SHAPES, MASKS, OPTIONS):
        if name == "NLLLoss" and "label_smoothing" in options:
            continue
        scores = random.normal(size=shape).astype(dtype)
        by_class = np.moveaxis(scores, 0 if len(shape) == 1 else 1, 0)
        by_class[list(masked)] = -INF
        if name == "NLLLoss":
            scores = -np.abs(scores)
        target = random.integers(0, 4, labels)
        counted = np.array(options.get("weight", np.ones(4)))[target] * (target != options.get("ignore_index"))
        if reduction == "none" or counted.any():  # the mean of nothing is NaN, and its gradient here no NaN
            beside(name, options | {"reduction": reduction}, scores, target, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_beside_masked_classes(dtype: str) -> None:
    random = np.random.default_rng(0)
    for masked, reduction, smoothing in itertools.product(MASKS[:4], REDUCTIONS, [0.0, 0.1]):
        scores = random.normal(size=(5, 4)).astype(dtype)
        scores[:, list(masked)] = -INF
        target = random.dirichlet(np.ones(4), 5).astype(dtype)
        target[0] = np.eye(4)[1]
        beside("CrossEntropyLoss", {"reduction": reduction, "label_smoothing": smoothing}, scores, target, dtype)


def test_ignore_index_beside_probabilities_is_refused_where_pytorch_refuses_it() -> None:
    scores, target = np.zeros((2, 3)), np.full((2, 3), 1 / 3)
    for index in (-100, -1, 0, 2, 5):
        ours, theirs = m.CrossEntropyLoss(ignore_index=index), torch.nn.CrossEntropyLoss(ignore_index=index)
        try:
            theirs(torch.tensor(scores), torch.tensor(target))
        except RuntimeError:
            with pytest.raises(ValueError, match="ignore_index"):
                ours(scores, target)
        else:
            ours(scores, target)


SINGLE = [
    ((), ()), ((1,), ()), ((1,), (1,)), ((2,), ()), ((2,), (1,)), ((), (1,)), ((1, 2), ()), ((2, 1), (2,)),
    ((3, 2), (3,)), ((2,), (2,)), ((1, 2), (2,)), ((2,), (1, 2)), ((1, 2), (1, 2)), ((2, 2), ()), ((3,), (3,)),
]  # fmt: skip


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ["MultiMarginLoss", "MultiLabelMarginLoss"])
def test_margin_losses_take_the_shapes_that_pytorch_takes(name: str, reduction: str) -> None:
    random = np.random.default_rng(0)
    for shape, labels in SINGLE:
        scores, target = random.normal(size=shape), np.zeros(labels, np.int64)
        try:
            getattr(torch.nn, name)(reduction=reduction)(torch.tensor(scores), torch.tensor(target))
        except RuntimeError:
            with pytest.raises(ValueError, match="expected class labels of shape"):
                getattr(m, name)(reduction=reduction)(np.asarray(scores), target)
        else:
            beside(name, {"reduction": reduction}, np.asarray(scores), target, "float64")
