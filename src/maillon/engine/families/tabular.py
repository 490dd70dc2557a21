"""Links for tables, whose columns are features of their own."""

import math

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Value, lowers
from maillon.engine.families import joints as joints  # its operations  # noqa: PLC0414


@lowers("Scale")
def scale(b: Builder, link: "nn.Scale", x: Value) -> Value:
    features = link.num_features
    if x.shape[-1:] != (features,):
        raise NotLoweredError(f"{b.at(link)} does not take the shape {x.shape}")
    rows = math.prod(x.shape[:-1])
    weight, y = b.parameter("weight", link.weight), b.local("y", x.shape)
    spread = {"size": features, "n0": 1, "n1": 1, "n2": rows, "n3": features, "stride3": 1, "multiply": 1}
    b.add("spread", a=x, b=weight, y=y, **spread)

    def backward(dy: Value) -> None:
        dweight, keep = b.parameter_grad(link.weight)
        if dweight is not None:
            sizes = {"leading": 1, "middle": 1, "trailing": rows, "last": features, "keep": int(keep)}
            b.add("sum_over", x=dy, factor=x, y=dweight, **sizes)
        if b.wants(x):
            b.add("spread", a=dy, b=weight, y=b.grad(x), **spread)

    b.differentiate(backward, y, (x,), (link.weight,))
    return y
