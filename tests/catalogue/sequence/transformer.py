"""Transformers and positional encodings."""

from collections.abc import Callable
from typing import Any

import numpy as np
from naive.sequence import attention as naive

import maillon
from catalogue.rows import Draw, Row, constant, given, normal

M = maillon
NONE = constant(None)


def transformer(name: str, made: Callable[[Any], Any], draws: tuple[Draw, ...], formula: Any, **more: Any) -> Row:
    """Ours and PyTorch's are made by the same call, of `maillon` and of `torch.nn`."""
    return Row(name, lambda: made(M), draws, formula, lambda t: made(t.nn), **more)


def positional(name: str, made: Callable[[], Any], draw: Draw, formula: Any, **more: Any) -> Row:
    return Row(name, made, (draw,), naive.positioned(formula), **more)


PLAIN: dict[str, Any] = {"batch_first": True, "dropout": 0.0}
SMOOTH = PLAIN | {"activation": "gelu", "bias": False}
X, Y, WIDE = normal(2, 3, 4), normal(2, 4, 4), normal(2, 3, 5)
LATER = np.triu(np.ones((3, 3), bool), 1)
PADDED = np.array([[False, False, True], [True, False, False]])

LINKS = [
    transformer("TransformerEncoderLayer", lambda n: n.TransformerEncoderLayer(4, 2, 3, **PLAIN), (X,),
                naive.encoder_layer, wrong=((WIDE,), (normal(4),))),
    transformer("TransformerEncoderLayer norm_first padded",
                lambda n: n.TransformerEncoderLayer(4, 2, 3, norm_first=True, **SMOOTH), (X, NONE, given(*PADDED)),
                naive.encoder_layer),
    transformer("TransformerEncoderLayer of positions, masked",
                lambda n: n.TransformerEncoderLayer(4, 1, 3, 0.0, n.GELU()), (normal(3, 2, 4), normal(3, 3)),
                naive.encoder_layer, batched=False),
    transformer("TransformerEncoder",
                lambda n: n.TransformerEncoder(n.TransformerEncoderLayer(4, 2, 3, **SMOOTH), 2, n.LayerNorm(4), False),
                (X,), naive.encoder, wrong=((WIDE,),)),
    transformer("TransformerEncoder of one sample, masked",
                lambda n: n.TransformerEncoder(n.TransformerEncoderLayer(4, 2, 3, **SMOOTH), 2, None, False),
                (normal(3, 4), normal(3, 3), normal(3)), naive.encoder, batched=False),
    transformer("TransformerDecoderLayer", lambda n: n.TransformerDecoderLayer(4, 2, 3, **PLAIN), (X, Y),
                naive.decoder_layer, wrong=((X, normal(2, 4, 3)), (X, normal(4, 4)), (WIDE, Y))),
    transformer("TransformerDecoderLayer norm_first masked",
                lambda n: n.TransformerDecoderLayer(4, 2, 3, norm_first=True, **SMOOTH),
                (X, Y, given(*LATER), normal(3, 4), NONE, normal(2, 4)), naive.decoder_layer, batched=False),
    transformer("TransformerDecoder",
                lambda n: n.TransformerDecoder(n.TransformerDecoderLayer(4, 2, 3, **SMOOTH), 2, n.LayerNorm(4)),
                (X, Y), naive.decoder, wrong=((WIDE, Y),)),
    transformer("Transformer", lambda n: n.Transformer(4, 2, 1, 1, 3, norm_first=True, **SMOOTH),
                (Y, X, NONE, given(*LATER), normal(3, 4)), naive.transformer, wrong=((Y, WIDE), (WIDE, X)),
                batched=False),
    positional("SinusoidalPositionalEncoding", lambda: M.SinusoidalPositionalEncoding(4), X, naive.wave,
               wrong=((WIDE,), (normal(4),))),
    positional("SinusoidalPositionalEncoding of one sample, odd", lambda: M.SinusoidalPositionalEncoding(5),
               normal(4, 5), naive.wave, batched=False),
    positional("LearnedPositionalEncoding", lambda: M.LearnedPositionalEncoding(4, 3), X, naive.learnt,
               wrong=((WIDE,), (Y,), (normal(4),))),
    positional("LearnedPositionalEncoding of one sample", lambda: M.LearnedPositionalEncoding(4, 5), normal(3, 4),
               naive.learnt, batched=False),
]  # fmt: skip
BEYOND_TORCH = {"SinusoidalPositionalEncoding", "LearnedPositionalEncoding"}
