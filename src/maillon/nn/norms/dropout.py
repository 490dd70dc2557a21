"""Dropout: chance as a regulariser, for values or for whole channels."""

import math

from maillon import random
from maillon.nn.module import Module
from maillon.nn.support import arguments, errors
from maillon.typing import Array


class _Dropout(Module):
    """What they share: p, and y = x · factor + shift in training, y = x in evaluation; dx = dy · factor.

    A link of this kind says for which of the values one word of the generator decides (`_mask_shape`), and what
    is made of those that are kept (`_law`).
    """

    def __init__(self, p: float = 0.5, inplace: bool = False, *, generator: random.Generator | None = None) -> None:
        name = type(self).__name__
        errors.refuse(name, inplace=(inplace, False, errors.NOT_IN_PLACE))
        if not arguments.is_number(p) or not 0 <= p <= 1:
            raise ValueError(f"{name}: expected p, the probability of dropping a value, in [0, 1], got {p!r}.")
        self.p = arguments.number(name, "p", p)
        self.generator = arguments.generator(name, generator)

    def _mask_shape(self, x: Array) -> tuple[int, ...]:
        return x.shape

    def _law(self, kept: Array) -> tuple[Array, Array | None]:
        """The factor and the shift, of kept, which is 1 with probability 1 − p and else 0."""
        return (kept / (1 - self.p) if self.p < 1 else kept), None

    def forward(self, x: Array) -> Array:
        errors.require_floating(self, "x", x)
        shape = self._mask_shape(x)
        if not self.training or self.p == 0 or not x.size:
            return self.keep(x, None)
        factor, shift = self._law((random.resolve(self.generator).rand(shape) >= self.p).astype(x.dtype))
        return self.keep(x * factor if shift is None else x * factor + shift, factor)

    def backward(self, grad_output: Array) -> Array:
        (factor,) = self.release(grad_output)
        return grad_output if factor is None else grad_output * factor

    def _arguments(self) -> list[str]:
        generator = [] if self.generator is None else [f"generator={self.generator!r}"]
        return [repr(self.p), *generator]


class Dropout(_Dropout):
    """In training y = x · m / (1 − p), each mₖ being 0 with probability p, else 1; in evaluation y = x.

    Derivative: dx = dy · m / (1 − p), with the mask of the forward.

    Parameters
    ----------
    p : float
        Probability in [0, 1] of dropping a value.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        When p is not in [0, 1].

    Notes
    -----
    x: any shape → y: the same shape. The masks take one word of the generator for each value, whatever the dtype.

    References
    ----------
    Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Dropout(0.5).eval()(np.ones(3))
    array([1., 1., 1.])
    """


class Dropout1d(_Dropout):
    """Dropout of whole channels: in training y = x · m / (1 − p) with one m a channel; dx = dy · m / (1 − p).

    Parameters
    ----------
    p : float
        Probability in [0, 1] of dropping a channel.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        When p is not in [0, 1].
    LinkShapeError
        For other numbers of dimensions.

    Notes
    -----
    x: (N, C, L) or (C, L) → y: the same shape.

    References
    ----------
    Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Dropout1d(0.5, generator=maillon.Generator(0))(np.ones((3, 2)))
    array([[0., 0.],
           [2., 2.],
           [0., 0.]])
    """

    def _mask_shape(self, x: Array) -> tuple[int, ...]:
        if x.ndim not in (2, 3):
            raise errors.wrong_shape(
                self, "x", "(N, C, L) or (C, L)", x.shape, "Dropout drops single values of any shape."
            )
        return (*x.shape[:-1], 1)


class _ChannelDropout(_Dropout):
    """One m for each sample's channel; the two first dimensions are the sample and the channel."""

    def _mask_shape(self, x: Array) -> tuple[int, ...]:
        if x.ndim < 2:
            raise errors.wrong_shape(self, "x", "(N, C, *)", x.shape, "Its channels are the second dimension.")
        return (*x.shape[:2], *(1,) * (x.ndim - 2))


class Dropout2d(_ChannelDropout):
    """Dropout of whole feature maps: in training y = x · m / (1 − p) with one m a map; dx = dy · m / (1 − p).

    Parameters
    ----------
    p : float
        Probability in [0, 1] of dropping a channel.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        When p is not in [0, 1].
    LinkShapeError
        For fewer than two dimensions.

    Notes
    -----
    x: (N, C, H, W) → y: the same shape. As in PyTorch three dimensions are (N, C, L), not an image without a batch, and
    two or more than four begin with (N, C) as well.

    References
    ----------
    Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.Dropout2d(0.5, generator=maillon.Generator(0))(np.ones((1, 3, 1, 2)))
    array([[[[0., 0.]],
    <BLANKLINE>
            [[2., 2.]],
    <BLANKLINE>
            [[0., 0.]]]])
    """


SATURATION = 1.7580993408473766
"""λ α of SELU: its value far below 0 is −λ α, which is where AlphaDropout sends what it drops."""


class AlphaDropout(_Dropout):
    """For SELU: in training y = a (x m − α' (1 − m)) + b, which keeps mean 0 and variance 1; dx = a m dy.

    Each mₖ is 0 with probability p, else 1; α' = 1.7581, a = 1/√((1 − p)(1 + p α'²)), b = a p α'. With p = 1 the output
    is 0.

    Parameters
    ----------
    p : float
        Probability in [0, 1] of dropping a value.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        When p is not in [0, 1].

    Notes
    -----
    x: any shape → y: the same shape.

    References
    ----------
    Klambauer, Unterthiner, Mayr, Hochreiter, "Self-Normalizing Neural Networks", 2017.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.AlphaDropout(0.5, generator=maillon.Generator(0))(np.zeros(3)).round(4)
    array([-0.7792,  0.7792, -0.7792])
    """

    def _law(self, kept: Array) -> tuple[Array, Array | None]:
        if self.p == 1:
            return kept, None
        a = 1 / math.sqrt((SATURATION**2 * self.p + 1) * (1 - self.p))
        return kept * a, (kept - (1 - self.p)) * (SATURATION * a)


class FeatureAlphaDropout(_ChannelDropout, AlphaDropout):
    """AlphaDropout of whole channels: y = a (x m − α' (1 − m)) + b with one m a channel; dx = a m dy.

    Parameters
    ----------
    p : float
        Probability in [0, 1] of dropping a channel.
    inplace : bool
        PyTorch's: refused unless False. A link never writes into its input.
    generator : Generator, optional
        Where the numbers come from; None is the global generator.

    Raises
    ------
    ValueError
        When p is not in [0, 1].
    LinkShapeError
        For fewer than two dimensions.

    Notes
    -----
    x: (N, C, *) → y: the same shape.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.FeatureAlphaDropout(0.5, generator=maillon.Generator(0))(np.zeros((1, 3, 2))).round(4)
    array([[[-0.7792, -0.7792],
            [ 0.7792,  0.7792],
            [-0.7792, -0.7792]]])
    """
