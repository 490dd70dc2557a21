"""MultiheadAttention over its options, shapes and masks; the transformers made of it."""

import itertools
from typing import Any

import numpy as np
from beside import Case
from catalogue.rows import normal

from maillon.random import Generator
from maillon.typing import Array

N, L, S, E = 2, 4, 3, 4


def some(*shape: int) -> Array:
    """A boolean mask that leaves the first key to everybody."""
    mask = Generator(4).rand(shape) < 0.4
    mask[..., 0] = False
    return mask


def added(*shape: int) -> Array:
    """Numbers to add to the scores, some of them −∞."""
    numbers = Generator(9).normal(shape, dtype=np.float64)
    return np.where(some(*shape), -np.inf, numbers)


def causal(length: int, other: int | None = None) -> Array:
    return ~np.tri(length, other, dtype=bool)


def draws(batched: bool, first: bool, *lengths_and_widths: tuple[int, int]) -> tuple[Any, ...]:
    """One sequence of each length and width."""
    shapes = [
        (length, width) if not batched else (N, length, width) if first else (length, N, width)
        for length, width in lengths_and_widths
    ]
    return tuple(normal(*shape) for shape in shapes)


def attention(named: dict[str, Any], batched: bool = True, **options: Any) -> Case:
    inputs = draws(
        batched, options.get("batch_first", False), (L, E), (S, options.get("kdim") or E), (S, options.get("vdim") or E)
    )
    training = options.pop("training", True)
    drawn = "near" if options.get("add_bias_kv") else "bits"
    return Case("MultiheadAttention", (E, options.pop("heads", 2)), options, inputs, named, training, drawn=drawn)


SHOWN = ({}, {"average_attn_weights": False}, {"need_weights": False})
PADDING = {True: (N, S), False: (S,)}


def masks(batched: bool, heads: int) -> list[dict[str, Any]]:
    each = (N * heads if batched else heads, L, S)
    empty = np.zeros((L, S), bool)
    empty[1] = True
    return [
        {"key_padding_mask": some(*PADDING[batched])},
        {"attn_mask": some(L, S)},
        {"attn_mask": some(*each)},
        {"attn_mask": added(L, S)},
        {"attn_mask": added(*each), "key_padding_mask": added(*PADDING[batched])},
        {"attn_mask": some(L, S), "key_padding_mask": some(*PADDING[batched])},
        {"attn_mask": causal(L, S), "is_causal": True},
        {"attn_mask": causal(L, S), "is_causal": True, "key_padding_mask": some(*PADDING[batched])},
        {"attn_mask": empty},
        {"attn_mask": np.where(empty, -np.inf, 0.0), "key_padding_mask": np.zeros(PADDING[batched])},
    ]


YES_NO = (True, False)

CASES = [
    *(
        attention(dict(shown), batched, heads=heads, bias=bias, batch_first=first, **widths)
        for heads, bias, first, batched, widths, shown in itertools.product(
            (1, 2, 4), YES_NO, YES_NO, YES_NO, ({}, {"kdim": 3}, {"kdim": 5, "vdim": 2}), SHOWN[:1]
        )
    ),
    *(
        attention(mask | shown, batched, batch_first=first, add_bias_kv=extra, add_zero_attn=extra)
        for batched, (first, extra), shown in itertools.product(YES_NO, ((True, False), (False, True)), SHOWN)
        for mask in [{}, *masks(batched, 2)]
    ),
    *(
        attention(mask | shown, batch_first=True, training=False, dropout=0.3, **extra)
        for mask, shown in itertools.product([{}, *masks(True, 2)[:2]], SHOWN)
        for extra in ({"add_bias_kv": True}, {"add_zero_attn": True}, {"vdim": 3})
    ),
]
