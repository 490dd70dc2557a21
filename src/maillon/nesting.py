"""Several arrays as one value: tuples and dicts, nested as a network gives and takes them."""

from collections.abc import Callable, Iterator, Sequence
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
    """`grad_output` with zeros, nested and shaped like the output, wherever it is None and the output is not."""
    if grad_output is None:
        return mapped(np.zeros_like, output)
    if not isinstance(output, tuple):
        return grad_output
    return tuple(filled(part, grad_part) for part, grad_part in zip(output, grad_output, strict=True))


def counted_inputs(inputs: Sequence[Any], returned: Any) -> int:
    """How many of the inputs the gradient that a backward returned has parts for.

    All, or all but those at the end that are absent (None) or flags: a link may leave these out.
    """
    count = len(inputs)
    if not isinstance(returned, tuple) or len(returned) != count:
        while count > 1 and (inputs[count - 1] is None or isinstance(inputs[count - 1], bool)):
            count -= 1
    return count


def padded(grads: Any, count: int) -> tuple[Any, ...]:
    """The gradients of `count` inputs, None where a backward has left out those at the end; one may come alone."""
    parts = grads if isinstance(grads, tuple) else (grads,)
    return parts + (None,) * (count - len(parts))


def added(one: Any, other: Any) -> Any:
    """The sum of two gradients nested alike, where None stands for zero."""
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, tuple):
        return tuple(map(added, one, other))
    return one + other
