"""Every schedule beside PyTorch's, step by step: rates, momenta, and the state to go on from."""

import itertools
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from maillon import optim
from maillon.nn import Parameter
from maillon.optim import lr_scheduler

pytestmark = pytest.mark.torch

STEPS = 30


def falling(epoch: int) -> float:
    return 0.9**epoch


def wavy(epoch: int) -> float:
    return 1.0 + 0.5 * (epoch % 3)


def inverse(x: float) -> float:
    return 1 / (1 + x)


def grid(**axes: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


SWEEP: dict[str, list[dict[str, Any]]] = {
    "LambdaLR": [{"lr_lambda": falling}, {"lr_lambda": wavy}, {"lr_lambda": [falling, wavy]}],
    "MultiplicativeLR": [{"lr_lambda": wavy}, {"lr_lambda": [inverse, falling]}],
    "StepLR": grid(step_size=[1, 3, 10], gamma=[0.1, 0.9]),
    "MultiStepLR": grid(milestones=[[2], [3, 3, 8], [10, 4], [0, 5]], gamma=[0.1, 0.5]),
    "ConstantLR": grid(factor=[0.2, 1.0], total_iters=[1, 5, 40]),
    "LinearLR": grid(start_factor=[0.01, 1.0], end_factor=[0.0, 0.5, 1.0], total_iters=[1, 5, 40]),
    "ExponentialLR": grid(gamma=[0.5, 0.99, 1.0]),
    "PolynomialLR": grid(total_iters=[1, 5, 40], power=[0.5, 1.0, 3.0]),
    "CosineAnnealingLR": grid(T_max=[1, 2, 7, 40], eta_min=[0.0, 0.01]),
    "CosineAnnealingWarmRestarts": grid(T_0=[1, 3, 7], T_mult=[1, 2], eta_min=[0.0, 0.01]),
    "CyclicLR": [
        *grid(
            base_lr=[0.01], max_lr=[0.1], step_size_up=[3], step_size_down=[None, 5], mode=["triangular", "triangular2"]
        ),
        *grid(base_lr=[[0.01, 0.02]], max_lr=[[0.1, 0.3]], step_size_up=[4], mode=["exp_range"], gamma=[0.9]),
        *grid(base_lr=[0.01], max_lr=[0.1], step_size_up=[4], scale_fn=[inverse], scale_mode=["cycle", "iterations"]),
        *grid(base_lr=[0.01], max_lr=[0.1], step_size_up=[4], cycle_momentum=[False, True], max_momentum=[0.99]),
    ],
    "OneCycleLR": [
        *grid(
            max_lr=[0.5, [0.1, 0.5]], total_steps=[STEPS + 1], pct_start=[0.3, 0.5], anneal_strategy=["cos", "linear"]
        ),
        *grid(max_lr=[0.5], epochs=[5], steps_per_epoch=[8], three_phase=[False, True], cycle_momentum=[False, True]),
        *grid(max_lr=[0.5], total_steps=[50], div_factor=[10.0], final_div_factor=[100.0], base_momentum=[0.7]),
    ],
}


def told(value: Any) -> Any:
    """Options as a test's name: functions by theirs."""
    if isinstance(value, dict):
        return {name: told(part) for name, part in value.items()}
    return [told(part) for part in value] if isinstance(value, list) else getattr(value, "__name__", value)


CASES = [(name, options) for name, listed in SWEEP.items() for options in listed]
RULES: list[tuple[str, dict[str, Any]]] = [("SGD", {"momentum": 0.9}), ("Adam", {})]


def pair(torch: ModuleType, rule: str, options: dict[str, Any]) -> tuple[optim.Rule, Any]:
    ours = [{"params": [Parameter(np.ones(1))]}, {"params": [Parameter(np.ones(1))], "lr": 0.3}]
    theirs = [
        {"params": [torch.nn.Parameter(torch.ones(1))]},
        {"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.3},
    ]
    return getattr(optim, rule)(ours, lr=0.1, **options), getattr(torch.optim, rule)(theirs, lr=0.1, **options)


def same(rule: optim.Rule, bound: Any) -> None:
    for group, other in zip(rule.param_groups, bound.param_groups, strict=True):
        assert group["lr"] == pytest.approx(other["lr"], rel=1e-10, abs=1e-15)
        for name in ("momentum", "betas"):
            if name in other:
                assert group[name] == pytest.approx(other[name], rel=1e-12)


def walk(rule: optim.Rule, bound: Any, schedule: Any, other: Any, steps: int) -> None:
    same(rule, bound)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that no step of the optimizer came before
        for _ in range(steps):
            schedule.step()
            other.step()
            same(rule, bound)
            assert schedule.get_last_lr() == pytest.approx(other.get_last_lr(), rel=1e-10, abs=1e-15)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule[0])
@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{name} {told(options)}" for name, options in CASES])
def test_a_schedule(torch: ModuleType, name: str, options: dict[str, Any], rule: tuple[str, dict[str, Any]]) -> None:
    ours, theirs = pair(torch, *rule)
    other = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    walk(ours, theirs, getattr(lr_scheduler, name)(ours, **options), other, STEPS)


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{name} {told(options)}" for name, options in CASES])
def test_a_recipe_and_a_state_to_go_on_from(torch: ModuleType, name: str, options: dict[str, Any]) -> None:
    ours, theirs = pair(torch, *RULES[0])
    other = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    recipe = getattr(lr_scheduler, name)(**options)
    first = recipe.bind(ours)
    walk(ours, theirs, first, other, 7)
    later, _ = pair(torch, *RULES[0])
    schedule = recipe.bind(later)
    later.load_state_dict(ours.state_dict())
    schedule.load_state_dict(first.state_dict())
    walk(later, theirs, schedule, other, 9)


@pytest.mark.parametrize(
    "options",
    grid(
        mode=["min", "max"],
        threshold_mode=["rel", "abs"],
        patience=[0, 2],
        cooldown=[0, 2],
        min_lr=[0, [0.01, 0.05]],
        threshold=[1e-4, 0.1],
    ),
    ids=str,
)
def test_a_plateau(torch: ModuleType, options: dict[str, Any]) -> None:
    ours, theirs = pair(torch, *RULES[0])
    schedule = lr_scheduler.ReduceLROnPlateau(ours, factor=0.5, **options)
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, factor=0.5, **options)
    for epoch in range(30):
        score = 3.0 / (1 + epoch // 4) + 0.05 * (epoch % 3) - 0.5
        schedule.step(score)
        other.step(score)
        same(ours, theirs)
        assert schedule.num_bad_epochs == other.num_bad_epochs


PARTS: list[tuple[str, dict[str, Any]]] = [
    ("LinearLR", {"start_factor": 0.1, "total_iters": 4}),
    ("CosineAnnealingLR", {"T_max": 9}),
    ("ExponentialLR", {"gamma": 0.8}),
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 3}),
    ("PolynomialLR", {"total_iters": 8, "power": 2.0}),
    ("MultiStepLR", {"milestones": [2, 5]}),
    ("LambdaLR", {"lr_lambda": wavy}),
    ("MultiplicativeLR", {"lr_lambda": falling}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2}),
]


