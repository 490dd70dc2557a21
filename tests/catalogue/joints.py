"""Sequential, and what joins inputs or branches: Add, WeightedSum, Multiply, Concat, Residual, Parallel, Graph."""

from collections import OrderedDict
from typing import Any

from naive import joints as naive
from naive.activations import RELU, SIGMOID, TANH, softmax
from naive.linear.linear import flattened, linear
from naive.norms.dropout import dropped
from naive.values import along

import maillon as M
from catalogue.rows import Row, normal, words
from maillon.nn import Graph, Module
from maillon.random import Generator
from maillon.typing import Array

BEYOND_TORCH = {"Sequential", "Add", "WeightedSum", "Multiply", "Concat", "Residual", "Parallel", "Graph"}


def shared() -> Module:
    first = M.Linear(3, 3)
    return M.Sequential(first, M.Tanh(), first.share())


def torch_shared(torch: Any) -> Any:
    first = torch.nn.Linear(3, 3)
    return torch.nn.Sequential(first, torch.nn.Tanh(), first)


def diamond() -> Graph:
    """One value used three times, the nodes given from the end to the beginning."""
    nodes = {
        "y": (M.Add(), "gate", "a", "x"),
        "gate": (M.Multiply(), "b", "a"),
        "b": (M.Sigmoid(), "a"),
        "a": (M.Linear(3, 3), "x"),
    }
    return Graph("x", nodes, "y")


def naive_diamond(network: Graph, x: Array) -> Array:
    a = linear(network["a"], x)
    return naive.add(None, naive.multiply(None, SIGMOID(None, a), a), a, x)


def two_by_two() -> Graph:
    """Two inputs, two outputs, one of them in between, and weights that two nodes share."""
    first = M.Linear(3, 4)
    nodes = {
        "left": (first, "x"),
        "right": (first.share(), "z"),
        "both": (M.Concat(), "left", "right"),
        "y": (M.Linear(8, 2), "both"),
    }
    return Graph(["x", "z"], nodes, ["y", "left"])


def naive_two_by_two(network: Graph, x: Array, z: Array) -> tuple[Array, Array]:
    left, right = linear(network["left"], x), linear(network["right"], z)
    return linear(network["y"], naive.concat(1)(None, left, right)), left


def parts() -> Graph:
    """Parts of a nested output by their places; one of them is used by nobody."""
    nodes = {
        "ways": (M.Parallel(M.Parallel(M.Tanh(), M.Linear(3, 3)), M.Sigmoid(), M.ReLU()), "x"),
        "y": (M.Add(), "ways.0.1", "ways.1"),
    }
    return Graph(["x"], nodes, "y")


def naive_parts(network: Graph, x: Array) -> Array:
    return naive.add(None, linear(network["ways"][0][1], x), SIGMOID(None, x))


def whole_tuples() -> Graph:
    """A tuple that goes on as one source, and one that is an output of the whole."""
    nodes = {"ways": (M.Parallel(M.Tanh(), M.Sigmoid()), "x"), "y": (M.Multiply(), "ways")}
    return Graph("x", nodes, ("y", "ways"))


def naive_whole_tuples(_network: Graph, x: Array) -> Any:
    ways = TANH(None, x), SIGMOID(None, x)
    return naive.multiply(None, *ways), ways


def inception() -> Module:
    return M.Sequential(M.Linear(3, 3), M.Parallel(M.Tanh(), M.Linear(3, 2)), M.Concat(), M.Sigmoid())


def naive_inception(network: Any, x: Array) -> Array:
    hidden = linear(network[0], x)
    return SIGMOID(None, naive.concat(1)(None, TANH(None, hidden), linear(network[1][1], hidden)))


LINEAR_WRONG = ((normal(4, 5),), (normal(),), (normal(3, 4),))
PAIR = (normal(4, 3), normal(4, 3))
NOT_ALIKE = ((normal(4, 3), normal(4, 1)), (normal(4, 3), normal(3)), (normal(4, 3), normal(4, 3, 1)))

