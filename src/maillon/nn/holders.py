"""ModuleList and ModuleDict: links held for a link of your own, which says how they work together."""

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self

from maillon.nn.containers import _Held, _Links
from maillon.nn.module import Module


class ModuleList(_Links):
    """A list of links that is no chain: whoever holds it calls them.

    modules: the links, none by default. It indexes, slices, iterates and changes like a list, also with `+`, append,
    extend, insert, item assignment and del. A plain list of links in an attribute does for a link of your own as well.

    >>> import maillon
    >>> layers = maillon.ModuleList(maillon.Linear(2, 2) for _ in range(2))
    >>> len(layers), list(layers.state_dict())
    (2, ['0.weight', '0.bias', '1.weight', '1.bias'])
    """

    _brackets = ("([", "])")

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        given = modules.values() if isinstance(modules, Mapping) else modules  # a slice has names, and new places
        super().__init__(*(given or ()))

    def __add__(self, other: Iterable[Module]) -> Self:
        return type(self)([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)


class ModuleDict(_Held):
    """Links by name, no chain: whoever holds it calls them.

    modules: {name: link} or pairs of both, none by default. It indexes, iterates (over the names) and changes like a
    dict, with update, pop, clear, item assignment and del. A plain dict of links in an attribute does for a link of
    your own as well.

    >>> import maillon
    >>> ways = maillon.ModuleDict({"left": maillon.Linear(2, 1), "right": maillon.Tanh()})
    >>> list(ways), "left" in ways, list(ways.state_dict())
    (['left', 'right'], True, ['left.weight', 'left.bias'])
    """

    _brackets = ("({", "})")

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__(dict(modules or {}).items())

    def __getitem__(self, name: str) -> Module:
        if name not in self._links:
            known = ", ".join(self._links) or "none"
            raise KeyError(f"{type(self).__name__}: no link {name!r}; there are {known}.")
        return self._links[name]

    def __setitem__(self, name: str, link: Module) -> None:
        self.update({name: link})

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __contains__(self, name: object) -> bool:
        return name in self._links

    def __iter__(self) -> Iterator[str]:
        return iter(self._links)

    def keys(self) -> KeysView[str]:
        return self._links.keys()

    def values(self) -> ValuesView[Module]:
        return self._links.values()

    def items(self) -> ItemsView[str, Module]:
        return self._links.items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Put links in; those of a name that is taken replace what was there."""
        named: dict[Any, Any] = {**self._links, **dict(modules.items() if isinstance(modules, ModuleDict) else modules)}
        self._rebuild(list(named.items()))

    def pop(self, name: str) -> Module:
        """Take a link out; returns it."""
        link = self[name]
        self._rebuild([(key, held) for key, held in self._links.items() if key != name])
        return link

    def clear(self) -> None:
        """Take all links out."""
        self._rebuild([])
