"""Recurrent layers and their cells, attention, transformers, positions."""

import math
from typing import Any

import numpy as np

from maillon.interop.onnx.exporters.linear import product
from maillon.interop.onnx.exporters.norms import dropped
from maillon.interop.onnx.trace import Exporter, Trace, Value
from maillon.nn.module import Module, no_grad
from maillon.nn.sequence import attention, positional, recurrent, steps, transformer
from maillon.nn.support import errors
from maillon.typing import Array

GATES = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""Where ONNX's gates stand among ours: i o f c of i f g o; z r h of r z n."""


# Recurrent layers


def layers(kind: str) -> Exporter:
    def export(t: Trace, link: Any, x: Value, hx: Any = None) -> Any:
        if link.proj_size:
            raise t.refusal(link, "ONNX's LSTM has no projection (proj_size)")
        batched = x.ndim == 3
        y: Any = x
        if not batched:
            y = t.op("Unsqueeze", x, [1])
        elif link.batch_first:
            y = t.op("Transpose", x, perm=[1, 0, 2])
        start = _parts(hx)
        start = [part if batched else t.op("Unsqueeze", part, [1]) for part in start]
        ways = 2 if link.bidirectional else 1
        finals = []
        for layer in range(link.num_layers):
            y = dropped(t, y, link.dropout) if layer else y
            rows = slice(layer * ways, (layer + 1) * ways)
            initial = [_rows(t, part, rows, link.num_layers * ways) for part in start]
            every, *final = recurrence(t, kind, link, y, _names(link, layer, ways), initial)
            joined = [0, 0, ways * link.hidden_size]
            y = t.op("Reshape", t.op("Transpose", every, perm=[0, 2, 1, 3]), joined)
            finals.append(final)
        rows_of = zip(*finals, strict=True)
        states = [parts[0] if len(parts) == 1 else t.op("Concat", *parts, axis=0) for parts in rows_of]
        if not batched:
            y, states = t.op("Squeeze", y, [1]), [t.op("Squeeze", state, [1]) for state in states]
        elif link.batch_first:
            y = t.op("Transpose", y, perm=[1, 0, 2])
        return y, states[0] if len(states) == 1 else tuple(states)

    return export


def _rows(t: Trace, state: Any, rows: slice, count: int) -> Any:
    """The state of one layer."""
    return state if rows.stop - rows.start == count else t.op("Slice", state, [rows.start], [rows.stop], [0])


def _names(link: Any, layer: int, ways: int) -> list[list[Array | None]]:
    """The weights of each direction."""
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    found = [[getattr(link, f"{kind}_l{layer}{end}") for kind in kinds] for end in ("", "_reverse")[:ways]]
    return [[None if parameter is None else parameter.data for parameter in parts] for parts in found]


def recurrence(t: Trace, kind: str, link: Any, x: Any, weights: list[list[Array | None]], initial: list[Any]) -> Any:
    """One layer over (L, N, features): (L, ways, N, hidden), and of each part of the state (ways, N, hidden)."""
    order = GATES[kind]

    def stacked(place: int) -> Array:
        return np.stack([_reordered(parts[place], order) for parts in weights])

    bias = None
    if weights[0][2] is not None:
        bias = t.made_weight("B", np.concatenate([stacked(2), stacked(3)], axis=1))
    ways = len(weights)
    options: dict[str, Any] = {"hidden_size": link.hidden_size}
    options["direction"] = "bidirectional" if ways == 2 else "forward"
    if kind == "RNN":
        options["activations"] = [link.nonlinearity.capitalize()] * ways
    if kind == "GRU":
        options["linear_before_reset"] = 1
    given = (t.made_weight("W", stacked(0)), t.made_weight("R", stacked(1)), bias, None, *initial)
    return t.op(kind, x, *given, outputs=3 if kind == "LSTM" else 2, **options)


def _reordered(weight: Array | None, order: tuple[int, ...]) -> Array:
    assert weight is not None
    parts = np.split(weight, len(order))
    return np.concatenate([parts[place] for place in order])


def _parts(hx: Any) -> list[Any]:
    """What the state is made of."""
    if hx is None:
        return []
    return list(hx) if isinstance(hx, tuple) else [hx]


def cell(kind: str) -> Exporter:
    """A sequence of one step."""

    def export(t: Trace, link: Any, x: Value, hx: Any = None) -> Any:
        single = x.ndim == 1
        step = t.op("Unsqueeze", x, [0, 1] if single else [0])
        initial = [t.op("Unsqueeze", part, [0, 1] if single else [0]) for part in _parts(hx)]
        parts = (link.weight_ih, link.weight_hh, link.bias_ih, link.bias_hh)
        weights = [[None if parameter is None else parameter.data for parameter in parts]]
        _, *final = recurrence(t, kind, link, step, weights, initial)
        states = [t.op("Squeeze", state, [0, 1] if single else [0]) for state in final]
        return states[0] if len(states) == 1 else tuple(states)

    return export


