"""The architecture of a network, drawn from the network itself: a chain as a chain, joints as a graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from maillon.costs.summary import output_shapes
from maillon.nn import Graph, Loss, Module
from maillon.nn.support.arguments import is_integer
from maillon.nn.support.errors import shown
from maillon.plot import graph, graph_drawing
from maillon.plot.axes import axes
from maillon.plot.numbers import Numbers, record
from maillon.plot.style import Look, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches, of the drawing at its natural size.
BOX, PITCH, COLUMN, ACROSS, MARGIN = (2.7, 0.56), 1.02, 3.75, 0.36, 0.3
LEGEND = 0.45
TALLEST = 7  # boxes in one column; more wrap into the next, which runs the other way
POINTS = 8.5
ENLARGED = 1.25  # with the numbers of a sample, which are small letters


@dataclass(frozen=True)
class _Node:
    """A box: what stands in it, and the shape that leaves it."""

    kind: Literal["input", "link", "loss", "output"]
    title: str
    note: str
    symbol: str
    shape: str


def network(
    net: Module,
    ax: Axes | None = None,
    input_shape: Sequence[Any] | None = None,
    loss: Loss | None = None,
    dtype: Any = None,
    *,
    x: Any = None,
    y: Any = None,
) -> Axes:
    """Draw a network as boxes and arrows: values go forward along them, gradients go back.

    Each box shows a link's repr (its class, where that takes several lines), the number of its parameters and the shape
    that leaves it, `N` standing for the size of a mini-batch. A chain has a backward arrow beside each forward one,
    with the gradient ∂L/∂h that `backward` passes on; more than seven boxes wrap into columns, every second one up.
    Where ways part and meet (Graph, Residual, Parallel) the links stand in layers, each below all that it takes, with
    the names of a Graph's nodes, and a frame around each link made of links. The colours follow the figure's, light or
    dark.

    With `x` the numbers of one sample stand at the arrows instead of the shapes: the value that leaves each link, and
    with `loss` and `y` the gradient ∂L/∂value that comes back to it; in the boxes the parameters and their gradients.
    They are those of a copy of the network in evaluation mode: nothing of the network changes.

    Parameters
    ----------
    net : Module
        The network; nested `Sequential`s are drawn link by link.
    ax : Axes, optional
        Where to draw; None makes a new figure.
    input_shape : sequence of int, or tuple of them, optional
        The shape of one sample; of several inputs a tuple of shapes. None takes (in_features,) of the first link that
        has one; a network with joints is drawn without shapes where that does not do.
    loss : Loss, optional
        Drawn as the last box, with the target beside it.
    dtype : dtype, or tuple of them, optional
        Of the input: 'int64' for indices.
    x : array_like, or tuple or dict of them, optional
        One sample, as a mini-batch of one row.
    y : array_like, optional
        Its target, one row.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        When `input_shape` is needed and missing; with `x`, for more than one row or more than twelve links.

    Notes
    -----
    Numbers have three digits that count. Of a vector at most five are written, else the first three and the last, of a
    matrix as many lines; of an array of more dimensions its shape and its norm. What several links take has several
    gradients, which are written as a sum.

    Examples
    --------
    >>> from maillon.nn import Linear
    >>> from matplotlib.figure import Figure
    >>> net = Linear(2, 1)
    >>> ax = network(net, Figure(figsize=network_size(net)).add_axes((0, 0, 1, 1)))
    >>> [text.get_text() for text in ax.texts if "Linear" in text.get_text()]
    ['Linear(2, 1)']

    The numbers of one sample: y = 2 · 3, the loss (6 − 5)², and its gradient with respect to y, 2 (6 − 5):

    >>> from maillon.nn import MSELoss
    >>> net = Linear(1, 1, bias=False)
    >>> net.weight.data[...] = 2
    >>> ax = network(net, Figure().add_axes((0, 0, 1, 1)), loss=MSELoss(), x=[[3.0]], y=[[5.0]])
    >>> [text.get_text() for text in ax.texts if "ŷ" in text.get_text()]
    ['ŷ = 6', '∂L/∂ŷ = 2']
    """
    if x is not None:
        return _draw_numbers(net, ax, loss, record(net, loss, x, y))
    if y is not None:
        raise TypeError("network: expected x beside y, got none. Give the sample's input, or leave y out.")
    chain = graph.chain_of(net)
    given = _given(net, chain, input_shape)
    shapes = {} if given is None else _shapes(net, given, dtype)
    inputs = [] if given is None else [_batch(shape) for shape in given]
    made = graph.picture(net, shapes, inputs, loss) if chain is None else None
    nodes = _nodes(chain or [], inputs[0], shapes, loss) if made is None else []
    width, height = _size(len(nodes)) if made is None else graph.size(made)
    ax, scale = _prepared(ax, width, height)
    if made is None:
        _draw_chain(ax, nodes, (width, height), scale)
    else:
        graph_drawing.draw(ax, made, scale)
    return ax


def _draw_numbers(net: Module, ax: Axes | None, loss: Loss | None, numbers: Numbers) -> Axes:
    """Chains too are drawn in layers: boxes are as high as what stands in them."""
    made = graph.picture(net, {}, [], loss, numbers)
    ax, scale = _prepared(ax, *graph.size(made), enlarged=ENLARGED)
    graph_drawing.draw(ax, made, scale)
    return ax


def _prepared(ax: Axes | None, width: float, height: float, enlarged: float = 1.0) -> tuple[Axes, float]:
    """Axes with inches of the drawing as units, and how large one is on the figure."""
    if ax is None:
        ax = axes(None, figsize=(enlarged * width, enlarged * height))
        ax.set_in_layout(False)
        ax.set_position((0, 0, 1, 1))
    box = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return ax, min(box.width / width, box.height / height)


def _draw_chain(ax: Axes, nodes: list[_Node], size: tuple[float, float], scale: float) -> None:
    colours = look(ax)
    places = _places(len(nodes), size[1])
    for node, place in zip(nodes, places, strict=True):
        _draw_box(ax, node, place, colours, scale)
    for node, (start, end) in zip(nodes[:-1], pairwise(places), strict=True):
        _draw_arrows(ax, node, start, end, colours, scale)
    _draw_legend(ax, size[0], colours, scale)


def network_size(net: Module, loss: Loss | None = None, *, x: Any = None, y: Any = None) -> tuple[float, float]:
    """Width and height, in inches, at which `network` draws `net` at its natural size.

    Parameters
    ----------
    net : Module
        The network.
    loss : Loss, optional
        As for `network`; needed with y.
    x, y : array_like, optional
        The sample whose numbers are written.

    Returns
    -------
    tuple of two float
        What `figsize` takes.
    """
    if x is not None:
        width, height = graph.size(graph.picture(net, {}, [], loss, record(net, loss, x, y)))
        return ENLARGED * width, ENLARGED * height
    chain = graph.chain_of(net)
    return graph.size(graph.picture(net, {}, [])) if chain is None else _size(len(chain) + 2)


# Shapes


def _given(
    net: Module, chain: list[tuple[str, Module]] | None, shape: Sequence[Any] | None
) -> list[tuple[int, ...]] | None:
    """One sample's shape of each input; None where nothing tells it and there are joints."""
    if shape is not None:
        return [tuple(shape)] if all(map(is_integer, shape)) else [tuple(part) for part in shape]
    links = net.modules() if chain is None else (link for _, link in chain)
    features = next((link.in_features for link in links if hasattr(link, "in_features")), None)
    one = not isinstance(net, Graph) or len(net.inputs) == 1
    if features is not None and one and (chain is not None or _fits(net, int(features))):
        return [(int(features),)]
    if chain is None:
        return None
    raise ValueError("network: no link tells the shape of its input. Pass input_shape=, one sample's shape.")


