"""An object of a handout's class, called without a trace: on copies, in float64, with the same random draws."""

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from maillon.check.differences import ROUNDING, jacobian
from maillon.check.handout import storage
from maillon.check.handout.storage import Place
from maillon.check.handout.verdict import HandoutError, raised
from maillon.check.words import Phrase, say
from maillon.random import Generator
from maillon.typing import Array

RULE_OF = {
    "forward": 1,
    "backward_delta": 3,
    "backward_update_gradient": 4,
    "zero_grad": 5,
    "update_parameters": 6,
    "backward": 7,
    "step": 8,
}
"""The rule that a method breaks when it raises."""


class Subject:
    """What is checked, and the name of its class; `held` is a copy of it in float64."""

    def __init__(self, given: Any, seed: int, tolerance: float) -> None:
        self.name = type(given).__name__
        self.seed = seed
        self.tolerance = tolerance
        self.notes: list[Phrase] = []
        try:
            self.held = copy.deepcopy(given)
        except Exception as error:
            raise TypeError(
                f"check_handout: it looks at a copy, and this {self.name} cannot be copied: {raised(error)}. Give what "
                "cannot be a method __deepcopy__."
            ) from error
        storage.in_double(self.held)

    def part(self, held: Any) -> "Subject":
        """Another object, checked by the same numbers."""
        return Subject(held, self.seed, self.tolerance)

    def fresh(self, changes: Mapping[Place, Array] | None = None) -> Any:
        """A copy that has done nothing yet; with other values in some places."""
        held = copy.deepcopy(self.held)
        for place, value in (changes or {}).items():
            array = storage.get(held, place)
            if isinstance(array, np.ndarray):
                array[...] = value
            else:
                storage.put(held, place, float(value))
        return held

    def has(self, method: str) -> bool:
        return callable(getattr(self.held, method, None))

    def call(self, held: Any, method: str, *arguments: Any, rule: int | None = None) -> Any:
        """What a method returns; HandoutError when it raises or changes what it is given."""
        rule = rule or RULE_OF.get(method, 8)
        before = copy.deepcopy(arguments)
        try:
            with self.quiet():
                result = getattr(held, method)(*arguments)
        except Exception as error:
            written = say("{method} is not written yet.", method=method) if _unwritten(error) else ""
            raise HandoutError(rule, self.name, method, say("a result"), raised(error), way_out=written) from error
        for name, value, old in zip(argument_names(held, method, len(arguments)), arguments, before, strict=True):
            if isinstance(value, np.ndarray) and not (value.shape == old.shape and np.array_equal(value, old, True)):
                raise HandoutError(
                    2,
                    self.name,
                    say("{argument} after {method}", argument=name, method=method),
                    say("the same values"),
                    say("other ones"),
                    way_out=say("It is changed in place: a *= b and a[i] -= b change a; work on a copy."),
                )
        return result

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """No warnings, and the same numbers from numpy.random each time, which is left as it was."""
        state = np.random.get_state()  # noqa: NPY002 - what students draw from
        np.random.seed(self.seed)  # noqa: NPY002 - what students draw from
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            np.random.set_state(state)  # noqa: NPY002 - what students draw from

    def forward(self, held: Any, x: Array) -> Array:
        """The output; of a network that returns all its modules' outputs the last."""
        return self.array(last(self.call(held, "forward", x.copy())), "forward")

    def array(self, value: Any, method: str) -> Array:
        """What a method returned, as an array of float64."""
        rule = RULE_OF.get(method, 8)
        if value is None:
            way_out = say("Is a return missing in {method}?", method=method)
            raise HandoutError(rule, self.name, method, say("an array"), "None", way_out=way_out)
        try:
            if np.iscomplexobj(value):
                raise TypeError
            return np.array(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise HandoutError(rule, self.name, method, say("an array"), type(value).__name__) from error

    def moving(
        self, x: Array, place: Place | None, changes: Mapping[Place, Array] | None = None
    ) -> tuple[Callable[[Array], Array], Array]:
        """The output, flat, as a function of the displacement of x or of what stands in a place; and its value now."""
        value = x if place is None else np.asarray(storage.get(self.fresh(changes), place), dtype=np.float64)

        def output(displacement: Array) -> Array:
            moved = dict(changes or {})
            if place is not None:
                moved[place] = value + displacement
            held = self.fresh(moved)
            with self.quiet():
                return np.ravel(np.array(last(held.forward(x + displacement if place is None else x.copy())), float))

        return output, value

    def jacobian(self, x: Array, place: Place | None = None, changes: Mapping[Place, Array] | None = None) -> Array:
        """∂forward/∂x, or by what stands in a place; flat over the output. KinkError on a kink."""
        output, value = self.moving(x, place, changes)
        return jacobian(output, value, min(self.tolerance, 1e-7), self.rounding(x))

    def rounding(self, x: Array) -> float:
        """What an output is off by: more where a class computes in float32 whatever it is given."""
        with self.quiet():
            output = np.asarray(last(self.fresh().forward(x.copy())))
        return 16 * float(np.finfo(output.dtype).eps) if output.dtype.kind == "f" else ROUNDING


def last(result: Any) -> Any:
    """The last of a list of arrays; anything else, as a list of rows of numbers, as it is."""
    several = isinstance(result, list | tuple) and len(result) and isinstance(result[-1], np.ndarray)
    return result[-1] if several else result


def argument_names(held: Any, method: str, count: int) -> list[str]:
    """The names that a method gives its arguments."""
    try:
        names = [p.name for p in inspect.signature(getattr(held, method)).parameters.values()]
    except (TypeError, ValueError):
        names = []
    return (names + [str(place) for place in range(len(names), count)])[:count]


def signed(seed: int, shape: tuple[int, ...]) -> Array:
    """Random numbers of either sign, none small: what is lost in a derivative cannot hide behind a zero."""
    draw = Generator(seed).rand((*shape, 2), np.float64)
    made: Array = np.where(draw[..., 0] < 0.5, -1.0, 1.0) * (0.5 + draw[..., 1])
    return made


def _unwritten(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, NotImplementedError):
        error = error.__cause__ or error.__context__
    return error is not None
