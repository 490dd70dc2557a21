"""Clipped gradients beside PyTorch's, once and in a whole training."""

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import maillon
from maillon.nn import Parameter, utils
from maillon.random import Generator

pytestmark = pytest.mark.torch

SHAPES = [(7, 5), (7,), (3, 7), (3,), (1,)]
ONCE = {"float64": 1e-14, "float32": 1e-6}
TRAINED = {"float64": 1e-12, "float32": 1e-5}
EPOCHS = 20

both_dtypes = pytest.mark.parametrize("dtype", list(ONCE))


def pairs(torch: ModuleType, dtype: str) -> tuple[list[Parameter], list[Any]]:
    """Parameters with gradients of several sizes, the last of them without one, and the same as tensors."""
    generator = Generator(8)
    ours, theirs = [], []
    for place, shape in enumerate(SHAPES):
        data, grad = (generator.normal(shape, dtype=np.float64).astype(dtype) for _ in range(2))
        grad *= 10.0 ** (place - 1)
        ours.append(Parameter(data, grad=None if place == 4 else grad))
        theirs.append(torch.nn.Parameter(torch.from_numpy(data.copy())))
        theirs[-1].grad = None if place == 4 else torch.from_numpy(grad.copy())
    return ours, theirs


def assert_same_gradients(ours: list[Parameter], theirs: list[Any], tolerance: float) -> None:
    assert ours[-1].grad is theirs[-1].grad is None
    for parameter, tensor in zip(ours[:-1], theirs[:-1], strict=True):
        np.testing.assert_allclose(parameter.grad, tensor.grad.numpy(), rtol=tolerance)  # type: ignore[arg-type]


@both_dtypes
@pytest.mark.parametrize("power", [1, 2, 3, math.inf])
@pytest.mark.parametrize("largest", [0.0, 1e-3, 1.0, 1e6])
def test_clip_grad_norm(torch: ModuleType, dtype: str, power: float, largest: float) -> None:
    ours, theirs = pairs(torch, dtype)
    norm = utils.clip_grad_norm_(ours, largest, norm_type=power)
    their_norm = torch.nn.utils.clip_grad_norm_(theirs, largest, norm_type=power)
    assert norm == pytest.approx(their_norm.item(), rel=ONCE[dtype])
    assert_same_gradients(ours, theirs, ONCE[dtype])


@both_dtypes
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_norm_that_is_not_finite(torch: ModuleType, dtype: str, bad: float) -> None:
    ours, theirs = pairs(torch, dtype)
    ours[1].grad[2] = bad  # type: ignore[index]
    theirs[1].grad[2] = bad
    for room, listed in ((utils, ours), (torch.nn.utils, theirs)):
        with pytest.raises(RuntimeError):
            room.clip_grad_norm_(listed, 1.0, error_if_nonfinite=True)
    norm, their_norm = utils.clip_grad_norm_(ours, 1.0), torch.nn.utils.clip_grad_norm_(theirs, 1.0)
    np.testing.assert_equal(norm, their_norm.item())
    assert_same_gradients(ours, theirs, 0)


@both_dtypes
@pytest.mark.parametrize("bound", [0.0, 0.05, 1e6])
def test_clip_grad_value(torch: ModuleType, dtype: str, bound: float) -> None:
    ours, theirs = pairs(torch, dtype)
    utils.clip_grad_value_(ours, bound)
    torch.nn.utils.clip_grad_value_(theirs, bound)
    assert_same_gradients(ours, theirs, 0)


def network(room: Any, dtype: Any) -> Any:
    return room.Sequential(room.Linear(6, 16, dtype=dtype), room.Tanh(), room.Linear(16, 3, dtype=dtype))


@both_dtypes
@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize(
    ("ours_by", "theirs_by", "limit"),
    [
        ("clip_grad_norm", "clip_grad_norm_", 0.5),
        ("clip_grad_value", "clip_grad_value_", 0.05),
    ],
    ids=["norm", "value"],
)
def test_a_training(torch: ModuleType, dtype: str, engine: str, ours_by: str, theirs_by: str, limit: float) -> None:
    """6–16–3, Tanh, CrossEntropyLoss, momentum, 20 epochs at batch 16 with a short last one; most steps clipped."""
    generator = Generator(4)
    x = generator.normal((100, 6), dtype=np.float64).astype(dtype)
    labels = np.argmax(x[:, :3] ** 2 + x[:, 3:], axis=1)
    maillon.manual_seed(10)
    torch.manual_seed(10)
    ours, theirs = network(maillon, dtype), network(torch.nn, getattr(torch, dtype))

    maillon.manual_seed(11)
    maillon.fit(
        ours,
        maillon.CrossEntropyLoss(),
        x,
        labels,
        rule=maillon.SGD(lr=0.1, momentum=0.9),
        batch_size=16,
        epochs=EPOCHS,
        engine=engine,
        progress=False,
        **{ours_by: limit},  # type: ignore[arg-type]
    )

    torch.manual_seed(11)
    rule = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    loss, clip, clipped = torch.nn.CrossEntropyLoss(), getattr(torch.nn.utils, theirs_by), 0
    for _ in range(EPOCHS):
        order = torch.randperm(len(x)).numpy()
        for rows in (order[i : i + 16] for i in range(0, len(x), 16)):
            rule.zero_grad()
            loss(theirs(torch.from_numpy(x[rows])), torch.from_numpy(labels[rows])).backward()
            before = theirs[0].weight.grad.clone()
            clip(theirs.parameters(), limit)
            clipped += not torch.equal(before, theirs[0].weight.grad)
            rule.step()

    assert clipped > 70  # of 140 steps
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=TRAINED[dtype], atol=TRAINED[dtype])
