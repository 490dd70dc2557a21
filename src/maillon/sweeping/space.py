"""What a sweep tries: settings from lists, ranges and distributions, and who gets each of them."""

import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from maillon.messages import got, nearest
from maillon.nn.support import arguments
from maillon.optim import SGD, Adam, Rule

Settings = dict[str, Any]

SEED = "seed"
_NOT_SWEPT = (
    *("network", "x", "y", "sample_weight", "validation_data", "validation_split", "metrics", "epochs"),
    *("generator", "engine", "progress", "callbacks", "checkpoint", "resume", "resume_exact"),
)


_BLOCK = 64
"""Settings that are drawn together: scipy takes as long for one as for many. The first n are the same for any n."""


class Receivers:
    """Who gets a setting: `build`, `fit`, or the rule that `fit` is given.

    Parameters
    ----------
    build : callable
        Makes a network of the settings that are its arguments.
    fit : callable
        The function `fit`.
    rule : Rule or float
        What the sweep is given for all trainings: its options may be swept.
    names : iterable of str
        The settings.
    """

    def __init__(self, build: Callable[..., Any], fit: Callable[..., Any], rule: Any, names: Iterable[str]) -> None:
        if not callable(build):
            raise TypeError(f"sweep: expected build to be a function that makes a network, {got(build)}")
        try:
            parameters = inspect.signature(build).parameters.values()
        except (TypeError, ValueError):  # some built-in classes do not say
            parameters = inspect.signature(lambda **_: None).parameters.values()
        self._any = any(each.kind is each.VAR_KEYWORD for each in parameters)
        named = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
        self._build = {each.name for each in named}
        self._needed = {each.name for each in named if each.default is each.empty}
        self._fit = {name for name in inspect.signature(fit).parameters if name not in _NOT_SWEPT}
        self._rule = rule
        own = set(rule.defaults) if isinstance(rule, Rule) else set(Adam().defaults)
        self._options = {"lr", "weight_decay"} | own  # those that any rule may have, and those of the rule given
        self._known: dict[str, str] = {}
        for name in names:
            self._known[name] = self._receiver(name)

    def _receiver(self, name: str) -> str:
        """Which of "build", "fit", "rule" and "seed" has it; ValueError for a name of two or of none."""
        others = "seed" if name == SEED else "fit" if name in self._fit else "rule" if name in self._options else ""
        if name in self._build and others:
            whose = {"fit": "fit's", "rule": "the rule's", "seed": "the sweep's"}[others]
            raise ValueError(
                f"sweep: {name!r} is an argument of build and {whose} as well. Call build's something else."
            )
        if others or name in self._build or (self._any and name not in _NOT_SWEPT):
            return others or "build"
        known = [*self._build, *self._options, *self._fit, SEED]
        close = nearest(name, known)
        hint = f"Did you mean {close!r}?" if close else f"They know {', '.join(sorted(known))}."
        if name in _NOT_SWEPT:
            hint = "It is the same for all trainings: give it to sweep." if name != "generator" else "Sweep over seed."
        raise ValueError(f"sweep: {name!r} is no argument of build, and none of fit's that can be swept. {hint}")

    def split(self, settings: Mapping[str, Any]) -> tuple[Settings, Settings]:
        """What build gets, and what fit gets, the rule with its options among it."""
        parts: dict[str, Settings] = {"build": {}, "fit": {}, "rule": {}, "seed": {}}
        for name, value in settings.items():
            parts[self._known.get(name) or self._receiver(name)][name] = value
        if missing := self._needed - parts["build"].keys():
            raise ValueError(
                f"sweep: build needs {', '.join(sorted(missing))}, which the settings {dict(settings)} do not name."
            )
        fit = parts["fit"]
        fit["rule"] = recipe(fit.get("rule", self._rule), parts["rule"])
        return parts["build"], fit


def recipe(given: Any, options: Mapping[str, Any]) -> Rule:
    """A rule without parameters, with these options in the place of its own."""
    rule = Adam() if given is None else SGD(lr=given) if isinstance(given, int | float) else given
    if not isinstance(rule, Rule):
        raise TypeError(f"sweep: expected rule to be a recipe such as Adam(lr=1e-3), or a rate, {got(given)}")
    if rule.bound:
        raise ValueError(f"sweep: each training needs a rule of its own, got {rule!r}. Give it without parameters.")
    if unknown := options.keys() - rule.defaults.keys():
        raise ValueError(f"sweep: {type(rule).__name__} has no {', '.join(sorted(unknown))}. It has {rule!r}.")
    return type(rule)(None, **{**rule.defaults, **options}) if options else rule


