import numpy as np
import pytest
from wrong_calls import says

from maillon.data import linear_data, two_clusters
from maillon.random import Generator, default_generator, using


class TestLinearData:
    def test_is_a_line_and_noise(self):
        x, y = linear_data(20_000, slope=3.0, generator=Generator(1), dtype=np.float64)
        assert x.shape == y.shape == (20_000, 1)
        assert 0 <= x.min() < 0.1
        assert 49.9 < x.max() < 50
        error = y - 3.0 * x
        assert abs(error.mean()) < 0.1
        assert abs(error.std() - 5.0) < 0.1
        assert abs(np.corrcoef(x[:, 0], error[:, 0])[0, 1]) < 0.02

    def test_draws_x_then_the_noise(self):
        x, y = linear_data(30, slope=2.0, noise=0.5, low=-1, high=4, generator=Generator(2))
        stream = Generator(2)
        np.testing.assert_array_equal(x, stream.uniform((30, 1), -1, 4))
        np.testing.assert_allclose(y, 2 * x + stream.normal((30, 1), 0, 0.5), rtol=1e-6)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_dtype(self, dtype):
        x, y = linear_data(generator=Generator(0), dtype=dtype)
        assert (x.dtype, y.dtype, len(x)) == (dtype, dtype, 100)


class TestTwoClusters:
    def test_two_clouds_around_their_means(self):
        x, y = two_clusters(5000, std=0.5, generator=Generator(3))
        assert x.shape == (10_000, 2)
        assert y.shape == (10_000, 1)
        for label, mean in [(1, (1, 2)), (0, (3, 5))]:
            cloud = x[y[:, 0] == label]
            assert len(cloud) == 5000
            np.testing.assert_allclose(cloud.mean(axis=0), mean, atol=0.05)
            np.testing.assert_allclose(cloud.std(axis=0), 0.5, atol=0.02)

    def test_draws_positives_negatives_order(self):
        x, y = two_clusters(20, std=2.0, generator=Generator(4), dtype=np.float64)
        stream = Generator(4)
        clouds = [stream.normal((20, 2), 0.0, 2.0, np.float64) + mean for mean in ((1, 2), (3, 5))]
        order = stream.randperm(40)
        np.testing.assert_array_equal(x, np.concatenate(clouds)[order])
        np.testing.assert_array_equal(y[:, 0], order < 20)
        assert 0 < y[:20].sum() < 20

    def test_in_three_dimensions(self):
        x, _ = two_clusters(4, means=((0, 0, 0), (9, 9, 9)), generator=Generator(5))
        assert x.shape == (8, 3)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_dtype(self, dtype):
        x, y = two_clusters(3, generator=Generator(0), dtype=dtype)
        assert x.dtype == y.dtype == dtype


@pytest.mark.parametrize("make", [linear_data, two_clusters])
def test_a_generator_passed_leaves_the_global_one_alone_and_none_uses_it(make):
    before = default_generator().get_state()
    passed = make(generator=Generator(6))
    assert default_generator().get_state() == before
    with using(Generator(6)):
        drawn = make()
    for one, other in zip(passed, drawn, strict=True):
        np.testing.assert_array_equal(one, other)


WRONG_CALLS = {
    "negative noise": (
        lambda: linear_data(3, noise=-1.0),
        ValueError,
        "linear_data: expected noise ≥ 0, got -1.0. It is a standard deviation.",
    ),
    "no points": (
        lambda: linear_data(0),
        ValueError,
        "linear_data: expected n ≥ 1, got 0. Ask for at least one point.",
    ),
    "no points in a class": (
        lambda: two_clusters(-3),
        ValueError,
        "two_clusters: expected n_per_class ≥ 1, got -3. Ask for at least one point.",
    ),
    "three means": (
        lambda: two_clusters(means=((1, 2), (3, 4), (5, 6))),
        ValueError,
        "two_clusters: expected means to be two points of one dimension, got lengths [2, 2, 2]."
        " Pass two points such as ((1, 2), (3, 5)).",
    ),
    "means of two dimensions": (
        lambda: two_clusters(means=((1, 2), (3,))),
        ValueError,
        "two_clusters: expected means to be two points of one dimension, got lengths [2, 1]."
        " Pass two points such as ((1, 2), (3, 5)).",
    ),
    "half precision": (
        lambda: linear_data(3, dtype=np.float16),
        TypeError,
        "Generator.uniform: expected dtype float32 or float64, got float16. Draw in one of these and convert.",
    ),
    "negative deviation": (
        lambda: two_clusters(std=-1.0),
        ValueError,
        "Generator.normal: expected a finite mean and a finite std ≥ 0, got mean=0.0, std=-1.0."
        " std is the standard deviation, not the variance.",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_wrong_calls(call, kind, message):
    says(call, kind, message)
