"""A network as a description and tensors, and back: what each link is made of, and what the whole shares."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, cast

import numpy as np

from maillon import nn, optim
from maillon.engine.walk import own_method
from maillon.nn import Module, Parameter
from maillon.nn.support.outline import outline, outlined, real
from maillon.optim import lr_scheduler
from maillon.random import Generator, using
from maillon.saving.files import FileError
from maillon.saving.values import Decoder, Encoder, Tensors, checked_names, listed_names, part, state_of

_SOME, _SOME_BYTES = 64, 2**23
"""How many arrays constructors may make beyond twice those of the file, and how many bytes those of the user's own
classes may take beyond the file's: for what is replaced afterwards by what is smaller."""


@lru_cache(1024)
def library_class(name: str) -> type | None:
    """The link, loss, rule or schedule of ours that has this name."""
    for package in (nn, optim, lr_scheduler):
        if name in package.__all__ and isinstance(found := getattr(package, name), type):
            return found
    return None


class Describer:
    """Describes modules, and notes the classes that are the user's own.

    tensors: where large arrays go; None leaves all in the description.
    """

    def __init__(self, tensors: Tensors | None = None) -> None:
        self.encode = Encoder(self.module, tensors)
        self.own: dict[str, type] = {}
        self._known: dict[int, tuple[Module, Any]] = {}

    def class_of(self, thing: object) -> dict[str, Any]:
        """The class, by its name; own: whether the reader must be given it."""
        kind = type(thing)
        if library_class(kind.__name__) is kind:
            return {"class": kind.__name__}
        if self.own.setdefault(kind.__name__, kind) is not kind:
            raise ValueError(f"save: two classes are called {kind.__name__!r}. Give them different names.")
        return {"class": kind.__name__, "own": True}

    def module(self, module: Module) -> Any:
        """The class, the constructor's arguments, and the modules inside that the constructor would make otherwise."""
        if id(module) not in self._known:
            if method := own_method(module):
                raise TypeError(
                    f"save: {type(module).__name__} has a {method} of its own, set on the instance, which a file "
                    "cannot hold. Define a class."
                )
            config = module.get_config()
            description = self._plain(module, config)
            if replaced := self._replaced(module, config, description):
                description["replaced"] = replaced
            self._known[id(module)] = module, description
        return self._known[id(module)][1]

    def _plain(self, module: Module, config: dict[str, Any]) -> dict[str, Any]:
        name = type(module).__name__
        return self.class_of(module) | {
            "config": {key: self.encode(value, f"{name}.{key}") for key, value in config.items()}
        }

    def _replaced(self, module: Module, config: dict[str, Any], description: Any) -> dict[str, Any]:
        children = dict(module.named_children())
        given = {id(link) for value in config.values() for link in _modules(value)}
        if all(id(child) in given for child in children.values()):
            return {}
        made = dict(self._rebuilt(module, description).named_children())
        if moved := sorted(name for name in {*children} ^ {*made} if "." in name):
            raise TypeError(
                f"save: the constructor of {type(module).__name__} makes other links than there are at {moved}. "
                "Let get_config() return what makes it so."
            )
        changed = {
            name: self.module(child)
            for name, child in children.items()
            if name not in made or self.module(child) != self._plain(made[name], made[name].get_config())
        }
        return changed | {name: None for name in made if name not in children}

    def _rebuilt(self, module: Module, description: Any, tensors: Tensors | None = None) -> Module:
        """What a reader would make of the description, in the room that these tensors give it."""
        with sketched(tensors, self.encode.generators):
            try:
                return Builder(self.own, {}, self.encode.generators).module(description)
            except FileError as error:
                reason = str(error).removesuffix(".")
                raise TypeError(f"save: {reason}. Let get_config() return what the constructor takes.") from error

    def network(self, network: Module) -> dict[str, Any]:
        """The module, and what its links share, what is frozen, and which links are in evaluation mode."""
        record = {"link": self.module(network)}
        _require_same(network, self._rebuilt(network, record["link"], network.state_arrays()))
        places: dict[int, list[str]] = {}
        for name, owner, attribute in _places(network):
            held = getattr(owner, attribute)
            places.setdefault(id(held), []).append(name)
        return record | {
            "shared": sorted(sorted(names) for names in places.values() if len(names) > 1),
            "frozen": sorted(name for name, parameter in network.named_parameters() if not parameter.requires_grad),
            "evaluating": sorted(name for name, module in network.named_modules() if not module.training),
        }

    @property
    def generators(self) -> list[Any]:
        """The states of all generators so far."""
        return [state_of(generator) for generator in self.encode.generators]


