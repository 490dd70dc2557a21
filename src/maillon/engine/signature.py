"""What a plan is made from, as far as Python can change it afterwards: state by identity, constants by their bytes."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from maillon.nn import Module, Parameter
from maillon.random import Generator

METHODS = ("forward", "backward", "backward_parameters")
"""What a link computes with: one of these set on an instance makes it a link of the user's own."""

_PASSING = ("_kept", "training", "denominator", "shares")  # what a step leaves behind, and the mode


def attributes(module: Module) -> Iterator[tuple[str, Any]]:
    """The module's own attributes, without what a step leaves behind and without its mode."""
    return ((name, value) for name, value in vars(module).items() if name not in _PASSING)


def signature(*modules: Module, learning: bool = False) -> tuple[Any, ...]:
    """When it changes, plans of these modules must be made anew.

    Parameters and buffers are state: the plan works on their arrays, and new values need no new plan. Everything else
    is constant: numbers, texts and the bytes of arrays. learning: the mode counts as well, and what is frozen.
    The plan holds the arrays, so that another one cannot have the same identity.
    """
    parts: list[Any] = []
    for module in (inner for module in modules for inner in module.modules()):
        parts += [module, type(module), learning and module.training]
        for name, value in attributes(module):
            parts.append(name)
            if isinstance(value, Parameter):
                parts += [value, id(value.data), learning and value.requires_grad]
            elif isinstance(value, np.ndarray):
                state = name in module._buffer_names
                parts.append(id(value) if state else (value.shape, value.dtype, value.tobytes()))
            elif value is None or isinstance(value, int | float | str | Generator):
                parts.append(value)
    return tuple(parts)


def watch(core: Any, network: Module, root: bool) -> Any:
    """The same of a prediction, at next to no cost a look: `same()` is whether nothing has been replaced.

    Everything counts by identity. root: False does not hold the network itself, whose type then goes unwatched.
    """
    modules = list(network.modules())
    own = [(vars(module), name, value) for module in modules for name, value in attributes(module)]
    parameters = [value for _, _, value in own if isinstance(value, Parameter)]
    return core.Watch(
        [(module, type(module)) for module in modules[not root :]],
        own,
        [(vars(module), "forward") for module in modules if "forward" not in vars(module)],
        [(parameter, parameter.data) for parameter in parameters],
    )
