"""What a learning-rate range test has found."""

from dataclasses import dataclass, field

from maillon.typing import Array


@dataclass(frozen=True, eq=False)
class LRRange:
    """A learning rate, or why there is none, and the losses that say so. `maillon.plot.find_lr` draws it.

    Parameters
    ----------
    lr : float or None
        The rate to train with: that of the rule's first group of parameters. None where no rate is clearly good.
    reason : str
        What `lr` rests on, or what is missing and what to do about it: one or two sentences.
    lrs : array
        The k rates that were tried, ascending.
    losses : array
        (k,): the loss at the end of a short training at each rate, over the mini-batches of its last third without the
        least and the greatest fifth. inf where it has blown up.
    losses_again : array
        (k,): the same of the trainings twice as long, at the best rates; nan at the others.
    batch_losses : array
        (k, b): the losses of these mini-batches of the short trainings, one by one; inf where one has blown up.
    start : float
        The loss before any step.
    steps : int
        Steps of one short training.
    total_steps : int
        Steps of all of them together.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> x = np.linspace(-1, 1, 100)[:, None]
    >>> found = maillon.find_lr(maillon.Linear(1, 1), maillon.MSELoss(), x, 2 * x, rule=maillon.SGD(lr=1.0))
    >>> 0.03 < found.lr < 3
    True
    """

    lr: float | None
    reason: str
    lrs: Array = field(repr=False)
    losses: Array = field(repr=False)
    losses_again: Array = field(repr=False)
    batch_losses: Array = field(repr=False)
    start: float
    steps: int
    total_steps: int

    def __repr__(self) -> str:
        rate = "None" if self.lr is None else f"{self.lr:.2g}"
        return f"LRRange(lr={rate}, {len(self.lrs)} rates, {self.total_steps} steps)\n{self.reason}"
