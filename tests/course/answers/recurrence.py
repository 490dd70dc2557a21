"""Answers to notebook 7."""

from course.harness import Answers

answers = Answers("07_recurrence")
wrong, right = answers.wrong, answers.right

STATE = "np.tanh(x @ self.weight_x.data.T + h @ self.weight_h.data.T + self.bias.data)"
SLOPE = "da = grad_output * (1 - new**2)"
BACK = "return da @ self.weight_x.data, da @ self.weight_h.data"
wrong("cell", "no tanh", "tanh is missing", (STATE, STATE.removeprefix("np.tanh")))
wrong("cell", "no bias", "bias is missing", (" + self.bias.data", ""))
wrong(
    "cell", "weight_h as it is", "weight_h is to be transposed", ("h @ self.weight_h.data.T", "h @ self.weight_h.data")
)
wrong(
    "cell",
    "tanh of the input's part",
    "of the whole sum",
    (STATE, "h @ self.weight_h.data.T + np.tanh(x @ self.weight_x.data.T + self.bias.data)"),
)
wrong("cell", "no derivative of tanh", "derivative of tanh.*missing", (SLOPE, "da = grad_output"))
wrong("cell", "the derivative at the state before", "not at the state before", (SLOPE, "da = grad_output * (1 - h**2)"))
wrong("cell", "the square forgotten", "square is missing", (SLOPE, "da = grad_output * (1 - new)"))
wrong("cell", "one gradient alone", "two gradients", (BACK, "return da @ self.weight_x.data"))
wrong("cell", "dh, dx", "exchanged", (BACK, "return da @ self.weight_h.data, da @ self.weight_x.data"))
wrong("cell", "weight_h transposed in backward", "without transposing", (BACK, BACK + ".T"))
wrong("cell", "the new state in the gradient of weight_h", "not by the new one", ("da.T @ h", "da.T @ new"))
wrong("cell", "a mean over the rows", "divided by the number of rows", ("da.sum(axis=0)", "da.mean(axis=0)"))
wrong(
    "cell", "no gradient of the bias", "accumulate is missing", ("        self.bias.accumulate(da.sum(axis=0))\n", "")
)
wrong(
    "cell",
    "the gradient is replaced",
    "rule 2",
    ("self.bias.accumulate(da.sum(axis=0))", "self.bias.grad = da.sum(axis=0)"),
)

STEP = "a = x[:, t] @ self.weight_x.data.T + states[-1] @ self.weight_h.data.T + self.bias.data"
wrong("rnn", "the first state at each step", "not carried", ("states[-1] @", "states[0] @"))
wrong("rnn", "the last state alone", "states of all steps", ("np.stack(states[1:], axis=1)", "states[-1]"))
wrong("rnn", "steps first", "steps and rows are exchanged", ("np.stack(states[1:], axis=1)", "np.stack(states[1:])"))
wrong("rnn", "the first state among the outputs", "state at the beginning", ("states[1:]", "states"))
wrong("rnn", "the states before", "step before", ("states[1:]", "states[:-1]"))
wrong("rnn", "nothing from the step after", "dh is to be carried", ("            dh = da @ self.weight_h.data\n", ""))
wrong(
    "rnn",
    "the last step's gradient alone",
    "each step adds its own",
    ("(grad_output[:, t] + dh)", "(dh + grad_output[:, t] * (t == x.shape[1] - 1))"),
)
wrong("rnn", "forwards", "walked forwards", ("in reversed(range(x.shape[1]))", "in range(x.shape[1])"))
wrong("rnn", "no derivative of tanh", "derivative of tanh", (" * (1 - states[t + 1] ** 2)", ""))
wrong(
    "rnn",
    "weight_h transposed",
    "without transposing",
    ("dh = da @ self.weight_h.data", "dh = da @ self.weight_h.data.T"),
)
wrong(
    "rnn",
    "the gradient of one step",
    "one step alone",
    ("self.weight_h.accumulate(da.T @ states[t])", "self.weight_h.grad = da.T @ states[t]"),
)
wrong("rnn", "the step's own state", "not by its own", ("da.T @ states[t])", "da.T @ states[t + 1])"))
wrong("rnn", "double precision", r"x\.dtype", ("np.zeros((len(x), self.m), x.dtype)", "np.zeros((len(x), self.m))"))
wrong(
    "rnn",
    "grad_output is changed",
    "changes grad_output",
    ("da = (grad_output[:, t] + dh)", "grad_output[:, t] += dh\n            da = grad_output[:, t]"),
)

wrong(
    "rnn",
    "nothing is kept",
    "keeps nothing",
    ("self.keep(np.stack(states[1:], axis=1), x, states)", "np.stack(states[1:], axis=1)"),
)

