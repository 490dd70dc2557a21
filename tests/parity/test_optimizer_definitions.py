"""Rules beside PyTorch's: its own definitions of its optimizers' tests, a wide sweep of options, and LBFGS."""

import itertools
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from beside import BESIDE_TORCH, TOLERANCE, as_tensor, assert_close

import maillon
from maillon import optim
from maillon.nn import Parameter
from maillon.random import Generator
from maillon.typing import Array

pytestmark = BESIDE_TORCH

both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))

DECAYS: list[dict[str, Any]] = [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "maximize": True}]
BETAS: list[dict[str, Any]] = [{}, {"betas": (0.5, 0.7)}, {"betas": (0.0, 0.95), "eps": 0.01}]
DECOUPLED: list[dict[str, Any]] = [{}, {"decoupled_weight_decay": True}]
SWEEP: dict[str, list[list[dict[str, Any]]]] = {
    "SGD": [[{}, {"momentum": 0.9}, {"momentum": 0.5, "dampening": 0.3}, {"momentum": 0.9, "nesterov": True}], DECAYS],
    "Adam": [BETAS, [{}, {"amsgrad": True}], DECAYS, DECOUPLED],
    "AdamW": [BETAS, [{}, {"amsgrad": True}], DECAYS],
    "NAdam": [BETAS, [{}, {"momentum_decay": 0.1}], DECAYS, DECOUPLED],
    "RAdam": [BETAS, DECAYS, DECOUPLED],
    "Adamax": [BETAS, DECAYS],
    "Adagrad": [[{}, {"lr_decay": 0.2}, {"initial_accumulator_value": 0.3}, {"eps": 0.1}], DECAYS],
    "Adadelta": [[{}, {"rho": 0.5}, {"rho": 0.0, "eps": 0.1}, {"rho": 1.0}], DECAYS],
    "RMSprop": [[{}, {"alpha": 0.5}], [{}, {"momentum": 0.9}], [{}, {"centered": True, "eps": 0.01}], DECAYS],
    "Rprop": [[{}, {"etas": (0.3, 1.7)}, {"step_sizes": (0.01, 0.05)}], [{}, {"maximize": True}]],
    "ASGD": [[{}, {"lambd": 0.3}, {"t0": 5}, {"t0": 3, "alpha": 0.5, "lambd": 0.1}], DECAYS],
}
CASES = [
    (name, {"lr": lr} | {key: value for part in parts for key, value in part.items()})
    for name, axes in SWEEP.items()
    for lr in (0.01, 0.3)
    for parts in itertools.product(*axes)
]


def pair(torch: ModuleType, dtype: str) -> tuple[list[Parameter], list[Any]]:
    """The same parameters, ours and theirs; one of them a number."""
    generator = Generator(4)
    arrays = [generator.normal(shape, dtype=np.float64).astype(dtype) for shape in ((3, 2), (4,), ())]
    return [Parameter(np.array(array)) for array in arrays], [torch.nn.Parameter(as_tensor(torch, a)) for a in arrays]


def step(torch: ModuleType, ours: list[Parameter], theirs: list[Any], grads: list[Array | None]) -> None:
    for parameter, tensor, grad in zip(ours, theirs, grads, strict=True):
        parameter.grad = None if grad is None else grad.copy()
        tensor.grad = None if grad is None else as_tensor(torch, grad)


def compare(torch: ModuleType, name: str, options: dict[str, Any], dtype: str) -> None:
    """Fifteen steps, one without a gradient, a rate that changes: the parameters and the whole state."""
    ours, theirs = pair(torch, dtype)
    rule = getattr(optim, name)(ours, **options)
    bound = getattr(torch.optim, name)(theirs, **options)
    generator = Generator(5)
    for number in range(15):
        grads = [np.asarray(generator.normal(p.shape, dtype=np.float64), dtype) for p in ours]
        step(torch, ours, theirs, [None if (number, place) == (3, 1) else grad for place, grad in enumerate(grads)])
        rule.step()
        bound.step()
        if number == 9:
            for group in (rule.param_groups[0], bound.param_groups[0]):
                group["lr"] *= 0.5
    for parameter, tensor in zip(ours, theirs, strict=True):
        assert_close(parameter.data, tensor, TOLERANCE[dtype])
    for place, expected in bound.state_dict()["state"].items():
        for key, value in expected.items():
            if value is not None:
                assert_close(rule.state_dict()["state"][place][key], value, TOLERANCE[dtype], key)


@pytest.mark.sweep
@both_dtypes
@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{name} {options}" for name, options in CASES])
def test_a_case(torch: ModuleType, name: str, options: dict[str, Any], dtype: str) -> None:
    compare(torch, name, options, dtype)


@both_dtypes
def test_pytorchs_own_cases(torch: ModuleType, dtype: str, subtests: pytest.Subtests) -> None:
    from torch.testing._internal.common_optimizers import optim_db

    names = set()
    for definition in optim_db:
        name = definition.optim_cls.__name__
        if not hasattr(optim, name) or name == "LBFGS":
            continue
        for given in definition.optim_inputs_func(device="cpu"):
            with subtests.test(f"{name} {given.desc}"):
                options = {key: value for key, value in given.kwargs.items() if key != "lr" or value is not None}
                compare(torch, name, options, dtype)
                names.add(name)
    assert names == set(SWEEP)


