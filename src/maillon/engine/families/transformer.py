"""Transformers, made of attention, and positional encodings."""

import math
from collections.abc import Callable
from typing import Any

from maillon import nn
from maillon.engine.builder import Builder, NotLoweredError, Tree, Value, floating, lowers
from maillon.engine.families.joints import total
from maillon.engine.walk import lower_child
from maillon.nn import Module

Mask = Value | None


class _Blocks:
    """The blocks of a layer, each added to what comes in."""

    def __init__(self, b: Builder, layer: Any) -> None:
        self.b, self.layer = b, layer

    def child(self, name: str, *inputs: Any) -> Any:
        return lower_child(self.b, getattr(self.layer, name), name, *inputs)

    def add(self, number: int, x: Value, block: Callable[[Value], Value]) -> Value:
        """x + block(x), with the dropout and the norm of this number."""
        norm, dropout = f"norm{number}", f"dropout{number}"
        if self.layer.norm_first:
            return total(self.b, f"x{number}", x, self.child(dropout, block(self.child(norm, x))))
        y: Value = self.child(norm, total(self.b, f"x{number}", x, self.child(dropout, block(x))))
        return y

    def attention(
        self, number: int, name: str, x: Value, memory: Value | None, mask: Mask, padding: Mask, is_causal: bool
    ) -> Value:
        """Attention to the memory, to x itself without one."""

        def attend(query: Value) -> Value:
            source = query if memory is None else memory
            y: Value = self.child(name, query, source, source, padding, False, mask, True, is_causal)[0]
            return y

        return self.add(number, x, attend)

    def feed_forward(self, number: int, x: Value) -> Value:
        def block(y: Value) -> Value:
            for name in ("linear1", "activation", "dropout", "linear2"):
                y = self.child(name, y)
            return y

        return self.add(number, x, block)


@lowers("TransformerEncoderLayer")
def encoder_layer(
    b: Builder, layer: Any, src: Tree, mask: Mask = None, padding: Mask = None, is_causal: bool = False
) -> Value:
    blocks = _Blocks(b, layer)
    x = blocks.attention(1, "self_attn", floating(layer, src), None, mask, padding, is_causal)
    return blocks.feed_forward(2, x)


@lowers("TransformerDecoderLayer")
def decoder_layer(
    b: Builder,
    layer: Any,
    tgt: Tree,
    memory: Tree,
    tgt_mask: Mask = None,
    memory_mask: Mask = None,
    tgt_key_padding_mask: Mask = None,
    memory_key_padding_mask: Mask = None,
    tgt_is_causal: bool = False,
    memory_is_causal: bool = False,
) -> Value:
    blocks, memory = _Blocks(b, layer), floating(layer, memory)
    x = blocks.attention(1, "self_attn", floating(layer, tgt), None, tgt_mask, tgt_key_padding_mask, tgt_is_causal)
    masks = (memory_mask, memory_key_padding_mask, memory_is_causal)
    return blocks.feed_forward(3, blocks.attention(2, "multihead_attn", x, memory, *masks))


def _through(b: Builder, stack: Any, x: Tree, *others: Any) -> Tree:
    for number, layer in enumerate(stack.layers):
        x = lower_child(b, layer, f"layers.{number}", x, *others)
    return x if stack.norm is None else lower_child(b, stack.norm, "norm", x)


@lowers("TransformerEncoder")
def encoder(
    b: Builder, link: Module, src: Tree, mask: Mask = None, padding: Mask = None, is_causal: bool | None = None
) -> Tree:
    return _through(b, link, src, mask, padding, bool(is_causal))


@lowers("TransformerDecoder")
def decoder(
    b: Builder,
    link: Module,
    tgt: Tree,
    memory: Tree,
    tgt_mask: Mask = None,
    memory_mask: Mask = None,
    tgt_key_padding_mask: Mask = None,
    memory_key_padding_mask: Mask = None,
    tgt_is_causal: bool | None = None,
    memory_is_causal: bool = False,
) -> Tree:
    masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
    return _through(b, link, tgt, memory, *masks, bool(tgt_is_causal), memory_is_causal)


@lowers("Transformer")
def transformer(
    b: Builder,
    link: "nn.Transformer",
    src: Tree,
    tgt: Tree,
    src_mask: Mask = None,
    tgt_mask: Mask = None,
    memory_mask: Mask = None,
    src_key_padding_mask: Mask = None,
    tgt_key_padding_mask: Mask = None,
    memory_key_padding_mask: Mask = None,
    src_is_causal: bool | None = None,
    tgt_is_causal: bool | None = None,
    memory_is_causal: bool = False,
) -> Tree:
    memory = lower_child(b, link.encoder, "encoder", src, src_mask, src_key_padding_mask, src_is_causal)
    masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
    return lower_child(b, link.decoder, "decoder", tgt, memory, *masks, tgt_is_causal, memory_is_causal)


# Positional encodings


def _positioned(b: Builder, link: Any, x: Value, added: Value) -> Value:
    """x + added at every position of every sample, then dropout."""
    rows, columns = math.prod(x.shape[:-2]), math.prod(x.shape[-2:])
    y = b.local("y", x.shape)
    b.add("spread", a=x, b=added, y=y, size=columns, n0=1, n1=1, n2=rows, n3=columns, stride3=1)

    def backward(dy: Value) -> None:
        dadded, keep = b.parameter_grad(getattr(link, "weight", None))
        if dadded is not None:
            whole = Value(dadded, dadded.shape)
            first, rest = b.slice(whole, 0, (columns,)), whole.size - columns
            b.add("sum_over", x=dy, y=first, leading=rows, middle=1, trailing=1, last=columns, keep=int(keep))
            if rest and not keep:
                b.add("fill", y=b.slice(whole, columns, (rest,)), n=rest)
        b.pass_on(x, dy)

    b.differentiate(backward, y, (x,), link.parameters())
    return lower_child(b, dict(link.named_children())["_dropout"], "_dropout", y)


def _positions(link: Any, given: Tree) -> Value:
    x = floating(link, given)
    if len(x.shape) not in (2, 3) or x.shape[-1] != link.embed_dim:
        raise NotLoweredError(f"{link!r} does not take the shape {x.shape}")
    return x


@lowers("SinusoidalPositionalEncoding")
def sinusoidal(b: Builder, link: "nn.SinusoidalPositionalEncoding", given: Tree) -> Value:
    from maillon.nn.sequence.positional import sinusoids  # most transformers do without

    x = _positions(link, given)
    waves = sinusoids(x.shape[-2], link.embed_dim, link.base)
    return _positioned(b, link, x, b.constant("positions", waves.astype(b.dtype)))


@lowers("LearnedPositionalEncoding")
def learned(b: Builder, link: "nn.LearnedPositionalEncoding", given: Tree) -> Value:
    x = _positions(link, given)
    if x.shape[-2] > link.max_len:
        raise NotLoweredError(f"{link!r} does not take the shape {x.shape}")
    return _positioned(b, link, x, b.parameter("weight", link.weight))
