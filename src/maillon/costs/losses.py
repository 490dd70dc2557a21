"""The operations of the losses, their sum included."""

from typing import Any

from maillon.costs.counts import Count, Counts, Flops, size
from maillon.nn import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    CTCLoss,
    GaussianNLLLoss,
    HalfMSELoss,
    HingeEmbeddingLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MarginRankingLoss,
    MSELoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
    SoftMarginLoss,
    TripletMarginLoss,
)


def _each(forward: int, back: int) -> Count:
    """So many operations for each value of the first prediction."""

    def count(link: Any, inputs: tuple[Any, ...], output: Any) -> Flops:
        n = size(inputs[0])
        return Flops(forward * n, back * n)

    return count


def _multi_label_margin(link: MultiLabelMarginLoss, inputs: tuple[Any, ...], output: Any) -> Flops:
    """max(0, 1 − x_t + x_i) of all pairs, and their sum; the slopes are counted from them."""
    pairs = size(inputs[0]) * (inputs[0].shape[-1] if inputs[0].ndim else 1)
    return Flops(4 * pairs, 4 * pairs + size(inputs[0]))


def _ctc(link: CTCLoss, inputs: tuple[Any, ...], output: Any) -> Flops:
    """A log-softmax; at each time and state three terms of α, two logarithms of sums, a sum; back β, and the visits."""
    log_probs, targets = inputs[:2]
    times, classes = log_probs.shape[0], log_probs.shape[-1]
    samples = log_probs.shape[1] if log_probs.ndim == 3 else 1
    longest = targets.shape[1] if targets.ndim == 2 else max(map(int, _lengths(inputs[3])), default=0)
    states = times * samples * (2 * longest + 1)
    return Flops(5 * size(log_probs) + 9 * states, 3 * size(log_probs) + (11 + 2 * classes) * states)


def _lengths(given: Any) -> Any:
    return given.reshape(-1) if hasattr(given, "reshape") else given if isinstance(given, tuple | list) else (given,)


LOSSES: Counts = {
    MSELoss: _each(3, 2),
    HalfMSELoss: _each(4, 1),
    L1Loss: _each(3, 2),
    HuberLoss: _each(6, 3),
    SmoothL1Loss: _each(7, 4),
    BCELoss: _each(8, 7),
    BCEWithLogitsLoss: _each(14, 15),
    CrossEntropyLoss: _each(7, 4),  # log-softmax, q log p and its sum; (eˣ Σ q − q) dl
    NLLLoss: _each(2, 1),
    KLDivLoss: _each(5, 2),
    PoissonNLLLoss: _each(4, 2),
    GaussianNLLLoss: _each(7, 6),
    CTCLoss: _ctc,
    SoftMarginLoss: _each(5, 7),
    MarginRankingLoss: _each(5, 3),
    HingeEmbeddingLoss: _each(4, 2),
    MultiMarginLoss: _each(6, 5),
    MultiLabelMarginLoss: _multi_label_margin,
    MultiLabelSoftMarginLoss: _each(7, 7),
    CosineEmbeddingLoss: _each(6, 8),
    TripletMarginLoss: _each(14, 14),
}
