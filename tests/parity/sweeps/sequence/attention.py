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


def layer(kind: str, options: dict[str, Any]) -> Case:
    return Case(f"Transformer{kind}Layer", (E, 2, 6), {"dropout": 0.0} | options)


SQUARES: list[dict[str, Any]] = [
    {},
    {"src_mask": causal(L)},
    {"src_mask": causal(L), "is_causal": True},
    {"src_mask": some(N * 2, L, L)},
    {"src_mask": added(L, L), "src_key_padding_mask": added(N, L)},
    {"src_key_padding_mask": some(N, L)},
    {"src_mask": np.tri(L, dtype=bool)},  # the last attends to nothing
]
UNBATCHED: list[dict[str, Any]] = [
    {"src_mask": some(2, L, L)},
    {"src_mask": causal(L), "src_key_padding_mask": some(L), "is_causal": True},
]
FORMS = [{"batch_first": first, "norm_first": before} for first, before in itertools.product(YES_NO, YES_NO)]
OTHERS: list[dict[str, Any]] = [
    {"bias": False},
    {"activation": "gelu"},
    {"activation": Case("Tanh"), "layer_norm_eps": 1e-3},
]


def given(masks: list[dict[str, Any]]) -> list[tuple[dict[str, Any], bool, dict[str, Any]]]:
    """Options, whether batched, masks: every form with every mask, every other option with one."""
    found = [(form, True, mask) for form in FORMS for mask in masks]
    found += [(form | other, True, mask) for form in FORMS for other in OTHERS for mask in masks[:1]]
    return found


def about_encoders(form: dict[str, Any], batched: bool, named: dict[str, Any]) -> list[Case]:
    inputs = draws(batched, form["batch_first"], (L, E))
    as_stack = {"mask" if name == "src_mask" else name: value for name, value in named.items()}
    stacked, training = layer("Encoder", form), not form["norm_first"]
    norm = {} if training else {"norm": Case("LayerNorm", (E,)), "enable_nested_tensor": False}
    return [
        Case("TransformerEncoderLayer", (E, 2, 6, 0.0), form, inputs, named),
        Case("TransformerEncoderLayer", (E, 1, 3, 0.1), form, inputs, named if "src_mask" not in named else {}, False),
        Case("TransformerEncoder", (stacked, 2), norm, inputs, as_stack, training),
    ]


CROSSED: list[dict[str, Any]] = [
    {},
    {"tgt_mask": causal(L), "tgt_is_causal": True, "memory_mask": causal(L, S), "memory_is_causal": True},
    {"tgt_mask": some(N * 2, L, L), "memory_mask": some(N * 2, L, S)},
    {"tgt_key_padding_mask": some(N, L), "memory_key_padding_mask": some(N, S)},
    {"tgt_mask": added(L, L), "memory_mask": added(L, S), "memory_key_padding_mask": added(N, S)},
]
CROSSED_UNBATCHED: list[dict[str, Any]] = [
    {"tgt_mask": causal(L), "memory_mask": some(2, L, S), "memory_key_padding_mask": some(S)},
]


def about_decoders(form: dict[str, Any], batched: bool, named: dict[str, Any]) -> list[Case]:
    inputs = draws(batched, form["batch_first"], (L, E), (S, E))
    training = not form["norm_first"]
    norm = {} if training else {"norm": Case("LayerNorm", (E,))}
    found = [
        Case("TransformerDecoderLayer", (E, 2, 6, 0.0), form, inputs, named),
        Case("TransformerDecoderLayer", (E, 2, 6, 0.1), form, inputs, named, False),
    ]
    if not isinstance(form.get("activation"), Case):  # the copies that PyTorch's decoder makes take ReLU for a link
        found.append(Case("TransformerDecoder", (layer("Decoder", form), 2), norm, inputs, named, training))
    return found


def about_both(form: dict[str, Any], batched: bool, named: dict[str, Any]) -> Case:
    """The source is as long as the decoder's memory."""
    inputs = draws(batched, form["batch_first"], (S, E), (L, E))
    counts = {"num_encoder_layers": 1, "num_decoder_layers": 2, "dim_feedforward": 6, "dropout": 0.0}
    source = {"src_mask": causal(S), "src_is_causal": True} if "tgt_is_causal" in named else {}
    if "tgt_key_padding_mask" in named:
        source["src_key_padding_mask"] = named["memory_key_padding_mask"]
    return Case("Transformer", (E, 2), counts | form, inputs, named | source)


ENCODED = given(SQUARES) + [(form, False, mask) for form in FORMS for mask in [{}, *UNBATCHED]]
DECODED = given(CROSSED) + [(form, False, mask) for form in FORMS for mask in [{}, *CROSSED_UNBATCHED]]
CASES += [case for how in ENCODED for case in about_encoders(*how)]
CASES += [case for how in DECODED for case in about_decoders(*how)]
CASES += [about_both(*how) for how in DECODED if not isinstance(how[0].get("activation"), Case)]
