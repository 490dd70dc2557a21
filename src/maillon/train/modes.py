"""How a network stands while it learns."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from maillon.nn import Module
from maillon.nn.support.modes import mode


@contextmanager
def learning(network: Module) -> Iterator[None]:
    """Training mode, and no warnings about numbers that overflow: a loss that is not finite raises by itself."""
    with mode(network, training=True), np.errstate(over="ignore", invalid="ignore"):
        yield
