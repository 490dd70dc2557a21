"""Graphs beside the same networks in PyTorch, whose tape finds the gradients; random graphs by finite differences."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from beside import as_tensors, assert_close
from catalogue.rows import drawn, normal
from random_graphs import random_graph

import maillon
from maillon import Add, Concat, Graph, Multiply, Parallel, Residual, Sigmoid, Tanh
from maillon.check import check_gradients
from maillon.nesting import leaves, rebuilt
from maillon.random import Generator, using

pytestmark = pytest.mark.torch


@dataclass(frozen=True)
class Net:
    """A graph, and the same in PyTorch.

    links: those with names in both libraries, made of either `torch.nn` or `maillon.nn`. nodes: our graph, from them.
    forward: PyTorch's, from its links and the inputs.
    """

    name: str
    inputs: dict[str, Any]
    links: Callable[[Any], dict[str, Any]]
    nodes: Callable[[Any], dict[str, Any]]
    outputs: Any
    forward: Callable[..., Any]


def unrolled(link: Any) -> dict[str, Any]:
    """The same Linear at each of three steps."""
    nodes = {"h0": (Tanh(), "x")}
    for step in range(3):
        nodes |= {
            f"a{step}": (link["step"].share() if step else link["step"], f"h{step}"),
            f"s{step}": (Add(), f"a{step}", "x"),
            f"h{step + 1}": (Tanh(), f"s{step}"),
        }
    return nodes


def torch_unrolled(link: Any, x: Any) -> Any:
    h = x.tanh()
    for _ in range(3):
        h = (link["step"](h) + x).tanh()
    return h


def dense(link: Any) -> dict[str, Any]:
    """Every block takes all before it."""
    return {
        "a": (link["a"], "x"),
        "xa": (Concat(), "x", "a"),
        "b": (link["b"], "xa"),
        "xab": (Concat(), "x", "a", "b"),
        "y": (link["y"], "xab"),
    }


def torch_dense(torch: Any, link: Any, x: Any) -> Any:
    a = link["a"](x)
    b = link["b"](torch.cat([x, a], 1))
    return link["y"](torch.cat([x, a, b], 1))


def u_net(link: Any) -> dict[str, Any]:
    return {
        "down": (link["down"], "x"),
        "pooled": (link["pool"], "down"),
        "deep": (link["deep"], "pooled.0"),
        "up": (link["unpool"], "deep", "pooled.1"),
        "beside": (Concat(), "up", "down"),
        "y": (link["y"], "beside"),
    }


def torch_u_net(torch: Any, link: Any, x: Any) -> Any:
    down = link["down"](x)
    pooled, indices = link["pool"](down)
    return link["y"](torch.cat([link["unpool"](link["deep"](pooled), indices), down], 1))


def torch_lstms(link: Any, x: Any, z: Any) -> Any:
    _, state = link["encoder"](x)
    y, (h, _) = link["decoder"](z, state)
    return link["read"](y), h


def torch_attention(link: Any, x: Any) -> Any:
    normed = link["norm"](x)
    return x + link["attend"](normed, normed, normed)[0]


def torch_cells(link: Any, x: Any, z: Any, h: Any) -> Any:
    first = link["cell"](x, h)
    return link["cell"](z, first), first


BLOCK = (normal(2, 3, 6, 6),)

NETS = [
    Net(
        "a skip connection",
        {"x": normal(5, 3)},
        lambda nn: {"a": nn.Linear(3, 3), "b": nn.Linear(3, 2)},
        lambda link: {"a": (link["a"], "x"), "s": (Add(), "a", "x"), "b": (link["b"], "s")},
        "b",
        lambda t, link, x: link["b"](link["a"](x) + x),
    ),
    Net(
        "a node used four times",
        {"x": normal(5, 3)},
        lambda nn: {"a": nn.Linear(3, 4)},
        lambda link: {"a": (link["a"], "x"), "t": (Tanh(), "a"), "y": (Multiply(), "a", "t", "a", "a")},
        ["y", "a"],
        lambda t, link, x: (link["a"](x) ** 3 * link["a"](x).tanh(), link["a"](x)),
    ),
    Net(
        "siamese: one Linear for two inputs",
        {"x": normal(4, 3), "z": normal(4, 3)},
        lambda nn: {"a": nn.Linear(3, 4), "b": nn.Linear(4, 1)},
        lambda link: {
            "a": (link["a"], "x"),
            "other": (link["a"].share(), "z"),
            "both": (Multiply(), "a", "other"),
            "b": (link["b"], "both"),
        },
        "b",
        lambda t, link, x, z: link["b"](link["a"](x) * link["a"](z)),
    ),
    Net(
        "one Linear at three steps",
        {"x": normal(4, 3)},
        lambda nn: {"step": nn.Linear(3, 3)},
        unrolled,
        "h3",
        lambda t, link, x: torch_unrolled(link, x),
    ),
    Net(
        "a highway",
        {"x": normal(4, 3)},
        lambda nn: {"gate": nn.Linear(3, 3), "new": nn.Sequential(nn.Linear(3, 3), nn.ReLU())},
        lambda link: {
            "gate": (link["gate"], "x"),
            "open": (Sigmoid(), "gate"),
            "new": (link["new"], "x"),
            "through": (Multiply(), "open", "new"),
            "y": (Add(), "through", "x"),
        },
        ("y", "open"),
        lambda t, link, x: (link["gate"](x).sigmoid() * link["new"](x) + x, link["gate"](x).sigmoid()),
    ),
    Net(
        "dense: each takes all before",
        {"x": normal(4, 3)},
        lambda nn: {"a": nn.Linear(3, 2), "b": nn.Linear(5, 4), "y": nn.Linear(9, 2)},
        dense,
        "y",
        torch_dense,
    ),
    Net(
        "two inputs, three outputs, one of them an input",
        {"x": normal(4, 3), "z": normal(4, 2)},
        lambda nn: {"x1": nn.Linear(3, 4), "z1": nn.Linear(2, 4, bias=False)},
        lambda link: {"x1": (link["x1"], "x"), "z1": (link["z1"], "z"), "y": (Add(), "x1", "z1")},
        ["y", "z", "x1"],
        lambda t, link, x, z: (link["x1"](x) + link["z1"](z), z * 1, link["x1"](x)),
    ),
    Net(
        "inception",
        {"x": BLOCK[0]},
        lambda nn: {
            "one": nn.Conv2d(3, 2, 1),
            "three": nn.Conv2d(3, 2, 3, padding=1),
            "pool": nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(3, 1, 1)),
        },
        lambda link: {"ways": (Parallel(link), "x"), "y": (Concat(), "ways")},
        ["y", "ways.1"],
        lambda t, link, x: (t.cat([link["one"](x), link["three"](x), link["pool"](x)], 1), link["three"](x)),
    ),
    Net(
        "a residual block of convolutions",
        {"x": BLOCK[0]},
        lambda nn: {
            "conv": nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.GroupNorm(2, 4), nn.ReLU()),
            "short": nn.Conv2d(3, 4, 1, stride=2),
        },
        lambda link: {"y": (Residual(link["conv"], link["short"]), "x")},
        "y",
        lambda t, link, x: link["conv"](x) + link["short"](x),
    ),
    Net(
        "a small U-Net: indices on the way",
        {"x": BLOCK[0]},
        lambda nn: {
            "down": nn.Conv2d(3, 4, 3, padding=1),
            "pool": nn.MaxPool2d(2, return_indices=True),
            "deep": nn.Conv2d(4, 4, 3, padding=1),
            "unpool": nn.MaxUnpool2d(2),
            "y": nn.Conv2d(8, 1, 1),
        },
        u_net,
        "y",
        torch_u_net,
    ),
    Net(
        "LSTMs, the state of one for the other",
        {"x": normal(5, 2, 3), "z": normal(4, 2, 3)},
        lambda nn: {"encoder": nn.LSTM(3, 4, 2), "decoder": nn.LSTM(3, 4, 2), "read": nn.Linear(4, 2)},
        lambda link: {
            "encoder": (link["encoder"], "x"),
            "decoder": (link["decoder"], "z", "encoder.1"),
            "read": (link["read"], "decoder.0"),
        },
        ["read", "decoder.1.0"],
        lambda t, link, x, z: torch_lstms(link, x, z),
    ),
    Net(
        "attention around which x goes",
        {"x": normal(2, 5, 4)},
        lambda nn: {"norm": nn.LayerNorm(4), "attend": nn.MultiheadAttention(4, 2, batch_first=True)},
        lambda link: {
            "norm": (link["norm"], "x"),
            "attend": (link["attend"], "norm", "norm", "norm"),
            "y": (Add(), "x", "attend.0"),
        },
        "y",
        lambda t, link, x: torch_attention(link, x),
    ),
    Net(
        "one GRU cell at two steps",
        {"x": normal(3, 2), "z": normal(3, 2), "h": normal(3, 4)},
        lambda nn: {"cell": nn.GRUCell(2, 4)},
        lambda link: {"cell": (link["cell"], "x", "h"), "next": (link["cell"].share(), "z", "cell")},
        ["next", "cell"],
        lambda t, link, x, z, h: torch_cells(link, x, z, h),
    ),
    Net(
        "a graph in a graph",
        {"x": normal(4, 3)},
        lambda nn: {"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)},
        lambda link: {
            "a": (link["a"], "x"),
            "inner": (Graph(["u", "v"], {"b": (link["b"], "u"), "w": (Multiply(), "b", "v")}, ["w", "b"]), "a", "x"),
            "y": (Add(), "inner.0", "inner.1", "a"),
        },
        "y",
        lambda t, link, x: link["b"](link["a"](x)) * (x + 1) + link["a"](x),
    ),
]


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.name)
def test_a_graph_has_the_gradients_of_the_tape(torch: ModuleType, net: Net) -> None:
    torch.manual_seed(1)
    theirs, ours = net.links(torch.nn), net.links(maillon.nn)
    for name, link in theirs.items():
        ours[name].load_state_dict(link.state_dict())
    network = Graph(list(net.inputs), net.nodes(ours), net.outputs).to("float64")
    inputs = drawn(tuple(net.inputs.values()), Generator(2))
    tensors = [tensor.requires_grad_() for tensor in as_tensors(torch, inputs)]
    expected = net.forward(torch, {name: link.double() for name, link in theirs.items()}, *tensors)
    output = network(*inputs)
    grads = [Generator(3).normal(leaf.shape, dtype=np.float64) for leaf in leaves(output)]
    torch.autograd.backward(leaves(expected), [torch.from_numpy(grad) for grad in grads])
    for part, other in zip(leaves(output), leaves(expected), strict=True):
        assert_close(part, other, 1e-10, "output")
    returned = network.backward(rebuilt(output, iter(grads)))
    for grad, tensor in zip(leaves(returned), tensors, strict=True):
        assert_close(grad, tensor.grad, 1e-10, "gradient of an input")
    for name, link in theirs.items():
        for (place, their), (_, own) in zip(link.named_parameters(), ours[name].named_parameters(), strict=True):
            assert_close(own.grad, their.grad, 1e-10, f"gradient of {name}.{place}")


# Graphs nobody has thought of


def by_tape(torch: Any, network: Graph, told: dict[str, Any], state: dict[str, Any], values: dict[str, Any]) -> None:
    """Every node's value by PyTorch, from the same state."""

    def linear(x: Any, name: str) -> Any:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    rules: dict[str, Callable[..., Any]] = {
        "linear": lambda name, x: linear(x, name),
        "tanh": lambda name, x: x.tanh(),
        "sigmoid": lambda name, x: x.sigmoid(),
        "add": lambda name, *xs: sum(xs),
        "multiply": lambda name, x, z: x * z,
        "fork": lambda name, x: (linear(x, f"{name}.0"), x.tanh()),
        "join": lambda name, x, z: linear(torch.cat([x, z], 1), f"{name}.1"),
        "residual": lambda name, x: linear(x, f"{name}.link.0").tanh() + x,
    }
    for name, _ in network.named_children():
        kind, sources = told[name]
        given = [values[source] for source in sources]
        kind, _, original = kind.partition(" ")
        values[name] = rules["linear"](original, *given) if kind == "shared" else rules[kind](name, *given)
        if kind == "fork":
            values[f"{name}.0"], values[f"{name}.1"] = values[name]


