"""Where an object keeps its arrays: attributes, lists, tuples, dicts and the objects in them."""

import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from maillon.typing import Array

GRADIENT = re.compile(r"grad|derive|(^|_)d_?(w|b|k)\w*$|^_?d[A-Z]\w*$", re.IGNORECASE)
"""What the names of gradients have in common."""
NAMED = re.compile(
    r"^_*(parameters?|params?|weights?|poids|w\d*|b\d*|bias|biais|theta|kernels?|filters?|filtres?)_*$", re.IGNORECASE
)
"""Names that say: this is a parameter."""
FOREIGN = {"numpy", "torch", "scipy", "logging", "tqdm", "matplotlib"}
"""Packages whose objects are not looked into."""


class Place(NamedTuple):
    """The way to an array: attributes ("."), keys and indices ("[]") from the object on."""

    steps: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        shown = "".join(f".{key}" if kind == "." else f"[{key!r}]" for kind, key in self.steps)
        return re.sub(r"(^|\.)_[A-Za-z]\w*?(__\w+)", r"\1\2", shown.lstrip("."))

    @property
    def owner(self) -> tuple[tuple[str, Any], ...]:
        """The way to the object that the array is an attribute of, at whatever depth of lists and dicts."""
        last = max(i for i, (kind, _) in enumerate(self.steps) if kind == ".")
        return self.steps[:last]

    @property
    def name(self) -> str:
        """The attribute and the keys from there on."""
        return str(Place(self.steps[len(self.owner) :]))

    @property
    def stem(self) -> str:
        """The name without what says that it is a parameter or a gradient: "w" for _gradient["W"] and for grad_w."""
        own = self.steps[len(self.owner) :]
        text = "_".join(str(key) for _, key in own).lower()
        text = re.sub(r"parameters?|params?|gradients?|grads?|derivee?s?", "_", text)
        text = re.sub(r"[^0-9a-zà-ÿ]+", "", text)
        return text[1:] if re.fullmatch(r"d(w|b|k|weights?|bias|biais|poids)\d*", text) else text


def arrays(held: object) -> dict[Place, Array]:
    """Every array of numbers in an object, each once, by the longest way to it."""
    found: dict[int, tuple[Place, Array]] = {}
    for place, value in _walk(held, (), set()):
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
            known = found.get(id(value))
            if known is None or len(place.owner) > len(known[0].owner):
                found[id(value)] = place, value
    return dict(found.values())


def numbers(held: object) -> dict[Place, float]:
    """Every number that is not an array and whose name is a parameter's or a gradient's."""
    found = {}
    for place, value in _walk(held, (), set()):
        number = isinstance(value, float | np.floating) or (type(value) is int and value == 0)
        if number and (GRADIENT.search(place.name) or NAMED.match(str(place.steps[-1][1]))):
            found[place] = float(value)
    return found


def get(held: object, place: Place) -> Any:
    """What stands there; None when there is no such place any more."""
    value: Any = held
    try:
        for kind, key in place.steps:
            value = getattr(value, key) if kind == "." else value[key]
    except (AttributeError, KeyError, IndexError, TypeError):
        return None
    return value


def put(held: object, place: Place, value: Any) -> None:
    """Set what stands there; tuples on the way are made anew."""
    *way, (kind, key) = place.steps
    owner = get(held, Place(tuple(way)))
    if kind == ".":
        setattr(owner, key, value)
    elif isinstance(owner, tuple):
        put(held, Place(tuple(way)), (*owner[:key], value, *owner[key + 1 :]))
    else:
        owner[key] = value


def in_double(held: object) -> None:
    """Make every float array one of float64; what was one array in two places stays one."""
    made: dict[int, Array] = {}
    kept = []
    for place, value in list(_walk(held, (), set(), every=True)):
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.dtype != np.float64:
            kept.append(value)
            made.setdefault(id(value), value.astype(np.float64))
            put(held, place, made[id(value)])


def _walk(
    held: object, way: tuple[tuple[str, Any], ...], seen: set[int], every: bool = False
) -> Iterator[tuple[Place, Any]]:
    """Ways and leaves; an object is entered once, an array is given for each way that leads to it."""
    if isinstance(held, np.ndarray | np.generic | float | int):
        if way:
            yield Place(way), held
        return
    if id(held) in seen:
        return
    seen.add(id(held))
    for kind, key, value in _parts(held):
        yield from _walk(value, (*way, (kind, key)), seen, every)


def _parts(held: object) -> list[tuple[str, Any, Any]]:
    if isinstance(held, dict):
        return [("[]", key, value) for key, value in held.items()]
    if isinstance(held, list | tuple):
        return [("[]", index, value) for index, value in enumerate(held)]
    package = type(held).__module__.split(".")[0]
    if isinstance(held, type) or package in FOREIGN or package in sys.stdlib_module_names - {"__main__", "collections"}:
        return []
    if callable(held) and not hasattr(held, "forward"):
        return []
    return [(".", key, value) for key, value in getattr(held, "__dict__", {}).items()]
