"""Shapes, order, parts: Reshape, Transpose, Concat, Gather, Slice and what is like them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon.interop.onnx.links import shapes as links
from maillon.interop.onnx.reader import Converter, Known, Live, Node, Reader
from maillon.nn.joints import Concat
from maillon.nn.linear.embedding import Embedding
from maillon.nn.linear.flatten import Flatten, Unflatten
from maillon.nn.module import Module
from maillon.nn.sequence.steps import LastStep
from maillon.typing import Array

Shape = tuple[int | None, ...]


def reshape_link(node: Node, x: Live, wanted: Live) -> Module:
    """The link that brings x to the shape of what is wanted."""
    shape, target = x.shape, wanted.shape  # None for what the batch decides
    for start in (*range(1, len(shape)), 0):
        for end in range(start + 1, len(shape)):
            inner = shape[start : end + 1]
            joined = None if None in inner else math.prod(n for n in inner if n is not None)
            if target == (*shape[:start], joined, *shape[end + 1 :]):
                return Flatten(start, end if end < len(shape) - 1 else -1)
    more = len(target) - len(shape)
    for dim, n in enumerate(shape):
        sizes = target[dim : dim + more + 1]
        parts = [part for part in sizes if part is not None]
        fits = len(parts) == len(sizes) and target == (*shape[:dim], *sizes, *shape[dim + 1 :])
        if more > 0 and fits and n == math.prod(parts):
            return Unflatten(dim, parts)
    same = [len({(one, other) for one, other in _sizes_along(axis, x, wanted)}) == 1 for axis in range(len(target))]
    copied = [0 if n is None and same[axis] else n for axis, n in enumerate(target)]
    if target.count(0) == 1 and copied.count(None) == 0:  # a size of none is what is left of none
        copied[target.index(0)] = None
    if copied.count(None) > 1 or target.count(0) > 1:
        raise node.refusal(f"the shape {target} is decided by more than the batch")
    return links.Reshape([-1 if n is None else n for n in copied])


def _sizes_along(axis: int, *values: Live) -> list[tuple[int, int]]:
    """Of each value the size for both batches; (−1, −1) where it has no such dimension."""
    pairs = [tuple(part.shape[axis] if axis < part.ndim else -1 for part in value.samples) for value in values]
    return [(one, other) for one, other in pairs]


def reshape(reader: Reader, node: Node) -> Any:
    x, given = node.live(), node.input(1)
    if not isinstance(given, Known):
        raise node.refusal("its shape must not depend on the data")
    wanted = [_target(reader, node, x, part, place) for place, part in enumerate(given.samples)]
    samples = (x.samples[0].reshape(wanted[0]), x.samples[1].reshape(wanted[1]))
    if x.permuted is not None and x.reshaped is None and _joins_the_last_two(x, samples):
        root, order = x.permuted
        if order[-2:] == (root.ndim - 2, root.ndim - 1):
            joined = tuple(part.reshape(*part.shape[:-2], -1) for part in root.samples)
            return reader.permuted(node, reader.reshaped(node, root, (joined[0], joined[1])), order[:-1])
    return reader.reshaped(node, x, samples)


def _joins_the_last_two(x: Live, samples: tuple[Array, Array]) -> bool:
    return all(
        made.shape == (*before.shape[:-2], math.prod(before.shape[-2:]))
        for made, before in zip(samples, x.samples, strict=True)
    )


def _target(reader: Reader, node: Node, x: Live, given: Array, place: int) -> list[int]:
    """ONNX's shape as NumPy has it; the batch that the file fixes stays open where it is only copied."""
    shape, found = x.samples[place].shape, []
    for axis, n in enumerate(given.reshape(-1).tolist()):
        copied = n == 0 and not node.get("allowzero", 0)
        if axis == 0 and n == reader.declared_batch and x.shape[:1] == (None,):
            copied = True
        if copied and axis >= len(shape):
            raise node.refusal(f"the shape {given.tolist()} copies a dimension that is not there")
        found.append(shape[axis] if copied else n)
    return found


def flatten(reader: Reader, node: Node) -> Any:
    x = node.live()
    axis = node.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    one, other = (part.reshape(math.prod(part.shape[:axis]), -1) for part in x.samples)
    return reader.reshaped(node, x, (one, other))


def squeeze(reader: Reader, node: Node) -> Any:
    x, axes = node.live(), node.integers(1, "axes")
    axes = [axis for axis, n in enumerate(x.shape) if n == 1] if axes is None else axes
    one, other = (np.squeeze(part, tuple(axes)) for part in x.samples)
    return reader.reshaped(node, x, (one, other))


def unsqueeze(reader: Reader, node: Node) -> Any:
    x, axes = node.live(), node.integers(1, "axes") or []
    one, other = (np.expand_dims(part, tuple(axes)) for part in x.samples)
    return reader.reshaped(node, x, (one, other))


def transpose(reader: Reader, node: Node) -> Any:
    x = node.live()
    return reader.permuted(node, x, node.get("perm") or list(range(x.ndim))[::-1])


def identity(reader: Reader, node: Node) -> Any:
    return node.inputs[0]