SCALE = "parameter.grad = parameter.grad * (largest / norm)"
NORM = "np.sqrt(sum(np.sum(parameter.grad**2) for parameter in learning))"
wrong("clip", "no square root", "square root is missing", (NORM, NORM.removeprefix("np.sqrt")))
wrong(
    "clip",
    "the sum of the norms",
    "not the sum of the norms",
    (NORM, "sum(np.linalg.norm(parameter.grad) for parameter in learning)"),
)
wrong(
    "clip",
    "each on its own",
    "all gradients together",
    (SCALE, "parameter.grad = parameter.grad * largest / np.linalg.norm(parameter.grad)"),
)
wrong(
    "clip",
    "elements cut off",
    "on its own|cut off",
    (SCALE, "parameter.grad = np.clip(parameter.grad, -largest, largest)"),
)
wrong("clip", "always", "stay as they are", ("if norm > largest:", "if True:"))
wrong("clip", "thrown away", "not changed", (SCALE, "grad = parameter.grad * (largest / norm)"))
wrong("clip", "the norm after", "before clipping", ("    return norm", "    return min(norm, largest)"))
wrong("clip", "largest forgotten", r"1\.2", (SCALE, "parameter.grad = parameter.grad / norm"))

wrong("gates", "a sigmoid for g", "g is a tanh", ("np.tanh(g)", "sigmoid(g)"))
wrong("gates", "PyTorch's order forgotten", "i and f are exchanged", ("i, f, g, o = np.split", "f, i, g, o = np.split"))
wrong("gates", "g and o", "g and o are exchanged", ("i, f, g, o = np.split", "i, f, o, g = np.split"))
wrong("gates", "one gate for both", "not 1 − i", ("new = f * c", "new = (1 - i) * c"))
wrong("gates", "no tanh of c", "tanh of c' is missing", ("shown = np.tanh(new)", "shown = new"))
wrong("gates", "c before h", "exchanged", ("(o * shown, new)", "(new, o * shown)"))
wrong(
    "gates",
    "the way through h forgotten",
    "way through h' is missing",
    ("dnew = dnew + dh * o * (1 - shown**2)", "dnew = dnew"),
)
wrong("gates", "the way through h alone", "gradient of the output c' is missing", ("dnew = dnew + dh", "dnew = dh"))
wrong("gates", "o forgotten in backward", "gate o is missing", ("dh * o * (1 - shown**2)", "dh * (1 - shown**2)"))
wrong("gates", "tanh's derivative forgotten", "derivative of tanh", ("dh * o * (1 - shown**2)", "dh * o"))
wrong("gates", "f forgotten in dc", "forget gate is missing", ("axis=1), dnew * f", "axis=1), dnew"))
wrong("gates", "no derivative of a sigmoid", "own function", (" * i * (1 - i)", " * 1"))
wrong("gates", "a sigmoid's derivative for g", "1 − g²", ("dnew * i * (1 - g**2)", "dnew * i * g * (1 - g)"))
wrong("gates", "the new c in the forget gate", "old c", ("dnew * c * f", "(dnew * (f * c + i * g)) * f"))

wrong(
    "gates", "the blocks of backward in another order", "order of the blocks", ("[di, df, dg, do]", "[df, di, dg, do]")
)
wrong("lstm", "c not carried", "state c is not carried", ("h, c = steps[t](a, c)", "h, _ = steps[t](a, c)"))
wrong(
    "lstm",
    "h not carried",
    "state h is not carried",
    ("h, c = steps[t](a, c)\n            states.append(h)", "new, c = steps[t](a, c)\n            states.append(new)"),
)
wrong("lstm", "the gradient of c not carried", "gradient of c is not carried", ("da, dc = steps", "da, _ = steps"))
wrong(
    "lstm",
    "the gradient of h not carried",
    "gradient of h is not carried",
    ("            dh = da @ self.weight_h.data\n", ""),
)
wrong(
    "lstm",
    "one Gates for all",
    "of its own",
    ("            steps.append(Gates())\n", "            steps.append(steps[0] if steps else Gates())\n"),
)
wrong("lstm", "the step's own state", "not by its own", ("da.T @ states[t])", "da.T @ states[t + 1])"))
wrong(
    "lstm",
    "the gradient of one step",
    "one step alone",
    ("self.bias.accumulate(da.sum(axis=0))", "self.bias.grad = da.sum(axis=0)"),
)
wrong("lstm", "forwards", "walked forwards", ("in reversed(range(x.shape[1]))", "in range(x.shape[1])"))

