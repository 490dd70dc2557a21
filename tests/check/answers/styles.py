"""Right modules in other styles."""

import numpy as np

import maillon
from answers.base import Linear, LogSoftmax, Module, ReLU, Sigmoid, Softmax, Softplus, Tanh
from answers.table import normal, right


@right("Linear as the handout has it", like=maillon.Linear(3, 2))
class Plain(Linear):
    pass


@right("Linear with loops")
class Loops(Linear):
    def forward(self, X):
        out = np.zeros((len(X), 2))
        for n in range(len(X)):
            for j in range(2):
                out[n, j] = sum(X[n, i] * self._parameters["weight"][i, j] for i in range(3))
                out[n, j] += self._parameters["bias"][0, j]
        return out

    def weight_gradient(self, input, delta):
        made = np.zeros((3, 2))
        for n in range(len(input)):
            for i in range(3):
                made[i] += input[n, i] * delta[n]
        return made

    def backward_delta(self, input, delta):
        return np.array(
            [
                [sum(d * w for d, w in zip(row, line, strict=True)) for line in self._parameters["weight"]]
                for row in delta
            ]
        )


@right("Linear with einsum, weight (out, in), bias (out,)", like=maillon.Linear(3, 2))
class Einsum(Module):
    def __init__(self):
        self._W, self._b = normal(2, 3), normal(2)
        self.zero_grad()

    def zero_grad(self):
        self._grad_W, self._grad_b = np.zeros((2, 3)), np.zeros(2)

    def forward(self, X):
        return np.einsum("ni,oi->no", X, self._W) + self._b

    def backward_update_gradient(self, input, delta):
        self._grad_W += np.einsum("no,ni->oi", delta, input)
        self._grad_b += np.einsum("no->o", delta)

    def backward_delta(self, input, delta):
        return np.einsum("no,oi->ni", delta, self._W)

    def update_parameters(self, gradient_step=1e-3):
        self._W = self._W - gradient_step * self._grad_W
        self._b = self._b - gradient_step * self._grad_b


@right("Linear in float32")
class Single(Linear):
    def __init__(self):
        super().__init__()
        self._parameters = {name: value.astype(np.float32) for name, value in self._parameters.items()}
        self._gradient = {name: value.astype(np.float32) for name, value in self._gradient.items()}


@right("Linear with a list of parameters and of gradients")
class Listed(Module):
    def __init__(self):
        self._parameters = [normal(3, 2), normal(1, 2)]
        self._gradient = [np.zeros((3, 2)), np.zeros((1, 2))]

    def zero_grad(self):
        self._gradient = [np.zeros_like(one) for one in self._parameters]

    def forward(self, X):
        w, b = self._parameters
        return X.dot(w) + b

    def backward_update_gradient(self, input, delta):
        self._gradient[0] += np.dot(input.T, delta)
        self._gradient[1] += np.sum(delta, axis=0, keepdims=True)

    def backward_delta(self, input, delta):
        return np.dot(delta, self._parameters[0].T)

    def update_parameters(self, gradient_step=1e-3):
        for place, gradient in enumerate(self._gradient):
            self._parameters[place] -= gradient_step * gradient


@right("Linear with tuples")
class Tuples(Listed):
    def __init__(self):
        self._parameters = (normal(3, 2), normal(1, 2))
        self._gradient = (np.zeros((3, 2)), np.zeros((1, 2)))

    def zero_grad(self):
        self._gradient = (np.zeros((3, 2)), np.zeros((1, 2)))

    def backward_update_gradient(self, input, delta):
        w, b = self._gradient
        self._gradient = (w + input.T @ delta, b + delta.sum(0))

    def update_parameters(self, gradient_step=1e-3):
        self._parameters = tuple(p - gradient_step * g for p, g in zip(self._parameters, self._gradient, strict=True))


@right("Linear without a bias, gradient 0 before it is a matrix")
class Bare(Module):
    def __init__(self):
        self._parameters, self._gradient = normal(3, 2), 0

    def zero_grad(self):
        self._gradient = 0.0

    def forward(self, X):
        return X @ self._parameters

    def backward_update_gradient(self, input, delta):
        self._gradient += input.T @ delta

    def backward_delta(self, input, delta):
        return delta @ self._parameters.T

    def update_parameters(self, gradient_step=1e-3):
        self._parameters -= gradient_step * self._gradient


@right("Linear whose gradient is None after zero_grad")
class NoneGradient(Bare):
    def zero_grad(self):
        self._gradient = None

    def backward_update_gradient(self, input, delta):
        made = input.T @ delta
        self._gradient = made if self._gradient is None else self._gradient + made


@right("Linear with the bias as a last row of the weight")
class LastRow(Bare):
    def __init__(self):
        self._parameters, self._gradient = normal(4, 2), np.zeros((4, 2))

    def forward(self, X):
        return np.hstack([X, np.ones((len(X), 1))]) @ self._parameters

    def backward_update_gradient(self, input, delta):
        self._gradient = self._gradient + np.hstack([input, np.ones((len(input), 1))]).T @ delta

    def backward_delta(self, input, delta):
        return delta @ self._parameters[:-1].T


class Weight:
    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)


