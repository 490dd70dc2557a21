"""Pools of many options and sizes, in NumPy and in the core."""

from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, of_core, of_numpy, one_step, threads, walk_alike, walked_by_core, walked_by_numpy

import maillon as m
from maillon import engine
from maillon.engine import processor
from maillon.engine.builder import Builder
from maillon.engine.lowering import lower_child
from maillon.engine.memory import Gradients, Memory
from maillon.engine.passes import derive_first
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")
both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


def drawn(case: int, rank: int) -> tuple[np.random.Generator, tuple[int, ...]]:
    """A source of options, and a shape: wide ones, narrow ones, single samples, empty batches."""
    rng = np.random.default_rng(case)
    sizes = rng.integers(1, 40 if rank == 1 else 20, rank).tolist()
    outer = [(2, 3), (1, 2), (3,), (0, 2)][int(rng.choice(4, p=(0.5, 0.2, 0.2, 0.1)))]
    return rng, (*outer, *sizes)


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return np.asarray(rng.normal(size=shape).astype(dtype))


def sliding(rng: np.random.Generator, rank: int) -> dict[str, Any]:
    kernel = rng.integers(1, 6, rank)
    if rng.random() < 0.3:
        kernel[:] = 2
    stride = kernel if rng.random() < 0.4 else rng.integers(1, 4, rank)
    padding = rng.integers(0, kernel // 2 + 1) * int(rng.random() < 0.6)
    sizes = {"kernel_size": kernel, "stride": stride, "padding": padding}
    return {name: tuple(map(int, value)) for name, value in sizes.items()} | {"ceil_mode": bool(rng.integers(2))}


def walk_or_refuse(kind: str, options: dict[str, Any], x: Array, dtype: str) -> None:
    """Alike in both engines, unless the link refuses these sizes."""
    try:
        getattr(m, kind)(**options)(x)
    except m.LinkShapeError:
        return
    walk_alike(lambda: getattr(m, kind)(**options), (x,), TOLERANCE[dtype])


@both_dtypes
@pytest.mark.parametrize("rank", [1, 2])
def test_maxima_of_sliding_windows(rank: int, dtype: str) -> None:
    for case in range(60):
        rng, shape = drawn(case, rank)
        options = sliding(rng, rank) | {"return_indices": bool(rng.integers(2))}
        if rng.random() < 0.3:
            options |= {"dilation": tuple(rng.integers(1, 4, rank).tolist()), "padding": 0}
        x = normal(rng, shape, dtype)
        walk_or_refuse(f"MaxPool{rank}d", options, np.round(x) if case % 3 else x, dtype)  # with equals


@both_dtypes
@pytest.mark.parametrize("rank", [1, 2])
def test_means_of_sliding_windows(rank: int, dtype: str) -> None:
    for case in range(60):
        rng, shape = drawn(case, rank)
        options = sliding(rng, rank) | {"count_include_pad": bool(rng.integers(2))}
        if rank == 2 and rng.random() < 0.3:
            options["divisor_override"] = int(rng.choice([-2, 3]))
        walk_or_refuse(f"AvgPool{rank}d", options, normal(rng, shape, dtype), dtype)


@both_dtypes
@pytest.mark.parametrize("kind", ["Avg", "Max"])
@pytest.mark.parametrize("rank", [1, 2])
def test_adaptive_windows(rank: int, kind: str, dtype: str) -> None:
    for case in range(40):
        rng, shape = drawn(case, rank)
        wanted = [None if rng.random() < 0.2 else int(n) for n in rng.integers(case % 5 > 0, 25, rank)]
        options: dict[str, Any] = {"output_size": wanted[0] if rank == 1 else tuple(wanted)}
        if kind == "Max":
            options["return_indices"] = bool(rng.integers(2))
        walk_or_refuse(f"Adaptive{kind}Pool{rank}d", options, normal(rng, shape, dtype), dtype)


@both_dtypes
@pytest.mark.parametrize("options", [{}, {"stride": 1}, {"padding": 1}])
def test_gradients_that_are_not_finite(options: dict[str, Any], dtype: str) -> None:
    x = normal(np.random.default_rng(1), (2, 3, 6, 6), dtype)
    link = m.MaxPool2d(2, **options)
    grad = normal(np.random.default_rng(2), link(x).shape, dtype)
    grad[0, 0, 0, 0], grad[0, 1, 1, 1], grad[1, 0, 0, 1] = np.inf, -np.inf, np.nan
    found, expected = (walked(m.MaxPool2d(2, **options), (x,), grad) for walked in (walked_by_core, walked_by_numpy))
    np.testing.assert_allclose(found.grads[0], expected.grads[0], rtol=1e-5)
    assert not np.isnan(expected.grads[0][0]).any()
    assert np.isnan(expected.grads[0]).sum() == 1


def test_windows_that_see_nothing() -> None:
    for options in ({"padding": 1, "dilation": 5}, {"padding": (1, 0), "dilation": (5, 1)}):
        x = normal(np.random.default_rng(1), (2, 4, 4), "float64")
        link = m.MaxPool2d(2, 1, **options)
        found, expected = (walked(link, (x,), np.ones(link(x).shape)) for walked in (walked_by_core, walked_by_numpy))
        np.testing.assert_array_equal(found.output, expected.output)
        np.testing.assert_array_equal(found.grads[0], expected.grads[0])


@both_dtypes
@pytest.mark.parametrize("make", [
    lambda: m.MaxPool1d(2, return_indices=True),
    lambda: m.MaxPool1d(3, 2, 1, return_indices=True),
    lambda: m.MaxPool1d(5, 5, return_indices=True),
    lambda: m.AdaptiveMaxPool1d(1, return_indices=True),
    lambda: m.AdaptiveMaxPool1d(3, return_indices=True),
])  # fmt: skip
def test_equals_infinities_and_nan(make: Any, dtype: str) -> None:
    """Of equals the first, of NaN the last, and of windows of -inf alone the first place."""
    for case in range(8):
        rng = np.random.default_rng(case)
        x = np.round(normal(rng, (3, 4, 61), dtype))
        x[rng.random(x.shape) < 0.3] = -np.inf
        x[rng.random(x.shape) < (0.0, 0.02, 0.3, 1.0)[case % 4]] = np.nan
        x[0] = -np.inf
        y, _ = make()(x)
        grad = (normal(rng, y.shape, dtype), None)
        found, expected = (walked(make(), (x,), grad) for walked in (walked_by_core, walked_by_numpy))
        for one, other in zip(found.output, expected.output, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(found.grads[0], expected.grads[0], rtol=10 * TOLERANCE[dtype])


@both_dtypes
def test_there_and_back(dtype: str) -> None:
    """MaxUnpool takes the indices of a pool, also where windows overlap; the gradient goes through both."""
    for pool, unpool, shape in (
        (m.MaxPool2d(2, return_indices=True), m.MaxUnpool2d(2), (2, 3, 6, 8)),
        (m.MaxPool2d(3, 2, 1, return_indices=True), m.MaxUnpool2d(3, 2, 1), (2, 3, 7, 5)),
        (m.MaxPool1d(3, 1, return_indices=True), m.MaxUnpool1d(3, 1), (4, 9)),
    ):
        x = normal(np.random.default_rng(3), shape, dtype)
        walk_alike(lambda pool=pool, unpool=unpool: m.Sequential(pool, unpool), (x,), TOLERANCE[dtype])


def test_indices_outside_are_refused() -> None:
    x, indices = np.ones((1, 1, 2)), np.array([[[0, 4]]])
    with pytest.raises(AssertionError):  # the core ends the step, and NumPy tells why
        walked_by_core(m.MaxUnpool1d(2), (x, indices), np.ones((1, 1, 4)))
    indices[0, 0, 1] = -1
    with pytest.raises(AssertionError):
        walked_by_core(m.MaxUnpool1d(2), (x, indices), np.ones((1, 1, 4)))


def network(dtype: str) -> m.Sequential:
    """Pools between what learns; several of them take 28 columns, which no register divides."""
    generator = Generator(6)
    return m.Sequential(
        m.Linear(28, 28, generator=generator),
        m.MaxPool2d(2),
        m.ReLU(),
        m.AvgPool2d(3, 2, 1),
        m.Linear(7, 9, generator=generator),
        m.MaxPool2d(3, 2, 1),
        m.AdaptiveAvgPool2d(1),
        m.Flatten(),
        m.Linear(3, 2, generator=generator),
    ).to(dtype)


def batch(dtype: str) -> tuple[Array, Array]:
    rng = np.random.default_rng(9)
    return normal(rng, (4, 3, 28, 28), dtype), normal(rng, (4, 2), dtype)


@both_dtypes
def test_a_step_through_pools(dtype: str) -> None:
    one_step(lambda: m.Optim(network(dtype), m.MSELoss(), m.SGD(lr=0.1)), *batch(dtype), None, TOLERANCE[dtype])


@both_dtypes
@pytest.mark.parametrize("act", [m.ReLU, m.Tanh, lambda: m.LeakyReLU(0.2), lambda: m.LeakyReLU(-0.5)])
@pytest.mark.parametrize("pool", [lambda: m.MaxPool1d(2), lambda: m.MaxPool1d(3, 1), lambda: m.AdaptiveMaxPool1d(4)])
def test_a_derivative_before_a_pool(act: Any, pool: Any, dtype: str) -> None:
    def make() -> m.Optim:
        links = [m.Linear(9, 9, generator=Generator(2)), act(), pool()]
        return m.Optim(m.Sequential(*links).to(dtype), m.MSELoss(), m.SGD(lr=0.1))

    x = normal(np.random.default_rng(5), (4, 2, 9), dtype)
    y = normal(np.random.default_rng(6), make().network(x).shape, dtype)
    one_step(make, x, y, None, TOLERANCE[dtype])
    kinds = [operation.kind for operation in engine.lower(make(), x, y).operations if operation.part == "backward"]
    by_output = getattr(act(), "negative_slope", 0.0) >= 0
    assert kinds[0] == ("activation_grad" if by_output else "max_pool_grad")
    assert sorted(kinds) == ["activation_grad", "linear_grad_weight", "max_pool_grad"]


@pytest.mark.parametrize("twice", [False, True])
def test_a_derivative_moves_only_where_the_pool_is_all_that_follows(twice: bool) -> None:
    float64 = np.dtype(np.float64)
    b = Builder(float64, Memory(), Gradients([], float64))
    x = b.given("x", (2, 6), float64)
    b.learn(x)
    y = lower_child(b, m.Tanh(), "0", x)
    b.pass_on(lower_child(b, m.MaxPool1d(2), "1", y), b.given("dz", (2, 3), float64))
    if twice:
        b.pass_on(y, b.given("dy", (2, 6), float64))
    b.walk_back()
    kinds = [operation.kind for operation in derive_first(b.operations, set())][2:]
    assert kinds == (["max_pool_grad", "add", "activation_grad"] if twice else ["activation_grad", "max_pool_grad"])


def test_the_same_bits_by_any_number_of_threads_and_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained() -> list[bytes]:
        optim = m.Optim(network("float32"), m.MSELoss(), m.SGD(lr=0.1))
        of_core(optim, *batch("float32"), None)
        return [value.tobytes() for value in optim.network.state_dict().values()]

    first = trained()
    with threads(3, worth=0):
        assert trained() == first
    for chosen in processor.core().instruction_sets():
        monkeypatch.setenv("MAILLON_ISA", chosen)
        assert chosen == "baseline" or trained() == first
    assert of_numpy(m.Optim(network("float32"), m.MSELoss(), m.SGD(lr=0.1)), *batch("float32"), None) > 0
