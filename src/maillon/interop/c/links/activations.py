"""Activations: an expression of each value v, and loops along a dimension for the softmaxes."""

import math
from collections.abc import Callable
from typing import Any

from maillon import nn
from maillon.interop.c.program import Program, Value, loop, nested

# fmt: off
TANH_NUMERATOR = (
    0.9999999936482353, 0.13444531267677876, 0.0035716373121850455, 2.1895299663119818e-05, 1.5231283343949312e-08,
)
# fmt: on
TANH_DENOMINATOR = (1.0, 0.4677785861853863, 0.026164593009549132, 0.0003411355887309012, 8.522804876186357e-07)
"""x · numerator(x²) / denominator(x²) is tanh x for |x| ≤ 8, to 7e-9 of it before rounding: our fit, with equal
errors. All terms are positive, so nothing cancels, and compilers turn it into vectors, which tanhf is not."""


def tanh(p: Program, v: str) -> str:
    """C for tanh v: in double the library's, in float a quotient, within 4e-7 and many times as fast."""
    if p.real == "double":
        return f"tanh({v})"
    most, least = p.number(8), p.number(-8)
    sums = []
    for coefficients in (TANH_NUMERATOR, TANH_DENOMINATOR):
        text = p.number(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            text = (
                f"{p.number(c)} + z * ({text})" if text != p.number(coefficients[-1]) else f"{p.number(c)} + z * {text}"
            )
        sums.append(text)
    name = p.helper(
        "tanh",
        "static inline REAL NAME(REAL x) {\n"
        f"const REAL low = x < {least} ? {least} : x;\n"
        f"const REAL v = low > {most} ? {most} : low;\n"
        "const REAL z = v * v;\n"
        f"return v * ({sums[0]})\n/ ({sums[1]});\n"
        "}",
    )
    return f"{name}({v})"


def sigmoid(p: Program, v: str) -> str:
    one = p.number(1)
    return f"{one} / ({one} + {p.function('exp')}(-({v})))"


def log_one_plus_exp(p: Program, v: str) -> str:
    """log(1 + e^v), which does not overflow."""
    zero = p.number(0)
    return f"(({v}) > {zero} ? ({v}) : {zero}) + {p.function('log1p')}({p.function('exp')}(-{p.function('fabs')}({v})))"


def clipped(p: Program, v: str, least: float, most: float) -> str:
    low, high = p.number(least), p.number(most)
    return f"({v} < {low} ? {low} : {v} > {high} ? {high} : {v})"


def _exponential_unit(p: Program, link: Any) -> str:
    scale, below = p.number(link.scale), p.number(link.scale * link.alpha)
    return f"v <= {p.number(0)} ? {below} * {p.function('expm1')}({p.number(link.rate)} * v) : {scale} * v"


def _gelu(p: Program, link: Any) -> str:
    if link.approximate == "none":
        return f"{p.number(0.5)} * v * {p.function('erfc')}({p.number(-math.sqrt(0.5))} * v)"
    near = clipped(p, "v", -40, 40)
    inner = f"{p.number(2 * link.ROOT)} * ({near} + {p.number(link.CUBIC)} * {near} * {near} * {near})"
    return f"v * ({sigmoid(p, inner)})"


def _softplus(p: Program, link: Any) -> str:
    scaled = f"{p.number(link.beta)} * v"
    curved = f"({log_one_plus_exp(p, scaled)}) / {p.number(link.beta)}"
    return f"{scaled} > {p.number(link.threshold)} ? v : {curved}"


def _slope(p: Program, slope: float) -> str:
    return f"v > {p.number(0)} ? v : {p.number(slope)} * v"


def _shrunk(p: Program, link: Any, outside: str) -> str:
    low, high = p.number(-link.lambd), p.number(link.lambd)
    return f"v >= {low} && v <= {high} ? {p.number(0)} : {outside}"


def _softly_shrunk(p: Program, link: Any) -> str:
    return f"v - {clipped(p, 'v', -link.lambd, link.lambd)}"


EXPRESSIONS: dict[type[nn.Module], Callable[[Program, Any], str]] = {
    nn.Tanh: lambda p, _: tanh(p, "v"),
    nn.Sigmoid: lambda p, _: sigmoid(p, "v"),
    nn.ReLU: lambda p, _: f"v < {p.number(0)} ? {p.number(0)} : v",
    nn.LeakyReLU: lambda p, link: _slope(p, link.negative_slope),
    nn.RReLU: lambda p, link: _slope(p, (link.lower + link.upper) / 2),
    nn.Hardtanh: lambda p, link: clipped(p, "v", link.min_val, link.max_val),
    nn.ReLU6: lambda p, link: clipped(p, "v", link.min_val, link.max_val),
    nn.Hardsigmoid: lambda p, _: f"{clipped(p, f'(v + {p.number(3)})', 0, 6)} / {p.number(6)}",
    nn.Hardswish: lambda p, _: f"v * ({clipped(p, f'(v + {p.number(3)})', 0, 6)} / {p.number(6)})",
    nn.Threshold: lambda p, link: f"v <= {p.number(link.threshold)} ? {p.number(link.value)} : v",
    nn.Hardshrink: lambda p, link: _shrunk(p, link, "v"),
    nn.Softshrink: _softly_shrunk,
    nn.ELU: _exponential_unit,
    nn.SELU: _exponential_unit,
    nn.CELU: _exponential_unit,
    nn.GELU: _gelu,
    nn.SiLU: lambda p, _: f"v / ({p.number(1)} + {p.function('exp')}(-v))",
    nn.Mish: lambda p, _: f"v * {tanh(p, log_one_plus_exp(p, 'v'))}",
    nn.Softplus: _softplus,
    nn.LogSigmoid: lambda p, _: f"-({log_one_plus_exp(p, '-v')})",
    nn.Softsign: lambda p, _: f"v / ({p.number(1)} + {p.function('fabs')}(v))",
    nn.Tanhshrink: lambda p, _: f"v - {p.function('tanh')}(v)",
}


def _pointwise(p: Program, link: Any, x: Value) -> Value:
    return p.elementwise(x, EXPRESSIONS[type(link)](p, link))


def _prelu(p: Program, link: nn.PReLU, x: Value) -> Value:
    slopes = link.weight.data
    if slopes.size == 1:
        return p.elementwise(x, _slope(p, slopes.item()))
    y, name = p.value(x.shape), p.constant("weight", slopes)
    places = math.prod(x.shape[2:])
    at = f"c * {places}", "i"
    lines = [f"const {p.real} v = {x.at(*at)};", f"{y.at(*at)} = v > {p.number(0)} ? v : {name}[c] * v;"]
    p.step(nested([("c", x.shape[1]), ("i", places)], lines), [x], [y], inplace=True)
    return y


def _glu(p: Program, link: nn.GLU, x: Value) -> Value:
    axis = link.dim % len(x.shape)
    half = x.shape[axis] // 2 * math.prod(x.shape[axis + 1 :])
    y = p.value((*x.shape[:axis], x.shape[axis] // 2, *x.shape[axis + 1 :]))
    a, b = x.at(f"n * {2 * half}", "i"), x.at(f"n * {2 * half}", half, "i")
    line = f"{y.at(f'n * {half}', 'i')} = {a} * ({sigmoid(p, b)});"
    p.step(nested([("n", y.size // half), ("i", half)], [line]), [x], [y])
    return y


def _softmax(p: Program, link: Any, x: Value) -> Value:
    """Along a dimension: the greatest, then e to what is below it, then what these add up to."""
    axis = link.axis(x.shape) % len(x.shape)
    count, places = x.shape[axis], math.prod(x.shape[axis + 1 :])
    y, exp = p.value(x.shape), p.function("exp")
    logs = isinstance(link, nn.LogSoftmax)
    sign = "-" if isinstance(link, nn.Softmin) else ""
    at = (f"n * {count * places}", f"k * {places}" if places > 1 else "k", "i" if places > 1 else 0)
    first = x.at(at[0], at[2])
    lines = [
        f"{p.real} most = {sign}{first}, sum = {p.number(0)};",
        loop("k", count, 1),
        f"const {p.real} v = {sign}{x.at(*at)};",
        "most = v > most ? v : most;",
        "}",
        loop("k", count),
        f"const {p.real} v = {sign}{x.at(*at)} - most;",
        f"{y.at(*at)} = v;" if logs else f"{y.at(*at)} = {exp}(v);",
        f"sum += {exp}(v);" if logs else f"sum += {y.at(*at)};",
        "}",
        *[f"sum = {p.function('log')}(sum);"] * logs,
        loop("k", count),
        f"{y.at(*at)} {'-=' if logs else '/='} sum;",
        "}",
    ]
    p.step(nested([("n", x.size // (count * places)), ("i", places)], lines), [x], [y], inplace=True)
    return y


KNOWN: dict[type[nn.Module], Callable[..., Any]] = {
    **dict.fromkeys(EXPRESSIONS, _pointwise),
    nn.PReLU: _prelu,
    nn.GLU: _glu,
    nn.Softmax: _softmax,
    nn.Softmin: _softmax,
    nn.Softmax2d: _softmax,
    nn.LogSoftmax: _softmax,
}
