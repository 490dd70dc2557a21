"""The losses of regression with one mistake each."""

from typing import Any

import numpy as np

import maillon
from maillon.typing import Array
from mutants.table import P, Q, X, Y, mutant


@mutant("HuberLoss: no line beyond the parabola in the gradient", 1, 3 * X, Y)
class NoLine(maillon.HuberLoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        return super().elements(prediction, target)[0], (prediction - target,)


@mutant("SmoothL1Loss: 1 / β missing in the gradient", 1, X, Y)
class BetaForgotten(maillon.SmoothL1Loss):
    def __init__(self) -> None:
        super().__init__(beta=2.0)

    def elements_backward(self, grad_elements: Array, slope: Array) -> Array:
        return self.beta * slope * grad_elements


@mutant("KLDivLoss: gradient with respect to the probability, not its logarithm", 1, np.log(P), Q)
class OfProbability(maillon.KLDivLoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        return super().elements(prediction, target)[0], (target / np.exp(prediction),)


@mutant("KLDivLoss: batchmean divides the value alone", 1, np.log(P), Q)
class BatchForgotten(maillon.KLDivLoss):
    def __init__(self) -> None:
        super().__init__(reduction="batchmean")

    def elements_backward(self, grad_elements: Array, share: Array) -> Array:
        return -share * grad_elements * (len(share) if self.reduction == "batchmean" else 1)


@mutant("KLDivLoss: batchmean over all elements", 7, np.log(P), Q)
class BatchOfElements(maillon.KLDivLoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        value, kept = super().elements(prediction, target)
        scale = 1 / value[0].size if self.reduction == "batchmean" else 1
        return value * scale, (kept[0] * scale,)


@mutant("PoissonNLLLoss: log-rate taken for the rate in the gradient", 1, X, Q)
class RateForgotten(maillon.PoissonNLLLoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        return super().elements(prediction, target)[0], (1 - target / np.exp(prediction),)


@mutant("GaussianNLLLoss: error not squared in the variance's gradient", 1, X, Y, P)
class NotSquared(maillon.GaussianNLLLoss):
    def elements_backward(self, grad_elements: Array, error: Array, var: Array, shape: Any) -> Any:
        dmean, _ = super().elements_backward(grad_elements, error, var, shape)
        return dmean, 0.5 * (1 / var - np.abs(error) / var**2) * grad_elements


@mutant("GaussianNLLLoss: variance's gradient not summed over what it was repeated for", 4, X, Y, P[:, :1])
class NotSummed(maillon.GaussianNLLLoss):
    def elements_backward(self, grad_elements: Array, error: Array, var: Array, shape: Any) -> Any:
        dmean, _ = super().elements_backward(grad_elements, error, var, shape)
        return dmean, 0.5 * (1 / var - (error / var) ** 2) * grad_elements


@mutant("GaussianNLLLoss: the target gets a gradient", 4, X, Y, P)
class TargetLearns(maillon.GaussianNLLLoss):
    def backward(self, grad_output: Any = None) -> Any:
        dmean, _, dvar = super().backward(grad_output)
        return dmean, -dmean, dvar


@mutant("GaussianNLLLoss: one array for two predictions", 4, X, Y, P)
class OneArray(maillon.GaussianNLLLoss):
    def backward(self, grad_output: Any = None) -> Any:
        return super().backward(grad_output)[0]


@mutant("GaussianNLLLoss: backward() leaves the variance alone", 8, X, Y, P)
class HalfByDefault(maillon.GaussianNLLLoss):
    def backward(self, grad_output: Any = None) -> Any:
        dmean, _, dvar = super().backward(grad_output)
        return dmean, None, dvar * (grad_output is not None)
