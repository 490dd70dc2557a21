"""Whether a network still is what a plan was made from, at next to no cost a look."""

from typing import Any

from maillon.engine.walk import own_links
from maillon.nn import Module, Parameter

_PASSING = ("_kept", "training")  # what a forward leaves behind, and the mode: a prediction depends on neither
_BY_WEIGHT = ("in_features", "out_features")  # the weight says it too


def watch(core: Any, network: Module, root: bool = True) -> Any:
    """`same()` says whether no link, attribute, Parameter or array of the network has been replaced.

    Everything counts by identity: new values in an array that is learnt need no new plan.
    root: False does not keep the network itself alive, whose class then goes unwatched.
    """
    own = {inner for link in own_links(network) for inner in link.modules()}  # whatever they are, they are called
    modules = [module for module in network.modules() if module not in own]
    attributes = [
        (vars(module), name, value)
        for module in modules
        for name, value in vars(module).items()
        if name not in (*_PASSING, *_BY_WEIGHT)
    ]
    return core.Watch(
        [(module, type(module)) for module in modules[not root :]],
        attributes,
        [
            (vars(module), "forward", -1 if "_kept" in vars(module) else len(vars(module)))
            for module in modules
            if "forward" not in vars(module)
        ],
        [(value, value.data) for _, _, value in attributes if isinstance(value, Parameter)],
    )
