"""The operations of the activations: for each value of y, forward and for dx."""

from typing import Any

from maillon.costs.counts import Counts, Flops, per_value, size
from maillon.nn import (
    CELU,
    ELU,
    GELU,
    GLU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    RReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softmax2d,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)

_GELU = {"none": (2, 8), "tanh": (10, 19)}  # x Φ(x), Φ one function; or Φ made of a polynomial and σ


def _gelu(link: Any, inputs: tuple[Any, ...], output: Any) -> Flops:
    forward, back = _GELU[link.approximate]
    return Flops(forward * size(output), back * size(output))


ACTIVATIONS: Counts = {
    ReLU: per_value(1, 1),  # a comparison; a selection
    ReLU6: per_value(2, 2),
    LeakyReLU: per_value(2, 2),
    PReLU: per_value(2, 2, 3),  # dw: x dy, selected and added up
    RReLU: per_value(2, 1),
    Tanh: per_value(1, 3),  # (1 − y²) dy
    Sigmoid: per_value(4, 3),  # 1 / (1 + e⁻ˣ); y (1 − y) dy
    LogSigmoid: per_value(5, 4),  # −log(1 + e⁻ˣ); σ(−x) dy
    SiLU: per_value(5, 9),  # x σ(x); σ (1 + x (1 − σ)) dy
    Mish: per_value(5, 14),
    GELU: _gelu,
    ELU: per_value(4, 4),  # α (eˣ − 1), selected; α eˣ dy
    CELU: per_value(5, 5),  # α (e^(x/α) − 1)
    SELU: per_value(5, 4),
    Softplus: per_value(6, 7),
    Softsign: per_value(3, 5),
    Tanhshrink: per_value(2, 3),
    Hardtanh: per_value(2, 2),
    Hardsigmoid: per_value(4, 3),
    Hardswish: per_value(5, 5),
    Threshold: per_value(1, 1),
    Hardshrink: per_value(2, 2),
    Softshrink: per_value(3, 2),
    GLU: per_value(5, 4),  # a σ(b); σ dy, and a (1 − σ) times it
    Softmax: per_value(5, 4),  # largest, x − largest, exp, sum, quotient; y (dy − Σ dy y)
    Softmax2d: per_value(5, 4),
    Softmin: per_value(6, 5),
    LogSoftmax: per_value(5, 4),
}
