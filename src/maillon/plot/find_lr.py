"""What a learning-rate range test has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maillon.messages import got
from maillon.plot.axes import axes
from maillon.plot.style import BLACK, BLUE, GREY, VERMILION
from maillon.train.lr_range import LRRange

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GOOD = 0.5  # of the largest fall
_AGAIN = 2  # so many times the steps
_PARTS = {"too small": GREY, "good": BLUE, "too large": VERMILION}


def find_lr(result: LRRange, ax: Axes | None = None) -> Axes:
    """Draw the loss after the short trainings against their rate, and the rate that was found.

    Pale points are the losses of single mini-batches, the line their means, squares those of the trainings twice as
    long; crosses at the top are trainings that have blown up. Where a rate was found, a bar above names the rates that
    are too small, good (the loss falls at least half as far as at the best one) and too large.

    Parameters
    ----------
    result : LRRange
        What `maillon.find_lr` returns.
    ax : Axes, optional
        Where to draw; None makes a new figure.

    Returns
    -------
    Axes
        What was drawn on.

    Examples
    --------
    >>> import numpy as np, maillon
    >>> from matplotlib.figure import Figure
    >>> x = np.linspace(-1, 1, 100)[:, None]
    >>> found = maillon.find_lr(maillon.Linear(1, 1), maillon.MSELoss(), x, 2 * x)
    >>> find_lr(found, Figure().add_subplot()).get_xscale()
    'log'
    """
    if not isinstance(result, LRRange):
        raise TypeError(f"plot.find_lr: expected what maillon.find_lr returns, {got(result)}")
    ax = axes(ax)
    ax.set_xscale("log")
    rates, losses = result.lrs, result.losses
    alive = np.isfinite(losses)
    top, bottom = _limits(result)
    at = np.broadcast_to(rates[alive, None], result.batch_losses[alive].shape)
    shown = (result.batch_losses[alive] < top) & (result.batch_losses[alive] > bottom)
    ax.plot(at[shown], result.batch_losses[alive][shown], "o", color=BLUE, alpha=0.12, markersize=4, mec="none")
    ax.plot(rates[alive], np.minimum(losses[alive], top), color=BLUE, label=f"after {result.steps} steps")
    again = np.isfinite(result.losses_again)
    if again.any():
        longer = np.minimum(result.losses_again[again], top)
        ax.plot(rates[again], longer, "s", color=BLACK, markersize=4, label=f"after {_AGAIN * result.steps} steps")
    ax.axhline(result.start, color=GREY, linestyle=":", label="at the start")
    if not alive.all():
        blown = rates[~alive]
        ax.plot(blown, np.full(len(blown), top), "x", color=VERMILION, label="blown up", clip_on=False)
    if result.lr is not None:
        best = result.losses_again[result.lrs == result.lr]
        label = f"found: {result.lr:.2g}"
        ax.plot(result.lr, best, "*", color=VERMILION, markersize=12, markeredgecolor="white", label=label, zorder=3)
        _name_parts(ax, result)
    else:
        ax.set_title("no rate found")
    ax.set_ylim(bottom, top + 0.03 * (top - bottom))
    ax.set(xlabel="learning rate", ylabel="loss")
    ax.legend(loc="lower left", ncols=2)
    return ax


def _limits(result: LRRange) -> tuple[float, float]:
    """The largest and the least loss that are shown: a loss that has risen far would flatten the valley."""
    shown = np.concatenate([result.losses, result.losses_again])
    least = float(min([result.start, *shown[np.isfinite(shown)]]))
    fall = result.start - least or abs(result.start) or 1.0
    return result.start + 0.5 * fall, least - 0.5 * fall


def _name_parts(ax: Axes, result: LRRange) -> None:
    """The three parts of the range, as a bar along the top."""
    rates = np.log10(result.lrs)
    edges = (rates[1:] + rates[:-1]) / 2
    step = rates[1] - rates[0]
    good = result.start - result.losses >= _GOOD * (result.start - result.losses.min())
    at = int(np.flatnonzero(result.lrs == result.lr)[0])
    first = at - int(np.argmin(np.append(good[at::-1], False))) + 1
    last = at + int(np.argmin(np.append(good[at:], False))) - 1
    ends = np.concatenate([[rates[0] - step / 2], edges, [rates[-1] + step / 2]])
    spans = [(ends[0], ends[first]), (ends[first], ends[last + 1]), (ends[last + 1], ends[-1])]
    across = ax.get_xaxis_transform()
    for (name, colour), (left, right) in zip(_PARTS.items(), spans, strict=True):
        if right > left:
            ax.plot(
                [10**left, 10**right],
                [1.02, 1.02],
                color=colour,
                lw=4,
                solid_capstyle="butt",
                transform=across,
                clip_on=False,
            )
            ax.text(10 ** ((left + right) / 2), 1.045, name, color=colour, ha="center", fontsize=8, transform=across)
    ax.set_xlim(10 ** ends[0], 10 ** ends[-1])
