"""The losses with a margin."""

from naive.losses import margins as naive

from catalogue.rows import REDUCTIONS, given, labels, loss, normal, signs, unit

PAIR = (normal(5, 3), normal(5, 3))
PAIR_WRONG = ((normal(5, 3), normal(5)), (normal(5, 1), normal(5)), (normal(5, 3), normal(5, 1)))
TO_SIGNS = (normal(5, 3), signs(5, 3))
TO_LABELS = (normal(5, 3), labels(3, 5))
TO_LISTS = (normal(5, 4), given([1, -1, 3, 0], [0, 2, -1, -1], [-1, 0, 0, 0], [3, 2, 1, 0], [2, 2, 0, -1]))

# fmt: off
LOSSES = [
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
]
# fmt: on
