"""The walk through links made of links: each child is lowered by its family, or called in NumPy.

In NumPy run the links of the user's own, and those whose options or inputs the core does not know.
"""

from functools import lru_cache
from typing import Any

from maillon.engine.builder import LINKS, LOSSES, Builder, Losses, NotLoweredError, Tree
from maillon.engine.families import load_for
from maillon.engine.own import lower_own, lower_own_loss
from maillon.engine.plan import WholeError
from maillon.nn import Loss, Module
from maillon.nn.containers import takes_several
from maillon.nn.support.errors import shown


def is_known(link: Module) -> bool:
    """Whether a family lowers it; else it is the user's own and runs in NumPy."""
    if type(link) not in LINKS:
        load_for(type(link))
    return type(link) in LINKS and own_method(link) is None


def is_known_loss(loss: Loss) -> bool:
    """The same for a loss."""
    if type(loss) not in LOSSES:
        load_for(type(loss))
    return type(loss) in LOSSES and own_method(loss) is None


def own_links(network: Module) -> list[Module]:
    """The outermost links that no family knows, in order."""
    if not is_known(network):
        return [network]
    return [own for _, child in network.named_children() for own in own_links(child)]


def own_method(owner: object) -> str | None:
    """The method of its class that something has replaced on the instance itself, if there is one."""
    kind: Any = type(owner)  # as one that can be hashed, which mypy doubts
    return _first_method(kind, tuple(vars(owner)))


@lru_cache(256)
def _first_method(kind: type, attributes: tuple[str, ...]) -> str | None:
    return next((name for name in attributes if callable(getattr(kind, name, None))), None)


def why_own(owner: Module) -> str:
    """Why a link or a loss that no family knows runs in NumPy."""
    known = type(owner) in LINKS or type(owner) in LOSSES
    kind = "losses" if isinstance(owner, Loss) else "links"
    why = f"has a {own_method(owner)} of its own" if known else f"is not among the {kind} it knows"
    return f"{shown(owner)} {why}"


def lower_child(b: Builder, link: Module, name: str, /, *inputs: Tree, **named: Tree) -> Tree:
    """The output of a link, a child of that name of the one that is being lowered."""
    before = b.enter(name, link)
    try:
        if not is_known(link):
            return lower_own(b, link, inputs, named, why_own(link))
        begun = b.mark()
        try:
            return LINKS[type(link)](b, link, *inputs, **named)
        except WholeError:
            raise
        except NotLoweredError as error:
            reason = str(error)
        b.back_to(begun)
        try:
            return lower_own(b, link, inputs, named, reason)
        except WholeError:
            raise WholeError(reason) from None
    finally:
        b.leave(before)


def lower_its_loss(b: Builder, loss: Loss, prediction: Tree, target: Tree, own: Losses) -> None:
    """Add a loss: by its family, or in NumPy."""
    if not is_known_loss(loss):
        lower_own_loss(b, loss, prediction, target, own, why_own(loss))
        return
    begun = b.mark()
    try:
        LOSSES[type(loss)](b, loss, prediction, target, own)
    except NotLoweredError as error:
        b.back_to(begun)
        lower_own_loss(b, loss, prediction, target, own, str(error))


def lower_handed(b: Builder, link: Module, name: str, x: Tree) -> Tree:
    """The same for what another link gave: a tuple becomes several inputs where the link takes several."""
    several = type(x) is tuple and len(x) > 1 and takes_several(type(link).forward)
    return lower_child(b, link, name, *(x if several else (x,)))
