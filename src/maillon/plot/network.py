"""The architecture of a network, drawn from the network itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from maillon.nesting import leaves
from maillon.nn import Module, Sequential, no_grad
from maillon.nn.containers import handed
from maillon.nn.support.errors import shown
from maillon.plot.axes import axes
from maillon.plot.style import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches, of the drawing at its natural size.
BOX, PITCH, COLUMN, ACROSS, MARGIN = (2.7, 0.56), 1.02, 3.75, 0.36, 0.3
LEGEND = 0.45
TALLEST = 7  # boxes in one column; more wrap into the next, which runs the other way
POINTS = 8.5


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
    input_shape: Sequence[int] | None = None,
    loss: Module | None = None,
) -> Axes:
    """Draw a network as a chain of boxes: values go forward along it, gradients go back.

    Each box shows a link's repr (its class, where that takes several lines) and the number of its parameters. Each
    forward arrow has the value's name and shape, `N` standing for the size of a mini-batch; each backward arrow the
    gradient ∂L/∂h that `backward` passes on. More than seven boxes wrap into columns, every second one upwards.

    Parameters
    ----------
    net : Module
        The network; nested `Sequential`s are drawn link by link.
    ax : Axes, optional
        Where to draw; None makes a new figure.
    input_shape : sequence of int, optional
        The shape of one sample; None takes (in_features,) of the first link that has one.
    loss : Loss, optional
        Drawn as the last box, with the target beside it.

    Returns
    -------
    Axes
        What was drawn on.

    Raises
    ------
    ValueError
        When `input_shape` is needed and missing.

    Examples
    --------
    >>> from maillon.nn import Linear
    >>> from matplotlib.figure import Figure
    >>> net = Linear(2, 1)
    >>> ax = network(net, Figure(figsize=network_size(net)).add_axes((0, 0, 1, 1)))
    >>> [text.get_text() for text in ax.texts if "Linear" in text.get_text()]
    ['Linear(2, 1)']
    """
    nodes = _nodes(net, _input_shape(net, input_shape), loss)
    width, height = _size(len(nodes))
    ax = axes(ax, figsize=(width, height))
    box = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
    scale = min(box.width / width, box.height / height)
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    places = _places(len(nodes), height)
    for node, place in zip(nodes, places, strict=True):
        _draw_box(ax, node, place, scale)
    for node, (start, end) in zip(nodes[:-1], pairwise(places), strict=True):
        _draw_arrows(ax, node, start, end, scale)
    _draw_legend(ax, width, scale)
    return ax


def network_size(net: Module) -> tuple[float, float]:
    """Width and height, in inches, at which `network` draws `net` at its natural size.

    Parameters
    ----------
    net : Module
        The network.

    Returns
    -------
    tuple of two float
        What `figsize` takes.
    """
    return _size(len(_links(net)) + 2)


def _links(net: Module) -> list[Module]:
    if not isinstance(net, Sequential):
        return [net]
    return [link for child in net for link in _links(child)]


def _input_shape(net: Module, shape: Sequence[int] | None) -> tuple[int, ...]:
    if shape is not None:
        return tuple(shape)
    for link in _links(net):
        features = getattr(link, "in_features", None)
        if features is not None:
            return (int(features),)
    raise ValueError("network: no link tells the shape of its input. Pass input_shape=, one sample's shape.")


def _nodes(net: Module, input_shape: tuple[int, ...], loss: Module | None) -> list[_Node]:
    """The boxes; the shapes are those of one forward pass of a zero sample, in eval mode."""
    links = _links(net)
    training = [module.training for module in net.modules()]
    net.eval()
    shapes = []
    with no_grad():
        value = np.zeros((1, *input_shape), dtype=net.dtype)
        for link in links:
            value = handed(link, value)
            shapes.append(", ".join(" × ".join(["N", *map(str, part.shape[1:])]) for part in leaves(value)))
    for module, mode in zip(net.modules(), training, strict=True):
        module.training = mode
    first = " × ".join(["N", *map(str, input_shape)])
    nodes = [_Node("input", "input x", first, "x", first)]
    for number, (link, shape) in enumerate(zip(links, shapes, strict=True), start=1):
        symbol = r"\hat{y}" if number == len(links) else f"h_{{{number}}}"
        nodes.append(_Node("link", shown(link), _parameters(link), symbol, shape))
    if loss is None:
        return [*nodes, _Node("output", "output ŷ", shapes[-1] if shapes else first, "", "")]
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


def _draw_box(ax: Axes, node: _Node, place: tuple[float, float], scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    width, height = BOX
    face = {"input": "#F4F4F4", "output": "#F4F4F4", "link": "#EEF5FA", "loss": "#FCF1EA"}[node.kind]
    edge = {"input": GREY, "output": GREY, "link": BLUE, "loss": VERMILION}[node.kind]
    corner = (place[0] - width / 2, place[1] - height / 2)
    style = "round,pad=0,rounding_size=0.06"
    ax.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, facecolor=face, edgecolor=edge))
    code = node.kind in {"link", "loss"}
    size = scale * min(POINTS + 0.5, (POINTS + 0.5) * 34 / len(node.title))
    family = "monospace" if code else "sans-serif"
    ax.text(place[0], place[1] + 0.1, node.title, ha="center", va="center", family=family, fontsize=size)
    note = scale * min(POINTS - 1, (POINTS - 1) * 44 / len(node.note))
    ax.text(place[0], place[1] - 0.13, node.note, ha="center", va="center", fontsize=note, color="#555555")


def _draw_arrows(ax: Axes, node: _Node, start: tuple[float, float], end: tuple[float, float], scale: float) -> None:
    """The value to the next box and, beside it, the gradient that comes back."""
    forward = f"${node.symbol}$  {node.shape}"
    backward = rf"$\partial L/\partial {node.symbol}$"
    if start[0] == end[0]:
        half = math.copysign(BOX[1] / 2 + 0.03, end[1] - start[1])
        tail, head = start[1] + half, end[1] - half
        _arrow(ax, (start[0] - ACROSS, tail), (start[0] - ACROSS, head), BLUE, scale)
        _arrow(ax, (start[0] + ACROSS, head), (start[0] + ACROSS, tail), VERMILION, scale)
        middle = (tail + head) / 2
        _label(ax, (start[0] - ACROSS - 0.08, middle), forward, BLUE, "right", "center", scale)
        _label(ax, (start[0] + ACROSS + 0.08, middle), backward, VERMILION, "left", "center", scale)
        return
    tail, head = start[0] + BOX[0] / 2 + 0.03, end[0] - BOX[0] / 2 - 0.03
    _arrow(ax, (tail, start[1] + 0.1), (head, start[1] + 0.1), BLUE, scale)
    _arrow(ax, (head, start[1] - 0.1), (tail, start[1] - 0.1), VERMILION, scale)
    middle = (tail + head) / 2
    _label(ax, (middle, start[1] + 0.15), forward, BLUE, "center", "bottom", scale)
    _label(ax, (middle, start[1] - 0.15), backward, VERMILION, "center", "top", scale)


def _arrow(ax: Axes, tail: tuple[float, float], head: tuple[float, float], colour: str, scale: float) -> None:
    look = {"arrowstyle": "-|>,head_width=0.18,head_length=0.36", "color": colour, "linewidth": 1.3 * scale}
    ax.annotate("", xy=head, xytext=tail, arrowprops={**look, "shrinkA": 0, "shrinkB": 0})


def _label(ax: Axes, place: tuple[float, float], text: str, colour: str, ha: str, va: str, scale: float) -> None:
    ax.text(*place, text, color=colour, ha=ha, va=va, fontsize=scale * POINTS)


def _draw_legend(ax: Axes, width: float, scale: float) -> None:
    size = scale * (POINTS - 0.5)
    middle = width / 2
    ax.text(middle - 0.1, 0.28, "→ forward: values", color=BLUE, ha="right", va="center", fontsize=size)
    ax.text(middle + 0.1, 0.28, "← backward: gradients", color=VERMILION, ha="left", va="center", fontsize=size)
