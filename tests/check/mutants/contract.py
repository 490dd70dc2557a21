"""Links that break the contract around the derivative."""

from typing import Any

import numpy as np

import maillon
from maillon.nn import Module
from maillon.typing import Array
from mutants.linear.linear import Linear33
from mutants.table import X, Y, mutant

# What a gradient looks like


@mutant("gradient in float64 for a float32 input", 4)
class WrongDtype(maillon.Tanh):
    def backward(self, grad_output: Array) -> Array:
        return super().backward(grad_output).astype(np.float64)


@mutant("Linear: weight gradient in float64 for float32 weights", 4)
class WrongParameterDtype(Linear33):
    def backward_parameters(self, grad_output: Array) -> None:
        (x,) = self.release(grad_output)
        self.weight.accumulate(grad_output.T @ x)
        self.bias.accumulate(grad_output.astype(np.float64).sum(axis=0))


@mutant("Flatten: gradient left flat", 4, np.arange(12.0).reshape(2, 3, 2))
class LeftFlat(maillon.Flatten):
    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output


@mutant("gradient not broadcast back to the input's shape", 4)
class NotBroadcast(Module):
    def forward(self, x: Array) -> Array:
        return self.keep(x.sum(axis=1, keepdims=True))

    def backward(self, grad_output: Array) -> Array:
        self.release(grad_output)
        return grad_output


class Gather(Module):
    """Rows of a table, by their numbers."""

    def forward(self, table: Array, rows: Array) -> Array:
        return self.keep(table[rows], table.shape, rows)

    def backward(self, grad_output: Array) -> Any:
        shape, rows = self.release(grad_output)
        grad = np.zeros(shape, grad_output.dtype)
        np.add.at(grad, rows, grad_output)
        return grad, None


@mutant("gradient to an integer input", 4, X, np.array([1, 1, 3]))
class IntegerGradient(Gather):
    def backward(self, grad_output: Array) -> Any:
        return super().backward(grad_output)[0], np.zeros(3)


@mutant("no gradient for the second of two inputs' first", 4, X, np.array([1, 1, 3]))
class OneGradientShort(Gather):
    def backward(self, grad_output: Array) -> Any:
        return super().backward(grad_output)[0]


@mutant("repeated rows counted once", 1, X, np.array([1, 1, 3]))
class RepeatedOnce(Gather):
    def backward(self, grad_output: Array) -> Any:
        shape, rows = self.release(grad_output)
        grad = np.zeros(shape, grad_output.dtype)
        grad[rows] = grad_output
        return grad, None


class Product(Module):
    def forward(self, a: Array, b: Array) -> Array:
        return self.keep(a * b, a, b)

    def backward(self, grad_output: Array) -> Any:
        a, b = self.release(grad_output)
        return b * grad_output, a * grad_output


@mutant("gradients of two inputs swapped", 1, X, Y)
class Swapped(Product):
    def backward(self, grad_output: Array) -> Any:
        return super().backward(grad_output)[::-1]


@mutant("gradients in a list", 4, X, Y)
class InAList(Product):
    def backward(self, grad_output: Array) -> Any:
        return list(super().backward(grad_output))


@mutant("None for a real input", 4, X, Y)
class NoneForReal(Product):
    def backward(self, grad_output: Array) -> Any:
        return super().backward(grad_output)[0], None


class TwoOutputs(Module):
    """The even and the odd half of a function; a gradient that is None is zero."""

    def forward(self, x: Array) -> Any:
        return self.keep((np.cosh(x), np.sinh(x)), x)

    def backward(self, grad_output: Any) -> Array:
        (x,) = self.release(grad_output)
        even, odd = (0.0 if part is None else part for part in grad_output)
        return np.sinh(x) * even + np.cosh(x) * odd


@mutant("None among the gradients of two outputs taken for ones", 4)
class NoneIsOne(TwoOutputs):
    def backward(self, grad_output: Any) -> Array:
        return super().backward(tuple(np.ones((4, 3)) if part is None else part for part in grad_output))


@mutant("the second output's gradient forgotten", 1)
class SecondForgotten(TwoOutputs):
    def backward(self, grad_output: Any) -> Array:
        return super().backward((grad_output[0], None))


# One forward, one backward


@mutant("what was kept stays: a second backward is served", 5)
class StaleCache(Module):
    def forward(self, x: Array) -> Array:
        self.y = np.tanh(x)
        return self.y

    def backward(self, grad_output: Array) -> Array:
        return (1 - self.y * self.y) * grad_output


@mutant("a backward without a forward gives zeros", 5)
class ZerosBeforeForward(maillon.Tanh):
    def backward(self, grad_output: Array) -> Array:
        if self.kept_output is None:
            return np.zeros_like(grad_output)
        return super().backward(grad_output)


@mutant("the first gradient returned for ever", 5)
class FirstForEver(maillon.Tanh):
    def backward(self, grad_output: Array) -> Array:
        grad = super().backward(grad_output)
        self.__dict__.setdefault("first", grad)
        return self.first.copy()


@mutant("the first input kept for ever", 5)
class FirstInputKept(maillon.Tanh):
    def forward(self, x: Array) -> Array:
        self.__dict__.setdefault("first", np.tanh(x))
        return self.keep(np.tanh(x), self.first)


@mutant("an error that does not say which link", 5)
class Nameless(Module):
    def forward(self, x: Array) -> Array:
        self.x = x.copy()
        return x * x

    def backward(self, grad_output: Array) -> Array:
        x, self.x = self.x, None
        return 2 * x * grad_output


@mutant("backward fails after a forward", 1)
class Fails(maillon.Tanh):
    def backward(self, grad_output: Array) -> Array:
        return super().backward(grad_output) @ np.ones((7, 7))


# What holds in eval mode too


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
