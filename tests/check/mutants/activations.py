"""Activations and dropouts with one mistake each."""

import numpy as np

import maillon
from maillon import random
from maillon.random import Generator
from maillon.typing import Array
from mutants.table import SQUARE, mutant

DRAW = Generator(4)
EVEN = DRAW.normal((4, 6), dtype=np.float64)
WIDE = DRAW.uniform((4, 5), -6, 6, dtype=np.float64)


# The derivative of another function


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


@mutant("SELU: scale forgotten in the derivative", 1)
class ScaleLeftOut(maillon.SELU):
    def derivative(self, x: Array) -> Array:
        return super().derivative(x) / self.scale


@mutant("CELU: the exponential's rate forgotten", 1)
class RateForgotten(maillon.CELU):
    def __init__(self) -> None:
        super().__init__(2.0)
        self.rate_back = 1.0


@mutant("GELU: the density forgotten", 1)
class DensityForgotten(maillon.GELU):
    def derivative(self, x: Array) -> Array:
        return self._share(x)


@mutant("GELU: the cube's derivative forgotten in the tanh form", 1)
class CubeForgotten(maillon.GELU):
    def __init__(self) -> None:
        super().__init__("tanh")

    def derivative(self, x: Array) -> Array:
        share = self._share(x)
        return share + 2 * x * share * (1 - share) * self.ROOT


@mutant("GELU: the exact form's derivative for the tanh form", 1, WIDE)
class FormsMixed(maillon.GELU):
    def function(self, x: Array) -> Array:
        return maillon.GELU("tanh").function(x)


@mutant("SiLU: derivative at the output instead of the input", 1)
class SiluAtOutput(maillon.SiLU):
    def forward(self, x: Array) -> Array:
        y = self.function(x)
        return self.keep(y, y)


@mutant("Softplus: multiplied by β once more", 1)
class BetaOnceMore(maillon.Softplus):
    def __init__(self) -> None:
        super().__init__(2.0)

    def derivative(self, x: Array) -> Array:
        return self.beta * super().derivative(x)


@mutant("Hardtanh: gradient let through beyond the ends", 1, WIDE)
class EndsOpen(maillon.Hardtanh):
    def derivative(self, x: Array) -> Array:
        return np.ones_like(x)


@mutant("Hardswish: the product rule forgotten", 1, WIDE)
class ProductForgotten(maillon.Hardswish):
    def derivative(self, x: Array) -> Array:
        return np.clip(x + 3, 0, 6) / 6


@mutant("Softshrink: gradient shrunk as the value is", 1, WIDE)
class GradientShrunk(maillon.Softshrink):
    def backward(self, grad_output: Array) -> Array:
        return self.function(super().backward(grad_output))


# Slopes that are learnt or drawn


@mutant("PReLU: the slopes' gradient summed over the channels", 1, SQUARE)
class SlopesOfSamples(maillon.PReLU):
    def __init__(self) -> None:
        super().__init__(3, dtype="float64")

    def backward(self, grad_output: Array) -> Array:
        x, slope = self.release(grad_output)
        self.weight.accumulate(np.where(x > 0, 0, x * grad_output).sum(axis=1))
        return np.where(x > 0, grad_output, slope * grad_output)


@mutant("PReLU: the slopes' gradient of the upper piece too", 1)
class BothPieces(maillon.PReLU):
    def __init__(self) -> None:
        super().__init__(dtype="float64")

    def backward(self, grad_output: Array) -> Array:
        x, slope = self.release(grad_output)
        self.weight.accumulate((x * grad_output).sum(keepdims=True).reshape(1))
        return np.where(x > 0, grad_output, slope * grad_output)


@mutant("RReLU: slopes drawn anew in backward", 1)
class SlopesRedrawn(maillon.RReLU):
    def backward(self, grad_output: Array) -> Array:
        (slopes,) = self.release(grad_output)
        drawn = random.resolve(self.generator).uniform(slopes.shape, self.lower, self.upper, dtype=slopes.dtype)
        return np.where(slopes == 1, 1, drawn) * grad_output


@mutant("RReLU: the mean slope in backward", 1)
class MeanSlope(maillon.RReLU):
    def backward(self, grad_output: Array) -> Array:
        (slopes,) = self.release(grad_output)
        return np.where(slopes == 1, slopes, (self.lower + self.upper) / 2) * grad_output


# Along a dimension


@mutant("GLU: the halves of the gradient exchanged", 1, EVEN)
class HalvesExchanged(maillon.GLU):
    def backward(self, grad_output: Array) -> Array:
        return np.roll(super().backward(grad_output), 3, axis=1)


@mutant("GLU: the gate's gradient not gated", 1, EVEN)
class GateOpen(maillon.GLU):
    def backward(self, grad_output: Array) -> Array:
        a, gate = self.release(grad_output)
        return np.concatenate((gate * grad_output, a * (1 - gate) * grad_output), axis=1)


@mutant("Softmin: sign forgotten on the way back", 1)
class SignForgotten(maillon.Softmin):
    def backward(self, grad_output: Array) -> Array:
        return -super().backward(grad_output)
