"""Answers to notebook 2."""

from course.harness import Answers

answers = Answers("02_non_linear_module")
wrong, right = answers.wrong, answers.right

wrong(
    "points", "x and y shuffled apart", "same order", ("x[order], y[order]", "rng.permutation(x), rng.permutation(y)")
)
wrong("points", "not shuffled", "not shuffled", ("    x, y = x[order], y[order]\n", ""))
wrong(
    "points",
    "the classes exchanged",
    "exchanged",
    ("[np.ones((100, 1)), np.zeros((100, 1))]", "[np.zeros((100, 1)), np.ones((100, 1))]"),
)
wrong(
    "points",
    "80 % for the test",
    "80 %",
    ("return x[:160], y[:160], x[160:], y[160:]", "return x[:40], y[:40], x[40:], y[40:]"),
)
wrong("points", "flat labels", "shapes are to be", ("    return x[:160]", "    y = y.ravel()\n    return x[:160]"))
wrong("points", "the standard deviation is 2", "standard deviation", ("rng.normal((1, 2), 1,", "rng.normal((1, 2), 2,"))
wrong(
    "points",
    "a generator of its own",
    "rng that is given",
    ("    x = np.vstack(", "    rng = np.random.default_rng(0)\n    x = np.vstack("),
)

TANH = "return (1 - np.tanh(input) ** 2) * delta"
wrong("tanh", "delta forgotten", "not multiplied by delta", (TANH, "return 1 - np.tanh(input) ** 2"))
wrong("tanh", "the input taken for the output", "derivative|input", (TANH, "return (1 - input**2) * delta"))
wrong("tanh", "no square", "derivative|delta ·", (TANH, "return (1 - np.tanh(input)) * delta"))
wrong("tanh", "the value in place of the derivative", "derivative|delta ·", (TANH, "return np.tanh(input) * delta"))
wrong("tanh", "delta passed on", "derivative is missing", (TANH, "return delta"))
wrong("tanh", "a matrix product", "shape|matmul", (TANH, "return (1 - np.tanh(input) ** 2) @ delta.T"))
wrong("tanh", "the input changed", "in place", ("return np.tanh(X)", "X[...] = np.tanh(X)\n        return X"))

SIGMOID = "return s * (1 - s) * delta"
wrong("sigmoid", "s(1 + s)", "derivative|delta ·", (SIGMOID, "return s * (1 + s) * delta"))
wrong(
    "sigmoid",
    "the derivative at the output",
    "at the output|It is delta · σ\\(y\\)",
    ("s = self.forward(input)", "s = self.forward(self.forward(input))"),
)
wrong("sigmoid", "delta forgotten", "not multiplied by delta", (SIGMOID, "return s * (1 - s)"))
wrong("sigmoid", "delta twice", "delta twice", (SIGMOID, "return s * (1 - s) * delta * delta"))
wrong("sigmoid", "it overflows", "overflow", ("(1 + np.tanh(X / 2)) / 2", "1 / (1 + np.exp(-X))"))
wrong("sigmoid", "the sign in the exponential", "sign in the exponential", ("np.tanh(X / 2)", "np.tanh(-X / 2)"))
wrong("sigmoid", "the half forgotten in tanh", "Sigmoid\\(\\) gives|forward", ("np.tanh(X / 2)", "np.tanh(X)"))

