"""Laws of initial weights, as `torch.nn.init`: each fills a Parameter or an array in place and returns it."""

import math
from typing import TypeVar

from maillon import random
from maillon.nn.module import Parameter
from maillon.typing import Array

T = TypeVar("T", Parameter, Array)


def _array(target: Parameter | Array) -> Array:
    return target.data if isinstance(target, Parameter) else target


def uniform_(target: T, a: float = 0.0, b: float = 1.0, *, generator: random.Generator | None = None) -> T:
    """Fill with U(a, b), the bits of `torch.nn.init.uniform_` under the same seed."""
    array = _array(target)
    array[...] = random.resolve(generator).uniform(array.shape, a, b, dtype=array.dtype)
    return target


def normal_(target: T, mean: float = 0.0, std: float = 1.0, *, generator: random.Generator | None = None) -> T:
    """Fill with N(mean, std²)."""
    array = _array(target)
    array[...] = random.resolve(generator).normal(array.shape, mean, std, dtype=array.dtype)
    return target


def kaiming_uniform_(target: T, a: float = 0.0, *, generator: random.Generator | None = None) -> T:
    """Fill a weight of shape (out, in, …) with U(−bound, bound), bound = √3 · √(2 / (1 + a²)) / √fan_in.

    a: the negative slope of the LeakyReLU that follows (0: a ReLU). fan_in is the number of inputs of one output.
    Source: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", 2015, equation 14. The bits are PyTorch's,
    hence the order of the operations.
    """
    shape = _array(target).shape
    if len(shape) < 2:
        raise ValueError(f"kaiming_uniform_: expected a weight of shape (out, in, …), got {shape}.")
    fan_in = math.prod(shape[1:])
    std = math.sqrt(2.0 / (1 + a**2)) / math.sqrt(fan_in)
    bound = math.sqrt(3.0) * std
    return uniform_(target, -bound, bound, generator=generator)


def xavier_uniform_(target: T, gain: float = 1.0, *, generator: random.Generator | None = None) -> T:
    """Fill a weight of shape (out, in, …) with U(−bound, bound), bound = √3 · gain · √(2 / (fan_in + fan_out)).

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.
    """
    bound = math.sqrt(3.0) * _xavier_std("xavier_uniform_", target, gain)
    return uniform_(target, -bound, bound, generator=generator)


def xavier_normal_(target: T, gain: float = 1.0, *, generator: random.Generator | None = None) -> T:
    """Fill a weight of shape (out, in, …) with N(0, std²), std = gain · √(2 / (fan_in + fan_out))."""
    return normal_(target, 0.0, _xavier_std("xavier_normal_", target, gain), generator=generator)


def _xavier_std(owner: str, target: Parameter | Array, gain: float) -> float:
    shape = _array(target).shape
    if len(shape) < 2:
        raise ValueError(f"{owner}: expected a weight of shape (out, in, …), got {shape}.")
    field = math.prod(shape[2:])
    return gain * math.sqrt(2.0 / float(shape[1] * field + shape[0] * field))
