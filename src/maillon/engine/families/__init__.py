"""The families of operations: their rows, and the lowering of links, losses and rules to them.

A family is imported when something of it is to be lowered, the usual ones with maillon. It fills OPERATIONS in
`engine/table.py`, and LOWERINGS in `engine/builder.py`, from which LINKS and LOSSES take the classes that are met.
"""

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from maillon import nn
from maillon.engine.builder import LINKS, LOSSES, LOWERINGS

WITH_OPERATIONS = (
    *("linear", "activations", "joints", "dropout", "norms", "embedding", "distances", "tabular", "padding"),
    *("pooling", "convolution", "recurrent", "attention", "losses", "rules", "gradients"),
)
"""In the order of the core's own list."""

USUAL = ("linear", "activations", "joints", "losses")
"""What hardly a training does without."""

_LINKS_OF = {
    "activations": "activations",
    "containers": "joints",
    "graph": "joints",
    "joints": "joints",
    "linear": "linear",
    "linear.distance": "distances",
    "linear.embedding": "embedding",
    "linear.tabular": "tabular",
    "losses": "losses",
    "norms": "norms",
    "norms.dropout": "dropout",
    "sequence.attention": "attention",
    "sequence.positional": "transformer",
    "sequence.recurrent": "recurrent",
    "sequence.steps": "joints",
    "sequence.transformer": "transformer",
    "spatial.convolution": "convolution",
    "spatial.fold": "convolution",
    "spatial.padding": "padding",
    "spatial.pixels": "padding",
    "spatial.pooling": "pooling",
    "spatial.upsampling": "padding",
}
"""Which family lowers the links of a file, or of a folder, of `maillon.nn`."""


def family_of(kind: type) -> str | None:
    """The family that lowers links or losses of this class; None of a class of the user's own."""
    room, _, file = kind.__module__.partition("maillon.nn.")
    return None if room else _LINKS_OF.get(file) or _LINKS_OF.get(file.partition(".")[0])


def load_usual() -> None:
    """Import what hardly a training does without."""
    for name in USUAL:
        import_module(f"{__name__}.{name}")


def load_for(kind: type) -> None:
    """Import that family, if there is one, and take what it lowers this very class by into LINKS or LOSSES."""
    family, name = family_of(kind), kind.__name__
    if family is not None:
        import_module(f"{__name__}.{family}")
        if name in LOWERINGS and getattr(nn, name, None) is kind:
            known: dict[Any, Any] = LOSSES if issubclass(kind, nn.Loss) else LINKS
            known[kind] = LOWERINGS[name]


@cache
def load() -> tuple[ModuleType, ...]:
    """Import all; returns those that have operations."""
    import_module(f"{__name__}.transformer")
    return tuple(import_module(f"{__name__}.{name}") for name in WITH_OPERATIONS)
