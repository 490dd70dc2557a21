"""Images of another size with one mistake each."""

import numpy as np

import maillon
from maillon.nn.spatial import window_steps as windows
from maillon.random import Generator
from maillon.typing import Array
from mutants.table import mutant

DRAW = Generator(45)
SIGNALS = DRAW.normal((2, 2, 4), dtype=np.float64)
SQUARES = DRAW.normal((2, 2, 4, 4), dtype=np.float64)
CHANNELS = DRAW.normal((2, 4, 3, 3), dtype=np.float64)


@mutant("Upsample: one of the outputs that came of a value, not all", 1, SIGNALS)
class NotSummed(maillon.Upsample):
    def __init__(self) -> None:
        super().__init__(scale_factor=2)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output[..., ::2].copy()


@mutant("Upsample: several outputs of one value overwrite each other", 1, SIGNALS)
class Overwritten(maillon.Upsample):
    def __init__(self) -> None:
        super().__init__(7, mode="linear")

    def backward(self, grad_output: Array) -> Array:
        shape, taps = self.release(grad_output)
        dx = np.zeros(shape, grad_output.dtype)
        for _, ins, weights in taps[-1][1]:
            dx[..., ins] += weights * grad_output
        return dx


@mutant("Upsample: the weights of the neighbours exchanged on the way back", 1, SIGNALS)
class NeighboursExchanged(maillon.Upsample):
    def __init__(self) -> None:
        super().__init__(7, mode="linear")

    def backward(self, grad_output: Array) -> Array:
        shape, taps = self.release(grad_output)
        dx = np.zeros(shape, grad_output.dtype)
        left, right = taps[-1][1]
        windows.add_at(dx, -1, left[1], right[2] * grad_output)
        windows.add_at(dx, -1, right[1], left[2] * grad_output)
        return dx


@mutant("Upsample: corners aligned on the way back alone", 1, SQUARES)
class CornersAligned(maillon.Upsample):
    def __init__(self) -> None:
        super().__init__((7, 6), mode="bilinear")

    def backward(self, grad_output: Array) -> Array:
        shape, _ = self.release(grad_output)
        aligned = maillon.Upsample((7, 6), mode="bilinear", align_corners=True)
        aligned(np.zeros(shape, grad_output.dtype))
        return aligned.backward(grad_output)


@mutant("Upsample: the weights of one neighbour in reverse order on the way back", 1, SQUARES)
class WeightsReversed(maillon.Upsample):
    def __init__(self) -> None:
        super().__init__(6, mode="bicubic", align_corners=True)

    def forward(self, x: Array) -> Array:
        y = super().forward(x)
        shape, taps = self.__dict__["_kept"][1]
        outputs, ((outs, ins, weights), *others) = taps[-2]
        return self.keep(y, shape, {**taps, -2: (outputs, [(outs, ins, weights[::-1]), *others])})


@mutant("PixelShuffle: rows and columns of the blocks exchanged on the way back", 1, CHANNELS)
class BlocksTransposed(maillon.PixelShuffle):
    def __init__(self) -> None:
        super().__init__(2)

    def backward(self, grad_output: Array) -> Array:
        return super().backward(grad_output)[:, [0, 2, 1, 3]]


@mutant("PixelUnshuffle: shuffled twice", 4, SQUARES)
class Twice(maillon.PixelUnshuffle):
    def __init__(self) -> None:
        super().__init__(2)

    def backward(self, grad_output: Array) -> Array:
        dx = super().backward(grad_output)
        return maillon.PixelUnshuffle(2)(dx)
