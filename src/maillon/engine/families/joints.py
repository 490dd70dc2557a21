"""What joins values and links, and the operations that other families add up and move values with."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from maillon import nn
from maillon.engine.builder import (
    Builder,
    NotLoweredError,
    Tree,
    Value,
    floating,
    lowers,
)
from maillon.engine.table import Kind, declare
from maillon.engine.walk import lower_child, lower_handed
from maillon.nn import Module

PARTS = 8
"""How many values one operation joins or cuts."""
_DIMS = 5
"""How many dimensions one operation moves values along."""

_WIDTHS = tuple(f"width{part}" for part in range(PARTS))
_WHOLE = f"outer * ({' + '.join(_WIDTHS)})"
_GRID = (*(f"n{dim}" for dim in range(_DIMS)), *(f"stride{dim}±" for dim in range(_DIMS)))
_MOVED = " * ".join(f"n{dim}" for dim in range(_DIMS))
_REACH = " + ".join(f"{{0}}(0, (n{dim} - 1) * stride{dim})" for dim in range(_DIMS))
_INSIDE = f"{_MOVED} == 0 or (offset + {_REACH.format('min')} >= 0 and offset + {_REACH.format('max')} < size)"
_SPREAD = "n0 * n1 * n2 * n3"
_SPREAD_REACH = " + ".join(f"(n{dim} - 1) * stride{dim}" for dim in range(4))

OPERATIONS = declare(
    Kind("add", "out = a + b", ("a: r n", "b: r n", "out: w n in a"), ("n",), flops="n", work="5 * n"),
    Kind(
        "scaled_sum",
        "out = α a + β b, or α a",
        ("a: r n", "b?: r n", "out: w n in a"),
        ("n",),
        ("alpha", "beta"),
        flops="3 * n",
        work="5 * n",
    ),
    Kind("multiply", "out = a b", ("a: r n", "b: r n", "out: w n in a"), ("n",), flops="n", work="5 * n"),
    Kind(
        "multiply_grad",
        "da = b dy, db = a dy",
        ("dy: r n", "a: r n", "b: r n", "da?: w n in dy", "db?: w n in dy"),
        ("n",),
        flops="2 * n",
        work="5 * n",
    ),
    Kind(
        "concat",
        "a row of y = the parts' rows one after the other",
        (*(f"x{part}?: r outer * {width}" for part, width in enumerate(_WIDTHS)), f"y: w {_WHOLE}"),
        ("outer", *_WIDTHS),
        work=f"5 * {_WHOLE}",
        must=tuple(f"x{part} or {width} == 0" for part, width in enumerate(_WIDTHS)),
    ),
    Kind(
        "split",
        "the parts' rows = pieces of a row of x",
        (f"x: r {_WHOLE}", *(f"y{part}?: w outer * {width}" for part, width in enumerate(_WIDTHS))),
        ("outer", *_WIDTHS),
        work=f"5 * {_WHOLE}",
    ),
    Kind(
        "take",
        "y[i…] = x[offset + Σ i stride]",
        ("x: r size", f"y: w {_MOVED}"),
        ("size", "offset", *_GRID),
        work=f"5 * {_MOVED}",
        must=(_INSIDE,),
    ),
    Kind(
        "place",
        "y[offset + Σ i stride] = x[i…], 0 elsewhere",
        (f"x: r {_MOVED}", "y: w size"),
        ("size", "offset", *_GRID),
        work=f"5 * ({_MOVED} + size)",
        must=(_INSIDE,),
    ),
    Kind(
        "spread",
        "y = a + b or a b, b[Σ i stride] for a[i…]",
        (f"a: r {_SPREAD}", "b: r size", f"y: w {_SPREAD} in a"),
        ("size", "n0", "n1", "n2", "n3", "stride0", "stride1", "stride2", "stride3", "multiply<2"),
        flops=_SPREAD,
        work=f"5 * {_SPREAD}",
        must=(f"{_SPREAD} == 0 or {_SPREAD_REACH} < size",),
    ),
    Kind(
        "sum_over",
        "y[m, i] (+)= Σ over leading and trailing of x, or of x times a factor; x as (leading, middle, trailing, last)",
        (
            "x: r leading * middle * trailing * last",
            "factor?: r leading * middle * trailing * last",
            "y: rw middle * last",
        ),
        ("leading", "middle", "trailing", "last", "keep<2"),
        flops="leading * middle * trailing * last",
        work="5 * leading * middle * trailing * last",
    ),
    Kind("fill", "y = value", ("y: w n",), ("n",), ("value",), work="5 * n"),
)


# Values that move


def strides_of(shape: Sequence[int]) -> tuple[int, ...]:
    """From one element to the next along each dimension, in C order."""
    return tuple(math.prod(shape[dim + 1 :]) for dim in range(len(shape)))


def moved(b: Builder, x: Value, name: str, shape: tuple[int, ...], strides: Sequence[int], offset: int = 0) -> Value:
    """y[i…] = x[offset + Σ i stride], no element twice; its gradient goes back to where the values came from."""
    grid = _grid(shape, strides)
    if offset == 0 and math.prod(shape) == x.size and grid == _grid(shape, strides_of(shape)):
        return x.reshaped(shape)
    own = {"size": x.size, "offset": offset, **grid}
    y = b.local(name, shape)
    b.add("take", x=x, y=y, **own)

    def backward(dy: Value) -> None:
        b.add("place", x=dy, y=b.grad(x), **own)

    b.differentiate(backward, y, (x,))
    return y


def permuted(b: Builder, x: Value, name: str, axes: Sequence[int]) -> Value:
    """x with its dimensions in another order."""
    strides = strides_of(x.shape)
    return moved(b, x, name, tuple(x.shape[axis] for axis in axes), [strides[axis] for axis in axes])


def _grid(shape: Sequence[int], strides: Sequence[int]) -> Mapping[str, int]:
    """The sizes n and stride, with as few dimensions as it takes."""
    merged: list[tuple[int, int]] = []
    for n, stride in zip(shape, strides, strict=True):
        if n == 1:
            continue
        if merged and merged[-1][1] == stride * n:
            merged[-1] = (merged[-1][0] * n, stride)
        else:
            merged.append((n, stride))
    if len(merged) > _DIMS:
        raise NotLoweredError(f"the core moves values along {_DIMS} dimensions at most, not {len(merged)}")
    merged = [(1, 0)] * (_DIMS - len(merged)) + merged
    places = [(f"n{dim}", n) for dim, (n, _) in enumerate(merged)]
    return dict(places + [(f"stride{dim}", stride) for dim, (_, stride) in enumerate(merged)])


# Several values made one


def _several(link: Module, inputs: tuple[Tree, ...]) -> list[Value]:
    """The inputs of a joint, given as such or as one tuple."""
    parts = inputs[0] if len(inputs) == 1 and type(inputs[0]) is tuple else inputs
    if not parts:
        raise NotLoweredError(f"{link!r} has no input")
    return [floating(link, part) for part in parts]


def _alike(link: Module, inputs: tuple[Tree, ...]) -> list[Value]:
    parts = _several(link, inputs)
    if any(part.shape != parts[0].shape for part in parts):
        raise NotLoweredError(f"{link!r} joins {' and '.join(str(part.shape) for part in parts)}")
    return parts


def total(b: Builder, name: str, *parts: Value) -> Value:
    """The sum of values of one shape."""
    first, *others = parts
    y = first
    for part in others:
        out = b.local(name, first.shape)
        b.add("add", a=y, b=part, out=out, n=first.size)
        y = out

    def backward(dy: Value) -> None:
        for part in parts:
            b.pass_on(part, dy)

    if others:
        b.differentiate(backward, y, parts)
    return y


@lowers("Add", trees=True)
def add(b: Builder, link: "nn.Add", *inputs: Tree) -> Value:
    return total(b, "y", *_alike(link, inputs))


@lowers("WeightedSum", trees=True)
def weighted_sum(b: Builder, link: "nn.WeightedSum", *inputs: Tree) -> Value:
    parts, weights = _alike(link, inputs), link.weights
    if len(parts) != len(weights):
        raise NotLoweredError(f"{link!r} takes {len(weights)} inputs, not {len(parts)}")

    def scaled(out: Value, alpha: float, x: Value, beta: float = 0.0, other: Value | None = None) -> Value:
        b.add("scaled_sum", a=x, b=other, out=out, n=x.size, alpha=alpha, beta=beta)
        return out

    shape = parts[0].shape
    if len(parts) == 1:
        y = scaled(b.local("y", shape), weights[0], parts[0])
    else:
        y = scaled(b.local("y", shape), weights[0], parts[0], weights[1], parts[1])
    for part, weight in zip(parts[2:], weights[2:], strict=True):
        y = scaled(b.local("y", shape), 1.0, y, weight, part)

    def backward(dy: Value) -> None:
        for part, weight in zip(parts, weights, strict=True):
            if b.wants(part):
                scaled(b.grad(part), weight, dy)

    b.differentiate(backward, y, parts)
    return y


@lowers("Multiply", trees=True)
def multiply(b: Builder, link: "nn.Multiply", *inputs: Tree) -> Value:
    parts = _alike(link, inputs)
    y, n, shape = parts[0], parts[0].size, parts[0].shape

    def product(one: Value, other: Value, out: Value | None = None) -> Value:
        made = b.local("product", shape) if out is None else out
        b.add("multiply", a=one, b=other, out=made, n=n)
        return made

    for part in parts[1:]:
        y = product(y, part)

    def backward(dy: Value) -> None:
        if len(parts) == 2:
            da, db = (b.grad(part) if b.wants(part) else None for part in parts)
            b.add("multiply_grad", dy=dy, a=parts[0], b=parts[1], da=da, db=db, n=n)
            return
        lefts = [dy]  # dy times everything to the left, then times everything to the right
        for part in parts[:-1]:
            lefts.append(product(lefts[-1], part))
        b.pass_on(parts[-1], lefts[-1])
        right = parts[-1]
        for place in range(len(parts) - 2, -1, -1):
            if b.wants(parts[place]):
                product(lefts[place], right, b.grad(parts[place]))
            if place:
                right = product(right, parts[place])

    if len(parts) > 1:
        b.differentiate(backward, y, parts)
    return y


@lowers("Concat", trees=True)
def concat(b: Builder, link: "nn.Concat", *inputs: Tree) -> Value:
    parts = _several(link, inputs)
    shape = parts[0].shape
    if not -len(shape) <= link.dim < len(shape):
        raise NotLoweredError(f"{link!r} does not take the shape {shape}")
    dim = link.dim % len(shape)
    if any(part.shape[:dim] + part.shape[dim + 1 :] != shape[:dim] + shape[dim + 1 :] for part in parts) or any(
        len(part.shape) != len(shape) for part in parts
    ):
        raise NotLoweredError(f"{link!r} joins {' and '.join(str(part.shape) for part in parts)}")
    return joined(b, "y", dim, parts)


def joined(b: Builder, name: str, dim: int, parts: Sequence[Value]) -> Value:
    """The values one after the other along a dimension."""
    if len(parts) > PARTS:
        return joined(b, name, dim, [joined(b, name, dim, parts[:PARTS]), *parts[PARTS:]])
    shape, inner = parts[0].shape, math.prod(parts[0].shape[dim + 1 :])
    widths = {f"width{place}": part.shape[dim] * inner for place, part in enumerate(parts)}
    outer = math.prod(shape[:dim])
    y = b.local(name, (*shape[:dim], sum(part.shape[dim] for part in parts), *shape[dim + 1 :]))
    b.add("concat", y=y, outer=outer, **{f"x{place}": part for place, part in enumerate(parts)}, **widths)

    def backward(dy: Value) -> None:
        grads = {f"y{place}": b.grad(part) for place, part in enumerate(parts) if b.wants(part)}
        b.add("split", x=dy, outer=outer, **grads, **widths)

    b.differentiate(backward, y, parts)
    return y


# Links joined


@lowers("Sequential", trees=True)
def sequential(b: Builder, chain: "nn.Sequential", /, *inputs: Tree, **named: Tree) -> Tree:
    links = list(chain.named_children())
    x: Tree = inputs[0] if len(inputs) == 1 else inputs
    if named:
        if not links or inputs:
            raise NotLoweredError(f"{type(chain).__name__} takes its inputs by place")
        (name, first), *links = links
        x = lower_child(b, first, name, **named)
    for name, link in links:
        x = lower_handed(b, link, name, x)
    return x


@lowers("Residual", trees=True)
def residual(b: Builder, link: "nn.Residual", x: Tree) -> Value:
    y = floating(link, lower_child(b, link.link, "link", x))
    around = floating(link, x if link.shortcut is None else lower_child(b, link.shortcut, "shortcut", x))
    if y.shape != around.shape:
        raise NotLoweredError(f"the ways of a Residual lead to {y.shape} and {around.shape}")
    return total(b, "y", y, around)


@lowers("Parallel", trees=True)
def parallel(b: Builder, link: "nn.Parallel", *inputs: Tree) -> Tree:
    parts = inputs[0] if len(inputs) == 1 and type(inputs[0]) is tuple else inputs
    given = parts * len(link) if len(parts) == 1 else parts
    if len(given) != len(link):
        raise NotLoweredError(f"Parallel takes {len(link)} inputs or one, not {len(given)}")
    return tuple(lower_handed(b, child, name, x) for x, (name, child) in zip(given, link.named_children(), strict=True))


@lowers("Graph", trees=True)
def graph(b: Builder, link: "nn.Graph", /, *inputs: Tree, **named: Tree) -> Tree:
    if len(inputs) == 1 < len(link.inputs) and isinstance(inputs[0], tuple):
        inputs = inputs[0]
    values = dict(zip(link.inputs, inputs, strict=False)) | named
    if len(inputs) + len(named) != len(link.inputs) or values.keys() != set(link.inputs):
        raise NotLoweredError(f"Graph takes the inputs {', '.join(link.inputs)}")
    for name, node in link.named_children():
        given = [_at(values, source) for source in link.sources[name]]
        several = len(given) > 1
        values[name] = lower_child(b, node, name, *given) if several else lower_handed(b, node, name, given[0])
    if isinstance(link.outputs, str):
        return _at(values, link.outputs)
    return tuple(_at(values, name) for name in link.outputs)


def _at(values: Mapping[str, Tree], source: str) -> Tree:
    """What a source stands for: the longest name that it begins with, then places in a nested output."""
    parts = source.split(".")
    end = next(end for end in range(len(parts), 0, -1) if ".".join(parts[:end]) in values)
    value: Any = values[".".join(parts[:end])]
    for place in map(int, parts[end:]):
        if not isinstance(value, tuple) or place >= len(value):
            raise NotLoweredError(f"there is no {source!r}")
        value = value[place]
    return value


# What a chain takes of a recurrent layer


def _of_sequences(link: Module, x: Tree) -> tuple[Value, Value]:
    """The output at every step, and of the state h_n."""
    if not isinstance(x, tuple) or len(x) != 2:
        raise NotLoweredError(f"{link!r} takes the output and the state of a recurrent layer")
    output, state = x
    return floating(link, output), floating(link, state[0] if isinstance(state, tuple) else state)


@lowers("LastStep", trees=True)
def last_step(b: Builder, link: "nn.LastStep", x: Tree) -> Value:
    output, hidden = _of_sequences(link, x)
    layers, *batch, features = hidden.shape if len(hidden.shape) > 1 else (0, 0)
    directions = 2 if output.shape[-1:] != (features,) else 1
    if output.shape[-1:] != (directions * features,) or len(output.shape) != len(hidden.shape) or layers < directions:
        raise NotLoweredError(f"{link!r} does not take {output.shape} with a state of {hidden.shape}")
    rows = math.prod(batch)
    y = moved(
        b,
        hidden,
        "y",
        (rows, directions, features),
        (features, rows * features, 1),
        (layers - directions) * rows * features,
    )
    return y.reshaped((*batch, directions * features))


@lowers("EveryStep", trees=True)
def every_step(b: Builder, link: "nn.EveryStep", x: Tree) -> Value:
    return _of_sequences(link, x)[0]
