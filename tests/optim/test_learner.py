"""Optim: one learning step, what it takes and what it refuses."""

import copy
from typing import Any

import numpy as np
import pytest

import maillon
from maillon import SGD, Adam, Linear, MSELoss, NonFiniteLossError, Optim, Sequential, Tanh
from maillon.nn import LinkShapeError, Module
from maillon.random import Generator
from maillon.typing import Array

X = Generator(5).randn((6, 3))
Y = Generator(6).randn((6, 2))


def network() -> Sequential:
    return Sequential(Linear(3, 4, generator=Generator(1)), Tanh(), Linear(4, 2, generator=Generator(2)))


class Product(Module):
    """Two inputs, by place or by name."""

    def __init__(self) -> None:
        self.scale = maillon.Parameter(np.ones(3, np.float32))

    def forward(self, a: Array, b: Array) -> Array:
        return self.keep(self.scale.data * a * b, a, b)

    def backward(self, grad_output: Array) -> Any:
        a, b = self.release(grad_output)
        self.scale.accumulate((grad_output * a * b).sum(axis=0))
        return grad_output * self.scale.data * b, grad_output * self.scale.data * a


def test_a_step_is_forward_backward_update() -> None:
    chain, loss = network(), MSELoss()
    optim = Optim(network(), MSELoss(), 0.1)
    value = optim.step(X, Y)
    expected = loss(chain(X), Y)
    chain.backward(loss.backward())
    chain.update_parameters(0.1)
    assert value == float(expected)
    assert isinstance(value, float)
    for name, array in optim.network.state_dict().items():
        np.testing.assert_array_equal(array, chain.state_dict()[name])
    np.testing.assert_array_equal(optim.prediction, network()(X))  # that of before the update


