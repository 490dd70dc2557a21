"""The losses of regression, of margins, of embeddings, and of sequences without alignment."""

import math
from typing import Any

import numpy as np
from naive import more_losses as naive

from catalogue.rows import (
    NOT_YET,
    REDUCTIONS,
    Draw,
    constant,
    distribution,
    given,
    labels,
    loss as basic_loss,
    normal,
    unit,
)


def loss(name: str, options: dict[str, Any], draws: tuple[Draw, ...], elements: Any, **more: Any) -> Any:
    return basic_loss(name, options, draws, elements, **({"native": NOT_YET} | more))


def log_of(draw: Draw) -> Draw:
    return lambda generator: np.log(draw(generator))


PAIR = (normal(5, 3), normal(5, 3))
PAIR_WRONG = ((normal(5, 3), normal(5)), (normal(5, 1), normal(5)), (normal(5, 3), normal(5, 1)))
SHARES = (log_of(distribution(1, 5, 3)), distribution(1, 5, 3))
LOG_SHARES = (log_of(distribution(1, 5, 3)), log_of(distribution(1, 5, 3)))
COUNTS = (normal(5, 3), lambda generator: generator.randint(0, 6, (5, 3)).astype(np.float64))
RATES = (unit(5, 3), COUNTS[1])
SPREAD = (*PAIR, unit(5, 3))


def signs(*shape: int) -> Draw:
    return lambda generator: np.asarray(2.0 * generator.randint(0, 2, shape) - 1)


TO_SIGNS = (normal(5, 3), signs(5, 3))
PAIRS = (normal(5, 3), normal(5, 3), signs(5))
TO_LABELS = (normal(5, 3), labels(3, 5))
TO_LISTS = (normal(5, 4), given([1, -1, 3, 0], [0, 2, -1, -1], [-1, 0, 0, 0], [3, 2, 1, 0], [2, 2, 0, -1]))
TRIPLET = (normal(5, 3), normal(5, 3), normal(5, 3))
STEPS = log_of(distribution(2, 5, 3, 3))
PADDED = (STEPS, given([1, 2], [2, 2], [1, 0]), given(5, 4, 3), given(2, 2, 1))
JOINED = (STEPS, given(1, 2, 2, 2, 1), given(5, 5, 5), given(2, 2, 1))
CTC_WRONG = ((*PADDED[:3], given(2, 2)), (STEPS, given([1, 2], [2, 2]), *PADDED[2:]), (normal(5), *PADDED[1:]))

