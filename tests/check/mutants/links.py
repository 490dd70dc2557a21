"""Links with one mistake each."""

import numpy as np

import maillon
from maillon import random
from maillon.nn import Module, Parameter
from maillon.typing import Array
from mutants.table import SQUARE, mutant


class Linear33(maillon.Linear):
    def __init__(self) -> None:
        super().__init__(3, 3)


# Linear: the chain rule with one slip


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


# Activations: what is kept, and what is done with it


@mutant("Tanh: derivative of the input instead of the output", 1)
class TanhOfInput(maillon.Tanh):
    def forward(self, x: Array) -> Array:
        return self.keep(np.tanh(x), x)


@mutant("Sigmoid: the Jacobian forgotten", 1)
class SigmoidForgotten(maillon.Sigmoid):
    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output.copy()


@mutant("ReLU: gradient let through below 0", 1)
class ReluLeaks(maillon.ReLU):
    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output * 1.0


@mutant("LeakyReLU: slope forgotten below 0", 1)
class SlopeForgotten(maillon.LeakyReLU):
    def backward(self, grad_output: Array) -> Array:
        (x,) = self.release(grad_output)
        return (x > 0) * grad_output


@mutant("Softmax: without its Jacobian", 1)
class SoftmaxPassesThrough(maillon.Softmax):
    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output * 1.0


@mutant("Softmax: the diagonal of its Jacobian only", 1)
class SoftmaxDiagonal(maillon.Softmax):
    def backward(self, grad_output: Array) -> Array:
        y, _ = self.release(grad_output)
        return y * (1 - y) * grad_output


@mutant("Softmax: summed over the wrong axis", 1)
class SoftmaxWrongAxis(maillon.Softmax):
    def backward(self, grad_output: Array) -> Array:
        y, axis = self.release(grad_output)
        return y * (grad_output - (grad_output * y).sum(axis=1 - axis, keepdims=True))


@mutant("LogSoftmax: the logarithm forgotten in the derivative", 1)
class LogForgotten(maillon.LogSoftmax):
    def backward(self, grad_output: Array) -> Array:
        y, axis = self.release(grad_output)
        return grad_output - y * grad_output.sum(axis=axis, keepdims=True)


@mutant("Dropout: mask drawn anew in backward", 1)
class MaskRedrawn(maillon.Dropout):
    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        mask = random.resolve(self.generator).rand(grad_output.shape) >= self.p
        return grad_output * mask / (1 - self.p)


@mutant("Dropout: scale forgotten in backward", 1)
class ScaleForgotten(maillon.Dropout):
    def backward(self, grad_output: Array) -> Array:
        (mask,) = self.release(grad_output)
        return grad_output if mask is None else grad_output * (mask > 0)


@mutant("Dropout: numbers from a generator of nobody's", 1)
class OwnNumbers(Module):
    drawn = np.random.RandomState(0)

    def forward(self, x: Array) -> Array:
        mask = self.drawn.rand(*x.shape) < 0.5
        return self.keep(x * mask, mask)

    def backward(self, grad_output: Array) -> Array:
        (mask,) = self.release(grad_output)
        return grad_output * mask


@mutant("Dropout: mask used in eval mode's backward", 6)
class MaskInEval(maillon.Dropout):
    def forward(self, x: Array) -> Array:
        mask = (random.resolve(self.generator).rand(x.shape) >= self.p).astype(x.dtype)
        return self.keep(x * mask if self.training else x, mask)


@mutant("backward refuses eval mode", 6)
class NotInEval(maillon.Tanh):
    def backward(self, grad_output: Array) -> Array:
        if not self.training:
            raise RuntimeError("NotInEval: only in training")
        return super().backward(grad_output)


@mutant("eval mode scales the output but not the gradient", 6)
class EvalScales(maillon.Identity):
    def forward(self, x: Array) -> Array:
        return self.keep(x if self.training else 0.5 * x)


# What may not change


@mutant("forward changes its input", 3)
class InputChanged(maillon.Tanh):
    def forward(self, x: Array) -> Array:
        np.tanh(x, out=x)
        return self.keep(x.copy(), x)


@mutant("backward changes grad_output", 3)
class GradOutputChanged(maillon.Tanh):
    def backward(self, grad_output: Array) -> Array:
        (y,) = self.release(grad_output)
        grad_output *= 1 - y * y
        return grad_output


@mutant("backward changes what was kept, which is the output", 3)
class KeptChanged(maillon.Tanh):
    def backward(self, grad_output: Array) -> Array:
        (y,) = self.release(grad_output)
        y *= y
        return (1 - y) * grad_output


@mutant("backward changes the input it kept", 3)
class KeptInputChanged(Module):
    def forward(self, x: Array) -> Array:
        return self.keep(x * x, x)

    def backward(self, grad_output: Array) -> Array:
        (x,) = self.release(grad_output)
        x *= 2
        return x * grad_output


@mutant("backward changes a buffer", 3)
class BufferChanged(Module):
    def __init__(self) -> None:
        self.register_buffer("factor", np.full(3, 2.0))

    def forward(self, x: Array) -> Array:
        return self.keep(self.factor * x, self.factor.copy())

    def backward(self, grad_output: Array) -> Array:
        (factor,) = self.release(grad_output)
        self.factor *= 2
        return factor * grad_output
