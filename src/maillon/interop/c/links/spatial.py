"""Signals and images: convolutions, padding, upsampling, pixels, windows. One dimension is an image of one row."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maillon import nn
from maillon.interop.c.links.linear import FEW, data
from maillon.interop.c.program import Program, Value, flat, loop, nested, plus, row, times
from maillon.nn.spatial.padding import SOURCES, Widths
from maillon.typing import Array


def rank_of(link: nn.Module) -> int:
    """How many dimensions of space the link has."""
    return 1 if type(link).__name__.endswith("1d") else 2


def plane(shape: Sequence[int], rank: int) -> tuple[int, int]:
    """Height and width; a signal is an image of height 1."""
    height, width = (1, *shape[-rank:])[-2:]
    return height, width


def pair(value: Any, rank: int, alone: int) -> tuple[int, int]:
    """An option for height and width; `alone` is what the height of a signal has of it."""
    parts = tuple(value) if isinstance(value, Sequence) else (value,)
    first, second = (alone, *(parts * rank if len(parts) == 1 else parts))[-2:]
    return int(first), int(second)


# Convolutions


@dataclass(frozen=True)
class Axis:
    """Windows along a dimension: window i at step k is at i · stride + k · dilation - before, of `size` places."""

    size: int
    windows: int
    kernel: int
    stride: int
    dilation: int
    before: int

    @property
    def inside(self) -> bool:
        """Whether no window reaches beyond."""
        last = (self.windows - 1) * self.stride + (self.kernel - 1) * self.dilation - self.before
        return self.before <= 0 and last < self.size

    def place(self, window: str, step: str) -> str:
        kernel = times(step, self.dilation) if self.kernel > 1 else "0"
        return plus(times(window, self.stride) if self.windows > 1 else "0", kernel, -self.before)

    def skip(self, name: str) -> list[str]:
        """C for a place that may be outside, where there is nothing to add."""
        return [] if self.inside else [f"if ({name} < 0 || {name} >= {self.size}) {{", "continue;", "}"]

    def range(self, step: str) -> tuple[list[str], str, str]:
        """C for the first window that has this step of it inside, and the one after the last."""
        if self.inside:
            return [], "0", str(self.windows)
        up, over = (f" + {self.stride - 1}", f" / {self.stride}") if self.stride > 1 else ("", "")
        return (
            [
                f"const int shift = {plus(times(step, self.dilation) if self.kernel > 1 else '0', -self.before)};",
                f"const int first = shift < 0 ? (-shift{up}){over} : 0;",
                f"const int most = ({self.size} - shift{up}){over};",
                f"const int end = most < {self.windows} ? most : {self.windows};",
            ],
            "first",
            "end",
        )


def _axes(link: Any, sizes: tuple[int, int], windows: tuple[int, int], before: Sequence[int]) -> list[Axis]:
    rank = rank_of(link)
    options = (pair(option, rank, 1) for option in (link.kernel_size, link.stride, link.dilation))
    return [Axis(*numbers) for numbers in zip(sizes, windows, *options, before, strict=True)]


def _widths(link: Any) -> list[tuple[int, int]]:
    """What a convolution pads, before and after, in height and width."""
    rank = rank_of(link)
    if link.padding == "same":
        kernel, dilation = pair(link.kernel_size, rank, 1), pair(link.dilation, rank, 1)
        extents = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return [(extent // 2, extent - extent // 2) for extent in extents]
    return [(n, n) for n in pair(0 if link.padding == "valid" else link.padding, rank, 0)]


def _conv(p: Program, link: Any, x: Value) -> Value:
    """y = b + Σ w x."""
    rank, widths, y = rank_of(link), _widths(link), p.value(p.made.shape)
    if link.padding_mode != "zeros":
        x, widths = padded(p, x, widths[-rank:], link.padding_mode, 0.0), [(0, 0), (0, 0)]
    down, across = _axes(link, plane(x.shape, rank), plane(y.shape, rank), [before for before, _ in widths])
    write = _by_places if len(link.weight.data) // link.groups > FEW else _by_rows
    write(p, link, x, y, down, across)
    return y


def _by_places(p: Program, link: Any, x: Value, y: Value, down: Axis, across: Axis) -> None:
    """All outputs of a place together: the innermost loop goes over them, and their weights lie side by side."""
    outputs, inputs = link.weight.shape[:2]
    groups, each = link.groups, outputs // link.groups
    sums, kernel = p.value((each,)), link.weight.data.reshape(groups, each, inputs, down.kernel, across.kernel)
    weight = p.constant("weight", kernel.transpose(0, 2, 3, 4, 1))
    place = flat(("g", groups), ("c", inputs), ("u", down.kernel), ("v", across.kernel), ("o", each))
    output = flat(("g", groups), ("o", each))
    channel = flat(("g", groups), ("c", inputs))
    source = x.at(flat((channel, groups * inputs), ("r", down.size), ("k", across.size)))
    body = [
        *_bounded("k", across, "j", "v"),
        f"const {p.real} value = {source};",
        loop("o", each),
        f"{sums.at('o')} += {weight}[{place}] * value;",
        "}",
    ]
    lines = [loop("o", each), f"{sums.at('o')} = {_start(p, link, output)};", "}"]
    inner = nested([("v", across.kernel)], body)
    lines += nested([("c", inputs), ("u", down.kernel)], [*_bounded("r", down, "i", "u"), *inner])
    target = y.at(flat((output, outputs), ("i", down.windows), ("j", across.windows)))
    lines += [loop("o", each), f"{target} = {sums.at('o')};", "}"]
    p.step(nested([("g", groups), ("i", down.windows), ("j", across.windows)], lines), [x, sums], [y, sums])


def _by_rows(p: Program, link: Any, x: Value, y: Value, down: Axis, across: Axis) -> None:
    """One output after the other: the innermost loop goes along a row."""
    outputs, inputs = link.weight.shape[:2]
    weight = p.constant("weight", link.weight.data)
    target = y.at(flat(("o", outputs), ("i", down.windows), ("j", across.windows)))
    channel = _grouped(inputs, outputs // link.groups, link.groups)
    source = x.at(_place((channel, inputs * link.groups), down, across))
    before, first, end = across.range("v")
    kernel = ("u", down.kernel), ("v", across.kernel)
    body = [
        f"const {p.real} w = {weight}[{flat(('o', outputs), ('c', inputs), *kernel)}];",
        *before,
        loop("j", end, first),
        f"{target} += w * {source};",
        "}",
    ]
    lines = [loop("j", across.windows), f"{target} = {_start(p, link, 'o')};", "}"]
    inner = nested([("v", across.kernel)], body)
    lines += nested([("c", inputs), ("u", down.kernel)], [*_bounded("r", down, "i", "u"), *inner])
    p.step(nested([("o", outputs), ("i", down.windows)], lines), [x], [y])


def _place(channel: tuple[str, int], down: Axis, across: Axis) -> str:
    """The place of row r and of the step v of window j."""
    return plus(row(flat(channel, ("r", down.size)), across.size), across.place("j", "v"))


def _start(p: Program, link: Any, output: str) -> str:
    bias = data(link.bias)
    return p.number(0) if bias is None else f"{p.constant('bias', bias)}[{output}]"


def _bounded(name: str, axis: Axis, window: str, step: str) -> list[str]:
    """C for the place of a window's step along an axis; outside there is nothing to add."""
    return (
        [f"const int {name} = {axis.place(window, step)};", *axis.skip(name)]
        if axis.size > 1 or not axis.inside
        else []
    )