@right("Linear with objects for its parameters")
class Objects(Module):
    def __init__(self):
        self.W, self.b = Weight(normal(3, 2)), Weight(normal(1, 2))

    def zero_grad(self):
        self.W.grad[:] = 0
        self.b.grad[:] = 0

    def forward(self, X):
        return X @ self.W.data + self.b.data

    def backward_update_gradient(self, input, delta):
        self.W.grad += input.T @ delta
        self.b.grad += delta.sum(0)

    def backward_delta(self, input, delta):
        return delta @ self.W.data.T

    def update_parameters(self, gradient_step=1e-3):
        for one in (self.W, self.b):
            one.data -= gradient_step * one.grad


@right("Linear that keeps its input and its output")
class Keeps(Linear):
    def forward(self, X):
        self._input = X
        self._output = super().forward(X)
        return self._output

    def backward_delta(self, input, delta):
        self._delta = super().backward_delta(self._input, delta)
        return self._delta


@right("Linear that only knows the input of its forward")
class FromCache(Keeps):
    def weight_gradient(self, input, delta):
        return self._input.T @ delta


@right("Linear by a chain of three classes with names in French")
class Poids(Module):
    def __init__(self):
        self.poids, self.biais = normal(3, 2), normal(2)
        self.gradient_poids, self.gradient_biais = np.zeros((3, 2)), np.zeros(2)

    def zero_grad(self):
        self.gradient_poids.fill(0.0)
        self.gradient_biais.fill(0.0)

    def forward(self, entree):
        return entree @ self.poids + self.biais

    def backward_update_gradient(self, entree, delta):
        np.add(self.gradient_poids, entree.T @ delta, out=self.gradient_poids)
        self.gradient_biais += delta.sum(0)

    def backward_delta(self, entree, delta):
        return delta @ self.poids.T

    def update_parameters(self, pas=1e-3):
        self.poids -= pas * self.gradient_poids
        self.biais -= pas * self.gradient_biais


@right("Linear without a base class and with private names")
class Private:
    def __init__(self):
        self.__w = normal(3, 2)
        self.__grad = np.zeros((3, 2))

    def forward(self, X):
        return np.matmul(X, self.__w)

    def zero_grad(self):
        self.__grad *= 0

    def backward_update_gradient(self, X, delta):
        self.__grad += np.matmul(X.T, delta)

    def backward_delta(self, X, delta):
        return np.matmul(delta, self.__w.T)

    def update_parameters(self, learning_rate):
        self.__w -= learning_rate * self.__grad


@right("Linear whose update also sets the gradients to zero")
class ZeroesAfterwards(Linear):
    def update_parameters(self, gradient_step=1e-3):
        super().update_parameters(gradient_step)
        self.zero_grad()


@right("Tanh by exponentials", like=maillon.Tanh())
class TanhByExp(Tanh):
    def forward(self, X):
        return 1 - 2 / (np.exp(2 * X) + 1)

    def backward_delta(self, input, delta):
        return delta / np.cosh(input) ** 2 if np.abs(input).max() < 300 else super().backward_delta(input, delta)


@right("Tanh that keeps its output and has no other methods")
class TanhKept:
    def forward(self, X):
        self._forward = np.tanh(X)
        return self._forward

    def backward_delta(self, input, delta):
        return np.multiply(1 - np.square(self._forward), delta)


@right("Sigmoid by e⁻ˣ / (1 + e⁻ˣ)²")
class SigmoidByExp(Sigmoid):
    def backward_delta(self, input, delta):
        e = np.exp(-input)
        return e / (1 + e) ** 2 * delta


@right("Sigmoid by cases", like=maillon.Sigmoid())
class SigmoidStable(Sigmoid):
    def forward(self, X):
        e = np.exp(-np.abs(X))
        return np.where(X >= 0, 1 / (1 + e), e / (1 + e))


@right("Softplus", like=maillon.Softplus())
class SoftplusRight(Softplus):
    pass


@right("ReLU whose slope at 0 is 1", like=maillon.ReLU())
class ReLUAtZero(ReLU):
    def backward_delta(self, input, delta):
        return np.where(input >= 0, delta, 0)


@right("ReLU with a mask kept and an input of zeros", np.zeros((4, 3)))
class ReLUMask(ReLU):
    def forward(self, X):
        self.mask = X > 0
        return X * self.mask

    def backward_delta(self, input, delta):
        made = delta.copy()
        made[~self.mask] = 0
        return made


@right("leaky ReLU with a slope")
class Leaky(ReLU):
    def __init__(self):
        super().__init__()
        self.alpha = 0.1

    def forward(self, X):
        return np.maximum(self.alpha * X, X)

    def backward_delta(self, input, delta):
        slopes = np.ones_like(input)
        slopes[input <= 0] = self.alpha
        return slopes * delta


@right("Softmax by its Jacobians", like=maillon.Softmax(1))
class SoftmaxJacobian(Softmax):
    def backward_delta(self, input, delta):
        made = np.zeros_like(delta)
        for n, y in enumerate(self.forward(input)):
            made[n] = delta[n] @ (np.diag(y) - np.outer(y, y))
        return made


@right("Softmax that overflows, which without a model is a note")
class SoftmaxNaive(Softmax):
    def forward(self, X):
        return np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)


@right("LogSoftmax by scipy's manner", like=maillon.LogSoftmax(1))
class LogSoftmaxRight(LogSoftmax):
    pass
