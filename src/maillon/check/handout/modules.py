"""The rules of a handout's module, 1 to 6, one function a rule."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maillon.check.diagnosis.case import Case, named_factor, same
from maillon.check.handout import storage
from maillon.check.handout.gradients import Backward, Found, again_by, at_hand, check_gradients_of, find, hold
from maillon.check.handout.storage import Place
from maillon.check.handout.subject import Subject, signed
from maillon.check.handout.values import like_holds, wrong_sum
from maillon.check.handout.verdict import HandoutError
from maillon.check.words import Phrase, say
from maillon.nn import Module
from maillon.typing import Array

STEP = 0.25
"""The gradient_step that update_parameters is tried with: nobody's default."""


@dataclass
class Trial:
    """A module at an input, with a random delta and its backward pass."""

    subject: Subject
    x: Array
    backward: Backward
    delta: Array = field(init=False)
    output: Array = field(init=False)
    found: Found = field(init=False)

    def __post_init__(self) -> None:
        self.output = self.subject.forward(self.subject.fresh(), self.x)
        self.delta = np.asarray(signed(self.subject.seed, self.output.shape))

    def look(self) -> None:
        """Find out where the parameters and their gradients are kept."""
        self.found = find(self.subject, self.x, self.delta, self.backward)

    def started(self) -> Any:
        """A copy whose gradients are zero."""
        held = self.subject.fresh()
        if self.subject.has("zero_grad"):
            self.subject.call(held, "zero_grad")
        return held

    def passed(self, held: Any, x: Array | None = None, delta: Array | None = None) -> Any:
        """Forward and backward; what backward returned."""
        x, delta = self.x if x is None else x, self.delta if delta is None else delta
        self.subject.forward(held, x)
        return self.backward(held, x, delta)

    def values(self, held: Any) -> dict[Place, Array]:
        """The parameters as they are now."""
        now = {place: storage.get(held, place) for place in self.found.parameters}
        return {place: np.array(value, dtype=np.float64) for place, value in now.items() if value is not None}

    def gradients(self, held: Any) -> dict[Place, Array | None]:
        return {place: self.found.read(held, place) for place in self.found.parameters}


def backward_of(subject: Subject) -> Backward:
    """The backward pass of a module: the delta for the layer before, then the gradients of its own."""

    def run(held: Any, x: Array, delta: Array) -> Any:
        returned = subject.call(held, "backward_delta", x.copy(), delta.copy())
        if subject.has("backward_update_gradient"):
            subject.call(held, "backward_update_gradient", x.copy(), delta.copy())
        return returned

    return run


def module_holds(subject: Subject, x: Array, like: Module | None) -> tuple[float, str, list[str]]:
    """Rules 1 to 6: the largest relative error, where it is, and the methods that were called."""
    rule_1_a_function(subject, x)
    trial = Trial(subject, x, backward_of(subject))
    trial.look()
    if like is not None:
        like_holds(subject, x, trial.output, trial.found.parameters, like)
    rule_1_examples_alone(trial)
    worst, worst_at = rule_3_delta(trial), "backward_delta"
    methods = ["forward", "backward_delta"]
    if trial.found.parameters:
        error = rule_4_gradients(trial)
        rule_5_zero_grad(trial)
        rule_6_update(trial)
        methods += ["backward_update_gradient", "zero_grad", "update_parameters"]
        worst, worst_at = max((worst, worst_at), (error, "backward_update_gradient"))
    else:
        without_parameters(trial)
    extremes(trial)
    return worst, worst_at, methods