# fmt: off
LOSSES = [
    *(loss("HuberLoss", options, PAIR, naive.huber(1.0), wrong=PAIR_WRONG, logits=True) for options in REDUCTIONS),
    loss("HuberLoss", {"delta": 0.3}, (*PAIR, unit(5)), naive.huber(0.3)),
    loss("HuberLoss", {"delta": 2.5}, (normal(), normal()), naive.huber(2.5), batched=False),
    *(loss("SmoothL1Loss", options, PAIR, naive.huber(1.0), wrong=PAIR_WRONG, logits=True) for options in REDUCTIONS),
    loss("SmoothL1Loss", {"beta": 0.3}, PAIR, naive.huber(0.3, 1 / 0.3)),
    loss("SmoothL1Loss", {"beta": 0.0}, PAIR, naive.paired(lambda p, y: abs(p - y))),
    *(loss("KLDivLoss", options, SHARES, naive.divergence, wrong=PAIR_WRONG)
      for options in (*REDUCTIONS, {"reduction": "batchmean"})),
    loss("KLDivLoss", {"log_target": True, "reduction": "batchmean"}, LOG_SHARES, naive.divergence),
    loss("KLDivLoss", {"reduction": "batchmean"}, (*SHARES, unit(5)), naive.divergence),
    *(loss("PoissonNLLLoss", options, COUNTS, naive.poisson, wrong=PAIR_WRONG)
      for options in (*REDUCTIONS, {"full": True})),
    loss("PoissonNLLLoss", {"log_input": False, "full": True, "eps": 1e-3}, RATES, naive.poisson),
    *(loss("GaussianNLLLoss", options, SPREAD, naive.gaussian,
           wrong=((normal(5, 3), normal(5), unit(5, 3)), (*PAIR, unit(3)), (*PAIR, unit(1, 1))))
      for options in REDUCTIONS),
    loss("GaussianNLLLoss", {"full": True, "eps": 0.5}, (*PAIR, given(0.7, 0.8, 0.6, 0.9, 2.0)), naive.gaussian),
    loss("GaussianNLLLoss", {"reduction": "none", "full": True}, (normal(5, 3), normal(5, 1), unit(1, 3)),
         naive.gaussian, batched=False),
    loss("GaussianNLLLoss", {}, (*SPREAD, unit(5)), naive.gaussian),

    *(loss("HingeEmbeddingLoss", options, TO_SIGNS, naive.hinge, wrong=PAIR_WRONG, logits=True)
      for options in REDUCTIONS),
    loss("HingeEmbeddingLoss", {"margin": 0.3}, (normal(3), given(1, -1, -1)), naive.hinge),
    *(loss("MarginRankingLoss", options, (*PAIR, signs(5, 3)), naive.ranking,
           wrong=((*PAIR, signs(5)), (normal(5), *PAIR))) for options in REDUCTIONS),
    loss("MarginRankingLoss", {"margin": 0.7}, (normal(3), normal(3), given(1, -1, -1), unit(3)), naive.ranking),
    *(loss("SoftMarginLoss", options, TO_SIGNS, naive.SOFT_MARGIN, wrong=PAIR_WRONG, logits=True)
      for options in REDUCTIONS),
    *(loss("MultiMarginLoss", options, TO_LABELS, naive.multi_margin, logits=True,
           wrong=((normal(5, 3), labels(3, 4)), (normal(5, 3), labels(3, 5, 1)), (normal(5, 3, 2), labels(3, 5))))
      for options in REDUCTIONS),
    loss("MultiMarginLoss", {"p": 2, "margin": 0.6, "weight": [0.5, 2.0, 3.0]}, TO_LABELS, naive.multi_margin,
         wrong=((normal(5, 4), labels(3, 5)),)),
    loss("MultiMarginLoss", {}, (normal(4), labels(4)), naive.multi_margin, batched=False),
    *(loss("MultiLabelMarginLoss", options, TO_LISTS, naive.multi_label_margin, logits=True,
           wrong=((normal(5, 4), labels(4, 5)), (normal(5, 4), labels(3, 5, 3)))) for options in REDUCTIONS),
    loss("MultiLabelMarginLoss", {}, (normal(4), given(3, 0, -1, 1)), naive.multi_label_margin, batched=False),
    *(loss("MultiLabelSoftMarginLoss", options, (normal(5, 3), unit(5, 3)), naive.multi_label_soft, wrong=PAIR_WRONG,
           logits=True) for options in REDUCTIONS),
    loss("MultiLabelSoftMarginLoss", {"weight": [0.5, 2.0, 3.0]}, (normal(5, 3), labels(2, 5, 3)),
         naive.multi_label_soft, wrong=((normal(5, 2), unit(5, 2)),)),
    *(loss("CosineEmbeddingLoss", options, PAIRS, naive.cosine,
           wrong=((*PAIR, signs(5, 3)), (normal(5, 3), normal(5, 2), signs(5)), (normal(), normal(), signs())))
      for options in REDUCTIONS),
    loss("CosineEmbeddingLoss", {"margin": 0.4}, (*PAIRS, unit(5)), naive.cosine),
    *(loss("TripletMarginLoss", options, TRIPLET, naive.triplet,
           wrong=((*PAIR, normal(5)), (*PAIR, normal(5, 2)), (normal(), normal(), normal())))
      for options in REDUCTIONS),
    loss("TripletMarginLoss", {"p": 1, "margin": 2.0, "swap": True}, TRIPLET, naive.triplet),
    loss("TripletMarginLoss", {"p": 2.5, "margin": 3.0, "eps": 0.1}, (*TRIPLET, unit(5)), naive.triplet),
    loss("TripletMarginLoss", {"p": math.inf, "margin": 4.0}, TRIPLET, naive.triplet),

    *(loss("CTCLoss", options, PADDED, naive.ctc, batched=False, wrong=CTC_WRONG, logits=False)
      for options in REDUCTIONS),
    loss("CTCLoss", {"blank": 2, "zero_infinity": True}, (STEPS, given(1, 0, 0, 0, 1), given(5, 4, 1), given(2, 1, 2)),
         naive.ctc, batched=False),
    loss("CTCLoss", {"reduction": "sum"}, (*JOINED, unit(3)), naive.ctc, batched=False),
    loss("CTCLoss", {}, (log_of(distribution(1, 6, 3)), given(2, 2, 1), constant((6,)), constant((3,))), naive.ctc,
         batched=False),
]
# fmt: on
