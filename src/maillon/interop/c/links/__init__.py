"""What each link is in C, by family; and those that are refused, with the reason."""

from collections.abc import Callable
from typing import Any

from maillon import nn
from maillon.interop.c.links import activations, joints, linear, norms, pooling, sequence, spatial

Writer = Callable[..., Any]
"""Writes a link into the program: (program, link, *inputs) → its output, nested as the link's."""

KNOWN: dict[type[nn.Module], Writer] = {
    **activations.KNOWN,
    **joints.KNOWN,
    **linear.KNOWN,
    **norms.KNOWN,
    **pooling.KNOWN,
    **sequence.KNOWN,
    **spatial.KNOWN,
}
LAYERS = sequence.LAYERS
"""The recurrent links that take a sequence: in C one step of it."""
RECURRENT = (*LAYERS, *sequence.CELLS)
WANT_INDICES = (nn.Embedding,)

ATTENTION = "attention is not written in C: it looks at all steps of a sequence at once."
INDICES = "places of maxima are not written in C."
DISTANCE = "distances are not written in C. Give what leads to them as outputs, and compare those."
REFUSED: dict[type[nn.Module], str] = {
    nn.MultiheadAttention: ATTENTION,
    nn.Transformer: ATTENTION,
    nn.TransformerEncoder: ATTENTION,
    nn.TransformerEncoderLayer: ATTENTION,
    nn.TransformerDecoder: ATTENTION,
    nn.TransformerDecoderLayer: ATTENTION,
    nn.MaxUnpool1d: INDICES,
    nn.MaxUnpool2d: INDICES,
    nn.CosineSimilarity: DISTANCE,
    nn.PairwiseDistance: DISTANCE,
}