def rule_1_a_function(subject: Subject, x: Array) -> None:
    """The same input gives the same output, whatever came before, and finite numbers."""
    first = subject.forward(subject.fresh(), x)
    if not np.isfinite(first).all():
        raise HandoutError(1, subject.name, "forward", say("finite values"), say("NaN or infinity"))
    if not first.size:
        raise HandoutError(1, subject.name, "forward", say("finite values"), say("none"))
    if not same(first, subject.forward(subject.fresh(), x)):
        way_out = say("It depends on something outside of the object: a global variable, or one of the class.")
        raise HandoutError(
            1,
            subject.name,
            "forward",
            say("the same for the same input"),
            say("two different ones"),
            way_out=way_out,
        )
    held = subject.fresh()
    subject.forward(held, 0.5 - x)
    if not same(first, subject.forward(held, x)):
        way_out = say("It depends on an earlier forward: something is kept in self and not set anew.")
        raise HandoutError(
            1,
            subject.name,
            say("forward after a forward of another input"),
            say("the same for the same input"),
            say("two different ones"),
            way_out=way_out,
        )


def rule_1_examples_alone(trial: Trial) -> None:
    """Each example is computed for itself, and a batch may have one example only."""
    subject, x, output = trial.subject, trial.x, trial.output
    if "norm" in subject.name.lower() or x.ndim < 2 or output.ndim < 1 or len(output) != len(x) or len(x) < 2:
        return
    alone = subject.forward(subject.fresh(), x[:1])
    if not same(alone, output[:1]):
        raise HandoutError(
            1,
            subject.name,
            say("forward of the first example alone"),
            say("the first row of the whole batch's output"),
            say("another one"),
            way_out=_mixed(output),
        )


def _mixed(output: Array) -> Phrase:
    return wrong_sum(output) or say("The examples are mixed: a sum, mean or maximum runs over axis 0.")


def rule_3_delta(trial: Trial) -> float:
    """backward_delta is the vector–Jacobian product of forward, also for one example and at exact zeros."""
    subject, x, delta = trial.subject, trial.x, trial.delta
    jacobian = subject.jacobian(x).reshape(*x.shape, *delta.shape)
    held = trial.started()
    before = trial.values(held)
    subject.forward(held, x)
    _parameters_stand(trial, held, before, "forward")
    got = subject.array(trial.backward(held, x, delta), "backward_delta")
    _parameters_stand(trial, held, before, say("the backward pass"))
    case = Case(
        jacobian,
        delta,
        got,
        at_hand(subject, x, delta, trial.found),
        trial.output,
        x,
        again_by(subject, x, None, trial.found),
    )
    worst = hold(subject, 3, say("gradient of the input"), case, say("backward_delta"))
    if x.ndim > 1 and len(x) > 1 and "norm" not in subject.name.lower() and delta.shape[:1] == x.shape[:1]:
        alone = subject.array(trial.passed(trial.started(), x[:1], delta[:1]), "backward_delta")
        if not same(alone, got[:1]):
            raise HandoutError(
                3,
                subject.name,
                say("gradient of the input, of the first example alone"),
                say("the first row of the whole batch's"),
                say("another one"),
            )
    return worst


def _parameters_stand(trial: Trial, held: Any, before: dict[Place, Array], when: str) -> None:
    for place, value in trial.values(held).items():
        if not np.array_equal(value, before[place]):
            raise HandoutError(
                6,
                trial.subject.name,
                say("parameter {name} after {method}", name=place, method=when),
                say("the same values"),
                say("other ones"),
                way_out=say("Only update_parameters may change the parameters."),
            )


def rule_4_gradients(trial: Trial) -> float:
    """The gradients are those of ⟨delta, forward⟩, and a second backward pass adds to them."""
    subject, x, delta, found = trial.subject, trial.x, trial.delta, trial.found
    held = trial.started()
    trial.passed(held)
    worst = check_gradients_of(subject, found, x, delta, held)
    first = trial.gradients(held)
    other_x, other_delta = x[::-1] + 0.125, 0.5 - delta
    before = trial.values(held)
    trial.passed(held, other_x, other_delta)
    _parameters_stand(trial, held, before, say("a second backward pass"))
    second = trial.started()
    trial.passed(second, other_x, other_delta)
    for place, total in trial.gradients(held).items():
        one, two = first[place], found.read(second, place)
        if one is not None and two is not None and (total is None or not same(total, one + two)):
            got, way_out = _not_added(total, one, two)
            raise HandoutError(
                4,
                subject.name,
                say("gradient of {name}, after two backward passes", name=place),
                say("the sum of both gradients"),
                got,
                way_out=way_out,
            )
    return worst


