"""PixelShuffle and PixelUnshuffle: channels become pixels, and pixels channels."""

import numpy as np

from maillon.nn.module import Module
from maillon.nn.support import arguments, errors
from maillon.typing import Array


def _shuffled(x: Array, factor: int) -> Array:
    """(*, C r², H, W) → (*, C, r H, r W): of r² channels one block of r · r pixels."""
    *batch, channels, height, width = x.shape
    blocks = x.reshape(*batch, channels // factor**2, factor, factor, height, width)
    n = len(batch)
    blocks = blocks.transpose(*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return blocks.reshape(*batch, channels // factor**2, height * factor, width * factor)


def _unshuffled(x: Array, factor: int) -> Array:
    """(*, C, r H, r W) → (*, C r², H, W)."""
    *batch, channels, height, width = x.shape
    blocks = x.reshape(*batch, channels, height // factor, factor, width // factor, factor)
    n = len(batch)
    blocks = blocks.transpose(*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return blocks.reshape(*batch, channels * factor**2, height // factor, width // factor)


class PixelShuffle(Module):
    """y[c, r h + i, r w + j] = x[c r² + r i + j, h, w]: an image r times as large, of r² times fewer channels.

    The derivative puts dy back: dx = PixelUnshuffle(r)(dy).

    Parameters
    ----------
    upscale_factor : int
        r ≥ 1.

    Raises
    ------
    LinkShapeError
        When r² does not divide the channels.

    Notes
    -----
    x: (*, C r², H, W) → y: (*, C, r H, r W), * any number of dimensions.

    References
    ----------
    Shi et al., "Real-Time Single Image and Video Super-Resolution …", 2016.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.PixelShuffle(2)(np.arange(4.0).reshape(4, 1, 1))
    array([[[0., 1.],
            [2., 3.]]])
    """

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = arguments.integer("PixelShuffle", "upscale_factor", upscale_factor)

    def forward(self, x: Array) -> Array:
        if not isinstance(x, np.ndarray):
            raise errors.wrong_input(self, "x", x)
        square = self.upscale_factor**2
        if x.ndim < 3 or x.shape[-3] % square:
            raise errors.wrong_shape(
                self, "x", f"(*, C · {square}, H, W)", x.shape, f"{square} channels make one of larger images."
            )
        return self.keep(_shuffled(x, self.upscale_factor))

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return _unshuffled(grad_output, self.upscale_factor)


class PixelUnshuffle(Module):
    """y[c r² + r i + j, h, w] = x[c, r h + i, r w + j]: an image r times smaller, of r² times as many channels.

    The derivative puts dy back: dx = PixelShuffle(r)(dy).

    Parameters
    ----------
    downscale_factor : int
        r ≥ 1.

    Raises
    ------
    LinkShapeError
        When r does not divide height and width.

    Notes
    -----
    x: (*, C, r H, r W) → y: (*, C r², H, W), * any number of dimensions.

    References
    ----------
    Shi et al., "Real-Time Single Image and Video Super-Resolution …", 2016.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> maillon.PixelUnshuffle(2)(np.arange(4.0).reshape(1, 2, 2)).ravel()
    array([0., 1., 2., 3.])
    """

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = arguments.integer("PixelUnshuffle", "downscale_factor", downscale_factor)

    def forward(self, x: Array) -> Array:
        if not isinstance(x, np.ndarray):
            raise errors.wrong_input(self, "x", x)
        factor = self.downscale_factor
        if x.ndim < 3 or x.shape[-2] % factor or x.shape[-1] % factor:
            raise errors.wrong_shape(
                self,
                "x",
                f"(*, C, H · {factor}, W · {factor})",
                x.shape,
                f"Pad it to multiples of {factor}.",
            )
        return self.keep(_unshuffled(x, factor))

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return _shuffled(grad_output, self.downscale_factor)
