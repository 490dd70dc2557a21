"""Networks of all links at random, for fuzz_graphs.py: chains, and graphs whose values are used any number of times.

Each link is tried on an array when it is added, so that every shape is one that the network meets.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import maillon as m
from maillon.nesting import leaf_names, leaves
from maillon.nn import LinkError, Module
from maillon.random import Generator
from maillon.typing import Array

LARGEST = 1500
"""Numbers in a value: the networks are small."""
R = random.Random


class UnfitError(Exception):
    """A link that takes the values, and makes of them what no training should go on with."""


UNFIT = (LinkError, UnfitError, ValueError, IndexError)
"""The values do not fit the link, nor it them, or there is none to choose."""


def tried(link: Module, *inputs: Any) -> Any:
    """What the link makes of the inputs; LinkError or UnfitError where it does not fit."""
    link.to("float64")
    with m.no_grad(), np.errstate(all="ignore"):
        output = link(*inputs)
    for leaf in leaves(output):
        if leaf is not None and (not 0 < leaf.size <= LARGEST or not np.isfinite(leaf).all() or abs(leaf).max() > 30):
            raise UnfitError
    return output


def some(r: R, rank: int, least: int, most: int) -> Any:
    """One size for all dimensions, or one for each."""
    return r.randint(least, most) if r.random() < 0.4 else tuple(r.randint(least, most) for _ in range(rank))


def own_generator(r: R) -> Generator | None:
    return Generator(r.randrange(99)) if r.random() < 0.3 else None


def divisor(r: R, number: int) -> int:
    return r.choice([n for n in range(1, number + 1) if number % n == 0])


def of_rank(name: str, rank: int) -> Any:
    return getattr(m.nn, f"{name}{rank}d")


# Links of any values: each function is given one value, and makes a link for it


def activation(r: R, x: Array) -> Module:
    makers: list[Callable[[], Module]] = [
        *(m.Tanh, m.Sigmoid, m.ReLU, m.SELU, m.GELU, m.SiLU, m.Mish, m.Softsign, m.LogSigmoid, m.Tanhshrink),
        *(m.Hardtanh, m.ReLU6, m.Hardsigmoid, m.Hardswish, m.Hardshrink, m.Softshrink, m.Identity, m.PReLU),
        lambda: m.LeakyReLU(r.choice([0.01, 0.3, -0.5])),
        lambda: m.ELU(0.7),
        lambda: m.CELU(1.3),
        lambda: m.GELU("tanh"),
        lambda: m.Softplus(2.0, 1.5),
        lambda: m.Threshold(0.1, -0.3),
        lambda: m.PReLU(x.shape[1]),
        lambda: m.RReLU(generator=own_generator(r)),
    ]
    return r.choice(makers)()


def normalised(r: R, x: Array) -> Module:
    """An activation behind a norm: what it is given is neither dead nor saturated."""
    return m.Sequential(norm(r, x), activation(r, x))


def linear(r: R, x: Array) -> Module:
    return m.Linear(x.shape[-1], r.randint(1, 7), bias=r.random() < 0.8)


def softmax(r: R, x: Array) -> Module:
    kind = r.choice([m.Softmax, m.LogSoftmax, m.Softmin])
    return kind(r.choice([None, *range(1, x.ndim)]))


def halved(r: R, x: Array) -> Module:
    return m.GLU(r.choice([axis for axis in range(1, x.ndim) if x.shape[axis] % 2 == 0]))


def periodic(r: R, x: Array) -> Module:
    return m.PeriodicEmbedding(x.shape[-1], r.randint(1, 5), r.randint(2, 4), r.choice([0.1, 0.5]))


def norm(r: R, x: Array) -> Module:
    last = x.shape[r.randint(1, x.ndim - 1) :]
    channels = x.shape[1]
    makers: list[Callable[[], Module]] = [
        lambda: m.LayerNorm(last, 1e-3, elementwise_affine=r.random() < 0.7, bias=r.random() < 0.7),
        lambda: m.RMSNorm(last, r.choice([None, 1e-2]), elementwise_affine=r.random() < 0.7),
        lambda: m.GroupNorm(divisor(r, channels), channels, 1e-2, r.random() < 0.7),
        lambda: m.Scale(x.shape[-1]),
    ]
    if x.ndim < 5:
        rank = max(1, x.ndim - 2)
        options: dict[str, Any] = {"momentum": r.choice([0.1, None]), "track_running_stats": r.random() < 0.8}
        makers += [lambda: of_rank("BatchNorm", rank)(channels, 1e-2, affine=r.random() < 0.7, **options)] * 2
        if x.ndim > 2:
            tracked = options | {"track_running_stats": r.random() < 0.5}
            makers += [lambda: of_rank("InstanceNorm", rank)(channels, 1e-2, affine=r.random() < 0.5, **tracked)]
            makers += [lambda: m.LocalResponseNorm(r.randint(1, 4), 0.5, k=r.choice([1.0, 2.0]))]
    return r.choice(makers)()


def dropout(r: R, x: Array) -> Module:
    kinds = [m.Dropout, m.AlphaDropout]
    kinds += [m.Dropout1d, m.Dropout2d, m.FeatureAlphaDropout] if x.ndim == 3 else []
    kinds += [m.Dropout2d, m.FeatureAlphaDropout] if x.ndim == 4 else []
    return r.choice(kinds)(r.choice([0.0, 0.2, 0.5]), generator=own_generator(r))


def residual(r: R, x: Array) -> Module:
    inner, y = chain(r, x, r.randint(1, 2))
    if y.shape == x.shape:
        return m.Residual(m.Sequential(*inner))
    if y.shape[:-1] != x.shape[:-1]:
        raise UnfitError
    return m.Residual(m.Sequential(*inner), m.Linear(x.shape[-1], y.shape[-1], bias=False))


def joint(r: R, count: int) -> Module:
    """What joins so many values of one shape."""
    return r.choice([m.Add(), m.Multiply(), m.WeightedSum([r.uniform(-2, 2) for _ in range(count)])])


def parallel(r: R, x: Array) -> Module:
    """Several ways from one value, joined again."""
    ways = [chain(r, x, r.randint(1, 2)) for _ in range(2)]
    links = m.Parallel(*(m.Sequential(*inner) for inner, _ in ways))
    if ways[0][1].shape == ways[1][1].shape and r.random() < 0.7:
        return m.Sequential(links, joint(r, 2))
    return m.Sequential(links, m.Concat(r.randint(1, x.ndim - 1)))


def within(r: R, x: Array) -> Module:
    """A graph as one link."""
    return Web(r, {"x": x}).grown(r.randint(2, 4))


# Links of vectors (N, F)


def unflattened(r: R, x: Array) -> Module:
    first = divisor(r, x.shape[1])
    second = divisor(r, x.shape[1] // first)
    rest = x.shape[1] // first // second
    return m.Unflatten(1, r.choice([(first, -1), (first, second, rest)]))


def cell(r: R, x: Array) -> Module:
    size = r.randint(1, 5)
    return r.choice([m.GRUCell, m.RNNCell])(x.shape[-1], size, bias=r.random() < 0.8)


def long_short(r: R, x: Array) -> Module:
    nodes = {"lstm": (m.LSTMCell(x.shape[-1], r.randint(1, 5)), "x")}
    return m.Graph("x", nodes, r.choice(["lstm.0", "lstm.1"]))


# Links of signals (N, C, L) and images (N, C, H, W)


def conv(r: R, x: Array) -> Module:
    rank, channels = x.ndim - 2, x.shape[1]
    groups = divisor(r, channels)
    outputs = groups * r.randint(1, 3)
    options: dict[str, Any] = {"groups": groups, "bias": r.random() < 0.8, "dilation": some(r, rank, 1, 2)}
    if r.random() < 0.3:
        sizes = some(r, rank, 1, 3), some(r, rank, 1, 3), some(r, rank, 0, 2), some(r, rank, 0, 1)
        return of_rank("ConvTranspose", rank)(channels, outputs, *sizes, **options)
    mode = r.choice(["zeros", "zeros", "reflect", "replicate", "circular"])
    stride = 1 if r.random() < 0.4 else some(r, rank, 1, 3)
    padding = r.choice([0, some(r, rank, 0, 2), some(r, rank, 0, 2), "valid", *["same"] * (stride == 1)])
    kernel = some(r, rank, 1, 4)
    return of_rank("Conv", rank)(channels, outputs, kernel, stride, padding, padding_mode=mode, **options)


def pool(r: R, x: Array) -> Module:
    rank = x.ndim - 2
    if r.random() < 0.4:
        return of_rank(r.choice(["AdaptiveAvgPool", "AdaptiveMaxPool"]), rank)(some(r, rank, 1, 5))
    sizes = some(r, rank, 2, 3), r.choice([None, some(r, rank, 1, 3)]), some(r, rank, 0, 1)
    if r.random() < 0.5:
        return of_rank("MaxPool", rank)(*sizes, some(r, rank, 1, 2), ceil_mode=r.random() < 0.5)
    more = {"divisor_override": 3} if rank == 2 and r.random() < 0.3 else {}
    return of_rank("AvgPool", rank)(*sizes, r.random() < 0.5, r.random() < 0.5, **more)


def border(r: R, x: Array) -> Module:
    name = r.choice(["ZeroPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "CircularPad"])
    sides = tuple(r.randint(-1, 2) for _ in range(2 * (x.ndim - 2)))
    return of_rank(name, x.ndim - 2)(sides, *[0.7] * (name == "ConstantPad"))


def resized(r: R, x: Array) -> Module:
    if x.ndim == 4 and r.random() < 0.3:
        return r.choice([m.UpsamplingNearest2d, m.UpsamplingBilinear2d])(scale_factor=2)
    smooth = [["linear"], ["bilinear", "bicubic"], ["trilinear"]][x.ndim - 3]
    mode = r.choice(["nearest", "nearest-exact", "area", *smooth * 2])
    corners = r.random() < 0.5 if mode in smooth else None
    given: dict[str, Any] = {"size": some(r, x.ndim - 2, 2, 6)}
    if r.random() < 0.5:
        given = {"scale_factor": r.choice([2, 1.5, 0.7])}
    return m.Upsample(mode=mode, align_corners=corners, **given)


def pixels(r: R, x: Array) -> Module:
    if r.random() < 0.5:
        return m.PixelUnshuffle(r.choice([1, 2, 3]))
    return m.Sequential(m.Conv2d(x.shape[1], 4 * r.randint(1, 2), 1), m.PixelShuffle(2))


def windows(r: R, x: Array) -> Module:
    """Unfold of images, Fold of what has the channels of its windows."""
    if x.ndim == 4:
        return m.Unfold(some(r, 2, 1, 3), some(r, 2, 1, 2), some(r, 2, 0, 1), some(r, 2, 1, 2))
    kernel = r.choice([size for size in ((2, 1), (1, 2), (2, 2), (3, 1)) if x.shape[1] % (size[0] * size[1]) == 0])
    width = divisor(r, x.shape[2])
    return m.Fold((x.shape[2] // width + kernel[0] - 1, width + kernel[1] - 1), kernel)


def flattened(r: R, x: Array) -> Module:
    start = r.randint(1, x.ndim - 2)
    return m.Flatten(start, r.randint(start + 1, x.ndim - 1))


# Links of sequences (N, T, F)


def recurrent(r: R, x: Array) -> Module:
    """Time is the second dimension, or the first, as if the rows of the mini-batch were steps."""
    hidden, first = r.randint(1, 5), r.random() < 0.7
    layers, ways = r.choice([1, 1, 2]), r.random() < 0.3
    kind = r.choice(["RNN", "RNN", "LSTM", "GRU"])
    options: dict[str, Any] = {"num_layers": layers, "bidirectional": ways, "batch_first": first}
    options |= {"bias": r.random() < 0.8, "dropout": 0.3 if layers > 1 and r.random() < 0.5 else 0.0}
    if kind == "RNN":
        options["nonlinearity"] = r.choice(["tanh", "relu"])
    if kind == "LSTM" and hidden > 1 and r.random() < 0.4:
        options["proj_size"] = hidden - 1
    link = getattr(m, kind)(x.shape[-1], hidden, **options)
    return m.Sequential(link, m.LastStep() if first and r.random() < 0.4 else m.EveryStep())


def encoder(r: R, x: Array) -> Module:
    layer = m.TransformerEncoderLayer(*transformer_sizes(r, x), **transformer_options(r))
    if r.random() < 0.5:
        return layer
    return m.TransformerEncoder(layer, r.randint(1, 2), r.choice([None, m.LayerNorm(x.shape[-1])]), False)


def transformer_sizes(r: R, x: Array) -> tuple[int, int, int]:
    return x.shape[-1], divisor(r, x.shape[-1]), r.randint(1, 6)


def transformer_options(r: R) -> dict[str, Any]:
    return {
        "dropout": r.choice([0.0, 0.2]),
        "activation": r.choice(["relu", "gelu"]),
        "norm_first": r.random() < 0.5,
        "batch_first": r.random() < 0.7,
        "bias": r.random() < 0.8,
    }


def positional(r: R, x: Array) -> Module:
    if r.random() < 0.5:
        return m.SinusoidalPositionalEncoding(x.shape[-1], r.choice([0.0, 0.2]))
    return m.LearnedPositionalEncoding(x.shape[-1], x.shape[-2] + r.randint(0, 2), r.choice([0.0, 0.2]))


Maker = Callable[[R, Array], Module]
ANY: list[Maker] = [*[activation] * 4, *[normalised] * 2, *[linear] * 3, norm, norm, dropout, dropout, softmax, halved]
ANY += [residual, residual, parallel, parallel, within]
SPATIAL: list[Maker] = [*[conv] * 5, *[pool] * 3, *[border] * 3, *[resized] * 2, *[windows] * 2, flattened]
STEPWISE: list[Maker] = [linear, activation, norm, dropout, recurrent, encoder, residual]
"""Those that may keep the first two dimensions of a sequence."""
BY_RANK: dict[int, list[Maker]] = {
    2: [*ANY, *[periodic] * 2, *[unflattened] * 4, *[cell] * 2, long_short],
    3: [*ANY, periodic, *SPATIAL, *[recurrent] * 5, *[encoder] * 3, *[positional] * 2],
    4: [*ANY, *SPATIAL, *[pixels] * 2, lambda r, x: m.Softmax2d()],
    5: [*ANY, resized, flattened, flattened, flattened],
}


PAIRS = (m.Bilinear, m.MultiheadAttention, m.LSTMCell, m.TransformerDecoderLayer, m.TransformerDecoder, m.Transformer)
"""What takes several values, or gives several."""


def single(r: R, x: Array, earlier: Sequence[Module] = ()) -> tuple[Module, Array]:
    """A link for the value, new or one of the earlier ones' weights again, and what it makes of it."""
    while True:
        shared = [link for link in earlier if not isinstance(link, PAIRS) and next(link.parameters(), None) is not None]
        try:
            link = r.choice(shared).share() if shared and r.random() < 0.1 else r.choice(BY_RANK[x.ndim])(r, x)
            y = tried(link, x)
        except UNFIT:
            continue
        if len(y) == len(x) and 2 <= y.ndim <= 5 and y.dtype == np.float64:
            return link, y


