"""The activations."""

from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.interop.onnx.links.arithmetic import Arithmetic, Unary
from maillon.interop.onnx.reader import Converter, Known, Node, Reader
from maillon.nn.activations import basic, piecewise, slopes, smooth
from maillon.nn.module import Module


def plain(make: Callable[[], Module]) -> Converter:
    """A link without options."""
    return lambda reader, node: reader.pointwise(node, make(), node.live())


def scaled(make: Callable[[float], Module], name: str, default: float) -> Converter:
    """A link whose one option is the attribute of this name."""
    return lambda reader, node: reader.link(node, make(_short(node.get(name, default))), node.live())


def _short(value: float) -> float:
    """The shortest number that is the same in float32, in which files keep attributes: 0.01, not 0.00999999977."""
    return float(str(np.float32(value)))


def constant(reader: Reader, node: Node, operator: str, value: float) -> Arithmetic:
    """x ∘ value."""
    return Arithmetic(operator, np.asarray(value, node.live().samples[0].dtype))


def softmax(make: Callable[[int], Module]) -> Converter:
    return lambda reader, node: reader.link(node, make(node.get("axis", -1)), node.live())


def hard_sigmoid(reader: Reader, node: Node) -> Any:
    alpha, beta = node.get("alpha", 0.2), node.get("beta", 0.5)
    if np.float32(alpha) == np.float32(1 / 6) and beta == 0.5:
        return reader.link(node, piecewise.Hardsigmoid(), node.live())
    steps = constant(reader, node, "Mul", _short(alpha)), constant(reader, node, "Add", _short(beta))
    return reader.chain(node, node.live(), *steps, piecewise.Hardtanh(0.0, 1.0))


def gelu(reader: Reader, node: Node) -> Any:
    return reader.link(node, smooth.GELU(node.get("approximate", "none")), node.live())


def swish(reader: Reader, node: Node) -> Any:
    alpha = _short(node.get("alpha", 1.0))
    if alpha == 1:
        return reader.link(node, smooth.SiLU(), node.live())
    steps = constant(reader, node, "Mul", alpha), smooth.SiLU(), constant(reader, node, "Div", alpha)
    return reader.chain(node, node.live(), *steps)  # αx σ(αx) / α


def selu(reader: Reader, node: Node) -> Any:
    alpha, gamma = (np.float32(node.get(name, value)) for name, value in (("alpha", SELU[0]), ("gamma", SELU[1])))
    if (alpha, gamma) == tuple(map(np.float32, SELU)):
        return reader.link(node, smooth.SELU(), node.live())
    steps = smooth.ELU(_short(float(alpha))), constant(reader, node, "Mul", _short(float(gamma)))
    return reader.chain(node, node.live(), *steps)


SELU = (smooth.SELU.alpha, smooth.SELU.scale)


def clip(reader: Reader, node: Node) -> Any:
    ends = [node.constant(place) for place in (1, 2)]
    low, high = (None if end is None else float(np.reshape(end, -1)[0]) for end in ends)
    if low is not None and high is not None and low < high:
        link = piecewise.ReLU6() if (low, high) == (0, 6) else piecewise.Hardtanh(low, high)
        return reader.link(node, link, node.live())
    steps = [constant(reader, node, op, end) for op, end in (("Max", low), ("Min", high)) if end is not None]
    return reader.chain(node, node.live(), *steps)


def shrink(reader: Reader, node: Node) -> Any:
    lambd, bias = _short(node.get("lambd", 0.5)), _short(node.get("bias", 0.0))
    if bias == lambd and lambd >= 0:
        return reader.link(node, piecewise.Softshrink(lambd), node.live())
    if bias:
        raise node.refusal(f"bias={bias} is not supported: it must be 0 (Hardshrink) or lambd={lambd} (Softshrink)")
    return reader.link(node, piecewise.Hardshrink(lambd), node.live())


def prelu(reader: Reader, node: Node) -> Any:
    """Slopes of channels; others broadcast, as arithmetic."""
    x, known = node.live(), node.input(1)
    if not isinstance(known, Known):
        return reader.link(node, Arithmetic("PRelu"), x, node.live(1))
    slope = node.constant(1)
    channels = slope.shape[0] if slope.ndim else 1
    of_channels = x.ndim >= 2 and slope.shape == (x.shape[1], *(1,) * (x.ndim - 2))
    if slope.size != 1 and not of_channels:
        learnt = known.name is not None
        held = reader.parameter(known, slope) if learnt else slope
        return reader.link(node, Arithmetic("PRelu", held, learnt=learnt), x)
    link = slopes.PReLU(1 if slope.size == 1 else channels, dtype=slope.dtype)
    link.weight = reader.parameter(known, slope.reshape(-1), ":slopes")
    return reader.link(node, link, x)


CONVERTERS: dict[str, Converter] = {
    "Celu": scaled(smooth.CELU, "alpha", 1.0),
    "Clip": clip,
    "Elu": scaled(smooth.ELU, "alpha", 1.0),
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": plain(piecewise.Hardswish),
    "LeakyRelu": scaled(basic.LeakyReLU, "alpha", 0.01),
    "LogSoftmax": softmax(basic.LogSoftmax),
    "Mish": plain(smooth.Mish),
    "PRelu": prelu,
    "Relu": plain(basic.ReLU),
    "Selu": selu,
    "Shrink": shrink,
    "Sigmoid": plain(basic.Sigmoid),
    "Softmax": softmax(basic.Softmax),
    "Softplus": plain(smooth.Softplus),
    "Softsign": plain(smooth.Softsign),
    "Swish": swish,
    "Tanh": plain(basic.Tanh),
    "ThresholdedRelu": scaled(lambda alpha: piecewise.Threshold(alpha, 0.0), "alpha", 1.0),
    **{
        name: (lambda reader, node, name=name: reader.pointwise(node, Unary(name), node.live()))  # type: ignore[misc]
        for name in (
            *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor"),
            *("Log", "Neg", "Reciprocal", "Round", "Sign", "Sin", "Sinh", "Sqrt", "Tan"),
        )
    },
}
