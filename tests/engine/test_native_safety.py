"""The core among threads, forks, interrupts and numbers that go wrong."""

import multiprocessing
import signal
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest
from cores import SHARED_X, SHARED_Y, TOLERANCE, agree, outcome, threads, train, train_on_two_threads

import maillon as m
from maillon.random import Generator
from maillon.typing import Array

pytestmark = [pytest.mark.usefixtures("core"), pytest.mark.alone]

# Threads and processes


@pytest.mark.parametrize("number", [1, 2, 3])
def test_trainings_in_several_threads_give_the_bits_they_give_alone(number: int) -> None:
    with threads(number, worth=0):
        alone = [train(seed) for seed in range(3)]
        together: dict[int, Any] = {}

        def keep(seed: int) -> None:
            for _ in range(3):
                together[seed] = train(seed)

        workers = [threading.Thread(target=keep, args=(seed,)) for seed in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert [together[seed] for seed in range(3)] == alone


def test_threads_may_share_a_predictor() -> None:
    generator = Generator(3)
    network = m.Sequential(m.Linear(8, 16, generator=generator), m.Tanh(), m.Linear(16, 2, generator=generator))
    predictor = m.compile(network)
    samples = Generator(4).randn((400, 8))
    expected = [predictor(sample).tobytes() for sample in samples]
    wrong: list[int] = []

    def ask() -> None:
        wrong.extend(i for i, sample in enumerate(samples) if predictor(sample).tobytes() != expected[i])

    workers = [threading.Thread(target=ask) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


def answer(pipe: Any) -> None:
    pipe.send(train(1))
    pipe.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_process_trains_on_threads_of_its_own() -> None:
    context = multiprocessing.get_context("fork")
    with threads(2, worth=0):
        expected = train(1)  # the threads are there, and do not go along
        for _ in range(2):
            here, there = context.Pipe()
            child = context.Process(target=answer, args=(there,))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # Python ≥ 3.12 warns of forks beside threads
                child.start()
            assert here.poll(60), "the child hangs"
            assert here.recv() == expected
            child.join(60)
            assert child.exitcode == 0
            assert train(1) == expected


def test_processes_of_their_own_give_the_same_bits() -> None:
    """As joblib's: several at once, each with threads."""
    with threads(2, worth=0):
        expected = [train(seed) for seed in range(3)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(train_on_two_threads, range(3), timeout=120)) == expected


# Ctrl-C


def endless(batch: int) -> m.History:
    network = m.Sequential(m.Linear(96, 64), m.Tanh(), m.Linear(64, 64))
    return m.fit(network, m.MSELoss(), SHARED_X, SHARED_Y, rule=1e-3, batch_size=batch, epochs=10**7, engine="native")


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("batch", [1, 120])
def test_ctrl_c_ends_a_training_soon(batch: int, number: int) -> None:
    pressed: list[float] = []

    def press() -> None:
        time.sleep(1)  # an epoch has ended by then, on a busy machine too
        pressed.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)

    finger = threading.Thread(target=press)
    with threads(number, worth=0):
        finger.start()
        history = endless(batch)
    ended = time.perf_counter()
    finger.join()
    assert history.interrupted
    assert ended - pressed[0] < 10  # 0.3 s where nobody else computes
    assert 0 < len(history) < 10**7
    steps = -(-120 // batch)
    assert len(history) * steps <= history.steps < (len(history) + 1) * steps
    assert np.isfinite(history["loss"]).all()


# Numbers that go wrong


def both(
    make: Callable[[], m.Optim], x: Array, y: Array, error: type[Exception], tolerance: float, **options: Any
) -> Any:
    """The same error, at the same place, with the same left behind, by either engine."""
    ends = []
    for engine in ("native", "numpy"):
        optim, generator = make(), Generator(5)
        with pytest.raises(error) as caught:
            m.fit(optim, x, y, generator=generator, engine=engine, **options)
        found = outcome(optim, [])
        found.arrays.pop("the last prediction", None)
        found.numbers |= {"error": str(caught.value), "state": repr(generator.get_state())}
        history = getattr(caught.value, "history", None)
        if history is not None:
            assert history.engine == engine
            found.losses = history["loss"]
            found.numbers |= {"steps": history.steps, "epochs": len(history)}
            found.numbers["place"] = (caught.value.epoch, caught.value.batch)  # type: ignore[attr-defined]
        ends.append(found)
    agree(*ends, tolerance)
    return ends[0].numbers


def small(dtype: str, *more: m.Module, rate: float = 0.01, **options: Any) -> Callable[[], m.Optim]:
    def make() -> m.Optim:
        generator = Generator(6)
        links = [m.Linear(4, 5, generator=generator), *more, m.Linear(5, 3, generator=generator)]
        return m.Optim(m.Sequential(*links).to(dtype), m.MSELoss(), m.SGD(lr=rate, momentum=0.5), **options)

    return make


def rows(dtype: str) -> tuple[Array, Array]:
    generator = Generator(7)
    return generator.normal((22, 4), dtype=np.float64).astype(dtype), np.ones((22, 3), dtype)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metrics": ["mae"]},
        {"callbacks": lambda state: None},
        {"progress": True},
        {"sample_weight": np.ones(22)},
        {"shuffle": False},
    ],
    ids=lambda options: " ".join(options),
)
def test_a_sample_that_overflows_in_the_middle_of_an_epoch(options: dict[str, Any], dtype: str) -> None:
    x, y = rows(dtype)
    y[13] = np.finfo(dtype).max / 2  # its square is infinite
    numbers = both(small(dtype, m.Dropout(0.4)), x, y, m.NonFiniteLossError, TOLERANCE[dtype], batch_size=3, **options)
    epoch, batch = numbers["place"]
    assert (epoch, numbers["steps"], numbers["epochs"]) == (1, batch - 1, 0)
    if "shuffle" in options:
        assert batch == 5
        assert numbers["error"].startswith(
            "The loss became inf in epoch 1, batch 5. The first link whose output is not finite: the loss MSELoss(). "
        )


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_a_training_that_diverges_after_some_epochs(dtype: str, each: bool) -> None:
    x, y = rows(dtype)
    options: dict[str, Any] = {"callbacks": lambda state: None} if each else {}
    make = small(dtype, m.Tanh(), m.Dropout(0.2), rate=9.0)
    numbers = both(make, x, y, m.NonFiniteLossError, 1e3 * TOLERANCE[dtype], batch_size=4, epochs=10**4, **options)
    assert numbers["epochs"] >= 3
    assert numbers["place"] == (numbers["epochs"] + 1, numbers["steps"] % 6 + 1)


