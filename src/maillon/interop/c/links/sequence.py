"""Recurrent links: one step of a sequence, from the state to the state."""

from collections.abc import Callable
from typing import Any

import numpy as np

from maillon import nn
from maillon.interop.c.links.activations import sigmoid, tanh
from maillon.interop.c.links.linear import biased, data, product
from maillon.interop.c.program import Program, RefusedError, Value, loop, nested
from maillon.typing import Array

LAYERS: tuple[type[nn.Module], ...] = (nn.RNN, nn.LSTM, nn.GRU)
CELLS: tuple[type[nn.Module], ...] = (nn.RNNCell, nn.LSTMCell, nn.GRUCell)
Weights = dict[str, Array | None]
"""weight_ih, weight_hh, bias_ih, bias_hh and weight_hr, under these names."""


def _sum(one: Array | None, other: Array | None) -> Array | None:
    return one if other is None else other if one is None else one + other


def _simple(p: Program, link: Any, weights: Weights, x: Value, before: list[Value], after: list[Value]) -> None:
    """h' = f(W_ih x + b_ih + W_hh h + b_hh)."""
    (h,), (new,), size = before, after, link.hidden_size
    a = p.value((size,))
    ends = tanh(p, a.at("o"))
    if link.nonlinearity == "relu":
        ends = f"{a.at('o')} < {p.number(0)} ? {p.number(0)} : {a.at('o')}"
    lines = [*_sums(p, weights, x, h, a), loop("o", size), f"{new.at('o')} = {ends};", "}"]
    p.step(lines, [x, h, a], [new, a])


def _sums(p: Program, weights: Weights, x: Value, h: Value, a: Value) -> list[str]:
    """a = b_ih + b_hh + W_ih x + W_hh h."""
    start = biased(p, "bias", _sum(weights["bias_ih"], weights["bias_hh"]))
    return [
        *_block(product(p, "weight_ih", _there(weights["weight_ih"]), x.at("i"), a, start=start)),
        *_block(product(p, "weight_hh", _there(weights["weight_hh"]), h.at("i"), a)),
    ]


def _block(lines: list[str]) -> list[str]:
    return ["{", *lines, "}"]


def _there(weight: Array | None) -> Array:
    assert weight is not None
    return weight


def _long_short(p: Program, link: Any, weights: Weights, x: Value, before: list[Value], after: list[Value]) -> None:
    """c' = f c + i g, h' = o tanh c', the gates i, f, g, o in this order; with a projection h' = W_hr (o tanh c')."""
    (h, c), (new_h, new_c), size = before, after, link.hidden_size
    a, project = p.value((4 * size,)), weights["weight_hr"]
    made = new_h if project is None else p.value((size,))
    gate = [a.at(k * size, "o") for k in range(4)]
    lines = [
        *_sums(p, weights, x, h, a),
        loop("o", size),
        f"const {p.real} in = {sigmoid(p, gate[0])};",
        f"const {p.real} keep = {sigmoid(p, gate[1])};",
        f"const {p.real} out = {sigmoid(p, gate[3])};",
        f"{new_c.at('o')} = keep * {c.at('o')} + in * {tanh(p, gate[2])};",
        f"{made.at('o')} = out * {tanh(p, new_c.at('o'))};",
        "}",
    ]
    if project is not None:
        lines += _block(product(p, "weight_hr", project, made.at("i"), new_h, start=biased(p, "", None)))
    p.step(lines, [x, h, c, a, made], [new_h, new_c, a, made])


