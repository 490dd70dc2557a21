"""The same seed gives the same bits: for any number of threads, any cut into slices, any run and any wide register."""

import hashlib
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from cores import threads

import maillon as m
from maillon.engine import native, processor, step
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

SETS = processor.core().instruction_sets() if processor.core() is not None else []


def digest(network: m.Module) -> str:
    return hashlib.sha256(b"".join(value.tobytes() for value in network.state_dict().values())).hexdigest()


def images(rows: int, width: int, dtype: str) -> tuple[Array, Array]:
    generator = Generator(8)
    x = generator.normal((rows, width), dtype=np.float64).astype(dtype)
    x[x < 0.8] = 0  # most of them, as in images: products with zeros may be left out
    return x, generator.randint(0, 10, (rows,))


def small(dtype: str = "float32", **options: Any) -> m.Sequential:
    """64–32–10 with a dropout, 264 steps, the last of each epoch short."""
    generator = Generator(9)
    links = [m.Linear(64, 32, generator=generator), m.Tanh(), m.Dropout(0.2), m.Linear(32, 10, generator=generator)]
    network = m.Sequential(*links).to(dtype)
    x, y = images(345, 64, dtype)
    options = {"rule": m.SGD(lr=0.1, momentum=0.9), "batch_size": 16, "epochs": 12} | options
    history = m.fit(network, m.CrossEntropyLoss(), x, y, generator=generator, engine="native", **options)
    assert history.steps == 264
    return network


def large(dtype: str = "float32", **options: Any) -> m.Sequential:
    """196–128–10 on mini-batches of 150: several threads share its products, activations and losses."""
    generator = Generator(9)
    links = [m.Linear(196, 128, generator=generator), m.Tanh(), m.Linear(128, 10, generator=generator), m.Softmax()]
    network = m.Sequential(*links).to(dtype)
    x, y = images(400, 196, dtype)
    loss = m.CrossEntropyLoss(from_logits=False)
    options = {"rule": m.Adam(lr=1e-3), "batch_size": 150, "epochs": 5} | options
    m.fit(network, loss, x, y, generator=generator, engine="native", **options)
    return network


TRAININGS: dict[str, Callable[..., m.Sequential]] = {
    "small": small,
    "large": large,
    "small, gathered": partial(small, accumulate=5),
    "large, gathered": partial(large, accumulate=2, clip_grad_norm=1.0),
}
every_training = pytest.mark.parametrize("name", TRAININGS)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def work_of(dtype: str) -> float:
    network = m.Sequential(m.Linear(196, 128), m.Tanh(), m.Linear(128, 10), m.Softmax()).to(dtype)
    x, y = images(150, 196, dtype)
    optim = m.Optim(network, m.CrossEntropyLoss(from_logits=False), 0.1)
    runner = native.Runner(optim, step.Batches.of(x, y, None, 150, shuffle=False))
    return float(runner._work)


def test_the_large_training_is_shared() -> None:
    with threads(3):
        assert processor.threads_for(work_of("float32")) == 3


@both_dtypes
@every_training
def test_the_number_of_threads_does_not_matter(name: str, dtype: str) -> None:
    digests = []
    for number in (1, 2, 3, 4, 1, 2):
        with threads(number, worth=0):
            digests.append(digest(TRAININGS[name](dtype)))
    assert len(set(digests)) == 1


def test_a_number_of_threads_that_changes_on_the_way_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = digest(large())
    numbers = itertools.cycle((1, 3, 2))
    monkeypatch.setattr(processor, "paced", False)
    monkeypatch.setattr(processor, "threads_for", lambda flops: next(numbers))
    assert digest(large(callbacks=lambda state: None)) == expected


def test_twenty_runs_give_the_same_bits() -> None:
    with threads(2, worth=0):
        assert len({digest(small(epochs=12)) for _ in range(20)}) == 1


@every_training
def test_where_slices_are_cut_does_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = digest(TRAININGS[name]())

    class Look(m.Callback):
        def on_step_end(self, state: m.train.State) -> None:
            assert np.isfinite(state.loss)

    ways: list[dict[str, Any]] = [
        {"callbacks": [Look()]},
        {"callbacks": lambda state: None},
        {"metrics": ["accuracy"]},
        {"progress": True},
        {"schedule": lambda epoch: 1.0},
        {"validation_data": images(5, 64 if name.startswith("small") else 196, "float32")},
    ]
    for options in ways:
        assert digest(TRAININGS[name](**options)) == expected, options
    for seconds in (0.0, 1e-4, 10.0):
        run = native.Runner.run

        def cut(self: Any, *limits: Any, seconds: float = seconds, run: Any = run, **more: Any) -> Any:
            return run(self, *limits, seconds=seconds, **more)

        with monkeypatch.context() as patch:
            patch.setattr(native.Runner, "run", cut)
            for number in (1, 2):
                with threads(number, worth=0):
                    assert digest(TRAININGS[name]()) == expected, seconds


@both_dtypes
@every_training
def test_the_instruction_set_does_not_matter(name: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = {}
    for chosen in processor.core().instruction_sets():
        monkeypatch.setenv("MAILLON_ISA", chosen)
        networks[chosen] = TRAININGS[name](dtype)
    fused = {digest(network) for chosen, network in networks.items() if chosen != "baseline"}
    assert len(fused) <= 1
    one, *others = networks.values()
    tolerance = 1e-4 if dtype == "float32" else 1e-12  # the baseline fuses nothing, and hundreds of steps add up
    for other in others:
        for key, value in one.state_dict().items():
            np.testing.assert_allclose(other.state_dict()[key], value, rtol=tolerance, atol=tolerance)


HELD = {"float32": "90c67757cc0bbc7203ec4ba6", "float64": "2f3991e642d718841f193ea1"}


@both_dtypes
@pytest.mark.parametrize("chosen", [name for name in SETS if name != "baseline"])
def test_the_bits_are_those_of_the_first_core(chosen: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of Linear, Tanh, Dropout and Sigmoid under Adam: by the core at commit 9de2d6a too."""
    monkeypatch.setenv("MAILLON_ISA", chosen)
    generator = Generator(9)
    links = [m.Linear(64, 48, generator=generator), m.Tanh(), m.Dropout(0.2, generator=Generator(3))]
    network = m.Sequential(*links, m.Linear(48, 10, generator=generator), m.Sigmoid()).to(dtype)
    x = Generator(8).normal((150, 64), dtype=np.float64).astype(dtype)
    y = (x[:, :10] > 0).astype(dtype)
    options: dict[str, Any] = {"batch_size": 32, "epochs": 8, "generator": Generator(5), "engine": "native"}
    m.fit(network, m.MSELoss(), x, y, rule=m.Adam(lr=1e-2), **options)
    assert digest(network)[:24] == HELD[dtype]


@both_dtypes
def test_the_bits_of_a_prediction_do_not_depend_on_threads(dtype: str) -> None:
    network = large(dtype, epochs=0).eval()
    x, _ = images(400, 196, dtype)
    bits = []
    for number in (1, 2, 3):
        with threads(number, worth=0):
            bits += [m.predict(network, x, engine="native").tobytes(), m.compile(network)(x).tobytes()]
    assert len(set(bits)) == 1
