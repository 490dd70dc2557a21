"""Normalisation: what is refused, running statistics, and values that mistakes of the formula would change."""

from typing import Any

import numpy as np
import pytest
from public import NAMES

import maillon
from maillon.nn import LinkDtypeError, LinkShapeError
from maillon.random import Generator

CPU_ONLY = "device='cuda' is not supported: maillon computes on the CPU. Leave device out."


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: maillon.LayerNorm(0),
            ValueError,
            "LayerNorm: expected normalized_shape to be an integer ≥ 1, got 0.",
        ),
        (
            lambda: maillon.LayerNorm([]),
            ValueError,
            "LayerNorm: expected normalized_shape to have a dimension, got [].",
        ),
        (
            lambda: maillon.RMSNorm((3, 0.5)),
            ValueError,
            "RMSNorm: expected normalized_shape to be an integer ≥ 1 or 2 of them, got (3, 0.5).",
        ),
        (
            lambda: maillon.LayerNorm(3, eps=-1.0),
            ValueError,
            "LayerNorm: expected eps to be a number ≥ 0, got -1.0.",
        ),
        (
            lambda: maillon.GroupNorm(4, 6),
            ValueError,
            "GroupNorm: expected num_channels to be a multiple of num_groups = 4, got 6.",
        ),
        (
            lambda: maillon.GroupNorm(0, 6),
            ValueError,
            "GroupNorm: expected num_groups to be an integer ≥ 1, got 0.",
        ),
        (
            lambda: maillon.BatchNorm2d(1.0),
            ValueError,
            "BatchNorm2d: expected num_features to be an integer ≥ 1, got 1.0.",
        ),
        (
            lambda: maillon.BatchNorm1d(3, momentum="0.1"),
            ValueError,
            "BatchNorm1d: expected momentum to be a number, got '0.1'.",
        ),
        (
            lambda: maillon.LocalResponseNorm(0),
            ValueError,
            "LocalResponseNorm: expected size to be an integer ≥ 1, got 0.",
        ),
        (lambda: maillon.InstanceNorm1d(3, device="cuda"), NotImplementedError, f"InstanceNorm1d: {CPU_ONLY}"),
        (lambda: maillon.LayerNorm(3, device="cuda"), NotImplementedError, f"LayerNorm: {CPU_ONLY}"),
    ],
)
def test_options_that_make_no_sense(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("link", "shape", "message"),
    [
        (
            maillon.LayerNorm((3, 2)),
            (4, 2, 3),
            "LayerNorm((3, 2)): expected x of shape (*, 3, 2), got (4, 2, 3). Its last dimensions must be (3, 2).",
        ),
        (
            maillon.RMSNorm(4),
            (),
            "RMSNorm((4,)): expected x of shape (*, 4), got (). Its last dimensions must be (4,).",
        ),
        (
            maillon.GroupNorm(2, 4),
            (4,),
            "GroupNorm(2, 4): expected x of shape (N, 4, *), got (4,). A single sample needs x[None].",
        ),
        (
            maillon.GroupNorm(2, 4),
            (2, 3, 4),
            "GroupNorm(2, 4): expected x of shape (N, 4, *), got (2, 3, 4). Channels come second.",
        ),
        (
            maillon.LocalResponseNorm(3, k=2.0),
            (2, 3),
            "LocalResponseNorm(3, k=2.0): expected x of shape (N, C, *), got (2, 3). "
            "At least one dimension follows the channels.",
        ),
        (
            maillon.BatchNorm1d(3),
            (3,),
            "BatchNorm1d(3): expected x of shape (N, 3) or (N, 3, L), got (3,). A single sample needs x[None].",
        ),
        (
            maillon.BatchNorm1d(3),
            (2, 4),
            "BatchNorm1d(3): expected x of shape (N, 3) or (N, 3, L), got (2, 4). Its channels must be num_features.",
        ),
        (
            maillon.BatchNorm2d(3),
            (2, 3),
            "BatchNorm2d(3): expected x of shape (N, 3, H, W), got (2, 3). Reshape x.",
        ),
        (
            maillon.BatchNorm1d(3),
            (1, 3),
            "BatchNorm1d(3): expected x with more than 1 value per channel when training, got shape (1, 3). "
            "One value has no variance: give more samples, or call eval().",
        ),
        (
            maillon.InstanceNorm2d(3),
            (2, 3, 1, 1),
            "InstanceNorm2d(3): expected x with more than 1 value per channel and sample, got shape (2, 3, 1, 1). "
            "One value has no variance: give larger samples.",
        ),
        (
            maillon.InstanceNorm1d(3, affine=True),
            (4, 2, 5),
            "InstanceNorm1d(3, affine=True): expected x of shape (N, 3, L) or (3, L), got (4, 2, 5). "
            "Its channels must be num_features.",
        ),
    ],
)
def test_shapes_that_do_not_fit(link: Any, shape: tuple[int, ...], message: str) -> None:
    before = link.state_dict()
    with pytest.raises(LinkShapeError) as caught:
        link(np.zeros(shape, np.float32))
    assert str(caught.value) == message
    for name, value in link.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    "link",
    [maillon.LayerNorm(3), maillon.BatchNorm1d(3), maillon.BatchNorm1d(3, affine=False), maillon.RMSNorm(3)],
    ids=repr,
)
def test_the_state_settles_the_dtype(link: Any) -> None:
    with pytest.raises(LinkDtypeError, match=r"expected x of dtype float32, got float64.*or the link with \.to"):
        link(np.zeros((4, 3)))
    assert link.to("float64")(np.zeros((4, 3))).dtype == np.float64


