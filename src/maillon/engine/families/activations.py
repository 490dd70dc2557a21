"""The non-linear links."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.engine.builder import Builder, NotLoweredError, Value, lowers
from maillon.engine.families.linear import EPILOGUE
from maillon.engine.table import Choice, Kind, declare
from maillon.nn import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from maillon.typing import DType

ACTIVATION = Choice("Activation", EPILOGUE.values)
_BLOCK = "outer * size * inner"

OPERATIONS = declare(
    Kind(
        "activation",
        "y = f(x), value by value",
        ("x: r n", "y: w n in x"),
        ("n", "activation"),
        ("slope",),
        choices={"activation": ACTIVATION},
        flops="10 * n",
    ),
    Kind(
        "activation_grad",
        "dx = f'(reference) dy, where the reference is y, or x for a leaky ReLU whose y does not tell",
        ("dy: r n", "reference: r n", "dx: w n in dy"),
        ("n", "activation"),
        ("slope",),
        choices={"activation": ACTIVATION},
        flops="3 * n",
    ),
    Kind(
        "softmax",
        "y = eˣ / Σ eˣ along size, or its logarithm",
        (f"x: r {_BLOCK}", f"y: w {_BLOCK} in x"),
        ("outer", "size>0", "inner", "log<2"),
        flops=f"12 * {_BLOCK}",
    ),
    Kind(
        "softmax_grad",
        "dx = y (dy - Σ dy y), or of the logarithm dy - eʸ Σ dy",
        (f"dy: r {_BLOCK}", f"y: r {_BLOCK}", f"dx: w {_BLOCK} in dy"),
        ("outer", "size>0", "inner", "log<2"),
        flops=f"4 * {_BLOCK}",
    ),
)


def _activation(kind: str) -> Callable[[Builder, Any, Value], Value]:
    number = ACTIVATION[kind]

    def lower(b: Builder, link: Any, x: Value) -> Value:
        slope = _slope(link, b.dtype) if kind == "leaky_relu" else 0.0
        own = {"n": math.prod(x.shape), "activation": number, "slope": slope}
        y = b.local("y", x.shape)
        b.add("activation", x=x, y=y, **own)
        reference = y if slope >= 0 else x

        def backward(dy: Value) -> None:
            b.add("activation_grad", dy=dy, reference=reference, dx=b.grad(x), **own)

        b.differentiate(backward, y, (x,))
        return y

    return lower


def _slope(link: Any, dtype: DType) -> float:
    slope = float(link.negative_slope)
    with np.errstate(over="ignore"):
        if isinstance(link.negative_slope, np.generic) or not np.isfinite(dtype.type(slope)):
            raise NotLoweredError(f"{link!r} has a slope that is no finite {dtype}")
    return slope


for _link, _kind in ((Tanh, "tanh"), (Sigmoid, "sigmoid"), (ReLU, "relu"), (LeakyReLU, "leaky_relu")):
    lowers(_link)(_activation(_kind))


@lowers(Softmax, LogSoftmax)
def softmax(b: Builder, link: Any, x: Value) -> Value:
    axis = link.axis(x.shape) % len(x.shape) if x.shape else 0
    if not x.shape or not x.shape[axis]:
        raise NotLoweredError(f"{link!r} has nothing to sum up in the shape {x.shape}")
    own = {
        "outer": math.prod(x.shape[:axis]),
        "size": x.shape[axis],
        "inner": math.prod(x.shape[axis + 1 :]),
        "log": int(type(link) is LogSoftmax),
    }
    y = b.local("y", x.shape)
    b.add("softmax", x=x, y=y, **own)

    def backward(dy: Value) -> None:
        b.add("softmax_grad", dy=dy, y=y, dx=b.grad(x), **own)

    b.differentiate(backward, y, (x,))
    return y
