"""Elementwise losses with one mistake each, and what every loss can get wrong."""

from typing import Any

import numpy as np

import maillon
from maillon.typing import Array
from mutants.table import P, Q, X, Y, mutant


@mutant("MSELoss: factor 2 missing", 1, X, Y)
class FactorMissing(maillon.MSELoss):
    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        return error * grad_elements


@mutant("MSELoss: target and prediction swapped", 1, X, Y)
class TargetFirst(maillon.MSELoss):
    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        return -2 * error * grad_elements


@mutant("MSELoss: mean missing in the gradient", 1, X, Y)
class MeanMissing(maillon.MSELoss):
    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        factor = error.size if self.reduction == "mean" else 1
        return 2 * error * grad_elements * factor


@mutant("MSELoss: mean over the batch in the gradient, over all in the value", 1, X, Y)
class MeanOverBatch(maillon.MSELoss):
    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        factor = error.shape[1] if self.reduction == "mean" else 1
        return 2 * error * grad_elements * factor


@mutant("L1Loss: sign wrong", 1, X, Y)
class SignWrong(maillon.L1Loss):
    def elements_backward(self, grad_elements: Array, sign: Array) -> Array:
        return -sign * grad_elements


@mutant("L1Loss: gradient not of size 1", 1, X, Y)
class NotOfSizeOne(maillon.L1Loss):
    def elements(self, prediction: Array, target: Array) -> Any:
        return np.abs(prediction - target), (prediction - target,)


@mutant("BCELoss: (1 − y) term missing", 1, P, Q)
class ComplementMissing(maillon.BCELoss):
    def elements_backward(self, grad_elements: Array, prediction: Array, target: Array, weight: Any) -> Array:
        return -weight * target / prediction * grad_elements


@mutant("BCELoss: 1 / (p (1 − p)) missing", 1, P, Q)
class DenominatorMissing(maillon.BCELoss):
    def elements_backward(self, grad_elements: Array, prediction: Array, target: Array, weight: Any) -> Array:
        return weight * (prediction - target) * grad_elements


@mutant("BCEWithLogitsLoss: pos_weight forgotten in the gradient", 1, X, Q)
class PosWeightForgotten(maillon.BCEWithLogitsLoss):
    def __init__(self) -> None:
        super().__init__(pos_weight=[0.5, 2.0, 3.0])

    def elements_backward(
        self, grad_elements: Array, prediction: Array, target: Array, weight: Any, positive: Any
    ) -> Array:
        return super().elements_backward(grad_elements, prediction, target, weight, 1.0)


@mutant("BCEWithLogitsLoss: weight ignored in the gradient", 1, X, Q)
class BinaryWeightIgnored(maillon.BCEWithLogitsLoss):
    def __init__(self) -> None:
        super().__init__(weight=[0.5, 2.0, 3.0])

    def elements_backward(
        self, grad_elements: Array, prediction: Array, target: Array, weight: Any, positive: Any
    ) -> Array:
        return super().elements_backward(grad_elements, prediction, target, 1.0, positive)


@mutant("a loss whose target gets a gradient too", 4, X, Y)
class TargetGradient(maillon.MSELoss):
    def backward(self, grad_output: Any = None) -> Any:
        grad = super().backward(grad_output)
        return grad, -grad


@mutant("a loss that changes its target", 3, X, Y)
class TargetChanged(maillon.MSELoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        target -= prediction
        return target * target, (-target,)


@mutant("a denominator that is not what the mean divides by", 7, X, Y)
class WrongDenominator(maillon.MSELoss):
    def forward(self, prediction: Array, target: Array, sample_weight: Any = None) -> Any:
        value = super().forward(prediction, target, sample_weight)
        self.denominator_used, self.denominator = self.denominator, float(len(prediction))
        return value

    def backward(self, grad_output: Any = None) -> Array:
        self.denominator = self.denominator_used
        return super().backward(grad_output)


@mutant("a sum that is twice the elements", 7, X, Y)
class SumTwice(maillon.MSELoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        error = prediction - target
        return error * error * (2.0 if self.reduction == "sum" else 1.0), (error,)

    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        return 2 * error * grad_elements * (2.0 if self.reduction == "sum" else 1.0)


@mutant("backward() that starts from 2", 8, X, Y)
class StartsFromTwo(maillon.MSELoss):
    def backward(self, grad_output: Any = None) -> Array:
        grad = super().backward(grad_output)
        return 2 * grad if grad_output is None else grad
