"""Normalisation, as in evaluation, and Dropout, of which nothing stays."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon import nn
from maillon.interop.c.links.linear import data, same
from maillon.interop.c.program import Program, RefusedError, Value, loop

STANDARDIZE = """static void NAME(const REAL *x, REAL *y, int n, REAL eps) {
REAL mean = ZERO, rest = ZERO, variance = ZERO;
for (int i = 0; i < n; i++) {
mean += x[i];
}
mean /= (REAL)n;
for (int i = 0; i < n; i++) {
rest += x[i] - mean; /* what rounding has left of it */
}
mean += rest / (REAL)n;
for (int i = 0; i < n; i++) {
y[i] = x[i] - mean;
variance += y[i] * y[i];
}
SCALE
}"""
SQUARES = """static void NAME(const REAL *x, REAL *y, int n, REAL eps) {
REAL variance = ZERO;
for (int i = 0; i < n; i++) {
y[i] = x[i];
variance += y[i] * y[i];
}
SCALE
}"""
SCALE = """variance = ONE / SQRT(variance / (REAL)n + eps);
for (int i = 0; i < n; i++) {
y[i] *= variance;
}"""


def _slices(p: Program, link: Any, x: Value, count: int, each: int) -> Value:
    """x in `count` slices of `each` values that lie together, each of mean 0 and variance 1; then the weights."""
    centred = not isinstance(link, nn.RMSNorm)
    code = (STANDARDIZE if centred else SQUARES).replace("SCALE", SCALE)
    for word, text in (("ZERO", p.number(0)), ("ONE", p.number(1)), ("SQRT", p.function("sqrt"))):
        code = code.replace(word, text)
    name = p.helper("standardize" if centred else "normalize", code)
    y = p.value(x.shape)
    eps = p.number(float(np.finfo(p.dtype).eps) if link.eps is None else link.eps)
    call = f"{name}({x.pointer}, {y.pointer}, {each}, {eps});"
    if count > 1:
        call = f"{name}({x.pointer} + n * {each}, {y.pointer} + n * {each}, {each}, {eps});"
    p.step([loop("n", count), call, "}"] if count > 1 else [call], [x], [y], inplace=True)
    return y


def _weighted(p: Program, link: Any, x: Value, outer: int, inner: int) -> Value:
    """y = w x + b, one w and b for each of the slices of `inner` values; `outer` times the same."""
    if link.weight is None:
        return x
    weight, bias = link.weight.data.ravel(), data(link.bias)
    return _scaled(p, x, outer, inner, None, weight, None if bias is None else bias.ravel())


def _scaled(p: Program, x: Value, outer: int, inner: int, mean: Any, weight: Any, bias: Any) -> Value:
    """y = (x - mean) w + b for each channel."""
    y, count = p.value(x.shape), weight.size
    at = [f"n * {count * inner}" if outer > 1 else 0, f"c * {inner}" if inner > 1 else "c", "i" if inner > 1 else 0]
    v = x.at(*at) if mean is None else f"({x.at(*at)} - {p.constant('mean', mean)}[c])"
    plus = "" if bias is None else f" + {p.constant('bias', bias)}[c]"
    lines = [f"{y.at(*at)} = {v} * {p.constant('weight', weight)}[c]{plus};"]
    for name, size in (("i", inner), ("c", count), ("n", outer)):
        if size > 1 or name == "c":
            lines = [loop(name, size), *lines, "}"]
    p.step(lines, [x], [y], inplace=True)
    return y


def _last_axes(p: Program, link: Any, x: Value) -> Value:
    each = math.prod(link.normalized_shape)
    return _weighted(p, link, _slices(p, link, x, x.size // each, each), x.size // each, 1)


def _groups(p: Program, link: nn.GroupNorm, x: Value) -> Value:
    y = _slices(p, link, x, link.num_groups, x.size // link.num_groups)
    return _weighted(p, link, y, 1, x.size // link.num_channels)


def _running(p: Program, link: Any, x: Value, channels: int) -> Value:
    """With the running statistics there is one slope and one shift for each channel."""
    weight = 1 / np.sqrt(link.running_var + link.eps)
    if link.weight is not None:
        weight = weight * link.weight.data
    return _scaled(p, x, 1, x.size // channels, link.running_mean, weight, data(link.bias))


def _batch(p: Program, link: Any, x: Value) -> Value:
    if link.running_mean is None:
        raise RefusedError("it has no running statistics, and one sample has none of its own. Let it track them.")
    return _running(p, link, x, link.num_features)


def _instance(p: Program, link: Any, x: Value) -> Value:
    if link.running_mean is not None:
        return _running(p, link, x, link.num_features)
    channels = x.shape[1]
    return _weighted(p, link, _slices(p, link, x, channels, x.size // channels), 1, x.size // channels)


def _local_response(p: Program, link: nn.LocalResponseNorm, x: Value) -> Value:
    y, channels = p.value(x.shape), x.shape[1]
    places, before = x.size // channels, link.size // 2
    lines = [
        loop("c", channels),
        f"const int first = c < {before} ? 0 : c - {before};",
        f"const int end = c + {link.size - before} < {channels} ? c + {link.size - before} : {channels};",
        loop("i", places),
        f"{p.real} sum = {p.number(0)};",
        loop("k", "end", "first"),
        f"sum += {x.at(f'k * {places}', 'i')} * {x.at(f'k * {places}', 'i')};",
        "}",
        f"sum = {p.number(link.k)} + {p.number(link.alpha / link.size)} * sum;",
        f"sum = {p.function('pow')}(sum, {p.number(-link.beta)});",
        f"{y.at(f'c * {places}', 'i')} = {x.at(f'c * {places}', 'i')} * sum;",
        "}",
        "}",
    ]
    p.step(lines, [x], [y])
    return y


KNOWN: dict[type[nn.Module], Callable[..., Any]] = {
    nn.LayerNorm: _last_axes,
    nn.RMSNorm: _last_axes,
    nn.GroupNorm: _groups,
    nn.BatchNorm1d: _batch,
    nn.BatchNorm2d: _batch,
    nn.InstanceNorm1d: _instance,
    nn.InstanceNorm2d: _instance,
    nn.LocalResponseNorm: _local_response,
    nn.Dropout: same,
    nn.Dropout1d: same,
    nn.Dropout2d: same,
    nn.AlphaDropout: same,
    nn.FeatureAlphaDropout: same,
}
