"""That the function means what the network means: one sample at a time and, with recurrent links, one step at a time.

The network itself is asked: each link's output for two samples or several steps against those for each of them alone.
"""

from typing import Any

import numpy as np

from maillon.interop.c.links import LAYERS, RECURRENT
from maillon.interop.c.program import refusal
from maillon.interop.c.trace import forward, hooked
from maillon.nesting import leaves
from maillon.nn import Module
from maillon.nn.support.errors import LinkError
from maillon.typing import Array

SAMPLES = "what it gives for a sample depends on the others of its batch, and the function has one sample."
STEPS = (
    "what it gives at a step is not made of that step and of a recurrent link's state, and the function has one step."
)
NEAR = 1e-9
Call = tuple[str, Any]


def observed(network: Module, inputs: list[Array], states: dict[str, Any] | None = None) -> list[Call]:
    """The outputs of all links, in the order in which they ended. With `states` recurrent links go on from those."""
    calls: list[Call] = []

    def hook(path: str, link: Module, *given: Any, **named: Any) -> Any:
        if states is not None and type(link) in RECURRENT and len(given) == 1 and not named:
            output = forward(link, given[0], states.get(path))
            states[path] = output[1] if type(link) in LAYERS else output
        else:
            output = forward(link, *given, **named)
        calls.append((path, output))
        return output

    with hooked(network, hook):
        network(*inputs)
    return calls


def check_samples(network: Module, shown: dict[str, str], batches: list[tuple[Array, int]]) -> None:
    """Refuse what mixes samples. batches: each input for two samples, and the dimension that counts them."""
    whole = _tried(network, [x for x, _ in batches], SAMPLES)
    for place in range(2):
        alone = observed(network, [x.take([place], axis) for x, axis in batches])
        _compare(whole, alone, place, SAMPLES, shown)


def check_steps(network: Module, shown: dict[str, str], sequences: list[tuple[Array, int | None]]) -> None:
    """Refuse what mixes steps. sequences: each input, and the dimension that counts its steps, if one does."""
    states: dict[str, Any] = {}
    count = max(x.shape[axis] for x, axis in sequences if axis is not None)
    for place in range(count):
        so_far = [x if axis is None else x.take(range(place + 1), axis) for x, axis in sequences]
        step = [x if axis is None else x.take([place], axis) for x, axis in sequences]
        _compare(_tried(network, so_far, STEPS), observed(network, step, states), place, STEPS, shown)


def _tried(network: Module, inputs: list[Array], why: str) -> list[Call]:
    """The calls of a network that has taken one sample, or one step."""
    try:
        return observed(network, inputs)
    except LinkError as error:
        raise NotImplementedError(f"to_c: the network cannot be written in C: {why} It says: {error}") from error


def _compare(whole: list[Call], alone: list[Call], place: int, why: str, shown: dict[str, str]) -> None:
    if [path for path, _ in whole] != [path for path, _ in alone]:
        raise refusal(shown, "", "it calls other links for other values.")
    for (path, one), (_, other) in zip(whole, alone, strict=True):
        if not all(_agree(*pair, place) for pair in zip(leaves(one), leaves(other), strict=True)):
            raise refusal(shown, path, why)


def _agree(whole: Array, alone: Array, place: int) -> bool:
    """Whether `alone` is what `whole` has at a place of the dimension in which they differ; without one, is `whole`."""
    if whole.ndim != alone.ndim:
        return False
    differing = [axis for axis in range(whole.ndim) if whole.shape[axis] != alone.shape[axis]]
    if len(differing) > 1 or any(alone.shape[axis] != 1 or place >= whole.shape[axis] for axis in differing):
        return False
    part = whole.take([place], differing[0]) if differing else whole
    largest = float(np.max(np.abs(alone), initial=0, where=np.isfinite(alone)))
    return np.allclose(part, alone, rtol=0, atol=NEAR * largest, equal_nan=True)
