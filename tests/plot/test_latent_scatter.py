"""The latent scatter: groups, counts, colours and markers, and what is refused."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from maillon.plot.latent import latent_scatter

mpl.use("Agg")

CODES = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5], [0.2, 0.9]])
LABELS = np.array([0, 7, 9, 8])


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def test_each_group_has_its_points_colour_and_marker():
    ax = latent_scatter(CODES, LABELS, {"tops": [0], "shoes": [7, 9], "bags": [8]})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["tops (1)", "shoes (2)", "bags (1)"]
    np.testing.assert_allclose(ax.collections[1].get_offsets(), CODES[1:3])
    colours = {tuple(collection.get_facecolor()[0]) for collection in ax.collections}
    outlines = {collection.get_paths()[0].vertices.shape for collection in ax.collections}
    assert len(colours) == 3
    assert len(outlines) >= 2, "the groups differ in shape, not in colour alone"


def test_without_groups_each_class_is_one_and_the_given_axes_are_used():
    given = plt.subplots()[1]
    ax = latent_scatter(CODES, LABELS, ax=given, s=3)
    assert ax is given
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0 (1)", "7 (1)", "8 (1)", "9 (1)"]
    assert ax.collections[0].get_sizes() == [3]


@pytest.mark.parametrize(("codes", "labels"), [((4, 3), (4,)), ((4,), (4,)), ((4, 2), (3,))])
def test_other_shapes_are_refused(codes, labels):
    with pytest.raises(ValueError) as error:
        latent_scatter(np.zeros(codes), np.zeros(labels))
    assert str(error.value) == (
        f"latent_scatter: expected codes of shape (n, 2) and labels of shape (n,), got {codes} and {labels}."
    )
