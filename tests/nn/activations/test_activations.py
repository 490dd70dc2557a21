"""What the activations and dropouts take and refuse, their kinks and masks; their values are the battery's."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.nn import LinkDtypeError, LinkShapeError
from maillon.random import Generator

NOT_IN_PLACE = "a link never changes its input, which backward may need. Leave inplace out."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: maillon.ELU("1"), "ELU: expected alpha to be a number, got '1'."),
        (lambda: maillon.CELU(0), "CELU: expected alpha to be other than 0 and a number of float32, got 0."),
        (lambda: maillon.CELU(1e60), "CELU: expected alpha to be other than 0 and a number of float32, got 1e+60."),
        (lambda: maillon.GELU("erf"), "GELU: expected approximate to be 'none' or 'tanh', got 'erf'."),
        (
            lambda: maillon.Softplus(0),
            "Softplus: expected beta, which the logarithm is divided by, to be other than 0, got 0.",
        ),
        (lambda: maillon.Softplus(threshold=None), "Softplus: expected threshold to be a number, got None."),
        (lambda: maillon.Hardtanh(1, 1), "Hardtanh: expected min_val < max_val, got 1 and 1."),
        (lambda: maillon.Hardtanh(float("nan")), "Hardtanh: expected min_val to be a number, got nan."),
        (lambda: maillon.Threshold(0.1, True), "Threshold: expected value to be a number, got True."),
        (lambda: maillon.Softshrink(-0.5), "Softshrink: expected lambd to be a number ≥ 0, got -0.5."),
        (lambda: maillon.Hardshrink([1]), "Hardshrink: expected lambd to be a number, got [1]."),
        (lambda: maillon.PReLU(0), "PReLU: expected num_parameters to be an integer ≥ 1, got 0."),
        (lambda: maillon.PReLU(init="small"), "PReLU: expected init to be a number, got 'small'."),
        (lambda: maillon.RReLU(0.5, 0.25), "RReLU: expected lower ≤ upper, got 0.5 and 0.25."),
        (lambda: maillon.GLU(0.5), "GLU: expected dim to be an integer, got 0.5."),
        (lambda: maillon.Softmin("rows"), "Softmin: expected dim to be an integer or None, got 'rows'."),
        (
            lambda: maillon.Dropout1d(-0.1),
            "Dropout1d: expected p, the probability of dropping a value, in [0, 1], got -0.1.",
        ),
        (
            lambda: maillon.AlphaDropout(1.1),
            "AlphaDropout: expected p, the probability of dropping a value, in [0, 1], got 1.1.",
        ),
    ],
)
def test_options_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        *(
            (
                lambda name=name: getattr(maillon, name)(inplace=True),
                f"{name}: inplace=True is not supported: {NOT_IN_PLACE}",
            )
            for name in (
                *("ELU", "SELU", "CELU", "SiLU", "Mish", "Hardtanh", "ReLU6", "Hardsigmoid", "Hardswish", "RReLU"),
                *("Dropout1d", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout"),
            )
        ),
        (lambda: maillon.Threshold(0, 0, True), f"Threshold: inplace=True is not supported: {NOT_IN_PLACE}"),
        (
            lambda: maillon.Hardtanh(min_value=-2.0),
            "Hardtanh: min_value=-2.0 is not supported: it was renamed to min_val.",
        ),
        (
            lambda: maillon.Hardtanh(max_value=2.0),
            "Hardtanh: max_value=2.0 is not supported: it was renamed to max_val.",
        ),
        (
            lambda: maillon.PReLU(device="cuda"),
            "PReLU: device='cuda' is not supported: maillon computes on the CPU. Leave device out.",
        ),
    ],
)
def test_what_is_left_out_says_why(make: Any, message: str) -> None:
    with pytest.raises(NotImplementedError) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("link", "shape", "message"),
    [
        (
            maillon.PReLU(3, dtype="float64"),
            (2, 4),
            "PReLU(num_parameters=3, dtype='float64'): expected x of shape (N, 3, *), got (2, 4). "
            "PReLU(1) takes any shape: one slope for all.",
        ),
        (maillon.GLU(), (2, 3), "GLU(): expected x with an even dimension -1, got shape (2, 3). "
         "One half of it gates the other."),
        (maillon.GLU(2), (2, 4), "GLU(dim=2): expected x with a dimension 2, got shape (2, 4). dim must be in -2…1."),
        (maillon.GLU(), (), "GLU(): expected x with a dimension -1, got shape (). A single number has no halves."),
        (
            maillon.Softmax2d(),
            (2, 3),
            "Softmax2d(): expected x of shape (N, C, H, W) or (C, H, W), got (2, 3). "
            "For other shapes there is Softmax(dim).",
        ),
        (maillon.Softmin(2), (2, 3), "Softmin(dim=2): expected x with a dimension 2, got shape (2, 3). "
         "dim must be in -2…1."),
        (
            maillon.Dropout1d().eval(),
            (3,),
            "Dropout1d(0.5): expected x of shape (N, C, L) or (C, L), got (3,). "
            "Dropout drops single values of any shape.",
        ),
        (
            maillon.Dropout2d(0.2),
            (3,),
            "Dropout2d(0.2): expected x of shape (N, C, *), got (3,). Its channels are the second dimension.",
        ),
    ],
)  # fmt: skip
def test_shapes_that_make_no_sense(link: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LinkShapeError) as caught:
        link(np.zeros(shape))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "link", [maillon.ELU(), maillon.GLU(), maillon.RReLU(), maillon.Softmin(), maillon.Softmax2d()]
)
def test_what_is_no_array_is_refused(link: Any) -> None:
    with pytest.raises(LinkDtypeError, match="expected x to be a NumPy array of dtype float32 or float64, got list"):
        link([[0.0, 1.0]])
    with pytest.raises(LinkDtypeError, match="expected x of dtype float32 or float64, got int64"):
        link(np.zeros((2, 2), np.int64))


@pytest.mark.parametrize(
    "shown",
    [
        *("ELU()", "ELU(alpha=0.3)", "SELU()", "CELU(alpha=2.0)", "GELU()", "GELU(approximate='tanh')"),
        *("SiLU()", "Mish()"),
        *("Softplus()", "Softplus(beta=2, threshold=3.0)", "Softsign()", "LogSigmoid()", "Tanhshrink()"),
        *("Hardtanh()", "Hardtanh(min_val=-2, max_val=0.5)", "ReLU6()", "Hardsigmoid()", "Hardswish()"),
        *("Threshold(0.1, 20)", "Hardshrink()", "Softshrink(lambd=0.25)"),
        *("PReLU()", "PReLU(num_parameters=3, init=0.1)", "RReLU()", "RReLU(lower=0.1, upper=0.2)"),
        *("GLU()", "GLU(dim=1)"),
        *("Softmin(dim=1)", "Softmax2d()", "Dropout1d(0.5)", "Dropout2d(0.1)", "AlphaDropout(0.2)"),
        "FeatureAlphaDropout(0.2, generator=Generator(seed=3))",
    ],
)  # fmt: skip
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


@pytest.mark.parametrize(
    ("link", "points", "slopes"),
    [
        (maillon.ELU(0.7), [0.0, -0.0], [0.7, 0.7]),
        (maillon.SELU(), [0.0], [1.7580993408473766]),
        (maillon.CELU(0.5), [0.0], [1.0]),
        (maillon.Hardtanh(), [-1.0, 1.0], [0.0, 0.0]),
        (maillon.ReLU6(), [0.0, 6.0], [0.0, 0.0]),
        (maillon.Hardsigmoid(), [-3.0, 3.0], [0.0, 0.0]),
        (maillon.Hardswish(), [-3.0, 3.0], [0.0, 1.0]),
        (maillon.PReLU(dtype="float64"), [0.0], [0.25]),
        (maillon.RReLU(0.1, 0.3).eval(), [0.0], [0.2]),
        (maillon.Softshrink(), [-0.5, 0.0, 0.5], [0.0, 0.0, 0.0]),
        (maillon.Hardshrink(), [-0.5, 0.0, 0.5], [0.0, 0.0, 0.0]),
        (maillon.Hardshrink(-0.5), [-0.5, 0.0, 0.5], [1.0, 1.0, 1.0]),
        (maillon.Threshold(0.1, 20), [0.1, 0.2], [0.0, 1.0]),
        (maillon.Softplus(2.0, 4.0), [2.0, 2.0001], [1 / (1 + np.exp(-4.0)), 1.0]),
    ],
    ids=repr,
)
def test_the_side_taken_at_a_kink(link: Any, points: list[float], slopes: list[float]) -> None:
    link(np.array(points))
    np.testing.assert_allclose(link.backward(np.ones(len(points))), slopes, rtol=1e-12)


POINTWISE = [
    *("ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus", "Softsign", "LogSigmoid", "Tanhshrink"),
    *("Hardtanh", "ReLU6", "Hardsigmoid", "Hardswish", "Hardshrink", "Softshrink", "PReLU", "RReLU"),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", POINTWISE)
def test_the_largest_numbers_give_no_warning(name: str, dtype: str) -> None:
    link = getattr(maillon, name)().to(dtype)
    largest = np.finfo(dtype).max / 4
    x = np.array([-largest, -1e30, -1e20, 1e20, 1e30, largest], dtype)
    assert np.isfinite(link(x)).all()
    assert np.isfinite(link.backward(np.ones_like(x))).all()


def test_both_forms_of_gelu_are_near_each_other() -> None:
    x = np.linspace(-5, 5, 101)
    assert 1e-5 < np.abs(maillon.GELU()(x) - maillon.GELU("tanh")(x)).max() < 1e-3


def test_numbers_of_numpy_do_not_widen_float32() -> None:
    x = np.ones(3, np.float32)
    for link in (maillon.ELU(np.float64(2)), maillon.Softplus(np.float64(2)), maillon.Threshold(np.float64(2), 3)):
        assert link(x).dtype == np.float32
        assert link.backward(x).dtype == np.float32


def test_prelu_begins_with_its_init_and_draws_nothing() -> None:
    before = maillon.random.default_generator().get_state()
    link = maillon.PReLU(2, 0.4, dtype="float64")
    assert maillon.random.default_generator().get_state() == before
    assert link.state_dict()["weight"].tolist() == [0.4, 0.4]
    link.weight.data[:] = 7
    link.reset_parameters()
    assert link.weight.data.tolist() == [0.4, 0.4]


def test_rrelu_draws_two_words_for_each_value_below() -> None:
    generator, other = Generator(3), Generator(3)
    link = maillon.RReLU(generator=generator)
    y = link(np.array([-1.0, 2.0, 0.0, -1.0]))
    other.random_raw(6)
    assert generator.get_state() == other.get_state()
    assert -1 / 3 < y[0] < -1 / 8
    assert y[0] != y[3]
    assert y[1] == 2
    link.eval()(np.array([-1.0, 2.0]))
    assert generator.get_state() == other.get_state()


@pytest.mark.parametrize("name", ["Dropout1d", "Dropout2d", "FeatureAlphaDropout"])
def test_a_channel_is_dropped_as_a_whole(name: str) -> None:
    shape = (20, 30, 4) if name == "Dropout1d" else (20, 30, 2, 2)
    y = getattr(maillon, name)(0.3, generator=Generator(1))(np.ones(shape)).reshape(600, 4)
    assert (y == y[:, :1]).all()
    least, largest = np.unique(y)
    assert (y[:, 0] == least).mean() == pytest.approx(0.3, abs=0.05)
    assert (least == 0) == name.startswith("Dropout")
    assert largest > least


def test_three_dimensions_are_samples_channels_and_places() -> None:
    """PyTorch's Dropout2d reads (N, C, L), not an image without a batch."""
    y = maillon.Dropout2d(0.5, generator=Generator(1))(np.ones((5, 6, 7)))
    assert (y == y[..., :1]).all()
    assert (y != y[:, :1]).any()
    unbatched = maillon.Dropout1d(0.5, generator=Generator(1))(np.ones((30, 7)))
    np.testing.assert_array_equal(unbatched, y.reshape(30, 7))


@pytest.mark.parametrize("name", ["AlphaDropout", "FeatureAlphaDropout"])
def test_alpha_dropout_keeps_mean_and_variance(name: str) -> None:
    x = Generator(2).normal((500, 200), dtype=np.float64)
    y = getattr(maillon, name)(0.4, generator=Generator(1))(x)
    assert y.mean() == pytest.approx(0, abs=0.02)
    assert y.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", ["Dropout", "Dropout1d", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout"])
def test_nothing_is_drawn_where_nothing_can_be_dropped(name: str) -> None:
    generator = Generator(1)
    before = generator.get_state()
    make = getattr(maillon, name)
    x = np.ones((2, 3, 4))
    np.testing.assert_array_equal(make(0.0, generator=generator)(x), x)
    np.testing.assert_array_equal(make(0.5, generator=generator).eval()(x), x)
    assert make(0.5, generator=generator)(np.ones((2, 3, 0))).shape == (2, 3, 0)
    assert generator.get_state() == before
    assert not make(1.0, generator=generator)(x).any()
