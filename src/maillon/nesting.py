"""Several arrays as one value: tuples and dicts, nested as a network gives and takes them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def leaves(value: Any) -> list[Any]:
    """The parts of nested tuples and dicts, in order."""
    if isinstance(value, tuple):
        return [leaf for part in value for leaf in leaves(part)]
    return [leaf for part in value.values() for leaf in leaves(part)] if isinstance(value, dict) else [value]


def leaf_names(value: Any, name: str) -> list[str]:
    """The name of each leaf: ``state[0]``, ``x['image']``."""
    if isinstance(value, tuple):
        return [inner for i, part in enumerate(value) for inner in leaf_names(part, f"{name}[{i}]")]
    if isinstance(value, dict):
        return [inner for key, part in value.items() for inner in leaf_names(part, f"{name}[{key!r}]")]
    return [name]


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """The value with each leaf replaced by `function` of it; None stays None."""
    if isinstance(value, tuple):
        return tuple(mapped(function, part) for part in value)
    if isinstance(value, dict):
        return {key: mapped(function, part) for key, part in value.items()}
    return None if value is None else function(value)


def rebuilt(like: Any, parts: Iterator[Any]) -> Any:
    """The parts, nested like `like`."""
    if isinstance(like, tuple):
        return tuple(rebuilt(part, parts) for part in like)
    return {key: rebuilt(part, parts) for key, part in like.items()} if isinstance(like, dict) else next(parts)


def filled(output: Any, grad_output: Any) -> Any:
    """`grad_output` with zeros, nested and shaped like the output, wherever it is None."""
    if grad_output is None:
        return rebuilt(output, iter([np.zeros_like(leaf) for leaf in leaves(output)]))
    if not isinstance(output, tuple):
        return grad_output
    return tuple(filled(part, grad_part) for part, grad_part in zip(output, grad_output, strict=True))


def added(one: Any, other: Any) -> Any:
    """The sum of two gradients nested alike, where None stands for zero."""
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, tuple):
        return tuple(map(added, one, other))
    return one + other
