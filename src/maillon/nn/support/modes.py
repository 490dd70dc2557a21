"""Training or evaluation mode for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager

from maillon.nn.module import Module


@contextmanager
def mode(network: Module, training: bool) -> Iterator[None]:
    """Put the network in training (True) or evaluation mode (False); afterwards each link is as it was."""
    before = [(module, module.training) for module in network.modules()]
    network.train(training)
    try:
        yield
    finally:
        for module, was_training in before:
            if module.training is not was_training:
                module.training = was_training
