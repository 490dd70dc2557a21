"""The loss of sequences whose alignment is not known."""

from naive.losses import ctc as naive

from catalogue.rows import REDUCTIONS, constant, distribution, given, log_of, loss, normal, unit

STEPS = log_of(distribution(2, 5, 3, 3))
PADDED = (STEPS, given([1, 2], [2, 2], [1, 0]), given(5, 4, 3), given(2, 2, 1))
JOINED = (STEPS, given(1, 2, 2, 2, 1), given(5, 5, 5), given(2, 2, 1))
CTC_WRONG = ((*PADDED[:3], given(2, 2)), (STEPS, given([1, 2], [2, 2]), *PADDED[2:]), (normal(5), *PADDED[1:]))

# fmt: off
LOSSES = [
    *(loss("CTCLoss", options, PADDED, naive.ctc, batched=False, wrong=CTC_WRONG, logits=False)
      for options in REDUCTIONS),
    loss("CTCLoss", {"blank": 2, "zero_infinity": True}, (STEPS, given(1, 0, 0, 0, 1), given(5, 4, 1), given(2, 1, 2)),
         naive.ctc, batched=False),
    loss("CTCLoss", {"reduction": "sum"}, (*JOINED, unit(3)), naive.ctc, batched=False),
    loss("CTCLoss", {}, (log_of(distribution(1, 6, 3)), given(2, 2, 1), constant((6,)), constant((3,))), naive.ctc,
         batched=False),
]
# fmt: on
