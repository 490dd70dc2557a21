"""Rules as recipes and bound, their groups and their state; their arithmetic is the battery's and PyTorch's."""

import copy
from typing import Any

import numpy as np
import pytest

import maillon
from maillon import SGD, Adam, Parameter
from maillon.optim import Rule
from maillon.typing import Array


class SignDescent(Rule):
    """A rule of one's own: p ← p − lr · sign g."""

    def __init__(self, params: Any = None, lr: float = 0.1, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay)

    def update(self, parameter: Parameter, grad: Array, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["steps"] = state.get("steps", 0) + 1
        parameter.data -= group["lr"] * np.sign(grad)


def parameters(count: int = 2) -> list[Parameter]:
    return [Parameter(np.arange(1.0, 4.0) + place) for place in range(count)]


def with_gradients(listed: list[Parameter]) -> list[Parameter]:
    for parameter in listed:
        parameter.grad = np.ones_like(parameter.data)
    return listed


def test_a_recipe_has_no_state_and_says_how_to_bind() -> None:
    recipe = SGD(lr=0.1, momentum=0.9)
    assert not recipe.bound
    assert recipe.param_groups == []
    for method in ("step", "zero_grad", "state_dict"):
        with pytest.raises(RuntimeError) as caught:
            getattr(recipe, method)()
        assert str(caught.value) == (
            "SGD(lr=0.1, momentum=0.9, dampening=0, weight_decay=0, nesterov=False, maximize=False) is a recipe "
            f"without parameters: .{method}() needs a bound rule. Bind it: rule = SGD(lr=0.1, momentum=0.9, "
            "dampening=0, weight_decay=0, nesterov=False, maximize=False).bind(network.parameters())."
        )
    with pytest.raises(RuntimeError, match="load_state_dict"):
        recipe.load_state_dict({})


def test_binding_twice_gives_two_states() -> None:
    recipe = SGD(lr=0.1, momentum=0.9)
    one, other = recipe.bind(parameters()), recipe.bind(parameters())
    with_gradients(one.param_groups[0]["params"])
    one.step()
    assert one.bound
    assert len(one.state) == 2
    assert other.state == {}
    assert recipe.state == {}
    assert repr(one).startswith("SGD(<2 parameters>, lr=0.1, momentum=0.9")


def test_a_step_skips_what_is_frozen_or_has_no_gradient() -> None:
    moving, frozen, still = with_gradients(parameters(3))
    frozen.requires_grad = False
    still.grad = None
    rule = SGD([moving, frozen, still], lr=1.0)
    held = moving.data
    rule.step()
    assert moving.data is held
    assert moving.data.tolist() == [0, 1, 2]
    assert frozen.data.tolist() == [2, 3, 4]
    assert still.data.tolist() == [3, 4, 5]
    rule.zero_grad()
    assert (moving.grad, frozen.grad) == (None, None)


@pytest.mark.parametrize(
    "rule", [SGD(lr=0.1), SGD(lr=0.1, momentum=0.9, weight_decay=0.1), Adam(), SignDescent()], ids=repr
)
def test_a_step_leaves_the_gradients_alone(rule: Rule) -> None:
    listed = with_gradients(parameters())
    grads = [parameter.grad for parameter in listed]
    bound = rule.bind(listed)
    for _ in range(3):
        bound.step()
    for parameter, grad in zip(listed, grads, strict=True):
        assert parameter.grad is grad
        assert (grad == 1).all()


@pytest.mark.parametrize("rule", [SGD(lr=0.1, momentum=0.9), Adam(lr=0.1)], ids=repr)
def test_a_parameter_that_is_one_number(rule: Rule) -> None:
    """Its gradient may be a NumPy scalar, which is not changed in place."""
    number, row = Parameter(np.array(1.0)), Parameter(np.array([1.0]))
    bound = rule.bind([number, row])
    for _ in range(3):
        number.grad, row.grad = np.float64(0.5), np.array([0.5])
        bound.step()
    assert number.data == row.data[0] != 1
    again = rule.bind([number, row])
    again.load_state_dict(bound.state_dict())
    bound_rows = row.data.copy()
    again.step()
    assert number.data == row.data[0] != bound_rows[0]


def test_a_rule_of_ones_own() -> None:
    listed = with_gradients(parameters())
    rule = SignDescent(listed)
    rule.step()
    assert listed[0].data.tolist() == pytest.approx([0.9, 1.9, 2.9])
    assert rule.state_dict()["state"] == {0: {"steps": 1}, 1: {"steps": 1}}
    assert repr(SignDescent()) == "SignDescent(lr=0.1, weight_decay=0.0)"
    with pytest.raises(NotImplementedError, match=r"Rule has no update\(\)"):
        Rule(with_gradients(parameters()), lr=0.1, weight_decay=0).step()


# Groups


def test_groups_override_the_rules_options() -> None:
    first, second = with_gradients(parameters())
    rule = SGD([{"params": first, "lr": 1.0}, {"params": [second]}], lr=0.1)
    rule.step()
    assert first.data.tolist() == [0, 1, 2]
    assert second.data.tolist() == pytest.approx([1.9, 2.9, 3.9])
    third = with_gradients(parameters(1))
    rule.add_param_group({"params": third, "lr": 0.5})
    rule.step()
    assert third[0].data.tolist() == [0.5, 1.5, 2.5]
    assert [group["lr"] for group in rule.param_groups] == [1.0, 0.1, 0.5]


def test_named_parameters_and_repeated_ones() -> None:
    link = maillon.Linear(2, 1)
    assert SGD(link.named_parameters()).param_groups[0]["params"] == [link.weight, link.bias]
    assert SGD(link.named_parameters()).param_groups[0]["param_names"] == ["weight", "bias"]
    assert SGD([{"params": link.named_parameters()}]).state_dict()["param_groups"][0]["param_names"] == [
        "weight",
        "bias",
    ]
    with pytest.warns(UserWarning, match=r"SGD: a parameter group with duplicate parameters; each moves once\."):
        assert SGD([link.weight, link.weight]).param_groups[0]["params"] == [link.weight]
    with pytest.warns(UserWarning, match="duplicate"):
        group = SGD([("a", link.weight), ("b", link.bias), ("c", link.weight)]).param_groups[0]
    assert (group["params"], group["param_names"]) == ([link.weight, link.bias], ["a", "b"])


def test_gradients_become_none_or_zeros() -> None:
    moved, idle = Parameter(np.ones(2)), Parameter(np.ones(2))
    rule = SGD([moved, idle])
    moved.grad = np.ones(2)
    rule.zero_grad(set_to_none=False)
    assert (moved.grad.tolist(), idle.grad) == ([0.0, 0.0], None)
    rule.zero_grad()
    assert moved.grad is None


def test_options_may_be_tensors_of_one_number() -> None:
    rule = Adam([{"params": [Parameter(np.ones(1))], "lr": np.array([0.5])}], betas=(np.array(0.5), np.array(0.75)))
    assert (rule.param_groups[0]["lr"], rule.defaults["betas"]) == (0.5, (0.5, 0.75))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ([], ValueError, "SGD: expected parameters, got none. The network has nothing to learn."),
        (
            maillon.Linear(1, 1),
            TypeError,
            "SGD: expected parameters, got a network. Give network.parameters(), or leave it out for a recipe.",
        ),
        (
            [("a", Parameter(np.ones(1))), Parameter(np.ones(1))],
            ValueError,
            "SGD: expected all parameters with names, or all without, got both. "
            "Give network.parameters(), or leave it out for a recipe.",
        ),
        (
            [{"params": [("a", Parameter(np.ones(1)))]}, {"params": [Parameter(np.ones(1))]}],
            ValueError,
            "SGD: expected all groups of parameters with names, or all without, got both.",
        ),
        (0.1, TypeError, "SGD: expected parameters, got 0.1. Name the rate: SGD(lr=0.1)."),
        (
            Parameter([1.0]),
            TypeError,
            "SGD: expected several parameters, got Parameter. Give network.parameters(), or leave it out for a recipe.",
        ),
        (
            "weights",
            TypeError,
            "SGD: expected Parameters, got str. Give network.parameters(), or leave it out for a recipe.",
        ),
        (
            [np.zeros(1)],
            TypeError,
            "SGD: expected Parameters, got ndarray. Give network.parameters(), or leave it out for a recipe.",
        ),
        ([{"lr": 1}], ValueError, "SGD: expected a group with a key 'params', got keys ['lr']."),
        (
            [{"params": parameters(), "rate": 1}],
            ValueError,
            "SGD: unknown options ['rate'] in a group; there are "
            "lr, momentum, dampening, weight_decay, nesterov, maximize.",
        ),
    ],
)
def test_parameters_that_are_none(params: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        SGD(params)
    assert str(caught.value) == message


def test_a_parameter_stands_in_one_group() -> None:
    first, second = parameters()
    with pytest.raises(ValueError, match="SGD: a parameter stands in more than one group"):
        SGD([{"params": [first, second]}, {"params": [second]}])


# Options


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(lr=-0.1), "SGD: expected lr to be a number ≥ 0 and finite, got -0.1."),
        (lambda: SGD(lr=float("nan")), "SGD: expected lr to be a number ≥ 0 and finite, got nan."),
        (lambda: SGD(lr=True), "SGD: expected lr to be a number ≥ 0 and finite, got True."),
        (lambda: SGD(lr="fast"), "SGD: expected lr to be a number ≥ 0 and finite, got 'fast'."),
        (lambda: SGD(weight_decay=-1), "SGD: expected weight_decay to be a number ≥ 0 and finite, got -1."),
        (lambda: SGD(momentum=-1), "SGD: expected momentum to be a number ≥ 0 and finite, got -1."),
        (lambda: SGD(nesterov=True), "SGD: nesterov=True needs momentum > 0 and dampening = 0."),
        (
            lambda: SGD(nesterov=True, momentum=0.9, dampening=0.1),
            "SGD: nesterov=True needs momentum > 0 and dampening = 0.",
        ),
        (lambda: Adam(betas=(0.9, 1.0)), "Adam: expected betas[1] to be a number in [0, 1), got 1.0."),
        (lambda: Adam(betas=(0.9,)), "Adam: expected betas to be two numbers, got (0.9,)."),
        (lambda: Adam(eps=-1e-8), "Adam: expected eps to be a number ≥ 0 and finite, got -1e-08."),
        (
            lambda: SGD([{"params": parameters(), "lr": -1}]),
            "SGD: expected lr to be a number ≥ 0 and finite, got -1.",
        ),
    ],
)
def test_options_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


