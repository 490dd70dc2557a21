"""Recurrent layers (depth, directions, batch first, biases, projection, state, one sequence) and cells."""

import itertools
from typing import Any

from beside import Case
from catalogue.rows import normal

LENGTH, BATCH, FEATURES, SIZE = 5, 2, 3, 4


def layer(
    name: str, state: bool, batch: int | None, training: bool = True, length: int = LENGTH, **options: Any
) -> Case:
    """batch: None for one sequence without a batch."""
    shape: tuple[int, ...] = (length, FEATURES)
    if batch is not None:
        shape = (batch, length, FEATURES) if options.get("batch_first") else (length, batch, FEATURES)
    inputs: tuple[Any, ...] = (normal(*shape),)
    if state:
        rows = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
        leading = (rows,) if batch is None else (rows, batch)
        hidden = normal(*leading, options.get("proj_size") or SIZE)
        inputs = (*inputs, (hidden, normal(*leading, SIZE)) if name == "LSTM" else hidden)
    return Case(name, (FEATURES, SIZE), options, inputs, training=training)


def kinds() -> list[tuple[str, dict[str, Any]]]:
    """Each kind of layer, in each of its own forms."""
    simple: list[tuple[str, dict[str, Any]]] = [("RNN", {}), ("RNN", {"nonlinearity": "relu"})]
    return [*simple, ("LSTM", {}), ("LSTM", {"proj_size": 2}), ("GRU", {})]


BOTH = (False, True)

CASES = [
    *(
        layer(name, state, batch, num_layers=layers, bidirectional=both, batch_first=first, bias=bias, **own)
        for name, own in kinds()
        for layers, both, first, bias, state, batch in itertools.product((1, 2), BOTH, BOTH, BOTH, BOTH, (None, BATCH))
    ),
    *(
        layer(name, state, batch, training, num_layers=3, dropout=dropout, bidirectional=both, **own)
        for name, own in kinds()
        for state, batch, both in ((True, BATCH, True), (False, None, False))
        for training, dropout in ((False, 0.5), (True, 1.0), (True, 0.0))
    ),
    *(
        layer(name, state, batch, length=length, bidirectional=both, num_layers=2, **own)
        for name, own in kinds()
        for state, batch, both, length in itertools.product(BOTH, (0, 1), BOTH, (1, 2))
    ),
    *(Case(name, (3, 2, 2), {}, (normal(40, 3, 3),), note="long") for name in ("RNN", "LSTM", "GRU")),
    *(Case(name, (1, 1), {}, (normal(2, 1, 1),), note="smallest") for name in ("RNN", "LSTM", "GRU")),
    Case("RNN", (3, 2, 2, "relu", False, True, 0.0, True), {}, (normal(2, 4, 3),), note="by place"),
    Case("LSTM", (3, 4, 2, False, True, 0.0, True, 2), {}, (normal(2, 4, 3),), note="by place"),
    Case("GRU", (3, 2, 2, False, True, 0.0, True), {}, (normal(2, 4, 3),), note="by place"),
]


def cell(name: str, state: bool, batch: tuple[int, ...], **options: Any) -> Case:
    inputs: tuple[Any, ...] = (normal(*batch, FEATURES),)
    if state:
        hidden = normal(*batch, SIZE)
        inputs = (*inputs, (hidden, normal(*batch, SIZE)) if name == "LSTMCell" else hidden)
    return Case(name, (FEATURES, SIZE), options, inputs)


CASES += [
    *(
        cell(name, state, batch, bias=bias)
        for name in ("RNNCell", "LSTMCell", "GRUCell")
        for state, bias, batch in itertools.product(BOTH, BOTH, ((), (0,), (1,), (5,)))
    ),
    *(cell("RNNCell", state, batch, nonlinearity="relu") for state in BOTH for batch in ((), (5,))),
    Case("RNNCell", (3, 2, False, "relu"), {}, (normal(4, 3),), note="by place"),
]
