"""Weighted sums, tables of vectors, and other shapes of the same values."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon import nn
from maillon.interop.c.program import Program, RefusedError, Value, loop, nested, plus, times
from maillon.typing import Array

FEW = 4
"""So few sums each have a variable of their own; more lie in the output, and the loop over them becomes vectors."""


def product(
    p: Program, label: str, weight: Array, x: str, y: Value, row: str = "0", start: Callable[[str], str] | None = None
) -> list[str]:
    """C for W x in a row of y, added to what is there, or to `start` of an output. `x` is an element, of index i.

    W is stored transposed, so that the inner loop goes over outputs that lie side by side.
    """
    outputs, inputs = weight.shape
    name = p.constant(label, weight.T)
    if outputs <= FEW:
        begin = [f"s{k} = {start(str(k)) if start else y.at(row, k)}" for k in range(outputs)]
        return [
            f"{p.real} {', '.join(begin)};",
            loop("i", inputs),
            f"const {p.real} v = {x};",
            *(f"s{k} += {name}[{plus(times('i', outputs), k)}] * v;" for k in range(outputs)),
            "}",
            *(f"{y.at(row, k)} = s{k};" for k in range(outputs)),
        ]
    filled = [loop("o", outputs), f"{y.at(row, 'o')} = {start('o')};", "}"] if start else []
    added = [loop("o", outputs), f"{y.at(row, 'o')} += {name}[i * {outputs} + o] * v;", "}"]
    return [*filled, loop("i", inputs), f"const {p.real} v = {x};", *added, "}"]


def biased(p: Program, label: str, bias: Array | None) -> Callable[[str], str]:
    """C for the bias of an output, or 0."""
    name = "" if bias is None else p.constant(label, bias)
    return lambda o: f"{name}[{o}]" if name else p.number(0)


def data(parameter: nn.Parameter | None) -> Array | None:
    return None if parameter is None else parameter.data


def _linear(p: Program, link: nn.Linear, x: Value) -> Value:
    outputs, inputs = link.weight.shape
    y = p.value((*x.shape[:-1], outputs))
    rows = y.size // outputs
    start = biased(p, "bias", data(link.bias))
    x_row, y_row = ("0", "0") if rows == 1 else (times("r", inputs), times("r", outputs))
    lines = product(p, "weight", link.weight.data, x.at(x_row, "i"), y, y_row, start)
    p.step(nested([("r", rows)], lines), [x], [y])
    return y


def _bilinear(p: Program, link: nn.Bilinear, x1: Value, x2: Value) -> Value:
    outputs, first, second = link.weight.shape
    y = p.value((*x1.shape[:-1], outputs))
    name, bias = p.constant("weight", link.weight.data), data(link.bias)
    lines = [
        loop("r", y.size // outputs),
        loop("o", outputs),
        f"{p.real} sum = {p.number(0) if bias is None else p.constant('bias', bias) + '[o]'};",
        loop("i", first),
        f"{p.real} inner = {p.number(0)};",
        loop("k", second),
        f"inner += {name}[(o * {first} + i) * {second} + k] * {x2.at(times('r', second), 'k')};",
        "}",
        f"sum += inner * {x1.at(times('r', first), 'i')};",
        "}",
        f"{y.at(times('r', outputs), 'o')} = sum;",
        "}",
        "}",
    ]
    p.step(lines, [x1, x2], [y])
    return y


def _embedding(p: Program, link: nn.Embedding, x: Value) -> Value:
    if not x.buffer.integer:
        raise RefusedError("its indices are not an input of the network.")
    weight = link.weight.data
    if link.max_norm is not None:  # what forward does to the rows that it uses
        norms = np.linalg.norm(weight, ord=link.norm_type, axis=1, keepdims=True)
        weight = weight * np.where(norms > link.max_norm, link.max_norm / (norms + 1e-7), 1)
    count = link.embedding_dim
    y, name = p.value((*x.shape, count)), p.constant("weight", weight)
    lines = [
        loop("i", x.size),
        loop("k", count),
        f"{y.at(times('i', count), 'k')} = {name}[{x.at('i')} * {count} + k];",
        "}",
        "}",
    ]
    p.step(lines, [x], [y])
    return y


def _scale(p: Program, link: nn.Scale, x: Value) -> Value:
    y, count, name = p.value(x.shape), link.num_features, p.constant("weight", link.weight.data)
    line = f"{y.at(times('r', count), 'i')} = {x.at(times('r', count), 'i')} * {name}[i];"
    p.step(nested([("r", x.size // count), ("i", count)], [line]), [x], [y], inplace=True)
    return y


def _periodic(p: Program, link: nn.PeriodicEmbedding, x: Value) -> Value:
    features, hidden, out = link.num_features, link.hidden, link.out
    y = p.value((*x.shape[:-1], features * out))
    own = {"frequency": link.frequency, "phase": link.phase, "weight": link.weight, "bias": link.bias}
    named = {name: p.constant(name, parameter.data) for name, parameter in own.items()}
    at = f"(f * {out - 1} + o)"
    lines = [
        f"const {p.real} v = {x.at(times('r', features), 'f')};",
        f"{p.real} *to = {y.pointer} + (r * {features} + f) * {out};",
        "to[0] = v;",
        loop("o", out - 1),
        f"to[o + 1] = {named['bias']}[{at}];",
        "}",
        loop("k", hidden),
        f"const {p.real} turns = v * {named['frequency']}[f * {hidden} + k];",
        f"const {p.real} angle = {p.number(2 * math.pi)} * (turns - {p.function('rint')}(turns));",
        f"const {p.real} wave = {p.function('cos')}(angle + {named['phase']}[f * {hidden} + k]);",
        loop("o", out - 1),
        f"to[o + 1] += {named['weight']}[{at} * {hidden} + k] * wave;",
        "}",
        "}",
    ]
    p.step([loop("r", x.size // features), loop("f", features), *lines, "}", "}"], [x], [y])
    return y


def _flatten(_p: Program, link: nn.Flatten, x: Value) -> Value:
    start, end = link.dimensions(x.shape)
    return x.viewed((*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def _unflatten(_p: Program, link: nn.Unflatten, x: Value) -> Value:
    dim, sizes = link.dim % len(x.shape), link.unflattened_size
    known = math.prod(part for part in sizes if part != -1)
    whole = tuple(x.shape[dim] // known if part == -1 else part for part in sizes)
    return x.viewed((*x.shape[:dim], *whole, *x.shape[dim + 1 :]))


def same(_p: Program, _link: nn.Module, x: Value) -> Value:
    return x


KNOWN: dict[type[nn.Module], Callable[..., Any]] = {
    nn.Linear: _linear,
    nn.Bilinear: _bilinear,
    nn.Embedding: _embedding,
    nn.Scale: _scale,
    nn.PeriodicEmbedding: _periodic,
    nn.Flatten: _flatten,
    nn.Unflatten: _unflatten,
    nn.Identity: same,
}
