"""Embeddings and links of two inputs, with one mistake each."""

import numpy as np

import maillon
from maillon.typing import Array
from mutants.table import DRAW, P, Q, mutant

INDICES = np.array([0, 2, 2, 1])
ONE, OTHER = DRAW.normal((2, 4, 3), dtype=np.float64)


class Embedding33(maillon.Embedding):
    def __init__(self) -> None:
        super().__init__(3, 3)


@mutant("Embedding: of an index met twice the last gradient only", 1, INDICES)
class LastOnly(Embedding33):
    def backward(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        dw = np.zeros_like(self.weight.data)
        dw[x] += grad_output
        self.weight.accumulate(dw)


@mutant("Embedding: gradient transposed", 1, INDICES)
class TableTransposed(Embedding33):
    def backward(self, grad_output: Array) -> None:
        held, self.weight.grad = self.weight.grad, None
        super().backward(grad_output)
        dw, self.weight.grad = self.weight.grad, held
        self.weight.accumulate(dw.T.copy())


@mutant("Embedding: gradient divided by the frequency unasked", 1, INDICES)
class Averaged(Embedding33):
    def backward(self, grad_output: Array) -> None:
        self.scale_grad_by_freq = True
        super().backward(grad_output)


@mutant("Embedding: a gradient for the indices", 4, INDICES)
class IndicesMove(Embedding33):
    def backward(self, grad_output: Array) -> Array:
        super().backward(grad_output)
        return grad_output.sum(axis=1)


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
