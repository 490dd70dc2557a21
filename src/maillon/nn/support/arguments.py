"""What constructors are given: checked in one place, and shown again by `repr`."""

import inspect
import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

from maillon import random
from maillon.messages import got
from maillon.nn.support.dtypes import get_default_dtype


def integer(owner: str, name: str, value: Any, least: int | None = 1) -> int:
    """The value as an int; ValueError unless it is an integer ≥ least (None: any integer)."""
    if not is_integer(value) or (least is not None and value < least):
        limit = "" if least is None else f" ≥ {least}"
        raise ValueError(f"{owner}: expected {name} to be an integer{limit}, got {value!r}.")
    return int(value)


def is_integer(value: Any) -> bool:
    """Whether it is an integer, Python's or NumPy's; True and False are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_sequence(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether it is a list, a tuple or the like; a text is none."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def integers(owner: str, name: str, value: Any, count: int, least: int = 1, *, single: bool = False) -> tuple[int, ...]:
    """One integer for each of `count` dimensions: given as that many, or as one for all.

    single: whether a sequence of one stands for all as well, as PyTorch has it for some parameters.
    """
    given = tuple(value) if is_sequence(value) else (value,) * count
    given = given * count if len(given) == 1 and single else given
    if len(given) != count or not all(is_integer(part) and part >= least for part in given):
        several = f" or {count} of them" if count > 1 else ""
        raise ValueError(f"{owner}: expected {name} to be an integer ≥ {least}{several}, got {value!r}.")
    return tuple(map(int, given))


def number(
    owner: str,
    name: str,
    value: Any,
    least: float = -math.inf,
    most: float = math.inf,
    *,
    above: bool = False,
    finite: bool = False,
) -> float:
    """The value; ValueError unless it is a real number in [least, most], or with `above` in (least, most].

    finite: whether infinity is refused even where it is no further than the limits.
    """
    fits = is_number(value) and not math.isnan(value) and least <= value <= most and not (above and value == least)
    infinite = finite and is_number(value) and math.isinf(value)
    if not fits or infinite:
        kind = "a finite number" if infinite else "a number"
        raise ValueError(f"{owner}: expected {name} to be {kind}{_range(least, most, above)}, got {value!r}.")
    return value.item() if isinstance(value, np.number) else value  # NumPy's would widen float32 arrays


def is_number(value: Any) -> bool:
    """Whether it is a real number, Python's or NumPy's; True and False are none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def flag(owner: str, name: str, value: Any) -> bool:
    """The value; TypeError unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{owner}: expected {name} to be True or False, got {value!r}.")
    return bool(value)


def flags(owner: str, **values: Any) -> tuple[bool, ...]:
    """Several flags, by their names."""
    return tuple(flag(owner, name, value) for name, value in values.items())


def generator(owner: str, value: Any) -> random.Generator | None:
    """The value; TypeError unless it is a Generator or None."""
    if value is not None and not isinstance(value, random.Generator):
        raise TypeError(f"{owner}: expected generator to be a Generator or None, {got(value)}")
    return value


def one_of(owner: str, name: str, value: Any, choices: Sequence[str]) -> str:
    """The value; ValueError unless it is one of these words."""
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(map(repr, choices[:-1])) + f" or {choices[-1]!r}"
        raise ValueError(f"{owner}: expected {name} to be {listed}, got {value!r}.")
    return str(value)


def _range(least: float, most: float, above: bool) -> str:
    sign = ">" if above else "≥"
    if math.isinf(least):
        return "" if math.isinf(most) else f" ≤ {most:g}"
    return f" {sign} {least:g}" if math.isinf(most) else f" in {'(' if above else '['}{least:g}, {most:g}]"


def config(module: Any) -> dict[str, Any]:
    """The constructor's arguments, by name: the attributes of the parameters' names.

    What has no attribute and a default is left out: it was for the making alone (device, generator). TypeError for
    one without a default.
    """
    values: dict[str, Any] = {}
    for name, parameter in inspect.signature(type(module).__init__).parameters.items():
        if name == "self" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name == "dtype":
            floating = next((array.dtype for array in module.state_arrays().values() if array.dtype.kind == "f"), None)
            values |= {} if floating is None else {"dtype": str(floating)}
        elif (value := _argument(module, name, parameter)) is not parameter.empty:
            values[name] = value
        elif parameter.default is parameter.empty:
            owner = type(module).__name__
            raise TypeError(
                f"{owner}: expected an attribute {name!r}, the constructor's parameter. Keep what the constructor is "
                f"given under its parameters' names, or let {owner}.get_config() return the arguments."
            )
    return values


def _argument(module: Any, name: str, parameter: inspect.Parameter) -> Any:
    """The attribute of a parameter's name, `parameter.empty` where there is none.

    An array or Parameter, or None, stands for the flag that made it.
    """
    value = getattr(module, name, parameter.empty)
    if isinstance(parameter.default, bool) and not isinstance(value, bool) and value is not parameter.empty:
        return value is not None
    return value


def shown(module: Any) -> list[str]:
    """The arguments that make such a module: those without a default, then by name those that differ from it."""
    parts = []
    for name, parameter in inspect.signature(type(module).__init__).parameters.items():
        if name == "dtype":
            if next(module.parameters(), None) is not None and module.dtype != get_default_dtype():
                parts.append(f"dtype={str(module.dtype)!r}")
            continue
        value = _argument(module, name, parameter)
        value = parameter.default if value is parameter.empty else value
        value = value.tolist() if isinstance(value, np.ndarray) else value
        if parameter.default is parameter.empty:
            if name != "self" and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                parts.append(repr(value))
        elif value is not parameter.default and value != parameter.default:
            parts.append(f"{name}={value!r}")
    return parts