def _fits(net: Module, features: int) -> bool:
    try:
        output_shapes("network", net, (1, features), None)
    except Exception:  # whatever it takes, it is not this
        return False
    return True


def _shapes(net: Module, given: list[tuple[int, ...]], dtype: Any) -> dict[str, str]:
    """What leaves each link, by its place: two sizes of a mini-batch tell where N stands."""
    two, three = (
        output_shapes("network", net, batch if len(batch) > 1 else batch[0], dtype)
        for batch in (tuple((rows, *shape) for shape in given) for rows in (2, 3))
    )
    return {
        place: ", ".join(
            " × ".join(_extent(n, more) for n, more in zip(one, other, strict=True))
            for one, other in zip(_each(shape), _each(three[place]), strict=True)
        )
        for place, shape in two.items()
    }


def _each(shape: Any) -> list[tuple[int, ...]]:
    """The shapes of an output of one array or several."""
    if shape is None:
        return []
    if all(map(is_integer, shape)):
        return [shape]
    return [inner for part in shape for inner in _each(part)]


def _extent(of_two: int, of_three: int) -> str:
    """A length, from those with two rows and with three."""
    if of_two == of_three:
        return str(of_two)
    return "N" if of_two == 2 else f"{of_two / 2:g}N"


def _batch(shape: tuple[int, ...]) -> str:
    return " × ".join(["N", *map(str, shape)])


# A chain


def _nodes(chain: list[tuple[str, Module]], first: str, shapes: dict[str, str], loss: Module | None) -> list[_Node]:
    """The boxes."""
    nodes = [_Node("input", "input x", first, "x", first)]
    for number, (place, link) in enumerate(chain, start=1):
        symbol = r"\hat{y}" if number == len(chain) else f"h_{{{number}}}"
        name = place.rpartition(".")[2]
        note = _parameters(link) if not name or name.isdecimal() else f"{name}: {_parameters(link)}"
        nodes.append(_Node("link", shown(link), note, symbol, shapes[place]))
    if loss is None:
        return [*nodes, _Node("output", "output ŷ", nodes[-1].shape, "", "")]
    return [*nodes, _Node("loss", shown(loss), "L, against the target y", "", "")]


