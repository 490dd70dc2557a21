"""Convolutions and their transposes; Unfold and Fold.

A signal is an image of one row. Where the batch is large and the image small, the operations read it with the samples
last (`samples_last`): the same arithmetic, faster.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Value, lowers
from maillon.engine.families.linear import EPILOGUE, affine
from maillon.engine.families.padding import padded
from maillon.engine.table import Kind, declare
from maillon.nn import Module
from maillon.nn.spatial.windows import Windows

_X, _Y = "samples * channels * height * width", "samples * outputs * out_height * out_width"
_WEIGHT = "channels * outputs // groups * kernel_h * kernel_w"
_LAST = "(samples + 15) // 16 * 16"
_X_LAST = f"{_LAST} * channels * height * width"
_AXES = ("height", "width", "out_height", "out_width")
_WINDOWS = (
    "kernel_h>0",
    "kernel_w>0",
    "stride_h>0",
    "stride_w>0",
    "padding_h",
    "padding_w",
    "dilation_h>0",
    "dilation_w>0",
)
_SIZES = ("samples", "channels>0", "outputs>0", "groups>0", *_AXES, *_WINDOWS)
_REACH = "max(kernel_h * dilation_h, kernel_w * dilation_w, stride_h, stride_w, padding_h, padding_w) < 2**31"
_GROUPS = ("channels % groups == 0 and outputs % groups == 0", _REACH)
_MOST_TAPS = 128


def _last(name: str, values: str) -> tuple[str, str]:
    """One of the two is there; the other one's kernel sees few taps, and counts samples and places in 32 bits."""
    few = f"kernel_h * kernel_w <= {_MOST_TAPS} and samples < 2**31 and {values} < 2**31"
    return f"{name} != {name}_last", f"{name} or {few}"


def _value(name: str, about: str, x: str, y: str, extra: str, flops: str) -> Kind:
    """A kind of operation from x to y."""
    return Kind(
        name,
        about,
        (f"{x}?: r {_X}", f"{x}_last?: r {_X_LAST}", f"weight: r {_WEIGHT}", extra, f"{y}: w {_Y}"),
        (*_SIZES, "activation"),
        ("slope",),
        choices={"activation": EPILOGUE},
        flops=f"2 * samples * {_WEIGHT} * {flops}",
        must=(
            *_GROUPS,
            *_last(x, "outputs * out_height * out_width"),
            *(["activation == 0 or reference"] * ("ref" in extra)),
        ),
        epilogue=y,
    )


_BIAS, _REFERENCE = "bias?: r outputs", f"reference?: r {_Y}"
_FORWARD, _BACK = "out_height * out_width", "height * width"
_PLANE, _COLUMNS = "planes * height * width", "planes * kernel_h * kernel_w * out_height * out_width"

OPERATIONS = declare(
    Kind(
        "samples_last",
        "y[v, n] = x[n, v]; n to a multiple of 16, with zeros",
        ("x: r samples * values", f"y: w {_LAST} * values"),
        ("samples", "values"),
        must=("samples < 2**31 - 16",),
        work="5 * samples * values",
    ),
    _value("conv", "y = f(W ⋆ x + b)", "x", "y", _BIAS, _FORWARD),
    _value("conv_grad_input", "dx = (W ⋆ᵀ dy) f'(reference)", "dy", "dx", _REFERENCE, _BACK),
    _value("conv_transposed", "y = f(W ⋆ᵀ x + b)", "x", "y", _BIAS, _BACK),
    _value("conv_transposed_grad_input", "dx = (W ⋆ dy) f'(reference)", "dy", "dx", _REFERENCE, _FORWARD),
    Kind(
        "conv_grad_weight",
        "dW[o, c, k] (+)= Σ dy[n, o, place] x[n, c, place of k]",
        (
            f"x?: r {_X}",
            f"x_last?: r {_X_LAST}",
            f"dy?: r {_Y}",
            f"dy_last?: r {_LAST} * outputs * out_height * out_width",
            f"dweight: rw {_WEIGHT}",
        ),
        (*_SIZES, "keep<2"),
        flops=f"2 * samples * {_WEIGHT} * out_height * out_width",
        must=(*_GROUPS, "x != x_last", "x == dy", "x_last == dy_last"),
    ),
    Kind(
        "channel_sums",
        "sums[c] (+)= Σ x[n, c, place]",
        ("x: r samples * channels * places", "sums: rw channels"),
        ("samples", "channels", "places", "keep<2"),
        flops="samples * channels * places",
    ),
    Kind(
        "unfold",
        "y[plane, (i, j), l] = x[plane, the place of (i, j) in the window l]",
        (f"x: r {_PLANE}", f"y: w {_COLUMNS}"),
        ("planes", *_AXES, *_WINDOWS),
        must=(_REACH,),
        work=f"5 * {_COLUMNS}",
    ),
    Kind(
        "fold",
        "y[plane, place] = Σ x[plane, (i, j), l] over the windows l that have it at (i, j)",
        (f"x: r {_COLUMNS}", f"y: w {_PLANE}"),
        ("planes", *_AXES, *_WINDOWS),
        must=(_REACH,),
        work=f"5 * {_COLUMNS}",
    ),
)


