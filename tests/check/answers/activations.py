"""Activations and softmaxes with one mistake each."""

import numpy as np

import maillon
from answers.base import LogSoftmax, ReLU, Sigmoid, Softmax, Softplus, Tanh
from answers.table import wrong


@wrong("Tanh: the square forgotten", 3, "It is delta · (1 − y); delta · (1 − y²) is right.")
class TanhNoSquare(Tanh):
    def backward_delta(self, input, delta):
        return delta * (1 - np.tanh(input))


@wrong("Tanh: the formula of the output with the input", 3, "It is delta · (1 − x²); delta · (1 − y²) is right.")
class TanhOfInput(Tanh):
    def backward_delta(self, input, delta):
        return delta * (1 - input**2)


@wrong("Tanh: derivative at the output", 3, "delta · (1 − tanh² y); delta · (1 − y²) is right.")
class TanhAtOutput(Tanh):
    def backward_delta(self, input, delta):
        return delta * (1 - np.tanh(np.tanh(input)) ** 2)


@wrong("Tanh: delta forgotten", 3, "It is not multiplied by delta.")
class TanhNoDelta(Tanh):
    def backward_delta(self, input, delta):
        return 1 - np.tanh(input) ** 2


@wrong("Tanh: 1 + y²", 3, "It is delta · (1 + y²); delta · (1 − y²) is right.")
class TanhPlus(Tanh):
    def backward_delta(self, input, delta):
        return delta * (1 + np.tanh(input) ** 2)


@wrong("Tanh: what an earlier forward kept", 1, "It depends on an earlier forward")
class TanhStale(Tanh):
    def forward(self, X):
        if not hasattr(self, "kept"):
            self.kept = np.tanh(X)
        return self.kept


@wrong("Sigmoid: derivative at the output", 3, "It is delta · σ(y) (1 − σ(y)); delta · y (1 − y) is right.")
class SigmoidAtOutput(Sigmoid):
    def backward_delta(self, input, delta):
        return super().backward_delta(self.forward(input), delta)


@wrong(
    "Softplus: derivative at the output", 3, "The derivative is taken at the output of forward in place of its input."
)
class SoftplusAtOutput(Softplus):
    def backward_delta(self, input, delta):
        return super().backward_delta(self.forward(input), delta)


@wrong("Sigmoid: x (1 − x)", 3, "It is delta · x (1 − x); delta · y (1 − y) is right.")
class SigmoidOfInput(Sigmoid):
    def backward_delta(self, input, delta):
        return delta * input * (1 - input)


@wrong("Sigmoid: the factor 1 − y forgotten", 3, "It is delta · y; delta · y (1 − y) is right.")
class SigmoidNoRest(Sigmoid):
    def backward_delta(self, input, delta):
        return delta * self.forward(input)


@wrong("Sigmoid: delta passed on", 3, "It is delta itself: the derivative is missing.")
class SigmoidPassed(Sigmoid):
    def backward_delta(self, input, delta):
        return delta


@wrong("Sigmoid: sign in the exponential", 1, "It is 1 minus what it should be", like=maillon.Sigmoid())
class SigmoidMirrored(Sigmoid):
    def forward(self, X):
        return 1 / (1 + np.exp(X))

    def backward_delta(self, input, delta):
        y = self.forward(input)
        return -delta * y * (1 - y)


@wrong("ReLU: mask of the negative side", 3, "It is delta · (x < 0); delta · (x > 0) is right.")
class ReLUNegative(ReLU):
    def backward_delta(self, input, delta):
        return delta * (input < 0)


@wrong("ReLU: mask of delta", 3, "The mask looks at the sign of delta in place of the input.")
class ReLUMaskOfDelta(ReLU):
    def backward_delta(self, input, delta):
        return np.where(delta > 0, delta, 0)


@wrong("ReLU: the mask alone", 3, "It is not multiplied by delta.")
class ReLUMaskAlone(ReLU):
    def backward_delta(self, input, delta):
        return (input > 0) * 1.0


@wrong("ReLU: everything let through", 3, "It is delta itself: the derivative is missing.")
class ReLUThrough(ReLU):
    def backward_delta(self, input, delta):
        return delta.copy()


@wrong("ReLU: y / x, which is not a number at 0", 3, "NaN or infinity")
class ReLUDivided(ReLU):
    def backward_delta(self, input, delta):
        return delta * np.maximum(input, 0) / input


