"""The learning-rate finders of fastai and Lightning, written anew from their descriptions.

Both raise the rate geometrically, one mini-batch a step, within one training of 100 steps, average the losses
exponentially (0.98, corrected for its beginning), and stop when the average is four times its least. From there:

- "steepest": the rate where the average falls fastest, by finite differences, the first ten steps and the last one left
  out (Lightning's suggestion, from 1e-8 to 1; fastai's `steep` is alike).
- "valley": the longest run of steps of which each lies below those before it, which need not follow one another; the
  rate in its middle (fastai's default, from 1e-7 to 10).
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

import maillon as m
from maillon.random import Generator, using
from maillon.typing import Array

STEPS, AVERAGE, STOP = 100, 0.98, 4.0
FIRST, LAST = 10, 1  # steps that Lightning leaves out


def ramp(optim: Any, x: Array, y: Array, batch_size: int, least: float, most: float, seed: int) -> tuple[Array, Array]:
    """The rates and the averaged losses of one training with a rising rate."""
    optim, generator = copy.deepcopy(optim), Generator(seed)
    step = m.compile(optim).step
    averages: list[float] = []
    rates = np.geomspace(least, most, STEPS)
    average, rows = 0.0, np.empty(0, np.int64)
    with using(Generator(seed)), np.errstate(all="ignore"):
        for number, rate in enumerate(rates, 1):
            rows = rows if len(rows) else generator.randperm(len(x))
            batch, rows = rows[:batch_size], rows[batch_size:]
            for group in optim.rule.param_groups:
                group["lr"] = float(rate)
            try:
                loss = step(x[batch], y[batch])
            except m.NonFiniteLossError:
                break
            average = AVERAGE * average + (1 - AVERAGE) * loss
            averages.append(average / (1 - AVERAGE**number))
            if averages[-1] > STOP * min(averages):
                break
    return rates[: len(averages)], np.array(averages)


def steepest(
    optim: Any, x: Array, y: Array, batch_size: int, seed: int, least: float = 1e-8, most: float = 1.0
) -> float | None:
    rates, losses = ramp(optim, x, y, batch_size, least, most, seed)
    rates, losses = rates[FIRST:-LAST], losses[FIRST:-LAST]
    return float(rates[np.gradient(losses).argmin()]) if len(losses) > 1 else None


def valley(
    optim: Any, x: Array, y: Array, batch_size: int, seed: int, least: float = 1e-7, most: float = 10.0
) -> float | None:
    rates, losses = ramp(optim, x, y, batch_size, least, most, seed)
    if not len(losses):
        return None
    length = np.ones(len(losses), int)
    for end in range(1, len(losses)):
        length[end] += max((length[i] for i in range(end) if losses[i] > losses[end]), default=0)
    last = int(length.argmax())
    first = last - int(length[last])
    return float(rates[max(0, round((first + last) / 2))])


PEERS: dict[str, Callable[..., float | None]] = {"steepest (Lightning)": steepest, "valley (fastai)": valley}
