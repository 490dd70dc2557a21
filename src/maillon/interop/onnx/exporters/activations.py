"""The activations as ONNX's operators."""

from typing import Any

from maillon.interop.onnx.trace import Exporter, Trace, Value
from maillon.nn.activations import basic, piecewise, slopes, smooth


def plain(operator: str, **names: str) -> Exporter:
    """One operator, whose attributes are the link's of these names."""

    def export(t: Trace, link: Any, x: Value) -> Any:
        options: dict[str, Any] = {key: float(getattr(link, name)) for key, name in names.items()}
        return t.op(operator, x, **options)

    return export


def softmax(operator: str) -> Exporter:
    def export(t: Trace, link: Any, x: Value) -> Any:
        given = t.op("Neg", x) if type(link) is basic.Softmin else x
        if (axis := link.axis(x.samples[0].shape)) is None:
            return t.op("Squeeze", t.op(operator, t.op("Unsqueeze", given, [0]), axis=0), [0])
        return t.op(operator, given, axis=axis)

    return export


def gelu(t: Trace, link: Any, x: Value) -> Any:
    """Opset 18 has no Gelu yet."""
    if link.approximate == "none":
        share = t.op("Add", t.op("Erf", t.op("Mul", x, 2**-0.5)), 1.0)
    else:
        cube = t.op("Mul", t.op("Mul", t.op("Mul", x, x), x), link.CUBIC)
        share = t.op("Add", t.op("Tanh", t.op("Mul", t.op("Add", x, cube), link.ROOT)), 1.0)
    return t.op("Mul", t.op("Mul", x, 0.5), share)


def silu(t: Trace, link: Any, x: Value) -> Any:
    return t.op("Mul", x, t.op("Sigmoid", x))


def mish(t: Trace, link: Any, x: Value) -> Any:
    return t.op("Mul", x, t.op("Tanh", t.op("Softplus", x)))


def softplus(t: Trace, link: Any, x: Value) -> Any:
    if link.beta == 1 and link.threshold >= 20:
        return t.op("Softplus", x)  # beyond 20 the two differ by less than 2e-9
    scaled = t.op("Mul", x, float(link.beta))
    curved = t.op("Div", t.op("Softplus", scaled), float(link.beta))
    return t.op("Where", t.op("Greater", scaled, float(link.threshold)), x, curved)


def log_sigmoid(t: Trace, link: Any, x: Value) -> Any:
    return t.op("Neg", t.op("Softplus", t.op("Neg", x)))


def tanhshrink(t: Trace, link: Any, x: Value) -> Any:
    return t.op("Sub", x, t.op("Tanh", x))


def selu(t: Trace, link: Any, x: Value) -> Any:
    return t.op("Selu", x, alpha=link.alpha, gamma=link.scale)


def celu(t: Trace, link: Any, x: Value) -> Any:
    """As Elu of x / α times α: ONNX's Celu is of float32 alone."""
    alpha = float(link.alpha)
    if alpha > 0:
        return t.op("Mul", t.op("Elu", t.op("Div", x, alpha), alpha=1.0), alpha)
    curved = t.op("Mul", t.op("Sub", t.op("Exp", t.op("Div", t.op("Min", x, 0.0), alpha)), 1.0), alpha)
    return t.op("Add", t.op("Relu", x), curved)


def hardtanh(t: Trace, link: Any, x: Value) -> Any:
    return t.op("Clip", x, float(link.min_val), float(link.max_val))


def hard_sigmoid(t: Trace, link: Any, x: Value) -> Any:
    return t.op("HardSigmoid", x, alpha=1 / 6, beta=0.5)


def threshold(t: Trace, link: Any, x: Value) -> Any:
    return t.op("Where", t.op("LessOrEqual", x, float(link.threshold)), float(link.value), x)


def shrink(soft: bool) -> Exporter:
    def export(t: Trace, link: Any, x: Value) -> Any:
        if link.lambd < 0:
            return x
        return t.op("Shrink", x, lambd=float(link.lambd), bias=float(link.lambd) if soft else 0.0)

    return export


def prelu(t: Trace, link: Any, x: Value) -> Any:
    if link.num_parameters == 1 and x.ndim:
        return t.op("PRelu", x, link.weight)
    ones = (1,) * max(x.ndim - 2, 0)
    if x.ndim == 0:
        return t.op("Squeeze", t.op("PRelu", t.op("Unsqueeze", x, [0]), link.weight), [0])
    return t.op("PRelu", x, t.weight(link.weight, lambda w: w.reshape(-1, *ones), f".{len(ones)}" if ones else ""))


def rrelu(t: Trace, link: Any, x: Value) -> Any:
    return t.op("LeakyRelu", x, alpha=(link.lower + link.upper) / 2)


def glu(t: Trace, link: Any, x: Value) -> Any:
    a, b = t.op("Split", x, outputs=2, axis=link.dim, num_outputs=2)
    return t.op("Mul", a, t.op("Sigmoid", b))


EXPORTERS: dict[type, Exporter] = {
    basic.Tanh: plain("Tanh"),
    basic.Sigmoid: plain("Sigmoid"),
    basic.ReLU: plain("Relu"),
    basic.LeakyReLU: plain("LeakyRelu", alpha="negative_slope"),
    basic.Softmax: softmax("Softmax"),
    basic.Softmax2d: softmax("Softmax"),
    basic.Softmin: softmax("Softmax"),
    basic.LogSoftmax: softmax("LogSoftmax"),
    smooth.ELU: plain("Elu", alpha="alpha"),
    smooth.SELU: selu,
    smooth.CELU: celu,
    smooth.GELU: gelu,
    smooth.SiLU: silu,
    smooth.Mish: mish,
    smooth.Softplus: softplus,
    smooth.Softsign: plain("Softsign"),
    smooth.LogSigmoid: log_sigmoid,
    smooth.Tanhshrink: tanhshrink,
    piecewise.Hardtanh: hardtanh,
    piecewise.ReLU6: hardtanh,
    piecewise.Hardsigmoid: hard_sigmoid,
    piecewise.Hardswish: plain("HardSwish"),
    piecewise.Threshold: threshold,
    piecewise.Hardshrink: shrink(soft=False),
    piecewise.Softshrink: shrink(soft=True),
    slopes.PReLU: prelu,
    slopes.RReLU: rrelu,
    slopes.GLU: glu,
}
