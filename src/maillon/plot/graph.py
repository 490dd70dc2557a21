"""A network with joints as boxes and arrows: each link of links a frame around what is in it.

A frame is laid out by itself and then stands in the one around it as a node: so frames never overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from maillon.nn import Add, Concat, Graph, Module, Multiply, Parallel, Residual, Sequential, WeightedSum
from maillon.nn.graph import address
from maillon.nn.support.errors import shown
from maillon.plot.layers import Edge, Point, Shape, layered
from maillon.plot.numbers import Numbers, made_of_links, rows

# Inches, of the drawing at its natural size; points, of its letters.
WIDTH, JOINT, LINE, ROOM, PAD, HEAD, MARGIN, FOOT = 2.7, 1.7, 0.165, 0.09, 0.2, 0.26, 0.3, 0.4
LETTER, COLUMN_GAP, BESIDE, APART = 0.0645, 0.16, 0.12, 0.045  # of numbers; of the two arrows from their middle
POINTS = 8.0
WIDEST = 42  # letters of a line, which then are still 8 points high
_JOINTS: dict[type, str] = {Add: "+", WeightedSum: "Σ w x", Multiply: "×", Concat: "Concat"}

Shapes = Mapping[str, str]
"""What leaves each link, by its place in the network, as text."""


@dataclass(frozen=True)
class Told:
    """What the boxes tell beside the links: shapes, or the numbers of one sample."""

    shapes: Shapes
    numbers: Numbers | None = None

    def shape(self, place: str) -> tuple[tuple[str, str], ...]:
        """The line that tells it, empty where it is not known; none with numbers."""
        return ((self.shapes.get(place, ""), "shape"),) if self.numbers is None else ()

    def with_flow(self, made: Picture, place: str) -> Picture:
        """The box with the numbers of what leaves it below, at the arrow."""
        return made if self.numbers is None else _with_flow(made, self.numbers.of_link(place))

    def table(self, place: str) -> tuple[tuple[str, ...], ...]:
        """Of the parameters there: name, value and gradient, a line each."""
        if self.numbers is None:
            return ()
        lines: list[tuple[str, ...]] = []
        for name, value, grad in self.numbers.parameters(place):
            values, grads = rows(value), rows(grad) if grad is not None else []
            lines += zip_longest([name], values, grads, fillvalue="")
        both = self.numbers.loss is not None
        return (("", "value", "gradient" if both else ""), *lines) if lines else ()


@dataclass(frozen=True)
class Box:
    """A link, an input, an output or the loss. lines: (text, how it looks: name, code, shape or note).

    Of kind "flow" it has no frame: lines stand to the left of its middle, (text, "forward"), or to the right,
    (text, "backward").
    """

    kind: str
    corner: Point
    width: float
    height: float
    lines: tuple[tuple[str, str], ...]
    table: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Frame:
    corner: Point
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Way:
    """An arrow; label: which part of an output goes there, or how often. tail: whether gradients end at its start."""

    points: tuple[Point, ...]
    label: str
    head: bool
    tail: bool = False


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
    numbers: bool = False  # whether it has those of a sample, and of its backward
    backward: bool = False

    def put(self, other: Picture, corner: Point) -> None:
        """Draw another picture at a place of this one."""
        x, y = corner

        def moved(point: Point) -> Point:
            return point[0] + x, point[1] + y

        self.boxes += [replace(box, corner=moved(box.corner)) for box in other.boxes]
        self.frames += [replace(frame, corner=moved(frame.corner)) for frame in other.frames]
        self.ways += [replace(way, points=tuple(map(moved, way.points))) for way in other.ways]


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


def picture(
    net: Module,
    shapes: Shapes,
    inputs: Sequence[str],
    loss: Module | None = None,
    numbers: Numbers | None = None,
) -> Picture:
    """The whole network, from its inputs to its outputs or the loss; inputs: their shapes as text, where known."""
    told = Told(shapes, numbers)
    wiring = _wiring(net, "", told)
    for number, name in enumerate(wiring.inputs):
        lines: list[tuple[str, str]] = [(f"input {name}", "name")]
        if numbers is None:
            lines.append((inputs[number] if number < len(inputs) else "", "shape"))
        made = _box("input", lines)
        wiring.pictures[name] = made if numbers is None else _with_flow(made, numbers.of_input(number, name))
    if loss is None:
        ends = {f"output {name}": [(f"output {name}", "name")] for name in wiring.outputs}
        wiring.outputs = {f"output {name}": source for name, source in wiring.outputs.items()}
    else:
        ends = {"loss": [(shown(loss), "code"), *_loss_lines(numbers)]}
        wiring.outputs = {f"loss {number}": source for number, source in enumerate(wiring.outputs.values())}
    for name, lines in ends.items():
        wiring.pictures[name] = _box("output" if loss is None else "loss", lines)
    edges = list(wiring.edges)
    for number, (name, source) in enumerate(wiring.outputs.items()):
        edges.append((source, name if loss is None else "loss", number if loss is not None else 0))
    whole = _arranged(wiring.pictures, edges, first=(), last=())
    whole.numbers = numbers is not None
    whole.backward = numbers is not None and numbers.loss is not None
    return whole


def _loss_lines(numbers: Numbers | None) -> list[tuple[str, str]]:
    if numbers is None:
        return [("L, against the target y", "note")]
    return [(line, "name" if line.startswith("L") else "note") for line in numbers.of_loss()]


# What a link is made of


@dataclass
class _Wiring:
    """Pictures by name, and what each takes: "lstm.0" is a part of an output. Inputs have no picture yet."""

    inputs: tuple[str, ...]
    pictures: dict[str, Picture]
    edges: list[tuple[str, str, int]]
    outputs: dict[str, str]


def _wiring(net: Module, place: str, told: Told) -> _Wiring:
    dot = f"{place}." if place else ""
    if isinstance(net, Graph):
        links = dict(net.named_children())
        parts = {name: _part(link, f"{dot}{name}", told, name) for name, link in links.items()}
        edges = [(s, name, at) for name, sources in net.sources.items() for at, s in enumerate(sources)]
        wanted = (net.outputs,) if isinstance(net.outputs, str) else net.outputs
        return _Wiring(net.inputs, dict.fromkeys(net.inputs, Picture()) | parts, edges, {name: name for name in wanted})
    if isinstance(net, Residual):
        return _residual(net, dot, told)
    if isinstance(net, Parallel):
        return _parallel(net, dot, told)
    links = dict(net.named_children()) if isinstance(net, Sequential) else {"": net}
    names = [f"link {name}" for name in links]
    parts = {
        f"link {name}": _part(link, f"{dot}{name}".rstrip("."), told, "" if name.isdecimal() else name)
        for name, link in links.items()
    }
    edges = [(source, name, 0) for source, name in zip(["x", *names[:-1]], names, strict=True)]
    return _Wiring(("x",), {"x": Picture(), **parts}, edges, {"ŷ": names[-1] if names else "x"})


def _residual(net: Residual, dot: str, told: Told) -> _Wiring:
    parts = {"link": _part(net.link, f"{dot}link", told, "")}
    edges = [("x", "link", 0), ("link", "sum", 0)]
    if net.shortcut is not None:
        parts["shortcut"] = _part(net.shortcut, f"{dot}shortcut", told, "shortcut")
        edges.append(("x", "shortcut", 0))
    edges.append(("x" if net.shortcut is None else "shortcut", "sum", 1))
    parts["sum"] = _joint("+", "", dot.rstrip("."), told)
    return _Wiring(("x",), {"x": Picture(), **parts}, edges, {"ŷ": "sum"})


def _parallel(net: Parallel, dot: str, told: Told) -> _Wiring:
    """One input for all; where each has its own, a frame's edge stands for the tuple of them."""
    parts = {
        f"link {name}": _part(link, f"{dot}{name}", told, "" if name.isdecimal() else name)
        for name, link in net.named_children()
    }
    edges = [("x", name, 0) for name in parts]
    return _Wiring(("x",), {"x": Picture(), **parts}, edges, {str(number): name for number, name in enumerate(parts)})