def several(room: Any, rule: Any, parts: Any) -> list[Any]:
    return [getattr(room, name)(rule, **options) for name, options in parts]


@pytest.mark.parametrize(
    "parts", list(itertools.permutations(PARTS, 2)), ids=lambda parts: "-".join(p[0] for p in parts)
)
def test_one_after_the_other_and_both_at_once(torch: ModuleType, parts: Any) -> None:
    theirs_room = torch.optim.lr_scheduler
    ours, theirs = pair(torch, *RULES[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = theirs_room.SequentialLR(theirs, several(theirs_room, theirs, parts), milestones=[6])
    walk(ours, theirs, lr_scheduler.SequentialLR(ours, several(lr_scheduler, ours, parts), milestones=[6]), other, 20)
    again, _ = pair(torch, *RULES[0])
    recipe = lr_scheduler.SequentialLR(None, several(lr_scheduler, None, parts), milestones=[6])
    schedule = recipe.bind(again)
    for _ in range(20):
        schedule.step()
    same(again, theirs)

    ours, theirs = pair(torch, *RULES[0])
    other = theirs_room.ChainedScheduler(several(theirs_room, theirs, parts))
    walk(ours, theirs, lr_scheduler.ChainedScheduler(several(lr_scheduler, ours, parts)), other, 20)


NESTED: list[Any] = [
    lambda room, rule: room.SequentialLR(
        rule,
        [
            room.ChainedScheduler([room.LinearLR(rule, 0.2), room.StepLR(rule, 1, 0.9)]),
            room.CosineAnnealingWarmRestarts(rule, 3),
        ],
        milestones=[4],
    ),
    lambda room, rule: room.SequentialLR(
        rule,
        [
            room.SequentialLR(rule, [room.LinearLR(rule, 0.2), room.ExponentialLR(rule, 0.9)], milestones=[3]),
            room.ConstantLR(rule, 0.5, 0),
            room.CyclicLR(rule, 0.01, 0.1, 3),
        ],
        milestones=[8, 12],
    ),
    lambda room, rule: room.ChainedScheduler(
        [room.PolynomialLR(rule, 9), room.SequentialLR(rule, [room.StepLR(rule, 2), room.LinearLR(rule)], [5])]
    ),
    lambda room, rule: room.SequentialLR(rule, [room.ChainedScheduler([room.PolynomialLR(rule, 4)])], []),
    lambda room, rule: room.ConstantLR(rule, 0.5, 0),
]


@pytest.mark.parametrize("make", NESTED)
def test_schedules_in_schedules(torch: ModuleType, make: Any) -> None:
    ours, theirs = pair(torch, *RULES[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own steps, taken before one of the optimizer
        other = make(torch.optim.lr_scheduler, theirs)
    walk(ours, theirs, make(lr_scheduler, ours), other, STEPS)


def test_each_of_two_tells_the_rates_that_it_has_set(torch: ModuleType) -> None:
    ours, theirs = pair(torch, *RULES[0])
    told = []
    for room, rule in ((lr_scheduler, ours), (torch.optim.lr_scheduler, theirs)):
        both = [room.ExponentialLR(rule, 0.5), room.CyclicLR(rule, 0.2, 0.4, 3)]
        rates = []
        for _ in range(4):
            rule.step()
            for schedule in both:
                schedule.step()
            rates.append([schedule.get_last_lr() for schedule in both])
        told.append(rates)
    np.testing.assert_allclose(*told, rtol=1e-10)


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{name} {told(options)}" for name, options in CASES])
def test_states_pass_to_pytorch_and_back(torch: ModuleType, name: str, options: dict[str, Any]) -> None:
    ours, theirs = pair(torch, *RULES[0])
    schedule = getattr(lr_scheduler, name)(ours, **options)
    other = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    walk(ours, theirs, schedule, other, 7)
    for rule, bound, into, out_of in ((ours, theirs, schedule, other), (theirs, ours, other, schedule)):
        for _ in range(3):
            into.step()
        into.load_state_dict(out_of.state_dict())
        for group, given in zip(rule.param_groups, bound.param_groups, strict=True):
            group.update({key: value for key, value in given.items() if key != "params"})
        walk(ours, theirs, schedule, other, 4)


@pytest.mark.parametrize("last_epoch", [0, 1, 2, 5])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("LambdaLR", {"lr_lambda": falling}),
        ("MultiplicativeLR", {"lr_lambda": falling}),
        ("StepLR", {"step_size": 2}),
        ("MultiStepLR", {"milestones": [2, 3, 3]}),
        ("ConstantLR", {"total_iters": 3}),
        ("LinearLR", {}),
        ("ExponentialLR", {"gamma": 0.5}),
        ("PolynomialLR", {"total_iters": 9}),
        ("CosineAnnealingLR", {"T_max": 4}),
        ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2}),
    ],
)
def test_an_epoch_to_go_on_after(torch: ModuleType, name: str, options: dict[str, Any], last_epoch: int) -> None:
    ours, theirs = pair(torch, *RULES[0])
    for group in (*ours.param_groups, *theirs.param_groups):
        group["initial_lr"] = 2 * group["lr"]
    other = getattr(torch.optim.lr_scheduler, name)(theirs, **options, last_epoch=last_epoch)
    walk(ours, theirs, getattr(lr_scheduler, name)(ours, **options, last_epoch=last_epoch), other, 12)
