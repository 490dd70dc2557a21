"""What links take and refuse, and the laws of initial weights; their values are the battery's."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.nn import LinkDtypeError, LinkShapeError, Parameter, init
from maillon.random import Generator


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: maillon.Linear(0, 1),
            ValueError,
            "Linear: expected in_features to be an integer ≥ 1, got 0.",
        ),
        (lambda: maillon.Linear(1, 2.0), ValueError, "Linear: expected out_features to be an integer ≥ 1, got 2.0."),
        (lambda: maillon.Linear(True, 1), ValueError, "Linear: expected in_features to be an integer ≥ 1, got True."),
        (
            lambda: maillon.Linear(1, 1, device="cuda"),
            NotImplementedError,
            "Linear: device='cuda' is not supported: maillon computes on the CPU. Leave device out.",
        ),
        (
            lambda: maillon.Linear(1, 1, dtype="int8"),
            ValueError,
            "dtype: expected float32 or float64, got 'int8'. Links compute in these two.",
        ),
        (
            lambda: maillon.ReLU(inplace=True),
            NotImplementedError,
            "ReLU: inplace=True is not supported: a link never changes its input, which backward may need. "
            "Leave inplace out.",
        ),
        (
            lambda: maillon.Dropout(1.5),
            ValueError,
            "Dropout: expected p, the probability of dropping a value, in [0, 1], got 1.5.",
        ),
        (
            lambda: maillon.Softmax("rows"),
            ValueError,
            "Softmax: expected dim to be an integer or None, got 'rows'.",
        ),
        (
            lambda: maillon.LogSoftmax(True),
            ValueError,
            "LogSoftmax: expected dim to be an integer or None, got True.",
        ),
    ],
)
def test_options_that_make_no_sense(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "shown",
    [
        "Linear(3, 2)",
        "Linear(3, 2, bias=False, dtype='float64')",
        "Identity()",
        "Flatten()",
        "Flatten(0)",
        "Flatten(1, 2)",
        "Dropout(0.5)",
        "Dropout(0.2, generator=Generator(seed=3))",
        "LeakyReLU(0.2)",
        "Softmax()",
        "LogSoftmax(dim=-1)",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


def test_identity_ignores_its_arguments() -> None:
    assert repr(maillon.Identity(54, unused=True)) == "Identity()"


@pytest.mark.parametrize(
    ("link", "x", "error", "match"),
    [
        (maillon.Linear(2, 1), np.zeros((3, 2)), LinkDtypeError, r"or the link with \.to\('float64'\)"),
        (maillon.Linear(1, 1), np.zeros(3, np.float32), LinkShapeError, r"Give one row a sample: x\[:, None\]"),
        (maillon.Linear(4, 1), np.zeros((3, 2, 2), np.float32), LinkShapeError, r"Put Flatten\(\) before it"),
        (maillon.Linear(4, 1), np.zeros((3, 2), np.float32), LinkShapeError, "must be in_features = 4"),
        (maillon.Linear(4, 1), [[0.0] * 4], LinkDtypeError, "expected x to be a NumPy array of dtype float32"),
        (maillon.Flatten(), [[0.0]], LinkDtypeError, "expected x to be a NumPy array"),
        (maillon.Flatten(2), np.zeros((3, 2)), LinkShapeError, r"a single sample needs x\[None\]"),
        (maillon.Softmax(2), np.zeros((3, 2)), LinkShapeError, r"dim must be in -2…1"),
        (maillon.Tanh(), np.array(["a"]), LinkDtypeError, "got <U1"),
    ],
)
def test_inputs_that_make_no_sense(link: Any, x: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        link(x)


def test_a_gradient_that_is_no_array_is_refused() -> None:
    link = maillon.Tanh()
    link(np.zeros(2))
    with pytest.raises(LinkDtypeError, match="expected grad_output to be a NumPy array of dtype float64, got int"):
        link.backward(1)


def test_weights_come_from_the_generator_given() -> None:
    state = maillon.random.default_generator().get_state()
    one, other = (maillon.Linear(3, 2, generator=Generator(4)) for _ in range(2))
    assert maillon.random.default_generator().get_state() == state
    np.testing.assert_array_equal(one.weight.data, other.weight.data)
    assert np.abs(one.weight.data).max() <= 3**-0.5
    before = one.weight.data.copy()
    one.reset_parameters(Generator(5))
    assert (one.weight.data != before).all()
    maillon.manual_seed(4)
    np.testing.assert_array_equal(maillon.Linear(3, 2).weight.data, other.weight.data)


def test_the_laws_of_init() -> None:
    parameter = Parameter(np.empty((1000, 4)))
    assert init.normal_(parameter, 2.0, 0.5, generator=Generator(1)) is parameter
    assert parameter.data.mean() == pytest.approx(2, abs=0.05)
    assert parameter.data.std() == pytest.approx(0.5, abs=0.05)
    array = np.empty((1000, 4), np.float32)
    assert init.uniform_(array, -1, 3, generator=Generator(1)) is array
    assert -1 <= array.min() < -0.9 < 2.9 < array.max() < 3
    init.kaiming_uniform_(array, generator=Generator(1))
    assert np.abs(array).max() == pytest.approx(np.sqrt(6 / 4), abs=0.01)
    with pytest.raises(ValueError, match=r"kaiming_uniform_: expected a weight of shape \(out, in, …\), got \(3,\)"):
        init.kaiming_uniform_(np.empty(3))


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    x = np.ones((100, 100))
    y = maillon.Dropout(0.3, generator=Generator(1))(x)
    assert set(np.unique(y)) == {0, 1 / 0.7}
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.02)
    assert y.mean() == pytest.approx(1, abs=0.03)
    global_state = maillon.random.default_generator().get_state()
    maillon.Dropout(0.3, generator=Generator(1))(x)
    maillon.Dropout(0.3).eval()(x)
    assert maillon.random.default_generator().get_state() == global_state
