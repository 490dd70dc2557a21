"""The walk through links made of links: each child is lowered by its family, or called in NumPy as the user's own."""

from functools import lru_cache
from typing import Any

from maillon.engine.builder import LINKS, LOSSES, Builder, Tree
from maillon.engine.families import load
from maillon.engine.own import lower_own
from maillon.nn import Loss, Module
from maillon.nn.containers import takes_several


def is_known(link: Module) -> bool:
    """Whether a family lowers it; else it is the user's own and runs in NumPy."""
    load()
    return type(link) in LINKS and own_method(link) is None


def is_known_loss(loss: Loss) -> bool:
    """The same for a loss."""
    load()
    return type(loss) in LOSSES and own_method(loss) is None


def own_links(network: Module) -> list[Module]:
    """The outermost links that run in NumPy, in order."""
    if not is_known(network):
        return [network]
    return [own for _, child in network.named_children() for own in own_links(child)]


def own_method(owner: object) -> str | None:
    """The method of its class that something has replaced on the instance itself, if there is one."""
    kind: Any = type(owner)  # as one that can be hashed, which mypy doubts
    methods = _methods(kind)
    for attribute in vars(owner):
        if attribute in methods:
            return attribute
    return None


@lru_cache(128)
def _methods(kind: type) -> frozenset[str]:
    return frozenset(name for name in dir(kind) if callable(getattr(kind, name, None)))


def lower_child(b: Builder, link: Module, name: str, *inputs: Tree, **named: Tree) -> Tree:
    """The output of a link, a child of that name of the one that is being lowered."""
    with b.inside(name, link):
        if not is_known(link):
            return lower_own(b, link, inputs, named)
        return LINKS[type(link)](b, link, *inputs, **named)


def lower_handed(b: Builder, link: Module, name: str, x: Tree) -> Tree:
    """The same for what another link gave: a tuple becomes several inputs where the link takes several."""
    several = type(x) is tuple and len(x) > 1 and takes_several(type(link).forward)
    return lower_child(b, link, name, *(x if several else (x,)))
