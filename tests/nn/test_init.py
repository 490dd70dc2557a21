"""What the laws of initial weights promise and refuse; their numbers are compared with PyTorch's elsewhere."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import maillon
from maillon.nn import Parameter, init
from maillon.random import Generator


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: init.uniform_([0.0]),
            TypeError,
            "uniform_: expected a Parameter or a NumPy array, got list.",
        ),
        (
            lambda: init.normal_(np.zeros(3, int)),
            TypeError,
            "normal_: expected an array of dtype float32 or float64, got int64.",
        ),
        (
            lambda: init.uniform_(np.empty(3), 1, 0),
            ValueError,
            "Generator.uniform: expected low ≤ high with a width finite in float64, got low=1, high=0. "
            "Swap the bounds or narrow them.",
        ),
        (
            lambda: init.trunc_normal_(np.empty(3), std=0),
            ValueError,
            "trunc_normal_: expected std to be a number > 0, got 0.",
        ),
        (lambda: init.eye_(np.empty(3)), ValueError, "eye_: expected 2 dimensions, got shape (3,)."),
        (
            lambda: init.dirac_(np.empty((3, 3))),
            ValueError,
            "dirac_: expected 3, 4 or 5 dimensions, got shape (3, 3).",
        ),
        (
            lambda: init.dirac_(np.empty((3, 3, 3)), 2),
            ValueError,
            "dirac_: expected the first dimension to divide by groups=2, got 3.",
        ),
        (
            lambda: init.dirac_(np.empty((3, 3, 3)), 0),
            ValueError,
            "dirac_: expected groups to be an integer ≥ 1, got 0.",
        ),
        (
            lambda: init.xavier_uniform_(np.empty(3)),
            ValueError,
            "xavier_uniform_: expected a weight of shape (out, in, …), got (3,).",
        ),
        (
            lambda: init.xavier_normal_(np.empty((0, 0))),
            ValueError,
            "xavier_normal_: expected a weight with inputs or outputs, got shape (0, 0).",
        ),
        (
            lambda: init.xavier_uniform_(np.empty((3, 2)), -1),
            ValueError,
            "xavier_uniform_: expected gain to be a number ≥ 0, got -1.",
        ),
        (
            lambda: init.kaiming_normal_(np.empty((3, 2)), mode="fan"),
            ValueError,
            "kaiming_normal_: expected mode to be 'fan_in' or 'fan_out', got 'fan'.",
        ),
        (
            lambda: init.calculate_gain("leaky_relu", "steep"),
            ValueError,
            "calculate_gain: expected param to be a number, got 'steep'.",
        ),
        (
            lambda: init.kaiming_uniform_(np.empty((3, 2)), nonlinearity="gelu"),
            ValueError,
            "calculate_gain: expected nonlinearity to be 'linear', 'conv1d', 'conv2d', 'conv3d', 'conv_transpose1d', "
            "'conv_transpose2d', 'conv_transpose3d', 'sigmoid', 'tanh', 'relu', 'selu' or 'leaky_relu', got 'gelu'.",
        ),
        (
            lambda: init.orthogonal_(np.empty(3)),
            ValueError,
            "orthogonal_: expected 2 or more dimensions, got shape (3,).",
        ),
        (
            lambda: init.sparse_(np.empty((3, 2)), 1.5),
            ValueError,
            "sparse_: expected sparsity to be a number in [0, 1], got 1.5.",
        ),
    ],
)
def test_what_makes_no_sense(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    before = maillon.random.default_generator().get_state()
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
    assert maillon.random.default_generator().get_state() == before


@pytest.mark.parametrize(
    ("fill", "deviation"),
    [
        (lambda weight: init.uniform_(weight, -1, 2), 3 / math.sqrt(12)),
        (lambda weight: init.normal_(weight, 1, 0.3), 0.3),
        (lambda weight: init.xavier_uniform_(weight), math.sqrt(2 / (200 * 9 + 50 * 9))),
        (lambda weight: init.xavier_normal_(weight, 2), 2 * math.sqrt(2 / (200 * 9 + 50 * 9))),
        (lambda weight: init.kaiming_uniform_(weight), math.sqrt(2 / (50 * 9))),
        (lambda weight: init.kaiming_normal_(weight, mode="fan_out"), math.sqrt(2 / (200 * 9))),
        (lambda weight: init.kaiming_normal_(weight, nonlinearity="tanh"), 5 / 3 / math.sqrt(50 * 9)),
        (lambda weight: init.trunc_normal_(weight, a=-100, b=100), 1.0),
        (lambda weight: init.trunc_normal_(weight, a=-0.001, b=0.001), 0.002 / math.sqrt(12)),
    ],
)
def test_the_deviation_of_a_law(fill: Callable[[Parameter], Parameter], deviation: float) -> None:
    maillon.manual_seed(3)
    weight = Parameter(np.empty((200, 50, 3, 3)))
    assert fill(weight) is weight
    assert weight.data.std() == pytest.approx(deviation, rel=0.01)


def test_arrays_are_filled_where_they_lie() -> None:
    room = np.zeros((6, 8), np.float32)
    part = room[::2, ::2]
    assert init.uniform_(part, 1, 2, generator=Generator(1)) is part
    assert (room[::2, ::2] >= 1).all()
    assert not room[1::2].any()
    assert not room[:, 1::2].any()


def test_fixed_numbers_fill_integers_too() -> None:
    assert init.ones_(np.zeros(3, int)).tolist() == [1, 1, 1]
    assert init.eye_(np.zeros((2, 2), int)).tolist() == [[1, 0], [0, 1]]


def test_dirac_passes_on_the_channels() -> None:
    weight = init.dirac_(np.empty((4, 3, 3, 5)), groups=2)
    assert weight.sum() == 4
    assert [tuple(place) for place in np.argwhere(weight)] == [(0, 0, 1, 2), (1, 1, 1, 2), (2, 0, 1, 2), (3, 1, 1, 2)]


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (4, 2, 3), (5, 5)], ids=str)
def test_orthogonal_is_orthogonal(shape: tuple[int, ...]) -> None:
    weight = init.orthogonal_(np.empty(shape), 0.5, generator=Generator(1)).reshape(shape[0], -1)
    product = weight @ weight.T if weight.shape[0] < weight.shape[1] else weight.T @ weight
    np.testing.assert_allclose(product, 0.25 * np.eye(len(product)), atol=1e-12)


def test_sparse_has_its_zeros_in_every_column() -> None:
    weight = init.sparse_(np.empty((10, 40)), 0.25, generator=Generator(1))
    assert ((weight == 0).sum(axis=0) == 3).all()
    assert len({tuple(np.flatnonzero(column)) for column in weight.T}) > 20


@pytest.mark.parametrize("limits", [(-0.5, 2.0), (1.0, 1.25), (3.0, 4.0)], ids=str)
def test_truncated_numbers_lie_inside_and_lean_to_the_mean(limits: tuple[float, float]) -> None:
    weight = init.trunc_normal_(np.empty(20000), 1.0, 1.0, *limits, generator=Generator(2))
    assert limits[0] <= weight.min() < weight.max() <= limits[1]
    edges = np.linspace(*limits, 6)
    shares = np.histogram(weight, edges)[0] / weight.size
    below = np.array([math.erf((edge - 1) / math.sqrt(2)) / 2 for edge in edges])
    np.testing.assert_allclose(shares, np.diff(below) / (below[-1] - below[0]), atol=0.015)


def test_a_tail_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"mean=0\.0 is more than 2 std outside \[4\.0, 5\.0\]"):
        init.trunc_normal_(np.empty(3), a=4.0, b=5.0)
