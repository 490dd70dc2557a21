"""Recurrent links, one number at a time: sequence after sequence, step after step, gate after gate."""

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.typing import Array
from naive.activations import logistic

Row = list[float]
Step = Callable[[Any, str, Row, Row, Row], tuple[Row, Row]]
"""(link, the end of the weights' names, x, h, c) → h', c'; c is only an LSTM's."""


def _shares(link: Any, kind: str, end: str, x: Row) -> list[Row]:
    """The weighted sums of x, with the bias, cut into the gates."""
    weight = getattr(link, f"weight_{kind}{end}").data.tolist()
    bias = getattr(link, f"bias_{kind}{end}")
    biases = [0.0] * len(weight) if bias is None else bias.data.tolist()
    sums = [b + sum(w * v for w, v in zip(ws, x, strict=True)) for ws, b in zip(weight, biases, strict=True)]
    size = link.hidden_size
    return [sums[start : start + size] for start in range(0, len(sums), size)]


def simple_step(link: Any, end: str, x: Row, h: Row, c: Row) -> tuple[Row, Row]:
    f = math.tanh if link.nonlinearity == "tanh" else lambda a: max(a, 0.0)
    (of_x,), (of_h,) = _shares(link, "ih", end, x), _shares(link, "hh", end, h)
    return [f(a + b) for a, b in zip(of_x, of_h, strict=True)], c


def lstm_step(link: Any, end: str, x: Row, h: Row, c: Row) -> tuple[Row, Row]:
    gates = zip(_shares(link, "ih", end, x), _shares(link, "hh", end, h), strict=True)
    i, f, g, o = ([a + b for a, b in zip(*pair, strict=True)] for pair in gates)
    cells = [logistic(f[k]) * c[k] + logistic(i[k]) * math.tanh(g[k]) for k in range(len(c))]
    made = [logistic(o[k]) * math.tanh(cells[k]) for k in range(len(c))]
    if getattr(link, "proj_size", 0):
        projection = getattr(link, f"weight_hr{end}").data.tolist()
        made = [sum(w * v for w, v in zip(ws, made, strict=True)) for ws in projection]
    return made, cells


def gru_step(link: Any, end: str, x: Row, h: Row, c: Row) -> tuple[Row, Row]:
    (r, z, n), (r_h, z_h, n_h) = _shares(link, "ih", end, x), _shares(link, "hh", end, h)
    after = []
    for k in range(len(h)):
        reset, update = logistic(r[k] + r_h[k]), logistic(z[k] + z_h[k])
        new = math.tanh(n[k] + reset * n_h[k])
        after.append((1 - update) * new + update * h[k])
    return after, c


def _parts(state: Any) -> tuple[Any, Any]:
    return state if isinstance(state, tuple) else (state, state)


def cell(step: Step) -> Callable[..., Any]:
    """One step, sample after sample."""

    def naive(link: Any, x: Array, hx: Any = None) -> Any:
        size, samples = link.hidden_size, np.atleast_2d(x).tolist()
        zeros = np.zeros((len(samples), size))
        h, c = (np.atleast_2d(part).tolist() for part in _parts(zeros if hx is None else hx))
        made = [step(link, "", *row) for row in zip(samples, h, c, strict=True)]
        after = tuple(np.array([row[part] for row in made]).reshape(*x.shape[:-1], size) for part in range(2))
        return after if "LSTM" in type(link).__name__ else after[0]

    return naive


def layers(step: Step) -> Callable[..., Any]:
    """Layer over layer, direction after direction, sequence after sequence."""

    def naive(link: Any, x: Array, hx: Any = None) -> Any:
        swapped = link.batch_first and x.ndim == 3
        sequences = x[:, None] if x.ndim == 2 else x.transpose(1, 0, 2) if swapped else x
        y = sequences.tolist()  # y[step][sample]
        batch = len(y[0])
        directions = ("", "_reverse") if link.bidirectional else ("",)
        features = link.proj_size or link.hidden_size
        rows = link.num_layers * len(directions)
        zeros = (np.zeros((rows, batch, features)), np.zeros((rows, batch, link.hidden_size)))
        first = zeros if hx is None else tuple(part.reshape(rows, batch, -1) for part in _parts(hx))
        generator = copy.deepcopy(link.generator)
        last: tuple[list[list[Row]], list[list[Row]]] = ([], [])
        for layer in range(link.num_layers):
            if layer and link.dropout and link.training:
                y = _dropped(y, link.dropout, generator)
            over: list[list[Row]] = [[[] for _ in range(batch)] for _ in y]
            for direction, suffix in enumerate(directions):
                row = layer * len(directions) + direction
                h, c = (part[row].tolist() for part in first)
                for t in reversed(range(len(y))) if direction else range(len(y)):
                    for n in range(batch):
                        h[n], c[n] = step(link, f"_l{layer}{suffix}", y[t][n], h[n], c[n])
                        over[t][n] = over[t][n] + h[n]
                last[0].append(h)
                last[1].append(c)
            y = over
        output = np.array(y)
        final = tuple(np.array(part) for part in last)
        if x.ndim == 2:
            output, final = output[:, 0], tuple(part[:, 0] for part in final)
        elif swapped:
            output = output.transpose(1, 0, 2)
        return output, final if type(link).__name__ == "LSTM" else final[0]

    return naive


def _dropped(y: list[list[Row]], p: float, generator: Any) -> list[list[Row]]:
    """A word of the generator for each value, step after step; with p = 1 nothing is left."""
    return [[[_kept(value, p, generator) for value in row] for row in step] for step in y]


def _kept(value: float, p: float, generator: Any) -> float:
    if p == 1:
        return 0.0
    (word,) = generator.random_raw(1).tolist()
    return value / (1 - p) if (word % 2**24) / 2**24 >= np.float32(p) else 0.0


def last_step(_link: Any, x: Any) -> Array:
    """The last rows of h_n, side by side."""
    output, state = x
    hidden = _parts(state)[0]
    count = output.shape[-1] // hidden.shape[-1]
    return np.concatenate([hidden[len(hidden) - count + place] for place in range(count)], axis=-1)


def every_step(_link: Any, x: Any) -> Array:
    return np.array(x[0])
