"""Whether an Optim or a network still is what a plan was made from, at next to no cost a look."""

from typing import Any

import numpy as np

from maillon.engine.walk import is_known_loss, own_links
from maillon.nn import Module, Parameter
from maillon.optim import Optim

_BY_WEIGHT = ("in_features", "out_features")  # the weight says it too
_OF_A_STEP = ("prediction", "denominator", "shares", "_kept", "_gathered", "_divisor")


def watch(core: Any, network: Module, root: bool = True) -> Any:
    """`same()` says whether no link, attribute, Parameter or array of the network has been replaced.

    Everything counts by identity: new values in an array that is learnt need no new plan.
    root: False does not keep the network itself alive, whose class then goes unwatched.
    """
    modules, _ = _known_and_own(network)
    types, attributes, absent = _rows(modules, passing=("_kept", "training"))
    slots = [(value, "data", value.data) for _, _, value in attributes if isinstance(value, Parameter)]
    return core.Watch(types[not root :], attributes, absent, slots)


def watch_training(core: Any, optim: Optim) -> Any:
    """The same of all that a learning step is made from: modes, what learns, options of the rule and its state too.

    Numbers that the rule keeps are not among it: `Call.leave` sees to them.
    """
    modules, own = _known_and_own(optim.network)
    types, attributes, absent = _rows(modules, passing=("_kept",))
    rule, loss = optim.rule, optim.loss
    for owner in (optim, loss, rule):
        types.append((owner, type(owner)))
    for owner in (optim, rule, *([loss] if is_known_loss(loss) else ())):
        attributes += [(vars(owner), name, value) for name, value in vars(owner).items() if name not in _OF_A_STEP]
    # Links and losses of the user's own are called as they are: what they learn is all that is looked at.
    for module in (*own, *(() if is_known_loss(loss) else loss.modules())):
        inside = [(name, value) for name, value in vars(module).items() if isinstance(value, Parameter | Module)]
        attributes += [(vars(module), name, value) for name, value in inside]
    for group in rule.param_groups:
        attributes += [(group, name, value) for name, value in group.items()]
    learnt = [parameter for group in rule.param_groups for parameter in group["params"]]
    absent += [
        (rule.state, parameter, -1) for parameter in learnt if not (rule.needs_closure or parameter in rule.state)
    ]
    for parameter, kept in () if rule.needs_closure else rule.state.items():
        attributes.append((rule.state, parameter, kept))
        attributes += [(kept, name, value) for name, value in kept.items() if isinstance(value, np.ndarray)]
    found = dict.fromkeys(value for _, _, value in attributes if isinstance(value, Parameter))
    slots = [(each, name, getattr(each, name)) for each in found for name in ("data", "requires_grad")]
    return core.Watch(types, attributes, absent, slots)


def _known_and_own(network: Module) -> tuple[list[Module], list[Module]]:
    """The links that families lower, and those inside of the user's own."""
    own = [inner for link in own_links(network) for inner in link.modules()]
    inside = set(own)
    return [module for module in network.modules() if module not in inside], own


def _rows(modules: list[Module], passing: tuple[str, ...]) -> tuple[list[Any], list[Any], list[Any]]:
    """What `core.Watch` is given of links. passing: attributes that may change."""
    attributes = [
        (vars(module), name, value)
        for module in modules
        for name, value in vars(module).items()
        if name not in (*passing, *_BY_WEIGHT)
    ]
    absent = [
        (vars(module), "forward", -1 if "_kept" in vars(module) else len(vars(module)))
        for module in modules
        if "forward" not in vars(module)
    ]
    return [(module, type(module)) for module in modules], attributes, absent
