"""Every law of `torch.nn.init` beside PyTorch's: the same arguments, seed and shape, then the same numbers."""

import itertools
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import maillon
from maillon.nn import Parameter, init
from maillon.typing import Array

pytestmark = pytest.mark.torch

Arguments = dict[str, Any]

VECTORS = [(1,), (15,), (16,), (37,), (0,)]
WEIGHTS = [(3, 4), (1, 1), (7, 30), (40, 5), (4, 2, 3), (6, 3, 3, 5), (2, 3, 1, 2, 2), (2, 1, 2, 2, 1, 1)]
MATRICES = [(3, 4), (1, 1), (7, 30), (40, 5), (6, 6), (1, 9), (9, 1)]
KERNELS = [(3, 4, 3), (4, 2, 4), (6, 3, 3, 5), (2, 6, 1, 2), (4, 4, 3, 3, 2), (2, 1, 2, 2, 1)]
GAINS = ["linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]
GAINS += ["sigmoid", "tanh", "relu", "leaky_relu", "selu"]


def options(**values: list[Any]) -> list[Arguments]:
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


KAIMING = [
    {},
    *options(a=[0.0, 0.3, 5**0.5, -1, 2], mode=["fan_in", "fan_out"]),
    *options(mode=["fan_in", "FAN_OUT"], nonlinearity=GAINS),
    {"a": 0.3, "nonlinearity": "relu"},
]
XAVIER: list[Arguments] = [{}, *options(gain=[0.0, 0.5, 5 / 3, 2**0.5])]
TRUNCATED: list[Arguments] = [
    {},
    *options(std=[0.02, 0.5, 3.0]),
    {"mean": 1.0},
    {"mean": 1.0, "std": 0.7, "a": 0.5, "b": 1.2},
    {"a": 0.0, "b": 0.1},
    {"a": 1.5, "b": 4.0},
    {"mean": 0.3, "std": 0.1, "a": 0.45, "b": 0.6},
    {"mean": -1.0, "std": 2.0, "a": 2.0, "b": 2.5},
]
UNIFORM: list[Arguments] = [{}, {"a": -1}, {"a": -0.3, "b": 0.3}, {"a": 2.0, "b": 2.0}, {"a": -5.0, "b": 1e3}]
NORMAL: list[Arguments] = [{}, {"mean": 2.5}, {"std": 0.02}, {"mean": -1.0, "std": 3}, {"std": 0.0}]

BITS: list[tuple[str, list[tuple[int, ...]], list[Arguments]]] = [
    ("uniform_", VECTORS + WEIGHTS, UNIFORM),
    ("constant_", VECTORS + WEIGHTS, options(val=[0, 1.5, -2, 0.1])),
    ("ones_", VECTORS + WEIGHTS, [{}]),
    ("zeros_", VECTORS + WEIGHTS, [{}]),
    ("eye_", MATRICES, [{}]),
    ("dirac_", KERNELS, [{}, {"groups": 1}]),
    ("dirac_", [(4, 2, 3), (6, 3, 3, 2), (2, 3, 3), (4, 1, 1, 2, 3)], [{"groups": 2}]),
    ("xavier_uniform_", WEIGHTS, XAVIER),
    ("kaiming_uniform_", WEIGHTS, KAIMING),
]
NEAR: list[tuple[str, list[tuple[int, ...]], list[Arguments]]] = [
    ("normal_", VECTORS + WEIGHTS, NORMAL),
    ("trunc_normal_", [*VECTORS, (20, 30), (4, 2, 3)], TRUNCATED),
    ("xavier_normal_", WEIGHTS, XAVIER),
    ("kaiming_normal_", WEIGHTS, KAIMING),
    ("sparse_", MATRICES, [*options(sparsity=[0.0, 0.1, 0.5, 1.0]), {"sparsity": 0.3, "std": 2.0}]),
]
ORTHOGONAL = [*WEIGHTS, (6, 6), (16, 16), (1, 9), (9, 1)]


def both(torch: ModuleType, name: str, shape: tuple[int, ...], named: Arguments, dtype: str) -> tuple[Array, Array]:
    """What is drawn here and there under the same seed, and one number more, so that as much was drawn."""
    seed = 3 + len(shape) + sum(shape)
    theirs = torch.full(shape, 7.0, dtype=getattr(torch, dtype))
    torch.manual_seed(seed)
    assert getattr(torch.nn.init, name)(theirs, **named) is theirs
    ours = Parameter(np.full(shape, 7.0, dtype))
    held = ours.data
    maillon.manual_seed(seed)
    assert getattr(init, name)(ours, **named) is ours
    assert ours.data is held
    assert maillon.random.default_generator().rand(1)[0] == torch.rand(1).item()
    return held, theirs.numpy()


def cases(table: list[tuple[str, list[tuple[int, ...]], list[Arguments]]]) -> list[tuple[str, Any, Arguments]]:
    return [(name, shape, named) for name, shapes, many in table for shape in shapes for named in many]


def shown(case: tuple[str, Any, Arguments]) -> str:
    name, shape, named = case
    return f"{name} {'x'.join(map(str, shape))} {' '.join(f'{key}={value}' for key, value in named.items())}"


@pytest.mark.sweep
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", cases(BITS), ids=shown)
def test_the_same_bits(torch: ModuleType, case: tuple[str, Any, Arguments], dtype: str) -> None:
    np.testing.assert_array_equal(*both(torch, *case, dtype))


@pytest.mark.sweep
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", cases(NEAR), ids=shown)
def test_numbers_of_a_normal_law(torch: ModuleType, case: tuple[str, Any, Arguments], dtype: str) -> None:
    scale = max([1.0, *(abs(value) for value in case[2].values() if not isinstance(value, str))])
    ours, theirs = both(torch, *case, dtype)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=scale * (1e-6 if dtype == "float32" else 1e-12))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-10)])
