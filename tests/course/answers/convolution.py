"""Answers to notebook 6."""

from course.harness import Answers

answers = Answers("06_convolution")
wrong, right = answers.wrong, answers.right

SUM = "np.sum(w * x[i : i + len(w)])"
wrong("correlate", "the last place missing", "last place is missing", ("len(x) - len(w) + 1", "len(x) - len(w)"))
wrong(
    "correlate",
    "as many as in x",
    "wholly on the signal",
    text="def correlate(x, w):\n    return np.convolve(x, w, 'same')\n",
)
wrong("correlate", "all overlaps", "4 results", text="def correlate(x, w):\n    return np.correlate(x, w, 'full')\n")
wrong("correlate", "a flipped kernel", "flipped", (SUM, "np.sum(w[::-1] * x[i : i + len(w)])"))
wrong("correlate", "np.convolve", "flipped", text="def correlate(x, w):\n    return np.convolve(x, w, 'valid')\n")
wrong("correlate", "a mean", "mean; take the sum", (SUM, SUM.replace("sum", "mean")))
wrong("correlate", "products not added", "row of numbers", (SUM, "w * x[i : i + len(w)]"))

PIECE = "y += np.einsum("
BIAS = "self.bias.accumulate(grad_output.sum(axis=(0, 2)))"
wrong("conv1d", "the last k alone", "y \\+=", (PIECE, "y = np.einsum("))
wrong("conv1d", "the bias forgotten", "bias is not added", (" + self.bias.data[:, None]", ""))
wrong(
    "conv1d",
    "the bias for each k",
    "once for each k",
    ("x.dtype) + self.bias.data[:, None]", "x.dtype)"),
    (PIECE, "y += self.bias.data[:, None] + np.einsum("),
)
wrong(
    "conv1d",
    "a flipped kernel",
    "flipped",
    ("self.weight.data[:, :, k], x", "self.weight.data[:, :, -1 - k], x"),
)
wrong("conv1d", "the same piece for each k", "same piece of x", ("k], x[:, :, k : k + length]", "k], x[:, :, :length]"))
wrong("conv1d", "one place too few", "last place of the output", ("self.size + 1", "self.size"))
wrong("conv1d", "= in place of +=", "overwrites", ("k : k + length] += ", "k : k + length] = "))
wrong(
    "conv1d", "all shares at the beginning", "beginning of dx", ("dx[:, :, k : k + length] +=", "dx[:, :, :length] +=")
)
wrong(
    "conv1d",
    "a flipped kernel in backward",
    "flipped",
    ("self.weight.data[:, :, k], grad_output", "self.weight.data[:, :, -1 - k], grad_output"),
)
wrong(
    "conv1d",
    "the gradient of the weight flipped",
    "flipped along axes 2",
    ("dw[:, :, k]", "dw[:, :, -1 - k]"),
)
wrong(
    "conv1d",
    "the gradient of the weight from the same piece",
    "same for every k",
    ("grad_output, x[:, :, k : k + length]", "grad_output, x[:, :, :length]"),
)
wrong("conv1d", "the gradient replaces", "accumulate", ("self.weight.accumulate(dw)", "self.weight.grad = dw"))
wrong("conv1d", "no gradient of the bias", "gradient of the bias is missing", ("        " + BIAS + "\n", ""))
wrong("conv1d", "the bias not summed over the places", "over all places", (BIAS, BIAS.replace("(0, 2)", "0")))
wrong("conv1d", "the bias not summed over the batch", "over the examples", (BIAS, BIAS.replace("(0, 2)", "2")))
wrong("conv1d", "the bias averaged", "is a mean", (BIAS, BIAS.replace("sum", "mean")))
wrong("conv1d", "nothing returned", "return dx", ("        return dx", "        dx"))
wrong("conv1d", "nothing kept", "keeps nothing", ("return self.keep(y, x)", "return y"))
wrong(
    "conv1d",
    "kept by hand",
    "release",
    ("return self.keep(y, x)", "self.x = x\n        return self.keep(y, x)"),
    ("(x,) = self.release(grad_output)", "x = self.x"),
)
wrong(
    "conv1d",
    "a step inside backward",
    "parameter weight.*after backward",
    ("self.weight.accumulate(dw)", "self.weight.accumulate(dw)\n        self.weight.data -= 0.1 * dw"),
)