@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_predictions_that_are_no_probabilities(dtype: str) -> None:
    x, y = rows(dtype)

    def make() -> m.Optim:
        network = m.Linear(4, 3, generator=Generator(6)).to(dtype)
        network.bias.data[...] = 0.5
        network.weight.data *= 0.1
        return m.Optim(network, m.BCELoss(), 0.3)

    numbers = both(make, x, y, m.nn.LinkError, TOLERANCE[dtype], batch_size=3, epochs=200)
    assert "expected" in numbers["error"]


def test_labels_that_are_no_classes() -> None:
    x, _ = rows("float32")
    labels = np.arange(22) % 3
    labels[17] = 3

    def make() -> m.Optim:
        return m.Optim(m.Linear(4, 3, generator=Generator(6)), m.CrossEntropyLoss(), m.SGD(lr=0.1, momentum=0.9))

    numbers = both(make, x, labels, Exception, 1e-5, batch_size=3, shuffle=False)
    assert "3" in numbers["error"]


def test_a_training_goes_on_after_the_error() -> None:
    x, y = rows("float64")
    spoilt = y.copy()
    spoilt[13] = np.finfo(np.float64).max / 2
    ends = []
    for engine in ("native", "numpy"):
        optim = small("float64", m.Tanh())()
        with pytest.raises(m.NonFiniteLossError):
            m.fit(optim, x, spoilt, batch_size=3, shuffle=False, engine=engine)
        history = m.fit(optim, x, y, batch_size=3, epochs=2, shuffle=False, engine=engine)
        ends.append(outcome(optim, history["loss"]))
    agree(*ends, 1e-12)


def test_mini_batches_of_no_weight_leave_the_parameters_and_the_training_goes_on() -> None:
    x, _ = rows("float64")
    labels = np.arange(22) % 3
    weight = np.ones(22)
    weight[3:6] = 0
    ends = []
    for engine in ("native", "numpy"):
        optim = m.Optim(m.Linear(4, 3, generator=Generator(6)).to("float64"), m.CrossEntropyLoss(), 0.1)
        history = m.fit(optim, x, labels, batch_size=3, epochs=2, shuffle=False, sample_weight=weight, engine=engine)
        ends.append(outcome(optim, history["loss"]))
    agree(*ends, 1e-12)
