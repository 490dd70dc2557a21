"""Links for tables, whose columns are features of their own."""

import math

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Value, lowers
from maillon.engine.families import joints as joints  # its operations  # noqa: PLC0414
from maillon.engine.table import Kind, declare

_TILE = "min((rows + 31) // 32 * 32, 128)"
"""Rows whose numbers lie side by side while they are computed; `tile` of native/families/tabular.cpp."""
_WAVES = "features * hidden"
_OUTPUTS = "features * (out - 1)"

OPERATIONS = declare(
    Kind(
        "periodic_embedding",
        "y = (x, V cos(2π w x + p) + c) for each feature",
        (
            "x: r rows * features",
            f"frequency: r {_WAVES}",
            f"phase: r {_WAVES}",
            f"weight: r {_OUTPUTS} * hidden",
            f"bias: r {_OUTPUTS}",
            "y: w rows * features * out",
            f"workspace: w features * out * {_TILE}",
        ),
        ("rows", "features>0", "hidden>0", "out>1"),
        flops=f"rows * {_WAVES} * (2 * out + 2)",
        work=f"rows * {_WAVES} * (2 * out + 30)",
    ),
    Kind(
        "periodic_embedding_grad",
        "with da = -sin(2π w x + p) Vᵀ dv: dx = dy₀ + 2π Σ w da, dw (+)= 2π Σ x da, dp (+)= Σ da, "
        "dV (+)= Σ dv cosᵀ, dc (+)= Σ dv",
        (
            "dy: r rows * features * out",
            "x: r rows * features",
            f"frequency: r {_WAVES}",
            f"phase: r {_WAVES}",
            f"weight: r {_OUTPUTS} * hidden",
            "dx?: w rows * features",
            f"dfrequency?: rw {_WAVES}",
            f"dphase?: rw {_WAVES}",
            f"dweight?: rw {_OUTPUTS} * hidden",
            f"dbias?: rw {_OUTPUTS}",
            f"workspace: w features * (out + 2) * {_TILE}",
        ),
        (
            *("rows", "features>0", "hidden>0", "out>1"),
            *("keep_frequency<2", "keep_phase<2", "keep_weight<2", "keep_bias<2"),
        ),
        flops=f"rows * {_WAVES} * (4 * out + 4)",
        work=f"rows * {_WAVES} * (4 * out + 40)",
    ),
)


def _rows(b: Builder, link: nn.Scale | nn.PeriodicEmbedding, x: Value) -> int:
    if x.shape[-1:] != (link.num_features,):
        raise NotLoweredError(f"{b.at(link)} does not take the shape {x.shape}")
    return math.prod(x.shape[:-1])


@lowers("Scale")
def scale(b: Builder, link: nn.Scale, x: Value) -> Value:
    rows, features = _rows(b, link, x), link.num_features
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


@lowers("PeriodicEmbedding")
def periodic_embedding(b: Builder, link: nn.PeriodicEmbedding, x: Value) -> Value:
    features, out = link.num_features, link.out
    sizes = {"rows": _rows(b, link, x), "features": features, "hidden": link.hidden, "out": out}
    own = {"frequency": link.frequency, "phase": link.phase, "weight": link.weight, "bias": link.bias}
    bias = b.parameter("bias", link.bias)
    held = {name: b.parameter(name, parameter) for name, parameter in own.items() if name != "bias"}
    y = b.local("y", (*x.shape[:-1], features * out))
    b.add("periodic_embedding", x=x, y=y, bias=bias, **held, **sizes)

    def backward(dy: Value) -> None:
        grads = {name: b.parameter_grad(parameter) for name, parameter in own.items()}
        keeps = {f"keep_{name}": int(keep) for name, (_, keep) in grads.items()}
        written = {f"d{name}": buffer for name, (buffer, _) in grads.items()}
        dx = b.grad(x) if b.wants(x) else None
        b.add("periodic_embedding_grad", dy=dy, x=x, dx=dx, **held, **written, **keeps, **sizes)

    b.differentiate(backward, y, (x,), own.values())
    return y
