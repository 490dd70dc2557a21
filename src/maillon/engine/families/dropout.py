"""The dropouts: of values, or of channels, whose places share one factor."""

import math
from typing import Any

from maillon import nn, random
from maillon.engine.builder import Builder, NotLoweredError, Value, lowers
from maillon.engine.table import Kind, declare

OPERATIONS = declare(
    Kind(
        "dropout",
        "y = x factor + shift: the factor is 0 with probability p, else 1 / (1 - p); with alpha mean and variance "
        "stay. One word for each factor, in order",
        ("x: r count * places", "y: w count * places in x", "factor: w count"),
        ("count", "places>0", "alpha<2"),
        ("p",),
        flops="2 * count * places",
        work="5 * count * places",
        stream=True,
    ),
    Kind(
        "dropout_grad",
        "dx = dy factor",
        ("dy: r count * places", "factor: r count", "dx: w count * places in dy"),
        ("count", "places>0"),
        flops="count * places",
        work="5 * count * places",
    ),
)


def _factors(link: Any, shape: tuple[int, ...]) -> int:
    """How many values or channels are kept or dropped one by one."""
    if type(link) is nn.Dropout1d and len(shape) in (2, 3):
        return math.prod(shape[:-1])
    if type(link) in (nn.Dropout2d, nn.FeatureAlphaDropout) and len(shape) >= 2:
        return shape[0] * shape[1]
    if type(link) in (nn.Dropout, nn.AlphaDropout):
        return math.prod(shape)
    raise NotLoweredError(f"{link!r} does not take the shape {shape}")


@lowers("Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout")
def dropout(b: Builder, link: Any, x: Value) -> Value:
    count = _factors(link, x.shape)
    if not (b.training and link.training) or link.p == 0 or not x.size:
        return x
    sizes = {"count": count, "places": x.size // count}
    alpha = int(isinstance(link, nn.AlphaDropout))
    y, factor = b.local("y", x.shape), b.local("factor", (count,))
    b.add("dropout", b.stream(random.resolve(link.generator)), x=x, y=y, factor=factor, **sizes, alpha=alpha, p=link.p)

    def backward(dy: Value) -> None:
        b.add("dropout_grad", dy=dy, factor=factor, dx=b.grad(x), **sizes)

    b.differentiate(backward, y, (x,))
    return y
