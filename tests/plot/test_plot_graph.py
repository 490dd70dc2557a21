"""Networks with joints are drawn in layers: each below what it takes, in frames, and nothing lies on anything else."""

from itertools import combinations, pairwise

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from plot_contrast import least_contrast

from maillon import Generator, plot
from maillon.nn import (
    GELU,
    LSTM,
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    Concat,
    Conv2d,
    ConvTranspose2d,
    CrossEntropyLoss,
    Dropout,
    Embedding,
    Flatten,
    Graph,
    LastStep,
    LayerNorm,
    Linear,
    MaxPool2d,
    MSELoss,
    MultiheadAttention,
    Multiply,
    Parallel,
    ReLU,
    Residual,
    Sequential,
    Tanh,
    WeightedSum,
)
from maillon.plot.graph import picture
from maillon.plot.layers import Edge, Shape, layered

mpl.use("Agg")


def resnet():
    def block(inputs, outputs, stride):
        body = Sequential(
            Conv2d(inputs, outputs, 3, stride, 1), BatchNorm2d(outputs), ReLU(), Conv2d(outputs, outputs, 3, padding=1)
        )
        shortcut = None if inputs == outputs else Sequential(Conv2d(inputs, outputs, 1, stride), BatchNorm2d(outputs))
        return Sequential(Residual(body, shortcut), ReLU())

    return Sequential(Conv2d(3, 8, 3), block(8, 8, 1), block(8, 16, 2), AdaptiveAvgPool2d(1), Flatten(), Linear(16, 10))


def unet():
    def twice(inputs, outputs):
        return Sequential(Conv2d(inputs, outputs, 3, padding=1), ReLU())

    nodes = {
        "down1": (twice(1, 4), "image"),
        "pool1": (MaxPool2d(2), "down1"),
        "down2": (twice(4, 8), "pool1"),
        "pool2": (MaxPool2d(2), "down2"),
        "bottom": (twice(8, 16), "pool2"),
        "up2": (ConvTranspose2d(16, 8, 2, stride=2), "bottom"),
        "skip2": (Concat(), "up2", "down2"),
        "back2": (twice(16, 8), "skip2"),
        "up1": (ConvTranspose2d(8, 4, 2, stride=2), "back2"),
        "skip1": (Concat(), "up1", "down1"),
        "back1": (twice(8, 4), "skip1"),
        "mask": (Conv2d(4, 1, 1), "back1"),
    }
    return Graph("image", nodes, "mask")


def two_in_two_out():
    nodes = {
        "seen": (Sequential(Flatten(), Linear(64, 8), Tanh()), "image"),
        "words": (Embedding(50, 16), "text"),
        "lstm": (LSTM(16, 8, batch_first=True), "words"),
        "last": (LastStep(), "lstm"),
        "both": (Concat(), "seen", "last"),
        "risk": (Linear(16, 1), "both"),
        "kind": (Sequential(Linear(16, 32), ReLU(), Linear(32, 5)), "both"),
    }
    return Graph(["image", "text"], nodes, ["risk", "kind"])


def transformer_layer():
    nodes = {
        "norm1": (LayerNorm(8), "tokens"),
        "attention": (MultiheadAttention(8, 2, dropout=0.1, batch_first=True), "norm1", "norm1", "norm1"),
        "sum1": (Add(), "tokens", "attention.0"),
        "norm2": (LayerNorm(8), "sum1"),
        "feed": (Sequential(Linear(8, 32), GELU(), Linear(32, 8), Dropout(0.1)), "norm2"),
        "sum2": (Add(), "sum1", "feed"),
    }
    return Graph("tokens", nodes, "sum2")


def nested():
    inner = Graph(
        ["a", "b"], {"pa": (Linear(4, 4), "a"), "pb": (Linear(6, 4), "b"), "y": (Multiply(), "pa", "pb")}, "y"
    )
    nodes = {
        "mix": (inner, "u", "v"),
        "ways": (Parallel(Tanh(), Sequential(Linear(4, 4), ReLU())), "mix"),
        "cat": (Concat(), "ways"),
        "y": (Residual(Sequential(Linear(8, 8), Tanh())), "cat"),
    }
    return Graph(["u", "v"], nodes, "y")


NETWORKS = {
    "resnet": (resnet, (3, 16, 16), None, CrossEntropyLoss()),
    "unet": (unet, (1, 8, 8), None, None),
    "two in, two out": (two_in_two_out, ((8, 8), (7,)), (None, "int64"), None),
    "two in, two out, a loss": (two_in_two_out, ((8, 8), (7,)), (None, "int64"), MSELoss()),
    "transformer layer": (transformer_layer, (10, 8), None, None),
    "nested": (nested, ((4,), (6,)), None, MSELoss()),
}


