"""What the sweeps of the tests build: functions of a module, so that other processes find them."""

import os
from pathlib import Path

import numpy as np

import maillon as m
from maillon.typing import Array


def classifier(width: int = 6, p: float = 0.0, norm: bool = False) -> m.Sequential:
    links = [m.Linear(4, width), m.BatchNorm1d(width)] if norm else [m.Linear(4, width)]
    return m.Sequential(*links, m.ReLU(), m.Dropout(p), m.Linear(width, 3))


def regressor(width: int = 4) -> m.Sequential:
    return m.Sequential(m.Linear(3, width), m.Tanh(), m.Linear(width, 1))


class Swish(m.Module):
    """A link of the user's own."""

    def forward(self, x: Array) -> Array:
        return self.keep(x / (1 + np.exp(-x)), x)

    def backward(self, dy: Array) -> Array:
        (x,) = self.release(dy)
        share = 1 / (1 + np.exp(-x))
        return dy * (share + x * share * (1 - share))


def with_swish(width: int = 4) -> m.Sequential:
    return m.Sequential(m.Linear(3, width), Swish(), m.Linear(width, 1))


class Deadly:
    """Builds classifiers; in any process but the first one it ends the process: once, or each time."""

    def __init__(self, flag: Path, always: int | None = None) -> None:
        self.flag, self.home, self.always = flag, os.getpid(), always

    def __call__(self, width: int = 6, number: int = 0) -> m.Sequential:
        if os.getpid() != self.home:
            if self.always is not None and number == self.always:
                os._exit(1)
            if self.always is None and number > 5 and not self.flag.exists():
                self.flag.touch()
                os._exit(1)
        return classifier(width)
