"""Recurrent layers and cells: one operation for the loop over time of one layer in one direction."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Tree, Value, floating, lowers
from maillon.engine.families.joints import joined, moved, permuted, strides_of
from maillon.engine.families.linear import Adding, product_grads
from maillon.engine.table import Kind, declare
from maillon.engine.walk import lower_child

_ROWS = "steps * batch"
_H, _STATE = f"{_ROWS} * units", "directions * batch * units"
_Y = f"{_ROWS} * directions * units"
_SIZES = ("steps>0", "batch", "units>0", "y_by_sample<2", "directions>0", "direction<2")
_MUST = ("direction < directions",)
_PACKED = f"({_ROWS} > 4)"  # native/families/recurrent.cpp: for fewer rows the weights are read where they lie
_PROJECTED = f"{_PACKED} * (features + 31) * units * (features < units)"
_LSTM_H, _LSTM_Y = f"{_ROWS} * features", f"{_ROWS} * directions * features"
_LSTM_H0 = "directions * batch * features"
_LSTM_SIZES = (*_SIZES[:3], "features>0", *_SIZES[3:])
_LSTM_FLOPS = f"{_ROWS} * (8 * units * features + 2 * units * features * (features < units) + 90 * units)"

OPERATIONS = declare(
    Kind(
        "rnn",
        "hₜ = f(shareₜ + W hₜ₋₁ + b), f = tanh or relu; before holds hₜ₋₁ of all steps, y all hₜ, last the last one",
        (
            f"share: r {_H}",
            "weight: r units * units",
            "bias?: r units",
            f"initial?: r {_STATE}",
            f"hidden: w {_H} in share",
            f"before: w {_H}",
            f"y?: w {_Y}",
            f"last?: w {_STATE}",
            f"workspace: w {_PACKED} * (units + 31) * units",
        ),
        (*_SIZES, "relu<2"),
        flops=f"{_ROWS} * (2 * units * units + 20 * units)",
        must=_MUST,
        spares=("y", "last"),
    ),
    Kind(
        "rnn_grad",
        "dshareₜ = f'(aₜ) dhₜ, dhₜ = dyₜ + Wᵀ dshareₜ₊₁",
        (
            f"dy?: r {_Y}",
            f"dlast?: r {_STATE}",
            f"hidden: r {_H}",
            "weight: r units * units",
            f"dshare: w {_H} in hidden",
            f"dinitial?: w {_STATE}",
            f"workspace: w {_PACKED} * (units + 31) * units",
        ),
        (*_SIZES, "relu<2"),
        flops=f"{_ROWS} * (2 * units * units + 6 * units)",
        must=_MUST,
    ),
    Kind(
        "lstm",
        "cₜ = f cₜ₋₁ + i g, hₜ = [W_hr] (o tanh cₜ); i, f, o = σ(a), g = tanh(a), a = shareₜ + W hₜ₋₁ + b",
        (
            f"share: r 4 * {_H}",
            "weight: r 4 * units * features",
            "bias?: r 4 * units",
            "weight_hr?: r features * units",
            f"initial?: r {_LSTM_H0}",
            f"initial_cell?: r {_STATE}",
            f"gates: w 4 * {_H} in share",
            f"cells: w {_H}",
            f"before: w {_LSTM_H}",
            f"made?: w {_H}",
            f"y?: w {_LSTM_Y}",
            f"last?: w {_LSTM_H0}",
            f"last_cell?: w {_STATE}",
            f"workspace: w {_PACKED} * 4 * (units + 31) * features + {_PROJECTED}",
        ),
        _LSTM_SIZES,
        flops=_LSTM_FLOPS,
        must=(*_MUST, "features <= units", "(features < units) == weight_hr", "made == weight_hr"),
        spares=("y", "last", "last_cell"),
    ),
    Kind(
        "lstm_grad",
        "the gradients of the gates, dcₜ₋₁ = f dcₜ, dhₜ = dyₜ + Wᵀ dgatesₜ₊₁, which dprojected holds",
        (
            f"dy?: r {_LSTM_Y}",
            f"dlast?: r {_LSTM_H0}",
            f"dlast_cell?: r {_STATE}",
            f"gates: r 4 * {_H}",
            f"cells: r {_H}",
            "weight: r 4 * units * features",
            "weight_hr?: r features * units",
            f"initial_cell?: r {_STATE}",
            f"dgates: w 4 * {_H} in gates",
            f"dprojected?: w {_LSTM_H}",
            f"dinitial?: w {_LSTM_H0}",
            f"dinitial_cell?: w {_STATE}",
            f"workspace: w batch * units + {_PACKED} * 4 * units * (features + 31) "
            f"+ {_PACKED} * (units + 31) * features * (features < units)",
        ),
        _LSTM_SIZES,
        flops=_LSTM_FLOPS,
        must=(*_MUST, "features <= units", "(features < units) == weight_hr", "dprojected == weight_hr"),
    ),
    Kind(
        "gru",
        "hₜ = n + z (hₜ₋₁ - n); r, z = σ(a + c), n = tanh(a_n + r c_n), a = shareₜ, c = W hₜ₋₁ + b",
        (
            f"share: r 3 * {_H}",
            "weight: r 3 * units * units",
            "bias?: r 3 * units",
            f"initial?: r {_STATE}",
            f"gates: w 3 * {_H} in share",
            f"candidates: w {_H}",
            f"before: w {_H}",
            f"y?: w {_Y}",
            f"last?: w {_STATE}",
            f"workspace: w {_PACKED} * 3 * (units + 31) * units",
        ),
        _SIZES,
        flops=f"{_ROWS} * (6 * units * units + 60 * units)",
        must=_MUST,
        spares=("y", "last"),
    ),
    Kind(
        "gru_grad",
        "the gradients of a and b, dhₜ = dyₜ + zₜ₊₁ dhₜ₊₁ + Wᵀ dbₜ₊₁",
        (
            f"dy?: r {_Y}",
            f"dlast?: r {_STATE}",
            f"gates: r 3 * {_H}",
            f"candidates: r {_H}",
            f"before: r {_H}",
            "weight: r 3 * units * units",
            f"dgates: w 3 * {_H} in gates",
            f"drecurrent: w 3 * {_H}",
            f"dinitial?: w {_STATE}",
            f"workspace: w batch * units + {_PACKED} * 3 * units * (units + 31)",
        ),
        _SIZES,
        flops=f"{_ROWS} * (6 * units * units + 20 * units)",
        must=_MUST,
    ),
)

_GATES = {"rnn": 1, "lstm": 4, "gru": 3}

_State = tuple[Value | None, ...]
"""(h,) or (h, c); None where a part is absent."""


class _Walk:
    """One layer in one direction over all steps of x, (steps, batch, features).

    Of what holds both directions, y and each part of the states, it reads and writes its own half.
    """

    def __init__(self, b: Builder, link: Any, suffix: str, sizes: Mapping[str, int], x: Value) -> None:
        self.b, self.link, self.suffix, self.x = b, link, suffix, x
        self.kind = _kind(link)
        self.features = _features(link)[0]
        self.sizes = {**sizes, "units": link.hidden_size}
        if self.kind == "lstm":
            self.sizes["features"] = self.features
        if self.kind == "rnn":
            self.sizes["relu"] = int(link.nonlinearity == "relu")
        rows, width = sizes["steps"] * sizes["batch"], _GATES[self.kind] * link.hidden_size
        self.product = {"rows": rows, "inputs": x.shape[-1], "outputs": width}
        self.gates = self._local("gates", width)
        self.before = self._local("before", self.features)
        self.weight_ih, self.weight = self._parameter("weight_ih"), self._parameter("weight_hh")
        self.weight_hr = self._parameter("weight_hr")
        self.made = None if self.weight_hr is None else self._local("made", link.hidden_size)
        self.cells = None if self.kind == "rnn" else self._local("cells", link.hidden_size)

    def _parameter(self, name: str) -> Value | None:
        parameter = getattr(self.link, name + self.suffix, None)
        return None if parameter is None else self.b.parameter(name + self.suffix, parameter)

    def _local(self, name: str, features: int) -> Value:
        return self.b.local(name + self.suffix, (self.sizes["steps"], self.sizes["batch"], features))

    def forward(self, y: Value | None, initial: _State, last: _State) -> None:
        b, share = self.b, self._local("share", self.gates.shape[-1])
        own: dict[str, Any] = {"x": self.x, "weight": self.weight_ih, "bias": self._parameter("bias_ih"), "y": share}
        b.add("linear", **own, zeros=int(self.x.buffer in b.sparse), **self.product)
        own = {"share": share, "weight": self.weight, "bias": self._parameter("bias_hh"), "before": self.before}
        if self.kind == "rnn":
            own["hidden"] = self.gates
        elif self.kind == "gru":
            own |= {"gates": self.gates, "candidates": self.cells}
        else:
            own |= {"gates": self.gates, "cells": self.cells, "weight_hr": self.weight_hr, "made": self.made}
            own |= {"initial_cell": initial[1], "last_cell": last[1]}
        b.add(self.kind, y=y, initial=initial[0], last=last[0], **own, **self.sizes)

    def backward(self, dy: Value | None, initial: _State, dlast: _State, dinitial: _State) -> None:
        b, width = self.b, self.gates.shape[-1]
        dgates = drecurrent = self._local("dgates", width)
        own: dict[str, Any] = {"dy": dy, "dlast": dlast[0], "dinitial": dinitial[0], "weight": self.weight}
        if self.kind == "rnn":
            own |= {"hidden": self.gates, "dshare": dgates}
        elif self.kind == "gru":
            drecurrent = self._local("drecurrent", width)
            own |= {"gates": self.gates, "candidates": self.cells, "before": self.before}
            own |= {"dgates": dgates, "drecurrent": drecurrent}
        else:
            own |= {"gates": self.gates, "cells": self.cells, "weight_hr": self.weight_hr, "dgates": dgates}
            own |= {"initial_cell": initial[1], "dlast_cell": dlast[1], "dinitial_cell": dinitial[1]}
            if self.made is not None:
                own["dprojected"] = self._local("dprojected", self.features)
        b.add(f"{self.kind}_grad", **own, **self.sizes)
        bias = self._learn("ih", dgates, self.x)
        self._learn("hh", drecurrent, self.before, bias if drecurrent is dgates else None)
        if self.made is not None:
            self._learn("hr", own["dprojected"], self.made)
        if b.wants(self.x):
            b.add("linear_grad_input", dy=dgates, weight=self.weight_ih, dx=b.grad(self.x), **self.product)

    def _learn(self, name: str, dy: Value, x: Value, like: Adding | None = None) -> Adding:
        """The gradients of a weight and its bias; returns the latter, which may be that of another bias, `like`."""
        b = self.b
        learnt = [getattr(self.link, f"{kind}_{name}{self.suffix}", None) for kind in ("weight", "bias")]
        weight, bias = map(b.parameter_grad, learnt)
        copied = bias[0] is not None and like is not None and like[0] is not None and not bias[1] and not like[1]
        sizes = (int(x.buffer in b.sparse), self.product["rows"], x.shape[-1], dy.shape[-1])
        product_grads(b, dy, x, weight, (None, False) if copied else bias, *sizes)
        if copied and like is not None:
            b.add("scaled_sum", a=like[0], out=bias[0], n=dy.shape[-1], alpha=1.0)
        return bias


def _kind(link: Any) -> str:
    return type(link).__name__.removesuffix("Cell").lower()


def _features(link: Any) -> tuple[int, ...]:
    """Of each part of the state."""
    units = link.hidden_size
    return (getattr(link, "proj_size", 0) or units, units)[: 2 if _kind(link) == "lstm" else 1]


def _walked(
    b: Builder, link: Any, suffixes: Sequence[str], x: Value, initial: _State, y: Value | None, by_sample: bool = False
) -> tuple[Value, ...]:
    """Add a layer, in as many directions as there are suffixes, over x, (steps, batch, features); its last state.

    y: h of all steps, (steps, batch, features of all directions), by_sample (batch, steps, …); None where nobody
    wants it.
    """
    steps, batch = x.shape[:2]
    directions = len(suffixes)
    sizes = {"steps": steps, "batch": batch, "y_by_sample": int(by_sample), "directions": directions}
    last = tuple(b.local("last", (directions, batch, size)) for size in _features(link))
    walks = [_Walk(b, link, suffix, {**sizes, "direction": number}, x) for number, suffix in enumerate(suffixes)]
    for walk in walks:
        walk.forward(y, initial, last)

    def backward(*grads: Value | None) -> None:
        dy, *dlast = grads if y is not None else (None, *grads)
        dinitial = tuple(b.grad(part) if part is not None and b.wants(part) else None for part in initial)
        for walk in walks:
            walk.backward(dy, initial, tuple(dlast), dinitial)

    b.differentiate(backward, last if y is None else (y, *last), (x, *initial), link.parameters())
    return last


def _state(link: Any, hx: Tree, leading: tuple[int, ...]) -> _State:
    """The parts of the state that a link is given, None where it is to be zeros."""
    sizes = _features(link)
    if hx is None:
        return (None,) * len(sizes)
    parts = hx if isinstance(hx, tuple) else (hx,)
    if [getattr(part, "shape", None) for part in parts] != [(*leading, size) for size in sizes]:
        raise NotLoweredError(f"{link!r} does not take such a state")
    return tuple(floating(link, part) for part in parts)


def _shown(state: _State, leading: tuple[int, ...]) -> Tree:
    """The state as the links give it: without the batch that a single sample was made into, a tuple of several."""
    parts = tuple(part.reshaped((*leading, part.shape[-1])) for part in state if part is not None)
    return parts if len(parts) > 1 else parts[0]


@lowers("RNN", "LSTM", "GRU", trees=True)
def layers(b: Builder, link: Any, x: Tree, hx: Tree = None) -> Tree:
    x = floating(link, x)
    batched = len(x.shape) == 3
    if len(x.shape) not in (2, 3) or x.shape[-1] != link.input_size:
        raise NotLoweredError(f"{link!r} does not take the shape {x.shape}")
    by_sample = batched and link.batch_first
    y = x if batched else x.reshaped((x.shape[0], 1, link.input_size))
    if by_sample:
        y = permuted(b, x, "steps first", (1, 0, 2))
    if x.buffer in b.sparse:
        b.sparse.add(y.buffer)
    steps, batch = y.shape[:2]
    if not steps:
        raise NotLoweredError(f"{link!r} takes no sequence of 0 steps")
    suffixes = ("", "_reverse") if link.bidirectional else ("",)
    leading = (link.num_layers * len(suffixes), *[batch] * batched)
    width = len(suffixes) * _features(link)[0]
    initial = _state(link, hx, leading)
    lasts: list[_State] = []
    for layer in range(link.num_layers):
        if layer:
            dropout = nn.Dropout(link.dropout, generator=link.generator).train(link.training)
            y = lower_child(b, dropout, f"dropout{layer}", y)
        x, top = y, by_sample and layer + 1 == link.num_layers
        y = b.local(f"y{layer}", (batch, steps, width) if top else (steps, batch, width))
        names = [f"_l{layer}{suffix}" for suffix in suffixes]
        lasts.append(_walked(b, link, names, x, _cut(b, initial, layer, len(suffixes), batch), y, top))
    last = tuple(joined(b, "last", 0, parts) if len(parts) > 1 else parts[0] for parts in zip(*lasts, strict=True))
    return y if batched else y.reshaped((steps, y.shape[-1])), _shown(last, leading)


def _cut(b: Builder, state: _State, layer: int, directions: int, batch: int) -> _State:
    """One layer's part of the state of all."""

    def part(whole: Value | None) -> Value | None:
        if whole is None:
            return None
        shape = (directions, batch, whole.shape[-1])
        return moved(b, whole, "initial", shape, strides_of(shape), layer * math.prod(shape))

    return tuple(map(part, state))


@lowers("RNNCell", "LSTMCell", "GRUCell", trees=True)
def cell(b: Builder, link: Any, x: Tree, hx: Tree = None) -> Tree:
    x = floating(link, x)
    if len(x.shape) not in (1, 2) or x.shape[-1] != link.input_size:
        raise NotLoweredError(f"{link!r} does not take the shape {x.shape}")
    leading = x.shape[:-1]
    initial = _state(link, hx, leading)
    last = _walked(b, link, ("",), x.reshaped((1, math.prod(leading), link.input_size)), initial, None)
    return _shown(last, leading)
