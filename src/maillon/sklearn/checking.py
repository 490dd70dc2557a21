"""The parameters of estimators, checked when `fit` is called, as scikit-learn wants it."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Check = tuple[Callable[[Any], bool], str]
"""Whether a value will do, and what was expected where it will not."""


def require(estimator: Any, checks: Mapping[str, Check]) -> None:
    """ValueError for the first parameter of the estimator that will not do.

    Parameters
    ----------
    estimator : estimator
        Whose parameters are looked at.
    checks : mapping
        A check for each parameter's name.

    Raises
    ------
    ValueError
        Saying which parameter, what was expected and what was given.
    """
    for name, (fits, expected) in checks.items():
        value = getattr(estimator, name)
        if not fits(value):
            raise ValueError(f"{type(estimator).__name__}: expected {name} to be {expected}, got {value!r}.")


def real(value: Any, least: float = -math.inf, most: float = math.inf, *, above: bool = False) -> bool:
    """Whether it is a number within these bounds; above: greater than the least one. No boolean is a number."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return bool(least < value <= most if above else least <= value <= most)


def whole(value: Any, least: int) -> bool:
    """Whether it is an integer of at least that."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def flag(value: Any) -> bool:
    """Whether it is True or False."""
    return isinstance(value, bool | np.bool_)


FLAG: Check = (flag, "True or False")
POSITIVE: Check = (lambda value: real(value, 0, above=True) and math.isfinite(value), "a finite number > 0")
NOT_NEGATIVE: Check = (lambda value: real(value, 0) and math.isfinite(value), "a finite number ≥ 0")
COUNT: Check = (lambda value: whole(value, 1), "an integer ≥ 1")
PART: Check = (lambda value: real(value, 0) and value < 1, "a number in [0, 1)")
PORTION: Check = (lambda value: real(value, 0, 1), "a number in [0, 1]")
JOBS: Check = (
    lambda value: value is None or (whole(value, -1) and value != 0),
    "None, -1 for all processors, or a number of threads ≥ 1",
)


def keep(estimator: Any, given: dict[str, Any]) -> None:
    """The constructor's arguments as attributes, as they are: all that scikit-learn allows it to do.

    Parameters
    ----------
    estimator : estimator
        What is made.
    given : dict
        ``locals()`` of its constructor.
    """
    vars(estimator).update({name: value for name, value in given.items() if name not in ("self", "__class__")})
