"""Answers to notebook 3."""

from course.harness import Answers

answers = Answers("03_encapsulation")
wrong, right = answers.wrong, answers.right

WALK = "for module, x in zip(reversed(self.modules), reversed(self.inputs(input))):\n"
GRADIENT = (
    "            module.backward_update_gradient(x, delta)\n            delta = module.backward_delta(x, delta)\n"
)
wrong(
    "sequential",
    "every module gets X",
    "every module gets X",
    (
        "return self.modules[-1].forward(self.inputs(X)[-1])",
        "return [module.forward(X) for module in self.modules][-1]",
    ),
)
wrong(
    "sequential",
    "the last module left out",
    "pass X through all|all modules",
    ("return self.modules[-1].forward(self.inputs(X)[-1])", "return self.inputs(X)[-1]"),
)
wrong(
    "sequential",
    "every module gets the first input",
    "the input of",
    (GRADIENT, GRADIENT.replace("(x, delta)", "(input, delta)")),
)
wrong(
    "sequential",
    "every module gets the same delta",
    "from behind",
    (GRADIENT, "            module.backward_update_gradient(x, delta)\n"),
)
wrong(
    "sequential",
    "backwards in the order of forward",
    "third|from behind|before the delta|reverse",
    (WALK + GRADIENT, "for module, x in zip(self.modules, self.inputs(input)):\n" + GRADIENT),
)
wrong(
    "sequential",
    "the delta goes on before the gradient",
    "delta of backward_update_gradient",
    (
        GRADIENT,
        "            delta = module.backward_delta(x, delta)\n            module.backward_update_gradient(x, delta)\n",
    ),
)
wrong(
    "sequential",
    "backward_delta adds to the gradients",
    "also adds to the gradients",
    (WALK + "            delta = module.backward_delta(x, delta)\n        return", WALK + GRADIENT + "        return"),
)
wrong(
    "sequential",
    "the outputs in place of the inputs",
    "got the output",
    (
        "reversed(self.inputs(input))):\n            module.back",
        "reversed(self.inputs(input)[1:] + [self.forward(input)])):\n            module.back",
    ),
)
wrong(
    "sequential",
    "zero_grad of the first only",
    "zero_grad of every module",
    (
        "for module in self.modules:\n            module.zero_grad()",
        "for module in self.modules[:1]:\n            module.zero_grad()",
    ),
)
wrong(
    "sequential",
    "zero_grad forgotten",
    "zero_grad of every module",
    ("            module.zero_grad()", "            pass"),
)
wrong(
    "sequential",
    "the step not passed on",
    "got the step",
    ("module.update_parameters(gradient_step)", "module.update_parameters()"),
)
wrong(
    "sequential",
    "the last layer not updated",
    "third: update_parameters is never called",
    (
        "for module in self.modules:\n            module.update",
        "for module in self.modules[:-1]:\n            module.update",
    ),
)
wrong(
    "sequential",
    "updated in the backward pass",
    "update_parameters",
    (
        "            module.backward_update_gradient(x, delta)\n",
        "            module.backward_update_gradient(x, delta)\n            module.update_parameters(0.25)\n",
    ),
)
wrong(
    "sequential",
    "the first module left out",
    "does not reach the first",
    (
        "zip(reversed(self.modules), reversed(self.inputs(input))):\n            module.back",
        "zip(reversed(self.modules[1:]), reversed(self.inputs(input))):\n            module.back",
    ),
)
wrong("sequential", "backward_delta returns nothing", "backward_delta returns nothing", ("        return delta\n", ""))

wrong("optim", "zero_grad forgotten", "zero_grad is missing", ("        self.network.zero_grad()\n", ""))
wrong("optim", "y and yhat exchanged", "target first", ("self.loss.backward(y, yhat)", "self.loss.backward(yhat, y)"))
wrong(
    "optim",
    "no update",
    "update_parameters is never called",
    ("        self.network.update_parameters(self.gradient_step)\n", ""),
)
wrong("optim", "the default step", "got the step", ("update_parameters(self.gradient_step)", "update_parameters()"))
wrong(
    "optim",
    "zero_grad after the gradient",
    "between the gradient and the step",
    ("        self.network.zero_grad()\n", ""),
    ("        self.network.update", "        self.network.zero_grad()\n        self.network.update"),
)
wrong(
    "optim",
    "the output as input",
    "got the output",
    ("backward_update_gradient(x, self", "backward_update_gradient(yhat, self"),
)
wrong(
    "optim",
    "the loss after the step",
    "before the step",
    ("return self.loss.forward(y, yhat)", "return self.loss.forward(y, self.network.forward(x))"),
)
wrong(
    "optim",
    "nothing returned",
    "returns nothing",
    ("        return self.loss.forward(y, yhat)", "        self.loss.forward(y, yhat)"),
)

