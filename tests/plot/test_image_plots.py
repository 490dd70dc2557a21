"""Grids, rows of images and probability bars: what is drawn, where, and what is refused."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from maillon.plot.images import image_grid, image_rows, probability_bars
from maillon.plot.style import BLUE, VERMILION

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def numbered(n, side=4):
    return np.stack([np.full((side, side), index / 10) for index in range(n)])


def canvas(ax):
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def test_grid_places_each_image_in_its_row_and_column():
    ax = image_grid(numbered(5), columns=3)
    drawn = canvas(ax)
    # a gap of one pixel across; none down without titles for images of 4 pixels
    assert drawn.shape == (8, 14)
    np.testing.assert_allclose(drawn[0, ::5], [0.0, 0.1, 0.2])
    np.testing.assert_allclose(drawn[4, [0, 5]], [0.3, 0.4])
    assert np.isnan(drawn[4, 10]), "the sixth place is empty"
    assert ax.images[0].get_clim() == (0, 1)


def test_grid_writes_titles_above_their_images_and_draws_on_the_given_axes():
    given = plt.subplots()[1]
    ax = image_grid(numbered(3), ["a", "b", "c"], columns=2, ax=given, cmap="gray_r")
    assert ax is given
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c"]
    positions = [text.get_position() for text in ax.texts]
    assert positions[0][1] == positions[1][1] < positions[2][1]
    assert positions[0][0] == positions[2][0] < positions[1][0]
    assert ax.images[0].get_cmap().name == "gray_r"


def test_grid_refuses_flat_images_and_missing_titles():
    with pytest.raises(ValueError) as error:
        image_grid(np.zeros((3, 784)))
    assert str(error.value) == (
        "image_grid: expected images of shape (n, height, width), got (3, 784); "
        "flat ones fit after images.reshape(-1, 28, 28)."
    )
    with pytest.raises(ValueError) as error:
        image_grid(numbered(3), ["a"])
    assert str(error.value) == "image_grid: expected one title for each of the 3 images, got 1."


def test_rows_stand_one_above_the_other_with_their_labels():
    ax = image_rows({"original": numbered(2), "reconstruction": numbered(4)[2:]}, ["left", "right"])
    drawn = canvas(ax)
    np.testing.assert_allclose(drawn[[0, 0, 7, 7], [0, 8, 0, 8]], [0.0, 0.1, 0.2, 0.3])
    labels = {text.get_text(): text.get_position() for text in ax.texts}
    assert set(labels) == {"original", "reconstruction", "left", "right"}
    assert labels["original"][1] < labels["reconstruction"][1]
    assert labels["left"][0] < labels["right"][0]


def test_rows_need_no_titles_and_take_axes():
    given = plt.subplots()[1]
    ax = image_rows({"only": numbered(2)}, ax=given)
    assert ax is given
    assert [text.get_text() for text in ax.texts] == ["only"]


@pytest.mark.parametrize(
    ("rows", "titles", "lengths"),
    [
        ({"a": numbered(2), "b": numbered(3)}, None, "[2, 3]"),
        ({"a": numbered(2)}, ["one", "two", "three"], "[2, 3]"),
        ({}, None, "[]"),
        ({}, ["one"], "[1]"),
    ],
)
def test_rows_of_different_lengths_are_refused(rows, titles, lengths):
    with pytest.raises(ValueError) as error:
        image_rows(rows, titles)
    assert str(error.value) == (
        f"image_rows: expected rows of one length, and one title a column, got lengths {lengths}."
    )


def test_bars_mark_the_true_class_only():
    ax = probability_bars(np.array([0.2, 0.5, 0.3]), 2, ["cat", "dog", "owl"])
    assert [to_hex(bar.get_facecolor()).upper() for bar in ax.patches] == [BLUE, BLUE, VERMILION]
    assert [bar.get_hatch() for bar in ax.patches] == [None, None, "//"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["cat", "dog", "owl"]
    (star,) = ax.texts
    assert star.get_position() == pytest.approx((2, 0.32))


def test_bars_draw_on_the_given_axes_with_indices_for_names():
    given = plt.subplots()[1]
    ax = probability_bars([0.5, 0.5], 0, ax=given, color="black")
    assert ax is given
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "1"]
    assert to_hex(ax.patches[0].get_facecolor()) == "#000000"


@pytest.mark.parametrize(("shape", "true_class"), [((3,), 3), ((3,), -1), ((2, 3), 0)])
def test_bars_refuse_what_is_not_one_row_with_its_class(shape, true_class):
    with pytest.raises(ValueError) as error:
        probability_bars(np.zeros(shape), true_class)
    assert str(error.value) == (
        "probability_bars: expected probabilities of shape (classes,) and a true class among them, "
        f"got shape {shape} and class {true_class}."
    )
