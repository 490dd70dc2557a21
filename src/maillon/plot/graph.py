"""A network with joints as boxes and arrows: each link of links a frame around what is in it.

A frame is laid out by itself and then stands in the one around it as a node: so frames never overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from maillon.nn import Add, Concat, Graph, Module, Multiply, Parallel, Residual, Sequential, WeightedSum
from maillon.nn.graph import address
from maillon.nn.support.errors import shown
from maillon.plot.layers import Edge, Point, Shape, layered
from maillon.plot.style import Look, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches, of the drawing at its natural size; points, of its letters.
WIDTH, JOINT, LINE, ROOM, PAD, HEAD, MARGIN, FOOT = 2.7, 1.7, 0.165, 0.09, 0.2, 0.26, 0.3, 0.4
POINTS = 8.0
_WIDEST = 42  # letters of a line, which then are still 8 points high
_JOINTS: dict[type, str] = {Add: "+", WeightedSum: "Σ w x", Multiply: "×", Concat: "Concat"}

Shapes = Mapping[str, str]
"""What leaves each link, by its place in the network, as text."""


@dataclass(frozen=True)
class Box:
    """A link, an input, an output or the loss. lines: (text, how it looks: name, code, shape or note)."""

    kind: str
    corner: Point
    width: float
    height: float
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Frame:
    corner: Point
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Way:
    """An arrow; label: which part of an output goes there, or how often."""

    points: tuple[Point, ...]
    label: str
    head: bool


@dataclass
class Picture:
    """What is drawn, y growing downwards; tops, bottom: where edges from outside go in and out."""

    width: float = 0.0
    height: float = 0.0
    boxes: list[Box] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    tops: tuple[float, ...] = ()
    bottom: float | None = None

    def put(self, other: Picture, corner: Point) -> None:
        """Draw another picture at a place of this one."""
        x, y = corner

        def moved(point: Point) -> Point:
            return point[0] + x, point[1] + y

        self.boxes += [Box(b.kind, moved(b.corner), b.width, b.height, b.lines) for b in other.boxes]
        self.frames += [Frame(moved(f.corner), f.width, f.height, f.title) for f in other.frames]
        self.ways += [Way(tuple(map(moved, way.points)), way.label, way.head) for way in other.ways]


def chain_of(net: Module, place: str = "") -> list[tuple[str, Module]] | None:
    """The links of a chain, and of the chains in it, each with its place; None where ways part or meet."""
    if isinstance(net, Residual | Parallel) or (isinstance(net, Graph) and not _is_chain(net)):
        return None
    if not isinstance(net, Sequential | Graph):
        return [(place, net)]
    found = []
    for name, link in net.named_children():
        inner = chain_of(link, f"{place}.{name}" if place else name)
        if inner is None:
            return None
        found += inner
    return found


def _is_chain(net: Graph) -> bool:
    """Whether each node takes the one before it, whole, and the last one is the output."""
    names = [*net.inputs[:1], *net.sources]
    follows = all(own == (before,) for own, before in zip(net.sources.values(), names, strict=False))
    return len(net.inputs) == 1 and follows and net.outputs == names[-1]


def picture(net: Module, shapes: Shapes, inputs: Sequence[str], loss: Module | None = None) -> Picture:
    """The whole network, from its inputs to its outputs or the loss; inputs: their shapes as text, where known."""
    wiring = _wiring(net, "", shapes)
    for number, name in enumerate(wiring.inputs):
        shape = inputs[number] if number < len(inputs) else ""
        wiring.pictures[name] = _box("input", [(f"input {name}", "name"), (shape, "shape")])
    if loss is None:
        ends = {f"output {name}": [(f"output {name}", "name")] for name in wiring.outputs}
        wiring.outputs = {f"output {name}": source for name, source in wiring.outputs.items()}
    else:
        ends = {"loss": [(shown(loss), "code"), ("L, against the target y", "note")]}
        wiring.outputs = {f"loss {number}": source for number, source in enumerate(wiring.outputs.values())}
    for name, lines in ends.items():
        wiring.pictures[name] = _box("output" if loss is None else "loss", lines)
    edges = list(wiring.edges)
    for number, (name, source) in enumerate(wiring.outputs.items()):
        edges.append((source, name if loss is None else "loss", number if loss is not None else 0))
    return _arranged(wiring.pictures, edges, first=(), last=())


# What a link is made of


@dataclass
class _Wiring:
    """Pictures by name, and what each takes: "lstm.0" is a part of an output. Inputs have no picture yet."""

    inputs: tuple[str, ...]
    pictures: dict[str, Picture]
    edges: list[tuple[str, str, int]]
    outputs: dict[str, str]


def _wiring(net: Module, place: str, shapes: Shapes) -> _Wiring:
    dot = f"{place}." if place else ""
    if isinstance(net, Graph):
        links = dict(net.named_children())
        parts = {name: _part(link, f"{dot}{name}", shapes, name) for name, link in links.items()}
        edges = [(s, name, at) for name, sources in net.sources.items() for at, s in enumerate(sources)]
        wanted = (net.outputs,) if isinstance(net.outputs, str) else net.outputs
        return _Wiring(net.inputs, dict.fromkeys(net.inputs, Picture()) | parts, edges, {name: name for name in wanted})
    if isinstance(net, Residual):
        return _residual(net, dot, shapes)
    if isinstance(net, Parallel):
        return _parallel(net, dot, shapes)
    links = dict(net.named_children()) if isinstance(net, Sequential) else {"": net}
    names = [f"link {name}" for name in links]
    parts = {
        f"link {name}": _part(link, f"{dot}{name}".rstrip("."), shapes, "" if name.isdecimal() else name)
        for name, link in links.items()
    }
    edges = [(source, name, 0) for source, name in zip(["x", *names[:-1]], names, strict=True)]
    return _Wiring(("x",), {"x": Picture(), **parts}, edges, {"ŷ": names[-1] if names else "x"})


def _residual(net: Residual, dot: str, shapes: Shapes) -> _Wiring:
    parts = {"link": _part(net.link, f"{dot}link", shapes, "")}
    edges = [("x", "link", 0), ("link", "sum", 0)]
    if net.shortcut is not None:
        parts["shortcut"] = _part(net.shortcut, f"{dot}shortcut", shapes, "shortcut")
        edges.append(("x", "shortcut", 0))
    edges.append(("x" if net.shortcut is None else "shortcut", "sum", 1))
    parts["sum"] = _joint("+", "", shapes.get(dot.rstrip("."), ""))
    return _Wiring(("x",), {"x": Picture(), **parts}, edges, {"ŷ": "sum"})


def _parallel(net: Parallel, dot: str, shapes: Shapes) -> _Wiring:
    """One input for all; where each has its own, a frame's edge stands for the tuple of them."""
    parts = {
        f"link {name}": _part(link, f"{dot}{name}", shapes, "" if name.isdecimal() else name)
        for name, link in net.named_children()
    }
    edges = [("x", name, 0) for name in parts]
    return _Wiring(("x",), {"x": Picture(), **parts}, edges, {str(number): name for number, name in enumerate(parts)})


