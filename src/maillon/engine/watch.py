"""Whether an Optim or a network still is what a plan was made from, at next to no cost a look."""

from typing import Any

from maillon.engine.walk import own_links
from maillon.nn import Module, Parameter
from maillon.optim import Optim

_BY_WEIGHT = ("in_features", "out_features")  # the weight says it too
_OF_A_STEP = ("prediction", "denominator", "shares", "_kept", "_gathered", "_divisor")


def watch(core: Any, network: Module, root: bool = True) -> Any:
    """`same()` says whether no link, attribute, Parameter or array of the network has been replaced.

    Everything counts by identity: new values in an array that is learnt need no new plan.
    root: False does not keep the network itself alive, whose class then goes unwatched.
    """
    types, attributes, absent, arrays = _rows(network, passing=("_kept", "training"))
    return core.Watch(types[not root :], attributes, absent, arrays)


def watch_training(core: Any, optim: Optim) -> Any:
    """The same of all that a learning step is made from: modes, options of the rule and its state too."""
    types, attributes, absent, arrays = _rows(optim.network, passing=("_kept",))
    rule = optim.rule
    for owner in (optim, optim.loss, rule):
        types.append((owner, type(owner)))
        attributes += [(vars(owner), name, value) for name, value in vars(owner).items() if name not in _OF_A_STEP]
    for group in rule.param_groups:
        attributes += [(group, name, value) for name, value in group.items()]
    for parameter, own in rule.state.items():
        attributes.append((rule.state, parameter, own))
        attributes += [(own, name, value) for name, value in own.items() if name != "step"]
    return core.Watch(types, attributes, absent, arrays)


def _rows(network: Module, passing: tuple[str, ...]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """What `core.Watch` is given of a network. passing: attributes that may change."""
    own = {inner for link in own_links(network) for inner in link.modules()}  # called as they are
    modules = [module for module in network.modules() if module not in own]
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
    types = [(module, type(module)) for module in modules]
    return (
        types,
        attributes,
        absent,
        [(value, value.data) for _, _, value in attributes if isinstance(value, Parameter)],
    )