def cast(reader: Reader, node: Node) -> Any:
    x = node.live()
    wanted = np.dtype(reader.onnx.helper.tensor_dtype_to_np_dtype(node.get("to")))
    if wanted.char not in "fd":
        raise node.refusal(f"expected float or double to come out, got {wanted}")
    return x if wanted == x.samples[0].dtype else reader.link(node, links.Cast(str(wanted)), x)


def concat(reader: Reader, node: Node) -> Any:
    lives = [node.live(place) for place in range(len(node.inputs))]
    axis = node.get("axis")
    axis = axis + lives[0].ndim if axis < 0 else axis
    states = [live.state for live in lives]
    first = states[0]
    if first is not None and axis == lives[0].ndim - 1:
        told = [None if state is None else (state.whole.source, state.which) for state in states]
        if told == [(first.whole.source, way) for way in range(first.directions)]:
            return reader.link(node, LastStep(), first.whole)
    if len(lives) == 1:
        return lives[0]
    made: Live = reader.link(node, Concat(axis), *lives)
    made.parts = (lives, axis)
    return made


def gather(reader: Reader, node: Node) -> Any:
    data, indices, axis = node.input(0), node.input(1), node.get("axis", 0)
    if isinstance(data, Known):
        return _looked_up(reader, node, data, indices, axis)
    x, places = node.live(), node.constant(1)
    axis = axis + x.ndim if axis < 0 else axis
    if places.ndim == 0:
        x, places = _part(x, int(places), axis)
        if x.state is not None and axis == 0:
            state = x.state.of(int(places) % x.state.directions)
            if state.directions == 1:
                return reader.link(node, LastStep(), state.whole)
            made: Live = reader.link(node, links.Take(places, 0), x)
            made.state = state
            return made
    return reader.link(node, links.Take(places, axis), x)


def _part(x: Live, place: int, axis: int) -> tuple[Live, Array]:
    """Of what was joined along the axis the part with this place, and the place in it."""
    if x.parts is not None and x.parts[1] == axis and x.shape[axis] is not None:
        place = place + int(x.shape[axis] or 0) if place < 0 else place
        for part in x.parts[0]:
            n = part.samples[0].shape[axis]
            if place < n:
                return part, np.asarray(place)
            place -= n
    return x, np.asarray(place)


def _looked_up(reader: Reader, node: Node, data: Known, indices: Any, axis: int) -> Any:
    """Rows of a table of weights."""
    table = data.samples[0]
    if axis != 0 or table.ndim != 2 or table.dtype.kind != "f" or not isinstance(indices, Live):
        raise node.refusal("maillon looks up rows of a matrix of weights (Embedding) only")
    count, width = table.shape
    link = Embedding(count, width, dtype=table.dtype)
    link.weight = reader.parameter(data, table)
    link.weight.requires_grad = data.name is not None
    return reader.link(node, link, indices)


def cut(reader: Reader, node: Node) -> Any:
    x = node.live()
    starts, ends = node.integers(1, "starts") or [], node.integers(2, "ends") or []
    axes = node.integers(3, "axes") or list(range(len(starts)))
    steps = node.integers(4, "steps") or [1] * len(starts)
    axes = [axis + x.ndim if axis < 0 else axis for axis in axes]
    return reader.link(node, links.Slice(starts, ends, axes, steps), x)


def split(reader: Reader, node: Node) -> Any:
    x, sizes = node.live(), node.integers(1, "split")
    axis = node.get("axis", 0)
    if sizes is None:
        n = x.shape[axis]
        count = node.get("num_outputs") or len(node.outputs)
        if n is None:
            raise node.refusal("it cuts the batch")
        most = -(-n // count)
        sizes = [most] * (count - 1) + [n - most * (count - 1)]
    return reader.link(node, links.Split(sizes, axis), x)


def expand(reader: Reader, node: Node) -> Any:
    x, given = node.live(), node.input(1)
    if not isinstance(given, Known):
        raise node.refusal("its shape must not depend on the data")
    shapes = [
        np.broadcast_shapes(part.shape, tuple(int(n) for n in wanted.reshape(-1)))
        for part, wanted in zip(x.samples, given.samples, strict=True)
    ]
    node.room(*shapes[1])
    if all(shape == part.shape for shape, part in zip(shapes, x.samples, strict=True)):
        return x
    return reader.link(node, links.Expand(_fixed(node, x, shapes)), x)


def _fixed(node: Node, x: Live, shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """One shape for any batch: 1 where x has the size itself."""
    own = (*[1] * (len(shapes[0]) - x.ndim), *x.shape)
    fixed = []
    for axis, (one, other) in enumerate(zip(*shapes, strict=True)):
        if one != other and own[axis] is not None:
            raise node.refusal("it repeats values as often as the batch is large")
        fixed.append(one if one == other else 1)
    return fixed


def tile(reader: Reader, node: Node) -> Any:
    x, repeats = node.live(), [int(n) for n in node.constant(1)]
    node.room(x.samples[1].size, *repeats)
    return reader.link(node, links.Tile(repeats), x)


CONVERTERS: dict[str, Converter] = {
    "Cast": cast,
    "Concat": concat,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Identity": identity,
    "Reshape": reshape,
    "Slice": cut,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
