"""What goes wrong in a network's backward pass: the usual slips, made with its own modules and compared."""

from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.check.diagnosis.case import same
from maillon.check.handout import storage
from maillon.check.handout.modules import STEP, Trial
from maillon.check.handout.storage import Place
from maillon.check.words import Phrase, say
from maillon.typing import Array

Pass = Callable[[list[Any], list[Any], Array], None]
"""A backward pass over (modules, the input of each and the output at the end, delta)."""


def right(modules: list[Any], values: list[Any], delta: Array) -> None:
    """Each module at its own input, the last first."""
    for module, value in zip(reversed(modules), reversed(values[:-1]), strict=True):
        module.backward_update_gradient(value, delta)
        delta = module.backward_delta(value, delta)


def at_outputs(modules: list[Any], values: list[Any], delta: Array) -> None:
    """Each module at its output."""
    for module, value in zip(reversed(modules), reversed(values[1:]), strict=True):
        module.backward_update_gradient(value, delta)
        delta = module.backward_delta(value, delta)


def deltas_at_outputs(modules: list[Any], values: list[Any], delta: Array) -> None:
    """The deltas at the outputs, the gradients at the inputs."""
    for place in reversed(range(len(modules))):
        modules[place].backward_update_gradient(values[place], delta)
        delta = modules[place].backward_delta(values[place + 1], delta)


def not_passed_on(modules: list[Any], values: list[Any], delta: Array) -> None:
    """The network's delta for every module."""
    for module, value in zip(reversed(modules), reversed(values[:-1]), strict=True):
        module.backward_update_gradient(value, delta)


def delta_too_early(modules: list[Any], values: list[Any], delta: Array) -> None:
    """The gradient of a module by the delta of the module before it."""
    for module, value in zip(reversed(modules), reversed(values[:-1]), strict=True):
        delta = module.backward_delta(value, delta)
        module.backward_update_gradient(value, delta)


def first_left_out(modules: list[Any], values: list[Any], delta: Array) -> None:
    """A loop that ends one module too early."""
    right(modules[1:], values[1:], delta)


def last_left_out(modules: list[Any], values: list[Any], delta: Array) -> None:
    """A loop that begins one module too late."""
    right(modules[:-1], values[:-1], delta)


def updated_early(modules: list[Any], values: list[Any], delta: Array) -> None:
    """Parameters that are changed before the delta is worked out with them."""
    for module, value in zip(reversed(modules), reversed(values[:-1]), strict=True):
        module.backward_update_gradient(value, delta)
        module.update_parameters(STEP)
        delta = module.backward_delta(value, delta)


SLIPS: list[tuple[Pass, Phrase | None]] = [
    (right, None),
    (at_outputs, say("Each module is given its output in place of its input in the backward pass.")),
    (deltas_at_outputs, say("backward_delta is given the output of the module in place of its input.")),
    (
        not_passed_on,
        say("Every module is given the same delta: what backward_delta returns is the delta of the module before."),
    ),
    (delta_too_early, say("A module's gradient takes the delta that its own backward_delta has just returned.")),
    (first_left_out, say("The first module is left out of the backward pass.")),
    (last_left_out, say("The last module is left out of the backward pass.")),
    (
        updated_early,
        say("A module's parameters are changed before its backward_delta is worked out: update when all are known."),
    ),
]


def slip(trial: Trial, modules_of: Callable[[Any], list[Any]]) -> Phrase | None:
    """The slip that leaves just what this backward pass left; None where none does."""
    held = trial.started()
    before = trial.values(held)
    trial.passed(held)
    got, kept = _left(trial, held, before), storage.arrays(modules_of(held))
    seen = all(place is not None for place in trial.found.gradients.values())
    for wrong, sentence in SLIPS:
        other = trial.started()
        modules, values = modules_of(other), [trial.x]
        try:
            with trial.subject.quiet():
                for module in modules:
                    values.append(module.forward(values[-1]))
                wrong(modules, values, trial.delta.copy())
        except Exception:  # shapes that do not fit: it is not that slip
            continue
        made = _left(trial, other, before)
        if not seen and not _alike(kept, storage.arrays(modules)):
            continue  # some gradients are not known: nothing that the modules hold may differ
        if all(same(np.asarray(got[place]), np.asarray(made[place])) for place in got):
            return sentence
    return None


def _alike(one: dict[Place, Array], other: dict[Place, Array]) -> bool:
    return one.keys() == other.keys() and all(same(one[place], other[place]) for place in one)


def _left(trial: Trial, held: Any, before: dict[Place, Array]) -> dict[Place, Array]:
    """The gradients that a pass left in the modules; what it moved them by, divided by the step, where it did."""
    after = trial.values(held)
    if any(not np.array_equal(after[place], before[place]) for place in after):
        return {place: (before[place] - after[place]) / STEP for place in after}
    gradients = trial.gradients(held)
    return {place: np.zeros_like(before[place]) if one is None else one for place, one in gradients.items()}