def _part(link: Module, place: str, shapes: Shapes, name: str) -> Picture:
    """A link inside another: a box, or a frame around its own picture."""
    symbol = _JOINTS.get(type(link))
    if symbol is not None:
        return _joint(shown(link) if isinstance(link, Concat) else symbol, name, shapes.get(place, ""))
    if isinstance(link, Sequential) and len(link) == 1:
        ((key, alone),) = link.named_children()
        return _part(alone, f"{place}.{key}", shapes, name)
    if not isinstance(link, Sequential | Graph | Residual | Parallel) or not next(link.children(), None):
        return _box("link", _lines(link, name, shapes.get(place, "")))
    wiring = _wiring(link, place, shapes)
    several = isinstance(link, Graph) and len(wiring.inputs) > 1
    for entry in wiring.inputs:
        wiring.pictures[entry] = _port(entry if several else "")
    wiring.pictures["output of the frame"] = _port("")
    edges = [*wiring.edges, *((source, "output of the frame", 0) for source in wiring.outputs.values())]
    inside = _arranged(wiring.pictures, edges, first=wiring.inputs, last=("output of the frame",))
    return _framed(inside, f"{name}: {type(link).__name__}" if name else type(link).__name__)


def _port(name: str) -> Picture:
    """Where an edge goes through a frame."""
    width = 0.3 + 0.075 * len(name)
    made = Picture(width, LINE if name else 0.0, tops=(width / 2,))
    if name:
        made.boxes.append(Box("port", (0.0, 0.0), made.width, made.height, ((name, "name"),)))
    return made


