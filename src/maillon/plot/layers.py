"""A directed graph in layers: where its nodes stand, and the ways of its edges around them.

Every edge goes downwards. Through a layer that it only passes it has a place of its own, as a node has, and it moves
sideways only in the gaps between layers: so nothing lies on anything else.

Source: K. Sugiyama, S. Tagawa, M. Toda, "Methods for Visual Understanding of Hierarchical System Structures", 1981.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Point = tuple[float, float]

APART, GAP, PASSAGE = 0.35, 0.42, 0.3  # inches between nodes, between layers, and of an edge that passes a layer
PORT_GAP = 0.24  # beside a layer without height
_SWEEPS, _ROUNDS = 12, 60
_NODE, _PASSAGE = 1e4, 1.0  # how much each insists on its place
_STRAIGHT = 8.0  # how much more a piece between two passages wants to be upright than one at a node


@dataclass(frozen=True)
class Shape:
    """A node's size, and where edges may touch it: offsets from its left, `tops` by argument, or anywhere if empty."""

    width: float
    height: float
    tops: tuple[float, ...] = ()
    bottom: float | None = None


@dataclass(frozen=True)
class Edge:
    """From a node to another's argument."""

    source: str
    target: str
    argument: int = 0


@dataclass
class Layered:
    """The left upper corner of each node, y growing downwards, the way of each edge, and the size of the whole."""

    corners: dict[str, Point] = field(default_factory=dict)
    ways: list[list[Point]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


_Cell = tuple[str, int]
"""A node's place in a layer, or that of an edge that passes: its number as text, and the layer."""

_Pull = tuple[_Cell, float, float]
"""A neighbour, how far from its middle a cell's own would make their edge upright, and how much that counts."""


def layered(shapes: Mapping[str, Shape], edges: Sequence[Edge], first: Sequence[str], last: Sequence[str]) -> Layered:
    """The nodes, given each after those that it comes from, in layers; `first` in the first, `last` in the last."""
    depth = _depths(shapes, edges, first, last)
    chains = [_chain(edge, number, depth) for number, edge in enumerate(edges)]
    layers: list[list[_Cell]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in shapes:
        layers[depth[name]].append((name, depth[name]))
    for chain in chains:
        for cell in chain[1:-1]:
            layers[cell[1]].append(cell)
    widths = {cell: shapes[cell[0]].width if cell[0] in shapes else PASSAGE for layer in layers for cell in layer}
    links = [pair for chain in chains for pair in pairwise(chain)]
    _untangle(layers, links)
    middles = _middles(layers, links, widths, shapes)
    for chain in [*chains, *chains]:  # what gives way in the first round makes room for others in the second
        _straighten(chain[1:-1], layers, widths, middles)
    return _drawn(shapes, edges, chains, layers, middles, widths)


def _depths(
    shapes: Mapping[str, Shape], edges: Sequence[Edge], first: Sequence[str], last: Sequence[str]
) -> dict[str, int]:
    """The layer of each node: below all it comes from; what comes from nothing right above what it goes to."""
    depth: dict[str, int] = {}
    for name in shapes:
        depth[name] = 1 + max((depth[edge.source] for edge in edges if edge.target == name), default=-1)
    for name in shapes:
        users = [depth[edge.target] for edge in edges if edge.source == name]
        if users and name not in first and not any(edge.target == name for edge in edges):
            depth[name] = min(users) - 1
    deepest = max(depth.values(), default=0)
    return depth | dict.fromkeys(last, deepest)


def _chain(edge: Edge, number: int, depth: Mapping[str, int]) -> list[_Cell]:
    """The places that an edge goes through."""
    start, end = depth[edge.source], depth[edge.target]
    return [(edge.source, start), *((str((number,)), layer) for layer in range(start + 1, end)), (edge.target, end)]


# Order: what crosses what


def _untangle(layers: list[list[_Cell]], links: Sequence[tuple[_Cell, _Cell]]) -> None:
    """Order each layer by the mean place of its neighbours, down and up, and keep what has the fewest crossings."""
    above: dict[_Cell, list[_Cell]] = {}
    below: dict[_Cell, list[_Cell]] = {}
    for upper, lower in links:
        below.setdefault(upper, []).append(lower)
        above.setdefault(lower, []).append(upper)
    best, least = [list(layer) for layer in layers], _crossings(layers, links)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        for layer in layers if downwards else reversed(layers):
            place = {cell: number for row in layers for number, cell in enumerate(row)}
            means = {cell: _mean([place[other] for other in neighbours.get(cell, [])], place[cell]) for cell in layer}
            layer.sort(key=means.__getitem__)
        crossings = _crossings(layers, links)
        if crossings < least:
            best, least = [list(layer) for layer in layers], crossings
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(layers: Sequence[Sequence[_Cell]], links: Sequence[tuple[_Cell, _Cell]]) -> int:
    place = {cell: number for layer in layers for number, cell in enumerate(layer)}
    ends = [(upper[1], place[upper], place[lower]) for upper, lower in links]
    return sum(
        one[0] == other[0] and (one[1] - other[1]) * (one[2] - other[2]) < 0
        for number, one in enumerate(ends)
        for other in ends[:number]
    )


# Places: what stands under what


def _middles(
    layers: Sequence[Sequence[_Cell]],
    links: Sequence[tuple[_Cell, _Cell]],
    widths: Mapping[_Cell, float],
    shapes: Mapping[str, Shape],
) -> dict[_Cell, float]:
    """The middle of each cell, where edges to its neighbours are upright, and as far from the next one as it must be.

    Nodes follow nodes, and passages whatever they join: so the links of a chain stand below one another, and an edge
    that goes by them gives way.
    """
    near: dict[_Cell, list[_Pull]] = {}
    for upper, lower in links:
        shift = _bottom(shapes.get(upper[0])) - _top(shapes.get(lower[0]))
        weight = 1.0 if upper[0] in shapes or lower[0] in shapes else _STRAIGHT
        near.setdefault(lower, []).append((upper, shift, weight))
        near.setdefault(upper, []).append((lower, -shift, weight))
    for cell, others in near.items():
        nodes = [one for one in others if one[0][0] in shapes]
        if cell[0] in shapes and nodes:
            near[cell] = nodes
    middles: dict[_Cell, float] = {cell: 0.0 for layer in layers for cell in layer}
    for number in range(-1, _ROUNDS):
        for layer in layers if number % 2 == 0 or number < 0 else reversed(layers):
            wanted = [_pulled(cell, near.get(cell, []), middles) for cell in layer]
            weights = [_NODE if cell[0] in shapes else _PASSAGE for cell in layer]
            gaps = [_apart(one, other, widths) for one, other in pairwise(layer)]
            middles |= zip(layer, _settled(wanted, weights, gaps), strict=True)
    return middles


def _apart(one: _Cell, other: _Cell, widths: Mapping[_Cell, float]) -> float:
    return (widths[one] + widths[other]) / 2 + APART


def _straighten(
    passages: Sequence[_Cell],
    layers: Sequence[Sequence[_Cell]],
    widths: Mapping[_Cell, float],
    middles: dict[_Cell, float],
) -> None:
    """Put the passages of an edge below one another, at the place of one of them, where there is room in all layers."""
    for wanted in sorted({middles[cell] for cell in passages}, key=lambda x: abs(x - middles[passages[0]])):
        if all(_has_room(cell, wanted, layers[cell[1]], widths, middles) for cell in passages):
            middles.update(dict.fromkeys(passages, wanted))
            return


def _has_room(
    cell: _Cell, wanted: float, layer: Sequence[_Cell], widths: Mapping[_Cell, float], middles: Mapping[_Cell, float]
) -> bool:
    at = layer.index(cell)
    return all(
        sign * (middles[other] - wanted) >= _apart(cell, other, widths) - 1e-9
        for sign, other in [(-1, one) for one in layer[:at]] + [(1, one) for one in layer[at + 1 :]]
    )


def _top(shape: Shape | None) -> float:
    """Where edges come in, from the middle."""
    return sum(shape.tops) / len(shape.tops) - shape.width / 2 if shape is not None and shape.tops else 0.0


def _bottom(shape: Shape | None) -> float:
    return shape.bottom - shape.width / 2 if shape is not None and shape.bottom is not None else 0.0


def _pulled(cell: _Cell, near: Sequence[_Pull], middles: Mapping[_Cell, float]) -> float:
    total = sum(weight for _, _, weight in near)
    return sum(weight * (middles[other] + shift) for other, shift, weight in near) / total if near else middles[cell]


def _settled(wanted: Sequence[float], weights: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """The places nearest to those wanted, by the weighted sum of squares, that are at least the gaps apart.

    Less the gaps before them they only have to increase: the pool-adjacent-violators algorithm.
    """
    offsets = [0.0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    pools: list[tuple[float, float, int]] = []  # mean, weight and number of places that have run into one another
    for place, heavy, offset in zip(wanted, weights, offsets, strict=False):
        mean, weight, count = place - offset, heavy, 1
        while pools and pools[-1][0] > mean:
            before, more, many = pools.pop()
            mean = (before * more + mean * weight) / (more + weight)
            weight, count = weight + more, count + many
        pools.append((mean, weight, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


# Ways


def _drawn(
    shapes: Mapping[str, Shape],
    edges: Sequence[Edge],
    chains: Sequence[Sequence[_Cell]],
    layers: Sequence[Sequence[_Cell]],
    middles: Mapping[_Cell, float],
    widths: Mapping[_Cell, float],
) -> Layered:
    left = min(middles[cell] - widths[cell] / 2 for layer in layers for cell in layer)
    right = max(middles[cell] + widths[cell] / 2 for layer in layers for cell in layer)
    heights = [max((shapes[cell[0]].height for cell in layer if cell[0] in shapes), default=0.0) for layer in layers]
    tops = [0.0]
    for one, other in pairwise(heights):
        tops.append(tops[-1] + one + (GAP if one and other else PORT_GAP))
    found = Layered(width=right - left, height=tops[-1] + heights[-1])
    for number, layer in enumerate(layers):
        for cell in layer:
            if cell[0] in shapes:
                shape = shapes[cell[0]]
                down = (heights[number] - shape.height) / 2
                found.corners[cell[0]] = middles[cell] - left - shape.width / 2, tops[number] + down
    arrivals = _arrivals(shapes, edges, chains, middles, found.corners)
    for edge, chain, arrival in zip(edges, chains, arrivals, strict=True):
        shape, (x, y) = shapes[edge.source], found.corners[edge.source]
        start = x + (shape.width / 2 if shape.bottom is None else shape.bottom)
        way = [(start, y + shape.height), (start, tops[chain[0][1]] + heights[chain[0][1]])]
        for cell in chain[1:-1]:
            middle = middles[cell] - left
            way += [(middle, tops[cell[1]]), (middle, tops[cell[1]] + heights[cell[1]])]
        way += [(arrival, tops[chain[-1][1]]), (arrival, found.corners[edge.target][1])]
        found.ways.append([point for number, point in enumerate(way) if not number or point != way[number - 1]])
    return found


def _arrivals(
    shapes: Mapping[str, Shape],
    edges: Sequence[Edge],
    chains: Sequence[Sequence[_Cell]],
    middles: Mapping[_Cell, float],
    corners: Mapping[str, Point],
) -> list[float]:
    """Where each edge touches its target: at its argument's place, or side by side in the order that they come from."""
    found = [0.0] * len(edges)
    for name, shape in shapes.items():
        coming = [number for number, edge in enumerate(edges) if edge.target == name]
        coming.sort(key=lambda number: (middles[chains[number][-2]], edges[number].argument))
        step = min(0.45, 0.8 * shape.width / max(1, len(coming)))
        for place, number in enumerate(coming):
            offset = shape.width / 2 + (place - (len(coming) - 1) / 2) * step
            if shape.tops:
                offset = shape.tops[min(edges[number].argument, len(shape.tops) - 1)]
            found[number] = corners[name][0] + offset
    return found
