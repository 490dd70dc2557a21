"""The numbers of one sample at the arrows of a network: they are forward's and backward's, and nothing overlaps."""

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from plot_contrast import least_contrast

from maillon import Generator, plot
from maillon.nn import (
    LSTM,
    Add,
    BatchNorm1d,
    Conv2d,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    Dropout,
    Embedding,
    Flatten,
    Graph,
    HalfMSELoss,
    LastStep,
    Linear,
    Module,
    MSELoss,
    Multiply,
    Parallel,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Tanh,
)
from maillon.plot.graph import picture
from maillon.plot.numbers import figure, record, rows
from maillon.random import default_generator

mpl.use("Agg")


def drawn(net, loss=None, x=None, y=None, size=None, facecolor="white"):
    page = Figure(figsize=size or plot.network_size(net, loss, x=x, y=y), facecolor=facecolor)
    ax = page.add_axes((0, 0, 1, 1))
    assert plot.network(net, ax, loss=loss, x=x, y=y) is ax
    page.draw_without_rendering()
    return ax


def texts(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


def two_four_one():
    g = Generator(0)
    return Sequential(Linear(2, 4, generator=g), Tanh(), Linear(4, 1, generator=g), Sigmoid())


def two_ways():
    g = Generator(0)
    nodes = {
        "a": (Sequential(Linear(2, 3, generator=g), Tanh()), "x"),
        "b": (Linear(2, 3, generator=g), "x"),
        "mix": (Multiply(), "a", "b"),
        "sum": (Add(), "mix", "a"),
        "y": (Linear(3, 1, generator=g), "sum"),
    }
    return Graph("x", nodes, "y")


def product():
    """ŷ = 3 x."""
    three = Linear(1, 1, bias=False, dtype=np.float64)
    three.weight.data[...] = 3
    return three


SAMPLE = ([[0.5, -1.0]], [[1.0]])
NETWORKS = {
    "2-4-1": (two_four_one, MSELoss(), *SAMPLE),
    "two ways": (two_ways, MSELoss(), *SAMPLE),
    "no loss": (two_ways, None, SAMPLE[0], None),
    "digit": (
        lambda: Sequential(Flatten(), Linear(64, 8), ReLU(), Linear(8, 10)),
        CrossEntropyLoss(),
        np.arange(64.0).reshape(1, 8, 8) / 64,
        [3],
    ),
    "image": (
        lambda: Sequential(Conv2d(1, 3, 3), ReLU(), Flatten(), Linear(48, 2)),
        CrossEntropyLoss(),
        np.arange(36.0).reshape(1, 1, 6, 6) / 36,
        [1],
    ),
    "residual": (
        lambda: Sequential(Linear(2, 3), Residual(Sequential(Linear(3, 3), Tanh()), Linear(3, 3)), Linear(3, 1)),
        HalfMSELoss(),
        *SAMPLE,
    ),
    "words": (
        lambda: Sequential(Embedding(9, 3), LSTM(3, 2, batch_first=True), LastStep(), Linear(2, 1)),
        MSELoss(),
        np.array([[4, 1, 7]]),
        [[1.0]],
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("size", "page"), [(None, "white"), (None, "#101418"), ((6, 9), "white")])
def test_nothing_lies_on_anything_else_and_all_is_seen(name, size, page):
    make, loss, x, y = NETWORKS[name]
    ax = drawn(make(), loss, x, y, size, page)
    patches = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    held = [box.get_window_extent() for box in patches if box.get_facecolor()[3]]
    written = [text.get_window_extent().padded(-1) for text in ax.texts if text.get_text()]
    assert not any(a.overlaps(b) for a, b in combinations(held, 2))
    assert not any(a.overlaps(b) for a, b in combinations(written, 2))
    whole = ax.figure.bbox
    for extent in (*held, *written):
        assert whole.x0 <= extent.x0 and extent.x1 <= whole.x1 and whole.y0 <= extent.y0 and extent.y1 <= whole.y1
    for text in written:
        near = [box for box in held if box.overlaps(text)]
        assert all(box.x0 <= text.x0 and text.x1 <= box.x1 for box in near) and len(near) <= 1
    assert least_contrast(ax) >= 3.5  # of vermilion on a light box
    assert size is not None or min(text.get_fontsize() for text in ax.texts if text.get_text()) >= 7


def test_by_hand():
    shown = texts(drawn(product(), MSELoss(), [[2.0]], [[5.0]]))
    for piece in ("x = 2", "ŷ = 6", "∂L/∂ŷ = 2", "∂L/∂x = 6", "L = 1", "target y = 5", "3", "4", "value", "gradient"):
        assert piece in shown, piece


def test_without_a_loss_there_are_no_gradients():
    shown = texts(drawn(product(), None, [[2.0]]))
    assert "ŷ = 6" in shown and "3" in shown and "output ŷ" in shown
    assert not any("∂" in text or "radient" in text for text in shown)


def test_what_is_used_twice_has_a_sum_of_gradients():
    graph = Graph("x", {"three": (product(), "x"), "square": (Multiply(), "three", "x")}, "square")
    shown = texts(drawn(graph, MSELoss(), [[2.0]], [[11.0]]))  # 3 x², 2 (12 − 11) = 2; 6 x = 12
    start = shown.index("∂L/∂x = 12")
    assert shown[start : start + 3] == ["∂L/∂x = 12", "   + 12", "   = 24"]
    assert "∂L/∂three = 4" in shown and "∂L/∂square = 2" in shown


def test_the_sum_stands_at_the_last_link_of_a_chain_in_a_graph():
    found = record(two_ways(), MSELoss(), *SAMPLE)
    first, second = found.terms["a.1"]
    assert first + second == pytest.approx(found.grads["a.1"])
    assert sum(found.terms["x"]) == pytest.approx(found.back[""])
    assert [found.symbols[place] for place in ("a.0", "a.1", "b", "y")] == ["h₁", "a", "b", "y"]


def test_an_output_that_is_used_as_well_counts():
    graph = Graph("x", {"h": (product(), "x"), "y": (Tanh(), "h")}, ["h", "y"])
    loss = CosineEmbeddingLoss()
    found = record(graph, loss, np.array([[2.0]]), np.array([1]))
    assert len(found.terms["h"]) == 2 and sum(found.terms["h"]) == pytest.approx(found.grads["h"])


def test_the_numbers_are_those_of_the_links():
    net, loss = two_four_one(), MSELoss()
    found = record(net, loss, *SAMPLE)
    x, y = (np.array(part, np.float32) for part in SAMPLE)
    prediction = net(x)
    assert found.loss == loss(prediction, y)
    back = net.backward(loss.backward())
    assert (found.values["3"] == prediction).all() and (found.back[""] == back).all()
    for place in ("0", "2"):
        for (_, _, grad), parameter in zip(found.parameters(place), net.get_submodule(place).parameters(), strict=True):
            assert (grad == parameter.grad).all()


def test_names_of_chains_count_the_links_and_end_in_the_prediction():
    net = Sequential(Linear(2, 3), Residual(Sequential(Linear(3, 3), Tanh())), Linear(3, 1))
    assert record(net, None, SAMPLE[0], None).symbols == {
        "0": "h₁", "1.link.0": "h₂", "1.link.1": "h₃", "1": "h₄", "2": "ŷ"
    }  # fmt: skip
    named = Sequential({"code": Linear(2, 3), "out": Linear(3, 1)})
    assert record(named, None, SAMPLE[0], None).symbols == {"code": "code", "out": "ŷ"}


class Gated(Module):
    """y = tanh(A x) σ(B x): a link made of links, which is one box."""

    def __init__(self):
        self.content = Sequential(Linear(2, 2, generator=Generator(0)), Tanh())
        self.gate = Sequential(Linear(2, 2, generator=Generator(1)), Sigmoid())

    def forward(self, x):
        a, g = self.content(x), self.gate(x)
        return self.keep(a * g, a, g)

    def backward(self, grad_output):
        a, g = self.release(grad_output)
        return self.content.backward(grad_output * g) + self.gate.backward(grad_output * a)


def test_a_link_made_of_links_is_one_box_without_a_table():
    net = Sequential(Linear(2, 2), Gated(), Linear(2, 1))
    assert record(net, MSELoss(), *SAMPLE).symbols == {"0": "h₁", "1": "h₂", "2": "ŷ"}
    shown = texts(drawn(net, MSELoss(), *SAMPLE))
    assert "12 parameters" in shown and "6 parameters" not in shown and shown.count("weight") == 2
    deep = Sequential(*[Gated() for _ in range(12)])
    assert record(deep, None, SAMPLE[0], None).symbols["11"] == "ŷ"


def test_several_inputs_by_place_by_name_and_as_a_tuple():
    nodes = {"both": (Multiply(), "a", "b"), "y": (Linear(1, 1), "both")}
    graph = Graph(["a", "b"], nodes, "y")
    one, two = np.array([[2.0]]), np.array([[3.0]])
    for x in ((one, two), {"b": two, "a": one}):
        shown = texts(drawn(graph, MSELoss(), x, [[1.0]]))
        assert "a = 2" in shown and "b = 3" in shown and "both = 6" in shown
        found = record(graph, MSELoss(), x, [[1.0]])
        assert found.back[""][0] == pytest.approx(3 * found.grads["both"])
    net = Sequential(Parallel(Tanh(), ReLU()), Add())
    shown = texts(drawn(net, MSELoss(), (one, -two), [[1.0]]))
    assert shown[shown.index("x =") :][:3] == ["x =", "2", "−3"] and "h₂ = 0" in shown


def test_several_outputs_and_integers():
    lstm = texts(drawn(LSTM(1, 2, batch_first=True), None, [[[1.0], [2.0]]]))
    assert "ŷ =" in lstm
    words = texts(drawn(Sequential(Embedding(9, 3), Flatten(), Linear(6, 1)), MSELoss(), np.array([[4, 1]]), [[1.0]]))
    assert "x = (4, 1)" in words and not any(text.startswith("∂L/∂x") for text in words)
    ways = texts(drawn(Parallel(Tanh(), ReLU()), None, [[1.0]]))
    assert "h₁ = 0.762" in ways and "h₂ = 1" in ways


def test_a_loss_without_a_mean_is_summed():
    shown = texts(drawn(product(), MSELoss(reduction="none"), [[2.0]], [[5.0]]))
    assert "L = 1" in shown and "∂L/∂ŷ = 2" in shown


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (np.float64(0.123456), ["0.123"]),
        (np.array([-0.0, 12345.6, -1.5e-9]), ["(0, 1.23e+04, −1.5e−09)"]),
        (np.array([[7]]), ["7"]),
        (np.arange(5), ["(0, 1, 2, 3, 4)"]),
        (np.arange(6), ["(0, 1, 2, …, 5)"]),
        (np.array([[1, 20], [-3, 4]]), ["(\u20071, 20)", "(−3, \u20074)"]),
        (np.arange(6)[:, None], ["0", "1", "2", "…", "5"]),
        (np.full((2, 2, 2, 2), 0.5), ["2 × 2 × 2 × 2, norm 2"]),
        ((np.array([1.0]), None, (np.array([2.0]),)), ["1", "2"]),
    ],
)  # fmt: skip
def test_arrays_in_lines(value, lines):
    assert rows(value) == lines


