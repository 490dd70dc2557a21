"""The handout's classes as its solution has them; the wrong ones change one method."""

from typing import Any

import numpy as np

from answers.table import normal
from maillon.typing import Array


class Module:
    def __init__(self) -> None:
        self._parameters: Any = None
        self._gradient: Any = None

    def zero_grad(self) -> None:
        pass

    def update_parameters(self, gradient_step: float = 1e-3) -> None:
        pass

    def backward_update_gradient(self, input: Array, delta: Array) -> None:
        pass


class Linear(Module):
    shape = (3, 2)

    def __init__(self, *shape: int) -> None:
        inputs, outputs = shape or self.shape
        self._parameters = {"weight": normal(inputs, outputs), "bias": normal(1, outputs)}
        self._gradient = {"weight": np.zeros((inputs, outputs)), "bias": np.zeros((1, outputs))}

    def forward(self, X: Array) -> Array:
        return X @ self._parameters["weight"] + self._parameters["bias"]

    def zero_grad(self) -> None:
        for gradient in self._gradient.values():
            gradient[...] = 0

    def backward_update_gradient(self, input: Array, delta: Array) -> None:
        self._gradient["weight"] += self.weight_gradient(input, delta)
        self._gradient["bias"] += self.bias_gradient(input, delta)

    def weight_gradient(self, input: Array, delta: Array) -> Any:
        return input.T @ delta

    def bias_gradient(self, input: Array, delta: Array) -> Any:
        return delta.sum(axis=0, keepdims=True)

    def backward_delta(self, input: Array, delta: Array) -> Any:
        return delta @ self._parameters["weight"].T

    def update_parameters(self, gradient_step: float = 1e-3) -> None:
        for name, gradient in self._gradient.items():
            self._parameters[name] -= gradient_step * gradient


class Tanh(Module):
    def forward(self, X: Array) -> Any:
        return np.tanh(X)

    def backward_delta(self, input: Array, delta: Array) -> Any:
        return delta * (1 - np.tanh(input) ** 2)


class Sigmoid(Module):
    def forward(self, X: Array) -> Any:
        return 1 / (1 + np.exp(-X))

    def backward_delta(self, input: Array, delta: Array) -> Any:
        y = self.forward(input)
        return delta * y * (1 - y)


class ReLU(Module):
    def forward(self, X: Array) -> Any:
        return np.maximum(X, 0)

    def backward_delta(self, input: Array, delta: Array) -> Any:
        return delta * (input > 0)


class Softplus(Module):
    def forward(self, X: Array) -> Any:
        return np.log1p(np.exp(-np.abs(X))) + np.maximum(X, 0)

    def backward_delta(self, input: Array, delta: Array) -> Any:
        return delta / (1 + np.exp(-input))


class Softmax(Module):
    def forward(self, X: Array) -> Any:
        exponentials = np.exp(X - X.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def backward_delta(self, input: Array, delta: Array) -> Any:
        y = self.forward(input)
        return y * (delta - (y * delta).sum(axis=1, keepdims=True))


class LogSoftmax(Module):
    def forward(self, X: Array) -> Any:
        shifted = X - X.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def backward_delta(self, input: Array, delta: Array) -> Any:
        return delta - np.exp(self.forward(input)) * delta.sum(axis=1, keepdims=True)


class MSELoss:
    def forward(self, y: Array, yhat: Array) -> Any:
        return np.mean((yhat - y) ** 2)

    def backward(self, y: Array, yhat: Array) -> Any:
        return 2 * (yhat - y) / y.size


class CrossEntropy:
    """Of probabilities and rows with a one."""

    def forward(self, y: Array, yhat: Array) -> Any:
        return -np.sum(y * np.log(yhat), axis=1)

    def backward(self, y: Array, yhat: Array) -> Any:
        return -y / yhat


class ScoresLoss:
    """Softmax and cross-entropy in one."""

    def forward(self, y: Array, yhat: Array) -> Any:
        largest = yhat.max(axis=1, keepdims=True)
        logs = np.log(np.exp(yhat - largest).sum(axis=1)) + largest[:, 0]
        return logs - np.sum(y * yhat, axis=1)

    def backward(self, y: Array, yhat: Array) -> Any:
        return Softmax().forward(yhat) - y


class BCELoss:
    def forward(self, y: Array, yhat: Array) -> Any:
        return -np.mean(y * np.log(yhat) + (1 - y) * np.log(1 - yhat))

    def backward(self, y: Array, yhat: Array) -> Any:
        return (yhat - y) / (yhat * (1 - yhat)) / y.size


class Sequential(Module):
    def __init__(self, *modules: Any) -> None:
        self.modules = list(modules) or [Linear(3, 4), Tanh(), Linear(4, 2)]

    def forward(self, X: Array) -> Any:
        self.inputs = []
        for module in self.modules:
            self.inputs.append(X)
            X = module.forward(X)
        return X

    def backward(self, delta: Array) -> Any:
        for module, value in zip(reversed(self.modules), reversed(self.inputs), strict=True):
            module.backward_update_gradient(value, delta)
            delta = module.backward_delta(value, delta)
        return delta

    def zero_grad(self) -> None:
        for module in self.modules:
            module.zero_grad()

    def update_parameters(self, gradient_step: float = 1e-3) -> None:
        for module in self.modules:
            module.update_parameters(gradient_step)


class Optim:
    def __init__(self, net: Any = None, loss: Any = None, eps: float = 0.1) -> None:
        self.net = Sequential() if net is None else net
        self.loss = MSELoss() if loss is None else loss
        self.eps = eps

    def step(self, batch_x: Array, batch_y: Array) -> Any:
        yhat = self.net.forward(batch_x)
        value = self.loss.forward(batch_y, yhat)
        self.net.zero_grad()
        self.net.backward(self.loss.backward(batch_y, yhat))
        self.net.update_parameters(self.eps)
        return value


def SGD(net: Any, loss: Any, datax: Array, datay: Array, batch_size: int, epochs: int, eps: float = 1e-2) -> list[Any]:
    optim = Optim(net, loss, eps)
    losses = []
    for _ in range(epochs):
        order = np.random.permutation(len(datax))  # noqa: NPY002 - as students do
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            losses.append(optim.step(datax[chosen], datay[chosen]))
    return losses