def _part(link: Module, place: str, told: Told, name: str) -> Picture:
    """A link inside another: a box, or a frame around its own picture."""
    symbol = _JOINTS.get(type(link))
    if symbol is not None:
        return _joint(shown(link) if isinstance(link, Concat) else symbol, name, place, told)
    if isinstance(link, Sequential) and len(link) == 1:
        ((key, alone),) = link.named_children()
        return _part(alone, f"{place}.{key}", told, name)
    if not isinstance(link, Sequential | Graph | Residual | Parallel) or not next(link.children(), None):
        return told.with_flow(_box("link", _lines(link, name, place, told), told.table(place)), place)
    wiring = _wiring(link, place, told)
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


def _lines(link: Module, name: str, place: str, told: Told) -> list[tuple[str, str]]:
    code = [(line, "code") for line in _folded(shown(link))]
    count = sum(parameter.size for parameter in link.parameters())
    noun = "parameter" if count == 1 else "parameters"
    written = told.numbers is not None and not made_of_links(link)
    note = [(f"{count:,} {noun}".replace(",", "\u202f"), "note")] if count and not written else []
    return [*([(name, "name")] if name else []), *code, *told.shape(place), *note]


def _folded(text: str) -> list[str]:
    """A long repr in lines, broken after commas."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= WIDEST:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


def _box(kind: str, lines: Iterable[tuple[str, str]], table: tuple[tuple[str, ...], ...] = ()) -> Picture:
    told = tuple(lines)
    height = 2 * ROOM + LINE * (len(told) + len(table))
    width = max(WIDTH, columns(table)[-1] + 2 * ROOM)
    return Picture(width, height, boxes=[Box(kind, (0.0, 0.0), width, height, told, table)])


def columns(table: Sequence[Sequence[str]]) -> list[float]:
    """Where the columns of a table begin, and where the last one ends."""
    ends = [0.0]
    for column in zip(*table, strict=True):
        ends.append(ends[-1] + LETTER * max(map(len, column)) + COLUMN_GAP)
    return [*ends[:-1], ends[-1] - COLUMN_GAP] if table else ends


def _joint(symbol: str, name: str, place: str, told: Told) -> Picture:
    lines = ((f"{symbol}  {name}" if name else symbol, "joint"), *told.shape(place))
    height = 1.2 * ROOM + LINE * len(lines)
    return told.with_flow(Picture(JOINT, height, boxes=[Box("joint", (0.0, 0.0), JOINT, height, lines)]), place)


def _with_flow(made: Picture, told: tuple[list[str], list[str]]) -> Picture:
    """A box, and below it an arrow with the value that leaves at its left and the gradient that comes back right."""
    values, grads = told
    half = max(made.width / 2, BESIDE + LETTER * max(map(len, (*values, *grads)), default=0))
    height = LINE * max(len(values), len(grads)) + 2 * ROOM
    whole = Picture(2 * half, made.height + height)
    whole.put(made, (half - made.width / 2, 0.0))
    lines = (*((line, "forward") for line in values), *((line, "backward") for line in grads))
    whole.boxes.append(Box("flow", (0.0, made.height), whole.width, height, lines))
    whole.ways.append(Way(((half, made.height), (half, whole.height)), "", head=False, tail=True))
    return whole


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


def size(made: Picture) -> tuple[float, float]:
    """In inches, with its margins and the line below it."""
    return max(made.width, 3.4) + 2 * MARGIN, made.height + 2 * MARGIN + FOOT
