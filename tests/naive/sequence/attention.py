"""Attention, one query and one head after the other."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.typing import Array
from naive.activations import softmax
from naive.linear.linear import affine, linear


def multihead(
    link: Any,
    query: Array,
    key: Array,
    value: Array,
    key_padding_mask: Array | None = None,
    need_weights: bool = True,
    attn_mask: Array | None = None,
    average_attn_weights: bool = True,
) -> Any:
    """Samples first inside; a single sequence is a batch of one."""
    inputs = [query, key, value]
    if query.ndim == 2:
        inputs = [x[None] for x in inputs]
    elif not link.batch_first:
        inputs = [np.stack([x[:, n] for n in range(x.shape[1])]) if x.shape[1] else x.swapaxes(0, 1) for x in inputs]
    samples, length, width = inputs[0].shape
    projected = [affine(x, *parts) for x, parts in zip(inputs, projections(link), strict=True)]
    contexts = np.zeros((samples, length, width))
    keys = inputs[1].shape[1] + link.add_bias_kv + link.add_zero_attn
    weights = np.zeros((samples, link.num_heads, length, keys))
    for n in range(samples):
        padding = None if key_padding_mask is None else key_padding_mask.reshape(samples, -1)[n]
        for head in range(link.num_heads):
            mask = attn_mask if attn_mask is None or attn_mask.ndim == 2 else attn_mask[n * link.num_heads + head]
            for i in range(length):
                masks = [part for part in (padding, None if mask is None else mask[i]) if part is not None]
                q, k, v = (
                    vectors(link, part[n], head, extra) for part, extra in zip(projected, extras(link), strict=True)
                )
                row, context = attend(q[i], k, v, masks)
                weights[n, head, i] = row
                contexts[n, i, head * len(context) : (head + 1) * len(context)] = context
    bias = link.out_proj.bias
    y = affine(contexts, link.out_proj.weight.data.tolist(), None if bias is None else bias.data.tolist())
    shown = sum(weights[:, head] for head in range(link.num_heads)) / link.num_heads
    shown = shown if average_attn_weights else weights
    if query.ndim == 2:
        return y[0], shown[0] if need_weights else None
    return y if link.batch_first else y.swapaxes(0, 1), shown if need_weights else None


def projections(link: Any) -> list[tuple[list[list[float]], list[float] | None]]:
    """The rows and biases of query, key and value."""
    width = link.embed_dim
    if link.in_proj_weight is not None:
        rows = link.in_proj_weight.data.tolist()
        weights = [rows[:width], rows[width : 2 * width], rows[2 * width :]]
    else:
        weights = [part.data.tolist() for part in (link.q_proj_weight, link.k_proj_weight, link.v_proj_weight)]
    bias = None if link.in_proj_bias is None else link.in_proj_bias.data.tolist()
    return [(rows, None if bias is None else bias[i * width : (i + 1) * width]) for i, rows in enumerate(weights)]


def extras(link: Any) -> list[list[list[float]]]:
    """What is put after query (nothing), key and value."""
    zeros = [[0.0] * link.embed_dim] if link.add_zero_attn else []
    learnt = [[part.data.ravel().tolist()] if part is not None else [] for part in (link.bias_k, link.bias_v)]
    return [[], learnt[0] + zeros, learnt[1] + zeros]


def vectors(link: Any, sequence: Array, head: int, extra: list[list[float]]) -> list[list[float]]:
    """The head's part of each position."""
    size = link.embed_dim // link.num_heads
    return [row[head * size : (head + 1) * size] for row in [*sequence.tolist(), *extra]]


def attend(q: list[float], k: list[list[float]], v: list[list[float]], masks: list[Array]) -> tuple[Any, list[float]]:
    """The weights of one query, and the mean of the values under them."""
    scores = [sum(a * b for a, b in zip(q, other, strict=True)) / math.sqrt(len(q)) for other in k]
    for mask in masks:
        for j, entry in enumerate(mask.tolist()):
            scores[j] += (-math.inf if entry else 0.0) if isinstance(entry, bool) else entry
    seen = [j for j, score in enumerate(scores) if score > -math.inf]
    row = [0.0] * len(k)
    for j, weight in zip(seen, softmax([scores[j] for j in seen]), strict=True):
        row[j] = weight
    return row, [sum(row[j] * v[j][c] for j in range(len(k))) for c in range(len(q))]


