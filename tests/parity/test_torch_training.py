"""Whole trainings, links, losses and rules beside PyTorch's, computed as the test runs."""

from types import ModuleType
from typing import Any

import catalogue
import numpy as np
import pytest
from beside import BESIDE_TORCH, as_tensor, assert_close, compare_made
from catalogue import LINKS, LOSSES, RULES, Row, RuleRow

import maillon
from maillon.nn import Module, Parameter
from maillon.random import Generator
from maillon.typing import Array

pytestmark = BESIDE_TORCH

DTYPES = ["float64", "float32"]
TRAINED = {"float64": 1e-12, "float32": 1e-5}
ONCE = {"float64": 1e-10, "float32": 1e-5}
EPOCHS = 200

both_dtypes = pytest.mark.parametrize("dtype", DTYPES)


def copied(torch: ModuleType, state: dict[str, Array]) -> dict[str, Any]:
    return {name: as_tensor(torch, value) for name, value in state.items()}


def assert_same_parameters(ours: Module, theirs: Any, tolerance: float) -> None:
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=tolerance, atol=tolerance)


def train_theirs(
    torch: ModuleType, network: Any, loss: Any, rule: Any, batches: list[tuple[Array, Array]]
) -> list[float]:
    losses = []
    for x, y in batches:
        rule.zero_grad()
        value = loss(network(as_tensor(torch, x)), as_tensor(torch, y))
        value.backward()
        rule.step()
        losses.append(value.item())
    return losses


def two_clusters(dtype: str) -> tuple[Array, Array]:
    """100 points about (1, 2) and 100 about (3, 5), shuffled, the first 160 of them."""
    generator = Generator(10)
    points = np.concatenate([generator.normal((100, 2), dtype=np.float64) + c for c in ([1, 2], [3, 5])])
    labels = np.repeat([[1.0], [0.0]], 100, axis=0)
    order = generator.randperm(200)[:160]
    return points[order].astype(dtype), labels[order].astype(dtype)


@both_dtypes
def test_table_1(torch: ModuleType, dtype: str) -> None:
    """2–4–1 without biases, Tanh, Sigmoid, MSELoss, batch 1, rate 0.01, the report's initial weights."""
    first, second = (np.random.RandomState(10).randn(*shape) for shape in ((2, 4), (4, 1)))
    ours = maillon.Sequential(
        maillon.Linear(2, 4, bias=False), maillon.Tanh(), maillon.Linear(4, 1, bias=False), maillon.Sigmoid()
    ).to(dtype)
    ours.load_state_dict({"0.weight": first.T, "2.weight": second.T})
    kind = getattr(torch, dtype)
    theirs = torch.nn.Sequential(
        torch.nn.Linear(2, 4, bias=False), torch.nn.Tanh(), torch.nn.Linear(4, 1, bias=False), torch.nn.Sigmoid()
    ).to(kind)
    theirs.load_state_dict(copied(torch, ours.state_dict()))
    x, y = two_clusters(dtype)
    order = Generator(3)
    batches = [(x[i : i + 1], y[i : i + 1]) for _ in range(EPOCHS) for i in order.randperm(len(x)).tolist()]

    optim = maillon.Optim(ours, maillon.MSELoss(), 0.01)
    losses = [optim.step(*batch) for batch in batches]
    rule = torch.optim.SGD(theirs.parameters(), lr=0.01)
    their_losses = train_theirs(torch, theirs, torch.nn.MSELoss(), rule, batches)

    assert_same_parameters(ours, theirs, TRAINED[dtype])
    np.testing.assert_allclose(losses, their_losses, rtol=0, atol=TRAINED[dtype])
    score = float(((ours(x) > 0.5) == y).mean())
    assert score > 0.9  # it has learnt something