@pytest.mark.parametrize("name", sorted(SWEEP))
def test_a_rule_goes_on_from_pytorchs_state(torch: ModuleType, name: str) -> None:
    ours, theirs = pair(torch, "float64")
    bound = getattr(torch.optim, name)(theirs, lr=0.1)
    generator = Generator(6)
    grads = [[generator.normal(p.shape, dtype=np.float64) for p in ours] for _ in range(6)]
    for listed in grads[:3]:
        step(torch, ours, theirs, listed)
        bound.step()
    rule = getattr(optim, name)(ours, lr=0.7)
    rule.load_state_dict(bound.state_dict())
    for parameter, tensor in zip(ours, theirs, strict=True):
        parameter.data[...] = tensor.detach().numpy()
    for listed in grads[3:]:
        step(torch, ours, theirs, listed)
        bound.step()
        rule.step()
    for parameter, tensor in zip(ours, theirs, strict=True):
        assert_close(parameter.data, tensor, 1e-10)


def test_adagrads_sums_begin_alike_in_all_groups(torch: ModuleType) -> None:
    rules = []
    for room, listed in zip((optim, torch.optim), pair(torch, "float64"), strict=True):
        groups = [{"params": [listed[0]], "initial_accumulator_value": 2.0}, {"params": listed[1:]}]
        rules.append(room.Adagrad(groups, initial_accumulator_value=0.5))
    ours, theirs = (rule.state_dict()["state"] for rule in rules)
    assert ours.keys() == theirs.keys()
    for place, state in theirs.items():
        assert_close(ours[place]["sum"], state["sum"], 1e-15)


def test_nadams_product_after_a_round_trip(torch: ModuleType) -> None:
    """Loading makes a float64 of it, there and here: it is multiplied on in that precision."""
    ours, theirs = pair(torch, "float64")
    rule, bound = optim.NAdam(ours, lr=0.5), torch.optim.NAdam(theirs, lr=0.5)
    generator = Generator(7)
    for number in range(8):
        step(torch, ours, theirs, [generator.normal(p.shape, dtype=np.float64) for p in ours])
        rule.step()
        bound.step()
        if number == 3:
            rule.load_state_dict(rule.state_dict())
            bound.load_state_dict(bound.state_dict())
    for parameter, tensor in zip(ours, theirs, strict=True):
        assert_close(parameter.data, tensor, 1e-12)


LBFGS_CASES: list[dict[str, Any]] = [
    {"lr": lr, **searched, **more}
    for lr in (1.0, 0.3, 0.01)
    for searched in ({}, {"line_search_fn": "strong_wolfe"})
    for more in (
        {},
        {"max_iter": 5, "history_size": 2},
        {"max_iter": 3, "max_eval": 3},
        {"max_iter": 1},
        {"tolerance_grad": 1e-2},
        {"tolerance_change": 1e-3, "max_iter": 40},
    )
]


@pytest.mark.parametrize("options", LBFGS_CASES, ids=str)
def test_lbfgs(torch: ModuleType, options: dict[str, Any]) -> None:
    """Steps on Rosenbrock's valley: the same path, the same numbers of evaluations."""
    start = np.array([-1.2, 1.0, 0.3])
    ours, theirs = Parameter(start.copy()), torch.nn.Parameter(as_tensor(torch, start))
    rule, bound = optim.LBFGS([ours], **options), torch.optim.LBFGS([theirs], **options)

    def closure() -> float:
        p = ours.data
        bend = p[1:] - p[:-1] ** 2
        ours.grad = np.zeros(3)
        ours.grad[1:] += 20 * bend
        ours.grad[:-1] += -40 * bend * p[:-1] - 2 * (1 - p[:-1])
        return float((10 * bend**2 + (1 - p[:-1]) ** 2).sum())

    def their_closure() -> Any:
        bound.zero_grad()
        bend = theirs[1:] - theirs[:-1] ** 2
        loss = (10 * bend**2 + (1 - theirs[:-1]) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(3):
        expected = their_closure().item()
        if not abs(expected) < 1e6:  # it runs away, and rounding with it
            break
        assert rule.step(closure) == pytest.approx(bound.step(their_closure).item(), rel=1e-9)
        np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-8, atol=1e-9)
        state = bound.state_dict()["state"][0]
        assert rule.state[ours]["func_evals"] == state["func_evals"]
        assert rule.state[ours]["n_iter"] == state["n_iter"]


def test_a_network_trained_by_lbfgs(torch: ModuleType) -> None:
    maillon.manual_seed(3)
    x = Generator(1).normal((40, 2), dtype=np.float64)
    y = np.sin(x[:, :1]) * x[:, 1:]
    network = maillon.Sequential(maillon.Linear(2, 8), maillon.Tanh(), maillon.Linear(8, 1)).to("float64")
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
    theirs.load_state_dict({name: as_tensor(torch, value) for name, value in network.state_dict().items()})
    optimised = maillon.Optim(network, maillon.MSELoss(), optim.LBFGS(max_iter=10, line_search_fn="strong_wolfe"))
    bound = torch.optim.LBFGS(theirs.parameters(), max_iter=10, line_search_fn="strong_wolfe")
    inputs, targets = as_tensor(torch, x), as_tensor(torch, y)

    def closure() -> Any:
        bound.zero_grad()
        loss = torch.nn.functional.mse_loss(theirs(inputs), targets)
        loss.backward()
        return loss

    losses = [optimised.step(x, y) for _ in range(4)]
    assert losses == pytest.approx([bound.step(closure).item() for _ in range(4)], rel=1e-6)
    assert losses[-1] < 0.1 * losses[0]