def encoder_layer(
    link: Any, src: Array, src_mask: Array | None = None, src_key_padding_mask: Array | None = None
) -> Array:
    """Attention, then the two linear links, each added to what came in."""

    def attend(x: Array) -> Array:
        return multihead(link.self_attn, x, x, x, src_key_padding_mask, False, src_mask)[0]

    return residual(link, residual(link, src, attend, link.norm1), lambda x: feed_forward(link, x), link.norm2)


def decoder_layer(
    link: Any,
    tgt: Array,
    memory: Array,
    tgt_mask: Array | None = None,
    memory_mask: Array | None = None,
    tgt_key_padding_mask: Array | None = None,
    memory_key_padding_mask: Array | None = None,
) -> Array:
    def attend(x: Array) -> Array:
        return multihead(link.self_attn, x, x, x, tgt_key_padding_mask, False, tgt_mask)[0]

    def remember(x: Array) -> Array:
        return multihead(link.multihead_attn, x, memory, memory, memory_key_padding_mask, False, memory_mask)[0]

    x = residual(link, tgt, attend, link.norm1)
    x = residual(link, x, remember, link.norm2)
    return residual(link, x, lambda x: feed_forward(link, x), link.norm3)


def residual(link: Any, x: Array, block: Callable[[Array], Array], norm: Any) -> Array:
    return x + block(normalised(norm, x)) if link.norm_first else normalised(norm, x + block(x))


def normalised(norm: Any, x: Array) -> Array:
    """Each vector on its own."""
    y = np.empty(x.shape)
    for index in np.ndindex(x.shape[:-1]):
        values = x[index].tolist()
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values) + norm.eps)
        for j, value in enumerate(values):
            shift = 0.0 if norm.bias is None else float(norm.bias.data[j])
            y[(*index, j)] = (value - mean) / spread * float(norm.weight.data[j]) + shift
    return y


def feed_forward(link: Any, x: Array) -> Array:
    """max(0, ·), or x times the share of a normal distribution below x, between two sums."""
    inner = linear(link.linear1, x)
    gelu = type(link.activation).__name__ == "GELU"
    for index in np.ndindex(inner.shape):
        value = float(inner[index])
        inner[index] = value * (1 + math.erf(value / math.sqrt(2))) / 2 if gelu else max(value, 0.0)
    return linear(link.linear2, inner)


def encoder(link: Any, x: Array, *masks: Any) -> Array:
    for layer in link.layers:
        x = encoder_layer(layer, x, *masks)
    return x if link.norm is None else normalised(link.norm, x)


def decoder(link: Any, x: Array, memory: Array, *masks: Any) -> Array:
    for layer in link.layers:
        x = decoder_layer(layer, x, memory, *masks)
    return x if link.norm is None else normalised(link.norm, x)


def transformer(link: Any, src: Array, tgt: Array, src_mask: Any = None, *masks: Any) -> Array:
    return decoder(link.decoder, tgt, encoder(link.encoder, src, src_mask), *masks)


def positioned(vector: Callable[[Any, int, int], float]) -> Callable[[Any, Array], Array]:
    """x plus a number that depends on position and feature."""

    def naive(link: Any, x: Array) -> Array:
        y = np.array(x)
        for index in np.ndindex(x.shape):
            y[index] += vector(link, *index[-2:])
        return y

    return naive


def wave(link: Any, position: int, feature: int) -> float:
    angle = position / 10000 ** ((feature - feature % 2) / link.embed_dim)
    return math.cos(angle) if feature % 2 else math.sin(angle)


def learnt(link: Any, position: int, feature: int) -> float:
    return float(link.weight.data[position, feature])
