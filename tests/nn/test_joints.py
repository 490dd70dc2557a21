"""The joints: what they refuse, show and leave behind; tuples in a Sequential."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import maillon
from maillon import Add, Concat, Identity, Linear, Multiply, Parallel, Residual, Sequential, Tanh, WeightedSum
from maillon.nn import LinkDtypeError, LinkShapeError, LinkStateError, Module
from maillon.random import Generator
from maillon.typing import Array


def ones(*shape: int) -> Array:
    return np.ones(shape, np.float32)


WRONG_CALLS: list[tuple[Callable[[], Module], tuple[Any, ...], str]] = [
    (Add, (), "Add(): expected at least one input, got none."),
    (
        Add,
        (ones(4, 3), ones(4, 1)),
        "Add(): expected input 1 of shape (4, 3), that of input 0, got (4, 1). Nothing is broadcast: bring both to one "
        "shape, with a Linear for instance.",
    ),
    (
        Multiply,
        (ones(2), ones(2), ones()),
        "Multiply(): expected input 2 of shape (2,), that of input 0, got (). Nothing is broadcast: bring both to one "
        "shape, with a Linear for instance.",
    ),
    (
        Multiply,
        (ones(2), np.ones(2)),
        "Multiply(): expected input 1 of dtype float32, got float64. Convert it with input 1.astype('float32').",
    ),
    (
        lambda: WeightedSum((0.5, 0.5)),
        (ones(2),) * 3,
        "WeightedSum((0.5, 0.5)): expected 2 inputs, one for each weight, got 3.",
    ),
    (
        lambda: Concat(2),
        (ones(2, 3), ones(2, 3)),
        "Concat(dim=2): expected input 0 with a dimension 2, got shape (2, 3). The first dimension is the batch.",
    ),
    (
        Concat,
        (ones(2, 3, 4), ones(2, 5, 3)),
        "Concat(): expected input 1 of shape (2, *, 4), like input 0, got (2, 5, 3). All dimensions but dim = 1 must "
        "agree.",
    ),
    (
        lambda: Concat(0),
        (ones(2), ones(2, 1)),
        "Concat(dim=0): expected input 1 of shape (*,), like input 0, got (2, 1). All dimensions but dim = 0 must "
        "agree.",
    ),
    (
        lambda: Residual(Linear(3, 4)),
        (ones(2, 3),),
        "Residual(Linear(3, 4)): expected the link's output of shape (2, 3), that of x, got (2, 4). Give a shortcut "
        "that leads to the link's shape, a Linear for instance.",
    ),
    (
        lambda: Residual(Sequential(Linear(3, 4)), Linear(3, 5)),
        (ones(2, 3),),
        "Residual(…): expected the link's output of shape (2, 5), that of the shortcut, got (2, 4). Both ways must "
        "lead to one shape.",
    ),
    (
        lambda: Residual(Linear(3, 3), Sequential(Linear(2, 3))),
        (ones(2, 3),),
        "Residual[shortcut][0] Linear(2, 3): expected x of shape (*, 2), got (2, 3). The last dimension must be "
        "in_features = 2.",
    ),
    (
        lambda: Parallel(Linear(3, 2), Tanh()),
        (ones(2, 3), ones(2), ones(2)),
        "Parallel(…): expected 2 inputs, one for each link, or one for all, got 3.",
    ),
    (
        lambda: Sequential(Parallel({"left": Linear(3, 2), "right": Linear(2, 2)})),
        (ones(4, 3),),
        "Sequential[0][right] Linear(2, 2): expected x of shape (*, 2), got (4, 3). The last dimension must be "
        "in_features = 2.",
    ),
    (
        lambda: Sequential(Parallel(Tanh(), Tanh()), Linear(3, 2)),
        (ones(4, 3),),
        "Sequential[1] Linear(3, 2): expected x to be one NumPy array of dtype float32, got a tuple of 2. Give one of "
        "them: in a Graph the outputs of a link have the names 'link.0', 'link.1', …",
    ),
]


@pytest.mark.parametrize(("make", "inputs", "message"), WRONG_CALLS, ids=[case[2][:40] for case in WRONG_CALLS])
def test_a_wrong_call_says_where_and_what(make: Callable[[], Module], inputs: tuple[Any, ...], message: str) -> None:
    with pytest.raises((LinkShapeError, LinkDtypeError)) as caught:
        make()(*inputs)
    assert str(caught.value) == message


WRONG_MADE: list[tuple[Callable[[], Module], str]] = [
    (lambda: Concat(1.0), "Concat: expected dim to be an integer, got 1.0."),
    (lambda: Concat(True), "Concat: expected dim to be an integer, got True."),
    (
        lambda: WeightedSum(0.5),  # type: ignore[arg-type]
        "WeightedSum: expected weights to be a sequence of at least one number, got 0.5.",
    ),
    (
        lambda: WeightedSum(()),
        "WeightedSum: expected weights to be a sequence of at least one number, got ().",
    ),
    (
        lambda: WeightedSum((1.0, float("inf"))),
        "WeightedSum: expected weights[1] to be a finite number, got inf.",
    ),
    (Parallel, "Parallel: expected at least one link, got none."),
    (lambda: Parallel(Tanh(), "x"), "Parallel[1]: expected a Module, got 'x'."),
    (
        lambda: Residual(Tanh),
        "Residual: expected link to be a Module, got the class Tanh. Did you mean Tanh()?",
    ),
    (lambda: Residual(Tanh(), 3), "Residual: expected shortcut to be a Module, got 3."),
    (
        lambda: Parallel(*[Tanh()] * 2),
        "Parallel: the same Tanh() stands at [0] and at [1], and what it keeps for backward would be overwritten. Use "
        "link.share() for the second: a link of its own with the same Parameters.",
    ),
]


@pytest.mark.parametrize(("make", "message"), WRONG_MADE, ids=[case[1][:40] for case in WRONG_MADE])
def test_a_wrong_link_is_refused_when_it_is_made(make: Callable[[], Module], message: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        make()
    assert str(caught.value) == message


def test_they_show_what_they_are_made_of() -> None:
    assert repr(Concat()) == "Concat()"
    assert repr(Concat(-1)) == "Concat(dim=-1)"
    assert repr(WeightedSum([1, 0.25])) == "WeightedSum((1.0, 0.25))"
    assert repr(Residual(Linear(2, 2))) == "Residual(Linear(2, 2))"
    assert repr(Residual(Tanh(), Linear(2, 3))) == "Residual(Tanh(), shortcut=Linear(2, 3))"
    assert repr(Parallel({"a": Tanh(), "b": Add()})) == "Parallel({\n  'a': Tanh(),\n  'b': Add(),\n})"


def test_children_have_the_names_of_their_places() -> None:
    assert list(Residual(Linear(2, 2), Linear(2, 2, bias=False)).state_dict()) == [
        "link.weight",
        "link.bias",
        "shortcut.weight",
    ]
    ways = Parallel(Tanh(), Linear(2, 2))
    assert list(ways.state_dict()) == ["1.weight", "1.bias"]
    assert len(ways) == 2
    assert ways[1] is ways["1"]
    assert len(ways.append(Tanh())) == 3
    assert list(Parallel({"a": Linear(1, 1)}).state_dict()) == ["a.weight", "a.bias"]


def test_zeros_do_no_harm_to_a_product() -> None:
    product = Multiply()
    product(np.array([0.0, 2.0]), np.array([3.0, 0.0]), np.array([0.0, 5.0]))
    left, middle, right = product.backward(np.ones(2))
    assert (left.tolist(), middle.tolist(), right.tolist()) == ([0, 0], [0, 10], [0, 0])


@pytest.mark.parametrize("join", [Add(), Multiply(), Concat(0)])
def test_a_tuple_counts_as_several_inputs_and_its_gradient_is_a_tuple(join: Module) -> None:
    x, z = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    several, one = join(x, z), join((x, z))
    assert several.tolist() == one.tolist()
    assert len(join.backward(np.ones_like(one))) == 2
    join((x,))
    (dx,) = join.backward(np.ones(2))
    join(x)
    assert join.backward(np.ones(2)).tolist() == dx.tolist()


def test_outputs_are_arrays_also_of_single_numbers() -> None:
    for link in (Add(), WeightedSum((0.5, 2.0)), Multiply()):
        assert type(link(np.array(1.0), np.array(2.0))) is np.ndarray
    assert type(Residual(Identity())(np.array(1.0))) is np.ndarray


class Subtract(Module):
    """x − z: a user's link of two inputs."""

    def forward(self, x: Array, z: Array) -> Array:
        return self.keep(x - z)

    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        self.release(grad_output)
        return grad_output, -grad_output


