"""What joins several inputs."""

import math
from collections.abc import Callable
from typing import Any

from maillon import nn
from maillon.interop.c.program import Program, Value, loop


def _several(inputs: Any) -> tuple[Value, ...]:
    return inputs[0] if len(inputs) == 1 and isinstance(inputs[0], tuple) else inputs


def _joined(p: Program, parts: tuple[Value, ...], sign: str) -> Value:
    if len(parts) == 1:
        return parts[0]
    y = p.value(parts[0].shape)
    lines = [loop("i", y.size), f"{y.at('i')} = {f' {sign} '.join(part.at('i') for part in parts)};", "}"]
    p.step(lines, parts, [y], inplace=True)
    return y


def _weighted_sum(p: Program, link: nn.WeightedSum, inputs: Any) -> Value:
    parts = _several(inputs)
    y = p.value(parts[0].shape)
    terms = [f"{p.number(weight)} * {part.at('i')}" for weight, part in zip(link.weights, parts, strict=True)]
    p.step([loop("i", y.size), f"{y.at('i')} = {' + '.join(terms)};", "}"], parts, [y], inplace=True)
    return y


def _concat(p: Program, link: nn.Concat, inputs: Any) -> Value:
    parts = _several(inputs)
    axis = link.dim % len(parts[0].shape)
    outer, inner = math.prod(parts[0].shape[:axis]), math.prod(parts[0].shape[axis + 1 :])
    total = sum(part.shape[axis] for part in parts)
    y = p.value((*parts[0].shape[:axis], total, *parts[0].shape[axis + 1 :]))
    lines, start = [], 0
    for part in parts:
        count = part.shape[axis] * inner
        rows = (f"n * {count}", f"n * {total * inner}") if outer > 1 else ("0", "0")
        copy = [loop("i", count), f"{y.at(start, rows[1], 'i')} = {part.at(rows[0], 'i')};", "}"]
        lines += [loop("n", outer), *copy, "}"] if outer > 1 else copy
        start += count
    p.step(lines, parts, [y])
    return y


def _residual(p: Program, _link: nn.Residual, y: Value, around: Value) -> Value:
    return _joined(p, (y, around), "+")


KNOWN: dict[type[nn.Module], Callable[..., Any]] = {
    nn.Add: lambda p, _link, inputs: _joined(p, _several(inputs), "+"),
    nn.WeightedSum: _weighted_sum,
    nn.Multiply: lambda p, _link, inputs: _joined(p, _several(inputs), "*"),
    nn.Concat: _concat,
    nn.Residual: _residual,
}
