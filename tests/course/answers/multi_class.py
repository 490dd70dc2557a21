"""Answers to notebook 4."""

from course.harness import Answers

answers = Answers("04_multi_class")
wrong, right = answers.wrong, answers.right

wrong(
    "onehot", "transposed", "rows and columns are exchanged", ("np.eye(classes)[labels]", "np.eye(classes)[labels].T")
)
wrong(
    "onehot",
    "as many columns as labels seen",
    "as many columns as labels were seen",
    ("np.eye(classes)", "np.eye(labels.max() + 1)"),
)
wrong("onehot", "labels begin with 1", "one place too far", ("[labels]", "[labels - 1]"))
wrong(
    "onehot",
    "the columns of a comparison",
    "hold numbers",
    ("np.eye(classes)[labels]", "labels[:, None] == np.arange(classes)"),
)

FORWARD = "return powers / powers.sum(axis=1, keepdims=True)"
BACKWARD = "return p * (delta - np.sum(delta * p, axis=1, keepdims=True))"
wrong(
    "softmax", "the sum over the examples", "axis 0|examples are mixed", (FORWARD, "return powers / powers.sum(axis=0)")
)
wrong("softmax", "the sum over everything", "all axes", (FORWARD, "return powers / powers.sum()"))
wrong("softmax", "not divided by the sum", "do not add up to 1", (FORWARD, "return powers"))
wrong("softmax", "it overflows", "overflow", (" - X.max(axis=1, keepdims=True)", ""))
wrong(
    "softmax", "the maximum of the whole array", "overflow|its own largest", ("X.max(axis=1, keepdims=True)", "X.max()")
)
wrong("softmax", "the diagonal alone", "cross terms", (BACKWARD, "return p * (1 - p) * delta"))
wrong(
    "softmax",
    "the sum without p",
    "lacks y|sum",
    (BACKWARD, "return p * (delta - np.sum(delta, axis=1, keepdims=True))"),
)
wrong(
    "softmax",
    "the sum over the examples in backward",
    "axis|sum",
    (BACKWARD, "return p * (delta - np.sum(delta * p, axis=0, keepdims=True))"),
)
wrong("softmax", "the sum forgotten", "term with the sum|delta ·", (BACKWARD, "return p * delta"))
wrong(
    "softmax",
    "the sign of the sum",
    "wrong sign",
    (BACKWARD, "return p * (delta + np.sum(delta * p, axis=1, keepdims=True))"),
)

LOSS = "return -np.sum(y * np.log(np.maximum(yhat, 1e-12))) / len(y)"
SLOPE = "return -y / np.maximum(yhat, 1e-12) / len(y)"
wrong("entropy", "the minus forgotten", "wrong sign", (LOSS, LOSS.replace("-np.sum", "np.sum")))
wrong("entropy", "a sum over the examples", "divide by their number", (LOSS, LOSS.replace(" / len(y)", "")))
wrong(
    "entropy",
    "a mean over everything",
    "number of classes",
    (LOSS, LOSS.replace("-np.sum", "-np.mean").replace(" / len(y)", "")),
)
wrong(
    "entropy",
    "y and yhat exchanged",
    "logarithm of the targets|expected",
    (LOSS, "return -np.sum(yhat * np.log(np.maximum(y, 1e-12))) / len(y)"),
)
wrong("entropy", "the logarithm of base 2", "another base", ("np.log(", "np.log2("))
wrong("entropy", "log 0", "exactly 0", ("np.log(np.maximum(yhat, 1e-12))", "np.log(yhat)"))
wrong("entropy", "the sign of backward", "sign is wrong", (SLOPE, SLOPE.replace("-y", "y")))
wrong(
    "entropy",
    "backward not divided by N",
    "sum in place of a mean|not divided|divided by",
    (SLOPE, SLOPE.replace(" / len(y)", "")),
)
wrong("entropy", "backward is yhat − y", "softmax|scores|derivative|y is", (SLOPE, "return (yhat - y) / len(y)"))
wrong("entropy", "backward without the probability", "division by yhat", (SLOPE, "return -y / len(y)"))

