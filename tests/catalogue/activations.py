"""The activations."""

import math
from collections.abc import Callable
from typing import Any

from naive import activations as naive
from naive.values import along, by_value

import maillon as M
from catalogue.rows import Draw, Row, drawn_from_words, normal, words


def wide(*shape: int) -> Draw:
    """Beyond the kinks at ±3 and ±6."""
    return lambda generator: generator.uniform(shape, -8, 8, dtype="float64")


def row(name: str, args: tuple[Any, ...], value: Any, *draws: Draw, **more: Any) -> Row:
    """A link with its arguments; PyTorch's takes the same."""
    shown = " ".join(map(str, args))
    return Row(
        f"{name} {shown}".strip(),
        lambda: getattr(M, name)(*args),
        draws or (normal(4, 3),),
        value,
        more.pop("torch", lambda t: getattr(t.nn, name)(*args)),
        **more,
    )


def softmax_rows(name: str, function: Callable[[list[float]], list[float]]) -> list[Row]:
    """Softmax and LogSoftmax along each dimension, and along PyTorch's implicit ones."""
    cases = [
        ((4, 3), None, 1),
        ((4, 3), 0, 0),
        ((4, 3), -1, 1),
        ((2, 3, 2), 1, 1),
        ((3, 2, 2), None, 0),
        ((3,), None, 0),
        ((), 0, 0),
    ]
    rows = []
    for shape, dim, axis in cases:
        made = f"{name} {'x'.join(map(str, shape))} dim={dim}"
        rows.append(
            Row(
                made,
                lambda dim=dim: getattr(M, name)(dim),
                (normal(*shape),),
                along(axis, function),
                lambda t, axis=axis: getattr(t.nn, name)(axis),  # None warns there
                batched=axis != 0,
                wrong=((normal(2),),) if dim == 1 else (),
                logits=True,
            )
        )
    return rows


# fmt: off
LINKS = [
    Row("Tanh", M.Tanh, (normal(4, 3),), naive.TANH, lambda t: t.nn.Tanh(), logits=True),
    Row("Sigmoid", M.Sigmoid, (normal(4, 3),), naive.SIGMOID, lambda t: t.nn.Sigmoid(), logits=True),
    Row("ReLU", M.ReLU, (normal(4, 3),), naive.RELU, lambda t: t.nn.ReLU(), logits=True),
    Row("LeakyReLU", M.LeakyReLU, (normal(4, 3),), naive.leaky(0.01), lambda t: t.nn.LeakyReLU(), logits=True),
    Row("LeakyReLU 0.2", lambda: M.LeakyReLU(0.2), (normal(2, 3, 2),), naive.leaky(0.2), lambda t: t.nn.LeakyReLU(0.2)),
    Row("LeakyReLU -1", lambda: M.LeakyReLU(-1.0), (normal(4, 3),), by_value(abs),
        lambda t: t.nn.LeakyReLU(-1.0)),
    row("ELU", (), naive.elu(1.0), logits=True),
    row("ELU", (0.3,), naive.elu(0.3), normal(2, 3, 2), logits=True),
    row("SELU", (), by_value(naive.selu), logits=True),
    row("CELU", (), naive.celu(1.0), logits=True),
    row("CELU", (2.5,), naive.celu(2.5), normal(2, 3, 2), logits=True),
    row("GELU", (), by_value(naive.gelu), logits=True),
    row("GELU", ("tanh",), by_value(naive.gelu_tanh), logits=True),
    row("SiLU", (), by_value(naive.silu), logits=True),
    row("Mish", (), by_value(naive.mish), logits=True),
    row("Softplus", (), naive.softplus(1.0, 20.0), logits=True),
    row("Softplus", (3.0, 1.5), naive.softplus(3.0, 1.5), normal(5, 4), logits=True),
    row("Softsign", (), by_value(lambda x: x / (1 + abs(x))), logits=True),
    row("LogSigmoid", (), by_value(naive.log_sigmoid), logits=True),
    row("Tanhshrink", (), by_value(lambda x: x - math.tanh(x)), logits=True),
    row("Hardtanh", (), naive.clamped(-1.0, 1.0), logits=True),
    row("Hardtanh", (-0.5, 2.0), naive.clamped(-0.5, 2.0), normal(2, 3, 2), logits=True),
    row("ReLU6", (), naive.clamped(0.0, 6.0), wide(4, 3), logits=True),
    row("Hardsigmoid", (), by_value(naive.hard_sigmoid), wide(4, 3), logits=True),
    row("Hardswish", (), by_value(lambda x: x * naive.hard_sigmoid(x)), wide(4, 3), logits=True),
    row("Threshold", (0.1, 20.0), naive.threshold(0.1, 20.0), logits=True),
    row("Threshold", (-0.5, -1.0), naive.threshold(-0.5, -1.0), normal(2, 3, 2), logits=True),
    row("Hardshrink", (), naive.hard_shrink(0.5), logits=True),
    row("Softshrink", (), naive.soft_shrink(0.5), logits=True),
    row("Softshrink", (0.0,), by_value(lambda x: x), normal(2, 3, 2), logits=True),
    row("PReLU", (), naive.prelu, logits=True),
    row("PReLU", (3,), naive.prelu, normal(4, 3, 2), wrong=((normal(4, 2),), (normal(3),), (normal(),)), logits=True),
    row("PReLU", (3, -0.4), naive.prelu, normal(4, 3)),
    Row("RReLU in evaluation", lambda: M.RReLU(0.1, 0.5).eval(), (normal(4, 3),), naive.leaky(0.3),
        lambda t: t.nn.RReLU(0.1, 0.5).eval(), logits=True),
    Row("RReLU 0.2 4x3", drawn_from_words("RReLU", 0.2), (normal(4, 3),), naive.rrelu(0.2, 1 / 3, words), logits=True),
    row("GLU", (), naive.halved(-1, naive.glu), normal(4, 6), wrong=((normal(4, 3),), (normal(),)), logits=True),
    row("GLU", (1,), naive.halved(1, naive.glu), normal(3, 4, 2), wrong=((normal(3, 3, 2),), (normal(4),)),
        logits=True),
    row("Softmin", (1,), along(1, lambda values: naive.softmax([-value for value in values])),
        wrong=((normal(4),),), logits=True),
    row("Softmin", (), along(0, lambda values: naive.softmax([-value for value in values])), normal(4),
        torch=lambda t: t.nn.Softmin(0), batched=False, logits=True),
    row("Softmax2d", (), along(-3, naive.softmax), normal(2, 3, 2, 2),
        wrong=((normal(2, 3),), (normal(1, 1, 1, 1, 1),)), logits=True),
    *softmax_rows("Softmax", naive.softmax),
    *softmax_rows("LogSoftmax", naive.log_softmax),
]
# fmt: on

BEYOND_TORCH = {"RReLU"}