def require_space(space: Any, sampler: Any = None) -> None:
    """TypeError or ValueError for what is neither a dict of names nor a list of settings.

    sampler: Optuna's, which takes no list of settings, and distributions of its own.
    """
    if sampler is not None and not isinstance(space, Mapping):
        raise TypeError(f"sweep: expected space to be a dict of names for a sampler to choose from, {got(space)}")
    if isinstance(space, Mapping):
        for name, values in space.items():
            if not isinstance(name, str):
                raise TypeError(f"sweep: expected the names in space to be strings, {got(name)}")
            proposed = sampler is not None and hasattr(values, "to_external_repr")
            if not (proposed or is_distribution(values) or is_listed(values)):
                raise TypeError(
                    f"sweep: expected space[{name!r}] to be a list, a range or a distribution of scipy.stats, "
                    f"{got(values)} Give a value that is the same for all as [value]."
                )
            if is_listed(values) and not len(values):
                raise ValueError(f"sweep: space[{name!r}] is empty. Give at least one value.")
    elif isinstance(space, str) or not isinstance(space, Sequence) or not all(isinstance(s, Mapping) for s in space):
        raise TypeError(
            f"sweep: expected space to be a dict of lists, ranges or distributions, or a list of settings, {got(space)}"
        )
    elif not space:
        raise ValueError("sweep: the list of settings is empty. Give at least one dict.")


def names_of(space: Any) -> list[str]:
    """The names of all settings, each once."""
    dicts = [space] if isinstance(space, Mapping) else space
    return list(dict.fromkeys(name for each in dicts for name in each))


def is_distribution(values: Any) -> bool:
    """Whether it draws: scipy's do by `rvs`."""
    return hasattr(values, "rvs")


def is_listed(values: Any) -> bool:
    """Whether it is a list of what there is to choose from."""
    return isinstance(values, list | tuple | range) or (isinstance(values, np.ndarray) and values.ndim == 1)


def drawn(space: Any, n: int | None, generator: np.random.Generator) -> Iterator[Settings]:
    """The settings to try: a list as it is given, a grid without `n`, else `n` drawn at random.

    From lists alone settings are drawn without replacement, as many as there are at most.
    """
    if not isinstance(space, Mapping):
        chosen = range(len(space)) if n is None else range(min(n, len(space)))
        yield from (dict(space[place]) for place in chosen)
        return
    lists = {name: plain(values) for name, values in space.items() if is_listed(values)}
    size = math.prod(len(values) for values in lists.values())
    if len(lists) < len(space):
        if n is None:
            names = ", ".join(name for name in space if name not in lists)
            raise ValueError(f"sweep: expected n, how many settings to draw: {names} have no end. Give n=100, say.")
        for begun in range(0, n, _BLOCK):
            columns = {name: _draws(lists.get(name, values), generator) for name, values in space.items()}
            for row in range(min(_BLOCK, n - begun)):
                yield {name: column[row] for name, column in columns.items()}
        return
    if n is None:
        yield from (dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values()))
        return
    sizes = [len(values) for values in lists.values()]
    for place in _places(size, min(n, size), generator):
        yield {
            name: lists[name][int(index)]
            for name, index in zip(lists, np.unravel_index(place, sizes) if sizes else (), strict=True)
        }


def _places(size: int, n: int, generator: np.random.Generator) -> Iterable[int]:
    """So many of `size` places, each once, in random order."""
    if size <= 2**20:
        return (int(place) for place in generator.permutation(size)[:n])
    return itertools.islice(_distinct(size, generator), n)


def _distinct(size: int, generator: np.random.Generator) -> Iterator[int]:
    found: set[int] = set()
    while len(found) < size:
        place = int(generator.integers(size))
        if place not in found:
            found.add(place)
            yield place


def plain(values: Any) -> list[Any]:
    """The values as Python's own: a table of settings shows them, and functions compare them."""
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _draws(values: Any, generator: np.random.Generator) -> list[Any]:
    """A block of draws of one setting."""
    if isinstance(values, list):
        return [values[place] for place in generator.integers(len(values), size=_BLOCK)]
    return plain(values.rvs(size=_BLOCK, random_state=generator))


def count(space: Any, n: int | None) -> int:
    """How many settings `drawn` gives."""
    if not isinstance(space, Mapping):
        return len(space) if n is None else min(n, len(space))
    if any(is_distribution(values) for values in space.values()):
        return 0 if n is None else n
    size = math.prod(len(values) for values in space.values())
    return size if n is None else min(n, size)


def seed_of(settings: Mapping[str, Any], own: int) -> int:
    """The seed that the settings name, else the sweep's; ValueError for what is none."""
    return arguments.integer("sweep", SEED, settings[SEED], least=None) if SEED in settings else own


def worded(value: Any) -> str:
    """A setting in few words: a class or a function by its name, a number in four digits."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(getattr(value, "__name__", value))
