"""Answers to notebook 5."""

from course.harness import Answers

answers = Answers("05_autoencoder")
wrong, right = answers.wrong, answers.right

RETURN = "return Sequential(*modules[:half]), Sequential(*modules[half:])"
wrong("autoencoder", "one network", "two networks", (RETURN, "return Sequential(*modules)"))
wrong("autoencoder", "lists of modules", "to be Sequential", (RETURN, "return modules[:half], modules[half:]"))
wrong(
    "autoencoder",
    "the last activation is tanh",
    "the last module is Tanh.*Sigmoid",
    ("    modules[-1] = Sigmoid()\n", ""),
)
wrong(
    "autoencoder",
    "no last activation",
    "last activation is missing",
    ("modules[-1] = Sigmoid()", "modules.pop()"),
    ("half = len(modules) // 2", "half = len(modules) // 2 + 1"),
)
wrong(
    "autoencoder",
    "the decoder narrows",
    "mirror image",
    ("[*sizes, *sizes[-2::-1]]", "[*sizes, *sizes[1:]]"),
    ("zip(widths, widths[1:])", "[*zip(sizes, sizes[1:]), *zip(sizes, sizes[1:])]"),
)
wrong(
    "autoencoder",
    "the same seed for all",
    "same seed",
    ("seed=seed + place", "seed=seed"),
)
wrong("autoencoder", "the seed is not used", "seed is not used", ("seed=seed + place", "seed=place"))
wrong(
    "autoencoder",
    "sigmoid everywhere",
    "elsewhere a Tanh",
    ("seed=seed + place), Tanh()", "seed=seed + place), Sigmoid()"),
)
wrong(
    "autoencoder",
    "no activations inside",
    "no Tanh between",
    ("[Linear(inputs, outputs, seed=seed + place), Tanh()]", "[Linear(inputs, outputs, seed=seed + place)]"),
    ("modules[-1] = Sigmoid()", "modules.append(Sigmoid())"),
)
wrong(
    "autoencoder",
    "written for one length",
    "any length",
    text="""
def autoencoder(sizes, seed=0):
    a, b, c, d = sizes
    encoder = Sequential(Linear(a, b, seed), Tanh(), Linear(b, c, seed + 1), Tanh(), Linear(c, d, seed + 2), Tanh())
    layers = [Linear(d, c, seed + 3), Tanh(), Linear(c, b, seed + 4), Tanh(), Linear(b, a, seed + 5), Sigmoid()]
    return encoder, Sequential(*layers)
""",
)

VALUE = "return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))"
SLOPE = "return (p - y) / (p * (1 - p)) / y.size"
wrong("bce", "the minus forgotten", "wrong sign", (VALUE, VALUE.replace("-np.mean", "np.mean")))
wrong("bce", "the first term only", "second term is missing", (VALUE, "return -np.mean(y * np.log(p))"))
wrong("bce", "a sum", "sum; divide", (VALUE, VALUE.replace("mean", "sum")))
wrong("bce", "divided by N only", "divided by N only", (VALUE, VALUE.replace("mean", "sum") + " / len(y)"))
wrong(
    "bce",
    "the sign of the second term",
    "second term has the wrong sign",
    (VALUE, "return -np.mean(y * np.log(p) - (1 - y) * np.log(1 - p))"),
)
wrong(
    "bce",
    "y and yhat exchanged",
    "exchanged",
    (
        "p = np.clip(yhat, 1e-12, 1 - 1e-12)\n        return -np",
        "p = np.clip(y, 1e-12, 1 - 1e-12)\n        y = yhat\n        return -np",
    ),
)
wrong(
    "bce",
    "no clip in forward",
    "np.clip",
    ("p = np.clip(yhat, 1e-12, 1 - 1e-12)\n        return -np", "p = yhat\n        return -np"),
)
wrong(
    "bce",
    "no clip in backward",
    "backward: a pixel.*np.clip",
    ("p = np.clip(yhat, 1e-12, 1 - 1e-12)\n        return (p", "p = yhat\n        return (p"),
)
wrong("bce", "the sign of backward", "sign is wrong", (SLOPE, SLOPE.replace("(p - y)", "(y - p)")))
wrong("bce", "p − y, as behind a sigmoid", "yhat|sigmoid|derivative", (SLOPE, "return (p - y) / y.size"))
wrong("bce", "backward not divided", "divided|sum in place of a mean", (SLOPE, SLOPE.replace(" / y.size", "")))
wrong("bce", "backward divided by N only", "divided|number of outputs", (SLOPE, SLOPE.replace("y.size", "len(y)")))
wrong("bce", "the first term of backward only", "1 − y|second|term|missing|right", (SLOPE, "return -y / p / y.size"))