@both_dtypes
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 0.01, "momentum": 0.9}),
        ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}),
        ("Adam", {"lr": 2e-3}),
    ],
    ids=["momentum", "nesterov", "adam"],
)
def test_a_classifier(torch: ModuleType, dtype: str, name: str, options: dict[str, Any]) -> None:
    """6–32–16–3, Tanh, CrossEntropyLoss, 60 epochs at batch 16 with a short last one, seeds alike."""
    generator = Generator(4)
    x = generator.normal((200, 6), dtype=np.float64).astype(dtype)
    labels = np.argmax(x[:, :3] ** 2 + x[:, 3:], axis=1)
    maillon.manual_seed(10)
    ours = maillon.Sequential(
        maillon.Linear(6, 32, dtype=dtype),
        maillon.Tanh(),
        maillon.Linear(32, 16, dtype=dtype),
        maillon.Tanh(),
        maillon.Linear(16, 3, dtype=dtype),
    )
    torch.manual_seed(10)
    kind = getattr(torch, dtype)
    theirs = torch.nn.Sequential(
        torch.nn.Linear(6, 32, dtype=kind),
        torch.nn.Tanh(),
        torch.nn.Linear(32, 16, dtype=kind),
        torch.nn.Tanh(),
        torch.nn.Linear(16, 3, dtype=kind),
    )
    assert_same_parameters(ours, theirs, 0)

    maillon.manual_seed(11)
    rule = getattr(maillon, name)(**options)
    history = maillon.fit(
        ours, maillon.CrossEntropyLoss(), x, labels, rule=rule, batch_size=16, epochs=60, progress=False
    )

    torch.manual_seed(11)
    batches = []
    for _ in range(60):
        order = torch.randperm(len(x)).numpy()
        batches += [(x[order[i : i + 16]], labels[order[i : i + 16]]) for i in range(0, len(x), 16)]
    bound = getattr(torch.optim, name)(theirs.parameters(), **options)
    their_losses = train_theirs(torch, theirs, torch.nn.CrossEntropyLoss(), bound, batches)

    assert_same_parameters(ours, theirs, TRAINED[dtype])
    assert_close(ours(x), theirs(as_tensor(torch, x)), TRAINED[dtype])
    sizes = [len(batch) for batch, _ in batches[-13:]]
    last = np.average(their_losses[-13:], weights=sizes)
    assert history["loss"][-1] == pytest.approx(last, abs=TRAINED[dtype])
    assert last < 0.5 * their_losses[0]


@pytest.mark.sweep
@both_dtypes
@pytest.mark.parametrize("scale", [1.0, 30.0], ids=["small", "large"])
@pytest.mark.parametrize("row", [row for row in LINKS + LOSSES if row.torch], ids=lambda row: row.name)
def test_links_and_losses(torch: ModuleType, row: Row, dtype: str, scale: float) -> None:
    """Values and gradients under every option of the catalogue, with numbers of any size."""
    inputs = list(row.inputs(dtype))
    if row.logits:
        inputs[0] = np.asarray(inputs[0] * scale, dtype)
    ours = row.link(dtype)
    theirs = row.torch(torch).to(getattr(torch, dtype))
    theirs.load_state_dict(copied(torch, ours.state_dict()))
    compare_made(torch, ours, theirs, tuple(inputs), {}, dtype)


@both_dtypes
@pytest.mark.parametrize("row", [row for row in RULES if row.in_torch], ids=lambda row: row.name)
def test_rules(torch: ModuleType, row: RuleRow, dtype: str) -> None:
    """Thirty steps, a gradient missing now and then, and a rate that changes."""
    start, grads = catalogue.rule_problem(30)
    ours = [Parameter(array.astype(dtype)) for array in start]
    theirs = [torch.nn.Parameter(as_tensor(torch, array.astype(dtype))) for array in start]
    rule, bound = row.rule(ours, **row.options), row.torch(torch, theirs)
    for number, step in enumerate(grads):
        for parameter, tensor, grad in zip(ours, theirs, step, strict=True):
            absent = number % 7 == 3 and grad.ndim == 1
            parameter.grad = None if absent else grad.astype(dtype)
            tensor.grad = None if absent else as_tensor(torch, grad.astype(dtype))
        for group in (rule.param_groups[0], bound.param_groups[0]):
            group["lr"] *= 0.95
        rule.step()
        bound.step()
    for parameter, tensor in zip(ours, theirs, strict=True):
        assert_close(parameter.data, tensor, ONCE[dtype])