def _parameters(link: Module) -> str:
    count = sum(parameter.data.size for parameter in link.parameters())
    if not count:
        return "no parameters"
    names = ", ".join(f"{name} {'×'.join(map(str, p.data.shape))}" for name, p in link.named_parameters())
    noun = "parameter" if count == 1 else "parameters"
    return f"{count:,} {noun}: {names}".replace(",", "\u202f", f"{count:,}".count(","))


def _rows(count: int) -> tuple[int, int]:
    columns = math.ceil(count / TALLEST)
    return columns, math.ceil(count / columns)


def _size(count: int) -> tuple[float, float]:
    columns, rows = _rows(count)
    return (columns - 1) * COLUMN + BOX[0] + 2 * MARGIN, (rows - 1) * PITCH + BOX[1] + 2 * MARGIN + LEGEND


def _places(count: int, height: float) -> list[tuple[float, float]]:
    """The centres of the boxes, down the first column, up the second, and so on."""
    _, rows = _rows(count)
    places = []
    for index in range(count):
        column, row = divmod(index, rows)
        row = rows - 1 - row if column % 2 else row
        places.append((MARGIN + BOX[0] / 2 + column * COLUMN, height - MARGIN - BOX[1] / 2 - row * PITCH))
    return places


def _draw_box(ax: Axes, node: _Node, place: tuple[float, float], colours: Look, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    width, height = BOX
    face, edge = colours.boxes[node.kind]
    corner = (place[0] - width / 2, place[1] - height / 2)
    style = "round,pad=0,rounding_size=0.06"
    ax.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, facecolor=face, edgecolor=edge))
    code = node.kind in {"link", "loss"}
    size = scale * min(POINTS + 0.5, (POINTS + 0.5) * 34 / len(node.title))
    family = "monospace" if code else "sans-serif"
    text = ax.text(place[0], place[1] + 0.1, node.title, ha="center", va="center", family=family, fontsize=size)
    text.set_color(colours.text)
    note = scale * min(POINTS - 1, (POINTS - 1) * 44 / len(node.note))
    ax.text(place[0], place[1] - 0.13, node.note, ha="center", va="center", fontsize=note, color=colours.note)


def _draw_arrows(
    ax: Axes, node: _Node, start: tuple[float, float], end: tuple[float, float], colours: Look, scale: float
) -> None:
    """The value to the next box and, beside it, the gradient that comes back."""
    forward = f"${node.symbol}$  {node.shape}"
    backward = rf"$\partial L/\partial {node.symbol}$"
    if start[0] == end[0]:
        half = math.copysign(BOX[1] / 2 + 0.03, end[1] - start[1])
        tail, head = start[1] + half, end[1] - half
        _arrow(ax, (start[0] - ACROSS, tail), (start[0] - ACROSS, head), colours.forward, scale)
        _arrow(ax, (start[0] + ACROSS, head), (start[0] + ACROSS, tail), colours.backward, scale)
        middle = (tail + head) / 2
        _label(ax, (start[0] - ACROSS - 0.08, middle), forward, colours.forward, "right", "center", scale)
        _label(ax, (start[0] + ACROSS + 0.08, middle), backward, colours.backward, "left", "center", scale)
        return
    tail, head = start[0] + BOX[0] / 2 + 0.03, end[0] - BOX[0] / 2 - 0.03
    _arrow(ax, (tail, start[1] + 0.1), (head, start[1] + 0.1), colours.forward, scale)
    _arrow(ax, (head, start[1] - 0.1), (tail, start[1] - 0.1), colours.backward, scale)
    middle = (tail + head) / 2
    _label(ax, (middle, start[1] + 0.15), forward, colours.forward, "center", "bottom", scale)
    _label(ax, (middle, start[1] - 0.15), backward, colours.backward, "center", "top", scale)


def _arrow(ax: Axes, tail: tuple[float, float], head: tuple[float, float], colour: str, scale: float) -> None:
    look = {"arrowstyle": "-|>,head_width=0.18,head_length=0.36", "color": colour, "linewidth": 1.3 * scale}
    ax.annotate("", xy=head, xytext=tail, arrowprops={**look, "shrinkA": 0, "shrinkB": 0})


def _label(ax: Axes, place: tuple[float, float], text: str, colour: str, ha: str, va: str, scale: float) -> None:
    ax.text(*place, text, color=colour, ha=ha, va=va, fontsize=scale * POINTS)


def _draw_legend(ax: Axes, width: float, colours: Look, scale: float) -> None:
    size = scale * (POINTS - 0.5)
    middle = width / 2
    ax.text(middle - 0.1, 0.28, "→ forward: values", color=colours.forward, ha="right", va="center", fontsize=size)
    ax.text(middle + 0.1, 0.28, "← backward: gradients", color=colours.backward, ha="left", va="center", fontsize=size)