NOISE = "return x + rng.normal(0, scale, size=x.shape)"
wrong("noise", "in place", "in place", (NOISE, "x += rng.normal(0, scale, size=x.shape)\n    return x"))
wrong("noise", "one number for all", "same number is added to all", (NOISE, "return x + rng.normal(0, scale)"))
wrong("noise", "one row for all images", "every image gets the same", (NOISE, NOISE.replace("x.shape", "x.shape[1]")))
wrong("noise", "a number an image", "all pixels of an image", (NOISE, NOISE.replace("x.shape", "(len(x), 1)")))
wrong("noise", "the variance", "variance", (NOISE, NOISE.replace("scale,", "np.sqrt(scale),")))
wrong("noise", "multiplied", "do not multiply", (NOISE, NOISE.replace("x + ", "x * ").replace("(0,", "(1,")))
wrong("noise", "scale not used", "scale is not used", (NOISE, "return x + rng.normal(size=x.shape)"))
wrong("noise", "the noise alone", "takes the place", (NOISE, NOISE.replace("x + ", "")))
wrong(
    "noise", "a generator of its own", "rng that is given", (NOISE, NOISE.replace("rng.", "np.random.default_rng(0)."))
)
wrong("noise", "uniform", "uniform", (NOISE, "return x + rng.uniform(-scale, scale, size=x.shape)"))
wrong("noise", "only upwards", "mean of the noise", (NOISE, "return x + np.abs(rng.normal(0, scale, size=x.shape))"))
wrong("noise", "cut to 0 … 1", "cut to", (NOISE, "return np.clip(x + rng.normal(0, scale, size=x.shape), 0, 1)"))

STEP = "optim.step(add_noise(x[rows], scale, rng), x[rows])"
LOSSES = f"losses = [{STEP} for rows in batches(len(x), batch_size, rng)]"
wrong(
    "denoise",
    "the target is noisy",
    "target is noisy too",
    (STEP, "optim.step(*[add_noise(x[rows], scale, rng)] * 2)"),
)
wrong("denoise", "exchanged", "exchanged", (STEP, "optim.step(x[rows], add_noise(x[rows], scale, rng))"))
wrong("denoise", "no noise", "no noise", (STEP, "optim.step(x[rows], x[rows])"))
wrong(
    "denoise",
    "noise drawn once",
    "same noise in every epoch",
    ("    history = []\n", "    history, noisy = [], add_noise(x, scale, rng)\n"),
    ("add_noise(x[rows], scale, rng)", "noisy[rows]"),
)
wrong(
    "denoise",
    "other rows of the target",
    "not the same images",
    (STEP, "optim.step(add_noise(x[rows], scale, rng), x[: len(rows)])"),
)
wrong(
    "denoise",
    "x is overwritten",
    "noise of one epoch is still there|target is noisy",
    (
        LOSSES,
        "x[...] = add_noise(x, scale, rng)\n        " + LOSSES.replace(STEP, "optim.step(x[rows], x[rows])"),
    ),
)
wrong("denoise", "scale not passed on", "standard deviation", ("scale, rng), x[rows])", "1.0, rng), x[rows])"))
wrong("denoise", "one epoch", "3 epochs", ("range(epochs)", "range(1)"))
wrong("denoise", "every loss kept", "one an epoch", ("history.append(np.mean(losses))", "history.extend(losses)"))
wrong("denoise", "the last loss", "last loss", ("np.mean(losses)", "losses[-1]"))
wrong("denoise", "no return", "returns nothing", ("    return history", "    history"))

WEIGHT = "input.T @ inside + delta.T @ self.hidden(input)"
wrong("tied", "the encoder's share only", "share of the encoder only", (WEIGHT, "input.T @ inside"))
wrong("tied", "the decoder's share only", "share of the decoder only", (WEIGHT, "delta.T @ self.hidden(input)"))
wrong("tied", "the shares subtracted", "subtracted", (WEIGHT, WEIGHT.replace("+", "-")))
wrong("tied", "the mean of the shares", "mean of the two", (WEIGHT, f"({WEIGHT}) / 2"))
wrong(
    "tied",
    "the decoder's share transposed",
    "ValueError|broadcast|shape",
    (WEIGHT, "input.T @ inside + self.hidden(input).T @ delta"),
)
wrong("tied", "the derivative of tanh forgotten", "1 − H²", (" * (1 - self.hidden(input) ** 2)", ""))
wrong("tied", "1 − H", "not 1 − H", ("self.hidden(input) ** 2)", "self.hidden(input))"))
wrong("tied", "no tanh", "tanh is missing", ("return np.tanh(X @", "return (X @"))
wrong("tied", "the bias c forgotten", "bias c", (' + self._parameters["out"]\n', "\n"))
wrong(
    "tied",
    "the gradient replaces",
    "adds|added|what was there",
    ('self._gradient["weight"] +=', 'self._gradient["weight"] ='),
)
wrong(
    "tied",
    "backward_delta by the decoder alone",
    "derivative of tanh",
    (
        'return self.delta_inside(input, delta) @ self._parameters["weight"].T',
        'return delta @ self._parameters["weight"] @ self._parameters["weight"].T',
    ),
)
wrong("tied", "the bias not summed", "bias|shape|broadcast", ("inside.sum(axis=0, keepdims=True)", "inside"))
wrong(
    "tied",
    "the step upwards",
    "update_parameters",
    ("self._parameters[name] -= gradient_step", "self._parameters[name] += gradient_step"),
)

