"""Sequential, Optim and SGD with one mistake each, and right ones in other styles."""

import numpy as np

import maillon
from answers.base import SGD, Linear, Module, MSELoss, Optim, Sequential, Softmax, Tanh
from answers.table import normal, right, wrong

DATA = (normal(10, 3), normal(10, 2))


@wrong("Sequential: the first module left out", 4, "The first module is left out of the backward pass.")
class FirstLeftOut(Sequential):
    def backward(self, delta):
        for i in range(len(self.modules) - 1, 0, -1):
            self.modules[i].backward_update_gradient(self.inputs[i], delta)
            delta = self.modules[i].backward_delta(self.inputs[i], delta)


@wrong("Sequential: modules given their outputs", 4, "given its output in place of its input")
def at_outputs():
    class AtOutputs(Sequential):
        def backward(self, delta):
            values = [*self.inputs[1:], self.modules[-1].forward(self.inputs[-1])]
            for module, value in zip(self.modules[::-1], values[::-1], strict=True):
                module.backward_update_gradient(value, delta)
                delta = module.backward_delta(value, delta)

    return AtOutputs(Linear(3, 3), Tanh(), Linear(3, 3))


@wrong("Sequential: delta not passed on", 4, "Every module is given the same delta")
def not_passed():
    class NotPassed(Sequential):
        def backward(self, delta):
            for module, value in zip(self.modules[::-1], self.inputs[::-1], strict=True):
                module.backward_update_gradient(value, delta)
                module.backward_delta(value, delta)

    return NotPassed(Linear(3, 3), Tanh(), Linear(3, 3))


@wrong("Sequential: the delta of the module before", 4, "has just returned")
def too_early():
    class TooEarly(Sequential):
        def backward(self, delta):
            for module, value in zip(self.modules[::-1], self.inputs[::-1], strict=True):
                delta = module.backward_delta(value, delta)
                module.backward_update_gradient(value, delta)

    return TooEarly(Linear(3, 3), Tanh(), Linear(3, 3))


@wrong("Sequential: updated before the delta is known", 3, "changed before its backward_delta is worked out")
class UpdatedEarly(Sequential):
    def backward(self, delta, gradient_step):
        for module, value in zip(self.modules[::-1], self.inputs[::-1], strict=True):
            module.backward_update_gradient(value, delta)
            module.update_parameters(gradient_step)
            delta = module.backward_delta(value, delta)
        return delta


@wrong("Sequential: forward backwards", 1, "The modules are passed in the reverse order.")
def reversed_forward():
    class Reversed(Sequential):
        def forward(self, X):
            self.inputs = []
            for module in self.modules[::-1]:
                self.inputs.append(X)
                X = module.forward(X)
            return X

    return Reversed(Linear(3, 3), Tanh())


@wrong("Sequential: zero_grad forgets a module", 5, "modules[2]._parameters['weight'], after zero_grad")
class ZeroForgets(Sequential):
    def zero_grad(self):
        for module in self.modules[:-1]:
            module.zero_grad()


@wrong("Sequential: update forgets a module", 6, "modules[0]._parameters['weight'] after update_parameters")
class UpdateForgets(Sequential):
    def update_parameters(self, gradient_step=1e-3):
        for module in self.modules[1:]:
            module.update_parameters(gradient_step)


@wrong("Sequential: update does not hand on the step", 6, "gradient_step is not used, its default is.")
class UpdateNoStep(Sequential):
    def update_parameters(self, gradient_step=1e-3):
        for module in self.modules:
            module.update_parameters()


@wrong("Sequential: a module that is wrong", 3, "The cross terms are missing")
def wrong_inside():
    class Diagonal(Softmax):
        def backward_delta(self, input, delta):
            y = self.forward(input)
            return delta * y * (1 - y)

    return Sequential(Linear(3, 4), Diagonal(), Linear(4, 2))