def test_without_a_state_both_dtypes_are_taken() -> None:
    for link in (maillon.LayerNorm(3, elementwise_affine=False), maillon.InstanceNorm1d(2)):
        for dtype in (np.float32, np.float64):
            assert link(np.zeros((4, 2, 3), dtype)).dtype == dtype


def test_channels_that_nothing_depends_on_are_warned_of() -> None:
    link = maillon.InstanceNorm1d(3)
    with pytest.warns(UserWarning, match=r"InstanceNorm1d\(3\): expected x of shape \(N, 3, L\).*Nothing here depends"):
        y = link(np.array([[[1.0, 3.0], [5.0, 9.0]]]))
    np.testing.assert_allclose(y, [[[-1, 1], [-1, 1]]], rtol=1e-5)
    with pytest.raises(LinkShapeError):
        maillon.InstanceNorm1d(3, track_running_stats=True, dtype="float64")(np.zeros((1, 2, 2)))


@pytest.mark.parametrize(
    "shown",
    [
        "LayerNorm((3,))",
        "LayerNorm((3, 2), eps=0.001, bias=False)",
        "LayerNorm((3,), elementwise_affine=False)",
        "RMSNorm((3,))",
        "RMSNorm((3,), eps=0.1, elementwise_affine=False)",
        "GroupNorm(2, 4, dtype='float64', bias=False)",
        "BatchNorm1d(3)",
        "BatchNorm2d(3, eps=0.1, momentum=None, affine=False, track_running_stats=False)",
        "InstanceNorm2d(3, affine=True, track_running_stats=True)",
    ],
)
def test_repr_rebuilds(shown: str) -> None:
    assert repr(eval(shown, NAMES)) == shown


# Values, by hand


def test_layer_norm_by_hand() -> None:
    """Mean 2, variance 1, ε inside the root."""
    x = np.array([[1.0, 3.0, 1.0, 3.0], [3.0, 1.0, 3.0, 1.0]])
    link = maillon.LayerNorm(4, eps=3.0, dtype="float64")
    np.testing.assert_array_equal(link(x), np.array([[-1, 1, -1, 1], [1, -1, 1, -1]]) / 2)


def test_group_norm_takes_neighbouring_channels() -> None:
    x = np.array([[1.0, 3.0, 10.0, 30.0]])
    np.testing.assert_array_equal(maillon.GroupNorm(2, 4, eps=0, dtype="float64")(x), [[-1, 1, -1, 1]])


def test_a_constant_far_from_0_normalises_to_0() -> None:
    x = np.full((2, 3, 7), 12345.678, np.float32)
    for link in (maillon.LayerNorm(7), maillon.InstanceNorm1d(3), maillon.GroupNorm(1, 3), maillon.BatchNorm1d(3)):
        np.testing.assert_array_equal(link(x), 0)


