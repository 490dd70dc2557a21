"""Linear with one mistake each."""

import numpy as np

import maillon
from answers.base import Linear
from answers.table import SQUARE, X, wrong


class Square(Linear):
    shape = (4, 4)


@wrong("Linear: delta without the transpose of a square weight", 3, "weight'] must be transposed here", SQUARE)
class NotTransposed(Square):
    def backward_delta(self, input, delta):
        return delta @ self._parameters["weight"]


@wrong("Linear: backward_delta with the wrong sign", 3, "The sign is wrong.")
class DeltaSign(Linear):
    def backward_delta(self, input, delta):
        return -super().backward_delta(input, delta)


@wrong("Linear: backward_delta returns nothing", 3, "Is a return missing in backward_delta?")
class NoReturn(Linear):
    def backward_delta(self, input, delta):
        super().backward_delta(input, delta)


@wrong("Linear: backward_delta transposed", 3, "It is transposed.")
class DeltaTransposed(Linear):
    def backward_delta(self, input, delta):
        return super().backward_delta(input, delta).T


@wrong("Linear: backward_delta summed over the batch", 3, "It is summed over axis 0: nothing is to be summed there.")
class DeltaSummed(Linear):
    def backward_delta(self, input, delta):
        return super().backward_delta(input, delta).sum(axis=0)


@wrong("Linear: not written", 3, "backward_delta is not written yet.")
class NotWritten(Linear):
    def backward_delta(self, input, delta):
        raise NotImplementedError


@wrong("Linear: weight gradient without delta", 4, "It is not multiplied by delta.")
class WeightNoDelta(Linear):
    def weight_gradient(self, input, delta):
        return input.T @ np.ones_like(delta)


@wrong("Linear: weight gradient with delta squared", 4, "It is multiplied by delta twice.")
class WeightDeltaTwice(Linear):
    def weight_gradient(self, input, delta):
        return input.T @ delta**2


@wrong("Linear: weight gradient transposed", 4, "It is transposed.", SQUARE)
class WeightTransposed(Square):
    def weight_gradient(self, input, delta):
        return delta.T @ input


@wrong("Linear: weight gradient averaged", 4, "a mean in place of a sum")
class WeightAveraged(Linear):
    def weight_gradient(self, input, delta):
        return input.T @ delta / len(input)


@wrong("Linear: weight gradient of the first example only", 4, "the first place of axis 0 of the output only", X)
class WeightFirstOnly(Linear):
    def weight_gradient(self, input, delta):
        return np.outer(input[0], delta[0])


@wrong("Linear: last example left out", 4, "The share of the last place of axis 0 of the output is missing.")
class LastLeftOut(Linear):
    def weight_gradient(self, input, delta):
        return sum(np.outer(input[i], delta[i]) for i in range(len(input) - 1))


@wrong("Linear: weight gradient overwritten", 4, "It is overwritten: write += in place of =.")
class WeightOverwritten(Linear):
    def backward_update_gradient(self, input, delta):
        self._gradient["weight"] = input.T @ delta
        self._gradient["bias"] += delta.sum(axis=0)


@wrong("Linear: weight gradient added twice", 4, "A factor 2 too much, or added twice.")
class AddedTwice(Linear):
    def backward_update_gradient(self, input, delta):
        super().backward_update_gradient(input, delta)
        self._gradient["weight"] += input.T @ delta


@wrong("Linear: weight gradient subtracted", 4, "The sign is wrong.")
class Subtracted(Linear):
    def backward_update_gradient(self, input, delta):
        self._gradient["weight"] -= input.T @ delta
        self._gradient["bias"] += delta.sum(axis=0)


@wrong("Linear: bias gradient not summed", 4, "It is not summed over axis 0, the examples of the batch.")
class BiasNotSummed(Linear):
    def backward_update_gradient(self, input, delta):
        self._gradient["weight"] += input.T @ delta
        self._gradient["bias"] = self._gradient["bias"] + delta


