"""What the core computes with: elementary functions to 2 units in the last place, and its own matrix product."""

import itertools

import numpy as np
import pytest
from cores import threads

from maillon.engine import processor, step
from maillon.random import Generator
from maillon.typing import Array

pytestmark = pytest.mark.usefixtures("core")

SETS = processor.core().instruction_sets() if processor.core() is not None else ["none"]
every_set = pytest.mark.parametrize("chosen", SETS)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def distribution(x: Array) -> Array:
    """Φ, by Euler's continued fraction of the tail far out, and by the series of the integral near 0."""
    t, near = np.abs(x), np.abs(x) < 2.5
    fraction = t + 0
    with np.errstate(all="ignore"):
        for k in range(200, 0, -1):
            fraction = t + k / fraction
        tail = density(t) / fraction
    term = total = np.where(near, t, 0)
    for k in range(1, 60):
        term = term * t * t / (2 * k + 1)
        total = total + np.where(near, term, 0)
    half = total.dtype.type(0.5)
    tail = np.where(near, half - density(t) * total, tail)
    return np.where(x < 0, tail, 1 - tail)


def density(x: Array) -> Array:
    return np.exp(-x * x / 2) / np.sqrt(8 * np.arctan(x.dtype.type(1)))


FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "expm1": np.expm1,
    "softplus": softplus,
    "normal": distribution,
    "density": density,
    "sin": np.sin,
    "cos": np.cos,
    "x^-0.75": lambda x: x ** x.dtype.type(-0.75),
}
UNITS = {"normal": 6.0, "density": 2.5}
NOT_FUSED = {"sin": 2.5, "cos": 2.5}
"""Where a multiply-add rounds twice."""


def every_so_many(low: float, high: float) -> Array:
    """float32 numbers from low to high, spread over their exponents and not over their values."""
    bits = np.array([low, high], np.float32).view(np.int32).astype(np.int64)
    return np.linspace(*bits, 250_000).astype(np.int32).view(np.float32)


def samples(name: str, dtype: str) -> Array:
    """Over the whole range in which the function's value is a normal number, and around 0 and 1."""
    random = np.random.default_rng(3)
    most, tail = (87.0, 13.0) if dtype == "float32" else (708.0, 37.0)
    far = dict.fromkeys(("exp", "sigmoid", "expm1", "softplus"), most) | {"tanh": 30.0, "normal": tail, "density": tail}
    if name in far:
        positive = every_so_many(1e-30, far[name])
        x = np.concatenate([positive, -positive, random.uniform(-1, 1, 50_000), [0.0, -0.0]])
    elif name in ("sin", "cos"):
        positive = np.concatenate([every_so_many(1e-30, 1e4), random.uniform(0, 1e4, 100_000)])
        x = np.concatenate([positive, -positive])
    elif name == "x^-0.75":
        x = np.concatenate([every_so_many(1e-30, 1e30), random.uniform(0.5, 2, 100_000), [1.0]])
    elif name == "log":
        x = np.concatenate([every_so_many(1.2e-38, 3.3e38), random.uniform(0.5, 2, 100_000), [1.0]])
    else:
        x = np.concatenate([every_so_many(1e-30, 3e38), random.uniform(-0.999, 1, 100_000), [0.0]])
    if dtype == "float64":
        x = x * random.uniform(0.999, 1.0, len(x))  # all bits in use
    if name in ("sin", "cos"):
        x = np.concatenate([x, np.arange(-6366, 6367) * (np.pi / 2)])  # where one of them is nearly 0
    return x.astype(dtype)


def carried_out(chosen: str, name: str, x: Array) -> Array:
    y = np.empty_like(x)
    processor.core().elementary(chosen, name, x, y)
    return y


@every_set
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementary_functions_to_a_few_units_in_the_last_place(name: str, dtype: str, chosen: str) -> None:
    if dtype == "float64" and np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps:
        pytest.skip("no wider numbers to compare with here")
    x = samples(name, dtype)
    with np.errstate(under="ignore"):
        exact = FUNCTIONS[name](x.astype(np.float64 if dtype == "float32" else np.longdouble))
    units = np.abs(carried_out(chosen, name, x) - exact) / np.spacing(np.abs(exact).astype(dtype)).astype(exact.dtype)
    worst = int(np.argmax(units))
    bounds = UNITS | NOT_FUSED if chosen == "baseline" else UNITS
    assert units[worst] <= bounds.get(name, 2), f"{units[worst]:.3f} at {x[worst]!r}"