@wrong("Optim: zero_grad forgotten", 8, "call zero_grad in step")
class NoZero(Optim):
    def step(self, batch_x, batch_y):
        yhat = self.net.forward(batch_x)
        self.net.backward(self.loss.backward(batch_y, yhat))
        self.net.update_parameters(self.eps)


@wrong("Optim: update forgotten", 8, "The step does not reach it.")
class NoUpdate(Optim):
    def step(self, batch_x, batch_y):
        yhat = self.net.forward(batch_x)
        self.net.zero_grad()
        self.net.backward(self.loss.backward(batch_y, yhat))


@wrong("Optim: zero_grad before the update", 8, "The step does not reach it.")
class ZeroFirst(Optim):
    def step(self, batch_x, batch_y):
        yhat = self.net.forward(batch_x)
        self.net.backward(self.loss.backward(batch_y, yhat))
        self.net.zero_grad()
        self.net.update_parameters(self.eps)


@wrong("Optim: y and yhat exchanged", 8, "The step goes with the gradient")
class OptimExchanged(Optim):
    def step(self, batch_x, batch_y):
        yhat = self.net.forward(batch_x)
        self.net.zero_grad()
        self.net.backward(self.loss.backward(yhat, batch_y))
        self.net.update_parameters(self.eps)


@wrong("Optim: its step not handed on", 8, "It is 0.01 times the right step.")
class DefaultStep(Optim):
    def step(self, batch_x, batch_y):
        yhat = self.net.forward(batch_x)
        self.net.zero_grad()
        self.net.backward(self.loss.backward(batch_y, yhat))
        self.net.update_parameters()


@wrong("Optim: two updates", 8, "It is 2 times the right step.")
class Twice(Optim):
    def step(self, batch_x, batch_y):
        super().step(batch_x, batch_y)
        self.net.update_parameters(self.eps)


@wrong("Optim: parameters changed while the deltas are worked out", 8, "update when all deltas are known")
def late():
    class Late(Optim):
        def step(self, batch_x, batch_y):
            yhat = self.net.forward(batch_x)
            self.net.zero_grad()
            self.net.backward(self.loss.backward(batch_y, yhat), self.eps)

    return Late(UpdatedEarly(), MSELoss(), 0.1)


def descent(**options):
    """SGD's arguments by name."""
    return {"net": Sequential(), "loss": MSELoss(), **options}


