"""Ctrl-C in long steps of every family: heard soon, and what is left is that of whole steps."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import resuming
import trainings
from own_links import Own
from resuming import Made

import maillon as m
from maillon import optim
from maillon.random import Generator

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.alone]


def towards_zero(network: m.Module, x: Any, rule: optim.Rule | None = None) -> Made:
    """On mini-batches of 16, towards zeros."""
    shape = m.predict(network, x[:1], engine="numpy").shape
    learner = m.Optim(network, m.MSELoss(), rule or optim.Adam(lr=1e-3))
    return Made(learner, (x, np.zeros((len(x), *shape[1:]), np.float32)), {"batch_size": 16})


def x_of(*shape: int) -> Any:
    return Generator(2).normal(shape, dtype=np.float64).astype(np.float32)


def convolution() -> Made:
    return towards_zero(m.Sequential(m.Conv2d(8, 32, 3), m.Conv2d(32, 16, 3)), x_of(32, 8, 48, 48))


def recurrent() -> Made:
    return towards_zero(m.Sequential(m.LSTM(32, 96, batch_first=True), m.EveryStep()), x_of(32, 200, 32))


def attention() -> Made:
    return towards_zero(m.TransformerEncoderLayer(32, 4, 64, batch_first=True), x_of(32, 256, 32))


def sequences() -> Made:
    return trainings.training("loss: CTC", "float32")


def by_lbfgs() -> Made:
    return towards_zero(m.Sequential(m.Linear(256, 512), m.Tanh(), m.Linear(512, 256)), x_of(32, 256), optim.LBFGS())


def own_link() -> Made:
    return towards_zero(m.Sequential(m.Linear(512, 512), Own(512).to("float32"), m.Linear(512, 512)), x_of(32, 512))


class StopAt(m.Callback):
    """After so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_step_end(self, state: m.train.State) -> None:
        state.stopping = state.step == self.steps


@pytest.mark.parametrize("make", [convolution, recurrent, attention, sequences, by_lbfgs, own_link])
def test_ctrl_c_ends_a_training_after_a_whole_step(make: Callable[[], Made]) -> None:
    pressed: list[float] = []

    def press() -> None:
        time.sleep(0.4)
        pressed.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)

    def begun() -> Made:
        m.manual_seed(5)
        made = make()
        made.options |= {"generator": Generator(6), "engine": "native", "epochs": 10**6}
        return made

    made, finger = begun(), threading.Thread(target=press)
    finger.start()
    history = m.fit(made.optim, *made.data, progress=False, **made.options)
    late = time.perf_counter() - pressed[0]
    finger.join()
    assert history.interrupted
    assert history.steps
    assert late < 3, "0.3 s where nobody else computes"

    again = begun()
    other = m.fit(again.optim, *again.data, progress=False, callbacks=StopAt(history.steps), **again.options)
    assert other.steps == history.steps
    found, wanted = (resuming.left(one, ended) for one, ended in ((made, history), (again, other)))
    assert set(resuming.differences(found, wanted)) <= {"ends"}


def of_long_calls() -> dict[str, Callable[[], Any]]:
    """Calls that take half a second or more, in the core but for their beginning and end."""
    network, x = m.Sequential(m.LSTM(64, 256), m.EveryStep()), np.ones((1200, 64, 64), np.float32)
    y, made, compiled = np.zeros((1200, 64, 256), np.float32), m.Optim(network, m.MSELoss(), 0.1), m.compile(network)
    learner, longer = m.compile(made), np.ones((3000, 64, 64), np.float32)
    return {
        "predict": lambda: m.predict(network, longer),
        "compiled": lambda: compiled(longer),
        "step": lambda: learner.step(x, y),
        "fit": lambda: m.fit(made, x, y, batch_size=len(x), epochs=1, progress=False, engine="native"),
    }


@pytest.mark.parametrize("what", ["predict", "compiled", "step", "fit"])
def test_ctrl_c_ends_a_long_call_in_its_middle(what: str) -> None:
    call, pressed = of_long_calls()[what], []
    call()
    begun = time.perf_counter()
    call()
    whole = time.perf_counter() - begun

    def press() -> None:
        time.sleep(0.2 * whole)
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    finger = threading.Thread(target=press)
    finger.start()
    if what == "fit":
        history = call()
        assert (history.interrupted, history.steps) == (True, 0)
    else:
        with pytest.raises(KeyboardInterrupt):
            call()
    late = time.perf_counter() - pressed[0]
    finger.join()
    assert late < 0.5 * whole, "0.3 s where nobody else computes"
