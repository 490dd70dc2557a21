"""Containers: links made of links.

A link of your own is made of others by holding them as attributes (or in lists, dicts, ModuleList, ModuleDict) and
by saying how the value flows, and on the next line how the gradient flows back through them. Parameters, state_dict,
`fit`, `predict` and `check_module` find the children by themselves:

>>> import numpy as np, maillon
>>> from maillon.check import check_module
>>> class Gated(maillon.Module):
...     def __init__(self, features):
...         self.content = maillon.Sequential(maillon.Linear(features, features), maillon.Tanh())
...         self.gate = maillon.Sequential(maillon.Linear(features, features), maillon.Sigmoid())
...     def forward(self, x):
...         a, g = self.content(x), self.gate(x)
...         return self.keep(a * g, a, g)
...     def backward(self, grad_output):
...         a, g = self.release(grad_output)
...         return self.content.backward(grad_output * g) + self.gate.backward(grad_output * a)
>>> x = np.array([[1.0, -2.0], [0.5, 3.0]])
>>> check_module(Gated(2), x).rules
(1, 2, 3, 4, 5, 6)

The rules of thumb: what forward used twice has its gradients added in backward; children are walked in the reverse
order; each child serves one backward for each forward, so one that is used twice is used through `child.share()`; and
`with errors.inside(self, "gate"):` around a child's call makes its errors say where they happened.
"""

import inspect
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from functools import cache
from typing import Any, Self, overload

import numpy as np

from maillon.messages import got
from maillon.nn.module import Module
from maillon.nn.support import errors
from maillon.nn.support.errors import LinkError
from maillon.tracebacks import short_traceback


def refuse_twice(owner: str, modules: Iterable[tuple[str, Module]]) -> None:
    """Raise when one instance stands at two places: its second forward would overwrite what the first kept."""
    places: dict[int, str] = {}
    for place, module in modules:
        if (first := places.setdefault(id(module), place)) != place:
            raise ValueError(
                f"{owner}: the same {module!r} stands at {first} and at {place}, and what it keeps for backward "
                "would be overwritten. Use link.share() for the second: a link of its own with the same Parameters."
            )


def refuse_twice_among(owner: str, links: Mapping[str, Module]) -> None:
    """The same for links by their names, and all inside them."""
    refuse_twice(
        owner,
        (
            (f"[{key}]" + "".join(f"[{part}]" for part in inner.split(".") if part), module)
            for key, link in links.items()
            for inner, module in link.named_modules()
        ),
    )


def handed(link: Module, x: Any) -> Any:
    """The link's output for what another one gave: a tuple becomes several inputs where the link takes several."""
    return link(*x) if type(x) is tuple and len(x) > 1 and takes_several(type(link).forward) else link(x)


