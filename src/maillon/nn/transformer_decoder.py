"""The transformer's decoder, and the whole transformer."""

from collections.abc import Callable
from typing import Any

import numpy as np

from maillon import random
from maillon.nn import errors, init
from maillon.nn.attention import MultiheadAttention, _TakesMasks
from maillon.nn.dtypes import floating_dtype
from maillon.nn.module import Module
from maillon.nn.normalization import LayerNorm
from maillon.nn.transformer import TransformerEncoder, TransformerEncoderLayer, _Layer, _Stack
from maillon.typing import Array, DTypeLike


class TransformerDecoderLayer(_Layer):
    """x₁ = norm1(x + dropout1(self_attn(x, x, x))), x₂ = norm2(x₁ + dropout2(multihead_attn(x₁, memory, memory))),
    y = norm3(x₂ + dropout3(f(x₂))), f(x) = linear2(dropout(activation(linear1(x)))); with norm_first each norm is
    before its block: x + dropout(block(norm(x))).

    Derivative: the same steps backwards; where the way forks, as around each block, the gradients of the ways add up.
    backward returns (dtgt, dmemory), and after them, where masks were given by place, theirs (None for boolean ones).

    tgt: (T, N, d_model), memory: (S, N, d_model), with batch_first (N, …, d_model), unbatched (…, d_model)
    → y: the shape of tgt.
    tgt_mask: (T, T) or (N · nhead, T, T), memory_mask: (T, S) or (N · nhead, T, S), tgt_key_padding_mask: (N, T),
    memory_key_padding_mask: (N, S): as of MultiheadAttention. tgt_is_causal, memory_is_causal: hints that the mask,
    which must be given, is the causal one.
    Parameters, initial weights, errors and source: as TransformerEncoderLayer.

    >>> import numpy as np, maillon
    >>> layer = maillon.TransformerDecoderLayer(4, 2, 8, batch_first=True)
    >>> layer(np.zeros((3, 2, 4), dtype=np.float32), np.zeros((3, 5, 4), dtype=np.float32)).shape
    (3, 2, 4)
    """

    sequences = 2
    attentions = ("self_attn", "multihead_attn")
    multihead_attn: MultiheadAttention

    def forward(
        self,
        tgt: Array,
        memory: Array,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Array:
        placed = self._given_by_place()

        def attend(x: Array) -> Array:
            return self._attend("self_attn", x, x, tgt_mask, tgt_key_padding_mask, tgt_is_causal)

        def remember(x: Array) -> Array:
            return self._attend("multihead_attn", x, memory, memory_mask, memory_key_padding_mask, memory_is_causal)

        x = self._block(1, tgt, attend)
        x = self._block(2, x, remember)
        y: Array = self.keep(self._block(3, x, self._feed_forward), placed)
        return y

    def backward(self, grad_output: Array) -> Any:
        (placed,) = self.release(grad_output)

        def attend_backward(dy: Array) -> tuple[Any, ...]:
            dquery, dsource, dmask, dpadding = self._attend_backward("self_attn", dy)
            return dquery + dsource, dmask, dpadding

        def remember_backward(dy: Array) -> tuple[Any, ...]:
            return self._attend_backward("multihead_attn", dy)

        (dx,) = self._block_backward(3, grad_output, self._feed_forward_backward)
        dx, dmemory, dmemory_mask, dmemory_padding = self._block_backward(2, dx, remember_backward)
        dtgt, dmask, dpadding = self._block_backward(1, dx, attend_backward)
        return self._owed(placed, dtgt, dmemory, dmask, dmemory_mask, dpadding, dmemory_padding, None, None)


class TransformerDecoder(_Stack):
    """y = norm(layerₙ(… layer₁(x, memory) …, memory)): num_layers deep copies of one layer, all given the same memory.

    Derivative: the layers' own, from the last to the first; the gradients of memory and masks add up over the layers.
    backward returns (dtgt, dmemory), and after them, where masks were given by place, theirs (None for boolean ones).

    tgt, memory, the masks, y: as of TransformerDecoderLayer. decoder_layer: a TransformerDecoderLayer, or a link that
    takes its eight arguments and gives the gradients of all. num_layers: ≥ 1. norm: a link, or None.

    >>> import numpy as np, maillon
    >>> decoder = maillon.TransformerDecoder(maillon.TransformerDecoderLayer(4, 2, 8), 2)
    >>> decoder(np.zeros((2, 3, 4), dtype=np.float32), np.zeros((5, 3, 4), dtype=np.float32)).shape
    (2, 3, 4)
    """

    sequences = 2

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Array,
        memory: Array,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Array:
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        return self._through(self._given_by_place(), tgt, memory, *masks, bool(tgt_is_causal), memory_is_causal)


class Transformer(_TakesMasks):
    """y = decoder(tgt, encoder(src)): num_encoder_layers and num_decoder_layers layers, each stack with a LayerNorm.

    Derivative: the decoder's, whose gradient of the memory is walked back through the encoder.
    backward returns (dsrc, dtgt), and after them, where masks were given by place, theirs (None for boolean ones).

    src: (S, N, d_model), tgt: (T, N, d_model), with batch_first (N, …, d_model), unbatched (…, d_model) → y: like tgt.
    src_mask: (S, S), tgt_mask: (T, T), memory_mask: (T, S), or one a sample and head: (N · nhead, …);
    src_key_padding_mask and memory_key_padding_mask: (N, S), tgt_key_padding_mask: (N, T). …_is_causal: hints.
    custom_encoder, custom_decoder: links in the place of the stacks, given the arguments of these by place.
    The other parameters: as of TransformerEncoderLayer.
    Initial weights: Xavier's uniform law for every matrix, drawn in the order of state_dict when all is built.
    Source: Vaswani et al., "Attention Is All You Need", 2017.

    >>> import numpy as np, maillon
    >>> transformer = maillon.Transformer(4, 2, 1, 1, 8, batch_first=True)
    >>> transformer(np.zeros((3, 5, 4), dtype=np.float32), np.zeros((3, 2, 4), dtype=np.float32)).shape
    (3, 2, 4)
    """

    sequences = 2

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[..., Any] = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: None = None,
        dtype: DTypeLike | None = None,
        *,
        generator: random.Generator | None = None,
    ) -> None:
        errors.refuse("Transformer", device=(device, None, errors.CPU_ONLY))
        layer = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self._custom = tuple(
            name for name, link in (("encoder", custom_encoder), ("decoder", custom_decoder)) if link is not None
        )
        if custom_encoder is None:
            encoder_layer = TransformerEncoderLayer(*layer, dtype=dtype, generator=generator)
            custom_encoder = TransformerEncoder(encoder_layer, num_encoder_layers, norm())
        self.encoder = custom_encoder
        if custom_decoder is None:
            decoder_layer = TransformerDecoderLayer(*layer, dtype=dtype, generator=generator)
            custom_decoder = TransformerDecoder(decoder_layer, num_decoder_layers, norm())
        self.decoder = custom_decoder
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        self.reset_parameters(generator)

    def reset_parameters(self, generator: random.Generator | None = None) -> None:
        """Draw the initial matrices again."""
        for parameter in self.parameters():
            if parameter.data.ndim > 1:
                init.xavier_uniform_(parameter, generator=generator)

    def forward(
        self,
        src: Array,
        tgt: Array,
        src_mask: Array | None = None,
        tgt_mask: Array | None = None,
        memory_mask: Array | None = None,
        src_key_padding_mask: Array | None = None,
        tgt_key_padding_mask: Array | None = None,
        memory_key_padding_mask: Array | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Array:
        placed = self._given_by_place()
        with errors.inside(self, "encoder"):
            memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        with errors.inside(self, "decoder"):
            y = self.decoder(tgt, memory, *masks, tgt_is_causal, memory_is_causal)
        kept: Array = self.keep(y, placed)
        return kept

    def backward(self, grad_output: Array) -> Any:
        (placed,) = self.release(grad_output)
        dtgt, dmemory, dtgt_mask, dmemory_mask, dtgt_padding, dmemory_padding, *_ = self.decoder.backward(grad_output)
        dsrc, dsrc_mask, dsrc_padding, _ = self.encoder.backward(dmemory)
        masks = (dsrc_mask, dtgt_mask, dmemory_mask, dsrc_padding, dtgt_padding, dmemory_padding)
        return self._owed(placed, dsrc, dtgt, *masks, None, None, None)

    def _arguments(self) -> list[str]:
        made = {name: vars(self)[name] for name in ("encoder", "decoder") if name not in self._custom}
        shown = [f"num_{name}_layers={stack.num_layers}" for name, stack in made.items() if stack.num_layers != 6]
        shown += [part for stack in list(made.values())[:1] for part in stack.layers[0]._arguments()[2:]]
        shown += [f"custom_{name}={vars(self)[name]!r}" for name in self._custom]
        return [str(self.d_model), str(self.nhead), *shown]

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: None = None, dtype: DTypeLike | None = None) -> Array:
        """The causal mask of sz positions, to add: −∞ where a later position would be seen, else 0."""
        errors.refuse("generate_square_subsequent_mask", device=(device, None, errors.CPU_ONLY))
        return np.triu(np.full((sz, sz), -np.inf, floating_dtype(dtype)), 1)