def test_groups_with_rates_of_their_own(torch: ModuleType) -> None:
    start, grads = catalogue.rule_problem(10)
    ours = [Parameter(array) for array in start]
    theirs = [torch.nn.Parameter(as_tensor(torch, array)) for array in start]
    first, second = ({"lr": 0.1}, {"momentum": 0.5})
    rule = maillon.SGD([{"params": ours[:1], **first}, {"params": ours[1:], **second}], lr=0.01)
    bound = torch.optim.SGD([{"params": theirs[:1], **first}, {"params": theirs[1:], **second}], lr=0.01)
    for step in grads:
        for parameter, tensor, grad in zip(ours, theirs, step, strict=True):
            parameter.grad, tensor.grad = grad, as_tensor(torch, grad)
        rule.step()
        bound.step()
    for parameter, tensor in zip(ours, theirs, strict=True):
        assert_close(parameter.data, tensor, 1e-14)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_rules_state_goes_on_from_pytorchs(torch: ModuleType, name: str) -> None:
    """The state_dict has PyTorch's form, and PyTorch's own is taken over, tensors and all."""
    options = {"lr": 0.1} | ({"momentum": 0.9} if name == "SGD" else {"amsgrad": True})
    start, grads = catalogue.rule_problem(10)
    theirs = [torch.nn.Parameter(as_tensor(torch, array)) for array in start]
    bound = getattr(torch.optim, name)(theirs, **options)

    def their_steps(steps: list[list[Array]]) -> None:
        for step in steps:
            for tensor, grad in zip(theirs, step, strict=True):
                tensor.grad = as_tensor(torch, grad)
            bound.step()

    their_steps(grads[:5])
    ours = [Parameter(tensor.detach().numpy().copy()) for tensor in theirs]
    rule = getattr(maillon, name)(ours, **options)
    rule.load_state_dict(bound.state_dict())
    their_steps(grads[5:])
    for step in grads[5:]:
        for parameter, grad in zip(ours, step, strict=True):
            parameter.grad = grad
        rule.step()
    for parameter, tensor in zip(ours, theirs, strict=True):
        assert_close(parameter.data, tensor, 1e-14)
    state, their_state = rule.state_dict(), bound.state_dict()
    assert state["state"].keys() == their_state["state"].keys()
    for number, own in their_state["state"].items():
        assert state["state"][number].keys() == own.keys()
        for key, value in own.items():
            assert_close(state["state"][number][key], value, 1e-14)
    assert state["param_groups"][0]["params"] == their_state["param_groups"][0]["params"]
    assert state["param_groups"][0].keys() <= their_state["param_groups"][0].keys()


@both_dtypes
@pytest.mark.parametrize("seed", [0, 10, 12345])
def test_initial_weights_bit_for_bit(torch: ModuleType, dtype: str, seed: int) -> None:
    torch.manual_seed(seed)
    maillon.manual_seed(seed)
    for sizes in [(1, 1), (2, 4), (784, 100), (3, 3)]:
        for bias in (True, False):
            theirs = torch.nn.Linear(*sizes, bias=bias, dtype=getattr(torch, dtype))
            ours = maillon.Linear(*sizes, bias=bias, dtype=dtype)
            assert list(ours.state_dict()) == list(theirs.state_dict())
            for name, value in ours.state_dict().items():
                assert value.dtype == dtype
                np.testing.assert_array_equal(value, theirs.state_dict()[name].numpy())


def test_state_dicts_carry_over(torch: ModuleType) -> None:
    def network(room: Any) -> Any:
        return room.Sequential(
            room.Flatten(), room.Linear(4, 3), room.Sequential(room.ReLU(), room.Linear(3, 2, bias=False))
        )

    ours, theirs = network(maillon), network(torch.nn)
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ["1.weight", "1.bias", "2.1.weight"]
    weight = ours[1].weight.data
    assert ours.load_state_dict(theirs.state_dict()) == ([], [])
    assert ours[1].weight.data is weight
    x = Generator(1).randn((5, 2, 2))
    assert_close(ours(x), theirs(as_tensor(torch, x)), 1e-6)
    theirs.load_state_dict(copied(torch, ours.state_dict()))
    for name, value in ours.load_state_dict(dict(theirs.named_parameters()))._asdict().items():
        assert value == [], name
