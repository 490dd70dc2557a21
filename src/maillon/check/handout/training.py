"""The rules of a handout's Optim and SGD."""

import contextlib
import copy
import inspect
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from maillon.check.diagnosis.case import same
from maillon.check.handout import storage
from maillon.check.handout.containers import modules_of
from maillon.check.handout.losses import data
from maillon.check.handout.storage import Place
from maillon.check.handout.subject import Subject
from maillon.check.handout.verdict import HandoutError
from maillon.check.words import Phrase, say
from maillon.typing import Array

RATES = re.compile(r"eps|^_*lr$|learning_?rate|gradient_?step|pas$|rate|eta|taux", re.IGNORECASE)


def is_loss(held: object) -> bool:
    """Whether forward and backward take (y, yhat), and there is no backward_delta."""
    if not (callable(getattr(held, "forward", None)) and callable(getattr(held, "backward", None))):
        return False
    if callable(getattr(held, "backward_delta", None)) or modules_of(held):
        return False
    return _required(held.forward) == 2  # type: ignore[attr-defined]


def _required(function: Any) -> int:
    try:
        listed = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return -1
    return sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in listed)


class Step:
    """What an Optim is made of: its network, its loss and its gradient_step."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        parts = {name: value for name, value in vars(subject.held).items() if callable(getattr(value, "forward", None))}
        losses = [name for name, value in parts.items() if is_loss(value)]
        networks = [name for name in parts if name not in losses]
        rates = [
            name for name, value in vars(subject.held).items() if type(value) in (int, float) and RATES.search(name)
        ]
        rates = rates or [name for name, value in vars(subject.held).items() if isinstance(value, float)]
        for what, found in ((say("a network"), networks), (say("a loss"), losses), (say("a gradient_step"), rates)):
            if not found:
                raise HandoutError(
                    8, subject.name, say("attributes"), what, ", ".join(vars(subject.held)) or say("none")
                )
        self.net, self.loss, self.rate = networks[0], losses[0], float(getattr(subject.held, rates[0]))

    def gradients(self, held: Any, x: Array, y: Array) -> dict[Place, Array]:
        """∂⟨delta, network⟩/∂parameter by finite differences, with the loss's own delta."""
        part = self.subject.part(getattr(held, self.net))
        delta = self.delta(held, x, y)
        places = [
            place
            for place, value in storage.arrays(part.fresh()).items()
            if value.dtype.kind == "f" and not storage.GRADIENT.search(place.name)
        ]
        found = {}
        for place in places:
            jacobian = part.jacobian(x, place)
            if jacobian.any():
                found[place] = np.tensordot(jacobian, np.ravel(delta), axes=1)
        return found

    def cleared(self, held: Any) -> bool:
        """Whether the network has a zero_grad, which is called: a gradient may not exist before."""
        zero_grad = getattr(getattr(held, self.net), "zero_grad", None)
        if callable(zero_grad):
            zero_grad()
        return callable(zero_grad)

    def delta(self, held: Any, x: Array, y: Array) -> Array:
        part = self.subject.part(getattr(held, self.net))
        loss = copy.deepcopy(getattr(held, self.loss))
        yhat = part.forward(part.fresh(), x)
        with self.subject.quiet():
            loss.forward(y.copy(), yhat.copy())
            return np.asarray(loss.backward(y.copy(), yhat.copy()), dtype=np.float64)

    def values(self, held: Any, places: Iterable[Place]) -> dict[Place, Array]:
        net = getattr(held, self.net)
        return {place: np.array(storage.get(net, place), dtype=np.float64) for place in places}


def step_holds(subject: Subject, x: Array | None, y: Array | None) -> tuple[float, str, list[str]]:
    """Rule 8: one step moves each parameter by −gradient_step · its gradient, and so does the next."""
    parts = Step(subject)
    x, y = batch(subject, parts, x, y)
    held = subject.fresh()
    gradients = parts.gradients(held, x, y)
    before = parts.values(held, gradients)
    try:
        subject.call(held, "step", x.copy(), y.copy())
    except HandoutError as error:
        held = subject.fresh()
        if not isinstance(error.__cause__, AttributeError | TypeError) or not parts.cleared(held):
            raise
        subject.call(held, "step", x.copy(), y.copy())
    after = parts.values(held, gradients)
    for place, gradient in gradients.items():
        if not _stepped(before[place], after[place], parts.rate * gradient, subject.tolerance):
            got, way_out = _explained(before[place], after[place], gradient, parts.rate)
            if not way_out and _when_late(parts, x, y, place, after[place]):
                way_out = say(
                    "It was moved by a gradient worked out after a later module's parameters had been changed:"
                    " update when all deltas are known."
                )
            raise _not_stepped(subject, say("parameter {name} after one step", name=place), place, parts, got, way_out)
    second = parts.gradients(held, x, y)
    subject.call(held, "step", x.copy(), y.copy())
    again = parts.values(held, gradients)
    for place, gradient in second.items():
        if not _stepped(after[place], again[place], parts.rate * gradient, subject.tolerance):
            both = parts.rate * (gradient + gradients[place])
            kept = say("The gradient of the first step is still there: call zero_grad in step.")
            way_out = kept if _stepped(after[place], again[place], both, 1e-6) else ""
            what = say("parameter {name} after a second step", name=place)
            raise _not_stepped(subject, what, place, parts, say("something else"), way_out)
    return 0.0, "", ["step"]