def _gated(p: Program, link: Any, weights: Weights, x: Value, before: list[Value], after: list[Value]) -> None:
    """h' = (1 - z) n + z h, n = tanh(a_n + r b_n); the gates r, z, n in this order."""
    (h,), (new,), size = before, after, link.hidden_size
    ih, hh = _there(weights["weight_ih"]), _there(weights["weight_hh"])
    bias_ih, bias_hh = weights["bias_ih"], weights["bias_hh"]
    a, b = p.value((3 * size,)), p.value((size,))
    both = None if bias_ih is None or bias_hh is None else bias_ih + np.r_[bias_hh[: 2 * size], np.zeros(size)]
    of_candidate = biased(p, "bias_n", None if bias_hh is None else bias_hh[2 * size :])
    candidate = f"{a.at(2 * size, 'o')} + reset * {b.at('o')}"
    lines = [
        *_block(product(p, "weight_ih", ih, x.at("i"), a, start=biased(p, "bias", both))),
        *_block(product(p, "weight_hh", hh[: 2 * size], h.at("i"), a)),
        *_block(product(p, "weight_hn", hh[2 * size :], h.at("i"), b, start=of_candidate)),
        loop("o", size),
        f"const {p.real} reset = {sigmoid(p, a.at('o'))};",
        f"const {p.real} keep = {sigmoid(p, a.at(size, 'o'))};",
        f"const {p.real} n = {tanh(p, candidate)};",
        f"{new.at('o')} = n + keep * ({h.at('o')} - n);",
        "}",
    ]
    p.step(lines, [x, h, a, b], [new, a, b])


STEPS: dict[type[nn.Module], Callable[..., None]] = {
    nn.RNN: _simple,
    nn.RNNCell: _simple,
    nn.LSTM: _long_short,
    nn.LSTMCell: _long_short,
    nn.GRU: _gated,
    nn.GRUCell: _gated,
}


def _state_sizes(link: Any) -> list[int]:
    hidden = link.hidden_size
    return [getattr(link, "proj_size", 0) or hidden] + [hidden] * isinstance(link, nn.LSTM | nn.LSTMCell)


def _weights(link: Any, suffix: str) -> Weights:
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    return {kind: data(getattr(link, kind + suffix, None)) for kind in kinds}


def _layers(p: Program, link: Any, x: Value, hx: Any = None) -> Any:
    if not p.stepwise:
        raise RefusedError("a call has one step of it. Give None as the number of steps in input_shape: (None, 3).")
    if hx is not None:
        raise RefusedError("its state is given. Leave hx out: in C the state is the caller's.")
    if link.bidirectional:
        raise RefusedError("its second direction begins at the last step, and a call has one step.")
    states = [p.state(label, (link.num_layers, size)) for label, size in zip("hc", _state_sizes(link), strict=False)]
    path = p.path
    for layer in range(link.num_layers):
        parts = [Value(s.buffer, s.shape[1:], layer * s.shape[1]) for s in states]
        p.path = f"{path}_l{layer}" if link.num_layers > 1 else path
        STEPS[type(link)](p, link, _weights(link, f"_l{layer}"), x, parts, parts)
        x = parts[0]
    p.path = path
    output = x.viewed((1, 1, x.size))
    final = tuple(s.viewed((s.shape[0], 1, s.shape[1])) for s in states)
    return output, final if len(final) > 1 else final[0]


def _cell(p: Program, link: Any, x: Value, hx: Any = None) -> Any:
    """A cell whose state is given makes a new one; otherwise it keeps its own from call to call."""
    sizes = _state_sizes(link)
    if hx is None:
        before = after = [p.state(label, (1, size)) for label, size in zip("hc", sizes, strict=False)]
    else:
        before = list(hx) if isinstance(hx, tuple | list) else [hx]
        after = [p.value((1, size)) for size in sizes]
    STEPS[type(link)](p, link, _weights(link, ""), x, before, after)
    return tuple(after) if len(after) > 1 else after[0]


def _last_step(_p: Program, _link: nn.LastStep, x: Any) -> Value:
    output, _ = x
    return output.viewed((1, output.size))


def _every_step(_p: Program, _link: nn.EveryStep, x: Any) -> Value:
    return x[0]


def _positions(p: Program, link: Any, x: Value) -> Value:
    """What it adds is the same for every sequence of this length."""
    added = type(link).forward(link, np.zeros(x.shape))
    y, name = p.value(x.shape), p.constant("positions", added)
    p.step(nested([("i", x.size)], [f"{y.at('i')} = {x.at('i')} + {name}[i];"]), [x], [y], inplace=True)
    return y


KNOWN: dict[type[nn.Module], Callable[..., Any]] = {
    **dict.fromkeys(LAYERS, _layers),
    **dict.fromkeys(CELLS, _cell),
    nn.LastStep: _last_step,
    nn.EveryStep: _every_step,
    nn.LearnedPositionalEncoding: _positions,
    nn.SinusoidalPositionalEncoding: _positions,
}