class Pair(Module):
    """A user's link that takes a tuple as one input, and may take a second one."""

    def forward(self, pair: tuple[Array, Array], scale: float = 1.0) -> Array:
        return self.keep(scale * (pair[0] - pair[1]))

    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        self.release(grad_output)
        return grad_output, -grad_output


X = Generator(4).normal((4, 3), dtype=np.float64)


@pytest.mark.parametrize(
    "join", [Subtract(), Pair(), Sequential(Subtract(), Identity()), Sequential(Identity(), Subtract())]
)
def test_a_tuple_goes_on_as_several_inputs_to_a_link_that_takes_several(join: Module) -> None:
    network = Sequential(Parallel(Tanh(), Identity()), join)
    assert np.array_equal(network(X), np.tanh(X) - X)
    assert np.allclose(network.backward(np.ones_like(X)), -(np.tanh(X) ** 2))
    maillon.check.check_module(network, X)


def test_a_chain_takes_several_inputs_by_place_and_by_name() -> None:
    network = Sequential(Subtract(), Tanh())
    expected = network(X, 2 * X)
    assert np.array_equal(expected, np.tanh(-X))
    dx, dz = network.backward(np.ones_like(X))
    assert np.array_equal(dx, -dz)
    assert np.array_equal(network(z=2 * X, x=X), expected)
    assert np.array_equal(network((X, 2 * X)), expected)
    maillon.check.check_module(network, X, 2 * X)
    with pytest.raises(LinkShapeError, match=r"^Sequential\[0\]\[1\] Add\(\): expected input 1 of shape"):
        Sequential(Sequential(Identity(), Add()), Tanh())(X, X[:1])
    with pytest.raises(TypeError, match="unexpected keyword argument 'w'"):
        network(w=X)


