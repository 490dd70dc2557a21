"""Embedding, as far as its gradient is the derivative: a padding row met, say, is a case of the sweeps."""

from naive.linear.embedding import looked_up

import maillon as M
from catalogue.rows import Row, given, labels

# fmt: off
LINKS = [
    Row("Embedding", lambda: M.Embedding(5, 3), (labels(5, 6),), looked_up, lambda t: t.nn.Embedding(5, 3),
        integers=True),
    Row("Embedding of sequences", lambda: M.Embedding(4, 2), (labels(4, 3, 5),), looked_up,
        lambda t: t.nn.Embedding(4, 2), integers=True),
    Row("Embedding of one index", lambda: M.Embedding(3, 2), (labels(3),), looked_up, lambda t: t.nn.Embedding(3, 2),
        batched=False, integers=True),
    Row("Embedding padding_idx, not met", lambda: M.Embedding(4, 3, padding_idx=-1), (given(0, 2, 2, 1),),
        looked_up, lambda t: t.nn.Embedding(4, 3, padding_idx=-1), integers=True),
    Row("Embedding max_norm, not reached; each index once",
        lambda: M.Embedding(4, 3, max_norm=100.0, scale_grad_by_freq=True), (given(3, 1, 0),), looked_up,
        lambda t: t.nn.Embedding(4, 3, max_norm=100.0, scale_grad_by_freq=True), integers=True),
]
# fmt: on
