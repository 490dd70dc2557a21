"""A network as a table, for notebooks: every link with what it puts out and how much it learns."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from maillon.html import block, paragraph, table

if TYPE_CHECKING:
    from maillon.nn.module import Module
    from maillon.nn.parameter import Parameter

_INDENT = "  "
_OUTPUTS = {
    "out_features": "features",
    "out_channels": "channels",
    "hidden_size": "features",
    "embedding_dim": "features",
    "embed_dim": "features",
}


def network_html(network: "Module") -> str:
    """A row for each link, those inside another indented; below, what all of them learn together.

    A Parameter that stands at two places is counted at the first.
    """
    seen: set[int] = set()
    rows = [
        [_INDENT * name.count(".") + name.rpartition(".")[2], _title(link), _output(link), _parameters(link, seen)]
        for name, link in network.named_modules()
    ]
    if len(rows) > 1 and not any(rows[0][2:]):
        rows = rows[1:]
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    frozen = sum(parameter.size for parameter in network.parameters()) - sum(parameter.size for parameter in learnt)
    total = f"{type(network).__name__}: {sum(parameter.size for parameter in learnt):,} parameters, {network.dtype}"
    total += f"; {frozen:,} more are frozen" * bool(frozen)
    return block(paragraph(total), table(["", "link", "output", "parameters"], rows, left=3))


def _title(link: "Module") -> str:
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


def _parameters(link: "Module", seen: set[int]) -> str:
    """How many numbers the link itself has to learn, and whether it is kept from it."""
    own = list(_unseen(link, seen))
    if not own:
        return ""
    frozen = sum(parameter.size for parameter in own if not parameter.requires_grad)
    size = sum(parameter.size for parameter in own)
    return f"{size:,}" + (" (frozen)" if frozen == size else f" ({frozen:,} frozen)" if frozen else "")


def _unseen(link: "Module", seen: set[int]) -> Iterator["Parameter"]:
    for parameter in link.parameters(recurse=False):
        if id(parameter) not in seen:
            seen.add(id(parameter))
            yield parameter