def drawn(net, size=None, facecolor="white", **options):
    figure = Figure(figsize=size or plot.network_size(net), facecolor=facecolor)
    ax = figure.add_axes((0, 0, 1, 1))
    assert plot.network(net, ax, **options) is ax
    figure.draw_without_rendering()
    return ax


def texts(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


def boxes(ax, frames=False):
    found = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    return [box for box in found if (box.get_facecolor()[3] == 0) == frames]


def check_ways(made):
    """Every arrow goes downwards, and neither its upright pieces nor its curves touch a box but at its ends."""
    held = [box for box in made.boxes if box.kind != "port"]
    for one, other in combinations(held, 2):
        (x, y), (u, v) = one.corner, other.corner
        assert x + one.width <= u or u + other.width <= x or y + one.height <= v or v + other.height <= y
    for way in made.ways:
        for (x, y), (u, v) in pairwise(way.points):
            assert v >= y
            for box in held:
                left, top = box.corner
                beside = max(x, u) <= left or min(x, u) >= left + box.width
                assert beside or v <= top + 1e-9 or y >= top + box.height - 1e-9


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("size", "page"), [(None, "white"), (None, "#101418"), ((6, 9), "black")])
def test_nothing_lies_on_anything_else_and_all_is_seen(name, size, page):
    make, shape, dtype, loss = NETWORKS[name]
    ax = drawn(make(), size, page, input_shape=shape, dtype=dtype, loss=loss)
    held = [box.get_window_extent() for box in boxes(ax)]
    assert not any(a.overlaps(b) for a, b in combinations(held, 2))
    written = [
        text.get_window_extent().padded(-0.5) for text in ax.texts if text.get_text()
    ]  # they end at whole pixels
    assert not any(a.overlaps(b) for a, b in combinations(written, 2))
    whole = ax.figure.bbox
    for extent in (*held, *written):
        assert whole.x0 <= extent.x0 and extent.x1 <= whole.x1 and whole.y0 <= extent.y0 and extent.y1 <= whole.y1
    for text in written:  # inside one box, or in none
        near = [box for box in held if box.overlaps(text)]
        assert all(box.x0 <= text.x0 and text.x1 <= box.x1 for box in near) and len(near) <= 1
    framed = [frame.get_window_extent() for frame in boxes(ax, frames=True)]
    for frame in framed:  # a box, or another frame, is in it or outside
        for box in (*held, *(other for other in framed if other is not frame)):
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            around = box.x0 <= frame.x0 and frame.x1 <= box.x1 and box.y0 <= frame.y0 and frame.y1 <= box.y1
            assert inside or around or not frame.overlaps(box)
    assert least_contrast(ax) >= 4.5  # what WCAG 2 asks of texts
    assert size is not None or min(text.get_fontsize() for text in ax.texts if text.get_text()) >= 7


@pytest.mark.parametrize("name", NETWORKS)
def test_arrows_go_around_the_boxes_and_downwards(name):
    make, _, _, loss = NETWORKS[name]
    check_ways(picture(make(), {}, [], loss))


def test_boxes_say_names_links_shapes_and_parameters():
    ax = drawn(two_in_two_out(), input_shape=((8, 8), (7,)), dtype=(None, "int64"))
    shown = texts(ax)
    for piece in (
        "input image", "N × 8 × 8", "input text", "N × 7", "seen: Sequential", "Linear(64, 8)", "520 parameters",
        "lstm", "LSTM(16, 8, batch_first=True)", "N × 7 × 8, 1 × N × 8, 1 × N × 8", "Concat()  both", "N × 16",
        "risk", "output risk", "output kind", "→ forward: values        ← backward: gradients, along the same ways",
    ):  # fmt: skip
        assert piece in shown, piece
    assert len(boxes(ax)) == 15 and len(boxes(ax, frames=True)) == 2


def test_several_edges_between_two_are_one_and_parts_are_named():
    shown = texts(drawn(transformer_layer(), input_shape=(10, 8)))
    assert "×3" in shown and ".0" in shown
    twice = Graph("x", {"lstm": (LSTM(3, 4), "x"), "y": (Add(), "lstm.0", "lstm.0")}, "y")
    assert ".0 ×2" in texts(drawn(twice))
    dotted = Graph("x", {"a.1": (LSTM(3, 4), "x"), "y": (Add(), "a.1.0", "a.1.0")}, "y")
    assert ".0 ×2" in texts(drawn(dotted))


