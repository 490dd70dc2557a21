"""The table of operations: the rows of all families, and what becomes of a link that has none."""

from typing import Any

from maillon.costs.activations import ACTIVATIONS
from maillon.costs.counts import Counts, Flops
from maillon.costs.joints import JOINTS
from maillon.costs.linear import LINEAR
from maillon.costs.losses import LOSSES
from maillon.costs.norms import NORMS
from maillon.costs.sequence import SEQUENCE
from maillon.costs.spatial import SPATIAL
from maillon.nn import Module

COUNTS: Counts = {**LINEAR, **ACTIVATIONS, **SPATIAL, **NORMS, **SEQUENCE, **JOINTS, **LOSSES}


def counted(link: Module, inputs: tuple[Any, ...], output: Any) -> Flops | None:
    """The operations of a call of the link, without those of the links inside; None where nobody knows them.

    A link of the user's own says them in a method `flops(inputs, output)` that returns up to four numbers, those of
    Flops in order; one that inherits its forward from a link in the table has that one's.
    """
    own = getattr(type(link), "flops", None)
    if callable(own):
        told = own(link, inputs, output)
        return Flops(*map(int, told if isinstance(told, tuple) else (told,)))
    kind: Any = type(link)
    known: Any = next((base for base in kind.__mro__ if base in COUNTS), None)
    return COUNTS[known](link, inputs, output) if known is not None and kind.forward is known.forward else None
