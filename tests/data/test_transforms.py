import numpy as np
import pytest
from wrong_calls import says

from maillon.data import Stats, add_noise, normalize, one_hot, train_test_split
from maillon.random import Generator, default_generator, using


class TestNormalize:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_columns_get_mean_0_and_deviation_1(self, dtype):
        x = Generator(0).normal((200, 3), 5.0, 3.0, dtype) * np.array([1, 10, 0.1], dtype)
        before = x.copy()
        z = normalize(x)
        assert z.dtype == dtype
        np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(z.std(axis=0), 1, atol=1e-5)
        np.testing.assert_array_equal(x, before)

    @pytest.mark.parametrize("axis", [0, 1, (0, 1), None])
    def test_stats_undo_it_and_treat_other_data_alike(self, axis):
        x = Generator(1).normal((50, 4), -2.0, 7.0, np.float64)
        z, stats = normalize(x, axis, return_stats=True)
        assert isinstance(stats, Stats)
        np.testing.assert_allclose(z * stats.std + stats.mean, x, rtol=1e-12)
        np.testing.assert_array_equal(normalize(x, axis, stats=stats), z)
        np.testing.assert_allclose(z.mean(axis), 0, atol=1e-12)

    def test_stats_of_training_data_serve_test_data(self):
        _, stats = normalize([[0.0], [2.0]], return_stats=True)
        assert normalize([[4.0], [1.0], [0.0]], stats=stats).tolist() == [[3.0], [0.0], [-1.0]]

    @pytest.mark.parametrize("value", [0.1, 1e30, -3.0, 0.0])
    def test_a_constant_column_becomes_0(self, value):
        z = normalize(np.column_stack([np.full(7, value), np.arange(7)]))
        assert z[:, 0].tolist() == [0.0] * 7
        assert np.isfinite(z).all()

    def test_integers_become_float32(self):
        images = np.array([[0, 255], [255, 0]], np.uint8)
        z = normalize(images, axis=None)
        assert z.dtype == np.float32
        assert z.tolist() == [[-1, 1], [1, -1]]


class TestOneHot:
    @pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64, np.uint64])
    def test_one_at_the_labels_place(self, kind):
        labels = np.array([3, 0, 1], kind)
        assert one_hot(labels, 4).tolist() == [[0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]
        assert one_hot(labels, 4).dtype == np.float32

    def test_classes_are_counted_if_not_given(self):
        assert one_hot([0, 5]).shape == (2, 6)

    def test_any_shape_and_dtype(self):
        hot = one_hot([[0, 1, 2], [2, 1, 0]], 3, np.float64)
        assert hot.dtype == np.float64
        np.testing.assert_array_equal(hot.argmax(axis=-1), [[0, 1, 2], [2, 1, 0]])
        assert hot.sum() == 6
        assert one_hot(1, 3).tolist() == [0, 1, 0]
        assert one_hot(np.empty(0, int), 3).shape == (0, 3)


class TestAddNoise:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_adds_the_generators_normal_numbers(self, dtype):
        x = Generator(0).rand((20, 3), dtype)
        before = x.copy()
        noisy = add_noise(x, 0.5, Generator(7))
        assert noisy.dtype == dtype
        np.testing.assert_array_equal(noisy, x + Generator(7).normal((20, 3), 0.0, 0.5, dtype))
        np.testing.assert_array_equal(x, before)

    def test_is_not_clipped(self):
        noisy = add_noise(np.ones((1000,), np.float32), 1.0, Generator(1))
        assert noisy.min() < 0
        assert noisy.max() > 1
        assert abs(noisy.std() - 1) < 0.1

    def test_no_noise_gives_a_copy(self):
        x = np.ones(20)
        noisy = add_noise(x, 0, Generator(1))
        assert noisy.tolist() == x.tolist()
        assert not np.shares_memory(noisy, x)

    def test_none_draws_from_the_default_generator(self):
        with using(Generator(2)):
            drawn = add_noise(np.zeros(5), 1.0)
        np.testing.assert_array_equal(drawn, add_noise(np.zeros(5), 1.0, Generator(2)))


class TestTrainTestSplit:
    def test_rows_stay_together_and_none_is_lost(self):
        x, y = np.arange(60).reshape(20, 3), np.arange(20)
        x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, generator=Generator(3))
        assert [len(part) for part in (x_train, x_test, y_train, y_test)] == [15, 5, 15, 5]
        np.testing.assert_array_equal(x_train[:, 0], 3 * y_train)
        np.testing.assert_array_equal(x_test[:, 0], 3 * y_test)
        assert sorted([*y_train, *y_test]) == list(range(20))

    def test_one_permutation_its_beginning_for_training(self):
        train, test = train_test_split(np.arange(10), test_size=0.3, generator=Generator(4))
        assert [*train, *test] == Generator(4).randperm(10).tolist()
        assert len(test) == 3

    def test_not_shuffled_are_views_and_draw_nothing(self):
        x = np.arange(10)
        before = default_generator().get_state()
        train, test = train_test_split(x, shuffle=False)
        assert default_generator().get_state() == before
        assert (train.tolist(), test.tolist()) == (list(range(8)), [8, 9])
        assert np.shares_memory(train, x)
        assert np.shares_memory(test, x)

    @pytest.mark.parametrize(
        ("n", "test_size", "expected"), [(100, 0.07, 7), (2, 0.01, 1), (2, 0.99, 1), (200, 0.2, 40), (3, 0.9, 2)]
    )
    def test_sizes_are_rounded_and_leave_one_on_each_side(self, n, test_size, expected):
        train, test = train_test_split(np.arange(n), test_size=test_size, generator=Generator(0))
        assert (len(train), len(test)) == (n - expected, expected)


