"""Embedding: rows of a table."""

import math
from typing import Any

import numpy as np

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Value, lowers
from maillon.engine.families.distances import NORM, norm_of
from maillon.engine.table import Kind, declare

_NORM = {"norm": NORM}

OPERATIONS = declare(
    Kind(
        "embedding",
        "y = W[x]; with shorten the rows longer than max_norm come out shortened, and W stays",
        ("x: r int64 count", "weight: r rows * columns", "y: w count * columns"),
        ("count", "rows>0", "columns>0", "shorten<2", "norm"),
        ("max_norm", "p"),
        choices=_NORM,
        flops="count * columns * (1 + 3 * shorten)",
        work="count * (20 + columns * (1 + 10 * shorten))",
        decides=True,
    ),
    Kind(
        "embedding_shorten",
        "the rows W[x] longer than max_norm are shortened, each once",
        ("x: r int64 count", "weight: rw rows * columns", "workspace: w bool rows"),
        ("count", "rows>0", "columns>0", "norm"),
        ("max_norm", "p"),
        choices=_NORM,
        flops="3 * count * columns",
        alone=True,
    ),
    Kind(
        "embedding_grad",
        "dW[k] (+)= Σ dy over the places where x = k, with uses divided by how many these are; none for row padding",
        (
            "dy: r count * columns",
            "x: r int64 count",
            "dweight: rw rows * columns",
            "uses?: w int64 rows",
        ),
        ("count", "rows>0", "columns>0", "padding±", "keep<2"),
        flops="count * columns",
        work="2 * count * columns + rows * columns * (1 - keep)",
    ),
)


@lowers("Embedding")
def embedding(b: Builder, link: "nn.Embedding", x: Value) -> Value:
    if x.buffer.dtype != np.int64:
        raise NotLoweredError(f"{b.at(link)} takes indices, not {x.buffer.dtype}")
    rows, columns = link.num_embeddings, link.embedding_dim
    sizes = {"count": math.prod(x.shape), "rows": rows, "columns": columns}
    weight = b.parameter("weight", link.weight)
    y = b.local("y", (*x.shape, columns))
    shortening: dict[str, Any] = {}
    if link.max_norm is not None and math.isfinite(link.max_norm):
        if link.norm_type == 0:  # the count of what is not 0 stays when a row is shortened: the next use does it again
            raise NotLoweredError(f"{b.at(link)} shortens a row each time it is used")
        shortening = {"max_norm": link.max_norm, **norm_of(link.norm_type)}
        b.effect("embedding_shorten", x=x, weight=b.changed(weight), **sizes, **shortening)
    b.add("embedding", x=x, weight=weight, y=y, **sizes, shorten=int(bool(shortening)), **shortening)

    def backward(dy: Value) -> None:
        dweight, keep = b.parameter_grad(link.weight)
        uses = b.local("uses", (rows,), np.int64) if link.scale_grad_by_freq else None
        padding = -1 if link.padding_idx is None else link.padding_idx
        b.add("embedding_grad", dy=dy, x=x, dweight=dweight, uses=uses, **sizes, padding=padding, keep=int(keep))

    b.differentiate(backward, y, (), (link.weight,))
    return y
