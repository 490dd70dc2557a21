"""The norms in the core: all options and many shapes, every instruction set, threads, running statistics."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, Outcome, same_for_both, threads, trained, walk_alike, walked_by_core

import maillon as m
from maillon.engine import processor
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

SETS = processor.core().instruction_sets() if processor.core() is not None else ["none"]
every_set = pytest.mark.parametrize("chosen", SETS)
both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


@pytest.fixture(autouse=True)
def instruction_set(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "chosen" in request.fixturenames:
        monkeypatch.setenv("MAILLON_ISA", request.node.callspec.params["chosen"])


def numbers(seed: int, shape: tuple[int, ...], dtype: str, mean: float = 0.0) -> Array:
    return Generator(seed).normal(shape, mean, dtype=np.float64).astype(dtype)


def drawn(link: m.Module, seed: int = 5) -> m.Module:
    """With parameters and running statistics that are not those of the beginning."""
    draw = Generator(seed)
    for parameter in link.parameters():
        parameter.data[...] = draw.uniform(parameter.shape, 0.3, 1.7, dtype=np.float64)
    for name, buffer in link.named_buffers():
        if not name.endswith("num_batches_tracked"):
            buffer[...] = draw.uniform(buffer.shape, 0.3, 1.7, dtype=np.float64)
    return link


# Few places and many, whole registers and their rests, one channel, groups of several.
GRIDS = [
    (5, 1, 1),
    (7, 5, 1),
    (20, 40, 1),
    (33, 70, 1),
    (5, 3, 2),
    (4, 9, 7),
    (3, 33, 15),
    (2, 4, 16),
    (3, 5, 37),
    (6, 2, 130),
]
STATISTICS: list[dict[str, Any]] = [
    {},
    {"affine": False},
    {"bias": False, "momentum": None},
    {"track_running_stats": False, "eps": 0.1},
    {"momentum": 0.7, "affine": False},
]


def shape_of(grid: tuple[int, int, int]) -> tuple[int, ...]:
    return grid if grid[2] > 1 else grid[:2]


@every_set
@both_dtypes
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(dtype: str, chosen: str, training: bool) -> None:
    for place, grid in enumerate(GRIDS):
        for options in STATISTICS[place % 2 :: 2]:
            for mean in (0.0, 300.0):
                x = numbers(place, shape_of(grid), dtype, mean)

                def make(channels: int = grid[1], options: dict[str, Any] = options) -> m.Module:
                    return drawn(m.BatchNorm1d(channels, dtype=dtype, **options)).train(training)

                walk_alike(make, (x,), TOLERANCE[dtype])


@every_set
@both_dtypes
def test_instance_norm(dtype: str, chosen: str) -> None:
    for place, (samples, channels, places) in enumerate(GRIDS):
        for options in (
            {},
            {"affine": True, "track_running_stats": True},
            {"track_running_stats": True, "momentum": None},
        ):
            for training in (True, False):
                shape = (samples, channels, max(places, 5))[place % 3 == 0 :]

                def make(options: dict[str, Any] = options, training: bool = training) -> m.Module:
                    return drawn(m.InstanceNorm1d(channels, dtype=dtype, **options)).train(training)  # noqa: B023

                walk_alike(make, (numbers(place, shape, dtype),), TOLERANCE[dtype])


@every_set
@both_dtypes
def test_layers_and_groups(dtype: str, chosen: str) -> None:
    for place, (samples, channels, places) in enumerate(GRIDS):
        shape = shape_of((samples, channels, places))
        links: list[Callable[[], m.Module]] = [
            lambda shape=shape: m.LayerNorm(shape[1:], dtype=dtype),  # type: ignore[misc]
            lambda shape=shape: m.LayerNorm(shape[-1], bias=False, dtype=dtype),  # type: ignore[misc]
            lambda shape=shape: m.LayerNorm(shape[1:], elementwise_affine=False, dtype=dtype),  # type: ignore[misc]
            lambda shape=shape: m.RMSNorm(shape[1:], dtype=dtype),  # type: ignore[misc]
            lambda shape=shape: m.RMSNorm(shape[-1:], eps=0.01, elementwise_affine=False, dtype=dtype),  # type: ignore[misc]
        ]
        for make in links:
            if shape[-1] > 1:
                walk_alike(lambda make=make: drawn(make()), (numbers(place, shape, dtype),), TOLERANCE[dtype])  # type: ignore[misc]
        for groups in (1, 2, 3):
            wide = (shape[0], groups * shape[1], *shape[2:])
            for options in ({}, {"affine": False}, {"bias": False}):
                if shape[1:] != (1,):
                    walk_alike(
                        lambda groups=groups, wide=wide, options=options: drawn(  # type: ignore[misc]
                            m.GroupNorm(groups, wide[1], dtype=dtype, **options)
                        ),
                        (numbers(place, wide, dtype),),
                        TOLERANCE[dtype],
                    )


@every_set
@both_dtypes
def test_local_response(dtype: str, chosen: str) -> None:
    for place, grid in enumerate(GRIDS):
        for size, beta in ((1, 0.75), (2, 0.5), (5, 0.75), (4, 1.3), (3, 0.0), (9, -0.7)):
            walk_alike(
                lambda size=size, beta=beta: m.LocalResponseNorm(size, 0.3, beta, 1.5),  # type: ignore[misc]
                (numbers(place, (*grid[:2], grid[2], 1), dtype),),
                TOLERANCE[dtype],
            )


LARGE: list[Callable[[], tuple[m.Module, tuple[int, ...]]]] = [
    lambda: (m.BatchNorm1d(70), (90, 70)),
    lambda: (m.BatchNorm1d(40), (60, 40, 5)),
    lambda: (m.BatchNorm2d(5), (8, 5, 20, 9)),
    lambda: (m.BatchNorm2d(5).eval(), (8, 5, 20, 9)),
    lambda: (m.LayerNorm(70), (90, 70)),
    lambda: (m.GroupNorm(3, 9), (40, 9, 7)),
    lambda: (m.InstanceNorm2d(6, affine=True), (6, 6, 12, 7)),
    lambda: (m.RMSNorm((3, 33)), (60, 3, 33)),
    lambda: (m.LocalResponseNorm(3), (3, 20, 11, 11)),
]


@pytest.mark.parametrize("make", LARGE)
def test_threads_and_registers_change_no_bit(
    make: Callable[[], tuple[m.Module, tuple[int, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for chosen in [name for name in SETS if name != "baseline"]:
        monkeypatch.setenv("MAILLON_ISA", chosen)
        for number in (1, 2, 3):
            link, shape = make()
            x, dy = numbers(1, shape, "float32"), numbers(2, shape, "float32")
            with threads(number, worth=0):
                walked = walked_by_core(drawn(link), (x,), dy)
            found.add(b"".join(array.tobytes() for array in (walked.output, *walked.grads, *walked.arrays.values())))
    assert len(found) == 1


def network(seed: int, dtype: str) -> m.Module:
    draw = Generator(seed)
    return m.Sequential(
        m.Linear(6, 10, generator=draw),
        m.BatchNorm1d(10),
        m.Tanh(),
        m.Linear(10, 9, bias=False, generator=draw),
        m.BatchNorm1d(9, momentum=None),
        m.LeakyReLU(0.2),
        m.LayerNorm(9),
        m.Linear(9, 3, generator=draw),
    ).to(dtype)


@both_dtypes
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_training_leaves_the_same_statistics(dtype: str, accumulate: int) -> None:
    x, y = numbers(1, (50, 6), dtype), numbers(2, (50, 3), dtype)

    def make() -> m.Optim:
        return m.Optim(network(4, dtype), m.MSELoss(), m.SGD(lr=0.05, momentum=0.9), accumulate=accumulate)

    found = same_for_both(make, x, y, 10 * TOLERANCE[dtype], batch_size=16, epochs=3, validation_data=(x, y))
    assert found.arrays["1.num_batches_tracked"] == 12


def test_a_norm_that_does_not_learn_keeps_its_statistics() -> None:
    x, y = numbers(1, (40, 6), "float32"), numbers(2, (40, 3), "float32")

    def still(optim: m.Optim) -> None:
        optim.network[1].eval()

    def make() -> m.Optim:
        return m.Optim(network(4, "float32"), m.MSELoss(), m.SGD(lr=0.05))

    def run(engine: str) -> Outcome:
        return trained(make, engine, x, y, batch_size=8, epochs=2, callbacks=[Still(still)])

    class Still(m.Callback):
        def __init__(self, do: Callable[[m.Optim], None]) -> None:
            self.do = do

        def on_epoch_begin(self, state: Any) -> None:
            self.do(state.optim)

    found, expected = run("native"), run("numpy")
    assert found.arrays["1.num_batches_tracked"] == expected.arrays["1.num_batches_tracked"] == 0
    np.testing.assert_allclose(found.arrays["7.weight"], expected.arrays["7.weight"], rtol=1e-4, atol=1e-5)


def test_a_shared_norm_tracks_every_use() -> None:
    x, y = numbers(1, (40, 5), "float64"), numbers(2, (40, 5), "float64")

    def make() -> m.Optim:
        norm = m.BatchNorm1d(5, dtype="float64")
        links = [norm, m.Linear(5, 5, dtype="float64", generator=Generator(0)), norm.share()]
        return m.Optim(m.Sequential(*links), m.MSELoss(), m.SGD(lr=0.05))

    found = same_for_both(make, x, y, 1e-11, batch_size=10, epochs=2)
    assert found.arrays["0.num_batches_tracked"] == 16


def test_one_use_that_follows_the_running_statistics_of_another_is_numpys() -> None:
    norm = m.BatchNorm1d(5)
    optim = m.Optim(m.Sequential(norm, norm.share().eval()), m.MSELoss(), m.SGD(lr=0.05))
    optim.network.train()
    optim.network[1].eval()
    with pytest.raises(m.engine.NotLoweredError, match="changes before another link uses it"):
        m.engine.lower(optim, np.zeros((4, 5)), np.zeros((4, 5)))


def test_activations_become_part_of_the_norm() -> None:
    links = [m.BatchNorm2d(3), m.ReLU(), m.Flatten(), m.BatchNorm1d(12), m.Tanh()]
    optim = m.Optim(m.Sequential(*links), m.MSELoss(), m.SGD(lr=0.05))
    plan = m.engine.lower(optim, np.zeros((5, 3, 2, 2)), np.zeros((5, 12)))
    kinds = [operation.kind for operation in plan.operations]
    assert kinds[:2] == ["batch_norm", "batch_norm"]
    assert "activation" not in kinds
    assert "batch_norm" in str(plan)
    x, y = numbers(1, (30, 3, 5, 4), "float64"), numbers(2, (30, 60), "float64")

    def make() -> m.Optim:
        chain = m.Sequential(m.BatchNorm2d(3), m.ReLU(), m.Flatten(), m.BatchNorm1d(60), m.Tanh()).to("float64")
        return m.Optim(chain, m.MSELoss(), m.SGD(lr=0.05))

    same_for_both(make, x, y, 1e-11, batch_size=10, epochs=2)


def test_what_numpy_refuses_is_numpys() -> None:
    for link, shape in (
        (m.BatchNorm1d(3), (1, 3)),
        (m.BatchNorm1d(3), (4, 2)),
        (m.InstanceNorm1d(3), (4, 3, 1)),
        (m.LayerNorm(3), (4, 2)),
        (m.GroupNorm(1, 3), (4, 2)),
        (m.LocalResponseNorm(2), (4, 2)),
    ):
        optim = m.Optim(m.Sequential(link, m.Linear(2, 2)), m.MSELoss(), 0.1)
        with pytest.raises(m.engine.NotLoweredError, match="does not take the shape"):
            m.engine.lower(optim, np.zeros(shape), np.zeros(shape))