@pytest.mark.parametrize("gain", [1, 0.5, 2**0.5])
@pytest.mark.parametrize("shape", ORTHOGONAL, ids=str)
def test_orthogonal(torch: ModuleType, shape: tuple[int, ...], gain: float, dtype: str, tolerance: float) -> None:
    np.testing.assert_allclose(*both(torch, "orthogonal_", shape, {"gain": gain}, dtype), rtol=0, atol=tolerance)


@pytest.mark.parametrize("nonlinearity", GAINS)
def test_gains(torch: ModuleType, nonlinearity: str) -> None:
    assert init.calculate_gain(nonlinearity) == torch.nn.init.calculate_gain(nonlinearity)
    for param in (0, 0.3, -1, 2.5):
        assert init.calculate_gain(nonlinearity, param) == torch.nn.init.calculate_gain(nonlinearity, param)


@pytest.mark.parametrize(
    ("name", "shape", "arguments"),
    [
        ("uniform_", (3,), (-0.5, 0.5)),
        ("normal_", (3,), (1.0, 0.5)),
        ("trunc_normal_", (30,), (0.1, 0.9, -1.0, 1.5)),
        ("constant_", (3,), (0.3,)),
        ("dirac_", (4, 2, 3), (2,)),
        ("xavier_uniform_", (4, 2), (0.5,)),
        ("xavier_normal_", (4, 2), (0.5,)),
        ("kaiming_uniform_", (4, 2), (0.2, "fan_out", "leaky_relu")),
        ("kaiming_normal_", (4, 2), (0.2, "fan_out", "relu")),
        ("orthogonal_", (4, 2), (0.5,)),
        ("sparse_", (4, 2), (0.5, 0.1)),
    ],
)
def test_the_order_of_the_arguments(
    torch: ModuleType, name: str, shape: tuple[int, ...], arguments: tuple[Any, ...]
) -> None:
    torch.manual_seed(5)
    maillon.manual_seed(5)
    drawn = () if name in ("constant_", "dirac_") else (None,)
    theirs = getattr(torch.nn.init, name)(torch.empty(shape, dtype=torch.float64), *arguments, *drawn)
    ours = getattr(init, name)(np.empty(shape), *arguments, *drawn)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "kaiming_normal_"])
def test_a_generator_of_its_own(torch: ModuleType, name: str) -> None:
    theirs = getattr(torch.nn.init, name)(torch.empty(5, 6), generator=torch.Generator().manual_seed(8))
    before = maillon.random.default_generator().get_state()
    ours = getattr(init, name)(np.empty((5, 6), np.float32), generator=maillon.Generator(8))
    assert maillon.random.default_generator().get_state() == before
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["kaiming_uniform_", "kaiming_normal_"])
def test_a_weight_without_numbers(torch: ModuleType, name: str) -> None:
    with pytest.warns(UserWarning, match="no-op"):
        getattr(torch.nn.init, name)(torch.empty(0, 3))
    assert getattr(init, name)(np.empty((0, 3))).shape == (0, 3)
    assert getattr(init, name)(np.empty(0)).shape == (0,)


@pytest.mark.parametrize(
    ("name", "shape", "named"),
    [
        ("eye_", (3,), {}),
        ("eye_", (3, 3, 3), {}),
        ("dirac_", (3, 3), {}),
        ("dirac_", (3, 3, 3), {"groups": 2}),
        ("xavier_uniform_", (3,), {}),
        ("xavier_normal_", (), {}),
        ("kaiming_uniform_", (3,), {}),
        ("kaiming_uniform_", (3, 2), {"mode": "fan"}),
        ("kaiming_normal_", (3, 2), {"nonlinearity": "gelu"}),
        ("orthogonal_", (3,), {}),
        ("sparse_", (3,), {"sparsity": 0.1}),
        ("sparse_", (3, 2, 1), {"sparsity": 0.1}),
    ],
)
def test_both_refuse(torch: ModuleType, name: str, shape: tuple[int, ...], named: Arguments) -> None:
    with pytest.raises(ValueError):
        getattr(torch.nn.init, name)(torch.empty(shape), **named)
    with pytest.raises(ValueError):
        getattr(init, name)(np.empty(shape), **named)


def test_no_law_is_missing(torch: ModuleType) -> None:
    theirs = {name for name in torch.nn.init.__all__ if name.endswith("_")} | {"calculate_gain"}
    assert {name for name in theirs if not callable(getattr(init, name, None))} == set()
