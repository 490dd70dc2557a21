"""Losses that compare a prediction and its target element by element."""

from naive.activations import logistic
from naive.losses import elements as naive

from catalogue.rows import NO_BATCH, REDUCTIONS, loss, normal, unit

PAIR = (normal(5, 3), normal(5, 3))
PAIR_WRONG = ((normal(5, 3), normal(5)), (normal(5, 1), normal(5)), (normal(5, 3), normal(5, 1)))
PROBABLE = (unit(5, 3), unit(5, 3))
TO_PROBABILITY = (normal(5, 3), unit(5, 3))
SQUARED = naive.paired(lambda p, y: (p - y) ** 2)
HALF_SQUARED = naive.paired(lambda p, y: (p - y) ** 2 / 2)
ABSOLUTE = naive.paired(lambda p, y: abs(p - y))
BINARY, BINARY_LOGITS = naive.binary(lambda p: p), naive.binary(logistic)

# fmt: off
LOSSES = [
    *(loss("MSELoss", options, PAIR, SQUARED, wrong=PAIR_WRONG, logits=True) for options in REDUCTIONS),
    loss("MSELoss", {}, (*PAIR, unit(5)), SQUARED, wrong=((normal(5, 3), normal(5, 3), unit(3)),)),
    loss("MSELoss", {"reduction": "none"}, (*PAIR, unit(5)), SQUARED),
    loss("MSELoss", {}, (normal(), normal()), SQUARED, **NO_BATCH),
    *(loss("HalfMSELoss", options, PAIR, HALF_SQUARED, wrong=PAIR_WRONG, logits=True, torch=None)
      for options in REDUCTIONS),
    *(loss("L1Loss", options, PAIR, ABSOLUTE, wrong=PAIR_WRONG, logits=True) for options in REDUCTIONS),
    loss("L1Loss", {"reduction": "sum"}, (*PAIR, unit(5)), ABSOLUTE),
    *(loss("BCELoss", options, PROBABLE, BINARY, wrong=PAIR_WRONG) for options in REDUCTIONS),
    loss("BCELoss", {"weight": [0.5, 1.0, 3.0]}, PROBABLE, BINARY,
         wrong=((unit(5, 2), unit(5, 2)),)),
    loss("BCELoss", {"weight": [[2.0], [0.0], [1.0]], "reduction": "sum"}, (unit(3, 4), unit(3, 4), unit(3)), BINARY,
         batched=False),
    *(loss("BCEWithLogitsLoss", options, TO_PROBABILITY, BINARY_LOGITS, wrong=PAIR_WRONG, logits=True)
      for options in REDUCTIONS),
    loss("BCEWithLogitsLoss", {"weight": [0.5, 1.0, 3.0]}, TO_PROBABILITY, BINARY_LOGITS, logits=True),
    loss("BCEWithLogitsLoss", {"pos_weight": [0.5, 1.0, 3.0]}, TO_PROBABILITY, BINARY_LOGITS, logits=True,
         wrong=((normal(5, 2), unit(5, 2)),)),
    loss("BCEWithLogitsLoss", {"pos_weight": [0.5, 2.0, 3.0], "weight": [1.0, 0.0, 2.0], "reduction": "none"},
         TO_PROBABILITY, BINARY_LOGITS, logits=True),
    loss("BCEWithLogitsLoss", {}, (*TO_PROBABILITY, unit(5)), BINARY_LOGITS),
]
# fmt: on

BEYOND_TORCH = {"HalfMSELoss"}
