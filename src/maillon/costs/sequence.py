"""The operations of recurrence, attention, the transformer's own sums, and positional encodings."""

from typing import Any

from maillon.costs.counts import Counts, Flops, nothing, size
from maillon.nn import (
    GRU,
    LSTM,
    RNN,
    EveryStep,
    GRUCell,
    LastStep,
    LearnedPositionalEncoding,
    LSTMCell,
    MultiheadAttention,
    RNNCell,
    SinusoidalPositionalEncoding,
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)

GATES: dict[type, tuple[int, int, int]] = {
    # rows of the weights for each value of the state; operations for each value at each step, forward and back
    RNN: (1, 2, 4),  # tanh(a + b); (1 − h²) (dy + dh)
    RNNCell: (1, 2, 4),
    GRU: (3, 16, 24),
    GRUCell: (3, 16, 24),
    LSTM: (4, 22, 25),  # four sums, three σ, tanh g, f c + i g, o tanh c
    LSTMCell: (4, 22, 25),
}


def _recurrent(link: Any, inputs: tuple[Any, ...], output: Any) -> Flops:
    """Two products a step, of the input and of the state, and the gates; back two of each and the gates again.

    Going back, the product through the state is needed for whatever learns before it; that of dx only for the input,
    but of the layers above the first for those below.
    """
    gates, forward, back = GATES[type(link)]
    hidden, projected = link.hidden_size, getattr(link, "proj_size", 0)
    state, directions = projected or hidden, 1 + getattr(link, "bidirectional", False)
    layers = getattr(link, "num_layers", 1)
    steps = size(inputs[0]) // link.input_size  # of all sequences
    first = directions * 2 * steps * link.input_size * gates * hidden
    above = (layers - 1) * directions * 2 * steps * directions * state * gates * hidden
    walks = layers * directions * steps
    through = walks * 2 * state * gates * hidden
    projection = walks * 2 * hidden * projected
    return Flops(
        first + above + through + projection + walks * forward * hidden,
        inputs=first,
        parameters=first + above + through + projection,
        both=above + through + projection + walks * back * hidden,
    )


def _attention(link: MultiheadAttention, inputs: tuple[Any, ...], output: Any) -> Flops:
    """Three projections, Q Kᵀ, its softmax, A V; back two products for each of these. out_proj is a link of its own."""
    query, key, value = inputs[:3]
    width = link.embed_dim
    queries, keys, values = size(query) // width, size(key) // link.kdim, size(value) // link.vdim
    batch = 1 if key.ndim == 2 else key.shape[0 if link.batch_first else 1]
    length = keys // max(batch, 1) + link.add_bias_kv + link.add_zero_attn
    projections = 2 * width * (queries * width + keys * link.kdim + values * link.vdim)
    scores, product = link.num_heads * queries * length, 2 * queries * length * width
    scaled = queries * width
    return Flops(
        projections + 2 * product + 5 * scores + scaled,
        inputs=projections,
        parameters=projections,
        both=4 * product + 4 * scores + scaled,
    )


def _encoder_layer(link: TransformerEncoderLayer, inputs: tuple[Any, ...], output: Any) -> Flops:
    """Two sums around the blocks; back the same, and those of query, key and value."""
    return Flops(2 * size(output), both=4 * size(output))


def _decoder_layer(link: TransformerDecoderLayer, inputs: tuple[Any, ...], output: Any) -> Flops:
    return Flops(3 * size(output), both=5 * size(output) + size(inputs[1]))


def _decoder(link: TransformerDecoder, inputs: tuple[Any, ...], output: Any) -> Flops:
    """The layers' gradients of the memory are added up."""
    return Flops(0, both=(link.num_layers - 1) * size(inputs[1]))


def _learned_positions(link: LearnedPositionalEncoding, inputs: tuple[Any, ...], output: Any) -> Flops:
    return Flops(size(output), 0, size(output))


def _sinusoids(link: SinusoidalPositionalEncoding, inputs: tuple[Any, ...], output: Any) -> Flops:
    return Flops(size(output))


SEQUENCE: Counts = {
    **dict.fromkeys(GATES, _recurrent),
    LastStep: nothing,
    EveryStep: nothing,
    MultiheadAttention: _attention,
    TransformerEncoderLayer: _encoder_layer,
    TransformerDecoderLayer: _decoder_layer,
    TransformerEncoder: nothing,
    TransformerDecoder: _decoder,
    Transformer: nothing,
    SinusoidalPositionalEncoding: _sinusoids,
    LearnedPositionalEncoding: _learned_positions,
}
