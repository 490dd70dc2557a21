"""The architecture diagram says what the network is, and its boxes keep apart."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from plot_contrast import least_contrast

from maillon import plot
from maillon.nn import (
    LSTM,
    Dropout,
    Embedding,
    Flatten,
    Graph,
    LastStep,
    LeakyReLU,
    Linear,
    LinkShapeError,
    MSELoss,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)

mpl.use("Agg")


def drawn(net, size=None, **options):
    figure = Figure(figsize=size or plot.network_size(net))
    ax = figure.add_axes((0, 0, 1, 1))
    assert plot.network(net, ax, **options) is ax
    figure.canvas.draw()
    return ax


def texts(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


def boxes(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]


def chain(links):
    return Sequential(*[Linear(3, 3) if index % 2 else Tanh() for index in range(links)])


def test_boxes_shapes_parameters_and_gradients():
    ax = drawn(Sequential(Linear(2, 4), Tanh(), Linear(4, 1), Sigmoid()), loss=MSELoss())
    shown = texts(ax)
    for piece in (
        "input x", "Linear(2, 4)", "Tanh()", "Linear(4, 1)", "Sigmoid()", "MSELoss()",
        "12 parameters: weight 4×2, bias 4", "5 parameters: weight 1×4, bias 1", "no parameters",
        "$x$  N × 2", "$h_{1}$  N × 4", "$\\hat{y}$  N × 1",
        r"$\partial L/\partial x$", r"$\partial L/\partial h_{3}$", r"$\partial L/\partial \hat{y}$",
        "L, against the target y", "→ forward: values", "← backward: gradients",
    ):  # fmt: skip
        assert piece in shown, piece
    assert len(boxes(ax)) == 6


def test_without_a_loss_the_chain_ends_in_the_output():
    shown = texts(drawn(Linear(1, 1)))
    assert "output ŷ" in shown and "2 parameters: weight 1×1, bias 1" in shown
    assert not any("Loss" in text for text in shown)


def test_one_parameter_and_thousands():
    assert "1 parameter: weight 1×1" in texts(drawn(Linear(1, 1, bias=False)))
    assert "78 500 parameters: weight 100×784, bias 100".replace(" ", "\u202f", 1) in texts(drawn(Linear(784, 100)))


def test_nested_chains_are_drawn_link_by_link():
    inner = Sequential(Linear(4, 2), Sequential(Tanh()))
    ax = drawn(Sequential(Linear(3, 4), inner, Linear(2, 1)))
    assert len(boxes(ax)) == 6


def test_images_need_their_shape():
    ax = drawn(Sequential(Flatten(), Linear(6, 2)), input_shape=(2, 3))
    assert "$x$  N × 2 × 3" in texts(ax) and "$h_{1}$  N × 6" in texts(ax)
    with pytest.raises(ValueError) as error:
        drawn(Sequential(Tanh(), Sigmoid()))
    assert str(error.value) == "network: no link tells the shape of its input. Pass input_shape=, one sample's shape."


@pytest.mark.parametrize("links", [1, 4, 6, 12, 20])
@pytest.mark.parametrize("size", [None, (3, 3), (12, 5)])
def test_nothing_overlaps_at_any_size(links, size):
    ax = drawn(chain(links), size, input_shape=(3,), loss=MSELoss())
    extents = [box.get_window_extent() for box in boxes(ax)]
    assert len(extents) == links + 2
    assert not any(a.overlaps(b) for a, b in combinations(extents, 2))
    inside = [text.get_window_extent() for text in ax.texts if text.get_text()]
    assert not any(a.overlaps(b) for a, b in combinations(inside, 2))
    page = ax.figure.bbox
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 for box in [*extents, *inside])
    assert all(page.y0 <= box.y0 and box.y1 <= page.y1 for box in [*extents, *inside])


def test_every_second_column_runs_upwards():
    ax = drawn(chain(10), input_shape=(3,))
    corners = np.array([[box.get_x(), box.get_y()] for box in boxes(ax)])
    first, second = corners[:6], corners[6:]
    assert (np.diff(first[:, 1]) < 0).all() and (np.diff(second[:, 1]) > 0).all()
    assert (np.diff(first[:, 0]) == 0).all() and first[0, 0] < second[0, 0] and first[-1, 1] == second[0, 1]


def test_long_names_shrink_into_their_box():
    ax = drawn(Sequential(Linear(2, 2), LeakyReLU(negative_slope=0.123456789, inplace=False)))
    box = boxes(ax)[2].get_window_extent()
    (name,) = [text for text in ax.texts if text.get_text().startswith("LeakyReLU")]
    extent = name.get_window_extent()
    assert box.x0 < extent.x0 and extent.x1 < box.x1


def test_the_network_is_as_before():
    net = Sequential(Linear(2, 2), Dropout(0.5), ReLU())
    net[1].eval()
    state = net.state_dict()
    drawn(net)
    assert [module.training for module in net.modules()] == [True, True, False, True]
    assert all((net.state_dict()[key] == value).all() for key, value in state.items())


def test_the_modes_are_as_before_where_the_network_cannot_be_drawn():
    net = Sequential(Linear(2, 2), Dropout(0.5), Linear(3, 2))
    net[1].eval()
    with pytest.raises(LinkShapeError):
        drawn(net)
    assert [module.training for module in net.modules()] == [True, True, False, True]


def test_float64_networks_are_drawn():
    assert "$\\hat{y}$  N × 1" in texts(drawn(Linear(2, 1, dtype=np.float64)))


def test_without_axes_the_figure_has_the_natural_size():
    from matplotlib import pyplot

    net = Linear(1, 1)
    ax = plot.network(net)
    assert tuple(ax.figure.get_size_inches()) == pytest.approx(plot.network_size(net))
    pyplot.close(ax.figure)


def test_words_have_a_dtype_and_the_batch_stands_where_it_is():
    net = Sequential(Embedding(9, 4), LSTM(4, 3, batch_first=True), LastStep(), Linear(3, 2))
    shown = texts(drawn(net, input_shape=(7,), dtype="int64"))
    assert "$h_{2}$  N × 7 × 3, 1 × N × 3, 1 × N × 3" in shown and r"$\hat{y}$  N × 2" in shown


def test_a_graph_that_is_a_chain_is_drawn_as_one_with_its_names():
    nodes = {"code": (Linear(3, 2), "x"), "squashed": (Tanh(), "code")}
    ax = drawn(Graph("x", nodes, "squashed"))
    assert len(boxes(ax)) == 4
    assert "code: 8 parameters: weight 2×3, bias 2" in texts(ax) and "squashed: no parameters" in texts(ax)


@pytest.mark.parametrize("page", ["white", "#101418", "none"])
def test_the_colours_are_seen_on_light_and_dark_figures(page):
    net = chain(3)
    figure = Figure(figsize=plot.network_size(net), facecolor=page)
    ax = plot.network(net, figure.add_axes((0, 0, 1, 1)), input_shape=(3,), loss=MSELoss())
    assert least_contrast(ax) >= 3.8  # of vermilion on white
