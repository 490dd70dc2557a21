"""The rules of a handout's network: modules in a row, whatever its backward pass is called."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from maillon.check.diagnosis.case import Case, same
from maillon.check.handout.gradients import Backward, again_by, at_hand, check_gradients_of, hold
from maillon.check.handout.modules import (
    STEP,
    Trial,
    backward_of,
    module_holds,
    rule_1_a_function,
    rule_5_zero_grad,
    rule_6_update,
)
from maillon.check.handout.slips import slip
from maillon.check.handout.subject import Subject, last
from maillon.check.handout.values import like_holds
from maillon.check.handout.verdict import HandoutError
from maillon.check.words import say
from maillon.nn import Module as Link
from maillon.typing import Array

DELTA = re.compile(r"delta|grad(?!ient_step)|loss|err|^d[A-Z_]", re.IGNORECASE)
RATE = re.compile(r"eps|^lr$|learning_rate|step|pas|rate|eta|alpha", re.IGNORECASE)
LOSS = re.compile(r"_*(loss|criterion|cout|coût|perte)$", re.IGNORECASE)
TARGET = re.compile(r"_*(batch_?|data_?)?(y|yhat|y_true|targets?|labels?)$", re.IGNORECASE)
"""What the arguments of backward are called."""


def modules_of(held: object) -> list[Any]:
    """The modules that an object keeps in a list, tuple or dict; the longest such."""
    found: list[Any] = []
    for value in getattr(held, "__dict__", {}).values():
        inside = list(value.values()) if isinstance(value, dict) else value
        if (
            isinstance(inside, list | tuple)
            and inside
            and all(callable(getattr(one, "forward", None)) for one in inside)
        ):
            found = list(inside) if len(inside) > len(found) else found
    return found


def container_holds(subject: Subject, x: Array, like: Link | None) -> tuple[float, str, list[str]]:
    """Rules 1 to 6 of a network; a mistake of one of its modules is told of that module."""
    rule_1_a_function(subject, x)
    _composed(subject, x)
    ways = _ways(subject)
    if not ways:
        raise HandoutError(
            3,
            subject.name,
            "backward",
            say("a method backward, or backward_delta and backward_update_gradient"),
            say("none"),
        )
    names, worst, trial = _first_right(subject, x, ways)
    if like is not None:
        like_holds(subject, x, trial.output, trial.found.parameters, like)
    methods = ["forward", *names]
    if trial.found.parameters and not _steps_itself(trial):
        if subject.has("zero_grad"):
            rule_5_zero_grad(trial)
            methods.append("zero_grad")
        if subject.has("update_parameters"):
            rule_6_update(trial)
            methods.append("update_parameters")
    return worst, names[0], methods


def _first_right(
    subject: Subject, x: Array, ways: list[tuple[list[str], Backward]]
) -> tuple[list[str], float, "Trial"]:
    """The first backward pass that is right; else the error of a module, or that of the first that did not raise."""
    failed: list[HandoutError] = []
    for names, way in ways:
        try:
            return names, *_backward_holds(subject, x, way)
        except HandoutError as error:
            failed.append(error)
    _modules_hold(subject, x)
    place = next((place for place, one in enumerate(failed) if one.__cause__ is None), 0)
    if failed[place].__cause__ is None:
        trial = Trial(subject, x, ways[place][1])
        trial.look()
        failed[place].way_out = slip(trial, modules_of) or failed[place].way_out
    raise failed[place]


def _composed(subject: Subject, x: Array) -> None:
    """The output is that of the modules one after the other."""
    held = subject.fresh()
    value = x
    for module in modules_of(held):
        with subject.quiet():
            value = np.asarray(module.forward(value), dtype=np.float64)
    got = subject.forward(subject.fresh(), x)
    if not same(got, value):
        backwards = x
        try:
            for module in reversed(modules_of(subject.fresh())):
                with subject.quiet():
                    backwards = np.asarray(module.forward(backwards))
        except Exception:  # the modules do not fit in that order
            backwards = np.zeros(0)
        why = say("The modules are passed in the reverse order.") if same(got, backwards) else ""
        if same(got, x):
            why = say("It is the input itself.")
        raise HandoutError(
            1,
            subject.name,
            "forward",
            say("the output of its modules, one after the other"),
            say("something else"),
            way_out=why,
        )


def _modules_hold(subject: Subject, x: Array) -> None:
    """Each module for itself, at the input that it gets."""
    value = x
    for place, module in enumerate(modules_of(subject.fresh())):
        part = subject.part(module)
        part.name = f"{subject.name}[{place}] {part.name}"
        if callable(getattr(module, "backward_delta", None)):
            module_holds(part, value, None)
        value = part.forward(part.fresh(), value)


def _ways(subject: Subject) -> list[tuple[list[str], Backward]]:
    """The backward passes that it offers: its own backward, or the two methods in either order."""
    ways: list[tuple[list[str], Backward]] = []
    if subject.has("backward"):
        ways.append((["backward"], _own_backward(subject)))
    if subject.has("backward_delta"):
        ways.append((["backward_delta", "backward_update_gradient"], backward_of(subject)))
        if subject.has("backward_update_gradient"):
            ways.append((["backward_delta", "backward_update_gradient"], _update_first(subject)))
            ways.append((["backward_update_gradient"], _update_alone(subject)))
        ways.append((["backward_delta"], _of_outputs(subject)))
    elif subject.has("backward_update_gradient"):
        ways.append((["backward_update_gradient"], _update_alone(subject)))
    return ways


def _update_first(subject: Subject) -> Backward:
    def run(held: Any, x: Array, delta: Array) -> Any:
        subject.call(held, "backward_update_gradient", x.copy(), delta.copy())
        return subject.call(held, "backward_delta", x.copy(), delta.copy())

    return run


def _update_alone(subject: Subject) -> Backward:
    def run(held: Any, x: Array, delta: Array) -> Any:
        subject.call(held, "backward_update_gradient", x.copy(), delta.copy())

    return run


def _of_outputs(subject: Subject) -> Backward:
    """backward_delta(outputs, delta) of a network whose forward returns all outputs; it updates the gradients too."""

    def run(held: Any, x: Array, delta: Array) -> Any:
        return subject.call(held, "backward_delta", subject.call(held, "forward", x.copy()), delta.copy())

    return run


def _own_backward(subject: Subject) -> Backward:
    """backward(delta), backward(input, delta), backward(outputs, delta, eps): by the names of its arguments."""

    def run(held: Any, x: Array, delta: Array) -> Any:
        outputs = subject.call(held, "forward", x.copy())
        return subject.call(held, "backward", *[give(x, delta, outputs) for give in _arguments(held)])

    return run


class Given:
    """A loss whose derivative is the delta that a backward pass is tried with."""

    def __init__(self, delta: Array) -> None:
        self.delta = delta

    def forward(self, y: Array, yhat: Array) -> float:
        return float(np.sum(self.delta * yhat))

    def backward(self, y: Array, yhat: Array) -> Array:
        return self.delta.copy()


def _arguments(held: Any) -> list[Callable[[Array, Array, Any], Any]]:
    """What to give for each argument of backward, out of (x, delta, what forward returned)."""
    listed = list(inspect.signature(held.backward).parameters.values())
    listed = [p for p in listed if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    of_a_loss = any(LOSS.match(p.name) for p in listed) and any(TARGET.match(p.name) for p in listed)
    made: list[Callable[[Array, Array, Any], Any]] = []
    for p in listed:
        if of_a_loss and LOSS.match(p.name):
            made.append(lambda x, delta, outputs: Given(delta))
        elif of_a_loss and TARGET.match(p.name):
            made.append(lambda x, delta, outputs: np.zeros_like(delta))
        elif RATE.search(p.name):
            made.append(lambda x, delta, outputs: STEP)
        elif DELTA.search(p.name) or len(listed) == 1:
            made.append(lambda x, delta, outputs: delta.copy())
        elif p.default is not p.empty:
            break
        elif of_a_loss:
            made.append(lambda x, delta, outputs: x.copy())
        else:
            made.append(lambda x, delta, outputs: outputs if isinstance(outputs, list | tuple) else x.copy())
    return made


def _steps_itself(trial: Trial) -> bool:
    """Whether backward takes a gradient_step, and so changes the parameters."""
    held = trial.started()
    before = trial.values(held)
    trial.passed(held)
    return any(not np.array_equal(value, before[place]) for place, value in trial.values(held).items())


def _backward_holds(subject: Subject, x: Array, way: Backward) -> tuple[float, Trial]:
    """Rules 3 and 4: what backward returns, and the gradients that it leaves in the modules, or its steps."""
    trial = Trial(subject, x, way)
    trial.look()
    held = trial.started()
    before = trial.values(held)
    returned = trial.passed(held)
    worst = 0.0
    jacobian = subject.jacobian(x).reshape(*x.shape, *trial.delta.shape)
    got = _delta_in(returned, x)
    if got is not None:
        case = Case(
            jacobian,
            trial.delta,
            got,
            at_hand(subject, x, trial.delta, trial.found),
            trial.output,
            x,
            again_by(subject, x, None, trial.found),
        )
        worst = hold(subject, 3, say("gradient of the input"), case, say("the backward pass"))
    after = trial.values(held)
    if any(not np.array_equal(after[place], before[place]) for place in before):
        for place, value in trial.found.parameters.items():
            slope = subject.jacobian(x, place).reshape(*value.shape, *trial.delta.shape)
            step = (before[place] - after[place]) / STEP
            case = Case(
                slope,
                trial.delta,
                step,
                at_hand(subject, x, trial.delta, trial.found),
                trial.output,
                x,
                again_by(subject, x, place, trial.found),
                parameter=True,
            )
            worst = max(
                worst,
                hold(subject, 4, say("step of {name}, divided by gradient_step", name=place), case, say("backward")),
            )
        return worst, trial
    return max(worst, check_gradients_of(subject, trial.found, x, trial.delta, held)), trial


def _delta_in(returned: Any, x: Array) -> Array | None:
    """The input's gradient in what backward returned; None when it returned none."""
    if isinstance(returned, list | tuple):
        returned = last([part for part in returned if np.shape(part) == x.shape] or [None])
    if returned is None:
        return None
    try:
        return np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError):
        return None
