"""Convolutions, their transposes, Unfold and Fold of many options and sizes, in NumPy and in the core."""

from typing import Any

import numpy as np
import pytest
from cores import TOLERANCE, of_core, one_step, threads, walk_alike, walked_by_core, walked_by_numpy

import maillon as m
from maillon import engine
from maillon.engine import processor
from maillon.engine.families.convolution import OPERATIONS
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")
both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return rng.normal(size=shape).astype(dtype)


def walk_or_refuse(kind: str, options: dict[str, Any], x: Array) -> bool:
    """Alike in both engines, unless the link refuses these options or sizes."""

    def make() -> m.Module:
        drawn = {} if kind in ("Fold", "Unfold") else {"generator": Generator(5)}
        link: m.Module = getattr(m, kind)(**options, **drawn)
        return link

    try:
        make()(x)
    except ValueError:
        return False
    walk_alike(make, (x,), TOLERANCE[str(x.dtype)])
    return True


def several(rng: np.random.Generator, rank: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(rng.integers(low, high, rank).tolist())


def drawn(case: int, dtype: str, transposed: bool) -> tuple[str, dict[str, Any], Array]:
    """A link's options, and x for it: batches of none, one, some and many, one sample without a batch."""
    rng = np.random.default_rng(case)
    rank = 1 + case % 2
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    of_group = several(rng, 2, 1, 10 if rng.random() < 0.4 else 4)
    if rng.random() < 0.2:  # each channel for itself
        groups, of_group = int(rng.integers(1, 9)), (1, int(rng.integers(1, 4)))
    options: dict[str, Any] = {
        "in_channels": groups * of_group[0],
        "out_channels": groups * of_group[1],
        "groups": groups,
        "kernel_size": several(rng, rank, 1, 6),
        "stride": several(rng, rank, 1, 4 if rng.random() < 0.6 else 2),
        "padding": several(rng, rank, 0, 4),
        "dilation": several(rng, rank, 1, 4 if rng.random() < 0.4 else 2),
        "bias": bool(rng.integers(2)),
        "dtype": dtype,
    }
    if transposed:
        options["output_padding"] = several(rng, rank, 0, 2)
    elif rng.random() < 0.3:
        options["padding_mode"] = str(rng.choice(["reflect", "replicate", "circular"]))
        if rng.random() < 0.3:
            options |= {"padding": str(rng.choice(["same", "valid"])), "stride": 1}
    samples = int(rng.choice([0, 1, 2, 5, 16, 35], p=[0.05, 0.2, 0.3, 0.2, 0.15, 0.1]))
    image = several(rng, rank, 1, 16 if rank == 2 else 40)
    x = normal(rng, (samples, options["in_channels"], *image), dtype)
    return f"Conv{'Transpose' * transposed}{rank}d", options, x if case % 7 or not samples else x[0]


@both_dtypes
@pytest.mark.parametrize("transposed", [False, True])
def test_options(transposed: bool, dtype: str) -> None:
    done = sum(walk_or_refuse(*drawn(case, dtype, transposed)) for case in range(160))
    assert done > 80


LARGE: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("Conv2d", (9, 10, 3), {"padding": 1}, (33, 9, 7, 6)),  # samples last, in blocks
    ("Conv2d", (8, 6, 3), {"padding": 1, "stride": 2}, (20, 8, 9, 12)),
    ("Conv2d", (8, 8, 5), {"groups": 2}, (64, 8, 6, 35)),
    ("Conv1d", (5, 6, 4), {"dilation": 2, "padding": 3}, (16, 5, 20)),
    ("ConvTranspose2d", (8, 6, 4), {"stride": 2, "padding": 1}, (16, 8, 6, 7)),
    ("Conv2d", (2, 3, (9, 20)), {"padding": 4}, (2, 2, 12, 30)),  # more taps than are listed at a time
    ("Conv2d", (1, 2, 3), {"padding": (200, 1), "dilation": (180, 1)}, (1, 1, 3, 4)),
    ("Conv1d", (1, 2, 300), {"padding": 10}, (2, 1, 400)),
    ("ConvTranspose1d", (2, 1, 300), {"stride": 7}, (2, 2, 50)),
    ("Conv1d", (1, 1, 9), {"dilation": 900}, (1, 1, 8000)),
    ("Conv1d", (3, 3, 4), {"groups": 3, "stride": 3}, (2, 3, 9001)),
    ("Conv2d", (40, 9, 3), {"padding": 1}, (1, 40, 70, 31)),  # more than is laid out at a time
    ("Conv2d", (2, 2, 3), {"groups": 2, "padding": 1}, (1, 2, 150, 211)),
    ("Conv2d", (70, 3, 1), {}, (2, 70, 5, 5)),
    ("Conv2d", (3, 4, (4, 5)), {}, (7, 3, 4, 5)),  # one window
    ("Conv1d", (6, 9, 3), {}, (6, 3)),
    ("ConvTranspose1d", (2, 2, 2), {"stride": 1000}, (1, 2, 1)),
]


@both_dtypes
@pytest.mark.parametrize("kind, sizes, options, shape", LARGE, ids=str)
def test_sizes(kind: str, sizes: tuple[Any, ...], options: dict[str, Any], shape: tuple[int, ...], dtype: str) -> None:
    x = normal(np.random.default_rng(3), shape, dtype)
    walk_alike(lambda: getattr(m, kind)(*sizes, **options, dtype=dtype, generator=Generator(5)), (x,), TOLERANCE[dtype])