@pytest.mark.parametrize("seed", range(30))
def test_a_random_graph(torch: ModuleType, seed: int) -> None:
    with using(Generator(seed)):
        network, told = random_graph(seed)
    inputs = tuple(Generator(seed + place).normal((2, 3), dtype=np.float64) for place in range(len(network.inputs)))
    assert check_gradients(network, *inputs, seed=seed, directions=1).worst <= 1e-7

    output = network(*inputs)
    grads = [Generator(3).normal(leaf.shape, dtype=np.float64) for leaf in leaves(output)]
    returned = network.backward(rebuilt(output, iter(grads)))
    state = {name: torch.from_numpy(value).requires_grad_() for name, value in network.state_dict().items()}
    values = {name: torch.from_numpy(x).requires_grad_() for name, x in zip(network.inputs, inputs, strict=True)}
    by_tape(torch, network, told, state, values)
    expected = [values[name] for name in network.outputs]
    torch.autograd.backward(expected, [torch.from_numpy(grad) for grad in grads])
    for part, other in zip(leaves(output), expected, strict=True):
        assert_close(part, other, 1e-10, "output")
    for name, grad in zip(network.inputs, leaves(returned), strict=True):
        assert_close(grad, values[name].grad, 1e-10, name)
    for name, parameter in network.named_parameters():
        own = [place for place in state if state_of(network, place) is parameter.data]
        theirs = [state[place].grad.numpy() for place in own if state[place].grad is not None]
        assert_close(parameter.grad, sum(theirs, start=np.zeros(parameter.shape)), 1e-10, name)


def state_of(network: Graph, place: str) -> Any:
    """The array behind a key of the state_dict."""
    *path, name = place.split(".")
    module = dict(network.named_modules())[".".join(path)]
    return getattr(module, name).data