LIMITS = {
    "exp": [(-np.inf, 0.0), (np.inf, np.inf), (0.0, 1.0), (1e4, np.inf), (-1e4, 0.0)],
    "log": [(0.0, -np.inf), (1.0, 0.0), (np.inf, np.inf), (-1.0, np.nan)],
    "log1p": [(0.0, 0.0), (-1.0, -np.inf), (np.inf, np.inf)],
    "tanh": [(np.inf, 1.0), (-np.inf, -1.0), (0.0, 0.0), (1e4, 1.0), (-1e4, -1.0)],
    "sigmoid": [(np.inf, 1.0), (-np.inf, 0.0), (0.0, 0.5), (1e4, 1.0), (-1e4, 0.0)],
    "expm1": [(np.inf, np.inf), (-np.inf, -1.0), (0.0, 0.0), (1e4, np.inf), (-1e4, -1.0)],
    "softplus": [(np.inf, np.inf), (-np.inf, 0.0), (0.0, np.log(2)), (1e4, 1e4), (-1e4, 0.0)],
    "normal": [(np.inf, 1.0), (-np.inf, 0.0), (0.0, 0.5), (1e4, 1.0), (-1e4, 0.0)],
    "density": [(np.inf, 0.0), (-np.inf, 0.0), (1e4, 0.0), (-1e4, 0.0)],
    "sin": [(np.inf, np.nan), (-np.inf, np.nan), (0.0, 0.0)],
    "cos": [(np.inf, np.nan), (-np.inf, np.nan), (0.0, 1.0)],
    "x^-0.75": [(np.inf, 0.0), (0.0, np.inf), (1.0, 1.0), (-1.0, np.nan)],
}


@every_set
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_limits_of_elementary_functions(name: str, dtype: str, chosen: str) -> None:
    x, expected = np.array([*LIMITS[name], (np.nan, np.nan)], dtype).T.copy()
    np.testing.assert_array_equal(carried_out(chosen, name, x), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_where_a_value_stands_does_not_matter(name: str, dtype: str) -> None:
    """The rest of a register, and registers of any width with fused multiply-adds."""
    x = samples(name, dtype)[::9973].copy()
    expected = carried_out(SETS[0], name, x)
    for chosen in SETS:
        if chosen == "baseline":
            continue
        for size, start in itertools.product(range(1, 18), (0, 3)):
            part = x[start : start + size].copy()
            np.testing.assert_array_equal(carried_out(chosen, name, part), expected[start : start + size])


def test_no_other_function_is_there() -> None:
    with pytest.raises(ValueError, match="no function tan"):
        carried_out(SETS[0], "tan", np.zeros(3))


# Products

SIZES = [1, 2, 3, 5, 8, 12, 13, 17, 31, 33, 64, 100]
GRID = list(itertools.product(SIZES[::2], SIZES[1::2], [1, 2, 7, 16, 100]))
SHAPES = [
    *GRID,
    (200, 300, 257),
    (129, 65, 600),
    (13, 1000, 30),
    (1, 784, 100),
    (784, 100, 1),
    (7, 1, 513),
    (300, 10, 784),
]


def factors(m: int, n: int, k: int, dtype: str, transposed: bool) -> tuple[Array, Array]:
    generator = Generator(m * 10_000 + n * 100 + k)
    b = generator.normal((n, k) if transposed else (k, n), dtype=np.float64)
    return generator.normal((m, k), dtype=np.float64).astype(dtype), b.astype(dtype)


@every_set
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products(dtype: str, transposed: bool, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILLON_ISA", chosen)
    wide = np.float64 if dtype == "float32" else np.longdouble
    for m, n, k in SHAPES:
        if dtype == "float64" and m * n * k > 3e6:
            continue  # long doubles take long
        a, b = factors(m, n, k, dtype, transposed)
        right = b.T if transposed else b
        expected = a.astype(wide) @ right.astype(wide)
        bound = np.finfo(dtype).eps * k * (np.abs(a).astype(wide) @ np.abs(right).astype(wide))
        found = step.product(a, b, transposed)
        assert (np.abs(found - expected) <= bound).all(), (m, n, k)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_product_has_the_same_bits_however_it_is_computed(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By any number of threads and any set with fused multiply-adds."""
    for m, n, k in [(5, 7, 9), (13, 33, 100), (64, 100, 257), (200, 130, 300), (1, 300, 70)]:
        for transposed in (False, True):
            a, b = factors(m, n, k, dtype, transposed)
            monkeypatch.setenv("MAILLON_ISA", SETS[0])
            expected = step.product(a, b, transposed)
            for chosen, number in itertools.product(set(SETS) - {"baseline"}, (1, 2, 3)):
                monkeypatch.setenv("MAILLON_ISA", chosen)
                with threads(number, worth=0):
                    np.testing.assert_array_equal(step.product(a, b, transposed), expected)