right(
    "autoencoder",
    "two loops",
    text="""
def autoencoder(sizes, seed=0):
    encoder, decoder = [], []
    for i in range(len(sizes) - 1):
        encoder.append(Linear(sizes[i], sizes[i + 1], seed))
        encoder.append(Tanh())
        seed += 1
    for i in range(len(sizes) - 1, 0, -1):
        decoder.append(Linear(sizes[i], sizes[i - 1], seed))
        decoder.append(Tanh() if i > 1 else Sigmoid())
        seed += 1
    return Sequential(*encoder), Sequential(*decoder)
""",
)
right(
    "autoencoder",
    "blocks in blocks",
    text="""
def autoencoder(sizes, seed=0):
    def block(n, p, number, activation):
        return Sequential(Linear(n, p, seed=seed + number), activation)

    down = list(zip(sizes[:-1], sizes[1:]))
    up = [(p, n) for n, p in reversed(down)]
    encoder = [block(n, p, number, Tanh()) for number, (n, p) in enumerate(down)]
    last = len(up) - 1
    decoder = [block(n, p, 50 + k, Sigmoid() if k == last else Tanh()) for k, (n, p) in enumerate(up)]
    return [Sequential(*encoder), Sequential(*decoder)]
""",
)
right(
    "bce",
    "two terms in backward, and a mean of rows",
    (VALUE, "return float((-(y * np.log(p)) - (1 - y) * np.log1p(-p)).sum() / (y.shape[0] * y.shape[1]))"),
    (SLOPE, "return ((1 - y) / (1 - p) - y / p) / np.prod(y.shape)"),
)
right("noise", "scaled normal numbers", (NOISE, "return np.add(x, scale * rng.standard_normal(x.shape))"))
right(
    "denoise",
    "noise for a whole epoch",
    text="""
def train_denoising(optim, x, scale, batch_size, epochs, rng):
    means = np.empty(epochs)
    for epoch in range(epochs):
        noisy, losses = add_noise(x, scale, rng), []
        for rows in batches(x.shape[0], batch_size, rng):
            losses.append(optim.step(noisy[rows], x[rows]))
        means[epoch] = sum(losses) / len(losses)
    return means
""",
)
right(
    "tied",
    "kept by forward, einsum",
    text="""
class Tied(Module):
    def __init__(self, inputs, hidden, seed=0):
        rng = np.random.default_rng(seed)
        self._parameters = {
            "weight": rng.uniform(-1, 1, size=(inputs, hidden)) / np.sqrt(inputs),
            "bias": np.zeros((1, hidden)),
            "out": np.zeros((1, inputs)),
        }
        self.zero_grad()

    def forward(self, X):
        w, b, c = self._parameters.values()
        self.h = np.tanh(np.einsum("nd,dh->nh", X, w) + b)
        return np.einsum("nh,dh->nd", self.h, w) + c

    def zero_grad(self):
        self._gradient = {name: np.zeros(array.shape) for name, array in self._parameters.items()}

    def _inside(self, delta):
        return np.einsum("nd,dh->nh", delta, self._parameters["weight"]) * (1 - self.h * self.h)

    def backward_update_gradient(self, input, delta):
        inside = self._inside(delta)
        self._gradient["weight"] += np.einsum("nd,nh->dh", delta, self.h)
        self._gradient["weight"] += np.einsum("nd,nh->dh", input, inside)
        self._gradient["bias"] += inside.sum(0)
        self._gradient["out"] += delta.sum(0)

    def backward_delta(self, input, delta):
        return np.einsum("nh,dh->nd", self._inside(delta), self._parameters["weight"])

    def update_parameters(self, gradient_step=1e-3):
        for name in self._parameters:
            self._parameters[name] = self._parameters[name] - gradient_step * self._gradient[name]
""",
)
