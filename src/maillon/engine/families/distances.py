"""CosineSimilarity and PairwiseDistance."""

import math
from itertools import groupby
from typing import Any

import numpy as np

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Value, lowers, sizes_around
from maillon.engine.table import Choice, Kind, declare

NORM = Choice("VectorNorm", ("power", "largest", "smallest"))
"""‖d‖: (Σ |d|^p)^(1/p), or for p = ±∞ the largest and the smallest |d|."""

_BLOCK = "outer * size * inner"
_VECTORS = "outer * inner"
_TABLE = "rows * columns"

OPERATIONS = declare(
    Kind(
        "cosine_similarity",
        "y = Σ u₁ u₂ along size, u = x / max(‖x‖, ε)",
        (f"x1: r {_BLOCK}", f"x2: r {_BLOCK}", f"y: w {_VECTORS}", f"scales: w 4 * {_VECTORS}"),
        ("outer", "size", "inner"),
        ("eps",),
        flops=f"8 * {_BLOCK}",
    ),
    Kind(
        "cosine_similarity_grad",
        "dx₁ = (u₂ - x₁ / ‖x₁‖ y) dy / max(‖x₁‖, ε), and dx₂ alike",
        (
            f"dy: r {_VECTORS}",
            f"x1: r {_BLOCK}",
            f"x2: r {_BLOCK}",
            f"y: r {_VECTORS}",
            f"scales: r 4 * {_VECTORS}",
            f"dx1?: w {_BLOCK}",
            f"dx2?: w {_BLOCK}",
        ),
        ("outer", "size", "inner"),
        flops=f"12 * {_BLOCK}",
    ),
    Kind(
        "pairwise_distance",
        "y = ‖x₁ - x₂ + ε‖ of each row",
        (f"x1: r {_TABLE}", f"x2: r {_TABLE}", "y: w rows"),
        ("rows", "columns", "norm"),
        ("p", "eps"),
        choices={"norm": NORM},
        flops=f"6 * {_TABLE}",
        work=f"20 * {_TABLE}",
    ),
    Kind(
        "pairwise_distance_grad",
        "dx₁ = dy sign(d) (|d| / y)^(p - 1), d = x₁ - x₂ + ε, and dx₂ = -dx₁",
        ("dy: r rows", f"x1: r {_TABLE}", f"x2: r {_TABLE}", "y: r rows", f"dx1?: w {_TABLE}", f"dx2?: w {_TABLE}"),
        ("rows", "columns", "norm"),
        ("p", "eps"),
        choices={"norm": NORM},
        flops=f"6 * {_TABLE}",
        work=f"20 * {_TABLE}",
    ),
    Kind(
        "repeat",
        "y[i, k, j] = x[i, j], k = 0 … times - 1",
        ("x: r outer * inner", "y: w outer * times * inner"),
        ("outer", "times", "inner>0"),
        work="5 * outer * times * inner",
    ),
    Kind(
        "repeat_grad",
        "dx[i, j] = Σ dy[i, k, j] over k",
        ("dy: r outer * times * inner", "dx: w outer * inner"),
        ("outer", "times", "inner>0"),
        flops="outer * times * inner",
        work="5 * outer * times * inner",
    ),
)


def norm_of(p: float) -> dict[str, Any]:
    """The sizes and numbers that say which norm."""
    if math.isnan(p):
        raise NotLoweredError("a norm of NaN is not among what it knows")
    if math.isinf(p):
        return {"norm": NORM["largest" if p > 0 else "smallest"]}
    return {"norm": NORM["power"], "p": p}


def broadcast(b: Builder, x: Value, shape: tuple[int, ...]) -> Value:
    """x, repeated along the dimensions in which the shape is larger."""
    if not math.prod(shape) and x.shape != shape:
        raise NotLoweredError(f"nothing of the shape {x.shape} is repeated to {shape}")
    own = (1,) * (len(shape) - len(x.shape)) + x.shape
    runs = groupby(range(len(shape)), key=lambda axis: own[axis] != shape[axis])
    for repeated, axes in [(repeated, list(axes)) for repeated, axes in runs]:
        if not repeated:
            continue
        first, end = axes[0], axes[-1] + 1
        times = math.prod(shape[first:end])
        sizes = {"outer": math.prod(shape[:first]), "times": times, "inner": math.prod(own[end:])}
        x = _repeated(b, x, (*shape[:end], *own[end:]), sizes)
    return x.reshaped(shape)


def _repeated(b: Builder, x: Value, shape: tuple[int, ...], sizes: dict[str, int]) -> Value:
    y = b.local("repeated", shape)
    b.add("repeat", x=x, y=y, **sizes)

    def backward(dy: Value) -> None:
        b.add("repeat_grad", dy=dy, dx=b.grad(x), **sizes)

    b.differentiate(backward, y, (x,))
    return y


def _pair(b: Builder, link: Any, x1: Value, x2: Value) -> tuple[Value, Value, tuple[int, ...]]:
    """Both, in their common shape."""
    try:
        shape = np.broadcast_shapes(x1.shape, x2.shape)
    except ValueError:
        raise NotLoweredError(f"{b.at(link)} does not take the shapes {x1.shape} and {x2.shape}") from None
    return broadcast(b, x1, shape), broadcast(b, x2, shape), shape


def _wanted(b: Builder, x1: Value, x2: Value) -> dict[str, Value | None]:
    """Where the gradients of both go; each use of one value has its own."""
    return {"dx1": b.grad(x1) if b.wants(x1) else None, "dx2": b.grad(x2) if b.wants(x2) else None}


@lowers("CosineSimilarity")
def cosine_similarity(b: Builder, link: "nn.CosineSimilarity", x1: Value, x2: Value) -> Value:
    x1, x2, shape = _pair(b, link, x1, x2)
    if not -len(shape) <= link.dim < len(shape):
        raise NotLoweredError(f"{b.at(link)} does not take the shape {shape}")
    axis = link.dim % len(shape)
    sizes = sizes_around(shape, axis)
    vectors = (*shape[:axis], *shape[axis + 1 :])
    y, scales = b.local("y", vectors), b.local("scales", (4, *vectors))
    b.add("cosine_similarity", x1=x1, x2=x2, y=y, scales=scales, **sizes, eps=link.eps)

    def backward(dy: Value) -> None:
        found = _wanted(b, x1, x2)
        b.add("cosine_similarity_grad", dy=dy, x1=x1, x2=x2, y=y, scales=scales, **found, **sizes)

    b.differentiate(backward, y, (x1, x2))
    return y


@lowers("PairwiseDistance")
def pairwise_distance(b: Builder, link: "nn.PairwiseDistance", x1: Value, x2: Value) -> Value:
    x1, x2, shape = _pair(b, link, x1, x2)
    if not shape or (not shape[-1] and link.p < 0):
        raise NotLoweredError(f"{b.at(link)} does not take the shape {shape}")
    y = b.local("y", (*shape[:-1], 1) if link.keepdim else shape[:-1])
    own = {"rows": math.prod(shape[:-1]), "columns": shape[-1], **norm_of(link.p), "eps": link.eps}
    b.add("pairwise_distance", x1=x1, x2=x2, y=y, **own)

    def backward(dy: Value) -> None:
        b.add("pairwise_distance_grad", dy=dy, x1=x1, x2=x2, y=y, **_wanted(b, x1, x2), **own)

    b.differentiate(backward, y, (x1, x2))
    return y