def _framed(inside: Picture, title: str) -> Picture:
    width, height = inside.width + 2 * PAD, inside.height + HEAD + PAD
    made = Picture(width, height, frames=[Frame((0.0, 0.0), width, height, title)])
    made.put(inside, (PAD, HEAD))
    made.tops = tuple(top + PAD for top in inside.tops)
    made.bottom = None if inside.bottom is None else inside.bottom + PAD
    made.ways += [Way(((top, 0.0), (top, HEAD)), "", False) for top in made.tops]
    if made.bottom is not None:
        made.ways.append(Way(((made.bottom, height - PAD), (made.bottom, height)), "", False))
    return made


def _lines(link: Module, name: str, shape: str) -> list[tuple[str, str]]:
    code = [(line, "code") for line in _folded(shown(link))]
    count = sum(parameter.size for parameter in link.parameters())
    noun = "parameter" if count == 1 else "parameters"
    note = [(f"{count:,} {noun}".replace(",", "\u202f"), "note")] if count else []
    return [*([(name, "name")] if name else []), *code, (shape, "shape"), *note]


def _folded(text: str) -> list[str]:
    """A long repr in lines, broken after commas."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= _WIDEST:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _box(kind: str, lines: Iterable[tuple[str, str]]) -> Picture:
    told = tuple(lines)
    height = 2 * ROOM + LINE * len(told)
    return Picture(WIDTH, height, boxes=[Box(kind, (0.0, 0.0), WIDTH, height, told)])


def _joint(symbol: str, name: str, shape: str) -> Picture:
    lines = ((f"{symbol}  {name}" if name else symbol, "joint"), (shape, "shape"))
    height = 1.2 * ROOM + LINE * len(lines)
    return Picture(JOINT, height, boxes=[Box("joint", (0.0, 0.0), JOINT, height, lines)])


def _arranged(
    pictures: Mapping[str, Picture],
    edges: Iterable[tuple[str, str, int]],
    first: Sequence[str],
    last: Sequence[str],
) -> Picture:
    """The pictures in layers, with their edges; several edges between the same two are one, with their number."""
    merged: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for source, target, argument in edges:
        name, places = address(source, pictures)
        part = ".".join(map(str, places))
        port = argument if len(pictures[target].tops) > 1 else -1
        merged.setdefault((name, target), []).append((part, port))
    drawn: list[Edge] = []
    labels: list[str] = []
    for (name, target), ends in merged.items():
        by_port = {port: [part for part, at in ends if at == port] for _, port in ends}
        for port, parts in by_port.items():
            drawn.append(Edge(name, target, max(port, 0)))
            told = ", ".join(f".{part}" for part in dict.fromkeys(parts) if part)
            labels.append(" ".join(filter(None, [told, f"×{len(parts)}" if len(parts) > 1 else ""])))
    order = _ordered(list(pictures), drawn)
    shapes = {name: Shape(p.width, p.height, p.tops, p.bottom) for name, p in ((n, pictures[n]) for n in order)}
    found = layered(shapes, drawn, first, last)
    whole = Picture(found.width, found.height)
    for name in order:
        whole.put(pictures[name], found.corners[name])
    for edge, way, label in zip(drawn, found.ways, labels, strict=True):
        whole.ways.append(Way(tuple(way), label, edge.target not in last))
    whole.tops = tuple(found.corners[name][0] + shapes[name].width / 2 for name in first)
    if last:
        whole.bottom = found.corners[last[0]][0] + shapes[last[0]].width / 2
    return whole


def _ordered(names: list[str], edges: Sequence[Edge]) -> list[str]:
    """Each after all it comes from."""
    order: list[str] = []
    waiting = list(names)
    while waiting:
        ready = next(name for name in waiting if not any(e.target == name and e.source in waiting for e in edges))
        waiting.remove(ready)
        order.append(ready)
    return order


# Drawing


def size(made: Picture) -> tuple[float, float]:
    """In inches, with its margins and the line below it."""
    return max(made.width, 3.4) + 2 * MARGIN, made.height + 2 * MARGIN + FOOT


def draw(ax: Axes, made: Picture, scale: float) -> None:
    """The picture on axes of its natural size in inches; scale: how large an inch of it is on the figure."""
    width, height = size(made)
    left, colours = (width - made.width) / 2, look(ax)

    def at(point: Point) -> Point:
        return left + point[0], height - MARGIN - point[1]

    for frame in made.frames:
        _draw_frame(ax, frame, at, colours, scale)
    for way in made.ways:
        _draw_way(ax, way, at, colours, scale)
    for box in made.boxes:
        _draw_box(ax, box, at, colours, scale)
    text = "→ forward: values        ← backward: gradients, along the same ways"
    ax.text(width / 2, 0.26, text, ha="center", va="center", fontsize=scale * (POINTS - 0.5), color=colours.note)


def _draw_frame(ax: Axes, frame: Frame, at: Any, colours: Look, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = at(frame.corner)
    style = "round,pad=0,rounding_size=0.08"
    ax.add_patch(
        FancyBboxPatch(
            (x, y - frame.height), frame.width, frame.height, boxstyle=style, facecolor="none",
            edgecolor=colours.frame, linestyle=(0, (4, 2)), linewidth=0.9 * scale,
        )
    )  # fmt: skip
    room = max(4, int((frame.width / 2 - 0.2) / 0.062))
    title = frame.title if len(frame.title) <= room else frame.title[: room - 1] + "…"
    ax.text(x + 0.09, y - 0.13, title, ha="left", va="center", fontsize=scale * (POINTS - 0.5), color=colours.note)


def _draw_way(ax: Axes, way: Way, at: Any, colours: Look, scale: float) -> None:
    """Upright pieces, and between them curves that leave and arrive upright."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    points = [at(point) for point in way.points]
    codes, corners = [Path.MOVETO], [points[0]]
    for start, end in pairwise(points):
        if abs(start[0] - end[0]) < 1e-9:
            codes.append(Path.LINETO)
            corners.append(end)
        else:
            middle = (start[1] + end[1]) / 2
            codes += [Path.CURVE4] * 3
            corners += [(start[0], middle), (end[0], middle), end]
    style = "-|>,head_width=2.4,head_length=4.2" if way.head else "-"
    ax.add_patch(
        FancyArrowPatch(
            path=Path(corners, codes), arrowstyle=style, mutation_scale=scale, color=colours.forward,
            linewidth=1.2 * scale, shrinkA=0, shrinkB=0, joinstyle="round",
        )
    )  # fmt: skip
    if way.label:
        x, y = points[-1]
        size_ = scale * (POINTS - 1)
        ax.text(x + 0.06, y + 0.12, way.label, ha="left", va="center", fontsize=size_, color=colours.forward)