def _axes(image: Sequence[int], counts: Sequence[int], windows: Windows, padding: Sequence[int]) -> dict[str, int]:
    """The sizes of an image, of its windows, and how many of them there are, as those of two dimensions."""
    sizes = dict(zip(_AXES, (*_two(image, 1), *_two(counts, 1)), strict=True))
    options = zip(
        _two(windows.kernel, 1), _two(windows.stride, 1), _two(padding, 0), _two(windows.dilation, 1), strict=True
    )
    names = ("kernel", "stride", "padding", "dilation")
    for axis, values in zip("hw", options, strict=True):
        sizes |= {f"{name}_{axis}": value for name, value in zip(names, values, strict=True)}
    return sizes


def _two(values: Sequence[int], usual: int) -> tuple[int, ...]:
    return (usual, *values) if len(values) == 1 else tuple(values)


def _back(sizes: dict[str, int]) -> dict[str, int]:
    """The sizes of the operation the other way."""
    other = {"channels": "outputs", "height": "out_height", "width": "out_width"}
    other |= {there: here for here, there in other.items()}
    return {other.get(name, name): n for name, n in sizes.items()}


class _Convolution:
    """What a convolution from an image to its outputs, or its transpose, adds to a plan; sizes: of the convolution."""

    def __init__(self, b: Builder, link: Any, sizes: dict[str, int]) -> None:
        self._b, self._link = b, link
        self.sizes = sizes
        self.back = _back(sizes)
        self.weight = b.parameter("weight", link.weight)
        self.bias = None if link.bias is None else b.parameter("bias", link.bias)
        self._last = "_last" if _by_samples(sizes) else ""

    def readable(self, value: Value) -> Value:
        """The value as the operations read it."""
        if not self._last:
            return value
        samples, values = self.sizes["samples"], value.size // self.sizes["samples"]
        y = self._b.local(f"{value.buffer.name}, samples last", (values, -(-samples // 16) * 16))
        self._b.add("samples_last", x=value, y=y, samples=samples, values=values)
        return y

    def add(self, kind: str, sizes: dict[str, int], read: Mapping[str, Value | None], **fields: Any) -> None:
        """An operation that reads these readable values."""
        self._b.add(kind, **{f"{name}{self._last}": value for name, value in read.items()}, **fields, **sizes)

    def learn_weight(self, image: Value, outputs: Value) -> None:
        """The gradient of the weight, from both sides of the convolution."""
        dweight, keep = self._b.parameter_grad(self._link.weight)
        if dweight is not None:
            self.add("conv_grad_weight", self.sizes, {"x": image, "dy": outputs}, dweight=dweight, keep=int(keep))

    def learn_bias(self, dy: Value) -> None:
        dbias, keep = self._b.parameter_grad(self._link.bias)
        if dbias is not None:
            samples, channels, *places = dy.shape
            own = {"samples": samples, "channels": channels, "places": math.prod(places)}
            self._b.add("channel_sums", x=dy, sums=dbias, keep=int(keep), **own)


def _by_samples(sizes: dict[str, int]) -> bool:
    """Whether it pays to have the samples last: many of them, and much to compute from what is transposed for it."""
    samples, channels, outputs = (sizes[name] for name in ("samples", "channels", "outputs"))
    taps = sizes["kernel_h"] * sizes["kernel_w"]
    given = channels * sizes["height"] * sizes["width"]
    made = outputs * sizes["out_height"] * sizes["out_width"]
    of_group = channels // sizes["groups"]
    row = sizes["kernel_h"] * sizes["width"] * of_group * min(samples, 48)  # what a row of outputs reads
    return (
        samples >= 16
        and 4 * samples >= 3 * (-(-samples // 16) * 16)
        and taps <= _MOST_TAPS
        and min(of_group, outputs // sizes["groups"]) >= 4
        and made * of_group * taps >= 40 * (given + made)
        and row <= 2**17
        and samples * max(given, made) <= 2**22
    )


def _batch(b: Builder, link: Any, x: Value) -> Value:
    """x, or the one sample that it is, as a batch."""
    if not x.real or x.buffer.dtype != link.weight.dtype:
        raise NotLoweredError(f"{b.at(link)} is given {x.buffer.dtype}")
    return x if len(x.shape) == len(link.kernel_size) + 2 else x.reshaped((1, *x.shape))


def _unbatched(x: Value, y: Value) -> Value:
    """y, of one sample where x is."""
    return y if len(x.shape) == len(y.shape) else y.reshaped(y.shape[1:])


@lowers("Conv1d", "Conv2d")
def conv(b: Builder, link: Any, x: Value) -> Value:
    images, widths = _batch(b, link, x), link.widths
    link.require_shape(x.shape)
    if link.padding_mode != "zeros":
        images, widths = padded(b, images, widths, link.padding_mode), [(0, 0)] * len(widths)
    samples, channels, *image = images.shape
    counts = link.windows.counts([n + sum(sides) for n, sides in zip(image, widths, strict=True)])
    shape = (samples, link.out_channels, *counts)
    if link.groups == 1 and tuple(image) == link.windows.kernel and not any(map(sum, widths)):  # one window: the image
        return _unbatched(x, affine(b, link, images.reshaped((samples, channels * math.prod(image)))).reshaped(shape))
    sizes = {"samples": samples, "channels": channels, "outputs": link.out_channels, "groups": link.groups}
    own = _Convolution(b, link, sizes | _axes(image, counts, link.windows, [before for before, _ in widths]))
    read, y = own.readable(images), b.local("y", shape)
    own.add("conv", own.sizes, {"x": read}, weight=own.weight, bias=own.bias, y=y)

    def backward(dy: Value) -> None:
        dy = dy.reshaped(shape)
        own.learn_bias(dy)
        if not link.weight.requires_grad and not b.wants(images):
            return
        of_outputs = own.readable(dy)
        own.learn_weight(read, of_outputs)
        if b.wants(images):
            own.add("conv_grad_input", own.back, {"dy": of_outputs}, weight=own.weight, dx=b.grad(images))

    b.differentiate(backward, y, (images,), (link.weight, link.bias))
    return _unbatched(x, y)


@lowers("ConvTranspose1d", "ConvTranspose2d")
def conv_transposed(b: Builder, link: Any, x: Value, output_size: Any = None) -> Value:
    """The convolution is that from y to x."""
    outputs = _batch(b, link, x)
    if output_size is not None:
        raise NotLoweredError(f"{b.at(link)} is given output_size")
    image = link.output_sizes(x.shape)
    samples, channels, *counts = outputs.shape
    shape = (samples, link.out_channels, *image)
    sizes = {"samples": samples, "channels": link.out_channels, "outputs": channels, "groups": link.groups}
    own = _Convolution(b, link, sizes | _axes(image, counts, link.windows, link.padding))
    read, y = own.readable(outputs), b.local("y", shape)
    own.add("conv_transposed", own.back, {"x": read}, weight=own.weight, bias=own.bias, y=y)

    def backward(dy: Value) -> None:
        dy = dy.reshaped(shape)
        own.learn_bias(dy)
        if not link.weight.requires_grad and not b.wants(outputs):
            return
        of_image = own.readable(dy)
        own.learn_weight(of_image, read)
        if b.wants(outputs):
            own.add("conv_transposed_grad_input", own.sizes, {"dy": of_image}, weight=own.weight, dx=b.grad(outputs))

    b.differentiate(backward, y, (outputs,), (link.weight, link.bias))
    return _unbatched(x, y)


@lowers("Unfold")
def unfold(b: Builder, link: "nn.Unfold", x: Value) -> Value:
    _require_real(b, link, x)
    link.require_shape(x.shape)
    *outer, channels, height, width = x.shape
    counts = link.counts((height, width))
    y = b.local("y", (*outer, channels * math.prod(link.windows.kernel), math.prod(counts)))
    sizes = {"planes": math.prod(x.shape[:-2])} | _axes((height, width), counts, link.windows, link.borders)
    b.add("unfold", x=x, y=y, **sizes)
    b.differentiate(lambda dy: b.add("fold", x=dy, y=b.grad(x), **sizes), y, (x,))
    return y


@lowers("Fold")
def fold(b: Builder, link: "nn.Fold", x: Value) -> Value:
    _require_real(b, link, x)
    link.require_shape(x.shape)
    channels = x.shape[-2] // math.prod(link.windows.kernel)
    y = b.local("y", (*x.shape[:-2], channels, *link.sizes))
    sizes = {"planes": math.prod(y.shape[:-2])}
    sizes |= _axes(link.sizes, link.counts(link.sizes), link.windows, link.borders)
    b.add("fold", x=x, y=y, **sizes)
    b.differentiate(lambda dy: b.add("unfold", x=dy, y=b.grad(x), **sizes), y, (x,))
    return y


def _require_real(b: Builder, link: Module, x: Value) -> None:
    if not x.real:
        raise NotLoweredError(f"{b.at(link)} is given {x.buffer.dtype}")
