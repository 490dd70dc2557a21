"""Positional encodings: vectors that tell attention where in the sequence it looks."""

import functools
from typing import Any

import numpy as np

from maillon import random
from maillon.nn import init
from maillon.nn.module import Module
from maillon.nn.norms.dropout import Dropout
from maillon.nn.parameter import Parameter
from maillon.nn.support import arguments, errors
from maillon.nn.support.dtypes import floating_dtype
from maillon.nn.support.outline import empty, outlined
from maillon.typing import Array, DTypeLike


@functools.lru_cache(maxsize=8)
def sinusoids(length: int, embed_dim: int, base: float) -> Array:
    """The vector of each position, in float64."""
    angles = np.arange(length)[:, None] * base ** (-np.arange(0, embed_dim, 2) / embed_dim)
    table = np.empty((length, embed_dim))
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles)[:, : embed_dim // 2]
    table.flags.writeable = False
    return table


class _Positional(Module):
    """y = dropout(x + p), pₗ the vector of position l; dx = d(x + p), the gradient that comes through the dropout."""

    embed_dim: int

    def __init__(self, embed_dim: int, dropout: float, generator: random.Generator | None) -> None:
        owner = type(self).__name__
        self.embed_dim = arguments.integer(owner, "embed_dim", embed_dim)
        p = arguments.number(owner, "dropout", dropout, 0, 1)
        self._dropout = Dropout(p, generator=arguments.generator(owner, generator))

    @property
    def dropout(self) -> float:
        return self._dropout.p

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, the generator among them."""
        return super().get_config() | {"generator": self._dropout.generator}

    def _check(self, x: Array) -> None:
        if x.ndim not in (2, 3) or x.shape[-1] != self.embed_dim:
            expected = f"(N, L, {self.embed_dim}) or (L, {self.embed_dim})"
            raise errors.wrong_shape(self, "x", expected, x.shape, "The last dimension is embed_dim.")


class SinusoidalPositionalEncoding(_Positional):
    """y = dropout(x + p), with sines and cosines of the place as p; dx = dropout'(dy), dropout's backward.

    p[l, 2i] = sin(l · base^(−2i / embed_dim)), p[l, 2i + 1] = cos(l · base^(−2i / embed_dim)).

    Parameters
    ----------
    embed_dim : int
        The width.
    dropout : float
        Probability in [0, 1] of dropping a value of the sum in training.
    base : float
        > 0: the wave lengths go from 2π to 2π · base.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        For options that make no sense.
    LinkShapeError
        When the last dimension is not embed_dim.

    Notes
    -----
    x: (N, L, embed_dim) or (L, embed_dim), of any length → y: the same shape. Nothing is learnt.

    References
    ----------
    Vaswani et al., "Attention Is All You Need", 2017, section 3.5.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.SinusoidalPositionalEncoding(2)(np.zeros((3, 2))).round(4)
    array([[ 0.    ,  1.    ],
           [ 0.8415,  0.5403],
           [ 0.9093, -0.4161]])
    """

    def __init__(
        self,
        embed_dim: int,
        dropout: float = 0.0,
        base: float = 10000.0,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        super().__init__(embed_dim, dropout, generator)
        self.base = arguments.number("SinusoidalPositionalEncoding", "base", base, 0, above=True)

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        self._check(x)
        y: Array = self.keep(self._dropout(x + sinusoids(x.shape[-2], self.embed_dim, self.base).astype(x.dtype)))
        return y

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return self._dropout.backward(grad_output)


class LearnedPositionalEncoding(_Positional):
    """y = dropout(x + p), pₗ = weight[l]; dx = dropout'(dy), dweight[l] = Σ dx[:, l] over the samples, 0 beyond x.

    Parameters
    ----------
    embed_dim : int
        The width.
    max_len : int
        The largest length.
    dropout : float
        Probability in [0, 1] of dropping a value of the sum in training.
    device : None
        PyTorch's: refused unless None. maillon computes on the CPU.
    dtype : dtype, optional
        float32 or float64 of the parameters; None is the default dtype.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        For options that make no sense.
    LinkShapeError
        When x is too long, or not embed_dim wide.
    LinkDtypeError
        When x is not of the weight's dtype.

    Notes
    -----
    x: (N, L, embed_dim) or (L, embed_dim), L ≤ max_len → y: the same shape. weight: (max_len, embed_dim), at first N(0,
    0.02²).

    References
    ----------
    Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", 2019, section 3.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> link = maillon.LearnedPositionalEncoding(2, max_len=3)
    >>> link.weight.data[:] = [[1, 2], [3, 4], [5, 6]]
    >>> link(np.zeros((2, 2), dtype=np.float32))
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """

    def __init__(
        self,
        embed_dim: int,
        max_len: int,
        dropout: float = 0.0,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        errors.refuse("LearnedPositionalEncoding", device=(device, None, errors.CPU_ONLY))
        super().__init__(embed_dim, dropout, generator)
        self.max_len = arguments.integer("LearnedPositionalEncoding", "max_len", max_len)
        self.weight = Parameter(empty((self.max_len, self.embed_dim), floating_dtype(dtype)))
        if not outlined():
            self.reset_parameters(generator)

    def reset_parameters(self, generator: random.Generator | None = None) -> None:
        """Draw the initial weights again."""
        init.normal_(self.weight, 0.0, 0.02, generator=generator)

    def forward(self, x: Array) -> Array:
        errors.require_dtype(self, "x", x, self.weight.dtype)
        self._check(x)
        length = x.shape[-2]
        if length > self.max_len:
            expected = f"(N, L, {self.embed_dim}) with L ≤ {self.max_len}"
            raise errors.wrong_shape(self, "x", expected, x.shape, "Make max_len as large as the longest sequence.")
        y: Array = self.keep(self._dropout(x + self.weight.data[:length]))
        return y

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        dx = self._dropout.backward(grad_output)
        dweight = np.zeros_like(self.weight.data)
        dweight[: dx.shape[-2]] = dx if dx.ndim == 2 else np.add.reduce(dx, axis=0)
        self.weight.accumulate(dweight)
        return dx
