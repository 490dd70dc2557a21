"""Where a module keeps its parameters and their gradients, and whether these are right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maillon.check.diagnosis.case import Case, same
from maillon.check.diagnosis.diagnose import diagnose, how_large
from maillon.check.differences import slope_along
from maillon.check.handout import storage
from maillon.check.handout.storage import GRADIENT, NAMED, Place
from maillon.check.handout.subject import Subject, signed
from maillon.check.handout.verdict import HandoutError
from maillon.check.probe import rms
from maillon.check.words import Phrase, say
from maillon.typing import Array

Backward = Callable[[Any, Array, Array], Any]
"""Runs the backward pass of an object after a forward: (held, x, delta) → what it returned."""


FLAT = 1e-6
"""A gradient that is so much smaller than delta is that of a saturated function, or nearly."""
UNSEEN = 1e-12
"""The share of an output's size, for a displacement of one, that is lost in rounding."""


@dataclass
class Found:
    """The parameters of a module by their places, and the places of their gradients."""

    parameters: dict[Place, Array]
    gradients: dict[Place, Place | None]

    def read(self, held: Any, place: Place) -> Array | None:
        """The gradient of a parameter, of the parameter's shape where the two differ by axes of one only."""
        where = self.gradients[place]
        value = None if where is None else storage.get(held, where)
        if value is None:
            return None
        gradient = np.array(value, dtype=np.float64)
        shape = self.parameters[place].shape
        if gradient.shape != shape and np.squeeze(gradient).shape == np.squeeze(np.empty(shape)).shape:
            return gradient.reshape(shape)
        return np.zeros(shape) if gradient.ndim == 0 and not gradient else gradient


def find(subject: Subject, x: Array, delta: Array, backward: Backward) -> Found:
    """Parameters are what forward reacts to; a gradient is what a backward pass changes, paired by name and shape."""
    start = subject.fresh()
    values = {place: np.asarray(array, float) for place, array in storage.arrays(start).items()}
    values |= {place: np.asarray(number) for place, number in storage.numbers(start).items()}
    output = subject.forward(subject.fresh(), x)
    named = {place for place in values if _is_named(place)}
    inputs = [(x, output), *_beside(subject, x)]
    moving = {
        place
        for place, value in values.items()
        if not GRADIENT.search(place.name)
        and value.size
        and storage.get(start, place).__class__ is not int
        and any(_reacts(subject, *pair, place, value) for pair in inputs)
    }
    held = subject.fresh()
    if subject.has("zero_grad"):
        subject.call(held, "zero_grad")
    before = _state(held)
    x, delta = _several(subject, x, delta)
    output = subject.forward(subject.fresh(), x)
    subject.forward(held, x)
    backward(held, x, delta)
    after = _state(held)
    taken = [x, delta, output]
    changed = [
        place
        for place, value in after.items()
        if place not in moving
        and not _cached(place, value, taken)
        and (place not in before or not np.array_equal(before[place], value))
    ]
    possible = changed + [place for place in after if GRADIENT.search(place.name) and place not in changed]
    possible = [place for place in possible if place not in moving]
    candidates = [place for place in values if place in moving or place in named]
    pairs = _paired({place: values[place] for place in candidates if place not in changed}, after, possible, changed)
    parameters = {place: values[place] for place in candidates if place in moving or pairs.get(place) in changed}
    parameters = {place: value for place, value in parameters.items() if not _switched_off(start, place)}
    kept = {place: value for place, value in parameters.items() if pairs.get(place) is not None or place in named}
    return Found(kept, {place: pairs.get(place) for place in kept})


def check_gradients_of(subject: Subject, found: Found, x: Array, delta: Array, held: Any, rule: int = 4) -> float:
    """Hold the gradients that a backward pass left against finite differences; the largest relative error."""
    worst = 0.0
    for place, value in found.parameters.items():
        jacobian = subject.jacobian(x, place).reshape(*value.shape, *delta.shape)
        got = found.read(held, place)
        what = say("gradient of {name}", name=place)
        case = Case(
            jacobian,
            delta,
            np.zeros(value.shape) if got is None else got,
            at_hand(subject, x, delta, found),
            subject.forward(subject.fresh(), x),
            x,
            again_by(subject, x, place, found),
            parameter=True,
        )
        if got is None:
            if _unseen(case, case.expected):
                continue
            way_out = say("No attribute holds it after backward_update_gradient.")
            raise HandoutError(
                rule, subject.name, what, say("an array of shape {shape}", shape=value.shape), "None", way_out=way_out
            )
        worst = max(worst, hold(subject, rule, what, case, say("backward_update_gradient")))
    return worst


def hold(subject: Subject, rule: int, what: Phrase, case: Case, source: object) -> float:
    """The relative error of a gradient; HandoutError, with the cause if it is found, when it is too large."""
    expected, got = case.expected, case.got
    if got.shape != expected.shape:
        raise HandoutError(
            rule,
            subject.name,
            what,
            say("an array of shape {shape}", shape=expected.shape),
            say("one of shape {shape}", shape=got.shape),
            way_out=diagnose(case) or "",
        )
    size = max(float(np.linalg.norm(expected)), float(np.linalg.norm(got)))
    error = float(np.linalg.norm(got - expected)) / size if size else 0.0
    if not case.jacobian.any() and not got.any():
        return 0.0
    if error <= subject.tolerance:
        return error
    if size <= FLAT * float(np.linalg.norm(case.delta)) and _unseen(case, got - expected):
        return 0.0
    wrong = np.abs(got - expected)
    place = np.unravel_index(int(np.argmax(np.where(np.isnan(wrong), np.inf, wrong))), wrong.shape)
    where = [int(index) for index in place]
    raise HandoutError(
        rule,
        subject.name,
        what,
        say("{number} at {where}, by finite differences", number=f"{expected[place]:.6g}", where=where),
        say("{number} from {method}", number=f"{got[place]:.6g}", method=source),
        relative_error=error,
        way_out=diagnose(case) or how_large(got, expected) or "",
    )


