"""Normalisation and dropout, as they are in evaluation."""

import math
from typing import Any

import numpy as np

from maillon.interop.onnx.trace import Exporter, Trace, Value
from maillon.nn.norms import batchnorm, dropout as drop, normalization as norm


def batch_norm(t: Trace, link: Any, x: Value) -> Any:
    if link.running_mean is None:
        return normalized(t, link, x, [0, *range(2, x.ndim)], 1)
    return running(t, link, x)


def instance_norm(t: Trace, link: Any, x: Value) -> Any:
    x_batched, unbatched = t.batched(x, max(link.dimensions))
    if link.running_mean is not None:
        return unbatched(running(t, link, x_batched))
    if link.weight is not None and link.bias is not None:
        y = t.op("InstanceNormalization", x_batched, link.weight, link.bias, epsilon=link.eps)
        return unbatched(y)
    places = max(link.dimensions) - 2
    return unbatched(normalized(t, link, x_batched, list(range(-places, 0)), places))


def running(t: Trace, link: Any, x: Any) -> Any:
    """BatchNormalization wants all four; ours are those of a link that lacks them."""
    ones = np.ones(link.num_features, t.dtype)
    weight = ones if link.weight is None else link.weight
    bias = 0 * ones if link.bias is None else link.bias
    momentum = 0.0 if link.momentum is None else 1 - link.momentum
    given = (weight, bias, link.running_mean, link.running_var)
    return t.op("BatchNormalization", x, *given, epsilon=link.eps, momentum=momentum)


def normalized(t: Trace, link: Any, x: Any, axes: list[int], places: int) -> Any:
    """(x − μ) / √(σ² + ε) over the axes, then weight and bias of each channel, which `places` dimensions follow."""
    centred = t.op("Sub", x, t.op("ReduceMean", x, axes, keepdims=1))
    variance = t.op("ReduceMean", t.op("Mul", centred, centred), axes, keepdims=1)
    y = t.op("Div", centred, t.op("Sqrt", t.op("Add", variance, float(link.eps))))
    return scaled(t, link, y, places)


def scaled(t: Trace, link: Any, y: Any, places: int) -> Any:
    for operator, parameter in (("Mul", link.weight), ("Add", link.bias)):
        if parameter is not None:
            ones = (1,) * places
            shaped = t.weight(parameter, lambda w, ones=ones: w.reshape(-1, *ones), f".{places}" if places else "")  # type: ignore[misc]
            y = t.op(operator, y, shaped)
    return y


def layer_norm(t: Trace, link: Any, x: Value) -> Any:
    weight = np.ones(link.normalized_shape, t.dtype) if link.weight is None else link.weight
    axis = -len(link.normalized_shape)
    return t.op("LayerNormalization", x, weight, link.bias, axis=axis, epsilon=link.eps)


def rms_norm(t: Trace, link: Any, x: Value) -> Any:
    """Opset 18 has no RMSNormalization yet."""
    eps = float(np.finfo(t.dtype).eps) if link.eps is None else link.eps
    axes = list(range(-len(link.normalized_shape), 0))
    square = t.op("ReduceMean", t.op("Mul", x, x), axes, keepdims=1)
    y = t.op("Div", x, t.op("Sqrt", t.op("Add", square, eps)))
    return y if link.weight is None else t.op("Mul", y, link.weight)


def group_norm(t: Trace, link: Any, x: Value) -> Any:
    """Opset 18's GroupNormalization has a weight for each group, which was corrected in 21: written out."""
    size = link.num_channels // link.num_groups * math.prod(x.sizes(x.ndim - 2))
    groups = t.reshape(x, (x.shape[0], link.num_groups, size))
    centred = t.op("Sub", groups, t.op("ReduceMean", groups, [2], keepdims=1))
    variance = t.op("ReduceMean", t.op("Mul", centred, centred), [2], keepdims=1)
    y = t.op("Div", centred, t.op("Sqrt", t.op("Add", variance, float(link.eps))))
    return scaled(t, link, t.reshape(y, x.shape), x.ndim - 2)


def local_response(t: Trace, link: Any, x: Value) -> Any:
    """ONNX's LRN, or for even sizes and other shapes a product that sums the squares of the channels around each."""
    channels, *places = x.sizes(x.ndim - 1)
    if link.size % 2 and x.ndim == 4 and t.dtype == np.float32:
        return t.op("LRN", x, size=link.size, alpha=link.alpha, beta=link.beta, bias=link.k)
    offsets = np.arange(channels) - np.arange(channels)[:, None]
    window = (offsets >= -(link.size // 2)) & (offsets <= (link.size - 1) // 2)
    flat = t.reshape(x, (x.shape[0], channels, math.prod(places)))
    total = t.op("MatMul", (window * (link.alpha / link.size)).astype(t.dtype), t.op("Mul", flat, flat))
    scale = t.op("Pow", t.op("Add", total, float(link.k)), float(-link.beta))
    return t.reshape(t.op("Mul", flat, scale), x.shape)


def dropout(t: Trace, link: Any, x: Value) -> Any:
    return dropped(t, x, link.p)


def dropped(t: Trace, x: Any, p: float) -> Any:
    """It does nothing in evaluation; a p of 1 ONNX does not allow."""
    return t.op("Dropout", x, np.asarray(p, np.float32)) if 0 < p < 1 else x


def nothing(t: Trace, link: Any, x: Value) -> Any:
    return x


EXPORTERS: dict[type, Exporter] = {
    batchnorm.BatchNorm1d: batch_norm,
    batchnorm.BatchNorm2d: batch_norm,
    batchnorm.InstanceNorm1d: instance_norm,
    batchnorm.InstanceNorm2d: instance_norm,
    norm.LayerNorm: layer_norm,
    norm.RMSNorm: rms_norm,
    norm.GroupNorm: group_norm,
    norm.LocalResponseNorm: local_response,
    drop.Dropout: dropout,
    drop.Dropout1d: nothing,
    drop.Dropout2d: nothing,
    drop.AlphaDropout: nothing,
    drop.FeatureAlphaDropout: nothing,
}