def _grouped(channels: int, others: int, groups: int) -> str:
    """The channel c of the group that channel o of the other side is in."""
    if groups == 1:
        return "c" if channels > 1 else "0"
    return flat((f"o / {others}" if others > 1 else "o", groups), ("c", channels))


def _conv_transpose(p: Program, link: Any, x: Value, _output_size: Any = None) -> Value:
    """Each value of x, times the kernel, is added to its window of y."""
    rank, y = rank_of(link), p.value(p.made.shape)
    down, across = _axes(link, plane(y.shape, rank), plane(x.shape, rank), pair(link.padding, rank, 0))
    inputs, outputs = link.weight.shape[:2]
    weight = p.constant("weight", link.weight.data)
    group = _grouped(outputs, inputs // link.groups, link.groups)
    target = y.at(_place((group, outputs * link.groups), down, across))
    source = x.at(flat(("o", inputs), ("i", down.windows), ("j", across.windows)))
    before, first, end = across.range("v")
    kernel = ("u", down.kernel), ("v", across.kernel)
    body = [
        f"const {p.real} w = {weight}[{flat(('o', inputs), ('c', outputs), *kernel)}];",
        *before,
        loop("j", end, first),
        f"{target} += w * {source};",
        "}",
    ]
    inner = nested([("v", across.kernel)], body)
    lines = nested([("c", outputs), ("u", down.kernel)], [*_bounded("r", down, "i", "u"), *inner])
    channels, places = outputs * link.groups, down.size * across.size
    begin = nested(
        [("o", channels), ("i", places)], [f"{y.at(flat(('o', channels), ('i', places)))} = {_start(p, link, 'o')};"]
    )
    p.step([*begin, *nested([("o", inputs), ("i", down.windows)], lines)], [x], [y])
    return y


# Values that are moved


def padded(p: Program, x: Value, widths: Widths, mode: str, value: float) -> Value:
    """x with a border, or cropped. Where a border's values come from is a table for each dimension; -1 is `value`."""
    rank = len(widths)
    sizes = plane(x.shape, rank)
    sources = [_sources(mode, size, *width) for size, width in zip(x.shape[-rank:], widths, strict=True)]
    counts = [len(source) for source in sources]
    y = p.value((*x.shape[:-rank], *counts))
    rows, columns = (p.table("rows", sources[0]) if rank > 1 else "", p.table("columns", sources[-1]))
    height, width = plane(y.shape, rank)
    place = f"{rows}[i]" if rank > 1 else "0", f"{columns}[j]"
    source = x.at(times("c", math.prod(sizes)), times("r", sizes[1]) if rank > 1 else 0, "k")
    ints = [f"const int r = {place[0]};"] * (rank > 1) + [f"const int k = {place[1]};"]
    outside = [f"{name} < 0" for name, each in zip("rk"[-rank:], sources, strict=True) if (each < 0).any()]
    taken = f"{' || '.join(outside)} ? {p.number(value)} : {source}" if outside else source
    loops = [("c", x.size // math.prod(sizes)), ("i", height), ("j", width)]
    target = y.at(times("c", height * width), times("i", width) if height > 1 else 0, "j")
    p.step(nested(loops, [*ints, f"{target} = {taken};"]), [x], [y])
    return y


def _sources(mode: str, size: int, before: int, after: int) -> Array:
    if mode != "zeros":
        return SOURCES[mode](size, before, after)
    place = np.arange(-before, size + after)
    return np.where((place < 0) | (place >= size), -1, place)


def _pad(mode: str) -> Callable[..., Value]:
    def write(p: Program, link: Any, x: Value) -> Value:
        sides = link.padding
        widths = [(sides[i], sides[i + 1]) for i in range(len(sides) - 2, -1, -2)]
        return padded(p, x, widths, mode, getattr(link, "value", 0.0))

    return write


def strided(p: Program, x: Value, example: Array) -> Value:
    """The values of x in another order: that in which `example`, a view of an array like x, has them."""
    y = p.value(p.made.shape)
    steps = [stride // example.itemsize for stride in example.strides]
    names = [(f"i{k}", size, step) for k, (size, step) in enumerate(zip(example.shape, steps, strict=True)) if size > 1]
    source = plus(*(times(name, step) for name, _, step in names))
    inner = np.cumprod([1, *(size for _, size, _ in names[:0:-1])])[::-1].tolist()
    target = plus(*(times(name, step) for (name, _, _), step in zip(names, inner, strict=True)))
    lines = [f"{y.at(target)} = {x.at(source)};"]
    p.step(nested([(name, size) for name, size, _ in names], lines), [x], [y])
    return y


def _pixel_shuffle(p: Program, link: nn.PixelShuffle, x: Value) -> Value:
    n, (channels, height, width) = link.upscale_factor, x.shape[-3:]
    blocks = np.arange(x.size).reshape(-1, channels // n**2, n, n, height, width)
    return strided(p, x, blocks.transpose(0, 1, 4, 2, 5, 3))


def _pixel_unshuffle(p: Program, link: nn.PixelUnshuffle, x: Value) -> Value:
    n, (channels, height, width) = link.downscale_factor, x.shape[-3:]
    blocks = np.arange(x.size).reshape(-1, channels, height // n, n, width // n, n)
    return strided(p, x, blocks.transpose(0, 1, 3, 5, 2, 4))


def _unfold(p: Program, link: Any, x: Value) -> Value:
    (height, width), (down, across), (tall, wide) = (
        pair(option, 2, 1) for option in (link.kernel_size, link.stride, link.dilation)
    )
    borders = pair(link.padding, 2, 0)
    if any(borders):
        x = padded(p, x, [(n, n) for n in borders], "zeros", 0.0)
    image = np.arange(x.size).reshape(-1, *x.shape[-2:])
    windows = np.lib.stride_tricks.sliding_window_view(
        image, (tall * (height - 1) + 1, wide * (width - 1) + 1), axis=(1, 2)
    )
    return strided(p, x, windows[:, ::down, ::across, ::tall, ::wide].transpose(0, 3, 4, 1, 2))


def _fold(p: Program, link: Any, x: Value) -> Value:
    """Each column is added to its window."""
    y = p.value(p.made.shape)
    size, before = plane(y.shape, 2), pair(link.padding, 2, 0)
    options = [pair(option, 2, 1) for option in (link.kernel_size, link.stride, link.dilation)]
    windows = tuple(
        (n + 2 * b - d * (k - 1) - 1) // s + 1 for n, b, k, s, d in zip(size, before, *options, strict=True)
    )
    down, across = (Axis(*numbers) for numbers in zip(size, windows, *options, before, strict=True))
    channels = y.size // math.prod(size)
    column = f"((c * {down.kernel} + u) * {across.kernel} + v) * {math.prod(windows)}"
    body = [
        f"const int r = {down.place('i', 'u')};",
        *down.skip("r"),
        loop("j", windows[1]),
        f"const int k = {across.place('j', 'v')};",
        *across.skip("k"),
        f"{y.at(times('c', math.prod(size)), f'r * {size[1]}', 'k')} += {x.at(column, times('i', windows[1]), 'j')};",
        "}",
    ]
    lines = nested([("i", y.size)], [f"{y.at('i')} = {p.number(0)};"])
    lines += nested([("c", channels), ("u", down.kernel), ("v", across.kernel), ("i", windows[0])], body)
    p.step(lines, [x], [y])
    return y


def _upsample(p: Program, link: Any, x: Value) -> Value:
    """Each output from a few neighbours, along one dimension after the other. What it takes of them, the link tells."""
    rank = len(x.shape) - 2
    y = x
    for axis in range(2, rank + 2):
        matrix = _weights_along(link, x.shape, axis)
        y = _mixed(p, y, axis, matrix, ["rows", "columns", "planes"][axis - 2])
    return y


def _weights_along(link: Any, shape: tuple[int, ...], axis: int) -> Array:
    """(outputs, inputs): what the link makes of a one at each place of the axis, with the same all along the others."""
    count = shape[axis]
    ones = np.eye(count).reshape(count, 1, *(count if each == axis else 1 for each in range(2, len(shape))))
    y = type(link).forward(link, np.broadcast_to(ones, (count, 1, *shape[2:])).copy())
    return np.moveaxis(y[:, 0], axis - 1, -1).reshape(count, -1, y.shape[axis])[:, 0].T


def _mixed(p: Program, x: Value, axis: int, matrix: Array, label: str) -> Value:
    """y = matrix · x along an axis; of each row of the matrix the few numbers that are not 0 are written."""
    outputs, inputs = matrix.shape
    spans = [np.flatnonzero(row)[[0, -1]] for row in matrix]
    taps = max(int(last - first) + 1 for first, last in spans)
    first = np.array([min(int(start), inputs - taps) for start, _ in spans])
    weights = np.stack([row[start : start + taps] for row, start in zip(matrix, first, strict=True)])
    y = p.value((*x.shape[:axis], outputs, *x.shape[axis + 1 :]))
    inner = math.prod(x.shape[axis + 1 :])
    from_ = p.table(label, first)
    target = y.at(times("n", outputs * inner), times("i", inner), *["j"] * (inner > 1))
    at = [times("n", inputs * inner), times(f"({from_}[i] + k)", inner), *["j"] * (inner > 1)]
    lines = [f"{target} = {x.at(at[0], times(f'{from_}[i]', inner), *at[2:])};"]
    if taps > 1 or not (weights == 1).all():
        name = p.constant(f"{label}_weight", weights)
        summed = nested([("k", taps)], [f"sum += {name}[{times('i', taps)} + k] * {x.at(*at)};"])
        lines = [f"{p.real} sum = {p.number(0)};", *summed, f"{target} = sum;"]
    loops = [("n", x.size // (inputs * inner)), ("i", outputs), *[("j", inner)] * (inner > 1)]
    p.step(nested(loops, lines), [x], [y])
    return y


KNOWN: dict[type[nn.Module], Callable[..., Any]] = {
    nn.Conv1d: _conv,
    nn.Conv2d: _conv,
    nn.ConvTranspose1d: _conv_transpose,
    nn.ConvTranspose2d: _conv_transpose,
    nn.ConstantPad1d: _pad("zeros"),
    nn.ConstantPad2d: _pad("zeros"),
    nn.ZeroPad1d: _pad("zeros"),
    nn.ZeroPad2d: _pad("zeros"),
    nn.ReflectionPad1d: _pad("reflect"),
    nn.ReflectionPad2d: _pad("reflect"),
    nn.ReplicationPad1d: _pad("replicate"),
    nn.ReplicationPad2d: _pad("replicate"),
    nn.CircularPad1d: _pad("circular"),
    nn.CircularPad2d: _pad("circular"),
    nn.PixelShuffle: _pixel_shuffle,
    nn.PixelUnshuffle: _pixel_unshuffle,
    nn.Unfold: _unfold,
    nn.Fold: _fold,
    nn.Upsample: _upsample,
    nn.UpsamplingNearest2d: _upsample,
    nn.UpsamplingBilinear2d: _upsample,
}
