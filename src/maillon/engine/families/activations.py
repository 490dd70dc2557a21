"""The activations: functions of each element, the softmaxes, slopes that are learnt or drawn, the gated unit."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon import nn, random
from maillon.engine.builder import Builder, NotLoweredError, Value, floating, lowers, sizes_around
from maillon.engine.families.linear import ACTIVATION
from maillon.engine.table import Kind, declare
from maillon.nn import Module
from maillon.typing import DType

_BLOCK = "outer * size * inner"
_IMAGE = "outer * channels * inner"

OPERATIONS = declare(
    Kind(
        "activation",
        "y = f(x), value by value",
        ("x: r n", "y: w n in x"),
        ("n", "activation"),
        ("a", "b", "c", "d"),
        choices={"activation": ACTIVATION},
        flops="10 * n",
    ),
    Kind(
        "activation_grad",
        "dx = f'(reference) dy, where the reference is x, or y of those that tell by it",
        ("dy: r n", "reference: r n", "dx: w n in dy"),
        ("n", "activation"),
        ("a", "b", "c", "d"),
        choices={"activation": ACTIVATION},
        flops="3 * n",
        work="10 * n",
    ),
    Kind(
        "softmax",
        "y = eˣ / Σ eˣ along size, or its logarithm",
        (f"x: r {_BLOCK}", f"y: w {_BLOCK} in x"),
        ("outer", "size", "inner", "log<2"),
        flops=f"12 * {_BLOCK}",
    ),
    Kind(
        "softmax_grad",
        "dx = y (dy - Σ dy y), or of the logarithm dy - eʸ Σ dy",
        (f"dy: r {_BLOCK}", f"y: r {_BLOCK}", f"dx: w {_BLOCK} in dy"),
        ("outer", "size", "inner", "log<2"),
        flops=f"4 * {_BLOCK}",
    ),
    Kind(
        "prelu",
        "y = x where x > 0, else weight[channel] x",
        (f"x: r {_IMAGE}", "weight: r channels", f"y: w {_IMAGE} in x"),
        ("outer", "channels>0", "inner"),
        flops=_IMAGE,
        work=f"5 * {_IMAGE}",
    ),
    Kind(
        "prelu_grad",
        "dx = dy where x > 0, else weight dy; dweight (+)= Σ x dy over the x ≤ 0",
        (
            f"dy: r {_IMAGE}",
            f"x: r {_IMAGE}",
            "weight: r channels",
            f"dx?: w {_IMAGE} in dy",
            "dweight?: rw channels",
            "workspace: w float64 0 if inner == 1 else outer * channels * ((inner + 1023) // 1024)",
        ),
        ("outer", "channels>0", "inner", "keep<2"),
        flops=f"3 * {_IMAGE}",
        work=f"5 * {_IMAGE}",
    ),
    Kind(
        "rrelu",
        "y = slope x, slope = 1 where x > 0, else drawn from U(lower, upper): two words each, in order",
        ("x: r n", "y: w n in x", "slopes: w n"),
        ("n",),
        ("lower", "upper"),
        flops="n",
        work="10 * n",
        stream=True,
        alone=True,
    ),
    Kind(
        "glu",
        "y = a σ(b), a and b the halves of x, seen as (outer, 2, size)",
        ("x: r 2 * outer * size", "y: w outer * size"),
        ("outer", "size"),
        flops="10 * outer * size",
    ),
    Kind(
        "glu_grad",
        "da = σ(b) dy, db = a σ(b) (1 - σ(b)) dy",
        ("dy: r outer * size", "x: r 2 * outer * size", "dx: w 2 * outer * size"),
        ("outer", "size"),
        flops="12 * outer * size",
    ),
)

# Value by value

_BY_OUTPUT = ("tanh", "sigmoid", "relu", "hardtanh")
"""Those whose derivative the output tells; that of a leaky ReLU where the slope is not negative."""


def _exponential_unit(link: Any) -> tuple[Any, ...]:
    return link.scale, link.scale * link.alpha, link.rate, link.rate_back


def _none(link: Any) -> tuple[Any, ...]:
    return ()


CURVES: dict[str, tuple[str | Callable[[Any], str], Callable[[Any], tuple[Any, ...]]]] = {
    "Tanh": ("tanh", _none),
    "Sigmoid": ("sigmoid", _none),
    "ReLU": ("relu", _none),
    "LeakyReLU": ("leaky_relu", lambda link: (link.negative_slope,)),
    "Hardtanh": ("hardtanh", lambda link: (link.max_val, link.min_val)),
    "ReLU6": ("hardtanh", lambda link: (link.max_val, link.min_val)),
    "ELU": ("elu", _exponential_unit),
    "SELU": ("elu", _exponential_unit),
    "CELU": ("elu", _exponential_unit),
    "GELU": (lambda link: "gelu" if link.approximate == "none" else "gelu_tanh", _none),
    "SiLU": ("silu", _none),
    "Mish": ("mish", _none),
    "Softplus": ("softplus", lambda link: (link.beta, link.threshold)),
    "LogSigmoid": ("log_sigmoid", _none),
    "Softsign": ("softsign", _none),
    "Tanhshrink": ("tanhshrink", _none),
    "Hardsigmoid": ("hardsigmoid", _none),
    "Hardswish": ("hardswish", _none),
    "Threshold": ("threshold", lambda link: (link.threshold, link.value)),
    "Hardshrink": ("hardshrink", lambda link: (link.lambd,)),
    "Softshrink": ("softshrink", lambda link: (link.lambd,)),
}
"""What the core calls a link's function, and the numbers that it has, by the link's class."""


@lowers(*CURVES)
def pointwise(b: Builder, link: Any, x: Value) -> Value:
    name, numbers_of = CURVES[type(link).__name__]
    return curve(b, link, x, name if isinstance(name, str) else name(link), *numbers_of(link))


def curve(b: Builder, link: Module, x: Value, name: str, *numbers: Any) -> Value:
    """The activation of that name."""
    floating(link, x)
    values = [_number(link, number, b.dtype) for number in numbers]
    own = {"n": x.size, "activation": ACTIVATION[name], **dict(zip("abcd", values, strict=False))}
    y = b.local("y", x.shape)
    b.add("activation", x=x, y=y, **own)
    by_output = name in _BY_OUTPUT or (name == "leaky_relu" and values[0] >= 0)

    def backward(dy: Value) -> None:
        b.add("activation_grad", dy=dy, reference=y if by_output else x, dx=b.grad(x), **own)

    b.differentiate(backward, y, (x,))
    return y


def _number(link: Module, value: Any, dtype: DType) -> float:
    """A number as NumPy takes it: one with a dtype of its own would change that of the output."""
    with np.errstate(over="ignore"):
        if isinstance(value, np.generic | np.ndarray) or not np.isfinite(dtype.type(value)):
            raise NotLoweredError(f"{link!r} has a number that is no finite {dtype}")
    return float(value)


# The softmaxes


@lowers("Softmax", "LogSoftmax", "Softmax2d")
def softmax(b: Builder, link: Any, x: Value) -> Value:
    floating(link, x)
    if type(link) is nn.Softmax2d and len(x.shape) not in (3, 4):
        raise NotLoweredError(f"{link!r} does not take the shape {x.shape}")
    axis = link.axis(x.shape)
    shape = x.shape if axis is not None else (1,)  # a single number is a line of one
    own = {**sizes_around(shape, 0 if axis is None else axis % len(shape)), "log": int(type(link) is nn.LogSoftmax)}
    y = b.local("y", x.shape)
    b.add("softmax", x=x, y=y, **own)

    def backward(dy: Value) -> None:
        b.add("softmax_grad", dy=dy, y=y, dx=b.grad(x), **own)

    b.differentiate(backward, y, (x,))
    return y


@lowers("Softmin")
def softmin(b: Builder, link: Any, x: Value) -> Value:
    floating(link, x)
    negative = b.local("-x", x.shape)
    b.add("scaled_sum", a=x, out=negative, n=x.size, alpha=-1)

    def backward(dy: Value) -> None:
        b.add("scaled_sum", a=dy, out=b.grad(x), n=x.size, alpha=-1)

    b.differentiate(backward, negative, (x,))
    return softmax(b, link, negative)


# Slopes that are learnt or drawn, and the gated unit


@lowers("PReLU")
def prelu(b: Builder, link: "nn.PReLU", x: Value) -> Value:
    floating(link, x)
    weight, channels = b.parameter("weight", link.weight), link.num_parameters
    if weight.size != channels or (channels > 1 and (len(x.shape) < 2 or x.shape[1] != channels)):
        raise NotLoweredError(f"{link!r} does not take the shape {x.shape}")
    one = {"outer": 1, "channels": 1, "inner": x.size}
    own = one if channels == 1 else {"outer": x.shape[0], "channels": channels, "inner": math.prod(x.shape[2:])}
    y = b.local("y", x.shape)
    b.add("prelu", x=x, weight=weight, y=y, **own)

    def backward(dy: Value) -> None:
        dweight, keep = b.parameter_grad(link.weight)
        dx = b.grad(x) if b.wants(x) else None
        b.add("prelu_grad", dy=dy, x=x, weight=weight, dx=dx, dweight=dweight, keep=int(keep), **own)

    b.differentiate(backward, y, (x,), (link.weight,))
    return y


@lowers("RReLU")
def rrelu(b: Builder, link: "nn.RReLU", x: Value) -> Value:
    lower, upper = float(link.lower), float(link.upper)
    if not (b.training and link.training):
        return curve(b, link, x, "leaky_relu", (lower + upper) / 2)
    floating(link, x)
    if not (lower <= upper and math.isfinite(upper - lower)):
        raise NotLoweredError(f"{link!r} has no finite interval to draw from")
    n, y, slopes = x.size, b.local("y", x.shape), b.local("slopes", x.shape)
    b.add("rrelu", b.stream(random.resolve(link.generator)), x=x, y=y, slopes=slopes, n=n, lower=lower, upper=upper)

    def backward(dy: Value) -> None:
        b.add("multiply", a=dy, b=slopes, out=b.grad(x), n=n)

    b.differentiate(backward, y, (x,))
    return y


@lowers("GLU")
def glu(b: Builder, link: "nn.GLU", x: Value) -> Value:
    floating(link, x)
    if not -len(x.shape) <= link.dim < len(x.shape) or x.shape[link.dim] % 2:
        raise NotLoweredError(f"{link!r} does not take the shape {x.shape}")
    dim = link.dim % len(x.shape)
    shape = (*x.shape[:dim], x.shape[dim] // 2, *x.shape[dim + 1 :])
    own = {"outer": math.prod(shape[:dim]), "size": math.prod(shape[dim:])}
    y = b.local("y", shape)
    b.add("glu", x=x, y=y, **own)

    def backward(dy: Value) -> None:
        b.add("glu_grad", dy=dy, x=x, dx=b.grad(x), **own)

    b.differentiate(backward, y, (x,))
    return y
