"""Answers to notebook 1."""

from course.harness import Answers

answers = Answers("01_linear_module")
wrong, right = answers.wrong, answers.right

STEP = "            model.update_parameters(gradient_step)\n"
GRADIENT = "            model.backward_update_gradient(x[rows], delta)\n"
BACKWARD = "return 2 * (yhat - y) / y.size"
wrong(
    "mse",
    "the factor 2 forgotten",
    "factor 2 is missing",
    (BACKWARD, "return (yhat - y) / y.size"),
)
wrong(
    "mse",
    "not divided by the number of elements",
    "not divided|sum in place of a mean|divided by 10, .*, and backward is not",
    (BACKWARD, "return 2 * (yhat - y)"),
)
wrong(
    "mse",
    "divided by the examples only",
    "not divided|sum in place of a mean|number of outputs",
    (BACKWARD, "return 2 * (yhat - y) / len(y)"),
)
wrong("mse", "the wrong sign", "sign is wrong", (BACKWARD, "return 2 * (y - yhat) / y.size"))
wrong("mse", "the absolute value", "sign is lost", (BACKWARD, "return 2 * np.abs(yhat - y) / y.size"))
wrong(
    "mse",
    "the value in place of the derivative",
    "value, not its derivative",
    (BACKWARD, "return (yhat - y) ** 2 / y.size"),
)
wrong("mse", "a sum in place of the mean", "sum in place of a mean|MSELoss.*gives", ("np.mean(", "np.sum("))
wrong(
    "mse", "the root", "square root|MSELoss.*gives", ("np.mean((yhat - y) ** 2)", "np.sqrt(np.mean((yhat - y) ** 2))")
)
wrong(
    "mse",
    "y changed in place",
    "in place",
    ("return np.mean((yhat - y) ** 2)", "yhat -= y\n        return np.mean(yhat**2)"),
)
wrong("mse", "no return", "return missing", ("        return 2 * (yhat", "        2 * (yhat"))

wrong("slope", "one side only", "one side", ("f(w - step)) / (2 * h)", "f(w)) / h"))
wrong("slope", "divided by h", "twice too large", ("(2 * h)", "h"))
wrong("slope", "all places moved at once", "all elements at once", ("step[place] = h", "step[...] = h"))
wrong("slope", "the sign", "wrong sign", ("f(w + step) - f(w - step)", "f(w - step) - f(w + step)"))
wrong(
    "slope",
    "w is left moved",
    "changes w",
    text="""
def slope(f, w, h=1e-5):
    measured = np.zeros_like(w)
    for place in np.ndindex(w.shape):
        w[place] += h
        above = f(w)
        w[place] -= 2 * h
        measured[place] = (above - f(w)) / (2 * h)
    return measured
""",
)

