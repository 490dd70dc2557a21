"""Attention."""

from typing import Any

import numpy as np
from naive.sequence import attention as naive

import maillon
from catalogue.rows import Draw, Row, constant, given, normal

M = maillon

CAUSAL = ~np.tri(3, 4, dtype=bool)
PADDED = np.array([[False, False, False, True], [False, True, False, False]])


def attention(name: str, draws: tuple[Draw, ...], *args: Any, batched: bool = True, **options: Any) -> Row:
    made = " ".join([*map(str, args), *(f"{key}={value}" for key, value in options.items())])
    wrong = tuple((*draws[:place], normal(2, 3, 5, 4), *draws[place + 1 :]) for place in range(3))
    return Row(
        f"MultiheadAttention {made} {name}",
        lambda: M.MultiheadAttention(*args, **options),
        draws,
        naive.multihead,
        lambda t: t.nn.MultiheadAttention(*args, **options),
        batched=batched,
        wrong=wrong,
    )


SAMPLES = (normal(2, 3, 4), normal(2, 4, 4), normal(2, 4, 4))
POSITIONS = (normal(3, 2, 4), normal(4, 2, 4), normal(4, 2, 4))
EACH = given(CAUSAL, CAUSAL[:, ::-1], CAUSAL, CAUSAL[:, ::-1])
YES, NO, NONE = constant(True), constant(False), constant(None)

LINKS = [
    attention("of two sequences", POSITIONS, 4, 2, batched=False),
    attention("of one sequence", (normal(3, 4), normal(4, 4), normal(4, 4), NONE, YES, given(*CAUSAL)), 4, 2,
              bias=False, batched=False),
    attention("padded", (*SAMPLES, given(*PADDED)), 4, 2, batch_first=True),
    attention("with extra keys, weights of each head", (*SAMPLES, given(*PADDED), YES, NONE, NO), 4, 2,
              add_bias_kv=True, add_zero_attn=True, batch_first=True),
    attention("without weights", (normal(2, 3, 4), normal(2, 4, 3), normal(2, 4, 2), NONE, NO), 4, 2, kdim=3, vdim=2,
              batch_first=True),
    attention("masks that are added", (*SAMPLES, normal(2, 4), YES, normal(3, 4)), 4, 1, batch_first=True,
              batched=False),
    attention("a mask for each head", (*SAMPLES, NONE, NO, EACH), 4, 2, batch_first=True, batched=False),
]  # fmt: skip
