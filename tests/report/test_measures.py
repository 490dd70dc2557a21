"""The report's measures, each against a case whose answer is known without it."""

import numpy as np
import pytest

from maillon.report.measures import (
    between,
    dispersion,
    entropy,
    neighbour_share,
    plateau,
    separation,
    smoothness,
    vote,
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


def test_vote_follows_the_majority_of_the_nearest():
    known = np.array([[0.0, 0.0], [0.1, 0.0], [0.3, 0.0], [9.0, 0.0]])
    labels = np.array([5, 7, 7, 5])
    np.testing.assert_array_equal(vote(np.array([[0.0, 0.0], [8.0, 0.0]]), known, labels, 1), [5, 5])
    np.testing.assert_array_equal(vote(np.array([[0.0, 0.0]]), known, labels, 3), [7])


def test_more_neighbours_than_points_are_all_points():
    known = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    assert neighbour_share(known[:1], known, np.array([True, False, False]), 99) == pytest.approx(1 / 3)


def test_between_measures_along_the_way_only():
    places = between(np.array([[5.0, 77.0], [-10.0, 1.0]]), *TWO_CLOUDS)
    np.testing.assert_allclose(places, [0.5, -1])
