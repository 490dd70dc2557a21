"""Links for tables with one mistake each."""

import maillon
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