def test_the_loop_is_not_the_rule() -> None:
    with pytest.raises(TypeError) as caught:
        SGD(maillon.Linear(1, 1), np.zeros((2, 1)), np.zeros((2, 1)))
    assert str(caught.value) == (
        "SGD is the rule that moves the parameters; the loop over mini-batches is sgd, in small letters: "
        "sgd(Optim(network, loss, 0.01), x, y, batch_size=…, epochs=…)."
    )


# State


@pytest.mark.parametrize("recipe", [SGD(lr=0.1, momentum=0.9), Adam(lr=0.1, amsgrad=True)], ids=repr)
def test_the_state_goes_on_where_it_was(recipe: Rule) -> None:
    listed = with_gradients(parameters())
    rule = recipe.bind([{"params": listed[:1]}, {"params": listed[1:], "lr": 0.5}])
    rule.step()
    state = rule.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0], [1]]
    twins = copy.deepcopy(listed)
    twin = recipe.bind([{"params": twins[:1]}, {"params": twins[1:]}])
    twin.load_state_dict(state)
    assert twin.param_groups[1]["lr"] == 0.5
    before = copy.deepcopy(state)
    for parameter, other in zip(listed, twins, strict=True):
        parameter.grad = other.grad = np.array([1.0, -2.0, 0.5])
    rule.step()
    twin.step()
    for parameter, other in zip(listed, twins, strict=True):
        np.testing.assert_array_equal(parameter.data, other.data)
    for number, own in before["state"].items():  # the state given is a copy, and stays one
        for key, value in own.items():
            np.testing.assert_array_equal(state["state"][number][key], value)


