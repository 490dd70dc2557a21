"""How links behave for the length of a block: training or evaluation mode, and whether rows are samples."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from maillon.nn.module import Module

_rows_are_samples: ContextVar[bool] = ContextVar("rows_are_samples", default=False)


@contextmanager
def mode(network: Module, training: bool) -> Iterator[None]:
    """Put the network in training (True) or evaluation mode (False); afterwards each link is as it was."""
    before = [(module, module.training) for module in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        for module, was_training in before:
            module.training = was_training


@contextmanager
def rows_are_samples() -> Iterator[None]:
    """Inside this block the first dimension of an input is the batch, as in `fit` and `predict`.

    A convolution then refuses images without a channel, (N, H, W), which it would otherwise take for the channels of
    a single image, (C, H, W).
    """
    token = _rows_are_samples.set(True)
    try:
        yield
    finally:
        _rows_are_samples.reset(token)


def takes_single_samples() -> bool:
    """Whether an input may be a single sample, without the dimension of the batch."""
    return not _rows_are_samples.get()