@pytest.mark.parametrize("rule", [0.1, 1, np.float32(0.1), SGD(lr=0.1), Adam()], ids=repr)
def test_a_rule_is_a_number_a_recipe_or_bound(rule: Any) -> None:
    optim = Optim(network(), MSELoss(), rule)
    assert optim.rule.bound
    assert optim.step(X, Y) > optim.step(X, Y) or rule == 1
    chain = network()
    bound = SGD(chain.parameters(), lr=0.1)
    assert Optim(chain, MSELoss(), bound).rule is bound
    assert repr(Optim(Linear(1, 1), MSELoss(), 0.5)).startswith(
        "Optim(Linear(1, 1), MSELoss(), SGD(<2 parameters>, lr=0.5"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, MSELoss(), 0.1), "Optim: expected network to be a Module, got int."),
        (
            (network(), MSELoss, 0.1),
            "Optim: expected loss to be a Loss, got the class MSELoss. Did you mean MSELoss()?",
        ),
        ((network(), Tanh(), 0.1), "Optim: expected loss to be a Loss, got Tanh()."),
        (
            (network(), MSELoss(), SGD),
            "Optim: expected rule to be a number, a recipe or a bound rule, got the class SGD. Did you mean SGD()?",
        ),
        ((network(), MSELoss(), True), "Optim: expected rule to be a number, a recipe or a bound rule, got True."),
    ],
)
def test_arguments_of_another_kind(arguments: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        Optim(*arguments)
    assert str(caught.value) == message


def test_networks_and_losses_that_do_not_go_together() -> None:
    softmax = Sequential(network(), maillon.Softmax())
    with pytest.raises(ValueError, match="from_logits=False"):
        Optim(softmax, maillon.CrossEntropyLoss(), 0.1)
    Optim(softmax, maillon.CrossEntropyLoss(from_logits=False), 0.1)

    class Twice(Module):
        def __init__(self) -> None:
            self.first = Linear(1, 1)
            self.second = self.first

    with pytest.raises(ValueError, match=r"Optim: the same Linear\(1, 1\) stands at first and at second"):
        Optim(Twice(), MSELoss(), 0.1)
    with pytest.raises(ValueError, match="The network has nothing to learn"):
        Optim(Tanh(), MSELoss(), 0.1)


def test_steps_on_whatever_users_hold() -> None:
    first = Optim(network(), MSELoss(), 0.1)
    second = Optim(network(), MSELoss(), 0.1)
    assert first.step(X.tolist(), Y.astype(np.float64)) == second.step(X, Y)
    labelled = Optim(network(), maillon.CrossEntropyLoss(), 0.1)
    again = Optim(network(), maillon.CrossEntropyLoss(), 0.1)
    assert labelled.step(X, [0, 1, 0, 1, 1, 0]) == again.step(X, np.array([0, 1, 0, 1, 1, 0], np.uint8))


def test_several_inputs_by_place_and_by_name() -> None:
    a, b, y = Generator(7).randn((3, 6, 3))
    first, second = (Optim(Product(), MSELoss(), 0.1) for _ in range(2))
    assert first.step((a, b), y) == second.step({"b": b, "a": a}, y)
    np.testing.assert_array_equal(first.network.scale.data, second.network.scale.data)


def test_sample_weights() -> None:
    weights = np.array([1, 0, 2, 1, 1, 1])
    twice = np.array([0, 2, 2, 3, 4, 5])
    for reduction in ("sum", "none"):
        weighted = Optim(network(), MSELoss(reduction=reduction), 0.01)
        repeated = Optim(network(), MSELoss(reduction="sum"), 0.01)
        assert weighted.step(X, Y, weights) == pytest.approx(repeated.step(X[twice], Y[twice]), rel=1e-6)
        for name, array in weighted.network.state_dict().items():
            np.testing.assert_allclose(array, repeated.network.state_dict()[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("x", "y", "error", "match"),
    [
        (X[:, :2], Y, LinkShapeError, r"Sequential\[0\] Linear\(3, 4\): expected x of shape \(\*, 3\)"),
        (X, Y[:, 0], LinkShapeError, r"expected target of shape \(6, 2\)"),
        (np.full((6, 3), "a"), Y, TypeError, "x: expected real numbers, got dtype <U1"),
        (X, np.full((6, 2), 1e300), ValueError, r"y: 1e\+300 at index \(0, 0\) is too large"),
    ],
)
def test_a_failed_step_leaves_everything(x: Any, y: Any, error: type[Exception], match: str) -> None:
    optim = Optim(network(), MSELoss(), SGD(lr=0.1, momentum=0.9))
    optim.step(X, Y)
    before = copy.deepcopy(optim.network.state_dict()), copy.deepcopy(optim.rule.state_dict())
    with pytest.raises(error, match=match):
        optim.step(x, y)
    for name, array in optim.network.state_dict().items():
        np.testing.assert_array_equal(array, before[0][name])
    for number, own in optim.rule.state_dict()["state"].items():
        np.testing.assert_array_equal(own["momentum_buffer"], before[1]["state"][number]["momentum_buffer"])


class Burst(Module):
    """Puts out infinity; its backward is never asked."""

    def forward(self, x: Array) -> Array:
        return self.keep(np.full_like(x, np.inf))


def test_a_loss_that_is_not_finite_stops_before_the_update() -> None:
    chain = Sequential(network(), Sequential(Tanh(), Burst()), maillon.Identity())
    optim = Optim(chain, MSELoss(), SGD(lr=0.1, momentum=0.9))
    before = chain.state_dict()
    with pytest.raises(NonFiniteLossError) as caught:
        optim.step(X, Y)
    assert caught.value.link == "Sequential[1][1] Burst()"
    assert (caught.value.epoch, caught.value.batch, caught.value.history) == (None, None, None)
    assert str(caught.value) == (
        "The loss became inf. The first link whose output is not finite: Sequential[1][1] Burst(). The step was "
        "not applied. Lower the rate, normalise the data, or look at the parameters before this step."
    )
    caught.value.epoch, caught.value.batch = 3, 7
    assert str(caught.value).startswith("The loss became inf in epoch 3, batch 7. ")
    for name, array in chain.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert optim.rule.state == {}
    assert all(module.kept_output is None for module in [*chain.modules(), optim.loss])


def test_data_that_are_not_finite_are_named_first() -> None:
    wrong = X.copy()
    wrong[2, 1] = np.nan
    optim = Optim(network(), MSELoss(), 0.1)
    with pytest.raises(NonFiniteLossError) as caught:
        optim.step(wrong, Y)
    assert caught.value.link == "none, x itself holds NaN or infinite values"
    assert np.isnan(caught.value.loss)


def test_a_target_that_is_not_finite_is_the_losss_affair() -> None:
    with pytest.raises(NonFiniteLossError) as caught:
        Optim(network(), MSELoss(), 0.1).step(X, Y * np.nan)
    assert caught.value.link == "the loss MSELoss()"
    with pytest.raises(NonFiniteLossError) as caught:
        Optim(Linear(3, 2), MSELoss(reduction="none"), 0.1).step((X * 1e19), Y * 1e19)
    assert "MSELoss" in caught.value.link


def test_several_inputs_and_outputs_are_looked_through() -> None:
    class Halves(Product):
        def forward(self, a: Array, b: Array) -> Any:
            product = super().forward(a, b)
            self.__dict__["_kept"] = ((product, (product * np.nan, None)), ())
            return product * np.nan

    a, b, y = Generator(7).randn((3, 6, 3))
    with pytest.raises(NonFiniteLossError) as caught:
        Optim(Halves(), MSELoss(), 0.1).step((a, b), y)
    assert caught.value.link == "Halves()"
    with pytest.raises(NonFiniteLossError, match="x itself holds NaN"):
        Optim(Product(), MSELoss(), 0.1).step({"a": a, "b": b * np.nan}, y)
