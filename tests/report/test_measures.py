"""The report's measures, each against a case whose answer is known without it."""

import numpy as np
import pytest

from maillon.report.measures import (
    between,
    dispersion,
    entropy,
    fives_right,
    last_fall,
    neighbour_share,
    plateau,
    separation,
    share_within,
    smoothness,
)

TWO_CLOUDS = np.array([[0.0, 0.0], [0.0, 2.0]]), np.array([[10.0, 0.0], [10.0, 2.0]])


def test_entropy_is_greatest_for_equal_chances():
    rows = np.array([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0]], dtype=np.float32)
    np.testing.assert_allclose(entropy(rows), [np.log(4), 0, np.log(2)])


def test_plateau_is_the_longest_of_several():
    fall = [100 * 0.9**step for step in range(10)]
    losses = np.array(fall + [38.0] * 20 + [30, 20, 10] + [9.0] * 5 + [8, 7, 6])
    assert plateau(losses, window=3) == (11, 30)


def test_plateau_that_is_not_left_ends_with_the_last_epoch():
    assert plateau(np.array([8.0, 4.0, 2.0, 2.0, 2.0]), window=1) == (3, 5)


@pytest.mark.parametrize("losses", [[8.0, 4.0, 2.0, 1.0], [1.0]])
def test_there_may_be_no_plateau(losses):
    assert plateau(np.array(losses), window=2) is None


def test_smoothness_tells_pictures_from_noise():
    slopes = np.cumsum(np.ones((3, 8, 8)), axis=2)
    noise = np.random.default_rng(0).normal(size=(20, 28, 28))
    assert smoothness(slopes) == pytest.approx(1)
    assert abs(smoothness(noise)) < 0.05


def test_dispersion_is_the_root_mean_square_distance():
    assert dispersion(np.array([[0.0, 0.0], [0.0, 6.0], [8.0, 0.0], [8.0, 6.0]])) == pytest.approx(5)


def test_separation_against_scikit_learn():
    from sklearn.metrics import silhouette_score

    numbers = np.random.default_rng(1)
    first, second = numbers.normal(size=(30, 2)), numbers.normal((1.5, 0), 1, size=(20, 2))
    sides, silhouette = separation(first, second)
    expected = silhouette_score(np.concatenate([first, second]), [0] * 30 + [1] * 20)
    assert silhouette == pytest.approx(expected)
    assert 0.5 < sides < 1
    assert separation(*TWO_CLOUDS)[0] == 1


def test_separation_of_single_points():
    sides, silhouette = separation(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]]))
    assert (sides, silhouette) == (1, 1)


def test_more_neighbours_than_points_are_all_points():
    known = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    assert neighbour_share(known[:1], known, np.array([True, False, False]), 99) == pytest.approx(1 / 3)


def test_between_is_the_circle_over_the_way():
    inside = between(np.array([[5.0, 1.0], [5.0, 5.9], [5.0, 6.1], [5.0, 77.0], [-10.0, 1.0]]), *TWO_CLOUDS)
    np.testing.assert_array_equal(inside, [True, True, False, False, False])


def test_share_within_follows_the_shape_of_the_cloud():
    cloud = np.random.default_rng(0).normal(size=(4000, 2)) * (5, 0.5)
    assert share_within(cloud, cloud) == pytest.approx(0.9)
    assert share_within(np.array([[8.0, 0.0], [0.0, 8.0]]), cloud) == 0.5, "far along the cloud is not far across it"


def test_share_within_takes_a_flat_cloud():
    cloud = np.column_stack([np.arange(10.0), np.arange(10.0)])
    assert share_within(np.array([[4.0, 4.0], [40.0, 40.0]]), cloud) == 0.5


def test_last_fall_is_the_share_of_the_last_epochs():
    losses = np.array([9.0] * 10 + [2.0] * 50 + [1.0])
    assert last_fall(losses, window=1) == 0.5
    assert last_fall(losses, window=1000) == 0.5, "half the epochs are taken where there are no more"


def test_fives_right_counts_whole_fives():
    right = np.array([True] * 5 + [True] * 4 + [False] + [True] * 5 + [True] * 3)
    assert fives_right(right) == pytest.approx(2 / 3)
