"""What the plans of a training were lowered from, and whether it is still the same."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from maillon.engine.builder import NotLoweredError
from maillon.engine.walk import is_known_loss, own_links, own_method
from maillon.nn import Loss, Module, Sequential
from maillon.optim import Optim
from maillon.random import Generator, default_generator

_NOTED = ("denominator", "shares", "_kept")  # what a loss notes at each forward
_STRUCTURAL = ("momentum", "nesterov", "amsgrad", "maximize", "decoupled_weight_decay", "centered")
"""Options of a rule that decide which operations there are, by being on or off."""


class Origins:
    """A picture of an Optim: arrays that are learnt stand in it by identity, constants by their bytes.

    What may change without a new plan is not in it: rates, limits of the gradients, the values of arrays.
    """

    def __init__(self, optim: Optim, generators: list[Generator]) -> None:
        """generators: those that the plans draw from."""
        self._optim = optim
        self._parts = _parts(optim)
        # A link of the user's own is called as it is: what it learns is all that is looked at.
        self._own = own_links(optim.network)
        own = {inner for link in self._own for inner in link.modules()}
        modules = [module for module in optim.network.modules() if module not in own]
        self._modules = [(vars(module), _without_kept(vars(module)).copy()) for module in modules]
        self._chains = [(module, tuple(module)) for module in modules if type(module) is Sequential]
        self._parameters = [
            (parameter, parameter.data, parameter.requires_grad, parameter.data.flags.writeable)
            for parameter in optim.network.parameters()
        ]
        self._learnt = _learnt(self._own)
        self._loss = _constants(optim.loss)
        self._groups = [(group, list(group["params"])) for group in optim.rule.param_groups]
        self._switches = _switches(optim)
        self._streams = [(generator, generator.bit_generator) for generator in generators]
        self._default = default_generator()

    def hold(self) -> bool:
        """Whether everything is as it was. What a forward by hand has kept is dropped, as a step would do."""
        optim = self._optim
        return (
            _equal(_parts(optim), self._parts)
            and default_generator() is self._default
            and all(_equal(live, before) or _equal(_without_kept(live), before) for live, before in self._modules)
            and all(tuple(chain) == links for chain, links in self._chains)
            and all(
                parameter.data is data and parameter.requires_grad == learns and data.flags.writeable == writeable
                for parameter, data, learns, writeable in self._parameters
            )
            and _learnt(self._own) == self._learnt
            and _equal(_constants(optim.loss), self._loss)
            and self._same_groups(optim.rule.param_groups)
            and all(generator.bit_generator is words for generator, words in self._streams)
        )

    def switches_hold(self) -> bool:
        """Whether the options that decide which operations there are are on and off as they were."""
        return _switches(self._optim) == self._switches

    def _same_groups(self, groups: list[dict[str, Any]]) -> bool:
        return (
            len(groups) == len(self._groups)
            and all(
                group is before and group["params"] == parameters
                for group, (before, parameters) in zip(groups, self._groups, strict=True)
            )
            and self.switches_hold()
        )


def _switches(optim: Optim) -> list[bool]:
    return [bool(group.get(name)) for group in optim.rule.param_groups for name in _STRUCTURAL]


def _parts(optim: Optim) -> tuple[Any, ...]:
    """The objects that an Optim is made of, and what it does with gradients."""
    return (
        type(optim),
        optim.network,
        optim.loss,
        optim.rule,
        type(optim.accumulate),
        gathers(optim),
        optim.clip_grad_norm is None,
        optim.clip_grad_value is None,
        tuple(vars(optim)),
        tuple(vars(optim.rule)),
    )


def gathers(optim: Optim) -> bool:
    """Whether the next step adds its gradients to those of others."""
    return optim.waiting or (type(optim.accumulate) is int and optim.accumulate > 1)


def _learnt(links: list[Module]) -> list[int]:
    """The Parameters of links, by identity."""
    return [id(parameter) for link in links for parameter in link.parameters()]


def _constants(loss: Loss) -> dict[str, Any]:
    """What a plan was made from; of a loss of the user's own what it learns, and whether it gives a mean."""
    if not is_known_loss(loss):
        data = [(id(parameter.data), parameter.requires_grad) for parameter in loss.parameters()]
        return {"learnt": _learnt([loss]), "data": data, "averages": loss.averages}
    return {
        name: (value.shape, value.dtype, value.tobytes()) if isinstance(value, np.ndarray) else value
        for name, value in vars(loss).items()
        if name not in _NOTED
    }


def _without_kept(live: dict[str, Any]) -> dict[str, Any]:
    live.pop("_kept", None)
    return live


def _equal(live: Any, before: Any) -> bool:
    try:
        return bool(live == before)
    except Exception:  # an array of a user's own among the attributes, say
        return False


def require_plain(optim: Optim) -> None:
    """NotLoweredError where Python would do something of its own that the core does not see."""
    generators = list(_generators(optim))
    for owner, exact in ((optim, Optim), *((generator, Generator) for generator in generators)):
        if type(owner) is not exact:
            raise NotLoweredError(f"it does not know what {type(owner).__name__}, a subclass of {exact.__name__}, does")
    for owner in (optim, *generators, optim.rule):
        if method := own_method(owner):
            raise NotLoweredError(f"{type(owner).__name__} has a {method} of its own")
    if type(optim.accumulate) is not int:
        raise NotLoweredError(f"accumulate is {optim.accumulate!r}, no int")


def _generators(optim: Optim) -> Iterator[Generator]:
    yield default_generator()
    for module in optim.network.modules():
        generator = vars(module).get("generator")
        if isinstance(generator, Generator):
            yield generator