def test_a_state_takes_the_parameters_dtype() -> None:
    listed = with_gradients(parameters())
    rule = Adam(listed)
    rule.step()
    single = [Parameter(parameter.data.astype(np.float32)) for parameter in listed]
    other = Adam(single)
    other.load_state_dict(rule.state_dict())
    assert other.state[single[0]]["exp_avg"].dtype == np.float32
    for parameter in single:
        parameter.grad = np.ones(3, np.float32)
    other.step()
    assert single[0].dtype == np.float32
    assert other.state[single[0]]["step"] == 2


class Tensor:
    """Like PyTorch's: an array once detached."""

    def __init__(self, values: Any) -> None:
        self.values = np.array(values)

    def detach(self) -> Array:
        return self.values


def test_a_state_of_tensors_becomes_arrays_and_numbers() -> None:
    listed = with_gradients(parameters(1))
    rule = Adam(listed)
    state = {"step": Tensor(4.0), "exp_avg": Tensor(np.ones(3, "f")), "exp_avg_sq": Tensor(np.ones(3))}
    rule.load_state_dict({"state": {0: state}, "param_groups": [{"params": [0], "lr": 0.5, "foreach": None}]})
    rule.step()
    assert rule.state[listed[0]]["step"] == 5
    assert rule.state[listed[0]]["exp_avg"].dtype == np.float64
    assert rule.param_groups[0]["lr"] == 0.5
    assert "foreach" not in rule.param_groups[0]
    assert (state["exp_avg"].values == 1).all()  # a copy


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    listed = with_gradients(parameters())
    rule = SGD(listed, lr=0.1, momentum=0.9)
    rule.step()
    held = copy.deepcopy(rule.state_dict())
    wrong = copy.deepcopy(held)
    wrong["state"][1]["momentum_buffer"] = np.zeros(2)
    with pytest.raises(ValueError) as caught:
        rule.load_state_dict(wrong)
    assert str(caught.value) == (
        "SGD.load_state_dict: expected momentum_buffer of parameter 1 to have shape (3,), got (2,)."
    )
    with pytest.raises(ValueError, match=r"expected groups of \[2\] parameters, got \[1\]"):
        rule.load_state_dict(SGD(parameters(1)).state_dict())
    bad = copy.deepcopy(held)
    bad["param_groups"][0]["lr"] = -1
    with pytest.raises(ValueError, match="expected lr to be a number ≥ 0"):
        rule.load_state_dict(bad)
    assert rule.param_groups[0]["lr"] == 0.1
    for number, own in rule.state_dict()["state"].items():
        np.testing.assert_array_equal(own["momentum_buffer"], held["state"][number]["momentum_buffer"])
