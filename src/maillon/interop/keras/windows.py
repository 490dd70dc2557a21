"""Convolutions, pools, padding and upsampling: windows over series and images, channels first here."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from maillon import nn
from maillon.interop.keras.values import Value
from maillon.nn import Module
from maillon.typing import Array

if TYPE_CHECKING:
    from maillon.interop.keras.layers import Layers

Read = Callable[["Layers", Any, Any, str, Value], Value]


def read(layers: "Layers", layer: Any, node: Any, name: str, value: Value) -> Value:
    """The value of a call of one of these layers."""
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise layers.refusal(layer, name, "has its channels first (data_format)")
    made = KINDS[type(layer).__name__](layers, layer, node, name, value)
    return made.at(made.address, tuple(node.outputs[0].shape))


def _dims(name: str, value: Value) -> Any:
    """The link of that name for series or for images."""
    return getattr(nn, f"{name}{value.rank - 2}d")


def _numbers(given: Any, count: int) -> tuple[int, ...]:
    return (int(given),) * count if isinstance(given, int) else tuple(map(int, given))


# Convolutions


def _convolution(layers: "Layers", layer: Any, node: Any, name: str, value: Value) -> Value:
    def laid(array: Array) -> Array:
        """(…window, inputs, outputs) → (outputs, inputs, …window)."""
        return np.moveaxis(array, (-1, -2), (0, 1))

    value = _convolved(layers, layer, name, value, (int(layer.filters), int(layer.groups)), layer.kernel, laid)
    return layers.activated(value, layer.activation, name)


def _depthwise(layers: "Layers", layer: Any, node: Any, name: str, value: Value) -> Value:
    return layers.activated(_each_channel(layers, layer, name, value, layer.kernel), layer.activation, name)


def _separable(layers: "Layers", layer: Any, node: Any, name: str, value: Value) -> Value:
    value = _each_channel(layers, layer, f"{name}_depthwise", value, layer.depthwise_kernel)
    inputs, filters = value.channels, int(layer.filters)
    link = layers.link(
        layer, name, lambda: _dims("Conv", value)(inputs, filters, 1, bias=layer.bias is not None), "point"
    )
    layers.weigh(link, layer, name, weight=(layer.pointwise_kernel, lambda array: np.moveaxis(array, (-1, -2), (0, 1))),
                 bias=(layer.bias, np.asarray))  # fmt: skip
    made = layers.add(value, name, link, shape=(*value.shape[:-1], filters))
    return layers.activated(made, layer.activation, name)


def _each_channel(layers: "Layers", layer: Any, name: str, value: Value, kernel: Any) -> Value:
    """A convolution of each channel by itself: (…window, C, M) → (C · M, 1, …window)."""
    multiplier = int(layer.depth_multiplier)

    def laid(array: Array) -> Array:
        window = array.shape[:-2]
        return np.moveaxis(array.reshape(*window, -1), -1, 0)[:, None]

    channels = value.channels
    return _convolved(layers, layer, name, value, (channels * multiplier, channels), kernel, laid)


def _convolved(
    layers: "Layers", layer: Any, name: str, value: Value, sizes: tuple[int, int], kernel: Any, laid: Any
) -> Value:
    """sizes: how many channels come out, in how many groups."""
    rank = value.rank - 2
    window, strides = _numbers(layer.kernel_size, rank), _numbers(layer.strides, rank)
    dilation = _numbers(layer.dilation_rate, rank)
    outputs, groups = sizes
    extents = tuple((size - 1) * step + 1 for size, step in zip(window, dilation, strict=True))
    value, padding = _padded(layers, layer, name, value, extents, strides)
    separable = "Separable" in type(layer).__name__
    bias = layer.bias if not separable else None
    link = layers.link(
        layer,
        name,
        lambda: _dims("Conv", value)(
            value.channels, outputs, window, strides, padding, dilation, groups, bias is not None
        ),
    )
    layers.weigh(link, layer, name, weight=(kernel, laid), bias=(bias, np.asarray))
    return layers.add(value, name, link, shape=(*value.shape[:-1], outputs))


def _padded(
    layers: "Layers", layer: Any, name: str, value: Value, extents: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[Value, Any]:
    """The value, padded where the convolution cannot itself, and the convolution's padding."""
    if layer.padding == "valid":
        return value, 0
    if layer.padding == "causal":
        return layers.add(value, f"{name}_pad", nn.ConstantPad1d((extents[0] - 1, 0), 0.0)), 0
    if all(stride == 1 for stride in strides):
        return value, "same"
    sides = _same(layers, layer, name, value, extents, strides)
    if all(left == right for left, right in sides):
        return value, tuple(left for left, _ in sides)
    return layers.add(value, f"{name}_pad", _zeros(value, sides)), 0