@wrong("SGD: the last batch left out", 9, "Is the last, smaller batch left out?", *DATA, **descent())
def last_batch():
    def sgd(net, loss, x, y, batch_size, epochs, eps=1e-2):
        optim = Optim(net, loss, eps)
        for _ in range(epochs):
            for i in range(len(x) // batch_size):
                optim.step(x[i * batch_size : (i + 1) * batch_size], y[i * batch_size : (i + 1) * batch_size])

    return sgd


@wrong("SGD: x shuffled, y not", 9, "x and y are shuffled apart", *DATA, **descent())
def apart():
    def sgd(net, loss, x, y, batch_size, epochs, eps=1e-2):
        optim = Optim(net, loss, eps)
        for _ in range(epochs):
            shuffled = x[np.random.permutation(len(x))]  # noqa: NPY002 - as students do
            for i in range(0, len(x), batch_size):
                optim.step(shuffled[i : i + batch_size], y[i : i + batch_size])

    return sgd


@wrong("SGD: the whole data at once", 9, "batch_size is not used.", *DATA, **descent())
def whole():
    def sgd(net, loss, x, y, batch_size, epochs, eps=1e-2):
        optim = Optim(net, loss, eps)
        for _ in range(epochs):
            optim.step(x, y)

    return sgd


@wrong("SGD: one epoch only", 9, "There are 1 epochs.", *DATA, **descent())
def one_epoch():
    def sgd(net, loss, x, y, batch_size, epochs, eps=1e-2):
        SGD(net, loss, x, y, batch_size, 1, eps)

    return sgd


@wrong("SGD: the data shuffled in place", 2, "Shuffle a list of indices, not the data.", *DATA, **descent())
def in_place():
    def sgd(net, loss, x, y, batch_size, epochs, eps=1e-2):
        x[:] = x[::-1].copy()
        y[:] = y[::-1].copy()
        SGD(net, loss, x, y, batch_size, epochs, eps)

    return sgd


@wrong("SGD: no update", 9, "It is not changed.", *DATA, **descent())
def no_update():
    def sgd(net, loss, x, y, batch_size, epochs, eps=1e-2):
        SGD(net, loss, x, y, batch_size, epochs, 0.0)

    return sgd


@right("Sequential with backward(delta)")
class Plain(Sequential):
    pass


@right("Sequential with the two methods of a module")
class TwoMethods(Module):
    def __init__(self):
        self.layers = (Linear(3, 4), Tanh(), Linear(4, 2))

    def forward(self, X):
        for layer in self.layers:
            X = layer.forward(X)
        return X

    def backward_update_gradient(self, input, delta):
        self._through(0, input, delta, True)

    def backward_delta(self, input, delta):
        return self._through(0, input, delta, False)

    def _through(self, place, input, delta, update):
        if place == len(self.layers):
            return delta
        layer = self.layers[place]
        delta = self._through(place + 1, layer.forward(input), delta, update)
        if update:
            layer.backward_update_gradient(input, delta)
        return layer.backward_delta(input, delta)

    def zero_grad(self):
        for layer in self.layers:
            layer.zero_grad()

    def update_parameters(self, gradient_step=1e-3):
        for layer in self.layers:
            layer.update_parameters(gradient_step)


@right("Sequential whose forward returns all outputs, whose backward takes them and steps")
class Outputs:
    def __init__(self):
        self.modules = [Linear(3, 4), Tanh(), Linear(4, 2)]

    def forward(self, X):
        outputs = [X]
        for module in self.modules:
            outputs.append(module.forward(outputs[-1]))
        return outputs

    def backward(self, outputs, last_delta, eps):
        for i in range(len(self.modules) - 1, -1, -1):
            module = self.modules[i]
            delta = module.backward_delta(outputs[i], last_delta)
            module.backward_update_gradient(outputs[i], last_delta)
            module.update_parameters(eps)
            module.zero_grad()
            last_delta = delta


@right("Optim as the handout has it")
class PlainOptim(Optim):
    pass


@right("Optim that sets to zero after the update")
class ZeroAfter(Optim):
    def step(self, batch_x, batch_y):
        yhat = self.net.forward(batch_x)
        self.net.backward(self.loss.backward(batch_y, yhat))
        self.net.update_parameters(self.eps)
        self.net.zero_grad()


@right("SGD by shuffled indices", *DATA, **descent())
def plain_sgd():
    return SGD


@right("SGD by array_split, a method of Optim", *DATA)
def split():
    class Splits(Optim):
        def SGD(self, X, y, batch_size, epochs):
            for _ in range(epochs):
                order = np.random.permutation(len(X))  # noqa: NPY002 - as students do
                for chosen in np.array_split(order, -(-len(X) // batch_size)):
                    self.step(X[chosen], y[chosen])

    return Splits().SGD


@right(
    "Sequential against a network of maillon",
    like=maillon.Sequential(maillon.Linear(3, 4), maillon.Tanh(), maillon.Linear(4, 2)),
)
class Alike(Sequential):
    pass


@right("Sequential whose backward takes the targets and the loss, and steps")
class WithLoss:
    def __init__(self):
        self.modules = [Linear(3, 4), Tanh(), Linear(4, 2)]

    def forward(self, X):
        outputs = []
        for module in self.modules:
            X = module.forward(X)
            outputs.append(X)
        return outputs

    def backward(self, x, y, loss, eps=1e-3):
        outputs = [x, *self.forward(x)]
        delta = loss.backward(y, outputs[-1])
        deltas = []
        for module, value in zip(self.modules[::-1], outputs[-2::-1], strict=True):
            module.backward_update_gradient(value, delta)
            delta = module.backward_delta(value, delta)
            deltas.append(delta)
        for module in self.modules:
            module.update_parameters(eps)
            module.zero_grad()
