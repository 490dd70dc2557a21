"""Activations of Keras, by the names of its functions."""

from collections.abc import Callable
from typing import Any

from maillon import nn
from maillon.interop.keras.values import NotReadError
from maillon.nn import Module

FUNCTIONS: dict[str, Callable[[int], Module]] = {
    "relu": lambda axis: nn.ReLU(),
    "relu6": lambda axis: nn.ReLU6(),
    "leaky_relu": lambda axis: nn.LeakyReLU(0.2),
    "elu": lambda axis: nn.ELU(),
    "selu": lambda axis: nn.SELU(),
    "celu": lambda axis: nn.CELU(),
    "gelu": lambda axis: nn.GELU(),
    "silu": lambda axis: nn.SiLU(),
    "swish": lambda axis: nn.SiLU(),
    "mish": lambda axis: nn.Mish(),
    "sigmoid": lambda axis: nn.Sigmoid(),
    "tanh": lambda axis: nn.Tanh(),
    "softplus": lambda axis: nn.Softplus(),
    "softsign": lambda axis: nn.Softsign(),
    "log_sigmoid": lambda axis: nn.LogSigmoid(),
    "hard_sigmoid": lambda axis: nn.Hardsigmoid(),
    "hard_silu": lambda axis: nn.Hardswish(),
    "hard_swish": lambda axis: nn.Hardswish(),
    "hard_tanh": lambda axis: nn.Hardtanh(),
    "tanh_shrink": lambda axis: nn.Tanhshrink(),
    "hard_shrink": lambda axis: nn.Hardshrink(),
    "soft_shrink": lambda axis: nn.Softshrink(),
    "softmax": nn.Softmax,
    "log_softmax": nn.LogSoftmax,
    "glu": nn.GLU,
}
"""With their defaults; axis: where Keras's last dimension is here."""


def of_function(function: Any, axis: int, where: str) -> Module | None:
    """The link of an activation that a layer was given; None of a linear one."""
    name = getattr(function, "__name__", type(function).__name__)
    if name == "linear" or function is None:
        return None
    if name not in FUNCTIONS or not str(getattr(function, "__module__", "")).startswith("keras."):
        raise NotReadError(f"from_keras: {where} has the activation {name}, for which maillon has no link.")
    return FUNCTIONS[name](axis)


def of_relu(layer: Any) -> Module | None:
    """ReLU with Keras's three options; None where no link has them all."""
    if layer.threshold:
        return None
    if layer.max_value is None:
        return nn.LeakyReLU(float(layer.negative_slope)) if layer.negative_slope else nn.ReLU()
    return None if layer.negative_slope else nn.Hardtanh(0.0, float(layer.max_value))
