"""The dropouts."""

import math

from maillon import random
from maillon.engine.builder import Builder, Value, lowers
from maillon.engine.table import Kind, declare
from maillon.nn import Dropout

OPERATIONS = declare(
    Kind(
        "dropout",
        "mask = 0 with probability p, else 1 / (1 - p); y = mask x. One word for each element, in order",
        ("x: r n", "y: w n in x", "mask: w n"),
        ("n",),
        ("p",),
        flops="n",
        work="5 * n",
        stream=True,
        alone=True,
    ),
)


@lowers(Dropout)
def dropout(b: Builder, link: Dropout, x: Value) -> Value:
    if not (b.training and link.training) or link.p == 0:
        return x
    n = math.prod(x.shape)
    y, mask = b.local("y", x.shape), b.local("mask", x.shape)
    b.add("dropout", b.stream(random.resolve(link.generator)), x=x, y=y, mask=mask, n=n, p=link.p)

    def backward(dy: Value) -> None:
        b.add("multiply", a=dy, b=mask, out=b.grad(x), n=n)

    b.differentiate(backward, y, (x,))
    return y
