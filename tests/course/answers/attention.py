"""Answers to notebook 8."""

from course.harness import Answers

answers = Answers("08_attention")
wrong, right = answers.wrong, answers.right

SUM = "powers.sum(axis=-1, keepdims=True)"
BACKWARD = "return weights * (grad_output - np.sum(grad_output * weights, axis=-1, keepdims=True))"
wrong("softmax", "axis 1, as for a batch of rows", "axis 1", (SUM, "powers.sum(axis=1, keepdims=True)"))
wrong("softmax", "the sum over everything", "all axes", (SUM, "powers.sum()"))
wrong("softmax", "it overflows", "overflows", (" - scores.max(axis=-1, keepdims=True)", ""))
wrong(
    "softmax",
    "the largest of the whole array",
    "its own largest",
    ("scores.max(axis=-1, keepdims=True)", "scores.max()"),
)
wrong("softmax", "the diagonal alone", "only the diagonal", (BACKWARD, "return weights * (1 - weights) * grad_output"))
wrong("softmax", "no sum", "not subtracted", (BACKWARD, "return weights * grad_output"))
wrong(
    "softmax",
    "the sum without the weights",
    "multiplied by its weight",
    ("np.sum(grad_output * weights, axis", "np.sum(grad_output, axis"),
)
wrong("softmax", "a mean", "not a mean", ("np.sum(grad_output", "np.mean(grad_output"))
wrong("softmax", "the sign", "not added", ("(grad_output - np.sum", "(grad_output + np.sum"))
wrong("softmax", "nothing is kept", "keeps nothing", ("self.keep(weights, weights)", "weights"))

SCORES = "scores = q @ k.swapaxes(-1, -2) / q.shape[-1] ** 0.5"
RETURN = "return dscores @ k, dscores.swapaxes(-1, -2) @ q, weights.swapaxes(-1, -2) @ grad_output"
SOFTENED = "dscores = self.softmax.backward(dweights) / q.shape[-1] ** 0.5"
wrong("attention", "not divided", "not divided by √d", (SCORES, "scores = q @ k.swapaxes(-1, -2)"))
wrong("attention", "divided by d", "it is to be √d", (SCORES, "scores = q @ k.swapaxes(-1, -2) / q.shape[-1]"))
wrong(
    "attention",
    "divided by the root of the length",
    "number of places",
    (SCORES, "scores = q @ k.swapaxes(-1, -2) / q.shape[-2] ** 0.5"),
)
wrong(
    "attention",
    "keys by queries",
    "queries and keys are exchanged",
    (SCORES, "scores = k @ q.swapaxes(-1, -2) / q.shape[-1] ** 0.5"),
)
wrong("attention", "no softmax", "softmax is missing", ("self.softmax(scores)", "scores"))
wrong(
    "attention",
    "np.sqrt makes it double",
    "np.sqrt",
    (SCORES, "scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])"),
)
wrong(
    "attention",
    "weights not left",
    "self.weights",
    (
        "self.weights = self.softmax(scores)\n        return self.keep(self.weights @ v, q, k, v, self.weights)",
        "weights = self.softmax(scores)\n        return self.keep(weights @ v, q, k, v, weights)",
    ),
)
wrong(
    "attention",
    "not divided in backward",
    "division by √d is missing",
    (SOFTENED, "dscores = self.softmax.backward(dweights)"),
)
wrong("attention", "past softmax", "softmax's backward", (SOFTENED, "dscores = dweights / q.shape[-1] ** 0.5"))
wrong(
    "attention",
    "the weights for the derivative of softmax",
    "softmax's backward",
    (SOFTENED, "dscores = weights * dweights / q.shape[-1] ** 0.5"),
)
wrong(
    "attention",
    "dk before dq",
    "dq and dk are exchanged",
    (RETURN, "return dscores.swapaxes(-1, -2) @ q, dscores @ k, weights.swapaxes(-1, -2) @ grad_output"),
)
wrong(
    "attention",
    "dv first",
    "order of the gradients",
    (RETURN, "return weights.swapaxes(-1, -2) @ grad_output, dscores @ k, dscores.swapaxes(-1, -2) @ q"),
)
wrong(
    "attention",
    "dk not transposed",
    "transpose is missing",
    (RETURN, "return dscores @ k, dscores @ q, weights.swapaxes(-1, -2) @ grad_output"),
)
wrong(
    "attention",
    "dv not transposed",
    "transpose is missing",
    (RETURN, "return dscores @ k, dscores.swapaxes(-1, -2) @ q, weights @ grad_output"),
)
wrong("attention", "a single gradient", "three gradients", (RETURN, "return dscores @ k"))