WEIGHT = 'self._gradient["weight"] += input.T @ delta'
BIAS = 'self._gradient["bias"] += delta.sum(axis=0, keepdims=True)'
wrong("linear", "the bias forgotten in forward", "bias is missing", (' + self._parameters["bias"]\n', "\n"))
wrong(
    "linear",
    "the bias subtracted",
    "bias has the wrong sign",
    (' + self._parameters["bias"]\n', ' - self._parameters["bias"]\n'),
)
wrong("linear", "the weight's gradient overwritten", "\\+= in place of =", (WEIGHT, WEIGHT.replace("+=", "=")))
wrong("linear", "the bias's gradient overwritten", "\\+= in place of =", (BIAS, BIAS.replace("+=", "=")))
wrong("linear", "the mean over the batch", "mean in place of a sum", (WEIGHT, WEIGHT + " / len(input)"))
wrong("linear", "the bias's gradient averaged", "mean in place of a sum", ("delta.sum(", "delta.mean("))
wrong(
    "linear",
    "the bias's gradient not summed",
    "not summed|shape \\(5, 2\\)|broadcast",
    (BIAS, 'self._gradient["bias"] = self._gradient["bias"] + delta'),
)
wrong("linear", "the bias's gradient forgotten", "bias.*(zero everywhere|None)", (f"        {BIAS}\n", ""))
wrong(
    "linear",
    "the weight's gradient transposed",
    "transposed|shape|broadcast",
    (WEIGHT, 'self._gradient["weight"] = self._gradient["weight"].T + delta.T @ input'),
)
wrong(
    "linear",
    "delta of the input not multiplied by the weights",
    "shape|itself",
    ('delta @ self._parameters["weight"].T', "delta"),
)
wrong(
    "linear",
    "delta multiplied by the gradient",
    "input|weight",
    ('delta @ self._parameters["weight"].T', 'delta @ self._gradient["weight"].T'),
)
wrong(
    "linear",
    "the step with the gradient",
    "with the gradient|against",
    ("[name] -= gradient_step", "[name] += gradient_step"),
)
wrong("linear", "the step without its size", "gradient_step is not used", ("gradient_step * gradient", "gradient"))
wrong("linear", "a step of its own", "gradient_step is not used|default", ("-= gradient_step *", "-= 1e-3 *"))
wrong(
    "linear",
    "zero_grad zeroes the parameters",
    "not the parameters",
    ("in self._gradient.values():\n            gradient", "in self._parameters.values():\n            gradient"),
)
wrong(
    "linear",
    "zero_grad does nothing",
    "does not set it to zero",
    ("            gradient[...] = 0", "            gradient = 0"),
)
wrong("linear", "backward_delta returns nothing", "return missing", ("        return delta @", "        delta @"))

wrong(
    "standardise",
    "rows in place of columns",
    "each column",
    ("(z - z.mean(axis=0)) / z.std(axis=0)", "(z - z.mean(axis=1, keepdims=True)) / z.std(axis=1, keepdims=True)"),
)
wrong(
    "standardise",
    "the whole array",
    "each column",
    ("(z - z.mean(axis=0)) / z.std(axis=0)", "(z - z.mean()) / z.std()"),
)
wrong("standardise", "the variance", "standard deviation", ("z.std(", "z.var("))
wrong("standardise", "not centred", "mean of each column", ("(z - z.mean(axis=0))", "z"))
wrong(
    "standardise",
    "in place",
    "changes z",
    (
        "    return (z - z.mean(axis=0)) / z.std(axis=0)",
        "    z -= z.mean(axis=0)\n    z /= z.std(axis=0)\n    return z",
    ),
)

wrong("train", "zero_grad forgotten", "zero_grad is missing", ("            model.zero_grad()\n", ""))
wrong(
    "train",
    "y and yhat exchanged",
    "target first",
    ("loss.backward(y[rows], model.forward(x[rows]))", "loss.backward(model.forward(x[rows]), y[rows])"),
)
wrong(
    "train",
    "the last mini-batch left out",
    "last mini-batch",
    ("range(0, len(x), batch_size)", "range(0, len(x) - batch_size + 1, batch_size)"),
)
wrong("train", "a single epoch", "one epoch|mini-batches of two epochs", ("range(epochs)", "range(1)"))
wrong(
    "train",
    "the update before the gradient",
    "before backward_update_gradient",
    (
        GRADIENT + STEP,
        STEP + GRADIENT,
    ),
)
wrong(
    "train",
    "no update",
    "update_parameters is never called",
    ("            model.update_parameters(gradient_step)\n", ""),
)
wrong("train", "the step of the default", "got the step", ("update_parameters(gradient_step)", "update_parameters()"))
wrong(
    "train",
    "all rows in the gradient",
    "the same rows",
    ("backward_update_gradient(x[rows], delta)", "backward_update_gradient(x, delta)"),
)
wrong(
    "train",
    "no loss before the first epoch",
    "epochs \\+ 1",
    ("    history = [loss.forward(y, model.forward(x))]\n", "    history = []\n"),
)
wrong(
    "train",
    "the loss of the last mini-batch",
    "on all rows",
    (
        "        history.append(loss.forward(y, model.forward(x)))",
        "        history.append(loss.forward(y[rows], model.forward(x[rows])))",
    ),
)
wrong(
    "train",
    "one update an epoch",
    "there are fewer",
    ("            model.update_parameters(gradient_step)\n", "        model.update_parameters(gradient_step)\n"),
)

