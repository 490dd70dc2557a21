"""The curve of a training."""

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from maillon import plot
from maillon.train import History

mpl.use("Agg")


@pytest.fixture
def ax():
    return Figure().add_subplot()


def history(**columns):
    h = History(list(columns))
    for row in zip(*columns.values(), strict=True):
        h.append(**dict(zip(columns, row, strict=True)))
    return h


def test_losses_against_epochs(ax):
    assert plot.history([3.0, 2.0, 1.0], ax) is ax
    (line,) = ax.lines
    assert list(line.get_xdata()) == [1, 2, 3] and list(line.get_ydata()) == [3.0, 2.0, 1.0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss") and ax.get_legend() is None


def test_validation_beside_training(ax):
    plot.history(history(loss=[3.0, 2.0], val_loss=[4.0, 3.5], accuracy=[0.1, 0.2]), ax)
    training, validation = ax.lines
    assert list(training.get_ydata()) == [3.0, 2.0] and list(validation.get_ydata()) == [4.0, 3.5]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation"]


def test_a_metric_with_a_name_and_a_colour(ax):
    plot.history(history(loss=[3.0], mean_squared_error=[0.5]), ax, column="mean_squared_error", label="a", color="red")
    (line,) = ax.lines
    assert line.get_color() == "red" and line.get_label() == "a" and ax.get_ylabel() == "mean squared error"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a"]


def test_an_unknown_column_is_named(ax):
    with pytest.raises(KeyError):
        plot.history(history(loss=[3.0]), ax, column="acuracy")


def test_without_axes_a_pyplot_figure_is_made():
    from matplotlib import pyplot

    ax = plot.history([1.0, 2.0])
    assert ax.figure in [pyplot.figure(number) for number in pyplot.get_fignums()]
    assert not ax.spines["top"].get_visible()
    pyplot.close(ax.figure)