HIDDEN = "return np.where(place > place[:, None], scores.dtype.type(-np.inf), scores)"
wrong("hide", "the past", "past is hidden", ("place > place[:, None]", "place < place[:, None]"))
wrong("hide", "itself too", "see itself", ("place > place[:, None]", "place >= place[:, None]"))
wrong("hide", "zeros", "another number than −∞", (HIDDEN, "return np.where(place > place[:, None], 0, scores)"))
wrong(
    "hide", "a large number", "another number than −∞", (HIDDEN, "return np.where(place > place[:, None], -10, scores)")
)
wrong("hide", "plus infinity", "not \\+∞", ("-np.inf", "np.inf"))
wrong(
    "hide", "exchanged in where", "turned round", (HIDDEN, "return np.where(place > place[:, None], scores, -np.inf)")
)
wrong("hide", "multiplied", "nan", (HIDDEN, "return scores + np.triu(np.ones((len(place), len(place))), 1) * -np.inf"))
wrong("hide", "in place", "are changed", (HIDDEN, "scores[..., place > place[:, None]] = -np.inf\n    return scores"))
wrong("hide", "one place too far", "next place", ("place > place[:, None]", "place > place[:, None] + 1"))

wrong(
    "heads",
    "one reshape",
    "several places",
    ("x.reshape(rows, length, heads, width // heads).swapaxes(1, 2)", "x.reshape(rows, heads, length, width // heads)"),
)
wrong("heads", "not exchanged", "still to be exchanged", ("width // heads).swapaxes(1, 2)", "width // heads)"))
wrong(
    "heads",
    "the heads take turns",
    "take turns",
    (
        "x.reshape(rows, length, heads, width // heads).swapaxes(1, 2)",
        "x.reshape(rows, length, width // heads, heads).transpose(0, 3, 1, 2)",
    ),
)
wrong("heads", "joined without exchanging", "before you join", ("x.swapaxes(1, 2).reshape", "x.reshape"))
wrong("heads", "joined in turns", "take turns", ("x.swapaxes(1, 2).reshape", "x.transpose(0, 2, 3, 1).reshape"))
wrong("heads", "not joined", "still to be joined", (".reshape(rows, length, heads * width)", ""))

LAST = "return self.in_proj.backward(np.concatenate([join(grad) for grad in grads], axis=-1))"
wrong("multihead", "one head", "one head", ("q, k, v = (split(part, self.heads) for", "q, k, v = (split(part, 1) for"))
wrong("multihead", "no out_proj", "out_proj is missing", ("self.keep(self.out_proj(found))", "self.keep(found)"))
wrong("multihead", "k, q, v", "queries and keys are exchanged", ("q, k, v = (", "k, q, v = ("))
wrong("multihead", "q, v, k", "keys and values are exchanged", ("q, k, v = (", "q, v, k = ("))
wrong(
    "multihead", "a residual", "x is added", ("self.keep(self.out_proj(found))", "self.keep(x + self.out_proj(found))")
)
wrong(
    "multihead",
    "not through out_proj",
    "through self.out_proj.backward",
    (
        "dfound = self.out_proj.backward(grad_output)",
        "self.out_proj.backward(grad_output)\n        dfound = grad_output",
    ),
)
wrong("multihead", "joined the other way round", "order v, k, q", ("for grad in grads]", "for grad in grads[::-1]]"))
wrong(
    "multihead",
    "not through in_proj",
    "through self.in_proj.backward",
    (LAST, "return sum(join(grad) for grad in grads)"),
)
wrong(
    "multihead",
    "the values alone",
    "way through the values",
    (
        LAST,
        "zero = np.zeros_like(grad_output)\n"
        "        return self.in_proj.backward(np.concatenate([zero, zero, join(grads[2])], axis=-1))",
    ),
)

