"""The picture of a learning-rate range test."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from maillon import plot
from maillon.train import LRRange

mpl.use("Agg")
NAN, INF = np.nan, np.inf


def found(lr=0.1, losses=(0.95, 0.7, 0.2, 0.4, INF), again=(NAN, 0.5, 0.1, 0.3, NAN)):
    losses = np.array(losses)
    single = losses[:, None] + np.array([-0.1, 0.0, 0.1])
    rates = np.logspace(-3, 1, len(losses))
    return LRRange(lr, "A sentence.", rates, losses, np.array(again), single, 1.0, 50, 900)


@pytest.fixture
def ax():
    return Figure().add_subplot()


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax, label):
    (one,) = [line for line in ax.lines if line.get_label() == label]
    return list(one.get_xdata()), list(one.get_ydata())


def test_losses_against_rates(ax):
    assert plot.find_lr(found(), ax) is ax
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "learning rate", "loss")
    assert labels(ax) == ["after 50 steps", "after 100 steps", "at the start", "blown up", "found: 0.1"]
    assert line(ax, "after 50 steps")[1] == [0.95, 0.7, 0.2, 0.4]
    assert line(ax, "after 100 steps")[1] == [0.5, 0.1, 0.3]
    assert line(ax, "found: 0.1") == ([0.1], [0.1])
    assert line(ax, "blown up")[0] == [10.0]
    single = ax.lines[0]
    assert len(single.get_xdata()) == 12 and single.get_alpha() < 0.3


def test_the_parts_of_the_range_are_named(ax):
    plot.find_lr(found(), ax)
    assert [text.get_text() for text in ax.texts] == ["too small", "good", "too large"]
    spans = [tuple(np.log10(line.get_xdata())) for line in ax.lines if line.get_linewidth() == 4]
    np.testing.assert_allclose(spans, [(-3.5, -1.5), (-1.5, 0.5), (0.5, 1.5)])


def test_without_a_rate(ax):
    plot.find_lr(found(None), ax)
    assert ax.get_title() == "no rate found"
    assert "found: 0.1" not in labels(ax) and not ax.texts


def test_all_blown_up(ax):
    plot.find_lr(found(None, (INF, INF), (NAN, NAN)), ax)
    assert labels(ax) == ["after 50 steps", "at the start", "blown up"]


def test_a_rise_does_not_flatten_the_valley(ax):
    plot.find_lr(found(losses=(0.95, 0.6, 0.2, 90.0, INF), again=(NAN, 0.5, 0.1, 80.0, NAN)), ax)
    assert ax.get_ylim()[1] < 2