# fmt: off
LINKS = [
    Row("Sequential", lambda: M.Sequential(M.Linear(3, 4), M.Tanh(), M.Linear(4, 2)), (normal(5, 3),),
        naive.chain(linear, TANH, linear),
        lambda t: t.nn.Sequential(t.nn.Linear(3, 4), t.nn.Tanh(), t.nn.Linear(4, 2)), wrong=LINEAR_WRONG),
    Row("Sequential nested",
        lambda: M.Sequential(M.Flatten(), M.Sequential(M.Linear(4, 3), M.ReLU()),
                             M.Sequential(M.Linear(3, 2), M.Softmax())),
        (normal(5, 2, 2),),
        naive.chain(flattened(-1, 4), naive.chain(linear, RELU),
                    naive.chain(linear, along(1, softmax))),
        lambda t: t.nn.Sequential(t.nn.Flatten(), t.nn.Sequential(t.nn.Linear(4, 3), t.nn.ReLU()),
                                  t.nn.Sequential(t.nn.Linear(3, 2), t.nn.Softmax(1))), wrong=((normal(5, 3),),)),
    Row("Sequential of named links", lambda: M.Sequential({"in": M.Linear(3, 2), "out": M.Sigmoid()}), (normal(5, 3),),
        naive.chain(linear, SIGMOID),
        lambda t: t.nn.Sequential(OrderedDict({"in": t.nn.Linear(3, 2), "out": t.nn.Sigmoid()})), wrong=LINEAR_WRONG),
    Row("Sequential with a shared link", shared, (normal(5, 3),), naive.chain(linear, TANH, linear),
        torch_shared),
    Row("Sequential with Dropout", lambda: M.Sequential(M.Linear(3, 4), M.Dropout(0.5, generator=Generator(5))),
        (normal(5, 3),), naive.chain(linear, dropped(0.5, words))),
    Row("Add", M.Add, PAIR, naive.add, wrong=NOT_ALIKE),
    Row("Add of three", M.Add, (*PAIR, normal(4, 3)), naive.add),
    Row("Add of a tuple", M.Add, (PAIR,), naive.add),
    Row("WeightedSum", lambda: M.WeightedSum((0.5, -2.0)), PAIR, naive.weighted_sum,
        wrong=(*NOT_ALIKE, PAIR[:1], (*PAIR, *PAIR))),
    Row("WeightedSum of a tuple of three", lambda: M.WeightedSum([0.1, 3, 0.0]), ((*PAIR, normal(4, 3)),),
        naive.weighted_sum),
    Row("WeightedSum of one", lambda: M.WeightedSum((0.3,)), PAIR[:1], naive.weighted_sum),
    Row("WeightedSum of five", lambda: M.WeightedSum((0.1, 0.2, 0.3, 0.25, 0.15)), PAIR[:1] * 5, naive.weighted_sum),
    Row("Multiply", M.Multiply, PAIR, naive.multiply, wrong=NOT_ALIKE),
    Row("Multiply of four", M.Multiply, (*PAIR, *PAIR), naive.multiply),
    Row("Multiply of one", M.Multiply, PAIR[:1], naive.multiply),
    Row("Concat", M.Concat, (normal(4, 3), normal(4, 1)), naive.concat(1),
        wrong=((normal(4, 3), normal(5, 3)), (normal(4), normal(4)), (normal(4, 3), normal(4, 3, 1)))),
    Row("Concat -1 of three", lambda: M.Concat(-1), (normal(2, 3, 1), normal(2, 3, 4), normal(2, 3, 2)),
        naive.concat(-1)),
    Row("Concat 0 of a tuple", lambda: M.Concat(0), ((normal(2, 3), normal(1, 3)),), naive.concat(0), batched=False),
    Row("Residual", lambda: M.Residual(M.Linear(3, 3)), (normal(4, 3),), naive.residual(linear),
        wrong=((normal(4, 2),),)),
    Row("Residual with a shortcut",
        lambda: M.Residual(M.Sequential(M.Linear(3, 4), M.Tanh()), M.Linear(3, 4, bias=False)), (normal(2, 5, 3),),
        naive.residual(naive.chain(linear, TANH), linear)),
    Row("Parallel from one input", lambda: M.Parallel(M.Linear(3, 2), M.Tanh()), (normal(4, 3),),
        naive.parallel(linear, TANH), wrong=((normal(4, 2),),)),
    Row("Parallel of named links", lambda: M.Parallel({"left": M.Linear(3, 2), "right": M.Linear(2, 2)}),
        (normal(4, 3), normal(4, 2)), naive.parallel(linear, linear),
        wrong=((normal(4, 3), normal(4, 2), normal(4, 2)), (normal(4, 3), normal(4, 3)))),
    Row("Graph", diamond, (normal(4, 3),), naive_diamond, wrong=((normal(4, 2),),)),
    Row("Graph of two inputs and outputs", two_by_two, (normal(4, 3), normal(4, 3)), naive_two_by_two,
        wrong=((normal(4, 3), normal(5, 3)),)),
    Row("Graph of parts", parts, (normal(4, 3),), naive_parts),
    Row("Graph of whole tuples", whole_tuples, (normal(4, 3),), naive_whole_tuples),
    Row("Sequential of Parallel and Concat", inception, (normal(4, 3),), naive_inception),
]
# fmt: on