wrong(
    "batches",
    "the last left out",
    "shorter, not left out",
    ("range(0, n, batch_size)", "range(0, n - batch_size + 1, batch_size)"),
)
wrong("batches", "drawn with replacement", "without replacement", ("rng.permutation(n)", "rng.integers(0, n, n)"))
wrong("batches", "not shuffled", "not random", ("rng.permutation(n)", "np.arange(n)"))
wrong(
    "batches",
    "a generator of its own",
    "rng that is given",
    ("rng.permutation(n)", "np.random.default_rng(1).permutation(n)"),
)
wrong(
    "batches",
    "mini-batches shuffled, not rows",
    "shuffle the rows",
    text="""
def batches(n, batch_size, rng):
    pieces = [np.arange(start, min(start + batch_size, n)) for start in range(0, n, batch_size)]
    order = rng.permutation(n // batch_size)
    return [pieces[place] for place in order] + pieces[n // batch_size :]
""",
)
wrong("batches", "an empty one at the end", "empty", ("range(0, n, batch_size)", "range(0, n + 1, batch_size)"))

wrong(
    "sgd",
    "the rows of y not shuffled",
    "not those of x",
    ("optim.step(x[rows], y[rows])", "optim.step(x[rows], y[: len(rows)])"),
)
wrong("sgd", "one epoch", "only one epoch", ("range(epochs)", "range(1)"))
wrong(
    "sgd",
    "one order for all epochs",
    "same order",
    ("    history = []\n", "    history, pieces = [], batches(len(x), batch_size, rng)\n"),
    ("in batches(len(x), batch_size, rng)]", "in pieces]"),
)
wrong("sgd", "every loss kept", "one mean an epoch", ("history.append(np.mean(losses))", "history.extend(losses)"))
wrong("sgd", "the last loss", "last loss of each epoch", ("np.mean(losses)", "losses[-1]"))
wrong("sgd", "the sum", "sums", ("np.mean(losses)", "np.sum(losses)"))
wrong(
    "sgd",
    "all rows in one step",
    "one step for each mini-batch",
    ("batches(len(x), batch_size, rng)", "batches(len(x), len(x), rng)"),
)

right(
    "sequential",
    "the inputs are kept by forward",
    text="""
class Sequential(Module):
    def __init__(self, *modules):
        super().__init__()
        self.modules = list(modules)

    def forward(self, X):
        self.kept = []
        for module in self.modules:
            self.kept.append(X)
            X = module.forward(X)
        return X

    def zero_grad(self):
        [module.zero_grad() for module in self.modules]

    def backward_update_gradient(self, input, delta):
        for place in range(len(self.modules) - 1, -1, -1):
            self.modules[place].backward_update_gradient(self.kept[place], delta)
            if place > 0:
                delta = self.modules[place].backward_delta(self.kept[place], delta)

    def backward_delta(self, input, delta):
        for place in range(len(self.modules))[::-1]:
            delta = self.modules[place].backward_delta(self.kept[place], delta)
        return delta

    def update_parameters(self, gradient_step=1e-3):
        for module in self.modules[::-1]:
            module.update_parameters(gradient_step=gradient_step)
""",
)
right(
    "sequential",
    "recursion",
    text="""
class Sequential(Module):
    def __init__(self, *modules):
        super().__init__()
        self.first = modules[0]
        self.rest = Sequential(*modules[1:]) if len(modules) > 1 else None
        self.modules = list(modules)

    def forward(self, X):
        X = self.first.forward(X)
        return X if self.rest is None else self.rest.forward(X)

    def _behind(self, input, delta):
        return delta if self.rest is None else self.rest.backward_delta(self.first.forward(input), delta)

    def zero_grad(self):
        self.first.zero_grad()
        if self.rest is not None:
            self.rest.zero_grad()

    def backward_update_gradient(self, input, delta):
        self.first.backward_update_gradient(input, self._behind(input, delta))
        if self.rest is not None:
            self.rest.backward_update_gradient(self.first.forward(input), delta)

    def backward_delta(self, input, delta):
        return self.first.backward_delta(input, self._behind(input, delta))

    def update_parameters(self, gradient_step=1e-3):
        self.first.update_parameters(gradient_step)
        if self.rest is not None:
            self.rest.update_parameters(gradient_step)
""",
)
right(
    "optim",
    "the gradient is cleared at the end",
    text="""
class Optim:
    def __init__(self, network, loss, gradient_step):
        self.net, self.criterion, self.eps = network, loss, gradient_step
        self.network = network

    def step(self, x, y):
        out = self.net.forward(x)
        value = self.criterion.forward(y, out)
        delta = self.criterion.backward(y, out)
        self.net.backward_update_gradient(x, delta)
        self.net.update_parameters(gradient_step=self.eps)
        self.net.zero_grad()
        return value
""",
)
right(
    "batches",
    "np.split of a shuffled range",
    text="""
def batches(n, batch_size, rng):
    rows = np.arange(n)
    rng.shuffle(rows)
    return np.split(rows, np.arange(batch_size, n, batch_size))
""",
)
right(
    "sgd",
    "a running mean",
    text="""
def SGD(optim, x, y, batch_size, epochs, rng):
    means = np.zeros(epochs)
    for epoch in range(epochs):
        for count, rows in enumerate(batches(x.shape[0], batch_size, rng), start=1):
            means[epoch] += (optim.step(x[rows, :], y[rows, :]) - means[epoch]) / count
    return means
""",
)
right(
    "sgd",
    "a while loop",
    text="""
def SGD(optim, x, y, batch_size, epochs, rng):
    history = []
    while len(history) < epochs:
        total, steps = 0.0, 0
        for rows in batches(len(y), batch_size, rng):
            total += optim.step(x[rows], y[rows])
            steps += 1
        history.append(total / steps)
    return history
""",
)