right(
    "mse",
    "an average by hand",
    text="""
class MSELoss(Loss):
    def forward(self, y, yhat):
        rows, columns = y.shape
        total = 0.0
        for n in range(rows):
            for j in range(columns):
                total += (y[n, j] - yhat[n, j]) ** 2
        return total / (rows * columns)

    def backward(self, y, yhat):
        return -2 / (y.shape[0] * y.shape[1]) * (y - yhat)
""",
)
right("mse", "a mean of means", ("np.mean((yhat - y) ** 2)", "((y - yhat) ** 2).mean(axis=1).mean()"))
right(
    "slope",
    "in place and put back",
    text="""
def slope(f, w, h=1e-5):
    out = np.empty(w.shape)
    for place in np.ndindex(*w.shape):
        old = w[place]
        w[place] = old + h
        high = f(w)
        w[place] = old - h
        low = f(w)
        w[place] = old
        out[place] = (high - low) / (2 * h)
    return out
""",
)
right(
    "linear",
    "einsum, a flat sum, new arrays",
    (WEIGHT, 'self._gradient["weight"] = self._gradient["weight"] + np.einsum("ni,nj->ij", input, delta)'),
    (BIAS, 'self._gradient["bias"] = self._gradient["bias"] + delta.sum(0)'),
)
right(
    "linear",
    "loops over the examples",
    (WEIGHT, 'for row, d in zip(input, delta):\n            self._gradient["weight"] += np.outer(row, d)'),
    (BIAS, 'self._gradient["bias"] += np.ones((1, len(delta))) @ delta'),
)
right(
    "linear",
    "the input is kept by forward, a new dict of zeros",
    text="""
class Linear(Module):
    def __init__(self, inputs, outputs, seed=0):
        super().__init__()
        rng = np.random.default_rng(seed)
        self._parameters["weight"] = rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
        self._parameters["bias"] = rng.standard_normal((1, outputs))
        self.zero_grad()

    def forward(self, X):
        self.last = X
        return np.dot(X, self._parameters["weight"]) + self._parameters["bias"]

    def zero_grad(self):
        self._gradient = {name: np.zeros_like(p) for name, p in self._parameters.items()}

    def backward_update_gradient(self, input, delta):
        self._gradient["weight"] += np.dot(delta.T, input).T
        self._gradient["bias"] += np.sum(delta, axis=0)[np.newaxis]

    def backward_delta(self, input, delta):
        return (self._parameters["weight"] @ delta.T).T

    def update_parameters(self, gradient_step=1e-3):
        self._parameters = {n: p - gradient_step * self._gradient[n] for n, p in self._parameters.items()}
""",
)
right(
    "standardise",
    "column by column",
    text="""
def standardise(z):
    return np.column_stack([(column - np.mean(column)) / np.std(column) for column in z.T])
""",
)
right(
    "train",
    "zero_grad after the step, and np.array_split",
    text="""
def train(model, loss, x, y, gradient_step, epochs, batch_size):
    n = x.shape[0]
    losses = [loss.forward(y, model.forward(x))]
    cuts = list(range(batch_size, n, batch_size))
    for epoch in range(epochs):
        for xb, yb in zip(np.split(x, cuts), np.split(y, cuts)):
            yhat = model.forward(xb)
            delta = loss.backward(yb, yhat)
            model.backward_update_gradient(xb, delta)
            model.update_parameters(gradient_step=gradient_step)
            model.zero_grad()
        losses += [loss.forward(y, model.forward(x))]
    return np.array(losses)
""",
)
right(
    "standardise",
    "keepdims",
    (
        "(z - z.mean(axis=0)) / z.std(axis=0)",
        "(z - np.mean(z, 0, keepdims=True)) / np.sqrt(np.var(z, 0, keepdims=True))",
    ),
)