BIAS2 = "self.bias.accumulate(grad_output.sum(axis=(0, 2, 3)))"
CUT = "return dx[:, :, p : x.shape[2] - p, p : x.shape[3] - p]"
wrong("conv2d", "the padding not cut off", "padding; cut it off", (CUT, "return dx"))
wrong("conv2d", "p : -p", "-p", (CUT, "return dx[:, :, p:-p, p:-p]"))
wrong("conv2d", "= in place of +=", "overwrites", ("rows, columns] += ", "rows, columns] = "))
wrong("conv2d", "padding not used", "padding is not used", ("((0, 0), (0, 0), (p, p), (p, p))", "0"))
wrong("conv2d", "i and j exchanged", "exchanged", ('"oc,nchw->nohw", w[:, :, i, j]', '"oc,nchw->nohw", w[:, :, j, i]'))
wrong(
    "conv2d",
    "i and j exchanged in backward",
    "axes 2, 3 are exchanged",
    ("dw[:, :, i, j]", "dw[:, :, j, i]"),
)
wrong(
    "conv2d",
    "a flipped kernel",
    "flipped along i, j",
    ('"oc,nchw->nohw", w[:, :, i, j]', '"oc,nchw->nohw", w[:, :, -1 - i, -1 - j]'),
)
wrong(
    "conv2d",
    "a flipped kernel in backward",
    "weight is flipped",
    ('"oc,nohw->nchw", w[:, :, i, j]', '"oc,nohw->nchw", w[:, :, -1 - i, -1 - j]'),
)
wrong("conv2d", "the bias summed over the batch only", "over all places", (BIAS2, BIAS2.replace("(0, 2, 3)", "0")))
wrong("conv2d", "the bias summed over one direction", "over all places", (BIAS2, BIAS2.replace("(0, 2, 3)", "(0, 2)")))
wrong("conv2d", "no gradient of the bias", "gradient of the bias is missing", ("        " + BIAS2 + "\n", ""))
wrong(
    "conv2d",
    "the gradient of the bias replaces",
    "accumulate",
    (BIAS2, "self.bias.grad = grad_output.sum(axis=(0, 2, 3))"),
)
wrong(
    "conv2d",
    "divided by the batch",
    "divided by the number of examples",
    ("self.weight.accumulate(dw)", "self.weight.accumulate(dw / len(x))"),
)
wrong("conv2d", "the bias forgotten", "bias is not added", (" + self.bias.data[:, None, None]", ""))
wrong(
    "conv2d",
    "the image without its zeros kept",
    "with its zeros",
    ("x = np.pad(x,", "given, x = x, np.pad(x,"),
    ("return self.keep(y, x)", "return self.keep(y, given)"),
)

SHARE = "grad_output * (largest == place)"
wrong("pool", "the mean", "mean of each window", ("elements.max(axis=0), e", "elements.mean(axis=0), e"))
wrong(
    "pool",
    "the smallest",
    "smallest",
    ("elements.max(axis=0), elements.argmax", "elements.min(axis=0), elements.argmin"),
)
wrong("pool", "every element gets it", "only the largest", (SHARE, "grad_output"))
wrong("pool", "shared out equally", "shared out equally", (SHARE, "grad_output / self.size**2"))
wrong("pool", "the first always", "always goes to the first", (SHARE, "grad_output * (place == 0)"))
wrong("pool", "grad_output not used", "grad_output is not used", (SHARE, "1.0 * (largest == place)"))
wrong(
    "pool",
    "all equal ones",
    "of several equal",
    ("elements.argmax(axis=0), x.shape", "elements == elements.max(axis=0), x.shape"),
    ("(largest == place)", "largest[place]"),
)
wrong(
    "pool",
    "a reshape without a transpose",
    "belong together",
    (
        "np.array([x[:, :, i::size, j::size] for i, j in np.ndindex(size, size)])",
        "np.moveaxis(x.reshape(*x.shape[:2], x.shape[2] // size, x.shape[3] // size, size**2), -1, 0)",
    ),
)
wrong(
    "pool",
    "i and j exchanged in backward",
    "exchanged",
    ("i :: self.size, j :: self.size", "j :: self.size, i :: self.size"),
)
wrong(
    "pool",
    "written for a size of 2",
    "use size",
    ("self.size = size\n", "self.size = 2\n"),
)
wrong(
    "pool",
    "the value multiplied in",
    "multiplied by the largest value",
    ("elements.argmax(axis=0), x.shape", "elements.argmax(axis=0), x.shape, elements.max(axis=0)"),
    ("largest, shape =", "largest, shape, value ="),
    (SHARE, SHARE + " * value"),
)

