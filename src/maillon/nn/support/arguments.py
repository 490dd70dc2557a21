"""What constructors are given: checked in one place, and shown again by `repr`."""

import inspect
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from maillon.nn.support.dtypes import get_default_dtype


def integer(owner: str, name: str, value: Any, least: int = 1) -> int:
    """The value as an int; ValueError unless it is an integer ≥ least."""
    if not is_integer(value) or value < least:
        raise ValueError(f"{owner}: expected {name} to be an integer ≥ {least}, got {value!r}.")
    return int(value)


def is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def integers(owner: str, name: str, value: Any, count: int, least: int = 1) -> tuple[int, ...]:
    """One integer for each of `count` dimensions: given as that many, or as one for all."""
    given = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * count
    if len(given) != count or not all(is_integer(part) and part >= least for part in given):
        several = f" or {count} of them" if count > 1 else ""
        raise ValueError(f"{owner}: expected {name} to be an integer ≥ {least}{several}, got {value!r}.")
    return tuple(map(int, given))


def number(
    owner: str, name: str, value: Any, least: float = -math.inf, most: float = math.inf, *, above: bool = False
) -> float:
    """The value; ValueError unless it is a real number in [least, most], or with `above` in (least, most]."""
    real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not real or math.isnan(value) or not least <= value <= most or (above and value == least):
        raise ValueError(f"{owner}: expected {name} to be a number{_range(least, most, above)}, got {value!r}.")
    return value.item() if isinstance(value, np.number) else value  # NumPy's would widen float32 arrays


def one_of(owner: str, name: str, value: Any, choices: Sequence[str]) -> str:
    """The value; ValueError unless it is one of these words."""
    if value not in choices:
        listed = ", ".join(map(repr, choices[:-1])) + f" or {choices[-1]!r}"
        raise ValueError(f"{owner}: expected {name} to be {listed}, got {value!r}.")
    return str(value)


def _range(least: float, most: float, above: bool) -> str:
    sign = ">" if above else "≥"
    if math.isinf(least):
        return "" if math.isinf(most) else f" ≤ {most:g}"
    return f" {sign} {least:g}" if math.isinf(most) else f" in {'(' if above else '['}{least:g}, {most:g}]"


def shown(module: Any) -> list[str]:
    """The arguments that make such a module: those without a default, then by name those that differ from it.

    Each is the attribute of the parameter's name; an absent array or Parameter stands for False.
    """
    parts = []
    for name, parameter in inspect.signature(type(module).__init__).parameters.items():
        if name == "dtype":
            if next(module.parameters(), None) is not None and module.dtype != get_default_dtype():
                parts.append(f"dtype={str(module.dtype)!r}")
            continue
        value = getattr(module, name, parameter.default)
        value = value.tolist() if isinstance(value, np.ndarray) else value
        if isinstance(parameter.default, bool) and not isinstance(value, bool):
            value = value is not None
        if parameter.default is parameter.empty:
            if name != "self" and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                parts.append(repr(value))
        elif value is not parameter.default and value != parameter.default:
            parts.append(f"{name}={value!r}")
    return parts
