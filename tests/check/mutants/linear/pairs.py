"""Bilinear forms, cosines and distances with one mistake each."""

import numpy as np

import maillon
from maillon.random import Generator
from maillon.typing import Array
from mutants.table import P, Q, mutant

ONE, OTHER = Generator(6).normal((2, 4, 3), dtype=np.float64)


class Bilinear333(maillon.Bilinear):
    def __init__(self) -> None:
        super().__init__(3, 3, 3)


@mutant("Bilinear: the inputs' gradients exchanged", 1, ONE, OTHER)
class Exchanged(Bilinear333):
    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        dx1, dx2 = super().backward(grad_output)
        return dx2, dx1


@mutant("Bilinear: every W_k transposed in its gradient", 1, ONE, OTHER)
class FormTransposed(Bilinear333):
    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        held, self.weight.grad = self.weight.grad, None
        grads = super().backward(grad_output)
        dw, self.weight.grad = self.weight.grad, held
        self.weight.accumulate(dw.transpose(0, 2, 1).copy())
        return grads


@mutant("CosineSimilarity: the norm taken for a constant", 1, ONE, OTHER)
class NormConstant(maillon.CosineSimilarity):
    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        units, inverses, *_ = self.release(grad_output)
        dy = grad_output[:, None]
        return units[1] * dy * inverses[0], units[0] * dy * inverses[1]


@mutant("CosineSimilarity: no gradient of the second input", 1, ONE, OTHER)
class SecondForgotten(maillon.CosineSimilarity):
    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        dx1, dx2 = super().backward(grad_output)
        return dx1, np.zeros_like(dx2)


@mutant("PairwiseDistance: the second gradient with the sign of the first", 1, P, Q)
class SameSign(maillon.PairwiseDistance):
    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        dx1, dx2 = super().backward(grad_output)
        return dx1, -dx2


@mutant("PairwiseDistance: a broadcast input's gradient not summed back", 4, P, Q[:1])
class NotSummed(maillon.PairwiseDistance):
    def backward(self, grad_output: Array) -> tuple[Array, Array]:
        dx1, _ = super().backward(grad_output)
        return dx1, -dx1
