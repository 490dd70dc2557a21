"""Convolutions, windows and paddings with one mistake each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

import maillon
from maillon.nn.spatial.padding import pad, pad_backward
from maillon.nn.spatial.windows import Windows
from maillon.typing import Array
from mutants.table import mutant

DRAW = np.random.RandomState(5)
IMAGES = DRAW.normal(size=(4, 4, 5, 5))
LINES = DRAW.normal(size=(2, 3, 4))
COLUMNS = DRAW.normal(size=(2, 8, 9))


class Conv(maillon.Conv2d):
    def __init__(self, **options: Any) -> None:
        super().__init__(4, 4, 3, **{"padding": 1, **options})


class Transposed(maillon.ConvTranspose2d):
    def __init__(self) -> None:
        super().__init__(4, 4, 3, stride=2, padding=1)


@mutant("Conv2d: the kernel's gradient with its height and width exchanged", 1, IMAGES)
class KernelTransposed(Conv):
    def _products_dw(self, x: Array, dy: Array) -> Array:
        return super()._products_dw(x, dy).swapaxes(-1, -2)


@mutant("Conv2d: the kernel flipped on the way back", 1, IMAGES)
class KernelFlipped(Conv):
    def _products_dx(self, dy: Array, sizes: Sequence[int]) -> Array:
        return super()._products_dx(dy[..., ::-1, ::-1], sizes)[..., ::-1, ::-1]


@mutant("Conv2d: outputs and inputs exchanged in a square weight's gradient", 1, IMAGES)
class ChannelsExchanged(Conv):
    def _products_dw(self, x: Array, dy: Array) -> Array:
        return super()._products_dw(x, dy).swapaxes(0, 1)


@mutant("Conv2d: dilation forgotten in the gradient of the input", 1, IMAGES)
class DilationForgotten(Conv):
    def __init__(self) -> None:
        super().__init__(dilation=2)

    def _products_dx(self, dy: Array, sizes: Sequence[int]) -> Array:
        self.windows = Windows(self.kernel_size, self.stride, (1, 1))
        try:
            return super()._products_dx(dy, sizes)
        finally:
            self.windows = Windows(self.kernel_size, self.stride, self.dilation)


@mutant("Conv2d: stride forgotten in the gradient of the weight", 1, IMAGES)
class StrideForgotten(Conv):
    def __init__(self) -> None:
        super().__init__(stride=2)

    def _products_dw(self, x: Array, dy: Array) -> Array:
        self.windows = Windows(self.kernel_size, (1, 1), self.dilation)
        try:
            return super()._products_dw(x, dy)
        finally:
            self.windows = Windows(self.kernel_size, self.stride, self.dilation)


@mutant("Conv2d: the groups' inputs mixed up on the way back", 1, IMAGES)
class GroupsMixed(Conv):
    def __init__(self) -> None:
        super().__init__(groups=2)

    def _products_dx(self, dy: Array, sizes: Sequence[int]) -> Array:
        return np.roll(super()._products_dx(dy, sizes), 2, axis=1)


@mutant("Conv2d: bias gradient summed over the channels instead of the batch", 1, IMAGES)
class BiasWrongAxes(Conv):
    def _accumulate(self, padded: Array, outputs: Array, dy: Array) -> None:
        super()._accumulate(padded, outputs, dy.swapaxes(0, 1))


@mutant("Conv2d: weight gradient of the last sample only", 1, IMAGES)
class LastSampleOnly(Conv):
    def _products_dw(self, x: Array, dy: Array) -> Array:
        return super()._products_dw(x[-1:], dy[-1:])


@mutant("Conv2d: the padding not cropped in backward", 4, IMAGES)
class NotCropped(Conv):
    def backward(self, grad_output: Array) -> Array:
        padded, _, dy = self._walk_back(grad_output)
        return self._products_dx(dy, padded.shape[2:])


@mutant("Conv2d: the padding cropped at the end only", 1, IMAGES)
class CroppedAtTheEnd(Conv):
    def backward(self, grad_output: Array) -> Array:
        padded, shape, dy = self._walk_back(grad_output)
        return self._products_dx(dy, padded.shape[2:])[..., : shape[2], : shape[3]]


@mutant("Conv2d: a reflected border's gradient lost", 1, IMAGES)
class BorderLost(Conv):
    def __init__(self) -> None:
        super().__init__(padding_mode="reflect")

    def backward(self, grad_output: Array) -> Array:
        padded, shape, dy = self._walk_back(grad_output)
        return pad_backward(self._products_dx(dy, padded.shape[2:]), self._widths, "zeros", shape)


@mutant("Conv2d: weight gradient overwritten instead of added", 2, IMAGES)
class ConvOverwritten(Conv):
    def _accumulate(self, padded: Array, outputs: Array, dy: Array) -> None:
        self.weight.grad = None
        super()._accumulate(padded, outputs, dy)


@mutant("ConvTranspose2d: outputs and inputs exchanged in a square weight's gradient", 1, IMAGES)
class TransposedChannels(Transposed):
    def _products_dw(self, x: Array, dy: Array) -> Array:
        return super()._products_dw(x, dy).swapaxes(0, 1)


@mutant("ConvTranspose2d: the padding laid back at the end only", 1, IMAGES)
class PaddingShifted(Transposed):
    def _products(self, x: Array, counts: Sequence[int]) -> Array:
        return super()._products(np.roll(x, -1, axis=-1), counts)


@mutant("Unfold: values of several windows overwritten instead of added up", 1, IMAGES)
class WindowsOverwritten(maillon.Unfold):
    def __init__(self) -> None:
        super().__init__(2)

    def _folded(self, columns: Array, sizes: Sequence[int]) -> Array:
        often = super()._folded(np.ones_like(columns), sizes)
        return super()._folded(columns, sizes) / often


@mutant("Fold: the rows of a column taken channel last", 1, COLUMNS)
class ChannelLast(maillon.Fold):
    def __init__(self) -> None:
        super().__init__(4, 2)

    def _unfolded(self, images: Array) -> Array:
        columns = super()._unfolded(images)
        return columns.reshape(2, 2, 4, 9).swapaxes(1, 2).reshape(2, 8, 9)


@mutant("ReflectionPad1d: the border itself reflected in backward", 1, LINES)
class BorderReflected(maillon.ReflectionPad1d):
    def __init__(self) -> None:
        super().__init__(2)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        grad = grad_output[..., 2:-2].copy()
        grad[..., :2] += grad_output[..., 1::-1]
        grad[..., -2:] += grad_output[..., :-3:-1]
        return grad


@mutant("ReplicationPad1d: the gradients of the copies lost", 1, LINES)
class CopiesLost(maillon.ReplicationPad1d):
    def __init__(self) -> None:
        super().__init__(2)

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output[..., 2:-2]


@mutant("CircularPad1d: the ends taken for each other in backward", 1, LINES)
class EndsExchanged(maillon.CircularPad1d):
    def __init__(self) -> None:
        super().__init__((1, 2))

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.release(grad_output)
        turned: Array = pad_backward(grad_output[..., ::-1], self._widths, "circular", shape)[..., ::-1]
        return turned


@mutant("ZeroPad1d: what was cropped gets a gradient", 1, LINES)
class CroppedLearns(maillon.ZeroPad1d):
    def __init__(self) -> None:
        super().__init__((-1, 2))

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return pad(grad_output, [(1, -2)], "replicate")