wrong(
    "step",
    "the output in place of the input",
    "got the output",
    ("tanh.backward_delta(h1, delta)", "tanh.backward_delta(h2, delta)"),
)
wrong(
    "step",
    "the sigmoid left out",
    "second: the delta of backward_update_gradient|from behind",
    ("    delta = sigmoid.backward_delta(h3, delta)\n", ""),
)
wrong("step", "zero_grad of one layer only", "second: zero_grad is missing", ("    second.zero_grad()\n", ""))
wrong(
    "step",
    "the update before backward_delta",
    "second: update_parameters comes before backward_delta",
    (
        "    second.backward_update_gradient(h2, delta)\n",
        "    second.backward_update_gradient(h2, delta)\n    second.update_parameters(gradient_step)\n",
    ),
    (
        "    first.update_parameters(gradient_step)\n    second.update_parameters(gradient_step)\n",
        "    first.update_parameters(gradient_step)\n",
    ),
)
wrong(
    "step",
    "the first layer forgotten",
    "first: backward_update_gradient is never called|first: update_parameters comes before",
    ("    first.backward_update_gradient(x, delta)\n", ""),
)
wrong(
    "step",
    "the first layer not updated",
    "first: update_parameters is never called",
    ("    first.update_parameters(gradient_step)\n", ""),
)
wrong(
    "step",
    "the delta not passed on",
    "tanh: backward_delta comes before|from behind",
    ("    delta = second.backward_delta(h2, delta)\n", ""),
)
wrong("step", "y and yhat exchanged", "target first", ("loss.backward(y, yhat)", "loss.backward(yhat, y)"))
wrong(
    "step",
    "the loss after the step",
    "before the step",
    (
        "    return loss.forward(y, yhat)",
        "    return loss.forward(y, sigmoid.forward(second.forward(tanh.forward(first.forward(x)))))",
    ),
)
wrong("step", "nothing returned", "returns nothing", ("    return loss.forward(y, yhat)", "    loss.forward(y, yhat)"))

COUNT = "np.sum((y == row) & (decided == column))"
wrong("confusion", "transposed", "rows and columns are exchanged", ("counts[row, column] =", "counts[column, row] ="))
wrong("confusion", "> in place of ≥", "≥, not >", (">= 0.5", "> 0.5"))
wrong("confusion", "shares", "shares", ("    return counts", "    return counts / len(y)"))
wrong(
    "confusion",
    "the predictions only",
    "expected|to be counted",
    ("(y == row) & (decided == column)", "decided == column"),
)

right(
    "points",
    "one rng.normal with centres",
    text="""
def make_points(rng):
    y = np.repeat([1.0, 0.0], 100)
    centres = np.where(y[:, None] == 1, [1, 2], [3, 5])
    x = centres + rng.normal(size=(200, 2))
    shuffled = np.arange(200)
    rng.shuffle(shuffled)
    test, train = shuffled[:40], shuffled[40:]
    y = y.reshape(-1, 1)
    return x[train], y[train], x[test], y[test]
""",
)
right("tanh", "1/cosh²", (TANH, "return delta / np.cosh(input) ** 2"))
right(
    "tanh",
    "the output is kept by forward",
    text="""
class Tanh(Module):
    def forward(self, X):
        self.out = np.tanh(X)
        return self.out

    def backward_delta(self, input, delta):
        return delta * (1 - self.out * self.out)
""",
)
right(
    "sigmoid",
    "two branches",
    text="""
class Sigmoid(Module):
    def forward(self, X):
        small = np.exp(-np.abs(X))
        return np.where(X >= 0, 1 / (1 + small), small / (1 + small))

    def backward_delta(self, input, delta):
        small = np.exp(-np.abs(input))
        return delta * small / (1 + small) ** 2
""",
)
right(
    "step",
    "a loop over the modules",
    text="""
def step(modules, loss, x, y, gradient_step):
    inputs = []
    for module in modules:
        module.zero_grad()
        inputs.append(x)
        x = module.forward(x)
    value, delta = loss.forward(y, x), loss.backward(y, x)
    for module, input in list(zip(modules, inputs))[::-1]:
        module.backward_update_gradient(input, delta)
        delta = module.backward_delta(input, delta)
    for module in modules:
        module.update_parameters(gradient_step)
    return value
""",
)
right(
    "confusion",
    "counted in one line",
    text="""
def confusion(y, probability):
    return np.bincount((2 * (y >= 0.5) + (probability >= 0.5)).ravel(), minlength=4).reshape(2, 2)
""",
)
right(
    "points",
    "labels as a last column",
    text="""
def make_points(rng):
    ones = np.c_[1 + rng.standard_normal(100), 2 + rng.standard_normal(100), np.ones(100)]
    zeros = np.c_[3 + rng.standard_normal(100), 5 + rng.standard_normal(100), np.zeros(100)]
    table = rng.permutation(np.concatenate([ones, zeros]))
    return table[40:, :2], table[40:, 2:], table[:40, :2], table[:40, 2:]
""",
)
