"""The losses with a margin, with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.typing import Array
from mutants.table import LABELS, P, Q, X, Y, mutant

ALL_SIGNS = np.array([[1.0, -1.0, 1.0]] * 4)
LISTS = np.array([[0, -1, 1], [2, 1, -1], [-1, 0, 0], [1, 1, 0]])


@mutant("HingeEmbeddingLoss: the margin's side has the sign of the other", 1, P, ALL_SIGNS)
class BothSidesUp(maillon.HingeEmbeddingLoss):
    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return np.abs(slope) * grad_elements


@mutant("MarginRankingLoss: no margin in the gradient", 1, 0.3 * X, 0.3 * Y, ALL_SIGNS)
class MarginForgotten(maillon.MarginRankingLoss):
    def __init__(self) -> None:
        super().__init__(margin=1.0)

    def elements(self, input1: Array, input2: Array, target: Array) -> Any:
        value, _ = super().elements(input1, input2, target)
        return value, (target * (target * (input1 - input2) < 0),)


@mutant("MarginRankingLoss: the two gradients swapped", 1, X, Y, ALL_SIGNS)
class Swapped(maillon.MarginRankingLoss):
    def elements_backward(self, grad_elements: Array, slope: Array) -> Any:
        return super().elements_backward(grad_elements, slope)[::-1]


@mutant("SoftMarginLoss: sign of the target forgotten", 1, X, ALL_SIGNS)
class SignForgotten(maillon.SoftMarginLoss):
    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return np.abs(slope) * grad_elements


@mutant("MultiMarginLoss: nothing for the right class", 1, X, LABELS)
class RightForgotten(maillon.MultiMarginLoss):
    def elements_backward(self, grad_elements: Array, slope: Array, right: Array) -> Array:
        return slope * grad_elements[..., None]


@mutant("MultiMarginLoss: square without its 2", 1, X, LABELS)
class SquareHalved(maillon.MultiMarginLoss):
    def __init__(self) -> None:
        super().__init__(p=2)

    def elements_backward(self, grad_elements: Array, slope: Array, right: Array) -> Array:
        return super().elements_backward(grad_elements, slope / 2, right)


@mutant("MultiLabelMarginLoss: what stands behind the first −1 counts in the gradient", 1, X, LISTS)
class BehindTheEnd(maillon.MultiLabelMarginLoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        value, _ = super().elements(prediction, target)
        return value, super().elements(prediction, np.where(target < 0, 0, target))[1]


@mutant("MultiLabelSoftMarginLoss: gradient summed over the classes, value averaged", 1, X, Q)
class ClassesSummed(maillon.MultiLabelSoftMarginLoss):
    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return slope.shape[-1] * super().elements_backward(grad_elements, slope)
