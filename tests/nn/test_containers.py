"""Sequential as a list of links, and what it says when one of them fails."""

import numpy as np
import pytest

import maillon
from maillon import Linear, ReLU, Sequential, Tanh
from maillon.nn import LinkShapeError, LinkStateError
from maillon.random import Generator


@pytest.fixture
def network() -> Sequential:
    return Sequential(Linear(3, 4, generator=Generator(1)), Tanh(), Linear(4, 2, generator=Generator(2)))


def test_it_indexes_slices_and_iterates(network: Sequential) -> None:
    assert len(network) == 3
    assert list(network) == [network[0], network[1], network[2]]
    assert network[-1] is network[2] is network["2"]
    assert network[:2][1] is network[1]
    assert list(network[1:].state_dict()) == ["2.weight", "2.bias"]  # a slice keeps the names, as PyTorch's
    assert getattr(network, "0") is network[0]
    with pytest.raises(IndexError, match="Sequential: no link 3; there are 3"):
        network[3]
    with pytest.raises(KeyError, match="Sequential: no link 'last'; there are 0, 1, 2"):
        network["last"]
    with pytest.raises(KeyError, match="there are none"):
        Sequential()["last"]
    with pytest.raises(AttributeError, match="Sequential has no attribute or link 'last'"):
        _ = network.last


def test_it_changes_in_place(network: Sequential) -> None:
    first, tanh, last = network
    assert network.append(ReLU()) is network
    network.insert(1, last.share())
    assert [name for name, _ in network.named_children()] == ["0", "1", "2", "3", "4"]
    del network[1]
    del network[-1:]
    assert network.append(extra := ReLU()).pop() is extra
    assert list(network) == [first, tanh, last]
    network[1] = relu = ReLU()
    assert network[1] is relu
    network.extend([Tanh(), Tanh()])
    assert len(network) == 5


def test_named_links_keep_their_names_through_changes() -> None:
    network = Sequential({"in": Linear(2, 3), "bend": Tanh()})
    network.append(Linear(3, 1))
    network["bend"] = ReLU()
    assert list(dict(network.named_children())) == ["in", "bend", "2"]
    assert list(network.state_dict()) == ["in.weight", "in.bias", "2.weight", "2.bias"]
    assert repr(network) == "Sequential({\n  'in': Linear(2, 3),\n  'bend': ReLU(),\n  '2': Linear(3, 1),\n})"
    assert list(dict(network[:2].named_children())) == ["in", "bend"]
    assert network.bend is network[1]
    bend = network.bend
    assert network.pop("bend") is bend
    assert list(network.state_dict()) == ["in.weight", "in.bias", "1.weight", "1.bias"]


@pytest.mark.parametrize("name", ["a.b", "", 3])
def test_names_without_dots(name: object) -> None:
    with pytest.raises(ValueError, match="is taken, empty, not a string or has a dot"):
        Sequential({name: Tanh()})


def test_a_class_is_no_link() -> None:
    with pytest.raises(TypeError) as caught:
        Sequential(Linear(1, 1), Tanh)
    assert str(caught.value) == ("Sequential[1]: expected a Module, got the class Tanh. Did you mean Tanh()?")
    with pytest.raises(TypeError, match=r"Sequential\[0\]: expected a Module, got 3\.$"):
        Sequential(3)


def test_one_link_stands_at_one_place() -> None:
    tanh = Tanh()
    with pytest.raises(ValueError) as caught:
        Sequential(tanh, Sequential(Linear(1, 1), tanh))
    assert str(caught.value) == (
        "Sequential: the same Tanh() stands at [0] and at [1][1], and what it keeps for backward would be "
        "overwritten. Use link.share() for the second: a link of its own with the same Parameters."
    )
    network = Sequential(tanh)
    with pytest.raises(ValueError, match=r"stands at \[0\] and at \[1\]"):
        network.append(tanh)
    assert len(network) == 1  # unchanged


def test_an_empty_chain_changes_nothing() -> None:
    network, x = Sequential(), np.ones(2)
    assert network(x) is x
    assert network.backward(x) is x
    assert repr(network) == "Sequential()"
    assert network.output_link() is network
    network.backward_parameters(x)


def test_the_last_link_of_a_nest_is_the_output_link() -> None:
    softmax = maillon.Softmax()
    assert Sequential(Linear(1, 1), Sequential(Tanh(), Sequential(softmax))).output_link() is softmax


def test_errors_say_where_in_the_nest(network: Sequential) -> None:
    outer = Sequential(Tanh(), network)
    with pytest.raises(LinkShapeError, match=r"^Sequential\[1\]\[0\] Linear\(3, 4\): expected x of shape \(\*, 3\)"):
        outer(np.zeros((2, 5), np.float32))
    outer.forget()
    with pytest.raises(LinkStateError, match=r"^Sequential\[1\]\[2\] Linear\(4, 2\): backward\(\) without"):
        outer.backward(np.zeros((2, 2), np.float32))
    with pytest.raises(LinkStateError, match=r"^Sequential\[1\]\[2\] Linear\(4, 2\): backward\(\) without"):
        outer.backward_parameters(np.zeros((2, 2), np.float32))


@pytest.mark.parametrize("frozen", [[], ["0.weight", "0.bias"], ["0.weight", "0.bias", "2.weight", "2.bias"]])
def test_backward_parameters_is_backward_for_the_parameters(network: Sequential, frozen: list[str]) -> None:
    chain = Sequential(maillon.Flatten(), network, maillon.Sigmoid())
    for name, parameter in network.named_parameters():
        parameter.requires_grad = name not in frozen
    x = Generator(3).randn((5, 3, 1))
    grad_output = Generator(4).randn((5, 2))
    chain(x)
    chain.backward(grad_output)
    expected = {name: parameter.grad for name, parameter in chain.named_parameters()}
    chain.zero_grad()
    chain(x)
    chain.backward_parameters(grad_output)
    for name, parameter in chain.named_parameters():
        if expected[name] is None:
            assert parameter.grad is None
        else:
            np.testing.assert_array_equal(parameter.grad, expected[name])
    assert all(module.kept_output is None for module in chain.modules())  # nothing stays behind
