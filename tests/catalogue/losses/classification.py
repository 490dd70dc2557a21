"""Losses over classes."""

from typing import Any

from naive.losses import classification as naive

from catalogue.rows import NO_BATCH, REDUCTIONS, Draw, distribution, given, labels, loss, normal, unit

# fmt: off
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
LOSSES = [loss("NLLLoss", options, draws, naive.likelihood, logits=True, **more) for options, draws, more in CASES]
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

BEYOND_TORCH = {"CrossEntropyLoss"}
