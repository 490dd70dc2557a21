"""What joins ways and parts them: Add, Multiply, Concat, Residual, Parallel, Graph."""

import math
from typing import Any

import naive
from naive import containers as plain

import maillon as M
from catalogue.rows import NOT_YET, Row, normal
from maillon.nn import Graph, Module
from maillon.typing import Array

BEYOND_TORCH = {"Add", "Multiply", "Concat", "Residual", "Parallel", "Graph"}

TANH, SIGMOID = naive.by_value(math.tanh), naive.by_value(naive.logistic)


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
    a = naive.linear(network["a"], x)
    return plain.add(None, plain.multiply(None, SIGMOID(None, a), a), a, x)


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
    left, right = naive.linear(network["left"], x), naive.linear(network["right"], z)
    return naive.linear(network["y"], plain.concat(1)(None, left, right)), left


def parts() -> Graph:
    """Parts of a nested output by their places; one of them is used by nobody."""
    nodes = {
        "ways": (M.Parallel(M.Parallel(M.Tanh(), M.Linear(3, 3)), M.Sigmoid(), M.ReLU()), "x"),
        "y": (M.Add(), "ways.0.1", "ways.1"),
    }
    return Graph(["x"], nodes, "y")


def naive_parts(network: Graph, x: Array) -> Array:
    return plain.add(None, naive.linear(network["ways"][0][1], x), SIGMOID(None, x))


def whole_tuples() -> Graph:
    """A tuple that goes on as one source, and one that is an output of the whole."""
    nodes = {"ways": (M.Parallel(M.Tanh(), M.Sigmoid()), "x"), "y": (M.Multiply(), "ways")}
    return Graph("x", nodes, ("y", "ways"))


def naive_whole_tuples(_network: Graph, x: Array) -> Any:
    ways = TANH(None, x), SIGMOID(None, x)
    return plain.multiply(None, *ways), ways


def inception() -> Module:
    return M.Sequential(M.Linear(3, 3), M.Parallel(M.Tanh(), M.Linear(3, 2)), M.Concat(), M.Sigmoid())


def naive_inception(network: Any, x: Array) -> Array:
    hidden = naive.linear(network[0], x)
    return SIGMOID(None, plain.concat(1)(None, TANH(None, hidden), naive.linear(network[1][1], hidden)))


PAIR = (normal(4, 3), normal(4, 3))
NOT_ALIKE = ((normal(4, 3), normal(4, 1)), (normal(4, 3), normal(3)), (normal(4, 3), normal(4, 3, 1)))

# fmt: off
LINKS = [
    Row("Add", M.Add, PAIR, plain.add, wrong=NOT_ALIKE, native=NOT_YET),
    Row("Add of three", M.Add, (*PAIR, normal(4, 3)), plain.add, native=NOT_YET),
    Row("Add of a tuple", M.Add, (PAIR,), plain.add, native=NOT_YET),
    Row("Multiply", M.Multiply, PAIR, plain.multiply, wrong=NOT_ALIKE, native=NOT_YET),
    Row("Multiply of four", M.Multiply, (*PAIR, *PAIR), plain.multiply, native=NOT_YET),
    Row("Multiply of one", M.Multiply, PAIR[:1], plain.multiply, native=NOT_YET),
    Row("Concat", M.Concat, (normal(4, 3), normal(4, 1)), plain.concat(1), native=NOT_YET,
        wrong=((normal(4, 3), normal(5, 3)), (normal(4), normal(4)), (normal(4, 3), normal(4, 3, 1)))),
    Row("Concat -1 of three", lambda: M.Concat(-1), (normal(2, 3, 1), normal(2, 3, 4), normal(2, 3, 2)),
        plain.concat(-1), native=NOT_YET),
    Row("Concat 0 of a tuple", lambda: M.Concat(0), ((normal(2, 3), normal(1, 3)),), plain.concat(0), batched=False,
        native=NOT_YET),
    Row("Residual", lambda: M.Residual(M.Linear(3, 3)), (normal(4, 3),), plain.residual(naive.linear),
        wrong=((normal(4, 2),),), native=NOT_YET),
    Row("Residual with a shortcut",
        lambda: M.Residual(M.Sequential(M.Linear(3, 4), M.Tanh()), M.Linear(3, 4, bias=False)), (normal(2, 5, 3),),
        plain.residual(naive.chain(naive.linear, TANH), naive.linear), native=NOT_YET),
    Row("Parallel from one input", lambda: M.Parallel(M.Linear(3, 2), M.Tanh()), (normal(4, 3),),
        plain.parallel(naive.linear, TANH), wrong=((normal(4, 2),),), native=NOT_YET),
    Row("Parallel of named links", lambda: M.Parallel({"left": M.Linear(3, 2), "right": M.Linear(2, 2)}),
        (normal(4, 3), normal(4, 2)), plain.parallel(naive.linear, naive.linear), native=NOT_YET,
        wrong=((normal(4, 3), normal(4, 2), normal(4, 2)), (normal(4, 3), normal(4, 3)))),
    Row("Graph", diamond, (normal(4, 3),), naive_diamond, wrong=((normal(4, 2),),), native=NOT_YET),
    Row("Graph of two inputs and outputs", two_by_two, (normal(4, 3), normal(4, 3)), naive_two_by_two,
        wrong=((normal(4, 3), normal(5, 3)),), native=NOT_YET),
    Row("Graph of parts", parts, (normal(4, 3),), naive_parts, native=NOT_YET),
    Row("Graph of whole tuples", whole_tuples, (normal(4, 3),), naive_whole_tuples, native=NOT_YET),
    Row("Sequential of Parallel and Concat", inception, (normal(4, 3),), naive_inception, native=NOT_YET),
]
# fmt: on