def test_joints_without_a_graph_are_drawn_too():
    net = Sequential(Linear(3, 3), Parallel(Tanh(), Linear(3, 2)), Concat(), Residual(Linear(5, 5), Linear(5, 5)))
    ax = drawn(net, loss=MSELoss())
    shown = texts(ax)
    for piece in ("Parallel", "Residual", "Concat()", "+", "shortcut", "N × 3", "N × 2", "N × 5", "MSELoss()"):
        assert piece in shown, piece
    assert len(boxes(ax, frames=True)) == 2
    ensemble = drawn(Sequential(Parallel(Linear(3, 2), Linear(3, 2)), WeightedSum((0.75, 0.25))))
    assert "Σ w x" in texts(ensemble)
    alone = drawn(Sequential(Linear(3, 3), Residual(Sequential(Linear(3, 3)))))
    assert texts(alone).count("Linear(3, 3)") == 2 and len(boxes(alone, frames=True)) == 1


def test_without_a_shape_there_are_names_alone():
    ax = drawn(two_in_two_out())
    assert "lstm" in texts(ax) and not any("N ×" in text for text in texts(ax))
    one = Graph("x", {"a": (Linear(3, 4), "x"), "y": (Add(), "a", "a")}, "y")
    assert "N × 4" in texts(drawn(one))
    nodes = {"seen": (Conv2d(1, 2, 3), "x"), "y": (Add(), "seen", "seen"), "flat": (Flatten(), "y")}
    images = Graph("x", nodes | {"scores": (Linear(8, 2), "flat")}, "scores")
    assert "scores" in texts(drawn(images)) and not any("N ×" in text for text in texts(drawn(images)))


def test_a_wrong_shape_is_the_networks_error():
    with pytest.raises(ValueError) as error:
        drawn(unet(), input_shape=(2, 8, 8))
    assert str(error.value).startswith(
        "network: the network does not take an input of shape (2, 2, 8, 8) and dtype float32: Graph[down1][0] Conv2d("
    )


def test_the_network_and_the_generator_are_as_before():
    from maillon.random import default_generator

    net = transformer_layer()
    net["feed"][3].eval()
    before, modes = default_generator().get_state(), [link.training for link in net.modules()]
    drawn(net, input_shape=(10, 8))
    assert default_generator().get_state() == before
    assert [link.training for link in net.modules()] == modes
    assert not any("_kept" in vars(link) for link in net.modules())


def random_graph(seed):
    """Linear links and sums, each of up to three of those before it."""
    generator = Generator(seed)
    nodes, names = {}, ["x", "z"]
    for number in range(12):
        count = int(generator.randint(1, 4, ()))
        chosen = [names[int(generator.randint(0, len(names), ()))] for _ in range(count)]
        link = Linear(3, 3) if count == 1 else Add()
        nodes[f"n{number}"] = (link, *chosen)
        names.append(f"n{number}")
    used = {source for _, *sources in nodes.values() for source in sources}
    inputs = [name for name in ("x", "z") if name in used]
    return Graph(inputs, nodes, [name for name in nodes if name not in used])


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_have_nothing_on_anything_else(seed):
    net = random_graph(seed)
    made = picture(net, {}, [])
    assert len(made.boxes) == len(net) + len(net.inputs) + len(net.outputs)
    check_ways(made)


def test_ways_that_need_not_cross_do_not():
    shapes = dict.fromkeys(["a", "b", "c", "d"], Shape(1.0, 0.5))
    found = layered(shapes, [Edge("a", "d"), Edge("b", "c")], (), ())
    left = {name: corner[0] for name, corner in found.corners.items()}
    assert (left["a"] - left["b"]) * (left["d"] - left["c"]) > 0


def test_an_edge_passes_a_layer_in_a_place_of_its_own():
    shapes = dict.fromkeys(["a", "b", "c"], Shape(1.0, 0.5))
    found = layered(shapes, [Edge("a", "b"), Edge("b", "c"), Edge("a", "c")], (), ())
    assert found.corners["a"][0] == pytest.approx(found.corners["b"][0], abs=0.01)
    assert found.corners["c"][0] == pytest.approx(found.corners["b"][0], abs=0.01)
    way = found.ways[2]
    top, bottom = found.corners["b"][1], found.corners["b"][1] + 0.5
    beside = [x for x, y in way if top - 1e-9 <= y <= bottom + 1e-9]
    assert len(beside) == 2 and min(abs(x - found.corners["b"][0] - 0.5) for x in beside) > 0.5