@pytest.mark.parametrize("shape", [(50, 3), (5, 3, 7)])
def test_running_statistics_are_those_of_the_batches(shape: tuple[int, ...]) -> None:
    """The variance's estimate divides by n − 1; with momentum m a batch counts m, those before 1 − m."""
    link = maillon.BatchNorm1d(3, momentum=0.3, dtype="float64")
    mean, variance = np.zeros(3), np.ones(3)
    held = link.running_mean
    for seed in range(4):
        x = Generator(seed).normal(shape, 2.0, 3.0, dtype=np.float64)
        link(x)
        channels = np.moveaxis(x, 1, 0).reshape(3, -1)
        mean, variance = 0.7 * mean + 0.3 * channels.mean(axis=1), 0.7 * variance + 0.3 * channels.var(axis=1, ddof=1)
    np.testing.assert_allclose(link.running_mean, mean, rtol=1e-13)
    np.testing.assert_allclose(link.running_var, variance, rtol=1e-13)
    assert link.running_mean is held
    assert link.num_batches_tracked == 4
    link.eval()(x)
    np.testing.assert_allclose(link.running_mean, mean, rtol=1e-13)
    assert link.num_batches_tracked == 4


def test_without_momentum_every_batch_counts_alike() -> None:
    link = maillon.BatchNorm2d(2, momentum=None, dtype="float64")
    batches = [Generator(seed).normal((3, 2, 4, 5), seed, 2.0, dtype=np.float64) for seed in range(3)]
    for x in batches:
        link(x)
    np.testing.assert_allclose(link.running_mean, np.mean([x.mean(axis=(0, 2, 3)) for x in batches], axis=0))
    np.testing.assert_allclose(link.running_var, np.mean([x.var(axis=(0, 2, 3), ddof=1) for x in batches], axis=0))
    link.reset_running_stats()
    assert not link.running_mean.any()
    assert (link.running_var == 1).all()
    assert link.num_batches_tracked == 0


def test_evaluation_takes_the_running_statistics_and_not_the_batch() -> None:
    link = maillon.BatchNorm1d(2, eps=0.0, dtype="float64").eval()
    link.running_mean[:], link.running_var[:] = [1, -1], [4, 9]
    x = np.array([[5.0, 5.0]])
    np.testing.assert_array_equal(link(x), [[2, 2]])
    np.testing.assert_array_equal(link.backward(np.ones((1, 2))), [[1 / 2, 1 / 3]])
    np.testing.assert_array_equal(link.weight.grad, [2, 2])
    np.testing.assert_array_equal(link.bias.grad, [1, 1])


def test_without_running_statistics_evaluation_takes_the_batch() -> None:
    x = Generator(0).normal((5, 3), dtype=np.float64)
    link = maillon.BatchNorm1d(3, track_running_stats=False, dtype="float64")
    trained = link(x)
    np.testing.assert_array_equal(link.eval()(x), trained)
    assert list(link.state_dict()) == ["weight", "bias"]


def test_running_statistics_of_instances_are_the_mean_of_the_samples() -> None:
    link = maillon.InstanceNorm1d(3, momentum=0.4, track_running_stats=True, dtype="float64")
    x = Generator(0).normal((4, 3, 6), 1.0, 2.0, dtype=np.float64)
    link(x)
    np.testing.assert_allclose(link.running_mean, 0.4 * x.mean(axis=2).mean(axis=0))
    np.testing.assert_allclose(link.running_var, 0.6 + 0.4 * x.var(axis=2, ddof=1).mean(axis=0))
    assert link.num_batches_tracked == 0


def test_the_state_has_pytorchs_order_and_dtypes() -> None:
    link = maillon.BatchNorm1d(2, dtype="float64")
    assert {name: (value.shape, str(value.dtype)) for name, value in link.state_dict().items()} == {
        "weight": ((2,), "float64"),
        "bias": ((2,), "float64"),
        "running_mean": ((2,), "float64"),
        "running_var": ((2,), "float64"),
        "num_batches_tracked": ((), "int64"),
    }
    assert list(link.state_dict()) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    link.to("float32")
    assert (link.running_var.dtype, link.num_batches_tracked.dtype) == (np.float32, np.int64)


def test_a_shared_link_shares_its_running_statistics() -> None:
    link = maillon.BatchNorm1d(2, dtype="float64")
    link.share()(np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_allclose(link.running_mean, [0.2, 0.3])


def test_nothing_is_learnt_of_a_batch_of_none() -> None:
    link = maillon.BatchNorm2d(2)
    assert link(np.zeros((0, 2, 3, 3), np.float32)).shape == (0, 2, 3, 3)
    assert not link.running_mean.any()
    assert link.num_batches_tracked == 1