wrong(
    "positions",
    "all sines first",
    "take turns",
    (
        "np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, width)",
        "np.hstack([np.sin(angles), np.cos(angles)])",
    ),
)
wrong(
    "positions", "a cosine first", "exchanged", ("[np.sin(angles), np.cos(angles)]", "[np.cos(angles), np.sin(angles)]")
)
wrong("positions", "i for 2i", "with the 2", ("np.arange(0, width, 2) / width", "np.arange(width // 2) / width"))
wrong("positions", "the sign of the exponent", "sign of the exponent", ("[:, None] / 10000", "[:, None] * 10000.0"))
wrong(
    "positions",
    "places begin with 1",
    "begin with 0",
    ("np.arange(length)[:, None]", "np.arange(1, length + 1)[:, None]"),
)
wrong("positions", "sines alone", "all are sines", ("np.cos(angles)", "np.sin(angles)"))
wrong("positions", "transposed", "transposed", (".reshape(length, width)", ".reshape(length, width).T"))
wrong("positions", "10000 forgotten", "base is 10000", ("10000 **", "100 **"))

right(
    "softmax",
    "the matrix of derivatives",
    text="""
class Softmax(maillon.Module):
    def forward(self, scores):
        w = np.exp(scores - np.max(scores, axis=-1)[..., None])
        w /= w.sum(axis=-1)[..., None]
        return self.keep(w.copy(), w)

    def backward(self, grad_output):
        (w,) = self.release(grad_output)
        matrix = w[..., None] * (np.eye(w.shape[-1], dtype=w.dtype) - w[..., None, :])
        return np.einsum("...jl,...j->...l", matrix, grad_output)
""",
)
right(
    "attention",
    "einsum, the queries scaled first",
    text="""
class Attention(maillon.Module):
    def __init__(self, hide=None):
        self.hide, self.softmax, self.weights = hide, Softmax(), None

    def forward(self, q, k, v):
        small = q * q.shape[-1] ** -0.5
        scores = np.einsum("...ld,...sd->...ls", small, k)
        w = self.softmax(scores if self.hide is None else self.hide(scores))
        self.weights = w
        return self.keep(np.einsum("...ls,...sm->...lm", w, v), small, k, v, w)

    def backward(self, grad_output):
        small, k, v, w = self.release(grad_output)
        ds = self.softmax.backward(np.einsum("...lm,...sm->...ls", grad_output, v))
        dsmall = np.einsum("...ls,...sd->...ld", ds, k)
        dk = np.einsum("...ls,...ld->...sd", ds, small)
        return dsmall * small.shape[-1] ** -0.5, dk, np.einsum("...ls,...lm->...sm", w, grad_output)
""",
)
right(
    "hide",
    "a copy and triu",
    text="""
def hide_future(scores):
    seen = scores.copy()
    seen[..., np.triu(np.ones(scores.shape[-2:], dtype=bool), k=1)] = -np.inf
    return seen
""",
)
right(
    "hide",
    "adding minus infinity",
    text="""
def hide_future(scores):
    length = scores.shape[-1]
    added = np.zeros((length, length), dtype=scores.dtype)
    for i in range(length):
        added[i, i + 1 :] = -np.inf
    return scores + added
""",
)
right(
    "heads",
    "pieces stacked and put side by side",
    text="""
def split(x, heads):
    return np.stack(np.split(x, heads, axis=-1), axis=1)


def join(x):
    return np.concatenate([x[:, head] for head in range(x.shape[1])], axis=-1)
""",
)
right(
    "multihead",
    "slices and one array for the gradient",
    (
        "q, k, v = (split(part, self.heads) for part in np.split(self.in_proj(x), 3, axis=-1))",
        "whole, w = self.in_proj(x), self.width\n"
        "        q = split(whole[..., :w], self.heads)\n"
        "        k = split(whole[..., w : 2 * w], self.heads)\n"
        "        v = split(whole[..., 2 * w :], self.heads)",
    ),
    (LAST, "dq, dk, dv = map(join, grads)\n        return self.in_proj.backward(np.dstack([dq, dk, dv]))"),
)
right(
    "positions",
    "by two slices",
    text="""
def positions(length, width):
    table = np.zeros((length, width))
    for i in range(width // 2):
        angle = np.arange(length) * 10000 ** (-2 * i / width)
        table[:, 2 * i] = np.sin(angle)
        table[:, 2 * i + 1] = np.cos(angle)
    return table
""",
)
