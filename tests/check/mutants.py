"""Links and losses with one mistake each, and the rule that the mistake breaks."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import maillon
from maillon import random
from maillon.nn import Loss, Module, Parameter
from maillon.random import Generator
from maillon.typing import Array


class Mutant(NamedTuple):
    name: str
    rule: int
    make: Callable[[], Module]
    inputs: tuple[Any, ...]


MUTANTS: list[Mutant] = []

DRAW = Generator(3)
X = DRAW.normal((4, 3), 0.2, 1.0, dtype=np.float64)
Y = DRAW.normal((4, 3), dtype=np.float64)
P, Q = DRAW.uniform((2, 4, 3), 0.1, 0.9, dtype=np.float64)
SQUARE = DRAW.normal((3, 3), dtype=np.float64)
LABELS = np.array([0, 2, 1, 2])


def mutant(name: str, rule: int, *inputs: Any) -> Callable[[type[Module]], type[Module]]:
    """Enter a class into the table; made under a seed, without arguments."""

    def enter(made: type[Module]) -> type[Module]:
        def make() -> Module:
            with random.using(Generator(1)):
                return made()

        MUTANTS.append(Mutant(name, rule, make, inputs or (X,)))
        return made

    return enter


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


# Losses


@mutant("MSELoss: factor 2 missing", 1, X, Y)
class FactorMissing(maillon.MSELoss):
    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        return error * grad_elements


@mutant("MSELoss: target and prediction swapped", 1, X, Y)
class TargetFirst(maillon.MSELoss):
    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        return -2 * error * grad_elements


@mutant("MSELoss: mean missing in the gradient", 1, X, Y)
class MeanMissing(maillon.MSELoss):
    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        factor = error.size if self.reduction == "mean" else 1
        return 2 * error * grad_elements * factor


@mutant("MSELoss: mean over the batch in the gradient, over all in the value", 1, X, Y)
class MeanOverBatch(maillon.MSELoss):
    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        factor = error.shape[1] if self.reduction == "mean" else 1
        return 2 * error * grad_elements * factor


@mutant("L1Loss: sign wrong", 1, X, Y)
class SignWrong(maillon.L1Loss):
    def elements_backward(self, grad_elements: Array, sign: Array) -> Array:
        return -sign * grad_elements


@mutant("L1Loss: gradient not of size 1", 1, X, Y)
class NotOfSizeOne(maillon.L1Loss):
    def elements(self, prediction: Array, target: Array) -> Any:
        return np.abs(prediction - target), (prediction - target,)


@mutant("BCELoss: (1 − y) term missing", 1, P, Q)
class ComplementMissing(maillon.BCELoss):
    def elements_backward(self, grad_elements: Array, prediction: Array, target: Array, weight: Any) -> Array:
        return -weight * target / prediction * grad_elements


@mutant("BCELoss: 1 / (p (1 − p)) missing", 1, P, Q)
class DenominatorMissing(maillon.BCELoss):
    def elements_backward(self, grad_elements: Array, prediction: Array, target: Array, weight: Any) -> Array:
        return weight * (prediction - target) * grad_elements


@mutant("BCEWithLogitsLoss: pos_weight forgotten in the gradient", 1, X, Q)
class PosWeightForgotten(maillon.BCEWithLogitsLoss):
    def __init__(self) -> None:
        super().__init__(pos_weight=[0.5, 2.0, 3.0])

    def elements_backward(
        self, grad_elements: Array, prediction: Array, target: Array, weight: Any, positive: Any
    ) -> Array:
        return super().elements_backward(grad_elements, prediction, target, weight, 1.0)


@mutant("BCEWithLogitsLoss: weight ignored in the gradient", 1, X, Q)
class BinaryWeightIgnored(maillon.BCEWithLogitsLoss):
    def __init__(self) -> None:
        super().__init__(weight=[0.5, 2.0, 3.0])

    def elements_backward(
        self, grad_elements: Array, prediction: Array, target: Array, weight: Any, positive: Any
    ) -> Array:
        return super().elements_backward(grad_elements, prediction, target, 1.0, positive)


class _CrossEntropy(maillon.CrossEntropyLoss):
    """With all options, and a gradient that a mutant may compute with other ones."""

    def __init__(self) -> None:
        super().__init__(weight=[0.5, 2.0, 3.0], label_smoothing=0.2, ignore_index=1)

    def gradient_of(self, loss: Loss, grad_elements: Array) -> Array:
        loss.reduction = "none"
        loss(*self.seen)
        return loss.backward(np.broadcast_to(grad_elements, LABELS.shape).copy())

    def elements(self, prediction: Array, target: Array) -> Any:
        self.seen = (prediction, target)
        return super().elements(prediction, target)


@mutant("CrossEntropyLoss: label smoothing forgotten in the gradient", 1, X, LABELS)
class SmoothingForgotten(_CrossEntropy):
    def elements_backward(self, grad_elements: Array, *kept: Any) -> Array:
        plain = maillon.CrossEntropyLoss(weight=self.weight, ignore_index=1)
        return self.gradient_of(plain, grad_elements)


@mutant("CrossEntropyLoss: class weights ignored in the gradient", 1, X, LABELS)
class ClassWeightsIgnored(_CrossEntropy):
    def elements_backward(self, grad_elements: Array, *kept: Any) -> Array:
        plain = maillon.CrossEntropyLoss(label_smoothing=0.2, ignore_index=1)
        return self.gradient_of(plain, grad_elements)


@mutant("CrossEntropyLoss: ignored label counted in the gradient", 1, X, LABELS)
class IgnoredCounted(_CrossEntropy):
    def elements_backward(self, grad_elements: Array, *kept: Any) -> Array:
        plain = maillon.CrossEntropyLoss(weight=self.weight, label_smoothing=0.2)
        return self.gradient_of(plain, grad_elements)


@mutant("CrossEntropyLoss: gradient p instead of p − y", 1, X, LABELS)
class TargetForgotten(maillon.CrossEntropyLoss):
    def elements_backward(self, grad_elements: Array, q: Array, scores: Array, counted: Any) -> Array:
        return np.exp(scores) * grad_elements[..., None]


@mutant("NLLLoss: gradient where the label is not", 1, X, LABELS)
class WrongClass(maillon.NLLLoss):
    def elements_backward(self, grad_elements: Array, q: Array) -> Array:
        return np.roll(super().elements_backward(grad_elements, q), 1, axis=1)


@mutant("a loss whose target gets a gradient too", 4, X, Y)
class TargetGradient(maillon.MSELoss):
    def backward(self, grad_output: Any = None) -> Any:
        grad = super().backward(grad_output)
        return grad, -grad


@mutant("a loss that changes its target", 3, X, Y)
class TargetChanged(maillon.MSELoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        target -= prediction
        return target * target, (-target,)


@mutant("a denominator that is not what the mean divides by", 7, X, Y)
class WrongDenominator(maillon.MSELoss):
    def forward(self, prediction: Array, target: Array, sample_weight: Any = None) -> Any:
        value = super().forward(prediction, target, sample_weight)
        self.denominator_used, self.denominator = self.denominator, float(len(prediction))
        return value

    def backward(self, grad_output: Any = None) -> Array:
        self.denominator = self.denominator_used
        return super().backward(grad_output)


@mutant("a sum that is twice the elements", 7, X, Y)
class SumTwice(maillon.MSELoss):
    def elements(self, prediction: Array, target: Array) -> Any:
        error = prediction - target
        return error * error * (2.0 if self.reduction == "sum" else 1.0), (error,)

    def elements_backward(self, grad_elements: Array, error: Array) -> Array:
        return 2 * error * grad_elements * (2.0 if self.reduction == "sum" else 1.0)


@mutant("backward() that starts from 2", 8, X, Y)
class StartsFromTwo(maillon.MSELoss):
    def backward(self, grad_output: Any = None) -> Array:
        grad = super().backward(grad_output)
        return 2 * grad if grad_output is None else grad