VALUE = "return np.sum(y * (logarithms - yhat)) / len(y)"
DELTA = "return (Softmax().forward(yhat) - y) / len(y)"
wrong("logits", "the largest logit not added back", "add it back", ("keepdims=True)) + largest", "keepdims=True))"))
wrong("logits", "it overflows", "overflow", ("largest = yhat.max(axis=1, keepdims=True)", "largest = 0"))
wrong("logits", "a sum over the examples", "divide by their number", (VALUE, VALUE.replace(" / len(y)", "")))
wrong("logits", "y not subtracted", "y is not subtracted", (DELTA, "return Softmax().forward(yhat) / len(y)"))
wrong("logits", "y − p", "sign is wrong", (DELTA, "return (y - Softmax().forward(yhat)) / len(y)"))
wrong(
    "logits",
    "backward not divided by N",
    "sum in place of a mean|not divided|divided by",
    (DELTA, DELTA.replace(" / len(y)", "")),
)
wrong("logits", "backward is yhat − y", "yhat|softmax", (DELTA, "return (yhat - y) / len(y)"))
wrong(
    "logits",
    "the softmax's derivative once more",
    "gradient of yhat",
    (DELTA, "p = Softmax().forward(yhat)\n        return p * (1 - p) * (p - y) / len(y)"),
)

wrong("accuracy", "a count", "divide by the number of rows", ("np.mean(", "np.sum("))
wrong(
    "accuracy",
    "the columns",
    "axis=1",
    ("y.argmax(axis=1) == yhat.argmax(axis=1)", "y.argmax(axis=0) == yhat.argmax(axis=0)"),
)
wrong("accuracy", "the wrong ones", "wrong decisions", ("==", "!="))
wrong("accuracy", "a percentage", "percentage", ("return np.mean", "return 100 * np.mean"))

right(
    "onehot",
    "a loop",
    text="""
def one_hot(labels, classes):
    rows = np.zeros((len(labels), classes))
    rows[np.arange(len(labels)), labels] = 1
    return rows
""",
)
right(
    "softmax",
    "Jacobians and einsum",
    (
        BACKWARD,
        """p = self.forward(input)
        jacobians = np.einsum("nk,kl->nkl", p, np.eye(p.shape[1])) - np.einsum("nk,nl->nkl", p, p)
        return np.einsum("nk,nkl->nl", delta, jacobians)""",
    ),
)
right(
    "softmax",
    "row by row",
    text="""
class Softmax(Module):
    def forward(self, X):
        rows = []
        for row in X:
            e = np.exp(row - max(row))
            rows.append(e / sum(e))
        return np.array(rows)

    def backward_delta(self, input, delta):
        out = np.zeros_like(delta)
        for n, p in enumerate(self.forward(input)):
            out[n] = (np.diag(p) - np.outer(p, p)) @ delta[n]
        return out
""",
)
right(
    "entropy",
    "clip, and a mean over the rows",
    (LOSS, "return np.mean(-(y * np.log(yhat.clip(1e-12, 1))).sum(axis=1))"),
    (SLOPE, "return -(y / yhat.clip(1e-12)) / y.shape[0]"),
)
right(
    "logits",
    "log-softmax, and a softmax of its own",
    text="""
class CrossEntropyOfLogits(Loss):
    def _log(self, z):
        z = z - np.max(z, axis=-1)[:, None]
        return z - np.log(np.exp(z).sum(-1))[:, None]

    def forward(self, y, yhat):
        return -(y * self._log(yhat)).sum(axis=-1).mean()

    def backward(self, y, yhat):
        n = yhat.shape[0]
        return np.exp(self._log(yhat)) / n - y / n
""",
)
right(
    "accuracy",
    "counted in a loop",
    text="""
def accuracy(y, yhat):
    good = 0
    for target, answer in zip(y, yhat):
        if target[np.argmax(answer)] == 1:
            good += 1
    return good / len(y)
""",
)
right("onehot", "a comparison", ("np.eye(classes)[labels]", "(labels.reshape(-1, 1) == range(classes)).astype(float)"))
right(
    "logits",
    "softmax minus one at the right class",
    (
        DELTA,
        """p = Softmax().forward(yhat)
        p[np.arange(len(y)), y.argmax(axis=1)] -= 1
        return p / len(y)""",
    ),
)