@both_dtypes
def test_unfold_and_fold(dtype: str) -> None:
    done = 0
    for case in range(60):
        rng = np.random.default_rng(case)
        options = {
            "kernel_size": several(rng, 2, 1, 5),
            "dilation": several(rng, 2, 1, 3),
            "padding": several(rng, 2, 0, 4),
            "stride": several(rng, 2, 1, 4),
        }
        image = several(rng, 2, 1, 30)
        x = normal(rng, (int(rng.integers(0, 4)), int(rng.integers(1, 4)), *image), dtype)
        x = x if case % 5 else normal(rng, (2, *image), dtype)
        if walk_or_refuse("Unfold", options, x):
            columns = m.Unfold(**options)(x)
            done += walk_or_refuse("Fold", options | {"output_size": image}, normal(rng, columns.shape, dtype))
    assert done > 30


def network(dtype: str, act: Any = m.ReLU) -> m.Sequential:
    """Some with the samples last, some not, in a batch of 24."""
    generator = Generator(2)
    return m.Sequential(
        m.Conv2d(1, 8, 3, padding=1, generator=generator),
        act(),
        m.MaxPool2d(2),
        m.Conv2d(8, 12, 3, padding=1, padding_mode="replicate", generator=generator),
        act(),
        m.Conv2d(12, 12, 3, padding=1, generator=generator),
        act(),
        m.Conv2d(12, 12, 3, stride=2, groups=2, generator=generator),
        act(),
        m.Conv2d(12, 12, 3, groups=12, padding="same", generator=generator),
        m.ConvTranspose2d(12, 5, 2, stride=2, generator=generator),
        act(),
        m.Conv2d(5, 7, (10, 10), generator=generator),
        m.Flatten(),
        m.Linear(7, 2, generator=generator),
    ).to(dtype)


def batch(dtype: str) -> tuple[Array, Array]:
    rng = np.random.default_rng(9)
    return normal(rng, (24, 1, 22, 22), dtype), normal(rng, (24, 2), dtype)


@both_dtypes
@pytest.mark.parametrize("act", [m.ReLU, m.Tanh, lambda: m.LeakyReLU(0.2)])
def test_a_step(act: Any, dtype: str) -> None:
    one_step(lambda: m.Optim(network(dtype, act), m.MSELoss(), m.SGD(lr=0.1)), *batch(dtype), None, TOLERANCE[dtype])


@both_dtypes
def test_gathered_gradients_and_shared_weights(dtype: str) -> None:
    """Gradients are added to what is there."""

    def make() -> m.Optim:
        first = m.Conv2d(4, 4, 3, padding=1, generator=Generator(3), dtype=dtype)
        return m.Optim(m.Sequential(first, m.Tanh(), first.share(), m.Flatten()), m.MSELoss(), m.SGD(lr=0.1))

    for samples in (3, 16):
        rng = np.random.default_rng(samples)
        x, y = normal(rng, (samples, 4, 5, 6), dtype), normal(rng, (samples, 120), dtype)
        one_step(make, x, y, None, TOLERANCE[dtype])


def test_what_pays_is_chosen() -> None:
    optim = m.Optim(network("float32"), m.MSELoss(), m.SGD(lr=0.1))
    operations = engine.lower(optim, *batch("float32")).operations
    kinds = [operation.kind for operation in operations]
    assert kinds.count("samples_last") == 2  # both sides of one convolution
    assert kinds.count("linear") == 2  # a window that is the image
    products = [operation for operation in operations if operation.kind.startswith("conv")]
    assert sum("x_last" in operation.operands for operation in products) == 2
    assert sum(operation.sizes.get("activation", 0) > 0 for operation in products) == 5 + 3


def test_frozen_parameters() -> None:
    x = normal(np.random.default_rng(1), (16, 8, 6, 6), "float32")
    for frozen in ("weight", "bias"):

        def make(name: str = frozen) -> m.Module:
            link = m.Conv2d(8, 8, 3, padding=1, generator=Generator(1))
            getattr(link, name).requires_grad = False
            return link

        walk_alike(make, (x,), 1e-5)


@both_dtypes
def test_numbers_that_are_not_finite(dtype: str) -> None:
    """They reach the outputs that see them, and no others."""
    x = normal(np.random.default_rng(1), (2, 3, 8, 9), dtype)
    x[0, 1, 4, 5], x[1, 0, 0, 0], x[1, 2, 7, 8] = np.nan, np.inf, -np.inf
    for stride, groups in ((1, 1), (2, 1), (1, 3)):
        link = m.Conv2d(3, 6, 3, stride, 1, groups=groups, generator=Generator(1), dtype=dtype)
        grad = np.ones_like(link(x))
        found, expected = (walked(link, (x,), grad) for walked in (walked_by_core, walked_by_numpy))
        np.testing.assert_array_equal(np.isfinite(found.output), np.isfinite(expected.output))
        np.testing.assert_array_equal(np.isnan(found.output), np.isnan(expected.output))


def test_the_same_bits_by_any_number_of_threads_and_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained() -> list[bytes]:
        optim = m.Optim(network("float32"), m.MSELoss(), m.SGD(lr=0.1))
        of_core(optim, *batch("float32"), None)
        return [value.tobytes() for value in optim.network.state_dict().values()]

    first = trained()
    for number in (2, 3):
        with threads(number, worth=0):
            assert trained() == first
    for chosen in processor.core().instruction_sets():
        monkeypatch.setenv("MAILLON_ISA", chosen)
        assert chosen == "baseline" or trained() == first


def test_sizes_that_would_overflow_are_refused() -> None:
    kind = OPERATIONS["conv"]
    (reach,) = [holds for text, holds in kind.conditions if "2**31" in text and "max" in text]
    sizes = dict.fromkeys(kind.sizes, 1)
    there = [True] * len(kind.operands)
    assert reach(*sizes.values(), *there)
    assert not reach(*(sizes | {"dilation_w": 2**31}).values(), *there)
