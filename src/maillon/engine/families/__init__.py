"""The families of operations: their rows, and the lowering of links, losses and rules to them.

`load` imports all of them: that fills the tables, OPERATIONS in `engine/table.py`, LINKS and LOSSES in
`engine/builder.py`. It is called where something is to be lowered first, for it imports all links.
"""

from functools import cache
from types import ModuleType


@cache
def load() -> tuple[ModuleType, ...]:
    """The families that have operations."""
    from maillon.engine.families import (
        activations,
        attention,
        convolution,
        distances,
        dropout,
        embedding,
        gradients,
        joints,
        linear,
        losses,
        norms,
        padding,
        pooling,
        recurrent,
        rules,
        transformer as transformer,
    )

    return (
        linear,
        activations,
        joints,
        dropout,
        norms,
        embedding,
        distances,
        padding,
        pooling,
        convolution,
        recurrent,
        attention,
        losses,
        rules,
        gradients,
    )
