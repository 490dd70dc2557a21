"""The losses between vectors with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.typing import Array
from mutants.table import P, Q, X, Y, mutant

SIGNS = np.array([1.0, -1.0, 1.0, -1.0])


@mutant("CosineEmbeddingLoss: length taken for a constant", 1, X, Y, SIGNS)
class LengthConstant(maillon.CosineEmbeddingLoss):
    def elements_backward(self, grad_elements: Array, *kept: Array) -> Any:
        one, other, square, square2, length, cosine, slope = kept
        return super().elements_backward(grad_elements, one, other, square, square2, length, 0 * cosine, slope)


@mutant("TripletMarginLoss: the anchor moves for the positive alone", 1, X, Y, np.hstack([P, Q])[:, :3])
class AnchorHalf(maillon.TripletMarginLoss):
    def elements_backward(self, grad_elements: Array, near: Array, far: Array, swapped: Array) -> Any:
        _, positive, negative = super().elements_backward(grad_elements, near, far, swapped)
        return -positive, positive, negative


@mutant("TripletMarginLoss: swapped distance's gradient goes to the anchor", 1, X, Y, np.hstack([P, Q])[:, :3])
class SwapForgotten(maillon.TripletMarginLoss):
    def __init__(self) -> None:
        super().__init__(swap=True)

    def elements_backward(self, grad_elements: Array, near: Array, far: Array, swapped: Array) -> Any:
        return super().elements_backward(grad_elements, near, far + swapped, 0 * swapped)


@mutant("TripletMarginLoss: the gradient of the square of the distance", 1, X, Y, np.hstack([P, Q])[:, :3])
class NotNormed(maillon.TripletMarginLoss):
    def elements_backward(self, grad_elements: Array, near: Array, far: Array, swapped: Array) -> Any:
        return super().elements_backward(grad_elements, 2 * near, far, swapped)
