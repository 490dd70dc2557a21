"""Recurrent layers, their cells, and what a chain takes of them."""

from typing import Any

from naive.sequence import recurrent as naive

import maillon
from catalogue.rows import NO_BATCH, Row, normal
from maillon.random import Generator

BEYOND_TORCH = {"LastStep", "EveryStep", "LSTM"}  # LSTM: its masks are another stream's there

STEPS = {"RNN": naive.simple_step, "LSTM": naive.lstm_step, "GRU": naive.gru_step}


def _state(name: str, *shapes: tuple[int, ...]) -> Any:
    parts = tuple(normal(*shape) for shape in shapes)
    return parts if "LSTM" in name else parts[0]


def _masked(link: Any) -> Any:
    """Its dropout draws from a generator of its own."""
    link.generator = Generator(5)
    return link


def _row(name: str, inputs: tuple[Any, ...], note: str = "", wrong: Any = (), **options: Any) -> Row:
    """A layer of 3 inputs and 2 units (hidden_size: others), or a cell."""
    size = options.pop("hidden_size", 2)
    is_cell = name.endswith("Cell")
    step = STEPS[name.removesuffix("Cell")]
    shown = " ".join(f"{key}={value}" for key, value in options.items())
    drawn = options.get("dropout", 0) and options["dropout"] < 1
    return Row(
        " ".join(filter(None, [name, shown, note])),
        lambda: (
            _masked(getattr(maillon, name)(3, size, **options)) if drawn else getattr(maillon, name)(3, size, **options)
        ),
        inputs,
        naive.cell(step) if is_cell else naive.layers(step),
        None if drawn else lambda t: getattr(t.nn, name)(3, size, **options),
        wrong=wrong,
        **({} if is_cell and "one sample" not in note else NO_BATCH),  # a state has its layers first
    )


X, BATCH_FIRST, ONE = normal(4, 3, 3), normal(2, 4, 3), normal(4, 3)
WRONG = ((normal(4, 3, 2),), (normal(3),), (normal(0, 2, 3),), (normal(4, 2, 3, 3),))
CELL_WRONG = ((normal(4, 2),), (normal(),), (normal(2, 4, 3),))

LINKS = [
    _row("RNN", (X,), wrong=(*WRONG, (X, normal(2, 3, 2)), (X, normal(1, 3)))),
    _row("RNN", (ONE, normal(4, 2)), "of one sequence, from a state", num_layers=2, bidirectional=True),
    _row("RNN", (BATCH_FIRST, normal(1, 2, 2)), "from a state", nonlinearity="relu", batch_first=True),
    _row("RNN", (X,), bias=False, bidirectional=True),
    _row("LSTM", (X,), wrong=WRONG),
    _row(
        "LSTM",
        (BATCH_FIRST, _state("LSTM", (4, 2, 2), (4, 2, 2))),
        "from a state",
        wrong=((BATCH_FIRST, (normal(4, 4, 2), normal(4, 2, 2))),),
        num_layers=2,
        batch_first=True,
        bidirectional=True,
    ),
    _row("LSTM", (ONE, _state("LSTM", (1, 2), (1, 3))), "of one sequence", hidden_size=3, bias=False, proj_size=2),
    _row("LSTM", (X,), hidden_size=3, num_layers=2, bidirectional=True, proj_size=1),
    _row("LSTM", (BATCH_FIRST,), num_layers=3, batch_first=True, dropout=0.4),
    _row("LSTM", (X,), num_layers=2, dropout=1.0),
    _row("GRU", (X,), wrong=WRONG),
    _row("GRU", (X, normal(4, 3, 2)), "from a state", num_layers=2, bidirectional=True),
    _row("GRU", (ONE,), "of one sequence", bias=False, batch_first=True),
    _row("RNNCell", (ONE,), wrong=CELL_WRONG),
    _row("RNNCell", (ONE, normal(4, 2)), "from a state", nonlinearity="relu", wrong=((ONE, normal(3, 2)),)),
    _row("LSTMCell", (ONE,), wrong=CELL_WRONG),
    _row("LSTMCell", (ONE, _state("LSTM", (4, 2), (4, 2))), "from a state", bias=False),
    _row("LSTMCell", (normal(3), _state("LSTM", (2,), (2,))), "of one sample"),
    _row("GRUCell", (ONE,), wrong=CELL_WRONG),
    _row("GRUCell", (ONE, normal(4, 2)), "from a state"),
    _row("GRUCell", (normal(3), normal(2)), "of one sample", bias=False),
    Row(
        "LastStep",
        maillon.LastStep,
        ((normal(2, 4, 3), normal(2, 2, 3)),),
        naive.last_step,
        **NO_BATCH,
    ),
    Row(
        "LastStep of an LSTM in both directions",
        maillon.LastStep,
        ((normal(2, 4, 6), (normal(4, 2, 3), normal(4, 2, 3))),),
        naive.last_step,
        wrong=(((normal(2, 4, 6), normal(4, 2)),), ((normal(2, 4, 6), normal(1, 2, 3)),)),
        **NO_BATCH,
    ),
    Row(
        "EveryStep",
        maillon.EveryStep,
        ((normal(4, 2, 3), (normal(1, 2, 3), normal(1, 2, 5))),),
        naive.every_step,
        **NO_BATCH,
    ),
]