def test_figures_have_a_real_minus():
    assert [figure(v) for v in (-0.0, -0.05, 1e-12, float("nan"))] == ["0", "−0.05", "1e−12", "nan"]


def test_networks_of_too_many_links_and_several_rows_are_refused():
    with pytest.raises(ValueError) as error:
        drawn(Sequential(*[Tanh() for _ in range(13)]), None, [[1.0]])
    assert str(error.value) == (
        "network: expected at most 12 links to write their numbers, got 13. Leave x out, or draw a part of the network."
    )
    with pytest.raises(ValueError) as error:
        drawn(Linear(2, 1), None, [[1.0, 2.0], [3.0, 4.0]])
    assert str(error.value) == "network: expected x to be one sample, shape (1, …), got (2, 2). Give x[:1]."


def test_nothing_changes():
    net = Sequential(Linear(2, 3), BatchNorm1d(3), Dropout(0.5), Linear(3, 1))
    loss, kept = MSELoss(), net(np.ones((4, 2), np.float32))
    state, stream = net.state_dict(), default_generator().get_state()
    drawn(net, loss, *SAMPLE)
    assert default_generator().get_state() == stream
    assert all(module.training for module in net.modules()) and all(p.grad is None for p in net.parameters())
    assert all((value == net.state_dict()[name]).all() for name, value in state.items())
    assert loss.kept_output is None
    net.backward(np.ones_like(kept))  # what the network kept is still there


