"""Activations beyond the first ones, and the dropouts of whole channels."""

import math
from typing import Any

import naive
from naive import activations as formula

import maillon as M
from catalogue.rows import NOT_YET, Draw, Row, normal
from maillon.nn import Module
from maillon.random import Generator


def wide(*shape: int) -> Draw:
    """Beyond the kinks at ±3 and ±6."""
    return lambda generator: generator.uniform(shape, -8, 8, dtype="float64")


def words(n: int) -> list[int]:
    return Generator(5).random_raw(n).tolist()


def row(name: str, args: tuple[Any, ...], value: Any, *draws: Draw, **more: Any) -> Row:
    """A link with its arguments; PyTorch's takes the same."""
    shown = " ".join(map(str, args))
    return Row(
        f"{name} {shown}".strip(),
        lambda: getattr(M, name)(*args),
        draws or (normal(4, 3),),
        value,
        more.pop("torch", lambda t: getattr(t.nn, name)(*args)),
        native=NOT_YET,
        **more,
    )


def dropping(name: str, p: float, value: Any, *draws: Draw, **more: Any) -> Row:
    """A dropout in training, whose masks are no other's."""

    def make() -> Module:
        made: Module = getattr(M, name)(p, generator=Generator(5))
        return made

    shape = "x".join(map(str, draws[0](Generator(0)).shape))
    return Row(f"{name} {p} {shape}", make, draws, value, native=NOT_YET, **more)


by_value = naive.by_value

# fmt: off
LINKS = [
    row("ELU", (), formula.elu(1.0), logits=True),
    row("ELU", (0.3,), formula.elu(0.3), normal(2, 3, 2), logits=True),
    row("SELU", (), by_value(formula.selu), logits=True),
    row("CELU", (), formula.celu(1.0), logits=True),
    row("CELU", (2.5,), formula.celu(2.5), normal(2, 3, 2), logits=True),
    row("GELU", (), by_value(formula.gelu), logits=True),
    row("GELU", ("tanh",), by_value(formula.gelu_tanh), logits=True),
    row("SiLU", (), by_value(formula.silu), logits=True),
    row("Mish", (), by_value(formula.mish), logits=True),
    row("Softplus", (), formula.softplus(1.0, 20.0), logits=True),
    row("Softplus", (3.0, 1.5), formula.softplus(3.0, 1.5), normal(5, 4), logits=True),
    row("Softsign", (), by_value(lambda x: x / (1 + abs(x))), logits=True),
    row("LogSigmoid", (), by_value(formula.log_sigmoid), logits=True),
    row("Tanhshrink", (), by_value(lambda x: x - math.tanh(x)), logits=True),
    row("Hardtanh", (), formula.clamped(-1.0, 1.0), logits=True),
    row("Hardtanh", (-0.5, 2.0), formula.clamped(-0.5, 2.0), normal(2, 3, 2), logits=True),
    row("ReLU6", (), formula.clamped(0.0, 6.0), wide(4, 3), logits=True),
    row("Hardsigmoid", (), by_value(formula.hard_sigmoid), wide(4, 3), logits=True),
    row("Hardswish", (), by_value(lambda x: x * formula.hard_sigmoid(x)), wide(4, 3), logits=True),
    row("Threshold", (0.1, 20.0), formula.threshold(0.1, 20.0), logits=True),
    row("Threshold", (-0.5, -1.0), formula.threshold(-0.5, -1.0), normal(2, 3, 2), logits=True),
    row("Hardshrink", (), formula.hard_shrink(0.5), logits=True),
    row("Softshrink", (), formula.soft_shrink(0.5), logits=True),
    row("Softshrink", (0.0,), by_value(lambda x: x), normal(2, 3, 2), logits=True),
    row("PReLU", (), formula.prelu, logits=True),
    row("PReLU", (3,), formula.prelu, normal(4, 3, 2), wrong=((normal(4, 2),), (normal(3),), (normal(),)), logits=True),
    row("PReLU", (3, -0.4), formula.prelu, normal(4, 3)),
    Row("RReLU in evaluation", lambda: M.RReLU(0.1, 0.5).eval(), (normal(4, 3),), naive.leaky(0.3),
        lambda t: t.nn.RReLU(0.1, 0.5).eval(), logits=True, native=NOT_YET),
    dropping("RReLU", 0.2, formula.rrelu(0.2, 1 / 3, words), normal(4, 3), logits=True),
    row("GLU", (), formula.halved(-1, formula.glu), normal(4, 6), wrong=((normal(4, 3),), (normal(),)), logits=True),
    row("GLU", (1,), formula.halved(1, formula.glu), normal(3, 4, 2), wrong=((normal(3, 3, 2),), (normal(4),)),
        logits=True),
    row("Softmin", (1,), naive.along(1, lambda values: naive.softmax([-value for value in values])),
        wrong=((normal(4),),), logits=True),
    row("Softmin", (), naive.along(0, lambda values: naive.softmax([-value for value in values])), normal(4),
        torch=lambda t: t.nn.Softmin(0), batched=False, logits=True),
    row("Softmax2d", (), naive.along(-3, naive.softmax), normal(2, 3, 2, 2),
        wrong=((normal(2, 3),), (normal(1, 1, 1, 1, 1),)), logits=True),
    dropping("Dropout1d", 0.4, formula.dropped_channels(0.4, words, 2), normal(3, 4, 2),
             wrong=((normal(3),), (normal(2, 2, 2, 2),))),
    dropping("Dropout1d", 0.4, formula.dropped_channels(0.4, words, 1), normal(5, 4), batched=False),
    dropping("Dropout2d", 0.4, formula.dropped_channels(0.4, words, 2), normal(3, 4, 2, 3), wrong=((normal(3),),)),
    dropping("Dropout2d", 0.6, formula.dropped_channels(0.6, words, 2), normal(3, 4, 2)),
    dropping("AlphaDropout", 0.3, formula.dropped_channels(0.3, words, 2, alpha=True), normal(4, 5)),
    dropping("FeatureAlphaDropout", 0.3, formula.dropped_channels(0.3, words, 2, alpha=True), normal(3, 4, 2, 2),
             wrong=((normal(3),),)),
]
# fmt: on

BEYOND_TORCH = {"RReLU", "Dropout1d", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout"}
