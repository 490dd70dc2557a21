"""The losses of regression and classification."""

from typing import Any

import naive

from catalogue.rows import NO_BATCH, REDUCTIONS, Draw, distribution, given, labels, loss, normal, unit

PAIR = (normal(5, 3), normal(5, 3))
PAIR_WRONG = ((normal(5, 3), normal(5)), (normal(5, 1), normal(5)), (normal(5, 3), normal(5, 1)))
PROBABLE = (unit(5, 3), unit(5, 3))
TO_PROBABILITY = (normal(5, 3), unit(5, 3))
SQUARED = naive.paired(lambda p, y: (p - y) ** 2)
HALF_SQUARED = naive.paired(lambda p, y: (p - y) ** 2 / 2)
ABSOLUTE = naive.paired(lambda p, y: abs(p - y))
BINARY, BINARY_LOGITS = naive.binary(lambda p: p), naive.binary(naive.logistic)

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

TO_LABELS = (normal(6, 3), labels(3, 6))
SOME_IGNORED = (normal(6, 3), given(1, -100, 0, 2, -100, 1))
IMAGES = (normal(2, 3, 2, 2), labels(3, 2, 2, 2))
TO_SHARES = (normal(6, 3), distribution(1, 6, 3))
PROBABILITIES = (distribution(1, 6, 3), labels(3, 6))
WEIGHTS = {"weight": [0.5, 2.0, 3.0]}
LABELS_WRONG = ((normal(6, 3), labels(3, 5)), (normal(6, 3), labels(3, 6, 1)), (normal(6, 3), labels(3, 6, 3)),
                (normal(), labels(1)))
WEIGHTS_WRONG = ((normal(6, 4), labels(3, 6)),)

CASES: list[tuple[dict[str, Any], tuple[Draw, ...], dict[str, Any]]] = [
    *((options, TO_LABELS, {"wrong": LABELS_WRONG}) for options in REDUCTIONS),
    ({}, (normal(3), labels(3)), NO_BATCH),
    *((options, IMAGES, {}) for options in REDUCTIONS),
    (WEIGHTS, TO_LABELS, {"wrong": WEIGHTS_WRONG}),
    (WEIGHTS | {"reduction": "none"}, TO_LABELS, {}),
    (WEIGHTS, (normal(3), labels(3)), NO_BATCH),
    ({"ignore_index": -100}, SOME_IGNORED, {}),
    ({"ignore_index": 1, "reduction": "sum"}, TO_LABELS, {}),
    (WEIGHTS | {"ignore_index": 2}, IMAGES, {}),
    ({}, (*TO_LABELS, unit(6)), {}),
    (WEIGHTS | {"ignore_index": 1}, (*IMAGES, unit(2)), {}),
]
SMOOTH = {"label_smoothing": 0.2}
LOSSES += [loss("NLLLoss", options, draws, naive.likelihood, logits=True, **more) for options, draws, more in CASES]
LOSSES += [loss("CrossEntropyLoss", options, draws, naive.cross_entropy, logits=True, **more)
           for options, draws, more in [
    *CASES,
    (SMOOTH, TO_LABELS, {}),
    (SMOOTH | {"ignore_index": 1}, TO_LABELS, {}),
    (SMOOTH | WEIGHTS | {"ignore_index": 0}, IMAGES, {}),
    (SMOOTH | WEIGHTS | {"reduction": "none"}, SOME_IGNORED, {}),
    *((options, TO_SHARES, {"wrong": ((normal(6, 3), unit(6, 2)),)}) for options in REDUCTIONS),
    ({}, (normal(3), distribution(0, 3)), {"batched": False}),
    (WEIGHTS, TO_SHARES, {}),
    (SMOOTH | WEIGHTS, (normal(2, 3, 2, 2), distribution(1, 2, 3, 2, 2)), {}),
    ({}, (*TO_SHARES, unit(6)), {}),
]]
LOSSES += [loss("CrossEntropyLoss", options | {"from_logits": False}, draws, naive.cross_entropy, torch=None)
           for options, draws in [
    *((options, PROBABILITIES) for options in REDUCTIONS),
    ({}, (distribution(1, 6, 3), distribution(1, 6, 3))),
    ({}, (distribution(1, 2, 3, 2, 2), labels(3, 2, 2, 2))),
    (SMOOTH | WEIGHTS | {"ignore_index": 1}, PROBABILITIES),
    ({}, (*PROBABILITIES, unit(6))),
]]
# fmt: on
