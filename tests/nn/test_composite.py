"""A link of your own made of others: what it must say itself, and what then works by itself."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import maillon
from maillon import Linear, Module, ModuleList, Sequential, Sigmoid, Tanh
from maillon.check import CheckError, check_module
from maillon.nn import LinkShapeError
from maillon.nn.support import errors
from maillon.random import Generator
from maillon.typing import Array

X = Generator(4).normal((6, 3), dtype=np.float64)


class Gated(Module):
    """y = tanh(W x) · σ(V x): the recipe, with errors that say where they happened."""

    def __init__(self, features: int) -> None:
        self.features = features
        self.content = Sequential(Linear(features, features), Tanh())
        self.gate = Sequential(Linear(features, features), Sigmoid())

    def forward(self, x: Array) -> Array:
        with errors.inside(self, "content"):
            a = self.content(x)
        with errors.inside(self, "gate"):
            g = self.gate(x)
        return self.keep(a * g, a, g)

    def backward(self, grad_output: Array) -> Array:
        a, g = self.release(grad_output)
        da, dg = grad_output * g, grad_output * a
        return self.content.backward(da) + self.gate.backward(dg)


class Tower(Module):
    """Gated links one upon the other, all of whose outputs are summed up: children in a list, a loop both ways."""

    def __init__(self, features: int, height: int, shared: bool = False) -> None:
        self.features, self.height, self.shared = features, height, shared
        first = Gated(features)
        self.floors = [first, *((first.share() if shared else Gated(features)) for _ in range(height - 1))]

    def forward(self, x: Array) -> Array:
        total = np.zeros_like(x)
        for floor in self.floors:
            x = floor(x)
            total = total + x
        return self.keep(total)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        dx = np.zeros_like(grad_output)
        for floor in reversed(self.floors):
            dx = floor.backward(dx + grad_output)
        return dx


class WithState(Module):
    """y, h' from x, h: two inputs, two outputs, None where there is no gradient."""

    def __init__(self) -> None:
        self.mix = ModuleList([Linear(3, 2), Linear(2, 2, bias=False)])
        self.bend = Tanh()

    def forward(self, x: Array, h: Array) -> tuple[Array, Array]:
        new = self.bend(self.mix[0](x) + self.mix[1](h))
        return self.keep((new * new, new), new)

    def backward(self, grad_output: tuple[Any, Any]) -> tuple[Array, Array]:
        (new,) = self.release(grad_output)
        dy, dnew = grad_output
        dnew = np.zeros_like(new) if dnew is None else dnew
        dsum = self.bend.backward(dnew if dy is None else dnew + 2 * new * dy)
        return self.mix[0].backward(dsum), self.mix[1].backward(dsum)


LINKS = {
    "gated": (lambda: Gated(3), (X,)),
    "a tower": (lambda: Tower(3, 3), (X,)),
    "a tower of shared floors": (lambda: Tower(3, 3, shared=True), (X,)),
    "with a state": (WithState, (X, X[:, :2])),
    "in a graph": (
        lambda: maillon.Graph(
            ["x", "h"], {"a": (Gated(3), "x"), "s": (WithState(), "a", "h"), "t": (Tanh(), "s.1")}, ["s.0", "t"]
        ),
        (X, X[:, :2]),
    ),
}


@pytest.mark.parametrize("name", LINKS)
def test_it_keeps_the_contract(name: str) -> None:
    make, inputs = LINKS[name]
    assert check_module(make(), *inputs).rules == (1, 2, 3, 4, 5, 6)


def test_the_check_sees_a_child_that_is_left_out() -> None:
    class Forgetful(Gated):
        def backward(self, grad_output: Array) -> Array:
            _, g = self.release(grad_output)
            return self.content.backward(grad_output * g)

    with pytest.raises(CheckError, match=r"Forgetful\(3\)") as caught:
        check_module(Forgetful(3), X)
    assert caught.value.rule in (1, 2)


def test_it_has_the_state_of_its_children() -> None:
    names = ["content.0.weight", "content.0.bias", "gate.0.weight", "gate.0.bias"]
    link = Gated(3)
    assert list(link.state_dict()) == names
    assert list(Tower(3, 2).state_dict()) == [f"floors.{floor}.{name}" for floor in (0, 1) for name in names]
    other = Gated(3)
    other.load_state_dict(link.state_dict())
    x = X.astype(np.float32)
    for same in (other, copy.deepcopy(link), pickle.loads(pickle.dumps(link)), link.share()):
        assert np.array_equal(same(x), link(x))
    assert repr(Tower(3, 2)) == "Tower(3, 2)"
    assert len(list(Tower(3, 5, shared=True).parameters())) == 4


def test_its_errors_say_where() -> None:
    with pytest.raises(LinkShapeError) as caught:
        Sequential(Tanh(), Gated(3))(np.ones((2, 4), np.float32))
    assert str(caught.value) == (
        "Sequential[1][content][0] Linear(3, 3): expected x of shape (*, 3), got (2, 4). The last dimension must be "
        "in_features = 3."
    )


@pytest.mark.parametrize("shared", [False, True])
def test_it_learns_and_predicts(shared: bool) -> None:
    maillon.manual_seed(2)
    network = Sequential(Tower(3, 3, shared), Linear(3, 1))
    y = X[:, :1] * X[:, 1:2]
    history = maillon.fit(network, maillon.MSELoss(), X, y, rule=maillon.Adam(lr=0.02), batch_size=6, epochs=200)
    assert history["loss"][-1] < 0.05 * history["loss"][0]
    assert maillon.predict(network, X, batch_size=2).shape == (6, 1)
    before = maillon.evaluate(network, maillon.MSELoss(), X, y)["loss"]
    assert maillon.Optim(network, maillon.MSELoss(), 0.1).step(X, y) == pytest.approx(
        before, rel=1e-3
    )  # of what is almost 0


def test_shared_weights_have_the_sum_of_their_gradients() -> None:
    maillon.manual_seed(3)
    shared = Tower(3, 3, shared=True).to("float64")
    apart = Tower(3, 3).to("float64")
    for floor in apart.floors:
        floor.load_state_dict(shared.floors[0].state_dict())
    for tower in (shared, apart):
        tower(X)
        tower.backward(np.ones_like(X))
    for name, parameter in shared.floors[0].named_parameters():
        each = [dict(floor.named_parameters())[name].grad for floor in apart.floors]
        np.testing.assert_allclose(parameter.grad, sum(each), rtol=1e-12)
