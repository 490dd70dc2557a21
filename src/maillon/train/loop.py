"""The loop you can read: the report's SGD()."""

from typing import Any

import numpy as np

from maillon.nn.support import arguments
from maillon.optim import Optim
from maillon.optim.door import check, dry_run
from maillon.random import Generator, using
from maillon.tracebacks import short_traceback
from maillon.train.modes import learning
from maillon.train.scores import LossMean


@short_traceback
def sgd(
    optim: Optim,
    x: Any,
    y: Any,
    batch_size: int,
    epochs: int,
    *,
    shuffle: bool = True,
    drop_last: bool = False,
    generator: Generator | None = None,
) -> list[float]:
    """Stochastic gradient descent: cut the data into mini-batches and learn from each, epoch after epoch.

    Parameters
    ----------
    optim : Optim
        Network, loss and rule.
    x, y : array_like
        Data of n rows each; a tuple or dict of arrays for a network of several inputs.
    batch_size : int
        Rows of a mini-batch, at least 1. The last one of an epoch may be short.
    epochs : int
        How often to go through the data, at least 0.
    shuffle : bool
        Whether to draw a new order for each epoch, one ``generator.randperm(n)``.
    drop_last : bool
        Whether to leave out a short last mini-batch of each epoch.
    generator : Generator, optional
        Where the order, and what links draw, come from; the global one by default.

    Returns
    -------
    list of float
        The loss of each epoch: over all its samples, each taken before the step that learnt from it.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> optim = maillon.Optim(maillon.Linear(1, 1), maillon.MSELoss(), 0.1)
    >>> losses = maillon.sgd(optim, x, 2 * x, batch_size=5, epochs=20)
    >>> losses[-1] < losses[0]
    True
    """
    if not isinstance(optim, Optim):
        raise TypeError(f"sgd: expected an Optim, got {type(optim).__name__}. Make one: Optim(network, loss, rule).")
    batch_size = arguments.integer("sgd", "batch_size", batch_size)
    epochs = arguments.integer("sgd", "epochs", epochs, least=0)
    data = check("sgd", optim.network, optim.loss, x, y)
    dry_run("sgd", optim.network, optim.loss, data, batch_size, drop_last=drop_last)
    rows = data.rows - data.rows % batch_size if drop_last else data.rows
    if optim.waiting:
        optim.zero_grad()  # what an earlier training has left in the middle
    losses = []
    with learning(optim.network), using(generator) as numbers:
        for _ in range(epochs):
            order = numbers.randperm(data.rows) if shuffle else np.arange(data.rows)
            epoch_loss = LossMean(optim.loss)
            for start in range(0, rows, batch_size):
                batch = data.take(order[start : min(start + batch_size, rows)])
                epoch_loss.add(optim.learn(batch.x, batch.y))
            optim.flush()
            losses.append(epoch_loss.value)
    return losses