@cache
def takes_several(forward: Callable[..., Any]) -> bool:
    """Whether a link's forward needs two arguments or more, or takes any number."""
    given = list(inspect.signature(forward).parameters.values())[1:]
    needed = [p for p in given if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(needed) > 1 or any(p.kind is p.VAR_POSITIONAL for p in given)


def _takes_links(container: type["Held"]) -> bool:
    """Whether its constructor takes the links, and nothing else."""
    return list(inspect.signature(container.__init__).parameters)[1:] in (["links"], ["modules"])


class Held(Module):
    """What containers share: links by their names, which are the children's."""

    _brackets = ("(", ")")

    def __init__(self, named: Iterable[tuple[str | None, Any]]) -> None:
        self._links: dict[str, Module] = {}
        self._rebuild(list(named))

    def _rebuild(self, named: list[tuple[str | None, Any]]) -> None:
        """Give the unnamed links their place as name, check the whole, then take it."""
        owner = type(self).__name__
        links: dict[str, Module] = {}
        for place, (name, link) in enumerate(named):
            if not isinstance(link, Module):
                raise TypeError(f"{owner}[{place}]: expected a Module, {got(link)}")
            key = str(place) if name is None else name
            if not isinstance(key, str) or not key or "." in key or key in links:
                raise ValueError(f"{owner}[{place}]: the name {key!r} is taken, empty, not a string or has a dot.")
            links[key] = link
        refuse_twice_among(owner, links)
        self._links = links

    def named_children(self) -> Iterator[tuple[str, Module]]:
        yield from self._links.items()

    def replace_child(self, name: str, child: Module | None) -> None:
        links = self._links | ({} if child is None else {name: child})
        self._rebuild([(key, link) for key, link in links.items() if key != name or child is not None])

    def get_config(self) -> dict[str, Any]:
        """{"links": the links by name}; of a class with another constructor, that one's arguments."""
        return {"links": dict(self._links)} if _takes_links(type(self)) else super().get_config()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(config["links"]) if _takes_links(cls) else super().from_config(config)

    def __len__(self) -> int:
        return len(self._links)

    def __getattr__(self, name: str) -> Module:
        try:
            return self.__dict__["_links"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no attribute or link {name!r}") from None

    def __repr__(self) -> str:
        if not self._links:
            return f"{type(self).__name__}()"
        named = self._brackets[0] == "({" or not all(map(str.isdecimal, self._links))
        lines = [
            (f"{name!r}: " if named else "") + repr(link).replace("\n", "\n  ") for name, link in self._links.items()
        ]
        opening, closing = ("({", "})") if named else self._brackets
        return f"{type(self).__name__}{opening}\n" + "".join(f"  {line},\n" for line in lines) + closing


class Links(Held):
    """What containers share that hold a list of links, named or numbered."""

    def __init__(self, *links: Module | Mapping[str, Module]) -> None:
        if len(links) == 1 and isinstance(links[0], Mapping):
            super().__init__(links[0].items())
        else:
            super().__init__((None, link) for link in links)

    def _named(self) -> list[tuple[str | None, Module]]:
        return [(None if name.isdecimal() else name, link) for name, link in self._links.items()]

    def __iter__(self) -> Iterator[Module]:
        return iter(self._links.values())

    def _place(self, index: int | str) -> int:
        names = list(self._links)
        if isinstance(index, str):
            if index not in names:
                raise KeyError(f"{type(self).__name__}: no link {index!r}; there are {', '.join(names) or 'none'}.")
            return names.index(index)
        if not -len(names) <= index < len(names):
            raise IndexError(f"{type(self).__name__}: no link {index}; there are {len(names)}.")
        return index % len(names)

    @overload
    def __getitem__(self, index: slice) -> Self: ...
    @overload
    def __getitem__(self, index: int | str) -> Module: ...
    def __getitem__(self, index: int | str | slice) -> Module | Self:
        if isinstance(index, slice):
            return type(self)(dict(list(self._links.items())[index]))
        return list(self._links.values())[self._place(index)]

    def __setitem__(self, index: int | str, link: Module) -> None:
        named: list[tuple[str | None, Any]] = list(self._named())
        place = self._place(index)
        named[place] = (named[place][0], link)
        self._rebuild(named)

    def __delitem__(self, index: int | str | slice) -> None:
        named: list[tuple[str | None, Any]] = list(self._named())
        del named[index if isinstance(index, slice) else self._place(index)]
        self._rebuild(named)

    def insert(self, index: int, link: Module) -> Self:
        """Put a link before the one at `index`; returns the chain."""
        named: list[tuple[str | None, Any]] = list(self._named())
        named.insert(index, (None, link))
        self._rebuild(named)
        return self

    def pop(self, index: int | str = -1) -> Module:
        """Take a link out; returns it."""
        link = self[index]
        del self[index]
        return link

    def append(self, link: Module) -> Self:
        """Put a link at the end; returns the chain."""
        return self.extend([link])

    def extend(self, links: Iterable[Module]) -> Self:
        """Put links at the end; returns the chain."""
        self._rebuild([*self._named(), *((None, link) for link in links)])
        return self


class Sequential(Links):
    """A chain of links: y = linkₙ(… link₂(link₁(x))).

    Derivative, with link' a link's backward: dx = link₁'(link₂'(… linkₙ'(dy))). That is the chain rule.

    Several inputs go to the first link, by place or by name. A tuple that a link returns goes on as several inputs
    where the next link's forward needs several or takes any number (Concat, Add, Bilinear, Graph …), else as one. It
    nests, iterates, indexes by place or name, slices (the slice holds the same links), and changes with append, extend,
    insert, pop, item assignment and del.

    Parameters
    ----------
    *links : Module, or one dict of str to Module
        The links, in order; ``Sequential({"name": link, …})`` names them.

    Raises
    ------
    TypeError, ValueError
        For what is no link, one link twice, or a name that is taken.

    Examples
    --------
    >>> import maillon
    >>> network = maillon.Sequential(maillon.Linear(2, 4), maillon.Tanh(), maillon.Linear(4, 1))
    >>> network
    Sequential(
      Linear(2, 4),
      Tanh(),
      Linear(4, 1),
    )
    >>> network[1], len(network[:2]), list(network.state_dict())
    (Tanh(), 2, ['0.weight', '0.bias', '2.weight', '2.bias'])
    """

    @short_traceback
    def __call__(self, *inputs: Any, **named: Any) -> Any:
        if inputs or named.keys() <= {"x", "input"} or not self._links:
            return super().__call__(*inputs, **named)
        first, *rest = self._links.items()
        with errors.inside(self, first[0]):
            x = first[1](**named)
        for name, link in rest:
            with errors.inside(self, name):
                x = handed(link, x)
        return x

    def forward(self, x: Any, *more: Any) -> Any:
        name = ""
        if more:
            x = (x, *more)
        try:
            for name, link in self._links.items():  # noqa: B007 - the name is for the error
                x = link(x) if type(x) is not tuple else handed(link, x)
        except LinkError as error:
            error.within(type(self).__name__, name)
            raise
        return x

    def backward(self, grad_output: Any) -> Any:
        name = ""
        try:
            for name, link in reversed(self._links.items()):  # noqa: B007
                grad_output = link.backward(grad_output)
        except LinkError as error:
            error.within(type(self).__name__, name)
            raise
        return grad_output

    def backward_parameters(self, grad_output: Any) -> None:
        """As backward, down to the first link that trains, and without that link's input gradient."""
        links, name, first = self._links, "", None
        for link in links.values():
            if link.trains():
                first = link
                break
        try:
            for name, link in reversed(links.items()):  # noqa: B007
                if link is first:
                    link.backward_parameters(grad_output)
                    break
                grad_output = link.backward(grad_output)
        except LinkError as error:
            error.within(type(self).__name__, name)
            raise
        for link in links.values():
            if link is first:
                break
            link.forget()

    def output_link(self) -> Module:
        return self[-1].output_link() if self._links else self


class ModuleList(Links):
    """A list of links that is no chain: whoever holds it calls them.

    It indexes, slices, iterates and changes like a list, also with `+`, append, extend, insert, item assignment and
    del. In a link of your own a plain list of links as attribute works as well.

    Parameters
    ----------
    modules : iterable of Module, optional
        The links; none by default.

    Examples
    --------
    >>> import maillon
    >>> layers = maillon.ModuleList(maillon.Linear(2, 2) for _ in range(2))
    >>> len(layers), list(layers.state_dict())
    (2, ['0.weight', '0.bias', '1.weight', '1.bias'])
    """

    _brackets = ("([", "])")

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        given = modules.values() if isinstance(modules, Mapping) else modules  # a slice has names, and new places
        if given is not None and (not isinstance(given, Iterable) or isinstance(given, str | np.ndarray)):
            raise TypeError(f"ModuleList: expected modules to be several links, {got(modules)}")
        super().__init__(*(() if given is None else given))

    def __add__(self, other: Iterable[Module]) -> Self:
        return type(self)([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)


def _pairs(modules: Any) -> dict[Any, Any]:
    """Links by name, given so or as pairs."""
    try:
        return dict(modules.items() if isinstance(modules, ModuleDict) else modules)
    except (TypeError, ValueError):
        raise TypeError(
            f"ModuleDict: expected modules to be {{name: link}}, or pairs of both, {got(modules)}"
        ) from None


class ModuleDict(Held):
    """Links by name, no chain: whoever holds it calls them.

    It indexes, iterates (over the names) and changes like a dict, with update, pop, clear, item assignment and del. In
    a link of your own a plain dict of links as attribute works as well.

    Parameters
    ----------
    modules : dict of str to Module, or iterable of pairs, optional
        The links by name; none by default.

    Examples
    --------
    >>> import maillon
    >>> ways = maillon.ModuleDict({"left": maillon.Linear(2, 1), "right": maillon.Tanh()})
    >>> list(ways), "left" in ways, list(ways.state_dict())
    (['left', 'right'], True, ['left.weight', 'left.bias'])
    """

    _brackets = ("({", "})")

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__(_pairs({} if modules is None else modules).items())

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
        named: dict[Any, Any] = {**self._links, **_pairs(modules)}
        self._rebuild(list(named.items()))

    def pop(self, name: str) -> Module:
        """Take a link out; returns it."""
        link = self[name]
        self._rebuild([(key, held) for key, held in self._links.items() if key != name])
        return link

    def clear(self) -> None:
        """Take all links out."""
        self._rebuild([])