def _same(
    layers: "Layers", layer: Any, name: str, value: Value, extents: tuple[int, ...], strides: tuple[int, ...]
) -> list[tuple[int, int]]:
    """How much "same" pads on each side: the output has ⌈n / stride⌉ places, the right side gets the odd one."""
    sides = []
    for size, extent, stride in zip(value.shape[1:-1], extents, strides, strict=True):
        if size is None:
            raise layers.refusal(layer, name, 'pads "same" with a stride an input whose size is not known')
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        sides.append((total // 2, total - total // 2))
    return sides


def _zeros(value: Value, sides: list[tuple[int, int]]) -> Module:
    """Padding with zeros; the last dimension comes first."""
    made: Module = _dims("ZeroPad", value)(tuple(one for pair in reversed(sides) for one in pair))
    return made


def _transpose(layers: "Layers", layer: Any, node: Any, name: str, value: Value) -> Value:
    rank = value.rank - 2
    window, strides = _numbers(layer.kernel_size, rank), _numbers(layer.strides, rank)
    dilation = _numbers(layer.dilation_rate, rank)
    extra = (None,) * rank if layer.output_padding is None else _numbers(layer.output_padding, rank)
    same = layer.padding == "same"
    each = [transposed_padding(*one, same) for one in zip(window, strides, dilation, extra, strict=True)]
    padding, added, cut = zip(*each, strict=True)
    filters, bias = int(layer.filters), layer.bias is not None
    link = layers.link(
        layer,
        name,
        lambda: _dims("ConvTranspose", value)(
            value.channels, filters, window, strides, padding, added, 1, bias, dilation
        ),
    )
    layers.weigh(link, layer, name, weight=(layer.kernel, lambda array: np.moveaxis(array, (-1, -2), (0, 1))),
                 bias=(layer.bias, np.asarray))  # fmt: skip
    made = layers.add(value, name, link, shape=(*value.shape[:-1], filters))
    if any(cut):
        made = layers.add(made, f"{name}_cut", _zeros(value, [(0, -one) for one in cut]))
    return layers.activated(made, layer.activation, name)


def transposed_padding(size: int, stride: int, dilation: int, extra: int | None, same: bool) -> tuple[int, int, int]:
    """padding and output_padding of a transposed convolution along one dimension, and how much is cut off its end.

    Of the whole, (n − 1) stride + extent long, "same" keeps n · stride (with output_padding another number) and cuts
    the odd one off the end, as the gradient of a convolution does that pads "same".
    """
    extent = (size - 1) * dilation + 1
    if not same:
        return 0, max(extent, stride) - extent if extra is None else extra, 0
    kept = stride + extent - 2 if extra is None else extent + extent % 2 - 2 + extra
    left = min(kept // 2 + kept % 2, extent - 1)
    before, after = extent - 1 - left, extent - 1 - (kept - left)
    return before, max(before - after, 0), max(after - before, 0)


# Pools


def _pool(layers: "Layers", layer: Any, node: Any, name: str, value: Value) -> Value:
    rank = value.rank - 2
    window, strides = _numbers(layer.pool_size, rank), _numbers(layer.strides, rank)
    kind = "MaxPool" if "Max" in type(layer).__name__ else "AvgPool"
    if layer.padding != "same":
        return layers.add(value, name, _dims(kind, value)(window, strides))
    sides = _same(layers, layer, name, value, window, strides)
    padding = tuple(left for left, _ in sides)
    options: dict[str, Any] = {} if kind == "MaxPool" else {"count_include_pad": False}
    if any(left != right for left, right in sides):
        if kind == "AvgPool":
            raise layers.refusal(layer, name, 'pads "same" by an odd number, which means another thing in each backend')
        options["ceil_mode"] = True  # a window that goes over the right end; what is not there is no maximum
    return layers.add(value, name, _dims(kind, value)(window, strides, padding, **options))


def _global_pool(layers: "Layers", layer: Any, node: Any, name: str, value: Value) -> Value:
    pool = _dims("AdaptiveMaxPool" if "Max" in type(layer).__name__ else "AdaptiveAvgPool", value)(1)
    if layer.keepdims:
        return layers.add(value, name, pool)
    made = layers.add(value, name, nn.Sequential(pool, nn.Flatten()))
    return Value(made.address, (value.shape[0], value.channels))


# Padding, sizes, channels


def _padding(layers: "Layers", layer: Any, node: Any, name: str, value: Value) -> Value:
    cropping = "Cropping" in type(layer).__name__
    given = layer.cropping if cropping else layer.padding
    sides = [tuple(given)] if value.rank == 3 else [tuple(pair) for pair in given]
    sign = -1 if cropping else 1
    return layers.add(value, name, _zeros(value, [(sign * int(left), sign * int(right)) for left, right in sides]))


def _upsampling(layers: "Layers", layer: Any, node: Any, name: str, value: Value) -> Value:
    mode = getattr(layer, "interpolation", "nearest")
    if mode not in ("nearest", "bilinear"):
        raise layers.refusal(layer, name, f"has interpolation={mode!r}")
    sizes = tuple(map(float, _numbers(layer.size, value.rank - 2)))
    return layers.add(value, name, nn.Upsample(scale_factor=sizes, mode=mode))


def _channel_dropout(layers: "Layers", layer: Any, node: Any, name: str, value: Value) -> Value:
    return layers.add(value, name, _dims("Dropout", value)(layer.rate))


KINDS: dict[str, Read] = {}
for _rank in ("1D", "2D"):
    KINDS |= {
        f"Conv{_rank}": _convolution,
        f"Conv{_rank}Transpose": _transpose,
        f"DepthwiseConv{_rank}": _depthwise,
        f"SeparableConv{_rank}": _separable,
        f"MaxPooling{_rank}": _pool,
        f"AveragePooling{_rank}": _pool,
        f"GlobalMaxPooling{_rank}": _global_pool,
        f"GlobalAveragePooling{_rank}": _global_pool,
        f"ZeroPadding{_rank}": _padding,
        f"Cropping{_rank}": _padding,
        f"UpSampling{_rank}": _upsampling,
        f"SpatialDropout{_rank}": _channel_dropout,
    }
"""How each kind of layer is read."""