class Builder:
    """Makes modules of descriptions, of classes that it knows by name. FileError for what cannot be made.

    classes: the user's own, by name; tensors, generators: what a description points at.
    """

    def __init__(self, classes: Mapping[str, type], tensors: Tensors, generators: list[Generator]) -> None:
        self._classes = classes
        self.decode = Decoder(self.module, tensors, generators)

    def class_of(self, description: Any, kind: type) -> type:
        """The class that a description names."""
        name = part(description, "class", str)
        own = description.get("own", False)
        if type(own) is not bool:
            raise FileError(f"its description of a {name!r} has no 'own' as it should")
        found = self._classes.get(name) if own else library_class(name)
        if found is None:
            known = f"Give it to load(…, links={{{name!r}: {name}}})" if own else "It may be of a newer version"
            raise FileError(f"the class {name!r} is not known. {known}")
        if not issubclass(found, kind):
            raise FileError(f"{name!r} is no {kind.__name__}")
        return found

    def arguments(self, description: Any, name: str = "config") -> dict[str, Any]:
        """Named values of a description."""
        return {key: self.decode(value) for key, value in part(description, name, dict).items()}

    def module(self, description: Any) -> Module:
        """The module, an outline: in a network, where its arrays will be given to it, and nowhere else."""
        if not outlined():
            raise FileError("a link stands where none belongs")
        found, config = cast(type[Module], self.class_of(description, Module)), self.arguments(description)
        made = self.make(description, lambda: found.from_config(config))
        if not isinstance(made, Module):
            raise FileError(f"{found.__name__}.from_config gave no module, but a {type(made).__name__}")
        replaced = part(description, "replaced", dict) if "replaced" in description else {}
        for name, child in replaced.items():
            link = None if child is None else self.module(child)
            self.make(description, partial(made.replace_child, name, link))
        return made

    def make(self, description: Any, how: Any) -> Any:
        """What a constructor makes; a class of the user's own has arrays with room, for it may fill them itself."""
        try:
            if not description.get("own", False):
                return how()
            with real():
                return how()
        except (FileError, RecursionError):
            raise
        except (Exception, MemoryError) as error:
            reason = str(error).removesuffix(".")
            raise FileError(f"a {description['class']} cannot be made of its arguments ({reason})") from error

    def network(self, record: Any, tensors: Tensors) -> Module:
        """The network of a record, holding these tensors."""
        with sketched(tensors, []):
            network = self.module(part(record, "link", dict))
        places = {name: (owner, attribute) for name, owner, attribute in _places(network)}
        _fill(network, places, tensors)
        _share(places, part(record, "shared", list))
        for name in listed_names(record, "frozen"):
            held = getattr(*places[name]) if name in places else None
            if not isinstance(held, Parameter):
                raise FileError(f"{name!r}, which is frozen, is no parameter of the network")
            held.requires_grad = False
        modules = dict(network.named_modules())
        for module in modules.values():
            module.training = True
        for name in listed_names(record, "evaluating"):
            if name not in modules:
                raise FileError(f"{name!r}, which is in evaluation mode, is no link of the network")
            modules[name].training = False
        return network


Places = dict[str, tuple[Module, str]]


def _fill(network: Module, places: Places, tensors: Tensors) -> None:
    """Give each parameter and buffer its tensor, after all have been found to fit."""
    own = network.state_arrays()
    problems = [f"{name} is missing" for name in own if name not in tensors]
    problems += [f"{name} has no place in it" for name in tensors if name not in own]
    for name, array in own.items():
        given = tensors.get(name, array)
        if given.shape != array.shape or given.dtype.kind != array.dtype.kind or given.dtype == np.float16:
            problems.append(f"{name} should be {array.dtype} {array.shape}, and is {given.dtype} {given.shape}")
    if problems:
        more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise FileError(f"the network and its tensors do not fit: {'; '.join(problems[:3])}{more}")
    for name, (owner, attribute) in places.items():
        held = getattr(owner, attribute)
        if isinstance(held, Parameter):
            held.data = tensors[name]
        else:
            setattr(owner, attribute, tensors[name])


def _share(places: Places, groups: Sequence[Any]) -> None:
    """Let one Parameter or buffer stand at all places of a group."""
    seen: set[str] = set()
    for listed in groups:
        group = checked_names("shared", listed)
        if unknown := [name for name in group if name not in places or name in seen]:
            raise FileError(f"{unknown[0]!r}, which is shared, is no array of the network, or stands twice")
        seen.update(group)
        one = getattr(*places[group[0]]) if group else None
        for name in group[1:]:
            other = getattr(*places[name])
            if type(one) is not type(other) or not _same_bits(one, other):
                raise FileError(f"{' and '.join(group)} are one array, and their values differ")
            setattr(*places[name], one)


def _same_bits(one: Any, other: Any) -> bool:
    a, b = (np.atleast_1d(held.data if isinstance(held, Parameter) else held) for held in (one, other))
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a.view(np.uint8), b.view(np.uint8))


@contextmanager
def sketched(tensors: Tensors | None, generators: list[Generator]) -> Iterator[None]:
    """Constructors neither take memory nor draw; what a class of the user's own draws moves no generator.

    tensors: what the network will hold, which bounds what constructors make.
    """
    before = [generator.get_state() for generator in generators]
    arrays, size = math.inf, math.inf
    if tensors is not None:
        arrays, size = 2 * len(tensors) + _SOME, sum(array.nbytes for array in tensors.values()) + _SOME_BYTES
    with outline(arrays, size), using(Generator(0)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for generator, state in zip(generators, before, strict=False):
                generator.set_state(state)


def _require_same(network: Module, made: Module) -> None:
    """TypeError unless the module made anew has arrays of the same names and shapes."""
    shapes, others = ({name: array.shape for name, array in each.state_arrays().items()} for each in (network, made))
    if different := sorted(name for name in {*shapes, *others} if shapes.get(name) != others.get(name)):
        raise TypeError(
            f"save: {type(network).__name__} made anew of its constructor's arguments has other arrays than this one: "
            f"{different}. Let get_config() return what makes it so."
        )


def _modules(value: Any) -> Iterator[Module]:
    """The modules that stand in an argument."""
    if isinstance(value, Module):
        yield value
    elif isinstance(value, list | tuple | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _modules(inner)


def _places(network: Module) -> Iterator[tuple[str, Module, str]]:
    """Each parameter and buffer that there is: its name in the state_dict, its module and attribute."""
    for path, module in network.named_modules():
        names = [name for name, value in vars(module).items() if isinstance(value, Parameter)]
        for attribute in [*names, *module.buffer_names]:
            if getattr(module, attribute) is not None:
                yield f"{path}.{attribute}" if path else attribute, module, attribute
