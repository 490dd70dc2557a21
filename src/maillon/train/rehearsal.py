"""One look at network, loss and data together before the first step."""

from typing import Any

import numpy as np

from maillon.nn import Loss, no_grad
from maillon.nn.support.modes import mode
from maillon.optim import Optim
from maillon.optim.learner import call
from maillon.train.feed import Data, cut


def opened(where: str, optim: Optim, x: Any, y: Any, weight: Any = None, prefix: str = "") -> Data:
    """The data, converted and checked against the network and the loss: what is wrong shows before any step.

    The network computes one row, in evaluation mode; the loss then checks all targets against its shape, so that
    a label out of range at the end of the data does not leave a network half trained.
    """
    data = Data.opened(where, optim.network, optim.loss, x, y, weight, prefix)
    with mode(optim.network, training=False), no_grad():
        row = call(optim.network, cut(data.x, 0, 1))
    own_check = type(optim.loss).forward is Loss.forward
    if own_check and isinstance(row, np.ndarray) and row.shape[:1] == (1,):
        optim.loss.check(np.broadcast_to(row, (data.rows, *row.shape[1:])), data.y)
    return data
