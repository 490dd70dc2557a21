"""Fits, decisions and confusion, drawn over the data."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from maillon import plot
from maillon.nn import Linear, Sequential, Sigmoid

mpl.use("Agg")


@pytest.fixture
def ax():
    return Figure().add_subplot()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_fit_over_its_data(ax):
    network = Linear(1, 1)
    network.weight.data[:], network.bias.data[:] = 2, 1
    x = np.array([[0.0], [4.0], [2.0]])
    assert plot.regression(network, x, 3 * x, ax, label="line") is ax
    (line,), (points,) = ax.lines, ax.collections
    assert line.get_ydata() == pytest.approx(2 * line.get_xdata() + 1)
    assert (line.get_xdata().min(), line.get_xdata().max()) == (0, 4)
    assert points.get_offsets().tolist() == [[0, 0], [4, 12], [2, 6]]
    assert legend(ax) == ["data", "line"]


def test_a_function_is_a_model_too(ax):
    plot.regression(np.square, np.array([0.0, 3.0]), np.array([0.0, 9.0]), ax)
    assert ax.lines[0].get_ydata()[-1] == 9


def right(points):
    """The score 1 right of 0, else 0."""
    return (points[:, :1] > 0).astype(float)


POINTS = np.array([[-1.0, 0.0], [-2.0, 1.0], [1.0, 0.0], [2.0, -1.0]])


def test_regions_points_and_mistakes(ax):
    labels = np.array([[0], [1], [1], [1]])
    assert plot.decision_regions(right, POINTS, labels, ax, resolution=20) is ax
    negative, positive, wrong = ax.collections[-3:]
    assert len(negative.get_offsets()) == 1 and len(positive.get_offsets()) == 3
    assert wrong.get_offsets().tolist() == [[-2, 1]]
    assert legend(ax) == ["class 0", "class 1", "wrong"]
    low, high = ax.get_xlim()
    assert low < -2 and high > 2


def test_the_threshold_moves_the_regions(ax):
    plot.decision_regions(lambda p: np.full((len(p), 1), 0.4), POINTS, [1, 1, 0, 0], ax, threshold=0.3, resolution=5)
    assert ax.collections[-1].get_offsets().tolist() == POINTS[2:].tolist()


def test_several_classes_have_colours_and_names_of_their_own(ax):
    def quadrant(points):
        return np.column_stack([-points[:, 0], points[:, 0] + 1, points[:, 0] - 1])

    plot.decision_regions(quadrant, POINTS, [0, 0, 1, 2], ax, resolution=9, labels=("a", "b", "c"))
    assert legend(ax) == ["a", "b", "c", "wrong"]
    colours = {tuple(collection.get_facecolor()[0][:3]) for collection in ax.collections[-4:-1]}
    assert colours == {to_rgb(colour) for colour in plot.COLOURS[:3]}


def test_a_network_decides(ax):
    network = Sequential(Linear(2, 1), Sigmoid())
    network[0].weight.data[:], network[0].bias.data[:] = [[1, 0]], 0
    plot.decision_regions(network, POINTS, [0, 0, 1, 1], ax, resolution=9)
    assert len(ax.collections[-1].get_offsets()) == 0


def test_points_outside_the_plane_are_refused(ax):
    with pytest.raises(ValueError) as error:
        plot.decision_regions(right, np.zeros((4, 3)), [0, 0, 1, 1], ax)
    assert str(error.value) == "decision_regions: expected x of shape (N, 2), got (4, 3)."


def test_a_confusion_matrix_counts(ax):
    prediction, target = np.array([0, 1, 1, 1, 2]), np.array([0, 0, 1, 1, 2])
    assert plot.confusion_matrix(prediction, target, ax) is ax
    assert ax.images[0].get_array().tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 1]]
    assert [text.get_text() for text in ax.texts] == ["1", "1", "0", "0", "2", "0", "0", "0", "1"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("decided", "true")
    assert [text.get_color() for text in ax.texts][4] == "white"


def test_scores_and_names(ax):
    plot.confusion_matrix(np.array([[0.2], [0.9]]), np.array([[0], [1]]), ax, labels=("no", "yes"))
    assert ax.images[0].get_array().tolist() == [[1, 0], [0, 1]]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["no", "yes"]


def test_the_style_ends_with_its_context():
    before = mpl.rcParams["axes.spines.top"]
    with plot.use():
        assert mpl.rcParams["axes.spines.top"] is False
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(plot.COLOURS)
    assert mpl.rcParams["axes.spines.top"] is before


def test_the_style_ends_with_an_error_too():
    before = mpl.rcParams["axes.spines.top"]
    with pytest.raises(ZeroDivisionError), plot.use():
        1 / 0  # noqa: B018
    assert mpl.rcParams["axes.spines.top"] is before


def test_what_a_notebook_sets_with_its_first_figure_stays():
    with mpl.rc_context({"interactive": False}):
        with plot.use():
            mpl.rcParams["interactive"] = True  # as matplotlib's back end for notebooks does
        assert mpl.rcParams["interactive"] is True


def test_colours_are_told_apart():
    assert len(set(plot.COLOURS)) == len(plot.COLOURS) == 8


def test_what_switches_on_interactivity_in_the_context_does_so_for_good():
    """As the backend of notebooks does when the first figure is made: else only that one would be shown."""
    assert not mpl.is_interactive()
    try:
        with plot.use():
            mpl.interactive(True)
        assert mpl.is_interactive()
        with pytest.raises(KeyError), plot.use():
            mpl.interactive(False)
            raise KeyError
        assert not mpl.is_interactive()
    finally:
        mpl.interactive(False)
