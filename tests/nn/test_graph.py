"""Graph: what it refuses, how it is called, in which order it works, and what it passes back."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon import Add, Concat, Graph, Linear, Multiply, Parallel, Sequential, Sigmoid, Tanh
from maillon.nn import LinkShapeError, LinkStateError, Module
from maillon.random import Generator
from maillon.typing import Array

X = Generator(4).normal((4, 3), dtype=np.float64)
Z = Generator(5).normal((4, 3), dtype=np.float64)


def unary(*edges: str) -> dict[str, Any]:
    """Nodes from "a b": b takes a."""
    return {edge.split()[-1]: (Add(), *edge.split()[:-1]) for edge in edges}


WRONG: list[tuple[Any, Any, Any, str]] = [
    (
        "x",
        unary("x c a", "a b", "b c"),
        "c",
        "Graph: the nodes form a circle, a → b → c → a: none of them can be evaluated first. A value that comes back "
        "needs a recurrent link.",
    ),
    (
        "x",
        unary("b y", "x a a", "a b"),
        "y",
        "Graph: the nodes form a circle, a → a: none of them can be evaluated first. A value that comes back needs a "
        "recurrent link.",
    ),
    (
        "x",
        unary("x s", "s q p", "p q", "q y"),
        "y",
        "Graph: the nodes form a circle, p → q → p: none of them can be evaluated first. A value that comes back "
        "needs a recurrent link.",
    ),
    ("x", unary("x a", "b y"), "y", "Graph[y]: no input or node 'b' to take; there are 'x', 'a' and 'y'."),
    ("x", unary("x a"), "y", "Graph: no input or node 'y' to return; there are 'x' and 'a'."),
    (
        "x",
        unary("x a", "a b", "a c", "a y"),
        "y",
        "Graph: no output depends on 'b' and 'c'. Leave out what is not wanted.",
    ),
    (
        ["x", "z", "w"],
        unary("x y"),
        "y",
        "Graph: no node takes the input 'z' and 'w'. Leave out what is not used.",
    ),
    (["x", "x"], unary("x y"), "y", "Graph: the name 'x' is taken, empty or not a string, as a whole or between dots."),
    (
        ["x"],
        {"x": (Tanh(), "x")},
        "x",
        "Graph: the name 'x' is taken, empty or not a string, as a whole or between dots.",
    ),
    (
        "x",
        {"a.": (Tanh(), "x")},
        "a.",
        "Graph: the name 'a.' is taken, empty or not a string, as a whole or between dots.",
    ),
    ("x.0", unary("x.0 y"), "y", "Graph: the input 'x.0' has a dot, and could not be given by name."),
    (
        "x",
        unary("x a", "a a.0"),
        "a.0",
        "Graph: the name 'a.0' begins with that of 'a', of which it would be a part. Call one of them otherwise.",
    ),
    ([], unary("x y"), "y", "Graph: expected at least one input, got none."),
    ("x", unary("x y"), [], "Graph: expected at least one output, got none."),
    (
        "x",
        {"y": (Tanh(), "x.h")},
        "y",
        "Graph: expected the name of an input or a node, or a place in its output such as 'lstm.0', got 'x.h'.",
    ),
    ("x", {"y": Tanh()}, "y", "Graph[y]: expected (link, source, …) with at least one source, got Tanh()."),
    ("x", {"y": (Tanh(),)}, "y", "Graph[y]: expected (link, source, …) with at least one source, got (Tanh(),)."),
    (
        "x",
        {"y": (Tanh, "x")},
        "y",
        "Graph[y]: expected a Module first, got the class Tanh. Did you mean Tanh()?",
    ),
    ("x", [(Tanh(), "x")], "y", "Graph: expected nodes to be {name: (link, source, …)}, got list."),
]


@pytest.mark.parametrize(("inputs", "nodes", "outputs", "message"), WRONG, ids=[case[3][:45] for case in WRONG])
def test_a_wrong_graph_is_refused_when_it_is_made(inputs: Any, nodes: Any, outputs: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        Graph(inputs, nodes, outputs)
    assert str(caught.value) == message


def test_one_link_stands_at_one_node() -> None:
    tanh = Tanh()
    with pytest.raises(ValueError, match=r"^Graph: the same Tanh\(\) stands at \[a\] and at \[b\]\[0\], "):
        Graph("x", {"a": (tanh, "x"), "b": (Sequential(tanh), "a")}, "b")


def two_inputs(**more: Any) -> Graph:
    nodes = {"a": (Linear(3, 4), "x"), "b": (Linear(3, 4), "z"), "y": (Multiply(), "a", "b")}
    return Graph(["x", "z"], nodes | more, "y").to("float64")


WRONG_CALLS: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: two_inputs()(X),
        "Graph(…): expected the inputs 'x' and 'z', got 1 by place. Give each once, in this order or by name.",
    ),
    (
        lambda: two_inputs()(X, Z, X),
        "Graph(…): expected the inputs 'x' and 'z', got 3 by place. Give each once, in this order or by name.",
    ),
    (
        lambda: two_inputs()(X, x=X),
        "Graph(…): expected the inputs 'x' and 'z', got 1 by place and 'x'. Give each once, in this order or by name.",
    ),
    (
        lambda: two_inputs()(x=X, w=Z),
        "Graph(…): expected the inputs 'x' and 'z', got 'x' and 'w'. Give each once, in this order or by name.",
    ),
    (
        lambda: two_inputs()(),
        "Graph(…): expected the inputs 'x' and 'z', got none. Give each once, in this order or by name.",
    ),
    (
        lambda: two_inputs()(X, Z[:, :2]),
        "Graph[b] Linear(3, 4, dtype='float64'): expected x of shape (*, 3), got (4, 2). The last dimension must be "
        "in_features = 3.",
    ),
    (
        lambda: Sequential(Tanh(), Graph("x", {"a": (Sequential(Linear(2, 1)), "x")}, "a"))(X),
        "Sequential[1][a][0] Linear(2, 1): expected x of dtype float32, got float64. Convert it with "
        "x.astype('float32'), or the link with .to('float64').",
    ),
    (
        lambda: Graph("x", {"a": (Parallel(Tanh(), Tanh()), "x"), "y": (Tanh(), "a.2")}, "y")(X),
        "Graph[y] Tanh(): expected 'a.2' to be there, got 2 outputs there from 'a'. Places count from 0.",
    ),
    (
        lambda: Graph("x", {"a": (Tanh(), "x")}, "a.0")(X),
        "Graph(…): expected 'a.0' to be there, got a single output there from 'a'. Places count from 0.",
    ),
]


@pytest.mark.parametrize(("call", "message"), WRONG_CALLS, ids=[case[1][:60] for case in WRONG_CALLS])
def test_a_wrong_call_says_at_which_node(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((LinkShapeError, TypeError)) as caught:
        call()
    assert str(caught.value) == message


def test_inputs_come_by_place_by_name_or_in_a_tuple() -> None:
    network = two_inputs()
    expected = network(X, Z)
    for again in (network(X, z=Z), network(z=Z, x=X), network((X, Z)), network.forward(X, Z)):
        assert np.array_equal(again, expected)
    named = Graph(["input", "self"], {"y": (Add(), "input", "self")}, "y")
    assert np.array_equal(named(**{"input": X, "self": Z}), X + Z)
    assert np.array_equal(named(X, Z), X + Z)
    one = Graph("x", {"y": (Tanh(), "x")}, "y")
    assert np.array_equal(one(input=X), one(x=X))  # PyTorch's name of the first


def test_nodes_may_be_given_in_any_order_and_work_as_given_where_both_could() -> None:
    seen: list[str] = []

    class Told(Tanh):
        def __init__(self, name: str) -> None:
            self.name = name

        def forward(self, x: Array) -> Array:
            seen.append(self.name)
            return super().forward(x)

        def backward(self, grad_output: Array) -> Array:
            seen.append(self.name)
            return super().backward(grad_output)

    nodes: dict[str, Any] = {"y": (Add(), "c", "b", "a")}
    nodes |= {name: (Told(name), source) for name, source in [("c", "a"), ("b", "x"), ("a", "x")]}
    network = Graph("x", nodes, "y")
    network(X)
    assert seen == ["b", "a", "c"]
    network.backward(np.ones_like(X))
    assert seen == ["b", "a", "c", "c", "a", "b"]
    assert [name for name, _ in network.named_children()] == ["b", "a", "c", "y"]


def test_the_gradients_of_all_uses_add_up() -> None:
    network = Graph("x", {"a": (Tanh(), "x"), "y": (Add(), "a", "x", "a")}, ["y", "a", "x"])
    y, a, x = network(X)
    assert x is X
    dx = network.backward((np.ones_like(y), np.ones_like(a), np.full_like(X, 5)))
    assert np.allclose(dx, 3 * (1 - a * a) + 1 + 5)
    network(X)
    assert np.allclose(network.backward((None, None, np.ones_like(X))), 1)
    network(X)
    assert not network.backward((None, None, None)).any()


def test_an_output_named_twice_stands_twice() -> None:
    network = Graph("x", {"a": (Tanh(), "x")}, ("a", "a"))
    one, other = network(X)
    assert one is other
    assert np.allclose(network.backward((np.ones_like(X), np.ones_like(X))), 2 * (1 - one**2))


def test_a_list_of_one_output_is_a_tuple_of_one() -> None:
    (y,) = Graph(["x"], {"a": (Tanh(), "x")}, ["a"])(X)
    assert np.array_equal(y, np.tanh(X))


def test_nested_inputs_have_gradients_nested_alike() -> None:
    network = Graph(["x", "state"], {"y": (Add(), "x", "state.1.0"), "s": (Tanh(), "y")}, "s")
    labels = np.array([1, 2])
    network(X, (X, (Z, labels, None)))
    dx, (unused, (dz, none, absent)) = network.backward(np.ones_like(X))
    assert np.array_equal(dx, dz)
    assert not unused.any()
    assert unused.shape == X.shape
    assert none is absent is None


class Labels(Module):
    """Integers, which have no gradient, and as many beside them that do."""

    def forward(self, x: Array) -> tuple[Array, Array]:
        return self.keep((np.sort(x, axis=0), x.argsort(axis=0)), x.argsort(axis=0))

    def backward(self, grad_output: Any) -> Array:
        (order,) = self.release(grad_output)
        dx = np.empty_like(grad_output[0])
        np.put_along_axis(dx, order, grad_output[0], axis=0)
        return dx


class Only(Module):
    """Integers alone."""

    def forward(self, x: Array) -> Array:
        return self.keep(x.argmax(axis=1))

    def backward(self, grad_output: Array) -> None:
        raise AssertionError("nobody has a gradient for integers")


class Pick(Module):
    """x by indices: a gradient for x, none for the indices."""

    def forward(self, x: Array, order: Array) -> Array:
        return self.keep(np.take_along_axis(x, order, axis=0), order)

    def backward(self, grad_output: Array) -> tuple[Array, None]:
        (order,) = self.release(grad_output)
        dx = np.empty_like(grad_output)
        np.put_along_axis(dx, order, grad_output, axis=0)
        return dx, None


def test_integers_on_the_way_have_no_gradient() -> None:
    nodes = {"sorted": (Labels(), "x"), "y": (Pick(), "z", "sorted.1"), "label": (Only(), "y")}
    network = Graph(["x", "z"], nodes, ["y", "label"])
    y, label = network(X, Z)
    assert label.dtype.kind == "i"
    dx, dz = network.backward((y, None))
    assert not dx.any()
    assert np.array_equal(np.sort(dz, axis=0), np.sort(Z, axis=0))
    maillon.check.check_module(network, X, Z)
    assert network["label"].kept_output is None


def test_a_link_that_returns_too_few_gradients_is_named() -> None:
    class Half(Module):
        def forward(self, x: Array, z: Array) -> Array:
            return self.keep(x + z)

        def backward(self, grad_output: Array) -> Array:
            self.release(grad_output)
            return grad_output

    network = Graph(["x", "z"], {"y": (Half(), "x", "z")}, "y")
    network(X, Z)
    with pytest.raises(LinkShapeError) as caught:
        network.backward(X)
    assert str(caught.value) == (
        "Graph[y] Half(): expected its backward to return a tuple of 2 gradients, one for each input, got ndarray."
    )


def test_it_shows_itself_so_that_it_can_be_made_again() -> None:
    network = Graph(
        ["x", "z"],
        {"y": (Concat(), "a.0", "z"), "a": (Parallel(Tanh(), Linear(3, 4)), "x")},
        ["y", "a.1"],
    )
    assert repr(network) == (
        "Graph(\n"
        "  inputs=['x', 'z'],\n"
        "  nodes={\n"
        "    'a': (Parallel(\n"
        "      Tanh(),\n"
        "      Linear(3, 4),\n"
        "    ), 'x'),\n"
        "    'y': (Concat(), 'a.0', 'z'),\n"
        "  },\n"
        "  outputs=['y', 'a.1'],\n"
        ")"
    )
    assert repr(eval(repr(network), NAMES)) == repr(network)
    assert "inputs='x'" in repr(Graph(["x"], {"y": (Tanh(), "x")}, "y"))


def test_its_nodes_are_its_children() -> None:
    network = two_inputs()
    assert list(network.state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias"]
    assert len(network) == 3
    assert network["a"] is dict(network.named_children())["a"]
    with pytest.raises(KeyError, match=r"Graph: no node 'c'; there are a, b, y\."):
        network["c"]
    assert network.output_link() is network["y"]


def test_the_output_link_is_that_of_the_one_output() -> None:
    softmax = maillon.Softmax()
    assert Graph("x", {"y": (Sequential(Linear(2, 2), softmax), "x")}, "y").output_link() is softmax
    for outputs in (["y"], "x", "y.0"):
        network = Graph("x", {"y": (Parallel(Tanh()), "x")}, ["y", outputs] if outputs == "x" else outputs)
        assert network.output_link() is network
    with pytest.raises(ValueError, match="from_logits"):
        maillon.Optim(Graph("x", {"y": (maillon.Softmax(), "x")}, "y"), maillon.CrossEntropyLoss(), 0.1)


@pytest.mark.parametrize("frozen", ["", "a", "b", "c", "ab", "bc", "abc", "d", "abcd"])
def test_backward_parameters_is_backward_for_the_parameters(frozen: str) -> None:
    nodes = {
        "a": (Linear(3, 4), "x"),
        "t": (Tanh(), "a"),
        "b": (Linear(3, 4), "z"),
        "s": (Multiply(), "t", "b"),
        "c": (Linear(4, 2), "s"),
        "d": (Linear(3, 2), "z"),
        "y": (Add(), "c", "d"),
    }
    network = Graph(["x", "z"], nodes, ["y", "t"]).to("float64")
    for name, parameter in network.named_parameters():
        parameter.requires_grad = name[0] not in frozen
    grad = tuple(map(np.ones_like, network(X, Z)))
    network.backward(grad)
    expected = {name: parameter.grad for name, parameter in network.named_parameters()}
    network.zero_grad()
    network(X, Z)
    network.backward_parameters(grad)
    for name, parameter in network.named_parameters():
        assert (parameter.grad is None) == (not parameter.requires_grad)
        assert parameter.grad is None or np.array_equal(parameter.grad, expected[name])
    assert all(module.kept_output is None for module in network.modules())  # nothing stays behind
    with pytest.raises(LinkStateError, match=r"^Graph\(…\): backward\(\) without a forward"):
        network.backward_parameters(grad)


def test_backward_parameters_walks_only_what_is_needed() -> None:
    class NoInputGradient(Linear):
        def backward(self, grad_output: Array) -> Array:
            raise AssertionError("nobody needs the gradient of its input")

    class Unneeded(Tanh):
        def backward(self, grad_output: Array) -> Array:
            raise AssertionError("nothing before it learns")

    nodes = {
        "first": (Unneeded(), "x"),
        "a": (NoInputGradient(3, 4), "first"),
        "b": (NoInputGradient(3, 4), "x"),
        "y": (Multiply(), "a", "b"),
    }
    network = Graph("x", nodes, "y").to("float64")
    network.backward_parameters(np.ones_like(network(X)))
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert all(module.kept_output is None for module in network.modules())


def test_a_shared_graph_has_the_same_parameters_and_its_own_memory() -> None:
    network = two_inputs()
    twin = network.share()
    assert [id(p) for p in twin.parameters()] == [id(p) for p in network.parameters()]
    assert twin["a"] is not network["a"]
    both = Graph(["x", "z"], {"one": (network, "x", "z"), "two": (twin, "z", "x"), "y": (Add(), "one", "two")}, "y")
    assert len(list(both.parameters())) == 4
    maillon.check.check_module(both, X, Z)


def test_graphs_stand_in_chains_and_in_graphs() -> None:
    inner = Graph(["u", "v"], {"y": (Multiply(), "u", "v")}, ["y", "v"])
    outer = Graph("x", {"ways": (Parallel(Tanh(), Sigmoid()), "x"), "in": (inner, "ways")}, "in.0")
    network = Sequential(Linear(3, 3), outer, Tanh()).to("float64")
    maillon.check.check_module(network, X)
    chained = Sequential(Parallel(Tanh(), Sigmoid()), inner.share(), Concat())
    assert chained(X).shape == (4, 6)
    maillon.check.check_module(chained, X)


def test_a_graph_tells_what_each_node_takes() -> None:
    nodes = {
        "y": (maillon.Add(), "ways.0.1", "x"),
        "ways": (maillon.Parallel(maillon.Parallel(maillon.Tanh(), maillon.ReLU())), "x"),
    }
    graph = maillon.Graph("x", nodes, "y")
    assert graph.sources == {"ways": ("x",), "y": ("ways.0.1", "x")}
    assert list(graph.sources) == [name for name, _ in graph.named_children()]


def test_names_with_dots_are_the_children_s_and_places_follow_them() -> None:
    ways = Parallel(Linear(3, 3), Tanh())
    network = Graph("x", {"blocks.0": (ways, "x"), "blocks.1": (Add(), "blocks.0.1", "blocks.0.0")}, "blocks.1")
    network.to("float64")
    assert list(network.state_dict()) == ["blocks.0.0.weight", "blocks.0.0.bias"]
    np.testing.assert_array_equal(network(X), ways[0](X) + np.tanh(X))
    assert network["blocks.0"] is network.get_submodule("blocks.0") is ways


def test_nodes_are_what_the_constructor_took() -> None:
    ways, add = Parallel(Tanh(), Sigmoid()), Add()
    network = Graph("x", {"y": (add, "ways.1", "x"), "ways": (ways, "x")}, "y")
    assert network.nodes == {"ways": (ways, "x"), "y": (add, "ways.1", "x")}
    assert list(network.nodes) == ["ways", "y"]
    assert Graph(network.inputs, network.nodes, network.outputs).nodes == network.nodes
