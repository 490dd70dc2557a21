"""Embedding with one mistake each."""

import numpy as np

import maillon
from maillon.typing import Array
from mutants.table import mutant

INDICES = np.array([0, 2, 2, 1])


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
