"""The norms: over a batch, over slices (layers, groups, instances, root mean squares), and of local responses."""

import math
from typing import Any

import numpy as np

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Value, lowers
from maillon.engine.families.linear import EPILOGUE
from maillon.engine.table import Kind, declare

FEW_PLACES = 16
"""A channel with fewer places is looked at as so many columns; `few_places` of native/families/norms.cpp."""

_GRID = "samples * channels * places"
_GRID_SIZES = ("samples>0", "channels>0", "places>0")
_SPREAD = f"channels * places * (1 < places < {FEW_PLACES})"  # where each column has its own copy of a channel's number
_SLICES = "slices * channels * places"
_SLICE_SIZES = ("slices>0", "parts>0", "channels>0", "places>0", "centred<2")
_WEIGHTS = "parts * channels"
_SPREAD_WEIGHTS = f"{_WEIGHTS} * places * (1 < places < {FEW_PLACES} and channels > 1)"

OPERATIONS = declare(
    Kind(
        "batch_norm",
        "y = f(w x̂ + b), the mean and variance of a channel over samples and places, or running ones",
        (
            f"x: r {_GRID}",
            "running_mean?: r channels",
            "running_var?: r channels",
            "weight?: r channels",
            "bias?: r channels",
            f"y: w {_GRID} in x",
            "statistics: w 4 * channels",
            f"workspace: w 2 * channels * (places == 1) + 5 * {_SPREAD}",
        ),
        (*_GRID_SIZES, "activation"),
        ("eps", "slope"),
        choices={"activation": EPILOGUE},
        flops=f"8 * {_GRID}",
        must=("running_mean == running_var",),
        epilogue="y",
    ),
    Kind(
        "batch_norm_grad",
        "dx = w r (dy - mean dy - x̂ mean(dy x̂)), without means where the statistics do not move; dw (+)= Σ dy x̂, "
        "db (+)= Σ dy",
        (
            f"dy: r {_GRID}",
            f"x: r {_GRID}",
            "statistics: r 4 * channels",
            "weight?: r channels",
            f"dx?: w {_GRID} in dy",
            "dweight?: rw channels",
            "dbias?: rw channels",
            f"workspace: w 2 * channels + 6 * {_SPREAD}",
        ),
        (*_GRID_SIZES, "moving<2", "keep_weight<2", "keep_bias<2"),
        flops=f"12 * {_GRID}",
    ),
    Kind(
        "slice_norm",
        "y = f(w x̂ + b), the mean and variance of each slice; centred=0: without the mean",
        (
            f"x: r {_SLICES}",
            f"weight?: r {_WEIGHTS}",
            f"bias?: r {_WEIGHTS}",
            f"y: w {_SLICES} in x",
            "statistics: w 4 * slices",
            f"workspace: w 2 * {_SPREAD_WEIGHTS}",
        ),
        (*_SLICE_SIZES, "activation"),
        ("eps", "slope"),
        choices={"activation": EPILOGUE},
        flops=f"8 * {_SLICES}",
        work=f"10 * {_SLICES}",
        must=("slices % parts == 0",),
        epilogue="y",
    ),
    Kind(
        "slice_norm_grad",
        "dx = r (w dy - mean(w dy) - x̂ mean(w dy x̂)); dw (+)= Σ dy x̂, db (+)= Σ dy over the samples",
        (
            f"dy: r {_SLICES}",
            f"x: r {_SLICES}",
            "statistics: r 4 * slices",
            f"weight?: r {_WEIGHTS}",
            f"dx?: w {_SLICES} in dy",
            f"dweight?: rw {_WEIGHTS}",
            f"dbias?: rw {_WEIGHTS}",
            f"workspace: w 2 * {_WEIGHTS} + 3 * {_SPREAD_WEIGHTS}",
        ),
        (*_SLICE_SIZES, "keep_weight<2", "keep_bias<2"),
        flops=f"14 * {_SLICES}",
        work=f"18 * {_SLICES}",
        must=("slices % parts == 0",),
    ),
    Kind(
        "track_statistics",
        "running ← (1 - m) running + m (mean over the samples), m = momentum or 1 / batches",
        (
            "statistics: r 4 * samples * channels",
            "running_mean: rw channels",
            "running_var: rw channels",
            "batches?: rw int64 1",
        ),
        ("samples>0", "channels>0", "count>1", "cumulative<2"),
        ("momentum",),
        flops="4 * samples * channels",
        must=("batches or not cumulative",),
        alone=True,
    ),
    Kind(
        "response_norm",
        "y = x d^-β, d = k + α / size Σ x² over the channels around each one",
        (f"x: r {_GRID}", f"y: w {_GRID}", f"d: w {_GRID}"),
        (*_GRID_SIZES, "size>0"),
        ("alpha", "beta", "k"),
        flops=f"(2 * size + 20) * {_GRID}",
    ),
    Kind(
        "response_norm_grad",
        "dx = dy d^-β - (2 α β / size) x Σ dy x d^(-β - 1) over the channels whose window holds this one",
        (f"dy: r {_GRID}", f"x: r {_GRID}", f"d: r {_GRID}", f"dx: w {_GRID}", f"workspace: w {_GRID}"),
        (*_GRID_SIZES, "size>0"),
        ("alpha", "beta"),
        flops=f"(size + 40) * {_GRID}",
    ),
)