wrong("network", "no padding", "padding", ("Conv2d(1, 8, 3, padding=1, seed=0)", "Conv2d(1, 8, 3, seed=0)"))
wrong("network", "no Flatten", "Flatten is missing", ("        maillon.Flatten(),\n", ""))
wrong("network", "inputs of another size", "64 inputs", ("16 * 2 * 2", "16 * 4 * 4"))
wrong("network", "a softmax at the end", "no softmax", ("2 * 2, 10),", "2 * 2, 10),\n        maillon.Softmax(dim=1),"))
wrong("network", "the same seed", "same seed", ("seed=1", "seed=0"))
wrong(
    "network",
    "the library's Conv2d",
    "your own",
    ("Conv2d(8, 16, 3, padding=1, seed=1)", "maillon.Conv2d(8, 16, 3, padding=1)"),
)
wrong(
    "network",
    "no ReLU behind the second",
    "ReLU",
    ("Conv2d(8, 16, 3, padding=1, seed=1),\n        maillon.ReLU(),", "Conv2d(8, 16, 3, padding=1, seed=1),"),
)
wrong("network", "the channels of the second", "1 → 8 → 16", ("Conv2d(8, 16,", "Conv2d(8, 8,"), ("16 * 2 * 2", "32"))

right(
    "correlate",
    "sliding windows",
    text="def correlate(x, w):\n    return np.lib.stride_tricks.sliding_window_view(x, len(w)) @ w\n",
)
right(
    "correlate",
    "two loops",
    text="""
def correlate(x, w):
    y = [0.0] * (len(x) - len(w) + 1)
    for i in range(len(y)):
        for k in range(len(w)):
            y[i] += w[k] * x[i + k]
    return y
""",
)
right(
    "conv1d",
    "sliding windows and einsum",
    (
        "return self.keep(y, x)",
        "windows = np.lib.stride_tricks.sliding_window_view(x, self.size, axis=2)\n"
        "        return self.keep(y, x, windows)",
    ),
    ("(x,) = self.release", "x, windows = self.release"),
    ("self.weight.accumulate(dw)", 'self.weight.accumulate(np.einsum("nol,nclk->ock", grad_output, windows))'),
)
HEAD = """
class {name}(maillon.Module):
    def __init__(self, inputs, outputs, size, {padding}seed=0):
        super().__init__()
        self.inputs, self.outputs, self.size, self.seed = inputs, outputs, size, seed
        {keep}
        rng, bound = np.random.default_rng(seed), 1 / np.sqrt(inputs * size)
        self.weight = maillon.Parameter(rng.uniform(-bound, bound, (outputs, inputs, {shape})).astype(np.float32))
        self.bias = maillon.Parameter(rng.uniform(-bound, bound, outputs).astype(np.float32))
"""
right(
    "conv1d",
    "a loop over the output's places",
    text=HEAD.format(name="Conv1d", padding="", keep="pass", shape="size")
    + """
    def forward(self, x):
        w, size = self.weight.data, self.size
        columns = [np.tensordot(x[:, :, i : i + size], w, ([1, 2], [1, 2])) for i in range(x.shape[2] - size + 1)]
        return self.keep(np.stack(columns, axis=2) + self.bias.data.reshape(1, -1, 1), x)

    def backward(self, grad_output):
        (x,) = self.release(grad_output)
        dx = np.zeros(x.shape, x.dtype)
        for i in range(grad_output.shape[2]):
            g = grad_output[:, :, i]
            self.weight.accumulate(np.tensordot(g, x[:, :, i : i + self.size], (0, 0)))
            self.bias.accumulate(g.sum(0))
            dx[:, :, i : i + self.size] += np.tensordot(g, self.weight.data, (1, 0))
        return dx
""",
)
right(
    "conv2d",
    "sliding windows, and a transposed convolution",
    text=HEAD.format(name="Conv2d", padding="padding=0, ", keep="self.padding = padding", shape="size, size")
    + """
    def windows(self, x, margin):
        x = np.pad(x, [(0, 0), (0, 0), (margin, margin), (margin, margin)])
        return np.lib.stride_tricks.sliding_window_view(x, (self.size, self.size), axis=(2, 3))

    def forward(self, x):
        windows = self.windows(x, self.padding)
        y = np.einsum("nchwij,ocij->nohw", windows, self.weight.data)
        return self.keep(y + self.bias.data.reshape(-1, 1, 1), windows)

    def backward(self, grad_output):
        (windows,) = self.release(grad_output)
        self.weight.accumulate(np.einsum("nohw,nchwij->ocij", grad_output, windows))
        self.bias.accumulate(np.einsum("nohw->o", grad_output))
        turned = self.weight.data[:, :, ::-1, ::-1]
        return np.einsum("nohwij,ocij->nchw", self.windows(grad_output, self.size - 1 - self.padding), turned)
""",
)
right(
    "pool",
    "windows as the last axis",
    text="""
class MaxPool2d(maillon.Module):
    def __init__(self, size):
        self.size = size

    def forward(self, x):
        s, (n, c, h, w) = self.size, x.shape
        windows = x.reshape(n, c, h // s, s, w // s, s).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // s, w // s, -1)
        where = windows.argmax(axis=-1)[..., None]
        return self.keep(np.take_along_axis(windows, where, -1)[..., 0], where, x.shape)

    def backward(self, grad_output):
        where, (n, c, h, w) = self.release(grad_output)
        s = self.size
        spread = np.zeros((n, c, h // s, w // s, s * s), grad_output.dtype)
        np.put_along_axis(spread, where, grad_output[..., None], -1)
        return spread.reshape(n, c, h // s, w // s, s, s).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)
""",
)
right(
    "pool",
    "a running maximum",
    text="""
class MaxPool2d(maillon.Module):
    def __init__(self, size):
        self.size = size

    def forward(self, x):
        s = self.size
        best, who = x[:, :, ::s, ::s].copy(), np.zeros(x[:, :, ::s, ::s].shape, int)
        for i in range(s):
            for j in range(s):
                other = x[:, :, i::s, j::s]
                larger = other > best
                best[larger] = other[larger]
                who[larger] = i * s + j
        return self.keep(best, who)

    def backward(self, grad_output):
        (who,) = self.release(grad_output)
        s = self.size
        n, c, h, w = grad_output.shape
        dx = np.zeros((n, c, h * s, w * s), grad_output.dtype)
        for at in np.ndindex(n, c, h, w):
            i, j = divmod(int(who[at]), s)
            dx[at[0], at[1], at[2] * s + i, at[3] * s + j] = grad_output[at]
        return dx
""",
)
right(
    "network",
    "a list, and Sequential inside",
    text="""
def digit_network():
    def block(before, after, seed):
        return [Conv2d(before, after, 3, 1, seed), maillon.ReLU(), MaxPool2d(2)]

    features = maillon.Sequential(*block(1, 8, 5), *block(8, 16, 6))
    return maillon.Sequential(features, maillon.Flatten(), maillon.Linear(64, 10))
""",
)