def test_one_way_alone_is_a_tuple_of_one() -> None:
    network = Sequential(Parallel(Tanh()), Concat())
    assert np.array_equal(network(X), np.tanh(X))
    assert network.backward(np.ones_like(X)).shape == X.shape


class Labels(Module):
    """Integers, which have no gradient."""

    def forward(self, x: Array) -> Array:
        return self.keep(x.argmax(axis=1))

    def backward(self, grad_output: Array) -> None:
        raise AssertionError("nobody has a gradient for integers")


def test_ways_without_a_gradient_add_nothing() -> None:
    ways = Parallel(Tanh(), Labels())
    ways(X)
    dx = ways.backward((np.ones_like(X), None))
    assert np.allclose(dx, 1 - np.tanh(X) ** 2)
    ways(X)
    assert not ways.backward((None, None)).any()
    maillon.check.check_module(Parallel(Tanh(), Linear(3, 2)), X)
    assert all(module.kept_output is None for module in ways.modules())


@pytest.mark.parametrize("frozen", [(), ("link",), ("shortcut",), ("link", "shortcut")])
def test_residual_backward_parameters_is_backward_for_the_parameters(frozen: tuple[str, ...]) -> None:
    network = Residual(Sequential(Linear(3, 4), Tanh(), Linear(4, 2)), Linear(3, 2)).to("float64")
    same_for_the_parameters(network, frozen)


@pytest.mark.parametrize("frozen", [(), ("0",), ("1",), ("0", "1")])
def test_parallel_backward_parameters_is_backward_for_the_parameters(frozen: tuple[str, ...]) -> None:
    same_for_the_parameters(Parallel(Linear(3, 2), Sequential(Tanh(), Linear(3, 1))).to("float64"), frozen)


def same_for_the_parameters(network: Module, frozen: tuple[str, ...]) -> None:
    for name, parameter in network.named_parameters():
        parameter.requires_grad = name.split(".")[0] not in frozen
    output = network(X)
    grad = tuple(map(np.ones_like, output)) if isinstance(output, tuple) else np.ones_like(output)
    network.backward(grad)
    expected = {name: parameter.grad for name, parameter in network.named_parameters()}
    network.zero_grad()
    network(X)
    network.backward_parameters(grad)
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == (not parameter.requires_grad)
        assert parameter.grad is None or np.array_equal(parameter.grad, expected[name])
    assert all(module.kept_output is None for module in network.modules())  # nothing stays behind
    with pytest.raises(LinkStateError, match="without a forward"):
        network.backward_parameters(grad)
