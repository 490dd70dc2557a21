"""Dropout: chance as a regulariser."""

from maillon import random
from maillon.nn import errors
from maillon.nn.module import Module
from maillon.typing import Array


class Dropout(Module):
    """In training y = x · m / (1 − p), each mₖ being 0 with probability p, else 1; in evaluation y = x.

    Derivative: dx = dy · m / (1 − p), with the mask of the forward.

    x: any shape → y: the same shape. p: probability in [0, 1] of dropping a value.
    The masks are one word of the generator a value (`generator=`, else the global one), whatever the dtype.
    Errors: ValueError when p is not in [0, 1].
    Source: Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.

    >>> import numpy as np, maillon
    >>> maillon.Dropout(0.5).eval()(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False, *, generator: random.Generator | None = None) -> None:
        errors.refuse("Dropout", inplace=(inplace, False, errors.NOT_IN_PLACE))
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: expected p, the probability of dropping a value, in [0, 1], got {p!r}.")
        self.p = p
        self.generator = generator

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        if not self.training or self.p == 0:
            return self.keep(x, None)
        mask = (random.resolve(self.generator).rand(x.shape) >= self.p).astype(x.dtype)
        if self.p < 1:
            mask /= 1 - self.p
        return self.keep(x * mask, mask)

    def backward(self, grad_output: Array) -> Array:
        (mask,) = self.release(grad_output)
        return grad_output if mask is None else grad_output * mask

    def _arguments(self) -> list[str]:
        generator = [] if self.generator is None else [f"generator={self.generator!r}"]
        return [repr(self.p), *generator]
