"""Wrong calls: what they work on, and what must be true of each: the message to the letter, nothing changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import maillon as m
from maillon import random


class Bench:
    """What the calls work on: a trained classifier in the middle of its life, and its data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        generator = m.Generator(1)
        self.network = m.Sequential(m.Linear(6, 4, generator=generator), m.Tanh(), m.Linear(4, 3, generator=generator))
        self.loss = m.CrossEntropyLoss()
        self.optim = m.Optim(self.network, self.loss, m.SGD(lr=0.1, momentum=0.9))
        self.x = generator.randn((8, 6))
        self.labels = np.arange(8) % 3
        self.optim.step(self.x, self.labels)
        self.history = m.fit(self.optim, self.x, self.labels, epochs=1, shuffle=False)
        (folder / "truncated-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 10, 1, 2, 3]))
        (folder / "text-idx1-ubyte").write_bytes(b"hello, I am a letter")

    def snapshot(self) -> list[Any]:
        """Everything that a failed call must leave alone."""
        rule = self.optim.rule.state_dict()
        arrays = [*self.network.state_dict().values(), self.x, self.labels]
        arrays += [value for own in rule["state"].values() for value in own.values()]
        arrays += [p.grad for p in self.network.parameters() if p.grad is not None]
        modes = [link.training for link in self.network.modules()]
        files = {path.name: path.read_bytes() for path in self.folder.iterdir()}
        state = random.default_generator().get_state()
        return [[a.tobytes() for a in arrays], rule["param_groups"], modes, files, repr(state), repr(self.network)]

    def fit(self, **changed: Any) -> Any:
        call = {"x": self.x, "y": self.labels, "rule": 0.1, "epochs": 2, "progress": False, **changed}
        return m.fit(self.network, changed.pop("loss", self.loss), **{k: v for k, v in call.items() if k != "loss"})


def chain(*links: m.Module) -> m.Sequential:
    return m.Sequential(*links)


def linear(width_in: int, width_out: int) -> m.Linear:
    return m.Linear(width_in, width_out, generator=m.Generator(2))


def twice(link: m.Module, x: Any) -> None:
    y = link(x)
    link.backward(y)
    link.backward(y)


def with_nan(x: Any) -> Any:
    wrong = x.copy()
    wrong[3, 2] = np.nan
    return wrong


class Wrong(NamedTuple):
    name: str
    call: Callable[[Bench], Any]
    error: type[Exception]
    message: str


def refused(wrong: Wrong, folder: Path) -> None:
    """The call raises its error, with its message to the letter, and leaves everything as it was."""
    bench = Bench(folder)
    before = bench.snapshot()

    with pytest.raises(wrong.error) as caught:
        wrong.call(bench)

    assert str(caught.value) == wrong.message.replace("{folder}", str(folder))
    assert bench.snapshot() == before


def says(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    """The call raises this error, with its message to the letter, and draws nothing from the global generator."""
    before = random.default_generator().get_state()
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message
    assert random.default_generator().get_state() == before