def _not_added(total: Array | None, one: Array, two: Array) -> tuple[Phrase, Phrase | str]:
    if total is not None and same(total, two):
        return say("the second one alone"), say("It is overwritten: write += in place of =.")
    if total is not None and same(total, one):
        return say("the first one alone"), say("The second is not added.")
    if total is not None and same(total, 2 * one + two):
        return say("the first one twice and the second"), say("What was there is added once more.")
    if total is not None and same(total, two - one):
        return say("their difference"), say("It is subtracted: write += in place of -=.")
    return say("something else"), ""


def rule_5_zero_grad(trial: Trial) -> None:
    """zero_grad leaves zeros, or None, and nothing else changes."""
    subject = trial.subject
    if not subject.has("zero_grad"):
        raise HandoutError(5, subject.name, "zero_grad", say("a method"), say("none"))
    before = trial.values(subject.fresh())
    held = trial.started()
    trial.passed(held)
    once = trial.gradients(held)
    subject.call(held, "zero_grad")
    for place, value in trial.values(held).items():
        if not np.array_equal(value, before[place]):
            raise HandoutError(
                5,
                subject.name,
                say("parameter {name} after zero_grad", name=place),
                say("the same values"),
                say("other ones"),
                way_out=say("Set the gradients to zero, not the parameters."),
            )
    for place, gradient in trial.gradients(held).items():
        if gradient is not None and np.any(gradient):
            first = once[place]
            same_as_before = first is not None and same(gradient, first)
            raise HandoutError(
                5,
                subject.name,
                say("gradient of {name}, after zero_grad", name=place),
                say("zeros"),
                say("the gradient of before") if same_as_before else say("something else"),
                way_out=say("zero_grad does not set it to zero."),
            )
    trial.passed(held)
    for place, gradient in trial.gradients(held).items():
        first = once[place]
        if first is not None and (gradient is None or not same(gradient, first)):
            raise HandoutError(
                5,
                subject.name,
                say("gradient of {name}, after zero_grad and a backward pass", name=place),
                say("that of the first backward pass"),
                say("another one"),
            )


def rule_6_update(trial: Trial) -> None:
    """w ← w − gradient_step · gradient, for the step that is given."""
    subject = trial.subject
    if not subject.has("update_parameters"):
        raise HandoutError(6, subject.name, "update_parameters", say("a method"), say("none"))
    held = trial.started()
    trial.passed(held)
    before, gradients = trial.values(held), trial.gradients(held)
    subject.call(held, "update_parameters", STEP)
    for place, after in trial.values(held).items():
        gradient = gradients[place]
        if gradient is None:
            continue
        expected = before[place] - STEP * gradient
        if after.shape != expected.shape or not same(after, expected):
            what = say("parameter {name} after update_parameters({step})", name=place, step=STEP)
            got, way_out = _not_that_step(after, before[place], gradient, trial.delta.shape)
            raise HandoutError(
                6, subject.name, what, say("{name} − {step} · gradient", name=place, step=STEP), got, way_out=way_out
            )