@wrong("ReLU: input clipped in place", 2, "X after forward")
class ReLUInPlace(ReLU):
    def forward(self, X):
        X[X < 0] = 0
        return X


@wrong("Softmax: diagonal only", 3, "The cross terms are missing")
class SoftmaxDiagonal(Softmax):
    def backward_delta(self, input, delta):
        y = self.forward(input)
        return delta * y * (1 - y)


@wrong("Softmax: the sum forgotten", 3, "The term with the sum is missing")
class SoftmaxNoSum(Softmax):
    def backward_delta(self, input, delta):
        return self.forward(input) * delta


@wrong("Softmax: sum over the batch", 3, "The sum runs over axis 0")
class SoftmaxOverBatch(Softmax):
    def backward_delta(self, input, delta):
        y = self.forward(input)
        return y * (delta - (y * delta).sum(axis=0))


@wrong("Softmax: sum with the wrong sign", 3, "The sum has the wrong sign")
class SoftmaxPlus(Softmax):
    def backward_delta(self, input, delta):
        y = self.forward(input)
        return y * (delta + (y * delta).sum(axis=1, keepdims=True))


@wrong("Softmax: y − delta", 3, "softmax and cross-entropy in one")
class SoftmaxShortcut(Softmax):
    def backward_delta(self, input, delta):
        return self.forward(input) - delta


@wrong("Softmax: forward over the batch", 1, "The columns add up to 1")
class SoftmaxAxis(Softmax):
    def forward(self, X):
        return np.exp(X) / np.exp(X).sum(axis=0)


@wrong("Softmax: forward over everything", 1, "The whole array adds up to 1")
class SoftmaxAll(Softmax):
    def forward(self, X):
        return np.exp(X) / np.exp(X).sum()


@wrong("Softmax: overflow", 1, "exp overflows", like=maillon.Softmax(1))
class SoftmaxOverflow(Softmax):
    def forward(self, X):
        return np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)


@wrong("Softmax: not divided by the sum", 1, "The rows do not add up to 1", like=maillon.Softmax(1))
class SoftmaxUndivided(Softmax):
    def forward(self, X):
        return np.exp(X - X.max(axis=1, keepdims=True))


@wrong("LogSoftmax: diagonal only", 3, "The cross terms are missing")
class LogSoftmaxDiagonal(LogSoftmax):
    def backward_delta(self, input, delta):
        return delta * (1 - np.exp(self.forward(input)))


@wrong("LogSoftmax: the sum of delta forgotten", 3, "The softmax is not multiplied by Σ delta")
class LogSoftmaxNoSum(LogSoftmax):
    def backward_delta(self, input, delta):
        return delta - np.exp(self.forward(input))


@wrong("LogSoftmax: the output for its exponential", 3, "The output is put in where its exponential belongs")
class LogSoftmaxNoExp(LogSoftmax):
    def backward_delta(self, input, delta):
        return delta - self.forward(input) * delta.sum(axis=1, keepdims=True)


@wrong("LogSoftmax: the derivative of the softmax", 3, "That is the derivative of the softmax, not of its logarithm.")
class LogSoftmaxOfSoftmax(LogSoftmax):
    def backward_delta(self, input, delta):
        return Softmax().backward_delta(input, delta)


@wrong("LogSoftmax: the logarithm forgotten", 1, "The logarithm is missing.", like=maillon.LogSoftmax(1))
class LogSoftmaxNoLog(Softmax):
    pass


@wrong("Tanh: a counter of the class", 1, "a global variable, or one of the class")
class Counter(Tanh):
    calls = 0

    def forward(self, X):
        Counter.calls += 1
        return np.tanh(X) + 0.1 * (Counter.calls % 7)


@wrong("ReLU: wrong at exactly 0", 3, "The case of exactly 0 is treated wrongly.")
class ReLUZero(ReLU):
    def backward_delta(self, input, delta):
        return np.where(input == 0, 2 * delta, delta * (input > 0))


@wrong("Tanh: scaled by the square root of the width", 3, "the square root of the number of outputs, 3")
class RootOfWidth(Tanh):
    def backward_delta(self, input, delta):
        return super().backward_delta(input, delta) * np.sqrt(input.shape[1])