def last_step(t: Trace, link: Any, x: Any) -> Any:
    output, state = x
    hidden = state[0] if isinstance(state, tuple) else state
    ways = output.sizes(1)[0] // hidden.sizes(1)[0]
    ends = [t.op("Gather", hidden, np.asarray(-way), axis=0) for way in range(ways, 0, -1)]
    return ends[0] if ways == 1 else t.op("Concat", *ends, axis=-1)


def every_step(t: Trace, link: Any, x: Any) -> Any:
    return x[0]


# Attention


def attend(
    t: Trace,
    link: Any,
    query: Value,
    key: Value,
    value: Value,
    key_padding_mask: Value | None = None,
    need_weights: bool = True,
    attn_mask: Value | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    heads, single = link.num_heads, query.ndim == 2
    by_sample = link.batch_first and not single
    projected = zip((query, key, value), *_projections(t, link), strict=True)
    q, k, v = (_split(t, link, product(t, x.name, *parts), x) for x, *parts in projected)
    k, v = _with_extras(t, link, k, link.bias_k), _with_extras(t, link, v, link.bias_v)
    scores = t.op("MatMul", t.op("Mul", q, 1 / math.sqrt(link.head_dim)), t.op("Transpose", k, perm=[0, 1, 3, 2]))
    target, source = (x.shape[1 if by_sample else 0] for x in (query, key))
    extras = link.add_bias_kv + link.add_zero_attn
    if is_causal and key_padding_mask is None and not need_weights:
        later = np.triu(np.ones((target or 0, (source or 0) + extras), bool), 1)
        scores = t.op("Add", scores, np.where(later, -np.inf, 0).astype(t.dtype))
    elif attn_mask is not None:
        mask: Any = _additive(t, attn_mask, extras)
        if attn_mask.ndim == 3:
            mask = t.op("Reshape", mask, [-1, heads, target, source + extras])
        scores = t.op("Add", scores, mask)
    if key_padding_mask is not None:
        mask = _additive(t, key_padding_mask, extras)
        scores = t.op("Add", scores, t.op("Unsqueeze", mask, [0, 1, 2] if single else [1, 2]))
    weights = t.op("Softmax", scores, axis=-1)
    if not need_weights and any(mask is not None for mask in (attn_mask, key_padding_mask)):
        weights = t.op("Where", t.op("IsNaN", weights), 0.0, weights)  # all keys left out: a mean of nothing is 0
    order = [0, 2, 1, 3] if by_sample else [2, 0, 1, 3]
    context = t.op("Transpose", t.op("MatMul", dropped(t, weights, link.dropout), v), perm=order)
    y = product(t, t.op("Reshape", context, [0, 0, link.embed_dim]), link.out_proj.weight, link.out_proj.bias)
    shown = None
    if need_weights:
        shown = t.op("ReduceMean", weights, [1], keepdims=0) if average_attn_weights else weights
        shown = t.op("Squeeze", shown, [0]) if single else shown
    return t.op("Squeeze", y, [1]) if single else y, shown


def _projections(t: Trace, link: Any) -> tuple[list[Any], list[Any]]:
    """The weights, turned, and the biases of query, key and value."""
    if link.in_proj_weight is None:
        weights = [w.data for w in (link.q_proj_weight, link.k_proj_weight, link.v_proj_weight)]
    else:
        weights = np.split(link.in_proj_weight.data, 3)
    names = zip("qkv", weights, strict=True)
    made: list[Any] = [t.made_weight(f"{n}_proj_weight.T", np.ascontiguousarray(w.T)) for n, w in names]
    if link.in_proj_bias is None:
        return made, [None] * 3
    biases = zip("qkv", np.split(link.in_proj_bias.data, 3), strict=True)
    return made, [t.made_weight(f"{n}_proj_bias", bias) for n, bias in biases]


def _split(t: Trace, link: Any, x: Any, like: Value) -> Any:
    """(N, heads, L, head_dim)."""
    shape = [1 if n is None else n for n in like.shape]
    if like.ndim == 2:
        cut = t.op("Reshape", x, [shape[0], 1, link.num_heads, link.head_dim])
        return t.op("Transpose", cut, perm=[1, 2, 0, 3])
    cut = t.op("Reshape", x, [0, 0, link.num_heads, link.head_dim])
    return t.op("Transpose", cut, perm=[0, 2, 1, 3] if link.batch_first else [1, 2, 0, 3])


def _with_extras(t: Trace, link: Any, heads: Any, bias: Any) -> Any:
    """One key that is learnt, one of zeros, after the others."""
    extras: list[Any] = []
    if bias is not None:
        extras.append(t.weight(bias, lambda b: b.reshape(1, link.num_heads, 1, -1), ".heads"))
    if link.add_zero_attn:
        extras.append(np.zeros((1, link.num_heads, 1, link.head_dim), t.dtype))
    if not extras:
        return heads
    batch = t.op("Concat", t.op("Shape", heads, end=1), [link.num_heads, 1, link.head_dim], axis=0)
    return t.op("Concat", heads, *(t.op("Expand", extra, batch) for extra in extras), axis=2)


def _additive(t: Trace, mask: Value, extras: int) -> Any:
    """The mask as numbers to add, 0 for what stands after the keys."""
    added: Any = mask
    if mask.dtype == bool:
        added = t.op("Where", mask, -math.inf, 0.0)
    return t.op("Pad", added, [0, extras], 0.0, [-1]) if extras else added


# Transformers


def block(t: Trace, link: Any, number: int, x: Value, inner: Any) -> Value:
    """x + block(x), with the dropout and the norm of this number."""
    norm, dropout = f"norm{number}", f"dropout{number}"
    through = _child(t, link, norm, x) if link.norm_first else x
    y: Value = t.apply("Add", np.add, x, _child(t, link, dropout, inner(through)))
    return y if link.norm_first else _child(t, link, norm, y)


def _child(t: Trace, link: Any, name: str, *given: Any) -> Any:
    with errors.inside(link, name):
        return t.link(name, getattr(link, name), *given)


def _attended(t: Trace, link: Any, name: str, query: Value, source: Value, mask: Any, padding: Any, causal: Any) -> Any:
    return _child(t, link, name, query, source, source, padding, False, mask, True, causal)[0]


def _forward(t: Trace, link: Any, x: Value) -> Value:
    for name in ("linear1", "activation", "dropout", "linear2"):
        x = _child(t, link, name, x)
    return x


def encoder_layer(
    t: Trace, link: Any, src: Value, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = False
) -> Any:
    padding = src_key_padding_mask
    x = block(t, link, 1, src, lambda n: _attended(t, link, "self_attn", n, n, src_mask, padding, is_causal))
    return block(t, link, 2, x, lambda n: _forward(t, link, n))


def decoder_layer(
    t: Trace,
    link: Any,
    tgt: Value,
    memory: Value,
    tgt_mask: Any = None,
    memory_mask: Any = None,
    tgt_padding: Any = None,
    memory_padding: Any = None,
    tgt_is_causal: Any = False,
    memory_is_causal: Any = False,
) -> Any:
    x = block(t, link, 1, tgt, lambda n: _attended(t, link, "self_attn", n, n, tgt_mask, tgt_padding, tgt_is_causal))
    others = (memory_mask, memory_padding, memory_is_causal)
    x = block(t, link, 2, x, lambda n: _attended(t, link, "multihead_attn", n, memory, *others))
    return block(t, link, 3, x, lambda n: _forward(t, link, n))


def stack(masks: int) -> Exporter:
    """Layers one after the other; the flags that follow the masks are False where they are None."""

    def export(t: Trace, link: Any, x: Any, *others: Any) -> Any:
        given = [*others[:masks], *(bool(flag) for flag in others[masks:])]
        for number, layer in enumerate(link.layers):
            with errors.inside(link, f"layers.{number}"):
                x = t.link(f"layers.{number}", layer, x, *given)
        return x if link.norm is None else _child(t, link, "norm", x)

    return export


def whole(
    t: Trace,
    link: Any,
    src: Value,
    tgt: Value,
    src_mask: Any = None,
    tgt_mask: Any = None,
    memory_mask: Any = None,
    src_padding: Any = None,
    tgt_padding: Any = None,
    memory_padding: Any = None,
    src_is_causal: Any = None,
    tgt_is_causal: Any = None,
    memory_is_causal: Any = False,
) -> Any:
    memory = _child(t, link, "encoder", src, src_mask, src_padding, src_is_causal)
    masks = (tgt_mask, memory_mask, tgt_padding, memory_padding)
    return _child(t, link, "decoder", tgt, memory, *masks, tgt_is_causal, memory_is_causal)


# Positions


def sinusoids(t: Trace, link: Any, x: Value) -> Any:
    table = _positions(link, *x.sizes(2)).astype(t.dtype)
    return dropped(t, t.op("Add", x, table), link.dropout)


def _positions(link: Module, length: int, width: int) -> Array:
    """What the link adds: it tells so itself, given zeros."""
    with no_grad():
        table: Array = link(np.zeros((length, width)))
    return table


def learned(t: Trace, link: Any, x: Value) -> Any:
    length = x.sizes(2)[0]
    return dropped(t, t.op("Add", x, t.weight(link.weight, lambda w: w[:length], f".{length}")), link.dropout)


EXPORTERS: dict[type, Exporter] = {
    recurrent.RNN: layers("RNN"),
    recurrent.LSTM: layers("LSTM"),
    recurrent.GRU: layers("GRU"),
    recurrent.RNNCell: cell("RNN"),
    recurrent.LSTMCell: cell("LSTM"),
    recurrent.GRUCell: cell("GRU"),
    steps.LastStep: last_step,
    steps.EveryStep: every_step,
    attention.MultiheadAttention: attend,
    transformer.TransformerEncoderLayer: encoder_layer,
    transformer.TransformerDecoderLayer: decoder_layer,
    transformer.TransformerEncoder: stack(2),
    transformer.TransformerDecoder: stack(5),
    transformer.Transformer: whole,
    positional.SinusoidalPositionalEncoding: sinusoids,
    positional.LearnedPositionalEncoding: learned,
}