def _unseen(case: Case, difference: Array) -> bool:
    """Whether finite differences cannot see it: the derivative of a saturated function, whose output is rounded."""
    if case.output is None or case.x is None:
        return False
    size = float(np.linalg.norm(case.delta)) * float(np.max(np.abs(case.output), initial=0.0))
    return float(np.linalg.norm(difference)) <= UNSEEN * size / (1.0 if case.parameter else max(1.0, rms(case.x)))


def at_hand(subject: Subject, x: Array, delta: Array, found: Found | None) -> dict[str, Array]:
    """The arrays that a sentence may name."""
    given = {"delta": delta, "input": x, "output": subject.forward(subject.fresh(), x)}
    for place, value in (found.parameters if found else {}).items():
        given[str(place)] = value
    return given


def again_by(
    subject: Subject, x: Array, place: Place | None, found: Found | None
) -> Callable[[Mapping[str, Array], Array], Array]:
    """Derivatives at another input ("") or with other parameters, for the hypotheses of a diagnosis."""
    names = {str(parameter): parameter for parameter in (found.parameters if found else {})}

    def again(changes: Mapping[str, Array], direction: Array) -> Array:
        moved = {names[name]: value for name, value in changes.items() if name in names}
        output, value = subject.moving(changes.get("", x), place, moved)
        return slope_along(output, direction, rms(value), min(subject.tolerance, 1e-7), subject.rounding(x)).terms

    return again


def _beside(subject: Subject, x: Array) -> list[tuple[Array, Array]]:
    """Another input and its output, where there is one: where x is 0 a weight shows nothing."""
    if x.dtype.kind != "f":
        return []
    other = x + signed(3, x.shape)
    try:
        return [(other, subject.forward(subject.fresh(), other))]
    except HandoutError:
        return []


def _several(subject: Subject, x: Array, delta: Array) -> tuple[Array, Array]:
    """Two examples where there is one: of one, the gradient of a bias is delta itself, which a module may just keep."""
    if x.ndim < 2 or len(x) != 1 or delta.shape[:1] != (1,):
        return x, delta
    two = np.concatenate([x, 0.5 - x])
    try:
        fits = len(subject.forward(subject.fresh(), two)) == 2
    except HandoutError:
        fits = False
    return (two, np.concatenate([delta, 0.5 - delta])) if fits else (x, delta)


def _is_named(place: Place) -> bool:
    own = place.steps[len(place.owner) :]
    return not GRADIENT.search(place.name) and any(isinstance(key, str) and NAMED.match(key) for _, key in own)


def _switched_off(held: Any, place: Place) -> bool:
    """Whether it is a bias of zeros in an object that says it has none, as with use_bias=False."""
    owner, value = storage.get(held, Place(place.owner)), storage.get(held, place)
    flags = [key for key, flag in getattr(owner, "__dict__", {}).items() if flag is False and "bia" in key.lower()]
    return bool(flags) and "bia" in place.name.lower() and not np.any(value)


def _reacts(subject: Subject, x: Array, output: Array, place: Place, value: Array) -> bool:
    for seed in (1, 2):
        try:
            moved = value + 0.1 * signed(seed, value.shape)
            other = subject.forward(subject.fresh({place: moved}), x)
        except HandoutError:
            return False
        if other.shape == output.shape and not np.array_equal(other, output, equal_nan=True):
            return True
    return False


def _state(held: Any) -> dict[Place, Array]:
    state = {place: np.array(array, float) for place, array in storage.arrays(held).items()}
    return state | {place: np.asarray(number) for place, number in storage.numbers(held).items()}


def _cached(place: Place, value: Array, taken: list[Array]) -> bool:
    """Whether it is an input, a delta or an output that the module keeps, and not a gradient."""
    return not GRADIENT.search(place.name) and any(same(value, array) for array in taken)


def _paired(
    parameters: dict[Place, Array], after: dict[Place, Array], possible: list[Place], changed: list[Place]
) -> dict[Place, Place | None]:
    """Each parameter with the gradient that fits best by name and shape; none twice."""
    scores = []
    for order, place in enumerate(parameters):
        for position, other in enumerate(possible):
            if other.owner != place.owner:
                continue
            shape = np.squeeze(parameters[place]).shape == np.squeeze(after[other]).shape
            name = place.stem == other.stem
            alike = bool(place.stem and other.stem) and (place.stem in other.stem or other.stem in place.stem)
            score = 4 * name + 3 * shape + 2 * alike + (other in changed) + 2 * bool(GRADIENT.search(other.name))
            if name or alike or shape:
                scores.append((-score, position, order, place, other))
    pairs: dict[Place, Place | None] = {}
    for _, _, _, place, other in sorted(scores, key=lambda entry: entry[:3]):
        if place not in pairs and other not in pairs.values():
            pairs[place] = other
    return pairs