def _not_that_step(after: Array, before: Array, gradient: Array, shape: tuple[int, ...]) -> tuple[Phrase, Phrase | str]:
    """What update_parameters did in place of a step, and why."""
    if after.shape != before.shape:
        return say("an array of shape {shape}", shape=after.shape), say("Its shape was {shape}.", shape=before.shape)
    moved = after - before
    if not moved.any():
        return say("the same as before"), say("It is not changed.")
    if same(after, -STEP * gradient):
        return say("−{step} · gradient alone", step=STEP), say("The old value is lost: write -= in place of =.")
    factor = -float(np.sum(moved * gradient) / np.sum(gradient * gradient)) if gradient.any() else 0.0
    if not same(moved, -factor * gradient):
        return say("something else"), ""
    known = [
        (-STEP, say("The step goes with the gradient: write -= in place of +=.")),
        (1.0, say("gradient_step is not used.")),
        (1e-3, say("gradient_step is not used, its default is.")),
        (2 * STEP, say("The step is made twice.")),
        (STEP**2, say("gradient_step is multiplied in twice.")),
    ]
    cause = next((sentence for number, sentence in known if abs(factor / number - 1) < 1e-6), None)
    got = say("the old value − {factor} · gradient", factor=f"{factor:.4g}")
    return got, cause or named_factor(abs(factor) / STEP, shape) or ""


def without_parameters(trial: Trial) -> None:
    """What a loop over all modules calls must do nothing where there are no parameters."""
    subject, held = trial.subject, trial.started()
    trial.passed(held)
    if subject.has("update_parameters"):
        subject.call(held, "update_parameters", STEP)


def extremes(trial: Trial) -> None:
    """At an exact zero the derivative lies between those to the left and to the right; large inputs get a note."""
    subject, x = trial.subject, trial.x.copy()
    x[np.abs(x) < 0.5 * np.abs(x).max()] = 0.0
    try:
        output = subject.forward(subject.fresh(), x)
    except HandoutError:
        return
    if np.isfinite(output).all():
        held = trial.started()
        got = subject.array(trial.passed(held, x), "backward_delta")
        if not np.isfinite(got).all():
            raise HandoutError(
                3,
                subject.name,
                say("gradient of the input, where that is exactly 0"),
                say("finite values"),
                say("NaN or infinity"),
                way_out=say("Is something divided by the input or the output?"),
            )
        _between(trial, x, output, got)
    if not trial.found.parameters:
        large = subject.forward(subject.fresh(), np.sign(trial.x) * 1000.0)
        if not np.isfinite(large).all():
            subject.notes.append(
                say(
                    "forward is not finite for inputs of 1000: exp overflows (for a softmax, subtract"
                    " the largest input first)"
                )
            )


def _mixes(subject: Subject, x: Array) -> bool:
    """Whether an input shows in several outputs."""
    moved = x.copy()
    moved.flat[0] += 1.0
    return bool(np.sum(subject.forward(subject.fresh(), moved) != subject.forward(subject.fresh(), x)) > 1)


def _between(trial: Trial, x: Array, output: Array, got: Array) -> None:
    """Rule 3 at kinks, for functions of each element: any slope between the two is right."""
    subject, delta, h = trial.subject, trial.delta, 1e-6
    if output.shape != x.shape or trial.found.parameters:
        return
    right = (subject.forward(subject.fresh(), x + h) - output) / h
    left = (output - subject.forward(subject.fresh(), x - h)) / h
    together = subject.forward(subject.fresh(), x + h * signed(2, x.shape))
    if _mixes(subject, x) or _mixes(subject, signed(3, x.shape)):
        return
    if not (np.isfinite(right).all() and np.isfinite(left).all() and np.isfinite(together).all()):
        return
    low, high = np.minimum(left, right), np.maximum(left, right)
    slope = got / delta
    off = (x == 0) & ((slope < low - 1e-3) | (slope > high + 1e-3)) & (np.abs(high) < 1e3) & (np.abs(low) < 1e3)
    if off.any():
        place = tuple(int(index) for index in np.argwhere(off)[0])
        expected = say("a slope between {low} and {high}", low=f"{low[place]:.3g}", high=f"{high[place]:.3g}")
        raise HandoutError(
            3,
            subject.name,
            say("gradient of the input, where that is exactly 0"),
            expected,
            f"{slope[place]:.3g}",
            way_out=say("The case of exactly 0 is treated wrongly."),
        )
