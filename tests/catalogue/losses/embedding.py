"""The losses between vectors."""

import math

from naive.losses import embedding as naive

from catalogue.rows import REDUCTIONS, loss, normal, signs, unit

PAIR = (normal(5, 3), normal(5, 3))
PAIRS = (normal(5, 3), normal(5, 3), signs(5))
TRIPLET = (normal(5, 3), normal(5, 3), normal(5, 3))

# fmt: off
LOSSES = [
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
]
# fmt: on
