"""The learning-rate range test."""

import math
from typing import Any

import numpy as np

from maillon import engine as engines
from maillon.engine import NotLoweredError
from maillon.nn import Module
from maillon.nn.support import arguments
from maillon.optim import Optim, Rule
from maillon.optim.door import Data, check, dry_run
from maillon.random import Generator
from maillon.tracebacks import short_traceback
from maillon.train.fit import learner_and_data
from maillon.train.lr_range import LRRange

_PER_DECADE = 2  # rates
_LONGER = 4  # so many times the steps, where so few have shown nothing


@short_traceback
def find_lr(
    network: Module | Optim,
    loss: Any = None,
    x: Any = None,
    y: Any = None,
    *,
    rule: float | Rule | Optim | None = None,
    batch_size: int = 32,
    steps: int = 50,
    min_lr: float = 1e-8,
    max_lr: float = 100.0,
    sample_weight: Any = None,
    generator: Generator | None = None,
    engine: str = "auto",
) -> LRRange:
    """Find a learning rate by short trainings of a copy: the range test.

    find_lr(network, loss, x, y, …), or find_lr(optim, x, y, …) for an `Optim`, with its rule and its clipping.

    Parameters
    ----------
    network : Module or Optim
        What is to learn. It stays as it is, to the bit: parameters, buffers, gradients, mode, and the loss and the rule
        as well.
    loss : Loss
        What is made small.
    x : array_like, tuple or dict
        Inputs of n rows, as in `fit`. An iterable of mini-batches is not taken.
    y : array_like or tuple, optional
        Targets of n rows, as in `fit`.
    rule : float, Rule or Optim, optional
        The rule that will train, as in `fit`; `Adam()` by default. Its rate does not matter. Of several groups of
        parameters each keeps its ratio to the first one's rate.
    batch_size : int
        Rows of a mini-batch, ≥ 1: that of the training to come. A good rate depends on it.
    steps : int
        Steps of one short training, ≥ 10. Where so many show nothing clear, there is a second try with four times as
        many.
    min_lr, max_lr : float
        The range, min_lr > 0 and max_lr ≥ 2 min_lr: two rates a decade, and at least five, of two digits each.
    sample_weight : array_like, optional
        n factors ≥ 0 on the samples' losses.
    generator : Generator, optional
        Where the orders of the rows, and what links such as Dropout draw, come from. By default one of its own, with
        always the same seed: the same call finds the same rate, and the global generator is left as it is.
    engine : str
        "auto", "numpy" or "native", as in `fit`.

    Returns
    -------
    LRRange
        `lr` is the rate, or None, and `reason` says why. `maillon.plot.find_lr` draws the losses over the rates.

    Raises
    ------
    ValueError, TypeError
        For a wrong call, and for LBFGS, which looks for the length of each step by itself.
    NonFiniteLossError
        When the loss is NaN or infinite before any step.

    Notes
    -----
    Each rate has a training of its own, of few steps, from the same start and on the same mini-batches; so a rate does
    not suffer from those before it. Its losses are compared with those of the start mini-batch by mini-batch, over the
    last third of the steps, without the least and the greatest fifth: hard mini-batches do not look like a rise, nor is
    a spike the course of a training. A training whose loss is not finite, or beyond four times the largest one of the
    start, has blown up. The rates are walked from the largest one down, until the fall of the loss fades. The best
    three are tried again for twice as many steps. `lr` is the one with the largest fall; of several within a standard
    error, the largest.

    It is given only when four things are so. The fall is at least 1 % of the loss and four standard errors. There is
    a worse rate on either side. And what is learnt is more than a constant: a training on half of the rows predicts the
    targets of the other half better than it predicts the same targets in other orders, and the other way round, by 3.3
    standard deviations, which comes by chance once in two thousand times. The last is not asked with fewer than 32
    rows, nor of a loss without a target.

    It takes about 1 000 steps, or six times as many where a second try is needed.

    References
    ----------
    Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, raises the rate within one training.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> generator = maillon.manual_seed(0)
    >>> x = generator.uniform((200, 1), -2, 2)
    >>> y = np.sin(2 * x)
    >>> network = maillon.Sequential(maillon.Linear(1, 16), maillon.Tanh(), maillon.Linear(16, 1))
    >>> found = maillon.find_lr(network, maillon.MSELoss(), x, y, rule=maillon.Adam())
    >>> 0.003 < found.lr < 0.3
    True
    >>> maillon.find_lr(network, maillon.MSELoss(), x, generator.randn((200, 1))).lr is None     # noise
    True
    """
    from maillon.train.lr_runs import Runs, copied  # here, for `import maillon` does without them
    from maillon.train.lr_search import Search

    batch_size = arguments.integer("find_lr", "batch_size", batch_size)
    steps = arguments.integer("find_lr", "steps", steps, least=10)
    rates = _rates(min_lr, max_lr)
    generator = arguments.generator("find_lr", generator) or Generator(0)
    optim, x, y = learner_and_data("find_lr", network, loss, x, y, rule)
    _require_rate(optim)
    if y is None and optim.loss.targets:
        raise TypeError(
            "find_lr: expected y beside x, got none. Give arrays: each rate goes through the same mini-batches, which "
            "an iterable of them may not give again."
        )
    data = check("find_lr", optim.network, optim.loss, x, y, sample_weight)
    still = copied(optim)  # what links of the user's own keep from a pass is theirs as well
    dry_run("find_lr", still.network, still.loss, data, batch_size, drop_last=batch_size < data.rows)
    _require_engine(still, data, batch_size, engine)
    runs = Runs(optim, data, batch_size, steps, engines.choose(engine), generator)
    search = Search(runs, rates)
    if search.undecided:
        more = runs.longer(_LONGER)
        more.taken = search.runs.taken
        search = Search(more, search.alive)
    return search.result()


def _rates(least: Any, most: Any) -> list[float]:
    least = arguments.number("find_lr", "min_lr", least, 0.0, above=True, finite=True)
    most = arguments.number("find_lr", "max_lr", most, 2 * least, finite=True)
    count = max(5, round(_PER_DECADE * math.log10(most / least)) + 1)
    return [float(f"{rate:.2g}") for rate in np.geomspace(least, most, count)]


def _require_rate(optim: Optim) -> None:
    name, groups = type(optim.rule).__name__, optim.rule.param_groups
    if optim.rule.needs_closure:
        raise ValueError(
            f"find_lr: {name} looks for the length of each step by itself, so its rate has no valley. Leave lr at 1, "
            "with line_search_fn='strong_wolfe', or take another rule."
        )
    if not all("lr" in group for group in groups):
        raise ValueError(f"find_lr: expected a rule with an option lr, got {name}.")
    if len(groups) > 1 and not groups[0]["lr"] > 0:
        raise ValueError(
            f"find_lr: expected the first group of {name} to have a rate > 0, got {groups[0]['lr']!r}. The other "
            "groups keep their ratio to it: put one that learns first."
        )


def _require_engine(optim: Optim, data: Data, batch_size: int, engine: str) -> None:
    if engines.choose(engine) == "numpy" or engine != "native":
        return
    part = data.part(0, min(batch_size, data.rows))
    try:
        engines.lower(optim, part.x, part.y, part.weight)
    except NotLoweredError as reason:
        raise RuntimeError(f"engine='native': {reason}. Pass engine='auto' to train in NumPy where it must.") from None