def _affine(b: Builder, link: Any) -> dict[str, Value | None]:
    """The weight and the bias, as far as there are."""
    own = {"weight": link.weight, "bias": link.bias}
    return {name: None if each is None else b.parameter(name, each) for name, each in own.items()}


def _gradients(b: Builder, link: Any, x: Value) -> dict[str, Any]:
    """Where an operation leaves the gradients of x, the weight and the bias."""
    dweight, keep_weight = b.parameter_grad(link.weight)
    dbias, keep_bias = b.parameter_grad(link.bias)
    dx = b.grad(x) if b.wants(x) else None
    keeps = {"keep_weight": int(keep_weight), "keep_bias": int(keep_bias)}
    return {"dx": dx, "dweight": dweight, "dbias": dbias, **keeps}


def _running(b: Builder, link: Any) -> dict[str, Value]:
    own = {"running_mean": link.running_mean, "running_var": link.running_var}
    return {name: b.state(name, array) for name, array in own.items()}


def _by_channel(b: Builder, link: Any, x: Value, grid: tuple[int, int, int], *, given: bool) -> tuple[Value, Value]:
    """y and the statistics: one mean and variance for each channel, the batch's or the running ones."""
    samples, channels, places = grid
    sizes = {"samples": samples, "channels": channels, "places": places}
    own = _affine(b, link)
    y, statistics = b.local("y", x.shape), b.local("statistics", (4, channels))
    running = _running(b, link) if given else {}
    b.add("batch_norm", x=x, **running, **own, y=y, statistics=statistics, **sizes, eps=link.eps)

    def backward(dy: Value) -> None:
        found = _gradients(b, link, x)
        fields = {"dy": dy, "x": x, "statistics": statistics, "weight": own["weight"], **found, **sizes}
        b.add("batch_norm_grad", **fields, moving=int(not given))

    b.differentiate(backward, y, (x,), (link.weight, link.bias))
    return y, statistics


def _by_slice(
    b: Builder, link: Any, x: Value, slices: int, parts: int, channels: int, places: int
) -> tuple[Value, Value]:
    """y and the statistics: a mean and variance for each slice of `channels` channels of `places` places.

    parts: how many of them a sample is divided into.
    """
    centred, eps = int(link.centred), float(np.finfo(b.dtype).eps) if link.eps is None else link.eps
    sizes = {"slices": slices, "parts": parts, "channels": channels, "places": places, "centred": centred}
    own = _affine(b, link)
    y, statistics = b.local("y", x.shape), b.local("statistics", (4, slices))
    b.add("slice_norm", x=x, **own, y=y, statistics=statistics, **sizes, eps=eps)

    def backward(dy: Value) -> None:
        found = _gradients(b, link, x)
        b.add("slice_norm_grad", dy=dy, x=x, statistics=statistics, weight=own["weight"], **found, **sizes)

    b.differentiate(backward, y, (x,), (link.weight, link.bias))
    return y, statistics


def _refuse(b: Builder, link: Any, x: Value) -> NotLoweredError:
    return NotLoweredError(f"{b.at(link)} does not take the shape {x.shape}")