def _not_stepped(
    subject: Subject, what: Phrase, place: Place, parts: Step, got: Phrase, way_out: Phrase | str
) -> HandoutError:
    expected = say("{name} − {step} · gradient", name=place, step=parts.rate)
    return HandoutError(8, subject.name, what, expected, got, way_out=way_out)


def _stepped(before: Array, after: Array, step: Array, tolerance: float) -> bool:
    """Whether a parameter was moved by −step; what the step loses to rounding is no error."""
    if after.shape != before.shape:
        return False
    error = float(np.linalg.norm(after - (before - step)))
    return error <= max(tolerance * float(np.linalg.norm(step)), 1e-12 * float(np.linalg.norm(before)))


def _explained(before: Array, after: Array, gradient: Array, rate: float) -> tuple[Phrase, Phrase | str]:
    """What came in place of a step, and why."""
    if after.shape != before.shape:
        return say("an array of shape {shape}", shape=after.shape), ""
    moved = after - before
    if not moved.any():
        return say("the same as before"), say("The step does not reach it.")
    size = float(np.sum(gradient * gradient))
    factor = -float(np.sum(moved * gradient)) / size / rate if size else 0.0
    if np.allclose(np.abs(moved), abs(moved.flat[0]), rtol=1e-3) and not same(gradient, moved):
        return say("steps of one size for all elements"), say("That is Adam or another rule, not plain descent.")
    if not same(moved, -factor * rate * gradient):
        return say("something else"), ""
    got = say("the old value − {factor} · gradient", factor=f"{factor * rate:.4g}")
    if abs(factor + 1) < 1e-6:
        return got, say("The step goes with the gradient in place of against it.")
    return got, say("It is {factor} times the right step.", factor=f"{factor:.4g}")


def _when_late(parts: Step, x: Array, y: Array, place: Place, after: Array) -> bool:
    """Whether the step is what comes out when the later modules are updated before the delta is worked out."""
    held = parts.subject.fresh()
    gradients = parts.gradients(held, x, y)
    delta = parts.delta(held, x, y)
    part = parts.subject.part(getattr(held, parts.net))
    order = list(gradients)
    moved = {
        other: storage.get(part.held, other) - parts.rate * gradients[other]
        for other in order
        if other.owner != place.owner and order.index(other) > order.index(place)
    }
    if not moved:
        return False
    wrong = parts.rate * np.tensordot(part.jacobian(x, place, moved), np.ravel(delta), axes=1)
    return _stepped(np.asarray(storage.get(part.held, place)), after, wrong, 1e-6)


def batch(subject: Subject, parts: Step, x: Array | None, y: Array | None) -> tuple[Array, Array]:
    """An input that the network takes and a target that the loss takes."""
    from maillon.check.handout.inputs import fitting

    part = subject.part(getattr(subject.held, parts.net))
    x = fitting(part) if x is None else x
    if y is not None:
        return x, y
    output = part.forward(part.fresh(), x)
    loss = subject.part(getattr(subject.held, parts.loss))
    targets = [pair[0] for pair in data(subject.seed, loss.name)]
    draw = np.linspace(-1, 1, output.size).reshape(output.shape)
    hot = np.eye(output.shape[-1])[np.arange(len(output)) % output.shape[-1]] if output.ndim == 2 else draw
    labels = np.arange(len(output)) % (output.shape[-1] if output.ndim else 1)
    kinds = (
        [draw, hot, labels, labels[:, None]]
        if targets[0].dtype.kind == "f" and not _is_hot(targets[0])
        else [hot if output.ndim == 2 and output.shape[-1] > 1 else (draw > 0) * 1.0, labels, labels[:, None], draw]
    )
    for target in kinds:
        held = subject.fresh()
        with contextlib.suppress(Exception), subject.quiet():
            net_loss = getattr(held, parts.loss)
            value = np.asarray(net_loss.forward(target.copy(), output.copy()), dtype=np.float64)
            slope = np.asarray(net_loss.backward(target.copy(), output.copy()), dtype=np.float64)
            if np.isfinite(value).all() and slope.shape == output.shape and np.isfinite(slope).all():
                return x, target
    return x, kinds[0]


def _is_hot(target: Array) -> bool:
    return bool(np.isin(target, (0, 1)).all())
