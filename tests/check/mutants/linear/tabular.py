"""Links for tables with one mistake each."""

import numpy as np

import maillon
from maillon.nn import Parameter
from maillon.typing import Array
from mutants.table import SQUARE, mutant


class Scale3(maillon.Scale):
    def __init__(self) -> None:
        super().__init__(3)
        self.weight.data[...] = (0.5, -2.0, 3.0)


@mutant("Scale: the input's gradient not scaled", 1)
class NotScaled(Scale3):
    def backward(self, grad_output: Array) -> Array:
        self.backward_parameters(grad_output)
        return grad_output


@mutant("Scale: the weight's gradient summed over the features of a square input", 1, SQUARE)
class AcrossFeatures(Scale3):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate((grad_output * x).sum(axis=1))


class Periodic3(maillon.PeriodicEmbedding):
    def __init__(self) -> None:
        super().__init__(3, 4, 3, sigma=0.5)


@mutant("PeriodicEmbedding: the frequencies' gradient without 2π", 1)
class WithoutTurn(Periodic3):
    def backward(self, grad_output: Array) -> Array:
        return walked_back(self, grad_output, 1 / (2 * np.pi), self.frequency)


@mutant("PeriodicEmbedding: the way around the waves forgotten", 1)
class AroundForgotten(Periodic3):
    def backward(self, grad_output: Array) -> Array:
        return super().backward(grad_output) - grad_output[:, :: self.out]


@mutant("PeriodicEmbedding: the derivative of the cosine without its sign", 1)
class WithoutSign(Periodic3):
    def backward(self, grad_output: Array) -> Array:
        around = grad_output[:, :: self.out]
        return 2 * around - walked_back(self, grad_output, -1, self.frequency, self.phase)


def walked_back(link: maillon.PeriodicEmbedding, grad_output: Array, factor: float, *wrong: Parameter) -> Array:
    """Backward, where what is added to the gradients of some parameters is multiplied by a factor."""
    before = [parameter.grad for parameter in wrong]
    for parameter in wrong:
        parameter.grad = None
    dx = maillon.PeriodicEmbedding.backward(link, grad_output)
    for parameter, grad in zip(wrong, before, strict=True):
        parameter.grad *= factor
        if grad is not None:
            parameter.grad += grad
    return dx
