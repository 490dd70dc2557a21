"""Pools with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.nn.spatial import window_steps as windows
from maillon.random import Generator
from maillon.typing import Array
from mutants.table import mutant

DRAW = Generator(44)
SIGNALS = DRAW.normal((2, 2, 7), dtype=np.float64)
SQUARES = DRAW.normal((2, 2, 4, 4), dtype=np.float64)
PLACES = np.array([[[1, 2], [0, 3]]])
POOLED = DRAW.normal((1, 2, 2), dtype=np.float64)


@mutant("MaxPool1d: the gradient to every value of the window", 1, SIGNALS)
class ToAll(maillon.MaxPool1d):
    def __init__(self) -> None:
        super().__init__(2)

    def backward(self, grad_output: Array) -> Array:
        _, sizes, axes, _ = self.release(grad_output)
        return windows.total_backward(grad_output, -1, axes[0][0], sizes[0])


@mutant("MaxPool1d: overlapping windows overwrite each other's gradient", 1, SIGNALS)
class LastWindowWins(maillon.MaxPool1d):
    def __init__(self) -> None:
        super().__init__(3, 1)

    def backward(self, grad_output: Array) -> Array:
        _, sizes, axes, at = self.release(grad_output)
        place = windows.places(-1, axes[0][0], sizes[0], at[-1])
        dx = np.zeros((*grad_output.shape[:-1], *sizes), grad_output.dtype)
        np.put_along_axis(dx, place, grad_output, axis=-1)
        return dx


@mutant("MaxPool1d: dilation forgotten on the way back", 1, SIGNALS)
class DilationForgotten(maillon.MaxPool1d):
    def __init__(self) -> None:
        super().__init__(2, 1, dilation=2)

    def backward(self, grad_output: Array) -> Array:
        _, sizes, _, at = self.release(grad_output)
        steps = windows.sliding(sizes[0], grad_output.shape[-1], 2, 1)
        return windows.greatest_backward(grad_output, -1, steps, sizes[0], at[-1])


@mutant("MaxPool2d: the places of the rows taken for those of the columns", 1, SQUARES)
class PlacesSwapped(maillon.MaxPool2d):
    def __init__(self) -> None:
        super().__init__(3, 1, 1)

    def backward(self, grad_output: Array) -> Array:
        _, sizes, axes, at = self.release(grad_output)
        dx = grad_output
        for axis, other in ((-2, -1), (-1, -2)):
            dx = windows.greatest_backward(dx, axis, axes[axis][0], sizes[axis], at[other])
        return dx


@mutant("AvgPool1d: not divided by the size of the window", 1, SIGNALS)
class NotDivided(maillon.AvgPool1d):
    def __init__(self) -> None:
        super().__init__(2)

    def backward(self, grad_output: Array) -> Array:
        sizes, axes, _ = self.release(grad_output)
        return windows.total_backward(grad_output, -1, axes[0][0], sizes[0])


@mutant("AvgPool1d: padding counted on the way back alone", 1, SIGNALS)
class PaddingCounted(maillon.AvgPool1d):
    def __init__(self) -> None:
        super().__init__(3, 2, 1, count_include_pad=False)

    def backward(self, grad_output: Array) -> Array:
        sizes, axes, _ = self.release(grad_output)
        return windows.total_backward(grad_output / 3, -1, axes[0][0], sizes[0])


@mutant("AvgPool2d: the window transposed on the way back", 1, SQUARES)
class WindowTransposed(maillon.AvgPool2d):
    def __init__(self) -> None:
        super().__init__((3, 1), 1, (1, 0))

    def backward(self, grad_output: Array) -> Array:
        return super().backward(np.swapaxes(grad_output, -1, -2)).swapaxes(-1, -2)


@mutant("AdaptiveAvgPool1d: windows that do not overlap on the way back", 1, SIGNALS)
class NoOverlap(maillon.AdaptiveAvgPool1d):
    def __init__(self) -> None:
        super().__init__(3)

    def backward(self, grad_output: Array) -> Array:
        sizes, axes, divisor = self.release(grad_output)
        steps = [(outs, ins) for outs, ins in axes[0][0] if isinstance(outs, slice)][:2]
        return windows.total_backward(grad_output / divisor, -1, steps, sizes[0])


@mutant("AdaptiveMaxPool2d: the gradient of the indices", 4, SQUARES)
class GradientOfIndices(maillon.AdaptiveMaxPool2d):
    def __init__(self) -> None:
        super().__init__(2, return_indices=True)

    def backward(self, grad_output: Any) -> Array:
        dy, _ = grad_output
        return super().backward((np.ones_like(self.kept_output[0]) if dy is None else dy, None))


@mutant("MaxUnpool1d: zeros where the values come from", 1, POOLED, PLACES)
class Scattered(maillon.MaxUnpool1d):
    def __init__(self) -> None:
        super().__init__(2)

    def backward(self, grad_output: Array) -> tuple[Array, None]:
        flat, shape = self.release(grad_output)
        return grad_output[..., : shape[-1]] * (flat < shape[-1]), None