def chain(r: R, x: Array, count: int) -> tuple[list[Module], Array]:
    links: list[Module] = []
    for _ in range(count):
        link, x = single(r, x, links)
        links.append(link)
    return links, x


def embedded(r: R, classes: int) -> Module:
    options = {"padding_idx": r.choice([None, 0]), "scale_grad_by_freq": r.random() < 0.4}
    return m.Embedding(classes, r.randint(1, 5), max_norm=r.choice([None, None, 0.8]), **options)


class Web:
    """A graph that grows node by node; what nobody uses in the end is laid side by side as the output."""

    def __init__(self, r: R, inputs: dict[str, Array]) -> None:
        self.r, self.inputs = r, inputs
        self.values: dict[str, Any] = dict(inputs)
        self.nodes: dict[str, tuple[Any, ...]] = {}
        self.rows = len(next(iter(inputs.values())))

    def add(self, link: Module, *sources: str) -> str:
        output = tried(link, *(self.values[source] for source in sources))
        name = f"n{len(self.nodes)}"
        self.nodes[name] = (link, *sources)
        self.values[name] = output
        if isinstance(output, tuple):
            places = [each.replace("[", ".").replace("]", "") for each in leaf_names(output, name)]
            self.values |= dict(zip(places, leaves(output), strict=True))
        return name

    def numbers(self, *ndim: int) -> list[str]:
        """The names of the real values, rows first."""
        fit = ndim or (2, 3, 4, 5)
        return [
            name
            for name, value in self.values.items()
            if isinstance(value, np.ndarray) and value.dtype == np.float64 and value.ndim in fit
            if len(value) == self.rows
        ]

    def one(self, *ndim: int) -> str:
        names = self.numbers(*ndim)
        return self.r.choice(names[-3:] if self.r.random() < 0.6 else names)

    def like(self, name: str) -> str:
        shape = self.values[name].shape
        return self.r.choice([each for each in self.numbers() if self.values[each].shape == shape])

    def width(self, name: str) -> int:
        size: int = self.values[name].shape[-1]
        return size

    # How it grows

    def link(self) -> None:
        source = self.one()
        earlier = [link for link, *_ in self.nodes.values()]
        self.add(single(self.r, self.values[source], earlier)[0], source)

    def join(self) -> None:
        source = self.one()
        more = [self.like(source) for _ in range(self.r.randint(1, 2))]
        self.add(joint(self.r, 1 + len(more)), source, *more)

    def side_by_side(self) -> None:
        one = self.one()
        axis = self.r.randint(1, self.values[one].ndim - 1)
        self.add(m.Concat(axis), one, self.r.choice(self.numbers(self.values[one].ndim)))

    def pair(self) -> None:
        one, other = self.one(2, 3), self.one(2, 3)
        self.add(
            m.Bilinear(self.width(one), self.width(other), self.r.randint(1, 4), self.r.random() < 0.7), one, other
        )

    def distance(self) -> None:
        one = self.one()
        other = self.add(linear(self.r, self.values[one]), one)
        third = self.add(m.Linear(self.width(one), self.width(other)), one)
        p = self.r.choice([1.0, 1.5, 2.0, 3.0, np.inf])
        self.add(m.PairwiseDistance(p, 0.1, keepdim=True), other, third)

    def similarity(self) -> None:
        one = self.one(3, 4)
        axis = self.r.randint(1, self.values[one].ndim - 1)
        other = self.add(m.Linear(self.width(one), self.width(one)), one)
        self.add(m.CosineSimilarity(axis, 1e-3), one, other)

    def state(self) -> None:
        """A cell that begins from another value."""
        one, other = self.one(2), self.one(2)
        self.add(self.r.choice([m.GRUCell, m.RNNCell])(self.width(one), self.width(other)), one, other)

    def states(self) -> None:
        """A cell whose state is both of a pair."""
        one, other = self.one(2), self.one(2)
        size = self.r.randint(1, 4)
        pair = self.add(m.Parallel(m.Linear(self.width(other), size), m.Linear(self.width(other), size)), other)
        self.add(m.LSTMCell(self.width(one), size, bias=self.r.random() < 0.7), one, pair)

    def whole(self) -> None:
        """A pair that goes on as one source; its parts may be used as well."""
        source = self.one()
        inner = m.Parallel(m.Tanh(), activation(self.r, self.values[source]))
        self.add(joint(self.r, 2), self.add(inner, source))

    def attention(self) -> None:
        r, query, key = self.r, self.one(3), self.one(3)
        size, first = self.width(query), r.random() < 0.7
        options: dict[str, Any] = {"kdim": self.width(key), "vdim": self.width(key), "batch_first": first}
        options |= {"bias": r.random() < 0.7, "dropout": r.choice([0.0, 0.2])}
        options |= {"add_bias_kv": r.random() < 0.2, "add_zero_attn": r.random() < 0.2}
        link = m.MultiheadAttention(size, divisor(r, size), **options)
        self.add(link, query, key, key, *self.mask(key, first))

    def mask(self, key: str, first: bool) -> list[str]:
        """The input that says which places of the value are none, where there is such an input."""
        fits = first and "mask" in self.inputs and self.values[key].shape[1] == self.inputs["mask"].shape[1]
        return ["mask"] if fits and self.r.random() < 0.8 else []

    def decoder(self) -> None:
        r, target = self.r, self.one(3)
        like = [name for name in self.numbers(3) if self.width(name) == self.width(target)]
        sizes, options = transformer_sizes(r, self.values[target]), transformer_options(r)
        layer = m.TransformerDecoderLayer(*sizes, **options)
        norm_of = r.choice([None, m.LayerNorm(self.width(target))])
        makers: list[Callable[[], Module]] = [
            lambda: layer,
            lambda: m.TransformerDecoder(layer, r.randint(1, 2), norm_of),
            lambda: m.Transformer(*sizes[:2], 1, 1, sizes[2], **options),
        ]
        self.add(r.choice(makers)(), r.choice(like), target)

    def unpool(self) -> None:
        """The maxima, and their places, back into an image of zeros."""
        source = self.one(3, 4)
        rank = self.values[source].ndim - 2
        sizes = some(self.r, rank, 1, 2)
        if self.r.random() < 0.4:
            pooled = self.add(of_rank("AdaptiveMaxPool", rank)(self.values[source].shape[2:], True), source)
            sizes = 1
        else:
            pooled = self.add(of_rank("MaxPool", rank)(sizes, return_indices=True), source)
        self.add(of_rank("MaxUnpool", rank)(sizes), f"{pooled}.0", f"{pooled}.1")

    def words(self) -> None:
        if "words" in self.inputs:
            self.add(embedded(self.r, 6), "words")

    def grown(self, count: int) -> Module:
        """After so many more nodes, as one link of one output, (N, F)."""
        kinds = [*[self.link] * 6, self.join, self.join, self.side_by_side, self.pair, self.distance, self.state]
        kinds += [self.states, self.whole, self.attention, self.attention, self.decoder, self.decoder, self.unpool]
        kinds += [self.unpool, self.similarity]
        self.words()
        while len(self.nodes) < count:
            try:
                self.r.choice(kinds)()
            except UNFIT:
                continue
        try:
            return self.graph()
        except UnfitError:  # too large side by side
            return Web(self.r, self.inputs).grown(count)

    def graph(self) -> Module:
        used = {source.split(".")[0] for _, *sources in self.nodes.values() for source in sources}
        names = [name for name in self.numbers() if name.split(".")[0] not in used]
        ends = [self.add(m.Flatten(), name) if self.values[name].ndim > 2 else name for name in names]
        if len(ends) > 1:
            ends = [self.add(m.Concat(), *ends)]
        used |= {source.split(".")[0] for _, *sources in self.nodes.values() for source in sources}
        return m.Graph([name for name in self.inputs if name in used], self.nodes, ends[0])
