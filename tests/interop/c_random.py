"""Random networks of every kind that a header can hold, each with what its function is given and should give."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import maillon as m
from maillon import random as streams
from maillon.nesting import leaves
from maillon.nn import LinkError, Module
from maillon.random import Generator
from maillon.typing import Array

CALLS = 2
STEPS = 5


@dataclass
class Case:
    """inputs: of the whole network, one sample and with a recurrent layer STEPS steps. given, expected: of a call."""

    name: str
    network: Module
    input_shape: Any
    calls: list[list[Array]]
    expected: list[list[Array]]
    dtype: str


def activation(r: random.Random) -> Module:
    makes: list[Callable[[], Module]] = [
        m.Tanh, m.Sigmoid, m.ReLU, m.LeakyReLU, lambda: m.ELU(0.7), m.SELU, lambda: m.CELU(1.3), m.GELU,
        lambda: m.GELU("tanh"), m.SiLU, m.Mish, lambda: m.Softplus(2.0, 5.0), m.LogSigmoid, m.Softsign, m.Tanhshrink,
        m.Hardtanh, m.ReLU6, m.Hardsigmoid, m.Hardswish, lambda: m.Threshold(0.1, -0.3), m.Softshrink, m.Hardshrink,
        m.PReLU, m.RReLU, m.Identity, lambda: m.Dropout(0.3), lambda: m.AlphaDropout(0.2),
    ]  # fmt: skip
    return r.choice(makes)()


def vector_norm(r: random.Random, size: int) -> Module:
    groups = r.choice([n for n in range(1, size + 1) if size % n == 0])
    affine = r.random() < 0.5
    return r.choice([
        lambda: m.LayerNorm(size, elementwise_affine=affine), lambda: m.RMSNorm(size, eps=1e-6 if affine else None),
        lambda: m.BatchNorm1d(size, affine=affine), lambda: m.GroupNorm(groups, size, eps=1e-2, affine=affine),
    ])()  # fmt: skip


def vector_link(r: random.Random, size: int, most: int = 40) -> tuple[Module, int]:
    """A link for (N, size), and the size that it gives."""
    wanted, other = r.randint(1, most), r.randint(1, 6)
    kinds: list[Callable[[], tuple[Module, int]]] = [
        lambda: (vector_norm(r, size), size),
        lambda: (m.Residual(m.Sequential(m.Linear(size, wanted), activation(r), m.Linear(wanted, size))), size),
        lambda: (m.Residual(m.Linear(size, wanted, bias=False), m.Linear(size, wanted)), wanted),
        lambda: (m.Sequential(m.Linear(size, 2 * other), m.GLU()), other),
        lambda: (
            m.Sequential(m.Parallel(m.Linear(size, wanted), m.Linear(size, other)), m.Concat(1)),
            wanted + other,
        ),
        lambda: (activation(r), size),
        lambda: (m.Scale(size), size),
        lambda: (m.PeriodicEmbedding(size, other, 3, sigma=0.3), 3 * size),
        *[lambda: (m.Linear(size, wanted, bias=r.random() < 0.8), wanted)] * 2,
    ]
    return r.choice(kinds)()


def ending(r: random.Random) -> list[Module]:
    return [r.choice([m.Identity, m.Identity, m.Tanh, m.Sigmoid, lambda: m.Softmax(-1), lambda: m.LogSoftmax(-1),
                      lambda: m.Softmin(-1)])()]  # fmt: skip


def vectors(r: random.Random, size: int, count: int) -> tuple[list[Module], int]:
    links = []
    for _ in range(count):
        link, size = vector_link(r, size)
        links.append(link)
        if r.random() < 0.6:
            links.append(activation(r))
    return links, size


def chain(r: random.Random) -> tuple[Module, Any]:
    size = r.randint(1, 40)
    links, last = vectors(r, size, r.randint(1, 5))
    cut = r.randint(0, len(links))
    links.append(m.Linear(last, r.randint(1, 20)))
    return m.Sequential(*links[:cut], m.Sequential(*links[cut:]), *ending(r)), size if r.random() < 0.5 else (size,)


class Space:
    """Links for signals (rank 1) or images (rank 2); each method gives one, and the channels that come of it."""

    def __init__(self, r: random.Random, rank: int) -> None:
        self.r, self.rank = r, rank

    def make(self, name: str, *args: Any, **options: Any) -> Any:
        return getattr(m, f"{name}{self.rank}d")(*args, **options)

    def sizes(self, least: int, most: int) -> Any:
        each = tuple(self.r.randint(least, most) for _ in range(self.rank))
        return each if self.r.random() < 0.7 else self.r.randint(least, most)

    def divisor(self, channels: int) -> int:
        return self.r.choice([n for n in range(1, channels + 1) if channels % n == 0])

    def conv(self, channels: int) -> tuple[Module, int]:
        r, groups = self.r, self.divisor(channels)
        outputs = groups * r.randint(1, 3)
        options = {"groups": groups, "bias": r.random() < 0.7, "dilation": self.sizes(1, 2)}
        if r.random() < 0.2:
            sizes = self.sizes(1, 3), self.sizes(1, 3), self.sizes(0, 1)
            return self.make("ConvTranspose", channels, outputs, *sizes, **options), outputs
        options["padding_mode"] = r.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
        if r.random() < 0.2:
            return self.make("Conv", channels, outputs, self.sizes(1, 4), padding="same", **options), outputs
        padding = r.choice([0, self.sizes(0, 2), "valid"])
        return self.make("Conv", channels, outputs, self.sizes(1, 3), self.sizes(1, 3), padding, **options), outputs

    def pool(self, channels: int) -> tuple[Module, int]:
        r = self.r
        if r.random() < 0.4:
            return self.make(r.choice(["AdaptiveAvgPool", "AdaptiveMaxPool"]), self.sizes(1, 5)), channels
        sizes = self.sizes(2, 3), r.choice([None, self.sizes(1, 3)]), r.choice([0, 1])
        if r.random() < 0.5:
            return self.make("MaxPool", *sizes, self.sizes(1, 2), ceil_mode=r.random() < 0.5), channels
        return self.make("AvgPool", *sizes, r.random() < 0.5, r.random() < 0.5), channels

    def norm(self, channels: int) -> tuple[Module, int]:
        r = self.r
        affine, tracked = r.random() < 0.6, r.random() < 0.3
        return r.choice([
            lambda: m.GroupNorm(self.divisor(channels), channels, 1e-2),
            lambda: m.LocalResponseNorm(r.randint(1, 4), alpha=0.1),
            lambda: self.make("InstanceNorm", channels, 1e-2, affine=affine, track_running_stats=tracked),
            lambda: self.make("BatchNorm", channels, affine=affine),
        ])(), channels  # fmt: skip

    def border(self, channels: int) -> tuple[Module, int]:
        name = self.r.choice(["ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad"])
        sides = tuple(self.r.randint(-1, 2) for _ in range(2 * self.rank))
        return self.make(name, sides, *[0.7] * (name == "ConstantPad")), channels

    def wider(self, channels: int) -> tuple[Module, int]:
        r = self.r
        mode = r.choice(["nearest", "nearest-exact", "area", *[["linear"], ["bilinear", "bicubic"]][self.rank - 1]])
        corners = r.random() < 0.5 if "linear" in mode or mode == "bicubic" else None
        given = {"size": self.sizes(2, 9)} if r.random() < 0.5 else {"scale_factor": r.choice([2, 1.5, 0.7])}
        return m.Upsample(mode=mode, align_corners=corners, **given), channels

    def rare(self, channels: int) -> tuple[Module, int]:
        links: list[tuple[Module, int]] = [(m.PReLU(channels), channels), (m.Softmax(1), channels)]
        links += [(m.Softmax(2), channels), (m.LogSoftmax(1), channels)]
        if self.rank == 2:
            links += [(m.PixelUnshuffle(2), channels * 4), (m.Softmax2d(), channels)]
            links += [(m.PixelShuffle(2), channels // 4)] * 4 * (channels % 4 == 0)
        return self.r.choice(links)

    def pointwise(self, channels: int) -> tuple[Module, int]:
        return activation(self.r), channels

    def any(self, channels: int) -> tuple[Module, int]:
        kinds = [*[self.conv] * 6, *[self.pool] * 3, *[self.norm] * 2, *[self.pointwise] * 2]
        return self.r.choice([*kinds, self.border, self.wider, self.rare])(channels)


def image(r: random.Random) -> tuple[Module, Any]:
    rank = r.choice([1, 2])
    shape = (r.randint(1, 4), *(r.randint(4, 12) for _ in range(rank)))
    links: list[Module] = []
    space = Space(r, rank)
    x, channels = np.ones((1, *shape), np.float32), shape[0]
    while len(links) < r.randint(2, 6):
        link, after = space.any(channels)
        try:
            with m.no_grad():
                y = link.eval()(x)
        except LinkError:
            continue
        if y.size and y.size < 1500 and y.shape[1] <= 12 and np.isfinite(y).all():
            links.append(link)
            x, channels = y, after
    if r.random() < 0.3:
        count = x.shape[1]
        links.append(m.Residual(getattr(m, f"Conv{rank}d")(count, count, 1)))
    if r.random() < 0.2 and rank == 2:
        links.append(m.Unfold(1 if min(x.shape[2:]) < 2 else 2, padding=r.randint(0, 1)))
    elif r.random() < 0.7:
        links += [m.Flatten(), m.Linear(int(np.prod(x.shape[1:])), r.randint(1, 12)), *ending(r)]
    return m.Sequential(*links), shape


def graph(r: random.Random) -> tuple[Module, Any]:
    """A graph whose values are vectors; some of its nodes are networks themselves."""
    inputs = {f"in{k}": r.randint(1, 12) for k in range(r.randint(1, 3))}
    sizes, nodes = dict(inputs), {}
    count = r.randint(3, 9)
    for k in range(count):
        name = f"n{k}"
        one, other = r.choice(list(sizes)), r.choice(list(sizes))
        alike = [each for each, size in sizes.items() if size == sizes[one]]
        kind = r.randrange(6)
        if kind == 0:
            link = r.choice([m.Add(), m.Multiply(), m.WeightedSum([r.uniform(-2, 2) for _ in range(3)])])
            size, sources = sizes[one], [one, r.choice(alike), r.choice(alike)]
        elif kind == 1:
            link, size, sources = m.Concat(-1), sizes[one] + sizes[other], [one, other]
        elif kind == 2:
            size = r.randint(1, 8)
            link, sources = m.Bilinear(sizes[one], sizes[other], size), [one, other]
        elif kind == 3:
            size = sizes[other]
            link = r.choice([m.GRUCell, m.RNNCell])(sizes[one], size, bias=r.random() < 0.7)
            sources = [one, other]
        elif kind == 4:
            size = r.randint(1, 8)
            pair = m.Parallel(m.Parallel(m.Tanh(), m.Linear(sizes[one], size)), m.ReLU())
            nodes[f"p{k}"] = (pair, one)
            link, sources = activation(r), [f"p{k}.0.1"]
        else:
            link, size = vector_link(r, sizes[one], 16)
            sources = [one]
        nodes[name] = (link, *sources)
        sizes[name] = size
    used = {source.split(".")[0] for _, *sources in nodes.values() for source in sources}
    idle = [name for name in sizes if name not in used]
    outputs = idle + [name for name in nodes if name in used and name.startswith("n") and r.random() < 0.2]
    outputs = outputs or [f"n{count - 1}"]
    network = m.Graph(list(inputs), nodes, outputs[0] if len(outputs) == 1 else outputs)
    return network, {name: (size,) for name, size in inputs.items()} if len(inputs) > 1 else tuple(inputs.values())


def recurrent(r: random.Random) -> tuple[Module, Any]:
    """A recurrent layer or two, and links for each step before, between and after."""
    size, first = r.randint(1, 8), r.random() < 0.5
    links, features = [], size
    if r.random() < 0.5:
        links, features = [m.Linear(size, 5), activation(r), m.LayerNorm(5)], 5
    for place in range(r.randint(1, 2)):
        if place:
            links.append(m.EveryStep())
        hidden, layers = r.randint(2, 10), r.randint(1, 3)
        options = {"num_layers": layers, "batch_first": first, "bias": r.random() < 0.8}
        kind = r.choice(["RNN", "relu", "LSTM", "proj", "GRU"])
        if kind == "relu":
            link: Module = m.RNN(features, hidden, nonlinearity="relu", **options)
        elif kind == "proj":
            link = m.LSTM(features, hidden, proj_size=hidden - 1, **options)
        else:
            link = getattr(m, kind)(features, hidden, **options)
        links.append(link)
        features = hidden - 1 if kind == "proj" else hidden
    shape = r.choice([(None, size), (None, size)])
    if r.random() < 0.15:
        return m.Sequential(*links), shape
    links.append(r.choice([m.LastStep, m.EveryStep])())
    if r.random() < 0.3 and isinstance(links[-1], m.LastStep):
        links.append(m.BatchNorm1d(features))
    links += [m.Linear(features, wanted := r.randint(1, 6)), *ending(r)]
    network: Module = m.Sequential(*links)
    if r.random() < 0.3 and not any(isinstance(link, m.LastStep) for link in links):
        nodes = {"main": (network, "x"), "skip": (m.Linear(size, wanted), "x"), "y": (m.Add(), "main", "skip")}
        return m.Graph("x", nodes, "y"), shape
    return network, shape


def cells(r: random.Random) -> tuple[Module, Any]:
    size = r.randint(1, 8)
    links, last = vectors(r, size, r.randint(0, 1))
    for _ in range(r.randint(1, 2)):
        hidden = r.randint(1, 9)
        links.append(r.choice([m.GRUCell, m.RNNCell])(last, hidden, bias=r.random() < 0.7))
        links, last = [*links, activation(r)], hidden
    return m.Sequential(*links, m.Linear(last, 3)), (size,)


def words(r: random.Random) -> tuple[Module, Any]:
    count, size, length = r.randint(2, 9), r.randint(1, 6), r.randint(1, 5)
    table = m.Embedding(count, size, max_norm=r.choice([None, 0.8]))
    return m.Sequential(table, m.Flatten(), m.Linear(size * length, 4), activation(r)), (length,)


KINDS = {"chain": chain, "image": image, "graph": graph, "recurrent": recurrent, "cells": cells, "words": words}


@np.errstate(invalid="ignore")  # OpenBLAS may raise the flag for what an earlier product left in its buffers
def case(kind: str, seed: int) -> Case:
    """The network of this kind and seed, in float32 or, of every second seed, in float64."""
    r = random.Random(f"{kind} {seed}")
    with streams.using(Generator(seed)):
        network, shape = KINDS[kind](r)
    generator = Generator(seed + 1)
    for link in network.modules():  # what a training would leave
        if getattr(link, "running_mean", None) is not None:
            link.running_mean[...] = generator.normal(link.running_mean.shape)
            link.running_var[...] = generator.uniform(link.running_var.shape, 0.5, 2)
        if type(link).__name__.endswith("Norm") or "Norm" in type(link).__name__:
            for parameter in link.parameters(recurse=False):
                parameter.data[...] += 0.3 * generator.normal(parameter.shape)
    dtype = ("float32", "float64")[seed % 2]
    network = network.to(dtype).eval()
    calls, expected = run(network, kind, shape, generator, dtype)
    assert all(np.isfinite(part).all() for call in expected for part in call)
    return Case(f"{kind}_{seed}", network, shape, calls, expected, dtype)


def run(
    network: Any, kind: str, shape: Any, generator: Generator, dtype: str
) -> tuple[list[list[Array]], list[list[Array]]]:
    if kind == "recurrent":
        return stepped(network, shape, generator, dtype)
    if kind == "cells":
        return carried(network, shape, generator, dtype)
    shapes = list(shape.values()) if isinstance(shape, dict) else [shape if isinstance(shape, tuple) else (shape,)]
    calls, expected = [], []
    for _ in range(CALLS):
        if kind == "words":
            inputs = [generator.randint(0, network[0].num_embeddings, (1, *shapes[0]))]
        else:
            inputs = [generator.normal((1, *each), dtype=np.float64).astype(dtype) for each in shapes]
        calls.append([x.astype(np.int32) if kind == "words" else x for x in inputs])
        expected.append(leaves(network(*inputs)))
    return calls, expected


def stepped(network: Any, shape: Any, generator: Generator, dtype: str) -> tuple[list[list[Array]], list[list[Array]]]:
    """Call t is given step t, and should give what the network makes of the steps up to it, at the last of them."""
    first = next(link for link in network.modules() if hasattr(link, "batch_first")).batch_first
    axis = 1 if first else 0
    x = generator.normal((1, STEPS, shape[1]), dtype=np.float64).astype(dtype)
    calls, expected = [], []
    for t in range(STEPS):
        so_far = x[:, : t + 1] if first else x[0, : t + 1, None]
        y = network(so_far)
        y = y[0] if isinstance(y, tuple) else y
        calls.append([x[0, t]])
        expected.append([y.take(t, axis) if y.ndim == 3 else y])
    return calls, expected


def carried(network: Any, shape: Any, generator: Generator, dtype: str) -> tuple[list[list[Array]], list[list[Array]]]:
    """Cells go on from the state of the call before."""
    states: dict[int, Array] = {}
    calls, expected = [], []
    for _ in range(STEPS):
        x = generator.normal((1, *shape), dtype=np.float64).astype(dtype)
        calls.append([x])
        for link in network:
            if isinstance(link, m.GRUCell | m.RNNCell):
                x = states[id(link)] = link(x, states.get(id(link)))
            else:
                x = link(x)
        expected.append([x])
    return calls, expected