def _draw_box(ax: Axes, box: Box, at: Any, colours: Look, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = at(box.corner)
    if box.kind != "port":
        face, edge = colours.boxes[box.kind]
        rounding = box.height / 2 if box.kind == "joint" else 0.06
        style = f"round,pad=0,rounding_size={rounding}"
        corner = (x, y - box.height)
        ax.add_patch(
            FancyBboxPatch(
                corner, box.width, box.height, boxstyle=style, facecolor=face, edgecolor=edge, linewidth=scale
            )
        )
    room = (box.height - LINE * len(box.lines)) / 2
    for number, (text, kind) in enumerate(box.lines):
        if not text:
            continue
        middle = y - room - LINE * (number + 0.5)
        family = "monospace" if kind == "code" else "sans-serif"
        letters = _WIDEST if box.kind != "joint" else _WIDEST * JOINT / WIDTH
        points = scale * min(POINTS, POINTS * letters / len(text) * (0.95 if kind == "code" else 1.1))
        colour = {"shape": colours.forward, "note": colours.note}.get(kind, colours.text)
        weight = "bold" if kind in {"name", "joint"} else "normal"
        ax.text(
            x + box.width / 2, middle, text, ha="center", va="center", family=family, fontsize=points, color=colour,
            fontweight=weight,
        )  # fmt: skip