wrong("lstm", "double precision", r"x\.dtype", ("np.zeros((len(x), self.m), x.dtype)", "np.zeros((len(x), self.m))"))
right(
    "cell",
    "by einsum, one product",
    text="""
class Cell(Recurrent):
    def forward(self, x, h):
        both = np.hstack([x, h])
        weights = np.hstack([self.weight_x.data, self.weight_h.data])
        new = np.tanh(np.einsum("nk,mk->nm", both, weights) + self.bias.data)
        return self.keep(new, both, weights, new)

    def backward(self, grad_output):
        both, weights, new = self.release(grad_output)
        da = grad_output - grad_output * new * new
        dweights = np.einsum("nm,nk->mk", da, both)
        self.weight_x.accumulate(dweights[:, : self.n])
        self.weight_h.accumulate(dweights[:, self.n :])
        self.bias.accumulate(np.ones(len(da), da.dtype) @ da)
        dboth = da @ weights
        return dboth[:, : self.n], dboth[:, self.n :]
""",
)
right(
    "rnn",
    "the products over all steps at once",
    text="""
class RNN(Recurrent):
    def forward(self, x):
        rows, length, _ = x.shape
        read = x @ self.weight_x.data.T + self.bias.data
        states = np.zeros((rows, length + 1, self.m), x.dtype)
        for t in range(length):
            states[:, t + 1] = np.tanh(read[:, t] + states[:, t] @ self.weight_h.data.T)
        return self.keep(states[:, 1:].copy(), x, states)

    def backward(self, grad_output):
        x, states = self.release(grad_output)
        da = np.zeros_like(grad_output)
        back = 0
        for t in range(x.shape[1] - 1, -1, -1):
            da[:, t] = (grad_output[:, t] + back) * (1 - states[:, t + 1] ** 2)
            back = da[:, t] @ self.weight_h.data
        self.weight_x.accumulate(np.einsum("ntm,ntk->mk", da, x))
        self.weight_h.accumulate(np.einsum("ntm,ntk->mk", da, states[:, :-1]))
        self.bias.accumulate(da.sum(axis=(0, 1)))
        return da @ self.weight_x.data
""",
)
right(
    "rnn",
    "a cell for each step",
    text="""
class RNN(Recurrent):
    def forward(self, x):
        h, cells, states = np.zeros((len(x), self.m), x.dtype), [], []
        for t in range(x.shape[1]):
            cell = Cell(self.n, self.m)
            cell.weight_x, cell.weight_h, cell.bias = self.weight_x, self.weight_h, self.bias
            h = cell(x[:, t], h)
            cells.append(cell)
            states.append(h)
        return self.keep(np.stack(states, axis=1), cells)

    def backward(self, grad_output):
        (cells,) = self.release(grad_output)
        dx, dh = [], 0
        for t, cell in reversed(list(enumerate(cells))):
            dx_t, dh = cell.backward(grad_output[:, t] + dh)
            dx.insert(0, dx_t)
        return np.stack(dx, axis=1)
""",
)
right(
    "clip",
    "in place, one long row",
    text="""
def clip(parameters, largest):
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = np.linalg.norm(np.concatenate([g.ravel() for g in gradients]))
    for g in gradients:
        g *= min(1, largest / norm)
    return norm
""",
)
right(
    "gates",
    "sliced, with names of its own",
    text="""
class Gates(maillon.Module):
    def forward(self, a, c):
        m = c.shape[1]
        i, f, o = (1 / (1 + np.exp(-a[:, k * m : (k + 1) * m])) for k in (0, 1, 3))
        g = np.tanh(a[:, 2 * m : 3 * m])
        cell = f * c + i * g
        return self.keep((o * np.tanh(cell), cell), c, i, f, g, o, cell)

    def backward(self, grad_output):
        c, i, f, g, o, cell = self.release(grad_output)
        dh, dcell = grad_output
        t = np.tanh(cell)
        total = dcell + o * dh * (1 - t * t)
        da = np.hstack([total * g * (i - i**2), total * c * (f - f**2), total * i * (1 - g * g), t * dh * (o - o * o)])
        return da, f * total
""",
)
right(
    "lstm",
    "the products over all steps at once",
    text="""
class LSTM(Recurrent):
    blocks = 4

    def forward(self, x):
        zeros = np.zeros((len(x), self.m), x.dtype)
        gates = [Gates() for _ in range(x.shape[1])]
        h, c, states = zeros, zeros, [zeros]
        read = x @ self.weight_x.data.T + self.bias.data
        for t, gate in enumerate(gates):
            h, c = gate(read[:, t] + h @ self.weight_h.data.T, c)
            states.append(h)
        states = np.stack(states, axis=1)
        return self.keep(states[:, 1:].copy(), x, states, gates)

    def backward(self, grad_output):
        x, states, gates = self.release(grad_output)
        dh, dc, das = 0, np.zeros_like(states[:, 0]), []
        for t in range(len(gates) - 1, -1, -1):
            da, dc = gates[t].backward((grad_output[:, t] + dh, dc))
            das.insert(0, da)
            dh = da @ self.weight_h.data
        da = np.stack(das, axis=1)
        flat = da.reshape(-1, da.shape[2])
        self.weight_x.accumulate(flat.T @ x.reshape(-1, self.n))
        self.weight_h.accumulate(flat.T @ states[:, :-1].reshape(-1, self.m))
        self.bias.accumulate(flat.sum(axis=0))
        return da @ self.weight_x.data
""",
)