def test_the_picture_has_a_pair_of_arrows_only_with_gradients():
    net = two_four_one()
    assert picture(net, {}, [], None, record(net, None, SAMPLE[0], None)).backward is False
    assert picture(net, {}, [], MSELoss(), record(net, MSELoss(), *SAMPLE)).backward is True
    assert picture(net, {}, []).numbers is False


def test_without_axes_the_figure_is_filled_and_larger_than_without_numbers():
    from matplotlib import pyplot

    net = two_four_one()
    ax = plot.network(net, loss=MSELoss(), x=SAMPLE[0], y=SAMPLE[1])
    ax.figure.draw_without_rendering()
    assert tuple(ax.figure.get_size_inches()) == pytest.approx(
        plot.network_size(net, MSELoss(), x=SAMPLE[0], y=SAMPLE[1])
    )
    assert ax.get_window_extent().bounds == pytest.approx(ax.figure.bbox.bounds, rel=0.01)
    assert max(text.get_fontsize() for text in ax.texts) == pytest.approx(10)
    pyplot.close(ax.figure)


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {"x": [[1.0, 2.0]], "loss": MSELoss()},
            "network: expected y beside x and loss, got none. Give the sample's target, or leave loss out.",
        ),
        (
            {"x": [[1.0, 2.0]], "y": [[1.0]]},
            "network: expected loss beside y, got none. Give the loss that compares them, or leave y out.",
        ),
        (
            {"y": [[1.0]], "loss": MSELoss()},
            "network: expected x beside y, got none. Give the sample's input, or leave y out.",
        ),
        (
            {"x": [[1.0, 2.0]], "y": [[1.0]], "loss": MSELoss},
            "network: expected loss to be a Loss, got the class MSELoss. Did you mean MSELoss()?",
        ),
        (
            {"net": Linear, "x": [[1.0, 2.0]]},
            "network: expected net to be a Module, got the class Linear. Did you mean ",
        ),
    ],
)
def test_what_is_missing_is_named(given, message):
    with pytest.raises(TypeError) as error:
        plot.network(**{"net": Linear(2, 1)} | given)
    assert str(error.value).startswith(message)