def _learning(b: Builder, link: Any) -> bool:
    return b.training and bool(link.training)


def _tracks(link: Any) -> bool:
    """Whether there are running statistics; both or neither."""
    there = {link.running_mean is not None, link.running_var is not None}
    if len(there) == 2:
        raise NotLoweredError(f"{link!r} has one of two running statistics")
    return there.pop()


@lowers("BatchNorm1d", "BatchNorm2d")
def batch_norm(b: Builder, link: "nn.BatchNorm1d", x: Value) -> Value:
    shape = x.shape
    if len(shape) not in link.dimensions or shape[1] != link.num_features or not x.size:
        raise _refuse(b, link, x)
    learning, tracked = _learning(b, link), _tracks(link)
    given = tracked and not learning
    grid = (shape[0], shape[1], math.prod(shape[2:]))
    count = grid[0] * grid[2]
    if not given and count == 1:
        raise _refuse(b, link, x)
    y, statistics = _by_channel(b, link, x, grid, given=given)
    if learning and link.track_running_stats:
        if not tracked or link.num_batches_tracked is None:
            raise NotLoweredError(f"{link!r} has lost a part of its running statistics")
        batches = b.state("num_batches_tracked", link.num_batches_tracked, np.int64)
        momentum = {"cumulative": int(link.momentum is None), "momentum": link.momentum or 0.0}
        sizes = {"samples": 1, "channels": grid[1], "count": count}
        b.effect("track_statistics", statistics=statistics, **_running(b, link), batches=batches, **sizes, **momentum)
    return y


@lowers("InstanceNorm1d", "InstanceNorm2d")
def instance_norm(b: Builder, link: "nn.InstanceNorm1d", x: Value) -> Value:
    shape, batched = x.shape, int(len(x.shape) == max(link.dimensions))
    if len(shape) not in link.dimensions or shape[batched] != link.num_features or not x.size:
        raise _refuse(b, link, x)
    samples, channels, places = math.prod(shape[:batched]), shape[batched], math.prod(shape[batched + 1 :])
    learning, tracked = _learning(b, link), _tracks(link)
    if tracked and not learning:
        return _by_channel(b, link, x, (samples, channels, places), given=True)[0]
    if places == 1:
        raise _refuse(b, link, x)
    y, statistics = _by_slice(b, link, x, samples * channels, channels, 1, places)
    if tracked and link.momentum is not None:
        sizes = {"samples": samples, "channels": channels, "count": places}
        b.effect("track_statistics", statistics=statistics, **_running(b, link), **sizes, momentum=link.momentum)
    return y


@lowers("LayerNorm", "RMSNorm")
def layer_norm(b: Builder, link: Any, x: Value) -> Value:
    shape: tuple[int, ...] = link.normalized_shape
    if x.shape[-len(shape) :] != shape or not x.size:
        raise _refuse(b, link, x)
    length = math.prod(shape)
    return _by_slice(b, link, x, x.size // length, 1, length, 1)[0]


@lowers("GroupNorm")
def group_norm(b: Builder, link: "nn.GroupNorm", x: Value) -> Value:
    shape, groups = x.shape, link.num_groups
    if len(shape) < 2 or shape[1] != link.num_channels or not x.size:
        raise _refuse(b, link, x)
    return _by_slice(b, link, x, shape[0] * groups, groups, shape[1] // groups, math.prod(shape[2:]))[0]


@lowers("LocalResponseNorm")
def response_norm(b: Builder, link: "nn.LocalResponseNorm", x: Value) -> Value:
    shape = x.shape
    if len(shape) < 3 or not x.size:
        raise _refuse(b, link, x)
    sizes = {"samples": shape[0], "channels": shape[1], "places": math.prod(shape[2:]), "size": link.size}
    y, d = b.local("y", shape), b.local("d", shape)
    b.add("response_norm", x=x, y=y, d=d, **sizes, alpha=link.alpha, beta=link.beta, k=link.k)

    def backward(dy: Value) -> None:
        b.add("response_norm_grad", dy=dy, x=x, d=d, dx=b.grad(x), **sizes, alpha=link.alpha, beta=link.beta)

    b.differentiate(backward, y, (x,))
    return y
