"""Linear with one mistake each: the chain rule with one slip."""

import maillon
from maillon.nn import Parameter
from maillon.typing import Array
from mutants.table import SQUARE, mutant


class Linear33(maillon.Linear):
    def __init__(self) -> None:
        super().__init__(3, 3)


@mutant("Linear: wrong sign of the input's gradient", 1)
class WrongSign(Linear33):
    def backward(self, grad_output: Array) -> Array:
        return -super().backward(grad_output)


@mutant("Linear: missing transpose in a square weight's input gradient", 1)
class MissingTranspose(Linear33):
    def backward(self, grad_output: Array) -> Array:
        self.backward_parameters(grad_output)
        return grad_output @ self.weight.data.T


@mutant("Linear: weight gradient transposed", 1)
class WeightTransposed(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate(x.T @ grad_output)
        self.bias.accumulate(grad_output.sum(axis=0))


@mutant("Linear: factor 2 in the weight's gradient", 1)
class FactorTwo(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate(2 * grad_output.T @ x)
        self.bias.accumulate(grad_output.sum(axis=0))


@mutant("Linear: gradient averaged over the batch", 1)
class Averaged(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate(grad_output.T @ x / len(x))
        self.bias.accumulate(grad_output.mean(axis=0))


@mutant("Linear: bias gradient summed over the wrong axis", 1, SQUARE)
class BiasWrongAxis(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate(grad_output.T @ x)
        self.bias.accumulate(grad_output.sum(axis=1))


@mutant("Linear: last sample left out of the gradient", 1)
class LastSampleForgotten(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate(grad_output[:-1].T @ x[:-1])
        self.bias.accumulate(grad_output.sum(axis=0))


@mutant("Linear: one element off by a part in a hundred thousand", 1)
class OneElementOff(Linear33):
    def backward(self, grad_output: Array) -> Array:
        grad = super().backward(grad_output)
        grad[0, 0] *= 1 + 1e-5
        return grad


@mutant("Linear: bias gradient not summed over the batch", 2)
class BiasNotSummed(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate(grad_output.T @ x)
        self.bias.grad = grad_output.copy()


@mutant("Linear: gradient overwritten instead of added", 2)
class Overwritten(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.grad = grad_output.T @ x
        self.bias.accumulate(grad_output.sum(axis=0))


@mutant("Linear: gradient added twice to what was there", 2)
class AddedTwice(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        held = self.bias.grad
        super().backward_parameters(grad_output)
        if held is not None:
            self.bias.accumulate(held)


@mutant("Linear: bias without a gradient", 2)
class BiasForgotten(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate(grad_output.T @ x)


@mutant("Linear: frozen weight gets a gradient", 2)
class FrozenMoves(Linear33):
    def __init__(self) -> None:
        super().__init__()
        self.weight.requires_grad = False

    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.grad = grad_output.T @ x
        self.bias.accumulate(grad_output.sum(axis=0))


@mutant("Linear: backward takes the learning step itself", 3)
class StepsItself(Linear33):
    def backward(self, grad_output: Array) -> Array:
        grad = super().backward(grad_output)
        self.weight.data -= 0.1 * self.weight.grad
        return grad


@mutant("Linear: a detached weight that no one sees a gradient of", 2)
class Detached(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        Parameter(self.weight.data).accumulate(grad_output.T @ x)
        self.bias.accumulate(grad_output.sum(axis=0))
