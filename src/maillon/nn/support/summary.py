"""A network link by link: where each stands, what it is and how much it learns; as a table for notebooks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from maillon.html import block, paragraph, table

if TYPE_CHECKING:
    from maillon.nn.module import Module

_INDENT = "  "
_OUTPUTS = {
    "out_features": "features",
    "out_channels": "channels",
    "hidden_size": "features",
    "embedding_dim": "features",
    "embed_dim": "features",
}


class Listed(NamedTuple):
    """A link at its place: what it shows of itself, and the numbers that it holds, itself, to learn.

    place: as in `named_modules`. label: the part of it that the link around does not have, indented by how deep it
    stands. trainable: how many of the parameters are not frozen. nbytes: of all of them.
    """

    place: str
    label: str
    link: "Module"
    title: str
    parameters: int
    trainable: int
    nbytes: int


def listed(network: "Module") -> Iterator[Listed]:
    """Each link, those inside another after it. A Parameter that stands at two places is counted at the first."""
    seen: set[int] = set()
    around: list[str] = []  # the places of the links that the next one stands in, from the outermost on
    for place, link in network.named_modules():
        while around and not place.startswith(f"{around[-1]}."):
            around.pop()
        label = _INDENT * len(around) + (place[len(around[-1]) + 1 :] if around else place)
        around += [place] * bool(place)
        own = [parameter for parameter in link.parameters(recurse=False) if id(parameter) not in seen]
        seen |= set(map(id, own))
        trainable = sum(parameter.size for parameter in own if parameter.requires_grad)
        sizes = sum(parameter.size for parameter in own), trainable, sum(parameter.data.nbytes for parameter in own)
        yield Listed(place, label, link, title(link), *sizes)


def network_html(network: "Module") -> str:
    """A row for each link; below, what all of them learn together."""
    links = list(listed(network))
    rows = [[one.label, one.title, _output(one.link), _parameters(one)] for one in links]
    if len(rows) > 1 and not any(rows[0][2:]):
        rows = rows[1:]
    learnt = sum(one.trainable for one in links)
    frozen = sum(one.parameters for one in links) - learnt
    total = f"{type(network).__name__}: {learnt:,} parameters, {network.dtype}"
    total += f"; {frozen:,} more are frozen" * bool(frozen)
    return block(paragraph(total), table(["", "link", "output", "parameters"], rows, left=3))


def title(link: "Module") -> str:
    """The link as it shows itself; one made of links by its class, for they follow."""
    text = repr(link)
    return type(link).__name__ if "\n" in text or next(link.children(), None) is not None else text


def _output(link: "Module") -> str:
    """What the link itself decides about the shape of its output."""
    for name, what in _OUTPUTS.items():
        size = getattr(link, name, None) if next(link.children(), None) is None else None
        if isinstance(size, int):
            return f"{size} {what}"
    return ""


def _parameters(one: Listed) -> str:
    """How many numbers the link itself has to learn, and whether it is kept from it."""
    if not one.parameters:
        return ""
    frozen = one.parameters - one.trainable
    return f"{one.parameters:,}" + (
        " (frozen)" if frozen == one.parameters else f" ({frozen:,} frozen)" if frozen else ""
    )
