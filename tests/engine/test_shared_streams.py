"""One generator for several threads: trainings in the core, draws beside them, forks."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import maillon as m
from maillon.engine.begun import drawn_alone
from maillon.engine.native import Runner
from maillon.engine.plan import stream_of
from maillon.engine.step import Batches
from maillon.random import Generator, default_generator

pytestmark = pytest.mark.usefixtures("core")

X = Generator(1).normal((400, 32))
Y = Generator(2).normal((400, 8))


def train(generator: Generator, seconds: float | None = None, epochs: int = 20) -> m.Optim:
    """With dropout and a new order in each epoch, all from one generator; for so many seconds or epochs."""
    links = [m.Linear(32, 64, generator=Generator(3)), m.Dropout(0.4, generator=generator)]
    optim = m.Optim(m.Sequential(*links, m.Linear(64, 8, generator=Generator(4))), m.MSELoss(), 1e-3)
    end = None if seconds is None else time.perf_counter() + seconds

    class Until(m.Callback):
        def on_epoch_end(self, state: m.train.State) -> None:
            if end is not None and time.perf_counter() > end:
                state.stop()

    m.fit(
        optim,
        X,
        Y,
        batch_size=10,
        epochs=10**6 if end else epochs,
        generator=generator,
        engine="native",
        callbacks=[Until()] if end else [],
        progress=False,
    )
    return optim


@contextmanager
def beside(*works: Callable[[], Any]) -> Iterator[None]:
    """Other threads do this meanwhile; what they raise is raised."""
    raised: list[BaseException] = []

    def guarded(work: Callable[[], Any]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    others = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for other in others:
        other.start()
    yield
    for other in others:
        other.join(120)
        assert not other.is_alive(), "a thread hangs"
    if raised:
        raise raised[0]


def endless(generator: Generator, stop: threading.Event) -> Callable[[], None]:
    """A training of one endless epoch's kind: its slices are as long as they may be."""

    def work() -> None:
        links = [m.Linear(32, 64, generator=Generator(3)), m.Dropout(0.4, generator=generator)]
        optim = m.Optim(m.Sequential(*links, m.Linear(64, 8, generator=Generator(4))), m.MSELoss(), 1e-3)
        while not stop.is_set():
            m.fit(optim, X, Y, batch_size=10, epochs=400, generator=generator, engine="native", progress=False)

    return work


def test_trainings_and_draws_share_a_generator() -> None:
    """Nothing hangs, breaks or stops learning; and no word is drawn by two."""
    generator = Generator(5)
    drawn: list[Any] = []
    trained: list[m.Optim] = []

    def draw() -> None:
        for _ in range(200):
            drawn.append(generator.rand(50))

    with beside(lambda: trained.append(train(generator, epochs=60)), draw):
        trained.append(train(generator, epochs=60))
    for optim in trained:
        assert all(np.isfinite(value).all() for value in optim.network.state_dict().values())
    words = np.concatenate(drawn)
    assert words.min() >= 0
    assert words.max() < 1
    assert len(np.unique(words)) > 0.99 * len(words)
    steps = 2 * 60 * 40
    expected = Generator(5)
    expected.random_raw(200 * 50 + 2 * 60 * 399 + steps * 10 * 64)
    assert generator.get_state() == expected.get_state()


def test_a_training_with_its_own_generator_draws_as_ever() -> None:
    """Another thread takes the lock between its steps, but no words: they stay in order."""
    expected, stop = train(Generator(5)), threading.Event()
    generator = Generator(5)

    def want() -> None:
        while not stop.is_set():
            generator.get_state()

    with beside(want):
        found = train(generator)
        stop.set()
    for name, value in expected.network.state_dict().items():
        assert found.network.state_dict()[name].tobytes() == value.tobytes()


def test_a_draw_does_not_wait_for_the_end_of_a_slice() -> None:
    generator, stop, waits = Generator(5), threading.Event(), []
    with beside(endless(generator, stop)):
        time.sleep(0.2)
        for draw in [lambda: generator.rand(1), generator.get_state, lambda: generator.manual_seed(3)] * 10:
            begun = time.perf_counter()
            draw()
            waits.append(time.perf_counter() - begun)
            time.sleep(0.005)
        stop.set()
    assert sorted(waits)[len(waits) // 2] < 0.03  # 0.1 s a slice


def test_a_loss_that_is_not_finite_beside_draws() -> None:
    generator, stop = Generator(5), threading.Event()
    spoilt = Y.copy()
    spoilt[137] = 3e38

    def draw() -> None:
        while not stop.is_set():
            generator.rand(10)

    with beside(draw):
        for _ in range(5):
            links = [m.Linear(32, 64, generator=Generator(3)), m.Dropout(0.4, generator=generator)]
            network = m.Sequential(*links, m.Linear(64, 8, generator=Generator(4)))
            with pytest.raises(m.NonFiniteLossError):
                m.fit(network, m.MSELoss(), X, spoilt, rule=1e-3, batch_size=10, generator=generator, engine="native")
        stop.set()


# Forks


def forked(work: Callable[[], Any], seconds: float = 20.0) -> int | None:
    """The exit status of a child that does this; None for one that had to be killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return None


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
quiet_forks = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@needs_fork
@quiet_forks
def test_a_child_draws_although_another_thread_drew_when_it_was_made() -> None:
    stop = threading.Event()
    generator = default_generator()

    def draw() -> None:
        while not stop.is_set():
            m.manual_seed(1)
            generator.random_raw(200_000)

    with beside(draw):
        statuses = [forked(lambda: (generator.rand(3), Generator(1).rand(3))) for _ in range(10)]
        stop.set()
    assert statuses == [0] * 10
    generator.rand(3)


@needs_fork
@quiet_forks
def test_a_child_trains_although_another_thread_was_training_when_it_was_made() -> None:
    """With the generator that the other training holds, and with threads of its own."""
    generator, stop = Generator(5), threading.Event()
    with beside(endless(generator, stop)):
        time.sleep(0.1)
        statuses = [forked(lambda: train(generator, epochs=2)) for _ in range(5)]
        stop.set()
    assert statuses == [0] * 5


@needs_fork
@quiet_forks
def test_two_threads_may_fork_at_once() -> None:
    generator, stop = Generator(5), threading.Event()
    statuses: list[int | None] = []

    def fork() -> None:
        statuses.extend(forked(lambda: generator.rand(1)) for _ in range(5))

    with beside(endless(generator, stop)):
        with beside(fork, fork):
            pass
        stop.set()
    assert statuses == [0] * 10


@pytest.mark.parametrize("words", [1, 623, 624, 625, 6240])
@pytest.mark.parametrize("before", [0, 1, 624])
def test_whether_others_have_drawn(before: int, words: int) -> None:
    generator = Generator(4)
    generator.random_raw(before)
    stream = stream_of(generator)
    for _ in range(2):
        stream.count_from_here()
        state = generator.get_state()
        assert stream.alone
        assert drawn_alone(stream, generator, state)
        generator.random_raw(words)
        assert not stream.alone
        assert not drawn_alone(stream, generator, state)
    generator.set_state(state)
    assert stream.alone is False, "somebody has drawn, whatever came after"


def test_the_words_of_the_core_are_not_those_of_others() -> None:
    network = m.Sequential(m.Linear(32, 8), m.Dropout(0.5, generator=Generator(3)))
    runner = Runner(m.Optim(network, m.MSELoss(), 0.01), Batches.of(X, Y, None, 40, shuffle=False))
    assert runner.run(3, 1).steps == 3
    (stream,) = runner._streams.values()
    assert stream.drawn > 0
    assert stream.alone