NAN = np.array([[1.0, 2.0], [3.0, np.nan], [np.inf, 0.0]])
WRONG_CALLS = {
    "normalize nothing": (
        lambda: normalize(np.empty((0, 3))),
        ValueError,
        "normalize: expected at least one number, got shape (0, 3). Pass some data.",
    ),
    "normalize NaN": (
        lambda: normalize(NAN),
        ValueError,
        "normalize: expected finite numbers, got 2 that are NaN or infinite, the first at index (1, 1)."
        " Remove or replace them.",
    ),
    "normalize texts": (
        lambda: normalize(["a", "b"]),
        TypeError,
        "normalize: expected real numbers, got <U1. Convert with x.astype(float).",
    ),
    "normalize with others' stats": (
        lambda: normalize(np.ones((4, 3)), stats=Stats(np.zeros((1, 2)), np.ones((1, 2)))),
        ValueError,
        "normalize: expected stats of shape (1, 3) for data of shape (4, 3), got (1, 2)."
        " Pass those of training data with the same columns, and the same axis.",
    ),
    "labels that are not integers": (
        lambda: one_hot([0.0, 1.0]),
        TypeError,
        "one_hot: expected integer labels, got float64. Convert with labels.astype(int).",
    ),
    "label too large": (
        lambda: one_hot([0, 10, 3], 10),
        ValueError,
        "one_hot: expected labels from 0 to 9, got 10. Labels count from 0; pass classes= if there are more.",
    ),
    "label below 0": (
        lambda: one_hot([0, -1], 10),
        ValueError,
        "one_hot: expected labels from 0 to 9, got -1. Labels count from 0; pass classes= if there are more.",
    ),
    "no labels": (
        lambda: one_hot(np.empty(0, int)),
        ValueError,
        "one_hot: expected at least one label, got none. Pass classes=.",
    ),
    "noise on bytes": (
        lambda: add_noise(np.zeros((2, 2), np.uint8), 0.1),
        TypeError,
        "add_noise: expected float32 or float64 data, got uint8. Scale pixels first: images.astype(np.float32) / 255.",
    ),
    "negative noise": (
        lambda: add_noise(np.zeros(3), -0.1),
        ValueError,
        "add_noise: expected a finite scale ≥ 0, got -0.1. It is a standard deviation.",
    ),
    "noise that is no number": (
        lambda: add_noise(np.zeros(3), float("nan")),
        ValueError,
        "add_noise: expected a finite scale ≥ 0, got nan. It is a standard deviation.",
    ),
    "split nothing": (
        lambda: train_test_split(),
        ValueError,
        "train_test_split: expected at least one array, got none. Pass x, or x and y.",
    ),
    "split unequal lengths": (
        lambda: train_test_split(np.zeros(4), np.zeros(3)),
        ValueError,
        "train_test_split: expected arrays of one length, got lengths 4, 3. Pass one row a sample in each.",
    ),
    "split a single sample": (
        lambda: train_test_split(np.zeros((1, 5))),
        ValueError,
        "train_test_split: expected at least 2 samples, got 1. One is needed on each side.",
    ),
    "split a number": (
        lambda: train_test_split(3.0),
        ValueError,
        "train_test_split: expected at least 2 samples, got 0. One is needed on each side.",
    ),
    "test on nothing": (
        lambda: train_test_split(np.zeros(5), test_size=0),
        ValueError,
        "train_test_split: expected test_size between 0 and 1 exclusive, got 0."
        " It is a part of the whole: 0.2 for a fifth.",
    ),
    "test on all": (
        lambda: train_test_split(np.zeros(5), test_size=1.0),
        ValueError,
        "train_test_split: expected test_size between 0 and 1 exclusive, got 1.0."
        " It is a part of the whole: 0.2 for a fifth.",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_wrong_calls(call, kind, message):
    says(call, kind, message)