@wrong("Linear: bias gradient averaged", 4, "a mean in place of a sum")
class BiasAveraged(Linear):
    def bias_gradient(self, input, delta):
        return delta.mean(axis=0)


@wrong("Linear: bias gradient a single number", 4, "bias']")
class BiasOneNumber(Linear):
    def bias_gradient(self, input, delta):
        return delta.sum()


@wrong("Linear: bias gradient forgotten", 4, "It is zero everywhere.")
class BiasForgotten(Linear):
    def bias_gradient(self, input, delta):
        return 0


@wrong("Linear: gradients returned, not kept", 4, "No attribute holds it after backward_update_gradient.")
class Returned(Linear):
    def __init__(self):
        super().__init__()
        self._gradient = {}

    def backward_update_gradient(self, input, delta):
        return input.T @ delta, delta.sum(axis=0)

    def update_parameters(self, gradient_step=1e-3):
        pass


@wrong("Linear: forward without the bias", 4, "The output of forward does not depend on it: it should be zero.")
class NoBias(Linear):
    def forward(self, X):
        return X @ self._parameters["weight"]


@wrong("Linear: forward subtracts the bias", 1, "the bias", like=maillon.Linear(3, 2))
class BiasSubtracted(Linear):
    def forward(self, X):
        return X @ self._parameters["weight"] - self._parameters["bias"]

    def bias_gradient(self, input, delta):
        return -delta.sum(axis=0)


@wrong("Linear: zero_grad does nothing", 5, "zero_grad does not set it to zero.")
class ZeroNothing(Linear):
    def zero_grad(self):
        pass


@wrong("Linear: zero_grad forgets the bias", 5, "bias'], after zero_grad")
class ZeroNoBias(Linear):
    def zero_grad(self):
        self._gradient["weight"] = np.zeros_like(self._gradient["weight"])


@wrong("Linear: zero_grad sets the parameters to zero", 5, "Set the gradients to zero, not the parameters.")
class ZeroParameters(Linear):
    def zero_grad(self):
        super().zero_grad()
        self._parameters["bias"] = np.zeros((1, 2))


@wrong("Linear: update with +", 6, "write -= in place of +=.")
class UpdatePlus(Linear):
    def update_parameters(self, gradient_step=1e-3):
        for name, gradient in self._gradient.items():
            self._parameters[name] += gradient_step * gradient


@wrong("Linear: update ignores the step", 6, "gradient_step is not used.")
class UpdateNoStep(Linear):
    def update_parameters(self, gradient_step=1e-3):
        for name, gradient in self._gradient.items():
            self._parameters[name] -= gradient


@wrong("Linear: update with the default step", 6, "gradient_step is not used, its default is.")
class UpdateDefault(Linear):
    def update_parameters(self, gradient_step=1e-3):
        for name, gradient in self._gradient.items():
            self._parameters[name] -= 1e-3 * gradient


@wrong("Linear: update loses the old value", 6, "write -= in place of =.")
class UpdateLost(Linear):
    def update_parameters(self, gradient_step=1e-3):
        for name, gradient in self._gradient.items():
            self._parameters[name] = -gradient_step * gradient


@wrong("Linear: update forgets the bias", 6, "bias']")
class UpdateNoBias(Linear):
    def update_parameters(self, gradient_step=1e-3):
        self._parameters["weight"] -= gradient_step * self._gradient["weight"]


@wrong("Linear: backward takes the step itself", 6, "Only update_parameters may change the parameters.")
class StepsItself(Linear):
    def backward_update_gradient(self, input, delta):
        super().backward_update_gradient(input, delta)
        self._parameters["weight"] -= 0.1 * self._gradient["weight"]


@wrong("Linear: input changed in place", 2, "X after forward")
class InputChanged(Linear):
    def forward(self, X):
        X -= X.mean(axis=1, keepdims=True)
        return X @ self._parameters["weight"] + self._parameters["bias"]


@wrong("Linear: delta changed in place", 2, "delta after backward_delta")
class DeltaChanged(Linear):
    def backward_delta(self, input, delta):
        delta *= 1.0001
        return delta @ self._parameters["weight"].T
