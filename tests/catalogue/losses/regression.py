"""The losses of regression beyond the elementwise ones."""

import numpy as np
from naive.losses import regression as naive
from naive.losses.elements import paired

from catalogue.rows import REDUCTIONS, distribution, given, log_of, loss, normal, unit

PAIR = (normal(5, 3), normal(5, 3))
PAIR_WRONG = ((normal(5, 3), normal(5)), (normal(5, 1), normal(5)), (normal(5, 3), normal(5, 1)))
SHARES = (log_of(distribution(1, 5, 3)), distribution(1, 5, 3))
LOG_SHARES = (log_of(distribution(1, 5, 3)), log_of(distribution(1, 5, 3)))
COUNTS = (normal(5, 3), lambda generator: generator.randint(0, 6, (5, 3)).astype(np.float64))
RATES = (unit(5, 3), COUNTS[1])
SPREAD = (*PAIR, unit(5, 3))

# fmt: off
LOSSES = [
    *(loss("HuberLoss", options, PAIR, naive.huber(1.0), wrong=PAIR_WRONG, logits=True) for options in REDUCTIONS),
    loss("HuberLoss", {"delta": 0.3}, (*PAIR, unit(5)), naive.huber(0.3)),
    loss("HuberLoss", {"delta": 2.5}, (normal(), normal()), naive.huber(2.5), batched=False),
    *(loss("SmoothL1Loss", options, PAIR, naive.huber(1.0), wrong=PAIR_WRONG, logits=True) for options in REDUCTIONS),
    loss("SmoothL1Loss", {"beta": 0.3}, PAIR, naive.huber(0.3, 1 / 0.3)),
    loss("SmoothL1Loss", {"beta": 0.0}, PAIR, paired(lambda p, y: abs(p - y))),
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
]
# fmt: on
